"""Probability of a pair: factors that multiply, as numba functions and as plain NumPy.

A rule is an amplitude per class pair times factors. Every factor is monotone in the difference of
tuning angles, and in distance or between knots of distance: exact bounds over a box of sources.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pipeline.kernels import kernel

GAUSSIAN, EXPONENTIAL, LINEAR, BOX, TUNING_LINEAR, TUNING_BELL, LOGISTIC, PROFILE = range(8)
LATERAL, VERTICAL, FULL = range(3)
METRICS = {"lateral": LATERAL, "vertical": VERTICAL, "3d": FULL}
AXES = {LATERAL: (0, 2), VERTICAL: (1,), FULL: (0, 1, 2)}
WIDTH = 5
"""Parameters per factor; their meaning stands in ``_factor``."""
_SLACK = 1e-8
"""Widening of bounds, so that rounding never puts a probability above its bound."""


class Law(NamedTuple):
    """Connection probability of one rule.

    Attributes:
        codes: int64 [factors]. Kind of each factor.
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
        metrics = {int(m) for c, m in codes if c not in (TUNING_LINEAR, TUNING_BELL)}
        return tuple(sorted({axis for metric in metrics for axis in AXES[metric]}))


@kernel(inline="always")
def angle_between(a, b):
    """Difference of two angles folded to 0..180 degrees."""
    d = abs(a - b) % 360.0
    return 360.0 - d if d > 180.0 else d


@kernel(inline="always")
def fold(angle, limit):
    """Folds 0..180 degrees to 0..90 when ``limit`` is 90 (orientation instead of direction)."""
    return 180.0 - angle if angle > limit else angle


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


@kernel()
def _curve(knots, first, end, d):
    """Value at distance d of the curve in rows first..end; its ends hold beyond them."""
    if d <= knots[first, 0]:
        return knots[first, 1]
    low, high = first, end - 1
    if d >= knots[high, 0]:
        return knots[high, 1]
    while high - low > 1:
        middle = (low + high) // 2
        if knots[middle, 0] <= d:
            low = middle
        else:
            high = middle
    part = (d - knots[low, 0]) / (knots[high, 0] - knots[low, 0])
    return knots[low, 1] + part * (knots[high, 1] - knots[low, 1])


@kernel()
def _curve_bound(knots, first, end, near, far, upper):
    """Largest or smallest value of a curve from near to far."""
    a, b = _curve(knots, first, end, near), _curve(knots, first, end, far)
    bound = max(a, b) if upper else min(a, b)
    for row in range(first, end):
        if near < knots[row, 0] < far:
            bound = max(bound, knots[row, 1]) if upper else min(bound, knots[row, 1])
    return bound


@kernel(inline="always")
def _factor(code, params, knots, cs, ct, f, square, angle):
    """One factor at squared distance (um2) and angle 0..180 (deg), with p = params[cs, ct, f].

    GAUSSIAN s, 1/s^2: exp(-(d/s)^2). EXPONENTIAL s: exp(-d/s). LINEAR s: 1 - d/s, at least 0.
    BOX low, high: 1 inside. TUNING_LINEAR b1, g: b1 + g * angle90 (Billeh et al. 2020).
    TUNING_BELL width, floor, limit: floor + (1 - floor) exp(-(angle/width)^2).
    LOGISTIC intercept, slope of d, slope of angle, limit: 1 / (1 + exp(-x)).
    PROFILE first, end: the curve of these knots.
    A parameter p[4] of 1 switches the factor off for this pair of classes.
    """
    # Elements are read one by one: a slice would count references, which costs more than the law.
    if params[cs, ct, f, 4] == 1.0:
        return 1.0
    p1 = params[cs, ct, f, 1]
    if code == GAUSSIAN:
        return math.exp(-square * p1)
    p0 = params[cs, ct, f, 0]
    if code == TUNING_LINEAR:
        return p0 + p1 * fold(angle, 90.0)
    d = math.sqrt(square)
    if code == EXPONENTIAL:
        return math.exp(-d / p0)
    if code == LINEAR:
        return max(0.0, 1.0 - d / p0)
    if code == BOX:
        return 1.0 if p0 <= d <= p1 else 0.0
    if code == PROFILE:
        return _curve(knots, np.int64(p0), np.int64(p1), d)
    p2 = params[cs, ct, f, 2]
    if code == TUNING_BELL:
        r = fold(angle, p2) / p0
        return p1 + (1.0 - p1) * math.exp(-r * r)
    x = p0 + p1 * d + p2 * fold(angle, params[cs, ct, f, 3])
    return 1.0 / (1.0 + math.exp(-x))


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
        square = square_distance(metrics[f], dx, dy, dz)
        p *= _factor(codes[f], params, law.knots, cs, ct, f, square, angle)
    return min(p, 1.0)


