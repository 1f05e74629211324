"""Schema of ``generalise``: every allowed morphology judged with every e-model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.quantity import Name, RelativeFile, Strict, Text

SKIPPED = [
    "*bAP*",
    "*holding_current",
    "*threshold_current",
    "*decay_time_constant_after_stim",
    "*AP2_amp",
]
"""Features that do not decide (SSCxEModelExamples, model_management, select.json; CC BY 4.0)."""


class Generalise(Strict):
    """Which pairs are judged, and when one is accepted (docs/generalise.md).

    An e-model is judged by protocols and targets of the entry of its name under ``fits``; axon and
    discretisation are those of the fit, too.
    """

    nodes: Name = Field(description="Placed population with morphologies; its types are me-types.")
    etype: Name = Field("etype", description="Label of the types that names the e-type.")
    emodels: RelativeFile = Field("emodels", description="Folder of e-models, <name>.yaml.")
    table: RelativeFile = Field(
        "tables/etype_emodels.csv",
        description="CSV: etype, emodel, source; further columns that are labels of the types "
        "restrict a row (empty: any; the row with most of them counts); stand_in says why the "
        "e-model of another e-type is taken.",
    )
    types: Literal["all", "placed"] = Field(
        "all", description="placed: only me-types that have cells at this size."
    )
    known: RelativeFile | None = Field(
        None,
        description="JSON: evaluations that the model ships, written by `--save`; taken where "
        "bytes of morphology, e-model, tables and mechanisms are the same.",
    )
    threshold: float = Field(
        5.0, gt=0, description="Largest score (sd) of a feature (BluePyMM's select.json: 5)."
    )
    skip: list[Text] = Field(
        default=SKIPPED, description="Patterns (* and ?) of protocol.location.feature left out."
    )
    fitted: RelativeFile | None = Field(
        None,
        description="Folder of scores of the fits, <e-model>.csv: features that an e-model does not "
        "meet on its own cell decide nothing on others; they are listed in `unmet.csv`.",
    )
    time_limit: float | None = Field(
        None, gt=0, description="s of processor time per pair; default: the longest of the fits."
    )
    parts: int = Field(1, ge=1, le=10_000, description="Jobs that share the evaluations.")
    at_most: int | None = Field(
        None,
        ge=0,
        description="Pairs that the stage evaluates, those of me-types that nothing covers first; "
        "the others are listed as `not evaluated yet`. 0: none, what is known counts; default: all. "
        "`--at-most` goes before it. One job evaluates them, whatever `parts` says.",
    )
