"""Fixed numbers of edges per target, per source, or in all.

A node draws its partners one after the other in proportion to the rule's other factors: a box in
proportion to its upper bound, then a member, which is kept with the ratio of its own probability to
the bound. Without multapses a partner drawn before is drawn again (successive sampling).
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from pipeline.edges.rules.laws import box_bound
from pipeline.edges.rules.random import uniforms
from pipeline.edges.rules.sample import SPLIT, Targets, probability_at
from pipeline.edges.rules.tree import Forest
from pipeline.kernels import kernel
from pipeline.runtime import rng_for

_STACK = 256
_REMAINDER = 7
"""Purpose of the draws that finish a node whose partners are nearly exhausted."""


@kernel()
def _cut(law, forest, pool, ct, x, y, z, threshold, boxes, weights, bounds):
    """Chooses boxes; returns their number, the sum of bounds and the sum of lower bounds."""
    stack = np.empty(_STACK, np.int64)
    n, least_sum, total = 0, 0.0, 0.0
    first, last = (0, len(forest.roots)) if pool < 0 else (pool, pool + 1)
    for cs in range(first, last):
        if forest.roots[cs] < 0:
            continue
        stack[0], top = forest.roots[cs], 1
        while top:
            top -= 1
            box = stack[top]
            size = forest.ranges[box, 1] - forest.ranges[box, 0]
            bound = box_bound(law, forest.boxes, box, cs, ct, x, y, z, True)
            if bound == 0.0:
                continue
            least = box_bound(law, forest.boxes, box, cs, ct, x, y, z, False)
            child = forest.children[box]
            if child >= 0 and size * (bound - least) > threshold:
                stack[top], stack[top + 1] = child + 1, child
                top += 2
                continue
            total += size * bound
            least_sum += size * least
            boxes[n], weights[n], bounds[n] = box, total, bound
            n += 1
    return n, total, least_sum


@kernel()
def _class_of(forest, k):
    """Class of the k-th node of the forest, by its roots' ranges."""
    for cs in range(len(forest.roots)):
        root = forest.roots[cs]
        if root >= 0 and forest.ranges[root, 0] <= k < forest.ranges[root, 1]:
            return cs
    return -1


@kernel()
def _partners(law, forest, key, purpose, node, nodes, pool, wanted, multapses, skip, out, start):
    """Draws ``wanted`` partners of one node into ``out[start:]``; returns how many there are."""
    points = nodes.points
    ct = nodes.classes[node]
    x, y, z, angle = points[node, 0], points[node, 1], points[node, 2], points[node, 3]
    limit = len(forest.ranges)
    boxes, weights, bounds = np.empty(limit, np.int64), np.empty(limit), np.empty(limit)
    threshold = math.inf
    n, total, least = _cut(law, forest, pool, ct, x, y, z, threshold, boxes, weights, bounds)
    if n == 0 or wanted == 0:
        return 0
    threshold = total / (16.0 + 4.0 * wanted)
    for _ in range(12):
        if total <= 3.0 * least + SPLIT * 1e-12:
            break
        n, total, least = _cut(law, forest, pool, ct, x, y, z, threshold, boxes, weights, bounds)
        threshold *= 0.25
    room = 1
    while room < 2 * wanted + 2:
        room *= 2
    taken = np.full(0 if multapses else room, -1, np.int64)
    found = 0
    for attempt in range(60 * wanted + 2000):
        if found == wanted or total == 0.0:
            break
        u, v = uniforms(key, attempt, node, purpose, pool + 1)
        place = u * total
        i = np.searchsorted(weights[:n], place, side="right")
        i = min(i, n - 1)
        before = weights[i - 1] if i else 0.0
        low, high = forest.ranges[boxes[i], 0], forest.ranges[boxes[i], 1]
        k = min(low + int((place - before) / bounds[i]), high - 1)
        partner = forest.ids[k]
        if partner == skip:
            continue
        cs = _class_of(forest, k) if pool < 0 else pool
        if v * bounds[i] >= probability_at(law, forest, k, cs, ct, x, y, z, angle):
            continue
        if multapses or _insert(taken, partner):
            out[start + found] = partner
            found += 1
    if found < wanted:
        found = _finish(
            law, forest, key, purpose, node, ct, x, y, z, angle, pool, wanted, multapses, skip,
            taken, out, start, found,
        )  # fmt: skip
    return found


