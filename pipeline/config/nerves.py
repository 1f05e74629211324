"""Schema of a nervous system that drives a body: window, muscle readout, proprioception."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.quantity import (
    Milliseconds,
    Millivolts,
    Name,
    Nanoamps,
    RelativeFile,
    Strict,
    TimeStep,
)


class JunctionMuscles(Strict):
    """Muscles driven through a map of neuromuscular junctions.

    A muscle's drive is bias + gain x (sum of sign x count x release over its junctions) / (sum of
    counts), cut to 0..1; release is 1 / (1 + exp((threshold - V) / slope)) as in graded synapses.
    """

    kind: Literal["junctions"]
    table: RelativeFile = Field(description="CSV: neuron, muscle, count, sign (1 or -1).")
    gain: float = Field(1.0, description="Of the difference of excitation and inhibition.")
    bias: float = Field(0.0, description="Drive without release.")
    threshold: Millivolts = Field(-20.0, description="Half release; as in graded synapses.")
    slope: Millivolts = Field(5.0, gt=0, description="As in graded synapses.")


class LinearMuscles(Strict):
    """Muscles as weighted sums of voltages, cut to 0..ceiling (published: a dense ridge regression, 0.8)."""

    kind: Literal["linear"]
    table: RelativeFile = Field(
        description="CSV: neuron (the row `offset` is added, the row `ceiling` is the largest drive), "
        "then one column per muscle unit; 1/mV. 'sonatina train' writes one."
    )


Readout = Annotated[JunctionMuscles | LinearMuscles, Field(discriminator="kind")]


class Proprioception(Strict):
    """Neurons that feel muscles: gain x the mean signal of the muscles a neuron is listed with."""

    table: RelativeFile = Field(description="CSV: muscle, neuron.")
    signal: Literal["stretch", "activation"] = Field(
        "stretch",
        description="Relative stretch of the wall at the muscle, or the muscle's drive (published).",
    )
    gain: Nanoamps = Field(description="Current for a signal of 1.")


class CircuitDrive(Strict):
    """The model's own circuit in NEURON: senses, muscles and body in one process, one clock."""

    kind: Literal["circuit"]
    window: TimeStep = Field(
        20.0, description="Neurons and body take turns of this length; the interval's divisor."
    )
    dt: TimeStep = Field(0.5, description="Step of the neurons.")
    v_init: Millivolts = -65.0
    ranks: int = Field(1, ge=1, le=100_000, description="MPI ranks of the neurons.")
    warm_up: Milliseconds = Field(
        0.0, description="Time that the neurons run before the body may move."
    )
    tonic: dict[Name, Nanoamps] = Field(
        default_factory=dict, description="Constant current by node set."
    )
    readout: Readout
    proprioception: Proprioception | None = None
