"""Thinned sampling: the edges of one rule onto each target, in work proportional to edges.

Each source is a candidate with the largest probability of its box, and a candidate becomes an edge
with the ratio of its own probability to that bound (thinning; Lewis & Shedler 1979). Candidates are
found by walking over the boxes in units of hazard, -log(1 - bound) per source: one exponential draw
reaches the next candidate, however many boxes lie between. Nothing is cut off.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from pipeline.edges.rules.laws import Law, angle_between, box_bound, pair_probability
from pipeline.edges.rules.random import ACCEPT, STREAM, exponential, uniforms
from pipeline.edges.rules.tree import Forest
from pipeline.kernels import kernel

SPLIT = 6.0
"""Expected wasted candidates above which a box is opened (measured; 4 to 12 are about as good)."""
_STACK = 256
_PHASES = 64


class Targets(NamedTuple):
    """The nodes edges end on.

    Attributes:
        points: float64 [n, 4]. Coordinates as in ``Forest.points``.
        classes: int64 [n]. Class of each node; -1 when not selected.
    """

    points: np.ndarray
    classes: np.ndarray


@kernel()
def probability_at(law, forest, k, cs, ct, x, y, z, angle):
    """Probability of source ``k`` of the forest for a target at (x, y, z) um with its angle."""
    points = forest.points
    between = angle_between(angle, points[k, 3])
    return pair_probability(
        law, cs, ct, x - points[k, 0], y - points[k, 1], z - points[k, 2], between
    )


@kernel()
def sources_of(law, forest, key, target, targets, skip, naive, out, start, stop):
    """Draws the sources of one target.

    Args:
        law: The rule's law.
        forest: The sources.
        key: uint64 [2]. The rule's key.
        target: Id of the target.
        targets: All targets.
        skip: Id of a source that is never taken (no autapses); -1 for none.
        naive: Use the bound 1 everywhere: every pair is looked at.
        out: int64. Receives source ids from ``start`` on.
        start: First place of ``out``.
        stop: End of the room; later edges are counted but not stored.

    Returns:
        Number of edges; may exceed the room.
    """
    ids, boxes, ranges = forest.ids, forest.boxes, forest.ranges
    children, roots, amplitude = forest.children, forest.roots, law.amplitude
    ct, points = targets.classes[target], targets.points
    x, y, z, angle = points[target, 0], points[target, 1], points[target, 2], points[target, 3]
    stack = np.empty(_STACK, np.int64)
    n = draws = 0
    left = exponential(key, target, STREAM, draws)
    for cs in range(len(roots)):
        if roots[cs] < 0 or amplitude[cs, ct] == 0.0:
            continue
        stack[0], top = roots[cs], 1
        while top:
            top -= 1
            box = stack[top]
            low, high = ranges[box, 0], ranges[box, 1]
            bound = 1.0 if naive else box_bound(law, boxes, box, cs, ct, x, y, z, True)
            if bound == 0.0:
                continue
            child, size = children[box], high - low
            if child >= 0 and size * bound > SPLIT and not naive:
                least = box_bound(law, boxes, box, cs, ct, x, y, z, False)
                if size * (bound - least) > SPLIT:
                    stack[top], stack[top + 1] = child + 1, child
                    top += 2
                    continue
            step = math.inf
            if bound > 0.999999:
                bound = 1.0
            else:
                step = -math.log1p(-bound)
            k = low
            while k < high:
                if bound < 1.0:
                    rest = (high - k) * step
                    if left >= rest:
                        left -= rest
                        break
                    k = min(k + int(left / step), high - 1)
                    draws += 1
                    left = exponential(key, target, STREAM, draws)
                source = ids[k]
                if source != skip:
                    p = probability_at(law, forest, k, cs, ct, x, y, z, angle)
                    if uniforms(key, source, target, ACCEPT, 0)[0] * bound < p:
                        if start + n < stop:
                            out[start + n] = source
                        n += 1
                k += 1
    return n


@kernel(parallel=True)
def sample_block(law, forest, key, targets, low, slots, same, naive, out, counts):
    """Draws the sources of a block of targets, in parallel over targets.

    Args:
        law: The rule's law.
        forest: The sources.
        key: uint64 [2].
        targets: All targets.
        low: Id of the first target of the block.
        slots: int64 [n + 1]. Where each target's part of ``out`` begins.
        same: Sources and targets are one population and autapses are off.
        naive: See ``sources_of``.
        out: int64 [slots[-1]]. Receives source ids.
        counts: int64 [n]. Receives the number of edges per target, which may exceed its slot.
    """
    n = len(counts)
    rows = (n + _PHASES - 1) // _PHASES
    for task in prange(rows * _PHASES):
        # Threads take neighbouring tasks; dealing targets out gives each a fair mix of them.
        i = (task % rows) * _PHASES + task // rows
        if i >= n:
            continue
        target = low + i
        counts[i] = 0
        if targets.classes[target] >= 0:
            skip = target if same else -1
            counts[i] = sources_of(
                law, forest, key, target, targets, skip, naive, out, slots[i], slots[i + 1]
            )


def thinned(
    law: Law,
    forest: Forest,
    key: np.ndarray,
    targets: Targets,
    low: int,
    high: int,
    expected: np.ndarray,
    same: bool,
    naive: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws all edges of a rule onto targets ``low`` to ``high``.

    Args:
        law: The rule's law.
        forest: The sources.
        key: uint64 [2]. The rule's key.
        targets: All targets.
        low: First target.
        high: Last target + 1.
        expected: float64 [target classes]. Expected edges per target; sizes buffers only.
        same: Leave autapses out.
        naive: Look at every pair (for tests).

    Returns:
        Counts int64 [high - low], and sources int64 [sum], target after target, unsorted.
    """
    classes = targets.classes[low:high]
    mean = np.where(classes >= 0, expected[np.maximum(classes, 0)], 0.0)
    slots = _slots((1.3 * mean + 6 * np.sqrt(mean) + 8) * (classes >= 0))
    counts = np.zeros(high - low, np.int64)
    out = np.empty(slots[-1], np.int64)
    sample_block(law, forest, key, targets, low, slots, same, naive, out, counts)
    if (counts > np.diff(slots)).any():
        # The draws are a pure function of the ids: a second run with room gives the same edges.
        slots = _slots(counts)
        out = np.empty(slots[-1], np.int64)
        sample_block(law, forest, key, targets, low, slots, same, naive, out, counts)
    return counts, compact(slots, counts, out)


def _slots(sizes: np.ndarray) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(np.ceil(sizes).astype(np.int64))))


@kernel()
def compact(slots, counts, out):
    """Closes the gaps between slots: int64 [sum of counts]."""
    ends = np.cumsum(counts)
    packed = np.empty(ends[-1] if len(ends) else 0, np.int64)
    for i in range(len(counts)):
        for k in range(counts[i]):  # a slice would cost seconds of compiling
            packed[ends[i] - counts[i] + k] = out[slots[i] + k]
    return packed
