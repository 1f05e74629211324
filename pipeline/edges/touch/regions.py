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

from pipeline.edges.rules.random import uniforms
from pipeline.edges.touch.index import SOMA_FLAG
from pipeline.edges.touch.kernel import nearest_on
from pipeline.kernels import inner


@inner()
def group_by_post(ids, n, tally, first, order):
    """Lists overlaps cell by cell.

    Args:
        ids: int64 [., 3], target cell of every overlap first.
        n: Overlaps.
        tally: int32 [cells], zeros; zeros again afterwards.
        first: int64 [n + 1 or more], is set to the start of every group in ``order``.
        order: int64 [n or more], is set to overlaps grouped by cell.

    Returns:
        Number of groups.
    """
    groups = 0
    for i in range(n):
        if tally[ids[i, 0]] == 0:
            order[groups] = ids[i, 0]  # lent for the list of cells
            groups += 1
        tally[ids[i, 0]] += 1
    total = 0
    for g in range(groups):
        first[g] = total
        size = tally[order[g]]
        tally[order[g]] = total
        total += size
    first[groups] = n
    for i in range(n):
        order[tally[ids[i, 0]]] = i
        tally[ids[i, 0]] += 1
    for i in range(n):
        tally[ids[i, 0]] = 0
    return groups


@inner()
def sort_by_low(order, begin, end, arcs):
    """Sorts a group by the start of its overlaps (insertion: they come nearly sorted)."""
    for i in range(begin + 1, end):
        item = order[i]
        k = i - 1
        while k >= begin and arcs[order[k], 0] > arcs[item, 0]:
            order[k + 1] = order[k]
            k -= 1
        order[k + 1] = item


@inner()
def region_end(order, begin, end, arcs, gap):
    """Index after the region's last overlap, and the region's last arc."""
    reach = arcs[order[begin], 1]
    k = begin + 1
    while k < end and arcs[order[k], 0] - reach <= gap:
        reach = max(reach, arcs[order[k], 1])
        k += 1
    return k, reach


@inner()
def next_place(order, begin, end, arcs, arc):
    """The arc itself where something is in reach, else where the next overlap starts."""
    for k in range(begin, end):
        i = order[k]
        if arcs[i, 0] > arc:
            return np.float64(arcs[i, 0])
        if arcs[i, 1] >= arc:
            return arc
    return arc


@inner()
def bouton(key, pre, post, section, region, index, spacing):
    """Place within the first interval (0..1) and the interval that follows, um."""
    u, v = uniforms(key, pre, post, section + (region << 16), index)
    return u, spacing[0] + (spacing[1] - spacing[0]) * v


@inner()
def nearest_target(near, ids, arcs, order, begin, end, arc):
    """The target with the nearest surface at one place of an axon section.

    Args:
        near: Index segments and rows, radii of shapes, and start, direction, length, radius and
            arc of the axon.
        ids, arcs: Overlaps, see ``search_section``.
        order: Overlaps begin..end of a region, by their start.
        arc: The place, within an overlap.

    Returns:
        Gap between the surfaces, row in shapes, axon segment, place on it, and on the target, um.
    """
    segments, rows, target_radius, starts, directions, lengths, radii, axon_arcs = near
    best, best_row, best_axon, best_place, best_along = np.inf, -1, -1, 0.0, 0.0
    for item in range(begin, end):
        o = order[item]
        if arcs[o, 0] > arc:
            break
        if arcs[o, 1] < arc:
            continue
        i, k = ids[o, 1], ids[o, 2]
        row = np.int64(rows[i] & ~SOMA_FLAG)
        place = min(max(arc - axon_arcs[k], 0.0), lengths[k])
        distance, along = nearest_on(
            np.float64(segments[0, i]), np.float64(segments[1, i]), np.float64(segments[2, i]),
            np.float64(segments[3, i]), np.float64(segments[4, i]), np.float64(segments[5, i]),
            starts[k, 0] + place * directions[k, 0],
            starts[k, 1] + place * directions[k, 1],
            starts[k, 2] + place * directions[k, 2],
        )  # fmt: skip
        distance -= radii[k] + np.float64(target_radius[row])
        tie = distance == best and (row < best_row or (row == best_row and k < best_axon))
        if distance < best or tie:
            best, best_row, best_axon, best_place, best_along = distance, row, k, place, along
    return best, best_row, best_axon, best_place, best_along
