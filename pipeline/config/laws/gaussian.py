"""Falls like a bell, also with the probability given as a mean within a radius."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pipeline.config.law import Factor, Keys, Metric
from pipeline.config.pair_values import PairMicrons
from pipeline.config.quantity import Microns

if TYPE_CHECKING:
    import numpy as np


class GaussianFactor(Factor):
    """exp(-(d/s)^2) or exp(-d^2/(2 s^2)).

    With ``mean_within`` the probability factors of the rule are means over targets that near; they
    become peak values by A / [(s/R)^2 (1 - exp(-(R/s)^2))], clipped to 1 (Billeh et al. 2020; s in
    the ``sigma2`` convention).
    """

    law: Literal["gaussian"]
    sigma: PairMicrons
    convention: Literal["sigma2", "2sigma2"] = Field(description="What the exponent divides by.")
    metric: Metric = "lateral"
    mean_within: Microns | None = None

    EXAMPLES = (
        {"sigma": 60, "convention": "sigma2"},
        {"sigma": 40, "convention": "2sigma2", "metric": "3d"},
    )
    SHOWN = 1

    def parameters(self, keys: Keys) -> list:
        scale = self._scale(keys)
        return [scale, scale**-2.0]

    def peaks(self, keys: Keys) -> np.ndarray:
        """Peak probabilities from means within the radius, not yet clipped."""
        return corrected_amplitude(keys.amplitude, self._scale(keys), self.mean_within)

    def _scale(self, keys: Keys) -> np.ndarray:
        sigma = keys.numbers("sigma", 0.0, above=True)
        return sigma * (1.0 if self.convention == "sigma2" else math.sqrt(2.0))


def corrected_amplitude(mean, sigma, radius: float) -> np.ndarray:
    """Peak probability from the mean within a radius, for exp(-(r/sigma)^2), not yet clipped.

    A = mean / [(sigma/R)^2 (1 - exp(-(R/sigma)^2))] (build files of Billeh et al. 2020).
    """
    import numpy as np

    ratio = (np.asarray(sigma) / radius) ** 2
    return np.asarray(mean) / (ratio * -np.expm1(-1.0 / ratio))


def value(square, scale, inverse):
    return math.exp(-square * inverse)
