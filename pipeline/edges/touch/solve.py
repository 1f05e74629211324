"""Pruning parameters of one pathway from its targets (Reimann et al. 2015, re-derived).

Touch counts per touching pair are taken as geometric with mean N, p = 1/N. B is the fraction of all
touches that stays, c the coefficient of variation of synapses per connection, n their mean, sd their
standard deviation, a the active fraction (part of the candidate connections that is used).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.optimize import brentq

LEAST_TOUCHES = 1.001
"""N at or below 1 has no geometric distribution with a spread."""

LAWS = ("proportional", "root")
"""Names for ``predicted_mean``."""


class Steps(NamedTuple):
    """Probability of step 1 and threshold of step 2."""

    f1: float
    mu: float


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
