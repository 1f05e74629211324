"""Laws of distance for channel densities: a fixed family of named functions, no formulas in config."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from pipeline.config.quantity import Coordinate, Distance, Name, Strict, Text

PerMicron = Annotated[float, Field(description="1/um", allow_inf_nan=False)]
Factor = Annotated[float, Field(allow_inf_nan=False)]


class _Law(Strict):
    """What all laws have; ``d`` is the path distance from the soma's 0 end, um."""

    source: Text = Field(description="Where the law and its numbers come from.")
    minimum: Factor | None = Field(
        None, description="The factor is not below this; default: as the law gives it."
    )

    def factor(self, distance: np.ndarray) -> np.ndarray:
        """Returns the factor on a density at path distances ``distance`` [n] (um): float64 [n]."""
        found = self._raw(np.asarray(distance, np.float64))
        return found if self.minimum is None else np.maximum(found, self.minimum)

    def _raw(self, d: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class Uniform(_Law):
    """1 everywhere."""

    law: Literal["uniform"]

    def _raw(self, d: np.ndarray) -> np.ndarray:
        return np.ones_like(d)


class Exponential(_Law):
    """offset + scale exp(rate (d - origin)); Ih of Kole et al. 2006 is -0.8696, 2.087, 0.0031."""

    law: Literal["exponential"]
    offset: Factor = 0.0
    scale: Factor = 1.0
    rate: PerMicron
    origin: Coordinate = 0.0

    def _raw(self, d: np.ndarray) -> np.ndarray:
        return self.offset + self.scale * np.exp(self.rate * (d - self.origin))


class Decay(_Law):
    """exp(-rate d)."""

    law: Literal["decay"]
    rate: PerMicron = Field(ge=0)

    def _raw(self, d: np.ndarray) -> np.ndarray:
        return np.exp(-self.rate * d)


class Linear(_Law):
    """offset + slope d."""

    law: Literal["linear"]
    offset: Factor = 1.0
    slope: PerMicron

    def _raw(self, d: np.ndarray) -> np.ndarray:
        return self.offset + self.slope * d


class Step(_Law):
    """``inside`` where start <= d < stop, else ``outside``; such as a zone of calcium channels."""

    law: Literal["step"]
    start: Distance = 0.0
    stop: Distance
    inside: Factor = 1.0
    outside: Factor = 0.0

    @model_validator(mode="after")
    def _ordered(self) -> Step:
        if self.stop <= self.start:
            raise ValueError(f"stop ({self.stop:g} um) must be above start ({self.start:g} um)")
        return self

    def _raw(self, d: np.ndarray) -> np.ndarray:
        return np.where((d >= self.start) & (d < self.stop), self.inside, self.outside)


class Sigmoid(_Law):
    """low + (high - low) / (1 + exp(-(d - half) / width))."""

    law: Literal["sigmoid"]
    low: Factor = 0.0
    high: Factor = 1.0
    half: Distance
    width: Annotated[float, Field(gt=0, allow_inf_nan=False, description="um")]

    def _raw(self, d: np.ndarray) -> np.ndarray:
        share = 0.5 * (1 + np.tanh((d - self.half) / (2 * self.width)))
        return self.low + (self.high - self.low) * share


Distribution = Annotated[
    Uniform | Exponential | Decay | Linear | Step | Sigmoid, Field(discriminator="law")
]


class Distributed(Strict):
    """A parameter that changes along the cell: ``value`` times the factor of a named law."""

    value: float
    distribution: Name = Field(description="A key of ``distributions``.")


def _kind(value: Any) -> str:
    return "<distributed>" if isinstance(value, (dict, Distributed)) else "<number>"


Parameter = Annotated[
    Annotated[float, Tag("<number>")] | Annotated[Distributed, Tag("<distributed>")],
    Discriminator(_kind),
]
"""A number, or a number with a law; the tags are dropped from the places of errors."""
