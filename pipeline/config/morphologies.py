"""Schema of the key ``morphologies``: exemplars of every m-type, grown or taken from a library."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.quantity import Distance, Microns, Name, RelativeFile, Strict, Text

LICENCE_TAGS = ("open", "copyleft", "nc", "unclear")
REACHED = 100.0
"""um. So much axon or apical dendrite in a layer counts as reaching it (source: assumed; less is a
single branch that passes the border)."""


class _Exemplars(Strict):
    """What grown and real cells have in common."""

    m_types: list[Name] | Literal["placed"] = Field(
        default_factory=list,
        description="Only these; empty for all; placed: those of which the circuit has cells.",
    )
    count: int = Field(5, ge=1, le=1000, description="Exemplars per m-type, at most.")
    layers: dict[Name, Microns] = Field(
        default_factory=dict, description="Thickness of every layer from the pia down."
    )
    simplify: Distance = Field(
        0.2, description="Largest distance of a dropped point from the neurite; 0 keeps all."
    )


class GrownMorphologies(_Exemplars):
    """Cells grown by NeuroTS from distributions of real cells."""

    kind: Literal["synthesis"]
    distributions: RelativeFile = Field("synthesis", description="Folder of <m-type>.json.")
    exemplars: RelativeFile = Field(
        "tables/exemplars.csv", description="CSV: what each m-type is made from, and why."
    )
    real: RelativeFile | None = Field(
        None, description="CSV: morphometrics of the real cells, to hold the grown ones against."
    )
    tries: int = Field(
        2, ge=1, le=100, description="Attempts per axon and apical dendrite; the best one stays."
    )
    redraws: int = Field(
        3,
        ge=0,
        le=100,
        description="How often at most an axon is grown anew that misses the layers or the width its "
        "row asks for; each is a finding.",
    )


class LibraryMorphologies(_Exemplars):
    """Cells from a folder of reconstructions with a catalogue."""

    kind: Literal["library"]
    folder: RelativeFile = Field(description="Folder of SWC, ASC or H5 files.")
    catalogue: RelativeFile = Field(
        description="CSV: file (or name), m_type, licence; further columns layer, species, kind, "
        "has_axon, source."
    )
    licences: list[Text] = Field(
        default=["open"],
        description="Tags (open, copyleft, nc, unclear) or full licence texts that may be used.",
    )
    quality: list[Text] = Field(
        default_factory=list, description="Values of the column kind that may be used; empty: all."
    )
    reject: list[Name] = Field(
        default_factory=list, description="Checks whose finding keeps a cell out, such as cut."
    )
    exemplars: RelativeFile | None = Field(
        None, description="CSV: what m-types without a cell of their own borrow."
    )


MorphologySet = Annotated[GrownMorphologies | LibraryMorphologies, Field(discriminator="kind")]
