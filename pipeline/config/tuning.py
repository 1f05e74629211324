"""Schema of ``tuning``: gains of weights searched so that classes fire at target rates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.quantity import Hertz, Name, RelativeFile, Strict


class Knob(Strict):
    """A factor on the weights of some edges onto each class."""

    edges: Name = Field(description="Key under edges.")
    sources: list[Name] = Field(
        default_factory=list, description="Node sets of the sources; default: all."
    )
    follows: Literal["spontaneous", "ratio"] = Field(
        description="What a class's factor answers to: its spontaneous rate, or evoked over it."
    )
    share: float = Field(
        1.0,
        ge=-1,
        le=1,
        description="Power of the common factor that it takes; below 0 for inhibition.",
    )
    classes: list[Name] = Field(
        default_factory=list, description="Only these classes have it; default: all."
    )


class Tuning(Strict):
    """A staged search without gradients; windows and classes are those of analysis.responses."""

    simulation: Name = Field(
        description="Run that is evaluated; its gains and its other gain tables stay below."
    )
    targets: RelativeFile = Field(
        description="CSV: class, spontaneous, evoked (Hz), start (first factor of the knobs that "
        "follow spontaneous), source."
    )
    knobs: list[Knob] = Field(min_length=1)
    screening: int = Field(
        10, ge=0, le=1000, description="First evaluations that show only some trials."
    )
    screening_trials: int = Field(2, ge=1)
    trials: int | None = Field(None, ge=1, description="Trials of the others; default: all.")
    evaluations: int = Field(24, ge=1, le=10_000)
    step: float = Field(0.12, gt=0, le=1, description="First step of a factor's logarithm.")
    largest: float = Field(10.0, gt=1, description="Factors stay between 1/largest and largest.")
    rate_limit: Hertz = Field(80.0, description="Mean rate that counts as runaway.")
    floor: Annotated[float, Field(gt=0)] = Field(
        0.2, description="Hz added to both rates before logarithms are compared."
    )
    table: RelativeFile = Field(description="Table of gains that 'sonatina tune --save' writes.")

    @model_validator(mode="after")
    def _both(self) -> Tuning:
        if not any(knob.follows == "spontaneous" for knob in self.knobs):
            raise ValueError("no knob follows spontaneous")
        return self
