"""Schema of ``training``: weights fitted to correlations, and muscle readouts fitted to a gait."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.quantity import (
    Hertz,
    Microsiemens,
    Millivolts,
    Name,
    Nanoamps,
    Probability,
    RelativeFile,
    Strict,
    TimeStep,
)


class Bounds(Strict):
    """Limits of what is trained."""

    weight: float = Field(4.0, gt=0, description="Of |weight|; published weights reach 3.85.")
    gap_low: Microsiemens = Field(1e-9, description="Of a junction; published floor.")
    gap_high: Microsiemens = Field(1e-3, description="Of a junction; published ones reach 1.6e-4.")
    current: Nanoamps = Field(0.2, description="Of |current|; as published.")


class CorrelationTraining(Strict):
    """Weights, junctions and inputs fitted by gradient to a matrix of correlations."""

    kind: Literal["correlation"]
    edges: Name = Field(description="Key under edges, of kind contacts.")
    target: RelativeFile = Field(description="CSV: a, b, r; one row per unordered pair.")
    inputs: Name = Field(description="Node set whose somata get the trained currents.")
    free: list[Literal["weights", "gaps", "currents"]] = Field(
        default=["weights", "gaps", "currents"], min_length=1, description="What is trained."
    )
    duration: TimeStep = 5000.0
    dt: TimeStep = Field(2.0, description="Step of the training; runs may take a finer one.")
    v_init: Millivolts = -65.0
    frequency: Hertz = Field(
        10.0, description="At which compartments are short by d_lambda 0.1; 10 Hz suffices here."
    )
    knots: TimeStep = Field(50.0, description="Time between the points of a trained current.")
    mean: Nanoamps = Field(0.03, description="Of the currents at the start; published.")
    sd: Nanoamps = Field(0.02, description="Of the currents at the start.")
    bounds: Bounds = Bounds()
    held_out: Probability = Field(0.1, description="Share of pairs that is not trained on.")
    epochs: int = Field(80, ge=1, le=100_000)
    rate: float = Field(0.05, gt=0, description="Step of Adam in units of the search.")
    seeds: list[int] = Field(default=[1], min_length=1, description="Independent starts.")
    contacts: RelativeFile | None = Field(
        None, description="Table that --save writes: weights. None for a control."
    )
    currents: RelativeFile | None = Field(None, description="Table that --save writes: currents.")
    figures: RelativeFile | None = Field(
        None, description="Table that --save writes: errors, as analysis and report show them."
    )


class ReadoutTraining(Strict):
    """A linear readout fitted by ridge regression while the stretch circuit moves the body."""

    kind: Literal["readout"]
    behaviour: Name = Field(description="Key under behaviours; its neurons feel the body.")
    set: Name = Field("readout", description="Node set of the neurons that are read.")
    duration: TimeStep = Field(60_000.0, description="Of the lesson.")
    settle: TimeStep = Field(2000.0, description="Left out at the start.")
    folds: int = Field(5, ge=2, le=100, description="Of cross-validation; blocks of time.")
    alphas: list[Annotated[float, Field(gt=0)]] = Field(
        default=[1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0],
        min_length=1,
        description="Penalties that are compared; in mV^2 per window.",
    )
    disturbance: Probability = Field(
        0.0,
        description="Noise on the muscles during the lesson (sd of the drive). Without it the readout "
        "has seen one gait only, from which nothing says how to come back to it.",
    )
    media: list[Probability] = Field(
        default_factory=list,
        description="Media of the lessons, one lesson each; default: that of the behaviour.",
    )
    gain: float = Field(
        1.0,
        gt=0,
        description="Stretches the readout around half of each muscle's largest taught drive, at which "
        "it is cut. The teacher is on or off; a regression smooths that, and at 1 the loop comes to rest.",
    )
    table: RelativeFile = Field(description="Table that --save writes.")
    figures: RelativeFile | None = Field(
        None, description="Table that --save writes: shares of variance, as analysis shows them."
    )


Training = Annotated[CorrelationTraining | ReadoutTraining, Field(discriminator="kind")]
