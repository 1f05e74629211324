"""Pruning parameters of one pathway from its targets (Reimann et al. 2015, re-derived).

Touch counts per touching pair are taken as geometric with mean N, p = 1/N. B is the fraction of all
touches that stays, c the coefficient of variation of synapses per connection, n their mean, sd their
standard deviation, a the active fraction (part of the candidate connections that is used).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from pipeline.edges.touch.pruning import expected_left

LEAST_PART = 0.25
"""Part of B that a pathway keeps even if its n must give way (source: assumed, see docs)."""
LEAST_TOUCHES = 1.001
"""N at or below 1 has no geometric distribution with a spread."""

LAWS = ("proportional", "root")
"""Names for ``predicted_mean``."""


class Steps(NamedTuple):
    """Probability of step 1 and threshold of step 2."""

    f1: float
    mu: float


class Left(NamedTuple):
    """What steps 1 and 2 leave: fraction of touches, mean and cv of touches per connection."""

    r: float
    n: float
    cv: float


def _f1(p: float, q: float) -> float:
    """Thinning that makes a geometric count with parameter p one with parameter q."""
    return min(1.0, p / (1.0 - p) * (1.0 - q) / q)


def from_mean_and_cv(touches: float, n: float, c: float) -> Steps:
    """Case (B, c, n).

    Args:
        touches: N.
        n: Mean synapses per connection.
        c: Their coefficient of variation.
    """
    touches = max(touches, LEAST_TOUCHES)
    d = max(min(c * n, touches - 0.5), 0.0)
    q = 1.0 / (0.5 + math.sqrt(d * d + 0.25))
    return Steps(_f1(1.0 / touches, q), max(n - d, 0.0))


def from_mean_and_sd(touches: float, n: float, sd: float) -> Steps:
    """Case (n, sd)."""
    touches = max(touches, LEAST_TOUCHES)
    q = min(1.0, 1.0 / (0.5 + sd))
    return Steps(_f1(1.0 / touches, q), max(n - sd, 0.0))


def touches_left(touches: float, q: float, mu: float) -> float:
    """Fraction r of touches that steps 1 and 2 leave, with a hard threshold at mu + 0.5.

    Args:
        touches: N.
        q: Parameter of the geometric counts after step 1.
        mu: Threshold mu', that is mu + 0.5.
    """
    p = 1.0 / touches
    return p / (1.0 - p) * (mu * (1.0 - q) ** mu + (1.0 - q) ** (mu + 1.0) / q)


def from_active_fraction(touches: float, reduction: float, c: float, a: float) -> Steps:
    """Case (B, c, a): r = B / a is met by p', or at its bound by the threshold.

    Args:
        touches: N.
        reduction: B.
        c: Coefficient of variation.
        a: Active fraction.
    """
    touches = max(touches, LEAST_TOUCHES)
    p, wanted = 1.0 / touches, min(reduction / a, 1.0)

    def threshold(q: float) -> float:
        return max(1.0 - 1.0 / (2.0 * c) + (1.0 / c - 1.0) / q, 0.5)

    def excess(q: float) -> float:
        return touches_left(touches, q, threshold(q)) - wanted

    top = 1.0 - 1e-9
    if excess(p) >= 0.0 >= excess(top):
        q = brentq(excess, p, top, xtol=1e-12)
        return Steps(_f1(p, q), max(threshold(q) - 0.5, 0.0))
    if touches_left(touches, p, 0.5) <= wanted:
        return Steps(1.0, 0.0)
    mu = brentq(lambda m: touches_left(touches, p, m) - wanted, 0.5, 1e4, xtol=1e-9)
    return Steps(1.0, max(mu - 0.5, 0.0))


def predicted_mean(law: str, touches: float) -> float:
    """Mean synapses per connection from N by the laws of the 2018 recipe.

    Args:
        law: ``proportional`` is 1.5 N (excitatory onto excitatory), ``root`` is
            6 sqrt(N - 1) - 1, at least 1 and at most 25 (all others).
        touches: N.
    """
    if law == "proportional":
        return 1.5 * touches
    return min(max(6.0 * math.sqrt(max(touches - 1.0, 0.0)) - 1.0, 1.0), 25.0)


def what_is_left(counts: np.ndarray, steps: Steps) -> Left:
    """Applies steps 1 and 2 to pairs with given numbers of touches, in expectation.

    Args:
        counts: int64 [k]. Pairs with 0, 1, 2, ... touches.
        steps: The steps.
    """
    pairs, first, second = expected_left(counts, *steps)
    whole = float(counts @ np.arange(len(counts)))
    if pairs <= 0.0 or whole <= 0.0:
        return Left(0.0, 0.0, 0.0)
    n = first / pairs
    return Left(first / whole, n, math.sqrt(max(second / pairs - n * n, 0.0)) / n)


def give_way(counts: np.ndarray, steps: Steps, n: float, reduction: float) -> Steps:
    """Weakens steps that leave fewer touches than B asks for.

    A mean that is wanted stays as long as it can: f1 rises and the threshold follows it, which gives
    up c. If all touches pass step 1 and connections of that mean are still too rare, the threshold
    falls until ``LEAST_PART`` of B is left, which gives up n. Without a mean the threshold falls
    until B is left.

    Args:
        counts: As in ``what_is_left``.
        steps: What the formulas gave.
        n: Mean synapses per connection, NaN if none is wanted.
        reduction: B.
    """
    if math.isnan(n):
        return _lower_threshold(counts, steps, reduction)
    most = _most_thinned(counts, n)
    if what_is_left(counts, loose := _with_mean(counts, most, n)).r >= reduction:

        def excess(f1: float) -> float:
            return what_is_left(counts, _with_mean(counts, f1, n)).r - reduction

        low = min(max(steps.f1, 1e-3), most)
        if excess(low) >= 0.0:
            return _with_mean(counts, low, n)
        return _with_mean(counts, brentq(excess, low, most, xtol=1e-6), n)
    return _lower_threshold(counts, loose, LEAST_PART * reduction)


def _most_thinned(counts: np.ndarray, n: float) -> float:
    """The highest f1 with which connections without a threshold have a mean of at most ``n``."""

    def excess(f1: float) -> float:
        return what_is_left(counts, Steps(f1, 0.0)).n - n

    if excess(1.0) <= 0.0:
        return 1.0
    return brentq(excess, 1e-4, 1.0, xtol=1e-6) if excess(1e-4) < 0.0 else 1e-4


def _with_mean(counts: np.ndarray, f1: float, n: float) -> Steps:
    """The threshold that brings the mean of what is left to ``n``, as far as thresholds can."""

    def excess(mu: float) -> float:
        return what_is_left(counts, Steps(f1, mu)).n - n

    top = 2.0 * n
    if excess(1e-3) >= 0.0:
        return Steps(f1, 0.0)
    if excess(top) <= 0.0:
        return Steps(f1, top)
    return Steps(f1, brentq(excess, 1e-3, top, xtol=1e-6))


def _lower_threshold(counts: np.ndarray, steps: Steps, wanted: float) -> Steps:
    """Lowers the threshold until ``wanted`` of the touches is left; then f1 follows."""

    def excess(mu: float) -> float:
        return what_is_left(counts, Steps(steps.f1, mu)).r - wanted

    if excess(steps.mu) >= 0.0:
        return steps
    if excess(1e-3) <= 0.0:
        return Steps(min(max(steps.f1, wanted), 1.0), 0.0)
    return Steps(steps.f1, brentq(excess, 1e-3, steps.mu, xtol=1e-6))
