"""From touches to synapses in three steps, connection by connection (Reimann et al. 2015).

1. Each touch stays with probability f1.
2. A connection with k touches left stays with probability 1 / (1 + exp(-(16/mu)(k - mu))).
3. A connection that is left stays with probability A (the others are the plasticity reserve).

All touches of a connection must be present; then nothing depends on blocks or threads, as each draw
is keyed by (seed, source, target, purpose, order of the touch).
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.edges.rules.random import uniforms
from pipeline.edges.touch.arrays import Cells
from pipeline.kernels import kernel

KEPT, GENERAL, FEW, RESERVE = 0, 1, 2, 3
"""What became of a touch: kept, dropped by step 1, 2, or 3."""

REASONS = (
    "kept",
    "dropped by general pruning (step 1)",
    "dropped because the connection has too few touches (step 2)",
    "dropped with the connection as plasticity reserve (step 3)",
)

KEEP_TOUCH, KEEP_CONNECTION = 21, 22
"""Purposes of the draws."""


@kernel(inline="always")
def survival(k, mu):
    """Probability that a connection with ``k`` touches survives step 2; 1 where mu is 0."""
    if mu <= 0.0:
        return 1.0
    return 1.0 / (1.0 + math.exp(min(-16.0 / mu * (k - mu), 700.0)))


def touch_draw(key: np.ndarray, pre: int, post: int, order: int) -> float:
    """The number that step 1 compares with f1: touches 2 i and 2 i + 1 share one evaluation."""
    return uniforms(key, pre, post, KEEP_TOUCH, order // 2)[order % 2]


def connection_starts(pre: np.ndarray, post: np.ndarray) -> np.ndarray:
    """Where the connections of touches sorted by (pre, post) begin, and the end: int64 [c + 1]."""
    if not len(pre):
        return np.zeros(1, np.int64)
    new = np.flatnonzero((pre[1:] != pre[:-1]) | (post[1:] != post[:-1])) + 1
    return np.concatenate(([0], new, [len(pre)])).astype(np.int64)


@kernel()
def _reasons(pre, post, order, starts, mtype, f1, mu, active, key):
    reasons = np.empty(len(pre), np.uint8)
    for c in range(len(starts) - 1):
        low, high = starts[c], starts[c + 1]
        i, j = pre[low], post[low]
        a, b = mtype[i], mtype[j]
        left = 0
        u, v, drawn = 0.0, 0.0, -1
        for t in range(low, high):
            # One evaluation serves two touches.
            if drawn != order[t] // 2:
                drawn = order[t] // 2
                u, v = uniforms(key, i, j, KEEP_TOUCH, drawn)
            stays = (v if order[t] % 2 else u) < f1[a, b]
            reasons[t] = KEPT if stays else GENERAL
            left += stays
        second, third = uniforms(key, i, j, KEEP_CONNECTION, 0)
        fate = KEPT
        if not second < survival(left, mu[a, b]):
            fate = FEW
        elif not third < active[a, b]:
            fate = RESERVE
        if fate != KEPT:
            for t in range(low, high):
                if reasons[t] == KEPT:
                    reasons[t] = fate
    return reasons


def prune(touches: np.ndarray, cells: Cells, pathways, key: np.ndarray) -> np.ndarray:
    """Says what becomes of each touch.

    Args:
        touches: TOUCH [n], sorted by (pre, post, order); connections are whole.
        cells: The cells.
        pathways: Anything with float64 [m-types, m-types] ``f1``, ``mu`` and ``A``.
        key: uint64 [2], from ``rule_key``.

    Returns:
        uint8 [n], KEPT or the step that dropped it.
    """
    pre, post = (np.ascontiguousarray(touches[side]) for side in ("pre", "post"))
    return _reasons(
        pre, post, np.ascontiguousarray(touches["order"]), connection_starts(pre, post),
        cells.mtype, pathways.f1, pathways.mu, pathways.A, key,
    )  # fmt: skip


@kernel()
def expected_left(counts, f1, mu):
    """What steps 1 and 2 leave of pairs with given numbers of touches, in expectation.

    Args:
        counts: int64 [k]. Number of pairs with 0, 1, 2, ... touches.
        f1: Probability of step 1.
        mu: Threshold of step 2.

    Returns:
        Connections left, touches left, and the sum of squared touches per connection left.
    """
    size = len(counts)
    logs = np.zeros(size + 1)
    for k in range(2, size + 1):
        logs[k] = logs[k - 1] + math.log(k)
    pairs = first = second = 0.0
    for k in range(1, size):
        if counts[k] == 0:
            continue
        for j in range(1, k + 1):
            if f1 >= 1.0:
                p = 1.0 if j == k else 0.0
            elif f1 <= 0.0:
                p = 0.0
            else:
                log = logs[k] - logs[j] - logs[k - j]
                p = math.exp(log + j * math.log(f1) + (k - j) * math.log1p(-f1))
            w = counts[k] * p * survival(j, mu)
            pairs += w
            first += w * j
            second += w * j * j
    return pairs, first, second
