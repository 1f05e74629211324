"""From overlaps to boutons: overlaps of an axon section with one cell merge, boutons are spread.

Overlaps of one axon section with one target cell that are nearer than the region gap make a region
(arc length along the section; appositionizer's rule, see ``arrays.TouchRules``). The first bouton
lies uniformly within the first interval of the region, or in all of a region shorter than that, so
that every region has at least one (source: assumed; the open rule names only the intervals); the
next ones follow at intervals uniform in the spacing. A bouton that falls where nothing is in reach
moves on to the next overlap. It takes the target segment with the nearest surface there; ties go
to the lowest section, then segment.

Arcs of overlaps are float32 by definition. Random numbers are Philox keyed by seed and counter
(pre, post, pre section + 2**16 region, bouton): u for the first place, v for the interval after it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pipeline.edges.rules.random import uniforms


@njit(cache=True, nogil=True)
def group_by_post(posts, n, tally, first, order):
    """Lists overlaps cell by cell.

    Args:
        posts: Target cell of overlaps 0..n.
        n: Overlaps.
        tally: int32 [cells], zeros; zeros again afterwards.
        first: int64 [n + 1 or more], is set to the start of every group in ``order``.
        order: int64 [n or more], is set to overlaps grouped by cell.

    Returns:
        Number of groups.
    """
    groups = 0
    for i in range(n):
        if tally[posts[i]] == 0:
            order[groups] = posts[i]  # lent for the list of cells
            groups += 1
        tally[posts[i]] += 1
    total = 0
    for g in range(groups):
        first[g] = total
        size = tally[order[g]]
        tally[order[g]] = total
        total += size
    first[groups] = n
    for i in range(n):
        order[tally[posts[i]]] = i
        tally[posts[i]] += 1
    for i in range(n):
        tally[posts[i]] = 0
    return groups


@njit(cache=True, nogil=True)
def sort_by_low(order, begin, end, low):
    """Sorts a group by the start of its overlaps (insertion: they come nearly sorted)."""
    for i in range(begin + 1, end):
        item = order[i]
        k = i - 1
        while k >= begin and low[order[k]] > low[item]:
            order[k + 1] = order[k]
            k -= 1
        order[k + 1] = item


@njit(cache=True, nogil=True)
def region_end(order, begin, end, low, high, gap):
    """Index after the region's last overlap, and the region's last arc."""
    reach = high[order[begin]]
    k = begin + 1
    while k < end and low[order[k]] - reach <= gap:
        reach = max(reach, high[order[k]])
        k += 1
    return k, reach


@njit(cache=True, nogil=True)
def next_place(order, begin, end, low, high, arc):
    """The arc itself where something is in reach, else where the next overlap starts."""
    for k in range(begin, end):
        i = order[k]
        if low[i] > arc:
            return np.float64(low[i])
        if high[i] >= arc:
            return arc
    return arc


@njit(cache=True, nogil=True)
def bouton(key, pre, post, section, region, index, spacing):
    """Place within the first interval (0..1) and the interval that follows, um."""
    u, v = uniforms(key, pre, post, section + (region << 16), index)
    return u, spacing[0] + (spacing[1] - spacing[0]) * v
