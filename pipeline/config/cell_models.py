"""Schema of ``cell_models``: which single-cell model the cells of a placed population have."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.config.quantity import Millivolts, Name, RelativeFile, Strict, Text, TimeStep

Synapse = Literal["psc", "psc_double_alpha", "cond"]


class PortModel(Strict):
    """A receptor port: alpha function of a current or conductance (docs/glif.md)."""

    tau: TimeStep = Field(description="Time to the peak; of the fast part for psc_double_alpha.")
    tau_slow: TimeStep | None = Field(None, description="psc_double_alpha: of the slow part.")
    amp_slow: float | None = Field(None, description="psc_double_alpha: peak, slow over fast.")
    E_rev: Millivolts | None = Field(None, description="cond: reversal potential.")
    source: Text = ""


class GlifModel(Strict):
    """Generalised leaky integrate-and-fire cells (Teeter et al. 2018), one per value of ``by``.

    Parameters stand in a table of the model or in a folder of the user's own files; a folder takes
    the table's place.
    """

    kind: Literal["glif"]
    level: Literal[1, 2, 3, 4, 5] = Field(
        3, description="LIF, LIF-R, LIF-ASC, LIF-R-ASC, LIF-R-ASC-A."
    )
    by: Name = Field("cell_class", description="cell_type, or a label or column of the types.")
    table: RelativeFile | None = Field(None, description="CSV with one row per value of ``by``.")
    folder: RelativeFile | None = Field(
        None, description="Allen or NEST parameter files, <value>.json; relative or absolute."
    )
    files: dict[Name, RelativeFile] = Field(
        default_factory=dict, description="File in the folder by value, where names differ."
    )
    synapse: Synapse = Field(
        "psc", description="Alpha currents, double-alpha currents or alpha conductances."
    )
    ports: RelativeFile | list[PortModel] = Field(
        description="Receptor ports from 1 on: a list, or a CSV with the columns port and tau (ms), "
        "tau_slow, amp_slow, E_rev (mV) as needed, and that of ``by`` where classes differ."
    )

    @model_validator(mode="after")
    def _consistent(self) -> GlifModel:
        if not self.table and not self.folder:
            raise ValueError("no parameters: give table or folder")
        if self.files and not self.folder:
            raise ValueError("files names files of a folder, and there is no folder")
        return self


CellModel = GlifModel
"""What a population's ``cell_models`` hold; further kinds join by their ``kind``."""
EVERYWHERE = "all"


def model_of(models: dict[str, CellModel], region: str) -> tuple[str, CellModel] | None:
    """Returns key and cell model of a region: its own, else that of ``all``."""
    key = region if region in models else EVERYWHERE
    return (key, models[key]) if key in models else None
