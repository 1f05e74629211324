"""A curve from a file."""

from __future__ import annotations

from typing import Literal

from pipeline.config.law import Factor, Keys, Metric
from pipeline.config.quantity import RelativeFile


class ProfileFactor(Factor):
    """A curve over distance: straight lines between the rows of a CSV (``distance``, ``factor``).

    Before the first row and beyond the last their values hold, so a curve that ends has a last
    ``factor`` of 0.
    """

    law: Literal["profile"]
    file: RelativeFile
    metric: Metric = "lateral"

    EXAMPLES = ({"file": "curve.csv"}, {"file": "curve.csv", "metric": "3d"})
    SHOWN = 0

    def parameters(self, keys: Keys) -> list:
        return [*keys.curve("file")]


def value(distance, knots, first, end):
    low, high = int(first), int(end) - 1
    if distance <= knots[low, 0]:
        return knots[low, 1]
    if distance >= knots[high, 0]:
        return knots[high, 1]
    while high - low > 1:
        middle = (low + high) // 2
        if knots[middle, 0] <= distance:
            low = middle
        else:
            high = middle
    part = (distance - knots[low, 0]) / (knots[high, 0] - knots[low, 0])
    return knots[low, 1] + part * (knots[high, 1] - knots[low, 1])


def bound(near, far, upper, knots, first, end):
    a, b = value(near, knots, first, end), value(far, knots, first, end)
    best = max(a, b) if upper else min(a, b)
    for row in range(int(first), int(end)):
        if near < knots[row, 0] < far:
            best = max(best, knots[row, 1]) if upper else min(best, knots[row, 1])
    return best
