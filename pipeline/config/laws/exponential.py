"""Falls by the same part over equal distances."""

from __future__ import annotations

import math
from typing import Literal

from pipeline.config.law import Factor, Keys, Metric
from pipeline.config.pair_values import PairMicrons


class ExponentialFactor(Factor):
    """exp(-d / length)."""

    law: Literal["exponential"]
    length: PairMicrons
    metric: Metric = "lateral"

    EXAMPLES = ({"length": 60}, {"length": 25, "metric": "3d"})

    def parameters(self, keys: Keys) -> list:
        return [keys.numbers("length", 0.0, above=True)]


def value(distance, length):
    return math.exp(-distance / length)
