"""Rises or falls with distance and tuning: the form fitted to MICrONS."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from pipeline.config.law import Factor, Keys, Metric, fold
from pipeline.config.pair_values import PairNumber


class LogisticFactor(Factor):
    """1 / (1 + exp(-(intercept + a d + b t))), d in um and t in degrees."""

    law: Literal["logistic"]
    intercept: PairNumber
    distance: PairNumber = Field(0.0, description="Coefficient per um.")
    tuning: PairNumber = Field(0.0, description="Coefficient per degree of tuning difference.")
    metric: Metric = "lateral"
    fold: Literal[90, 180] = 90

    EXAMPLES = (
        {"intercept": -1, "distance": -0.02, "tuning": -0.01},
        {"intercept": -1, "distance": 0.01, "tuning": 0.02, "metric": "3d"},
    )
    SHOWN = 3

    def parameters(self, keys: Keys) -> list:
        return [*(keys.numbers(name) for name in ("intercept", "distance", "tuning")), self.fold]

    def idle(self) -> set[str]:
        slopes = {"distance": self.distance, "angle": self.tuning}
        return {name for name, slope in slopes.items() if slope == 0.0}


def value(distance, angle, intercept, slope, tuning, limit):
    x = intercept + slope * distance + tuning * fold(angle, limit)
    return 1.0 / (1.0 + math.exp(-x))


def bound(near, far, upper, intercept, slope, tuning, limit):
    rising = slope > 0.0
    distance = far if rising == upper else near
    return value(distance, limit if tuning > 0.0 else 0.0, intercept, slope, tuning, limit)
