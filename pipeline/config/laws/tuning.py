"""Like to like along a straight line, as published for mouse V1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pipeline.config.law import OFF, Factor, Keys, fold
from pipeline.config.pair_values import PairNumber

if TYPE_CHECKING:
    import numpy as np


class TuningFactor(Factor):
    """The published like-to-like rule B1 + G d of the orientation difference d in 0..90 degrees.

    B1 = 2/(1 + B), G = (B B1 - B1)/90, so that the mean over d is 1. Where the amplitude times the
    larger end exceeds 1, that end is lowered to 1/amplitude and the other raised by as much. Pairs
    without a ratio have no tuning (Billeh et al. 2020).
    """

    law: Literal["tuning"]
    ratio: PairNumber = Field(description="B: probability at 90 over that at 0 degrees.")

    EXAMPLES = ({"ratio": 0.5}, {"ratio": 2.5})

    def parameters(self, keys: Keys) -> list:
        ratio = keys.numbers("ratio", 0.0, missing=OFF)
        intercept, slope = lowered_tuning(ratio, keys.amplitude)
        intercept[ratio != ratio] = OFF  # NaN alone differs from itself
        return [intercept, slope]


def lowered_tuning(ratio: np.ndarray, amplitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Intercept B1 and slope G (per degree) of the tuning rule of Billeh et al. 2020.

    Args:
        ratio: float64. B; NaN for pairs without tuning, which get B1 = 1, G = 0.
        amplitude: float64. A; where A max(B1, B2) > 1 the larger end is lowered to 1/A and the
            smaller raised by the same amount (but to 1/A at most).
    """
    import numpy as np

    low = 2.0 / (1.0 + ratio)
    high = ratio * low
    with np.errstate(divide="ignore"):
        ceiling = np.where(amplitude > 0, 1.0 / amplitude, np.inf)
    excess = np.maximum(np.maximum(low, high) - ceiling, 0.0)
    low_first = low >= high
    low = np.where(low_first, low - excess, np.minimum(low + excess, ceiling))
    high = np.where(low_first, np.minimum(high + excess, ceiling), high - excess)
    missing = np.isnan(ratio)
    slope = np.where(missing, 0.0, (high - low) / 90.0)
    return np.where(missing, 1.0, low), slope


def value(angle, intercept, slope):
    return intercept + slope * fold(angle, 90.0)


def bound(intercept, slope):
    return value(90.0 if slope > 0.0 else 0.0, intercept, slope)
