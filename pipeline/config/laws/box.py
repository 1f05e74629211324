"""All or nothing."""

from __future__ import annotations

from typing import Literal

from pipeline.config.law import Factor, Keys, Metric
from pipeline.config.pair_values import PairDistance, PairMicrons


class BoxFactor(Factor):
    """1 from ``low`` to ``high``, both included, 0 elsewhere."""

    law: Literal["box"]
    low: PairDistance = 0.0
    high: PairMicrons
    metric: Metric = "lateral"

    EXAMPLES = ({"low": 20, "high": 90}, {"high": 60, "metric": "3d"})

    def parameters(self, keys: Keys) -> list:
        low, high = keys.numbers("low", 0.0), keys.numbers("high", 0.0)
        if ((low > high) & (keys.amplitude > 0)).any():
            keys.complain("", "low is above high", "no distance is in between")
        return [low, high]


def value(distance, low, high):
    return 1.0 if low <= distance <= high else 0.0


def bound(near, far, upper, low, high):
    reaches = near <= high and far >= low if upper else low <= near and far <= high
    return 1.0 if reaches else 0.0
