"""Schema of ``stimuli``: movies, and the thalamic units that watch them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.quantity import (
    Hertz,
    Milliseconds,
    Name,
    Probability,
    RelativeFile,
    Strict,
    TimeStep,
)

BIN = 1.0
"""ms. Rates are held over bins of this length; FilterNet's kernels have taps of 1 ms."""

Degrees = Annotated[float, Field(allow_inf_nan=False)]


def in_bins(value: float) -> bool:
    """Says whether a time (ms) is a whole number of bins."""
    return abs(value / BIN - round(value / BIN)) < 1e-9


class _Movie(Strict):
    """What all movies have: a grey screen first, and a length in whole bins."""

    grey: Milliseconds = Field(0.0, description="Grey screen before the picture.")
    duration: TimeStep = Field(description="Length with the grey screen.")

    @model_validator(mode="after")
    def _whole_bins(self) -> _Movie:
        for key in ("grey", "duration"):
            value = getattr(self, key)
            if not in_bins(value):
                raise ValueError(f"{key} ({value:g} ms) is no multiple of {BIN:g} ms")
        if self.grey > self.duration:
            raise ValueError(f"grey ({self.grey:g} ms) is longer than duration")
        return self


class Grating(_Movie):
    """Drifting sinusoidal gratings, one condition per direction (BMTK's GratingMovie)."""

    kind: Literal["grating"]
    directions: list[Degrees] = Field(
        min_length=1, description="Directions of drift in degrees: 0 to the right, 90 up."
    )
    spatial_frequency: float = Field(0.04, gt=0, le=0.5, description="Cycles per degree.")
    temporal_frequency: Hertz = 2.0
    contrast: Probability = 0.8
    phase: Degrees = Field(0.0, description="Phase at the start of the drift, degrees.")

    @model_validator(mode="after")
    def _distinct(self) -> Grating:
        if len({f"{d:g}" for d in self.directions}) < len(self.directions):
            raise ValueError("a direction stands twice")
        return self


class MovieFile(_Movie):
    """A movie in a NumPy file: [frames, rows, columns], contrast -1 to 1, or uint8 0 to 255."""

    kind: Literal["file"]
    file: RelativeFile = Field(description="The .npy file; its picture fills the field.")
    frame_rate: Hertz = Field(description="Frames per second; each is held until the next.")
    first_row: Literal["top", "bottom"] = Field("top", description="Where the first row is shown.")


class Looming(_Movie):
    """A dark disk that grows to a radius of 25 pixels, again and again (BMTK's LoomingMovie)."""

    kind: Literal["looming"]


class Flash(_Movie):
    """The whole field at one contrast for a while (BMTK's FullFieldFlashMovie)."""

    kind: Literal["flash"]
    intensity: float = Field(1.0, ge=-1, le=1, description="Contrast while the flash lasts.")
    lasts: TimeStep = Field(description="Length of the flash, which follows the grey screen.")

    @model_validator(mode="after")
    def _fits(self) -> Flash:
        if not in_bins(self.lasts):
            raise ValueError(f"lasts ({self.lasts:g} ms) is no multiple of {BIN:g} ms")
        if self.grey + self.lasts > self.duration:
            raise ValueError("grey and flash together are longer than duration")
        return self


class Grey(_Movie):
    """A grey screen: spontaneous activity."""

    kind: Literal["grey"]


Movie = Annotated[Grating | MovieFile | Looming | Flash | Grey, Field(discriminator="kind")]


class Field2D(Strict):
    """The visual field in linear degrees, origin bottom left, as positions of the units."""

    width: float = Field(240.0, gt=1, le=1000)
    height: float = Field(120.0, gt=1, le=1000)
    degrees_per_pixel: float = Field(1.0, gt=0, le=10, description="Of movies made here.")


class FilterNetStimulus(Strict):
    """Spikes of thalamic units that watch a movie, by BMTK's FilterNet."""

    kind: Literal["filternet"]
    nodes: Name = Field(description="Virtual population: x, y, spatial_size, tuning_angle.")
    filters: RelativeFile = Field(description="CSV: one row of filter numbers per unit type.")
    units: Literal["connected", "all"] = Field(
        "connected", description="connected: only units that feed a cell of this circuit."
    )
    jitter: Probability = Field(0.025, description="Largest relative change of a unit's numbers.")
    field: Field2D = Field2D()
    movie: Movie
    trials: int = Field(1, ge=1, le=100_000, description="Repetitions of every condition.")
    rates: Literal["mean", "full"] = Field(
        "mean", description="full: rates.h5 holds the rates of every bin too."
    )


Stimulus = FilterNetStimulus
