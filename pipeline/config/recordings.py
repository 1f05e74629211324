"""Schema of ``extract``: targets of an e-type from recorded sweeps."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from pipeline.config.quantity import (
    Milliseconds,
    Millivolts,
    Name,
    Nanoamps,
    RelativeFile,
    Strict,
    Text,
    TimeStep,
)

FeatureName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class StepSweeps(Strict):
    """The sweeps of one protocol: a current step on a holding current."""

    delay: Milliseconds = Field(description="Start of the step.")
    duration: TimeStep = Field(description="Length of the step.")
    amplitudes: list[Annotated[float, Field(allow_inf_nan=False)]] = Field(
        min_length=1, description="Percent of the cell's threshold current; one target row each."
    )
    features: list[FeatureName] = Field(min_length=1, description="Names of eFEL features.")
    name: Name | None = Field(
        None, description="Written as NAME_PERCENT in the table; default: the protocol's own name."
    )
    strict: bool = Field(True, description="Only spikes within the step count.")


class Extraction(Strict):
    """Feature targets (mean, sd) from recordings of cells of one e-type.

    A sweep belongs to an amplitude if it lies within ``tolerance`` of it; it may belong to several.
    """

    folder: RelativeFile = Field(description="Folder of the recordings; relative or absolute.")
    sweeps: RelativeFile = Field(
        description="CSV of the sweeps that are used: cell, protocol, current, voltage (files below "
        "folder: Igor .ibw, or .csv with the columns time in ms and value in nA or mV)."
    )
    source: Text = Field(description="Where the recordings come from; stands in every row.")
    junction_potential: Millivolts = Field(
        0.0, description="Liquid junction potential, subtracted from every recorded voltage."
    )
    spike_threshold: Millivolts = Field(
        -20.0, description="After the correction; what rises above it is a spike."
    )
    interpolation: TimeStep = Field(0.1, description="Step to which eFEL interpolates.")
    threshold_current: dict[Name, Nanoamps] = Field(
        default_factory=dict, description="Known threshold currents by cell, above holding."
    )
    threshold_protocols: list[Name] = Field(
        default_factory=list,
        description="For other cells: protocols whose smallest step with a spike is the threshold.",
    )
    tolerance: float = Field(10.0, gt=0, le=100, description="Percent of the threshold current.")
    least_sd: float = Field(
        1e-3, gt=0, description="Smaller sds become this: no score is divided by 0."
    )
    protocols: dict[Name, StepSweeps] = Field(min_length=1)
    table: RelativeFile | None = Field(
        None, description="Table that 'sonatina extract --save' writes."
    )

    @model_validator(mode="after")
    def _known(self) -> Extraction:
        for name in self.threshold_protocols:
            if name not in self.protocols:
                known = ", ".join(self.protocols)
                raise ValueError(f"threshold_protocols names {name}; known: {known}")
        return self
