"""Like to like along a bell."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from pipeline.config.law import OFF, Factor, Keys, fold
from pipeline.config.pair_values import PairNumber


class TuningBellFactor(Factor):
    """floor + (1 - floor) exp(-(d/width)^2) of the tuning difference d in degrees."""

    law: Literal["tuning_bell"]
    width: PairNumber
    floor: PairNumber = 0.0
    fold: Literal[90, 180] = Field(90, description="90: orientation; 180: direction.")

    EXAMPLES = ({"width": 30, "floor": 0.2}, {"width": 50, "fold": 180})

    def parameters(self, keys: Keys) -> list:
        width = keys.numbers("width", 0.0, above=True, missing=OFF)
        return [width, keys.numbers("floor", 0.0, 1.0, missing=0.0), self.fold]


def value(angle, width, floor, limit):
    r = fold(angle, limit) / width
    return floor + (1.0 - floor) * math.exp(-r * r)
