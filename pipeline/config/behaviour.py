"""Schema of ``behaviours``: a body, what drives it, and the environment it moves in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from pipeline.config.nerves import CircuitDrive
from pipeline.config.quantity import (
    Coordinate,
    Diffusivity,
    Distance,
    Microns,
    Milliseconds,
    Name,
    Nanoamps,
    Probability,
    RelativeFile,
    Strict,
    TimeStep,
)


class Rod(Strict):
    """The planar rod body of Boyle, Berri & Cohen 2012."""

    kind: Literal["rod"] = "rod"
    segments: int = Field(48, ge=2, le=1000, description="Segments; 48 published.")
    length: Microns = Field(1000.0, description="Of the body; 1 mm published.")
    radius: Microns = Field(40.0, description="Largest radius; 40 um published.")
    muscle_time: Milliseconds = Field(100.0, description="Low-pass of muscles; 100 ms published.")
    drag_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Part of the medium's drag that the body feels: 0.5 as the published equations "
        "of motion have it, 1 as the published drag coefficients say.",
    )
    step: TimeStep = Field(10.0, description="Longest step of the body.")


class Soft(Strict):
    """The tetrahedral body of Zhao et al. 2024 in its inertial fluid; the medium must be 0."""

    kind: Literal["soft"]
    segments: Literal[48] = Field(48, description="Of the midline that is told.")
    length: Microns = Field(1000.0, description="What the body's 0.628 units are taken for.")
    radius: Microns = Field(31.0, description="Drawn in the player; 0.0194 units published.")
    mesh: RelativeFile | None = Field(None, description="Medit file; default: a generated tube.")


def _kind_or(default: str) -> Discriminator:
    """Tells the kind of a body or drive; files may leave out the default's."""

    def kind(value: object) -> str:
        known = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
        return known or default

    return Discriminator(kind)


Body = Annotated[Annotated[Rod, Tag("rod")] | Annotated[Soft, Tag("soft")], _kind_or("rod")]


class StretchDrive(Strict):
    """The body's own circuit: twelve units of bistable neurons that feel stretch (Boyle 2012)."""

    kind: Literal["stretch"] = "stretch"
    drive: float = Field(0.675, description="Constant input of AVB; 0.675 published.")


class _Source(Strict):
    place: list[Coordinate] = Field(
        default=[0.0, 0.0], min_length=2, max_length=2, description="x and y of the source."
    )


class LinearCone(_Source):
    """Falls by the same amount per length: peak - slope x distance (Zhao et al. 2024: 0, 1)."""

    kind: Literal["linear_cone"]
    peak: float = 0.0
    slope: float = Field(1.0, gt=0, description="Per um.")


class Gaussian(_Source):
    """peak x exp(-distance^2 / (2 width^2))."""

    kind: Literal["gaussian"]
    peak: float = Field(1.0, gt=0)
    width: Microns


class Diffusing(_Source):
    """A drop that diffuses in a thin layer: the plane's Green function, peak at time 0 given."""

    kind: Literal["diffusing"]
    peak: float = Field(1.0, gt=0, description="Concentration at the source at time 0.")
    diffusivity: Diffusivity
    age: TimeStep = Field(description="Time since the drop was set, at time 0.")


Drive = Annotated[
    Annotated[StretchDrive, Tag("stretch")] | Annotated[CircuitDrive, Tag("circuit")],
    _kind_or("stretch"),
]
Source = Annotated[LinearCone | Gaussian | Diffusing, Field(discriminator="kind")]


class Touch(Strict):
    """A touch of a part of the body: a current into the neurons that feel it."""

    start: Milliseconds
    duration: TimeStep
    place: Probability = Field(description="Where on the body: 0 head, 1 tail.")
    neurons: list[Name] = Field(
        default_factory=list,
        description="Neurons that feel it; default by place: ALML, ALMR, AVM in front of the "
        "middle, PLML, PLMR behind (Chalfie et al. 1985, J Neurosci 5:956).",
    )
    current: Nanoamps = Field(description="Into each of them while it lasts.")

    @property
    def felt_by(self) -> list[str]:
        """The neurons named, or the touch receptors of that half of the body."""
        receptors = ["ALML", "ALMR", "AVM"] if self.place < 0.5 else ["PLML", "PLMR"]
        return self.neurons or receptors