@kernel(inline="always")
def _best_angle(code, params, cs, ct, f):
    """The angle at which a factor is largest."""
    if code == TUNING_LINEAR and params[cs, ct, f, 1] > 0.0:
        return 90.0
    if code == LOGISTIC and params[cs, ct, f, 2] > 0.0:
        return params[cs, ct, f, 3]
    return 0.0


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
        code = codes[f]
        low = square_distance(metrics[f], nx, ny, nz) * (1.0 - _SLACK)
        high = square_distance(metrics[f], fx, fy, fz) * (1.0 + _SLACK)
        if code == BOX and params[cs, ct, f, 4] != 1.0:
            p0, p1 = params[cs, ct, f, 0] ** 2, params[cs, ct, f, 1] ** 2
            reaches = low <= p1 and high >= p0 if upper else p0 <= low and high <= p1
            bound *= 1.0 if reaches else 0.0
            continue
        if code == PROFILE:
            first, end = np.int64(params[cs, ct, f, 0]), np.int64(params[cs, ct, f, 1])
            bound *= _curve_bound(law.knots, first, end, math.sqrt(low), math.sqrt(high), upper)
            continue
        rising = code == LOGISTIC and params[cs, ct, f, 1] > 0.0
        angle = _best_angle(code, params, cs, ct, f)
        square = high if rising == upper else low
        bound *= _factor(code, params, law.knots, cs, ct, f, square, angle)
    return min(bound * (1.0 + _SLACK), 1.0) if upper else min(bound, 1.0)


@kernel(inline="always")
def _interval(x, low, high):
    near = max(0.0, low - x, x - high)
    return near, max(high - x, x - low)


def pair_probabilities(
    law: Law, cs: np.ndarray, ct: np.ndarray, offset: np.ndarray, angle: np.ndarray
) -> np.ndarray:
    """NumPy twin of ``pair_probability``, written apart from it as the tests' oracle.

    Args:
        law: The rule's law.
        cs: int64 [n]. Source classes; -1 gives probability 0.
        ct: int64 [n]. Target classes.
        offset: float64 [n, 3]. Target minus source, um.
        angle: float64 [n]. Difference of tuning angles, 0..180 degrees.

    Returns:
        float64 [n].
    """
    outside = (cs < 0) | (ct < 0)
    cs, ct = np.maximum(cs, 0), np.maximum(ct, 0)
    p = law.amplitude[cs, ct].copy()
    square = offset**2
    distances = (
        np.sqrt(square[:, 0] + square[:, 2]), np.abs(offset[:, 1]), np.sqrt(square.sum(axis=1)),
    )  # fmt: skip
    for f, code in enumerate(law.codes):
        q = law.params[cs, ct, f].T
        d = distances[law.metrics[f]]
        with np.errstate(divide="ignore", invalid="ignore"):
            if code == GAUSSIAN:
                factor = np.exp(-((d / q[0]) ** 2))
            elif code == EXPONENTIAL:
                factor = np.exp(-d / q[0])
            elif code == LINEAR:
                factor = np.clip(1 - d / q[0], 0, None)
            elif code == BOX:
                factor = (q[0] <= d) & (d <= q[1])
            elif code == TUNING_LINEAR:
                factor = q[0] + q[1] * np.minimum(angle, 180 - angle)
            elif code == TUNING_BELL:
                folded = np.where(angle > q[2], 180 - angle, angle)
                factor = q[1] + (1 - q[1]) * np.exp(-((folded / q[0]) ** 2))
            elif code == PROFILE:
                curve = law.knots[int(law.params[0, 0, f, 0]) : int(law.params[0, 0, f, 1])]
                factor = np.interp(d, *curve.T)
            else:
                folded = np.where(angle > q[3], 180 - angle, angle)
                factor = 1 / (1 + np.exp(-(q[0] + q[1] * d + q[2] * folded)))
        p *= np.where(q[4] == 1, 1, factor)
    return np.where(outside, 0.0, np.minimum(p, 1.0))
