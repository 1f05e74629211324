"""Schema of the key ``fits``: how e-models are searched for."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.config.distributions import Distribution
from pipeline.config.emodel import AxonRule
from pipeline.config.quantity import (
    Microns,
    Milliseconds,
    Millivolts,
    Name,
    Nanoamps,
    RelativeFile,
    Strict,
    Text,
)


class Passive(Strict):
    """Least squares of a start's passive numbers on rest and input resistance alone."""

    steps: int = Field(
        ge=1, le=1000, description="Trials of a step; every third needs slopes, too."
    )
    parameters: list[Text] = Field(
        default=["?_pas.passive.*", "gIhbar.Ih.*"],
        min_length=1,
        description="Free parameters that move: patterns (* and ?) of name.mechanism.place.",
    )


class Search(Strict):
    """What BluePyOpt does."""

    algorithm: Literal["ibea", "cma_single", "cma_multi"] = Field(
        "ibea", description="ibea: evolution; cma_single, cma_multi: covariance matrix adaptation."
    )
    offspring: int = Field(20, ge=2, le=10_000, description="Individuals per generation.")
    generations: int = Field(100, ge=1, le=100_000)
    seeds: list[int] = Field(default=[1], min_length=1, description="One search each.")
    eta: float = Field(10.0, gt=0, description="How near children stay to their parents.")
    mutation: float = Field(0.7, ge=0, le=1, description="Probability that a child is mutated.")
    crossover: float = Field(0.7, ge=0, le=1, description="Probability that two children mix.")
    sigma: float = Field(0.4, gt=0, description="First step of CMA; bounds are -1 and 1.")
    start: list[RelativeFile] = Field(
        default=[],
        description="E-models in the first generation; the rest of it are copies of them, moved by `spread`.",
    )
    spread: float = Field(
        0.05, gt=0, le=1, description="Sd of the moves of the copies, in parts of the bounds."
    )
    passive: Passive | None = Field(
        None, description="First the passive numbers of each start are moved; none: they stay."
    )
    polish: int = Field(
        0,
        ge=0,
        le=1000,
        description="Steps of least squares (SciPy) from the best individual after the generations.",
    )

    @model_validator(mode="after")
    def _moves_a_start(self) -> Search:
        if self.passive and not self.start:
            raise ValueError("passive moves the numbers of a start: name an e-model under start")
        return self


class Evaluation(Strict):
    """How one individual is tried."""

    time_limit: float = Field(
        300.0,
        gt=0,
        description="s of processor time; beyond it every score is the worst.",
    )
    recycle: int = Field(100, ge=1, description="Evaluations after which a worker is replaced.")
    worst: float = Field(250.0, gt=0, description="Score of a feature that cannot be computed.")
    first_limit: float = Field(
        3.0, gt=0, description="RMP or input resistance beyond this score: nothing more is run."
    )
    absolute_tolerance: float = Field(
        0.01, gt=0, description="Of NEURON's variable time step; 0.01 is its default."
    )
    dt: Milliseconds | None = Field(None, description="A fixed time step in place of it.")
    spike_threshold: Millivolts = Field(-20.0, description="eFEL's Threshold.")
    holding_precision: Millivolts = 0.1
    threshold_precision: Nanoamps = Field(0.001, description="Largest error of the threshold.")
    threshold_limit: Nanoamps = Field(2.0, description="No spike at it: no threshold.")
    interp_step: Milliseconds = Field(
        0.1, description="eFEL looks at the trace at such steps: heights and widths are no finer."
    )

    def decides(self) -> dict[str, Any]:
        """What scores depend on; a step of eFEL's default is left out, so that older keys hold."""
        plain = {"interp_step"} if self.interp_step == 0.1 else set()
        return self.model_dump(mode="json", exclude={"time_limit", "recycle", *plain})


class Fit(Strict):
    """One e-model to be found: a cell, free parameters, protocols, targets."""

    title: Text = ""
    m_type: Name | None = Field(None, description="An exemplar of this type is the cell.")
    shape: int = Field(1, ge=1, description="Which exemplar of m_type, counted from 1.")
    morphology: RelativeFile | None = Field(None, description="Or a file of its own.")
    axon: AxonRule = "stub_myelin"
    segment: Microns = Field(40.0, description="nseg = 1 + 2 int(L / segment).")
    bounds: RelativeFile = Field(description="CSV: parameters, fixed or with bounds.")
    protocols: RelativeFile = Field(description="CSV: one row per current pulse.")
    targets: RelativeFile = Field(description="CSV: protocol, location, feature, mean, sd.")
    recordings: RelativeFile | None = Field(None, description="CSV: places besides the soma.")
    distributions: dict[Name, Distribution] = Field(
        default_factory=dict, description="Laws that the bounds name."
    )
    search: Search = Field(default_factory=Search)
    evaluation: Evaluation = Field(default_factory=Evaluation)

    @model_validator(mode="after")
    def _one_cell(self) -> Fit:
        if (self.m_type is None) == (self.morphology is None):
            raise ValueError("give either m_type or morphology")
        return self