class Sensing(Strict):
    """How a change of concentration becomes current, after Zhao et al. 2024 (published code).

    Each change is placed between the smallest and largest of the last ones and mapped on low..high.
    """

    sources: list[Name] = Field(default_factory=list, description="Sources felt; default: all.")
    set: Name = Field("sensory_input", description="Node set of the neurons that feel it.")
    low: Nanoamps = Field(-0.08, description="Current for the smallest change; as published.")
    high: Nanoamps = Field(0.02, description="Current for the largest change; as published.")
    history: int = Field(11, ge=2, le=10_000, description="Changes remembered; 11 published.")

    @model_validator(mode="after")
    def _ordered(self) -> Sensing:
        if self.low > self.high:
            raise ValueError(f"low ({self.low:g} nA) is above high ({self.high:g} nA)")
        return self


class Environment(Strict):
    """The medium, what can be smelled, and what touches."""

    medium: Probability = Field(
        1.0, description="0 water, 1 agar; drag lies on the line between (Boyle et al. 2012)."
    )
    sources: dict[Name, Source] = Field(default_factory=dict)
    touches: dict[Name, Touch] = Field(default_factory=dict)
    sensing: dict[Name, Sensing] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Environment:
        for name, sensing in self.sensing.items():
            unknown = sorted(set(sensing.sources) - set(self.sources))
            if unknown:
                raise ValueError(f"sensing.{name}: no source {unknown[0]!r}")
        return self


class Starts(Strict):
    """The same behaviour from several headings, so that figures have a spread."""

    count: int = Field(20, ge=2, le=1000, description="Headings, evenly over the circle.")
    control: bool = Field(False, description="Every heading once more without any sensing.")


class Behaviour(Strict):
    """One run of a body in an environment."""

    body: Body = Rod()
    drive: Drive = StretchDrive()
    environment: Environment = Environment()
    duration: TimeStep = Field(description="Simulated time.")
    interval: TimeStep = Field(20.0, description="Time between recorded frames.")
    settle: Milliseconds = Field(0.0, description="Left out at the start when gaits are measured.")
    head: list[Coordinate] = Field(
        default=[0.0, 0.0], min_length=2, max_length=2, description="x and y of the head at start."
    )
    heading: float = Field(180.0, ge=-360, le=360, description="Where the head points, degrees.")
    arrived: Distance = Field(200.0, description="Head nearer than this has reached a source.")
    starts: Starts | None = Field(
        None, description="Repeats from other headings; needs a drive of kind circuit."
    )

    @model_validator(mode="after")
    def _times(self) -> Behaviour:
        if self.duration < self.settle + 8 * self.interval:
            raise ValueError("duration leaves fewer than eight frames after settle")
        if self.body.segments % 12:
            raise ValueError(f"segments ({self.body.segments}) must be a multiple of 12")
        return self

    @model_validator(mode="after")
    def _fits(self) -> Behaviour:
        if self.body.kind == "soft" and self.environment.medium:
            raise ValueError("a soft body knows water only; write medium: 0")
        if self.drive.kind == "stretch":
            if self.starts:
                raise ValueError("starts need a circuit that drives the body")
            if self.body.kind == "soft":
                raise ValueError("the stretch circuit drives a rod only")
            return self
        for name, whole in (("interval", self.interval), ("duration", self.duration)):
            if abs(whole / self.drive.window - round(whole / self.drive.window)) > 1e-9:
                window = self.drive.window
                raise ValueError(f"{name} ({whole:g} ms) is no multiple of window ({window:g} ms)")
        steps = self.drive.window / self.drive.dt
        if abs(steps - round(steps)) > 1e-9:
            raise ValueError(f"window is no multiple of dt ({self.drive.dt:g} ms)")
        return self
