"""Probability of a pair, and its bounds over a box of sources: factors that multiply, compiled.

A rule is an amplitude per class pair times factors; what a factor is stands in ``pipeline/config/laws``. Their
plain functions are compiled here into two chains that look for the code of a factor: of values and of bounds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pipeline.config.law import MOST
from pipeline.config.laws import LAWS
from pipeline.edges.rules.chain import CURVES, bound_of, curve_bound_of, curve_of, value_of
from pipeline.kernels import kernel

LATERAL, VERTICAL, FULL = range(3)
METRICS = {"lateral": LATERAL, "vertical": VERTICAL, "3d": FULL}
AXES = {LATERAL: (0, 2), VERTICAL: (1,), FULL: (0, 1, 2)}
WIDTH = MOST + 1
"""Numbers per factor: its parameters, and last a 1 where it is switched off."""
_SLACK = 1e-8
"""Widening of bounds, so that rounding never puts a probability above its bound."""


class Law(NamedTuple):
    """Connection probability of one rule.

    Attributes:
        codes: int64 [factors]. Place of each factor's law in ``LAWS``.
        metrics: int64 [factors]. Distance each factor looks at.
        params: float64 [source classes, target classes, factors, WIDTH].
        amplitude: float64 [source classes, target classes]. 0: the pair is never connected.
        knots: float64 [knots of all curves, 2]. Distance, um, ascending within a curve, and factor.
    """

    codes: np.ndarray
    metrics: np.ndarray
    params: np.ndarray
    amplitude: np.ndarray
    knots: np.ndarray

    def swapped(self) -> Law:
        """The same law seen from the target: classes change places."""
        params = np.ascontiguousarray(self.params.transpose(1, 0, 2, 3))
        return self._replace(params=params, amplitude=np.ascontiguousarray(self.amplitude.T))

    def axes(self) -> tuple[int, ...]:
        """Coordinates that matter for any factor."""
        codes = zip(self.codes, self.metrics, strict=True)
        metrics = {int(m) for c, m in codes if LAWS[c].spatial}
        return tuple(sorted({axis for metric in metrics for axis in AXES[metric]}))


@kernel(inline="always")
def angle_between(a, b):
    """Difference of two angles folded to 0..180 degrees."""
    d = abs(a - b) % 360.0
    return 360.0 - d if d > 180.0 else d


@kernel(inline="always")
def square_distance(metric, dx, dy, dz):
    """Square of the lateral, vertical or full distance, um2."""
    if metric == LATERAL:
        return dx * dx + dz * dz
    if metric == VERTICAL:
        return dy * dy
    return dx * dx + dy * dy + dz * dz


@kernel(inline="always")
def distance(metric, dx, dy, dz):
    """Lateral, vertical or full distance, um."""
    return math.sqrt(square_distance(metric, dx, dy, dz))


@kernel(inline="always")
def _parameters(params, cs, ct, f):
    # Read one by one: a slice would count references, which costs more than the law.
    return (
        params[cs, ct, f, 0], params[cs, ct, f, 1], params[cs, ct, f, 2], params[cs, ct, f, 3],
        params[cs, ct, f, 4], params[cs, ct, f, 5], params[cs, ct, f, 6],
    )  # fmt: skip


@kernel()
def pair_probability(law, cs, ct, dx, dy, dz, angle):
    """Probability that a pair is connected, clipped to 1.

    Args:
        law: The rule's law.
        cs: Class of the source.
        ct: Class of the target.
        dx: Lateral offset, um; ``dz`` likewise.
        dy: Vertical offset, um.
        dz: See ``dx``.
        angle: Difference of tuning angles, 0..180 degrees.
    """
    codes, metrics, params = law.codes, law.metrics, law.params
    p = law.amplitude[cs, ct]
    for f in range(len(codes)):
        if p == 0.0:
            break
        if params[cs, ct, f, MOST] != 1.0:
            square = square_distance(metrics[f], dx, dy, dz)
            q = _parameters(params, cs, ct, f)
            if codes[f] < CURVES:
                p *= value_of(codes[f], square, angle, q)
            else:
                p *= curve_of(codes[f], square, law.knots, q)
    return min(p, 1.0)


@kernel()
def box_bound(law, boxes, box, cs, ct, x, y, z, upper):
    """Largest or smallest probability over a box, both at the most favourable angle.

    The smallest one tells the sampler how much a split of the box would gain; a split does not
    narrow angles, hence the favourable angle in both.

    Args:
        law: The rule's law.
        boxes: float64 [boxes, 6]. Lower and upper corners, um.
        box: Which box.
        cs: Class of the sources in the box.
        ct: Class of the target.
        x: Coordinates of the target, um; ``y`` and ``z`` likewise.
        y: See ``x``.
        z: See ``x``.
        upper: The largest (True) or the smallest.
    """
    codes, metrics, params = law.codes, law.metrics, law.params
    bound = law.amplitude[cs, ct]
    if bound == 0.0:
        return 0.0
    nx, fx = _interval(x, boxes[box, 0], boxes[box, 3])
    ny, fy = _interval(y, boxes[box, 1], boxes[box, 4])
    nz, fz = _interval(z, boxes[box, 2], boxes[box, 5])
    for f in range(len(codes)):
        if params[cs, ct, f, MOST] != 1.0:
            low = square_distance(metrics[f], nx, ny, nz) * (1.0 - _SLACK)
            high = square_distance(metrics[f], fx, fy, fz) * (1.0 + _SLACK)
            q = _parameters(params, cs, ct, f)
            if codes[f] < CURVES:
                bound *= bound_of(codes[f], low, high, upper, q)
            else:
                bound *= curve_bound_of(codes[f], low, high, upper, law.knots, q)
    return min(bound * (1.0 + _SLACK), 1.0) if upper else min(bound, 1.0)


@kernel(inline="always")
def _interval(x, low, high):
    near = max(0.0, low - x, x - high)
    return near, max(high - x, x - low)