@kernel()
def _insert(table, value):
    """Adds a value to an open-addressed set; False when it is there already."""
    mask = len(table) - 1
    slot = (value * 0x9E3779B1) & mask
    while table[slot] >= 0:
        if table[slot] == value:
            return False
        slot = (slot + 1) & mask
    table[slot] = value
    return True


@kernel()
def _finish(
    law, forest, key, purpose, node, ct, x, y, z, angle, pool, wanted, multapses, skip, taken,
    out, start, found,
):  # fmt: skip
    """Draws what is missing by looking at every partner once.

    Exponential keys with rate p give successive sampling without replacement (Efraimidis and
    Spirakis 2006); with replacement, the cumulative sum of p is inverted.
    """
    low, high = 0, len(forest.ids)
    if pool >= 0:
        root = forest.roots[pool]
        low, high = forest.ranges[root, 0], forest.ranges[root, 1]
    times = np.full(high - low, np.inf)
    sums = np.zeros(high - low)
    total = 0.0
    for k in range(low, high):
        partner = forest.ids[k]
        cs = _class_of(forest, k) if pool < 0 else pool
        p = probability_at(law, forest, k, cs, ct, x, y, z, angle) if partner != skip else 0.0
        total += p
        sums[k - low] = total
        if p > 0.0 and not multapses and _absent(taken, partner):
            u, _ = uniforms(key, partner, node, _REMAINDER, 2 * (pool + 1) + (purpose & 1))
            times[k - low] = -math.log1p(-u) / p
    if multapses:
        if total > 0.0:
            for i in range(found, wanted):
                u, _ = uniforms(key, i, node, _REMAINDER, 2 * (pool + 1) + (purpose & 1))
                k = min(np.searchsorted(sums, u * total, side="right"), high - low - 1)
                out[start + i] = forest.ids[low + k]
            found = wanted
        return found
    order = np.argsort(times, kind="mergesort")
    for k in order:
        if found == wanted or times[k] == np.inf:
            break
        out[start + found] = forest.ids[low + k]
        found += 1
    return found


@kernel()
def _absent(table, value):
    """Whether a value is not in the set."""
    mask = len(table) - 1
    slot = (value * 0x9E3779B1) & mask
    while table[slot] >= 0:
        if table[slot] == value:
            return False
        slot = (slot + 1) & mask
    return True


@kernel(parallel=True)
def _block(law, forest, key, purpose, nodes, low, wanted, multapses, same, out, starts, found):
    for i in prange(len(wanted)):
        node = low + i
        if nodes.classes[node] < 0:
            continue
        skip = node if same else -1
        place = starts[i]
        for j in range(wanted.shape[1]):
            if wanted[i, j]:
                pool = j if wanted.shape[1] > 1 else -1
                n = _partners(
                    law, forest, key, purpose, node, nodes, pool, wanted[i, j], multapses, skip,
                    out, place,
                )  # fmt: skip
                found[i, j] = n
                place += n


