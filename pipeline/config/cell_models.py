"""Schema of ``cell_models``: which single-cell model the cells of a placed population have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.emodel import AxonRule
from pipeline.config.quantity import (
    Distance,
    Microns,
    Millivolts,
    Name,
    RelativeFile,
    Strict,
    Text,
    TimeStep,
)

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


class BiophysicalModel(Strict):
    """Cells with morphologies (docs/biophysical.md): one stand-in per value of ``by``, or your own.

    A folder of the user's own fit files and reconstructions takes the stand-ins' place; then the
    table ``models`` lists the candidates of each value and each soma draws one of them by depth.
    """

    kind: Literal["biophysical"]
    by: Name = Field("cell_class", description="cell_type, or a label or column of the types.")
    shapes: RelativeFile | None = Field(
        None, description="CSV of parametric stand-ins: class, emodel and the numbers of a shape."
    )
    emodels: RelativeFile = Field("emodels", description="Folder of the stand-ins' e-models.")
    folder: RelativeFile | None = Field(
        None, description="SWC files and Allen *_fit.json files; relative or absolute."
    )
    models: RelativeFile | None = Field(
        None,
        description="CSV of the folder's cells: name, the column of ``by``, fit, morphology, depth "
        "(um below the pia) and optionally rotation_angle_zaxis (rad).",
    )
    depth_sd: Microns = Field(
        20.0, description="Candidates weigh exp(-(difference of depth)^2 / (2 depth_sd^2))."
    )
    overhang: Distance = Field(
        100.0, description="How far above the pia the dendrites of a candidate may reach."
    )
    axon: AxonRule = Field("stub", description="As cells.axon.")
    length: Microns = Field(20.0, description="Of compartments, by the rule odd_length.")

    @model_validator(mode="after")
    def _consistent(self) -> BiophysicalModel:
        if not self.shapes and not self.folder:
            raise ValueError("no morphologies: give shapes, or folder and models")
        if (self.folder is None) != (self.models is None):
            raise ValueError("folder and models belong together: give both")
        return self


CellModel = Annotated[GlifModel | BiophysicalModel, Field(discriminator="kind")]
"""What a population's ``cell_models`` hold."""
EVERYWHERE = "all"


def model_of(models: dict[str, CellModel], region: str) -> tuple[str, CellModel] | None:
    """Returns key and cell model of a region: its own, else that of ``all``."""
    key = region if region in models else EVERYWHERE
    return (key, models[key]) if key in models else None


def model_files(model: CellModel) -> list[str]:
    """Names the fields of a cell model that are files or folders to read; a folder hides a table."""
    if isinstance(model, BiophysicalModel):
        return ["folder", "models"] if model.folder else ["shapes", "emodels"]
    parameters = ["folder"] if model.folder else ["table"]
    return parameters + ["ports"] * isinstance(model.ports, str)
