"""Falls along a straight line."""

from __future__ import annotations

from typing import Literal

from pipeline.config.law import Factor, Keys, Metric
from pipeline.config.pair_values import PairMicrons


class LinearFactor(Factor):
    """1 - d / reach, 0 beyond."""

    law: Literal["linear"]
    reach: PairMicrons
    metric: Metric = "lateral"

    EXAMPLES = ({"reach": 120}, {"reach": 150, "metric": "3d"})

    def parameters(self, keys: Keys) -> list:
        return [keys.numbers("reach", 0.0, above=True)]


def value(distance, reach):
    return max(0.0, 1.0 - distance / reach)