def fixed_partners(
    law,
    forest: Forest,
    key: np.ndarray,
    purpose: int,
    nodes: Targets,
    low: int,
    wanted: np.ndarray,
    multapses: bool,
    same: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws a fixed number of partners for each node of a range.

    Args:
        law: Relative probabilities; classes of partners come first.
        forest: The partners.
        key: uint64 [2].
        purpose: Counter word that separates drawing sources from drawing targets.
        nodes: The nodes that draw.
        low: First of them.
        wanted: int64 [n, 1 or partner classes]. Partners of each node, in all or per class.
        multapses: A partner may be drawn twice.
        same: Leave a node itself out.

    Returns:
        Found int64 [n, 1 or classes], less than wanted where there are not enough partners; and
        partners int64 [sum], node after node.
    """
    sizes = wanted.sum(axis=1)
    starts = np.concatenate(([0], np.cumsum(sizes)))
    out = np.full(starts[-1], -1, np.int64)
    found = np.zeros_like(wanted)
    _block(law, forest, key, purpose, nodes, low, wanted, multapses, same, out, starts, found)
    return found, out[out >= 0]


def wanted_partners(count: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Turns counts by class into counts by node.

    Args:
        count: float64 [1, 1] or [partner classes, classes].
        classes: int64 [n]. Classes of the nodes; -1 draws nothing.

    Returns:
        int64 [n, 1 or partner classes].
    """
    wide = count if count.shape != (1, 1) else np.broadcast_to(count, (1, classes.max() + 1))
    rows = np.rint(wide[:, np.maximum(classes, 0)].T).astype(np.int64)
    rows[classes < 0] = 0
    return np.ascontiguousarray(rows)


def spread_total(
    total: int, rooms: np.ndarray, multapses: bool, rng: np.random.Generator
) -> np.ndarray:
    """Number of edges per target when ``total`` edges fall on uniformly drawn pairs.

    Args:
        total: Number of edges.
        rooms: int64 [targets]. Number of possible sources of each target.
        multapses: Pairs may be drawn twice: multinomial. Otherwise multivariate hypergeometric, by
            independent binomials whose sum is then corrected one edge at a time, which leaves all
            sets of pairs equally likely.
        rng: Random stream.

    Returns:
        int64 [targets], sum ``total``.
    """
    pairs = int(rooms.sum())
    if multapses:
        return rng.multinomial(total, rooms / pairs)
    counts = rng.binomial(rooms, total / pairs)
    surplus = int(counts.sum()) - total
    if surplus > 0:
        counts -= rng.multivariate_hypergeometric(counts, surplus, method="marginals")
    ends = np.cumsum(rooms)
    while surplus < 0:
        target = int(np.searchsorted(ends, rng.integers(pairs), side="right"))
        if rng.random() * rooms[target] < rooms[target] - counts[target]:
            counts[target] += 1
            surplus += 1
    return counts


def totals_per_target(
    count: np.ndarray,
    source_counts: np.ndarray,
    target_classes: np.ndarray,
    inside: np.ndarray,
    multapses: bool,
    seed_key: np.ndarray,
) -> np.ndarray:
    """Spreads fixed totals over targets, class pair by class pair.

    Args:
        count: float64 [1, 1] or [source classes, target classes].
        source_counts: int64 [source classes]. Selected sources per class.
        target_classes: int64 [targets]; -1 for none.
        inside: int64 [targets, source classes]. 1 where a target is itself a source that may not
            be taken.
        multapses: See ``spread_total``.
        seed_key: uint64 [2]. The rule's key; seeds the stream.

    Returns:
        int64 [targets, 1 or source classes].
    """
    pooled = count.shape == (1, 1)
    rows = source_counts.sum()[None] if pooled else source_counts
    own = inside.sum(axis=1, keepdims=True) if pooled else inside
    result = np.zeros((len(target_classes), len(rows)), np.int64)
    columns = [None] if pooled else range(count.shape[1])
    for j in range(len(rows)):
        for c in columns:
            members = np.flatnonzero(target_classes >= 0 if c is None else target_classes == c)
            total = int(round(count[0, 0] if pooled else count[j, c]))
            if total == 0 or not len(members):
                continue
            rng = rng_for(int(seed_key[0]), "rules/total", int(seed_key[1]), j, c or 0)
            rooms = rows[j] - own[members, j]
            result[members, j] = spread_total(total, rooms, multapses, rng)
    return result
