"""Finds the touches of presynaptic cells; each cell's touches depend on nothing but the circuit.

A touch belongs to one axon section of one cell, so any set of cells can be asked for, in any order
and on any number of threads, and gives the same records. Memory is the index, the records asked
for, and a few MiB for every thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from pipeline.edges.touch.arrays import (
    ALLOW_SOMA_TO_AIS,
    AXON,
    SOMA,
    TOUCH,
    Cells,
    Shapes,
    TouchRules,
)
from pipeline.edges.touch.geometry import to_world
from pipeline.edges.touch.index import Index
from pipeline.edges.touch.regions import (
    bouton,
    group_by_post,
    nearest_target,
    next_place,
    region_end,
    sort_by_low,
)
from pipeline.edges.touch.search import Axon, new_rooms, search_section
from pipeline.kernels import inner, kernel
from pipeline.philox import rule_key


class _Axons(NamedTuple):
    """Shapes and cells as the compiled functions read them."""

    first: np.ndarray
    rows: np.ndarray
    start: np.ndarray
    end: np.ndarray
    radius: np.ndarray
    section: np.ndarray
    segment: np.ndarray
    kind: np.ndarray
    path: np.ndarray
    arc: np.ndarray
    initial: np.ndarray
    morphology: np.ndarray
    position: np.ndarray
    rotation: np.ndarray
    mtype: np.ndarray
    inhibitory: np.ndarray
    allowed: np.ndarray


class _Law(NamedTuple):
    """The numbers of the rules."""

    key: np.ndarray
    gap: float
    spacing: np.ndarray
    soma_filter: np.ndarray


def detect(
    shapes: Shapes,
    cells: Cells,
    rules: TouchRules,
    index: Index,
    pre_ids: Sequence[int] | np.ndarray,
    seed: int,
    threads: int = 1,
) -> np.ndarray:
    """Finds all touches of some presynaptic cells.

    Args:
        shapes: Morphologies.
        cells: All cells.
        rules: Spine lengths (those of the index), allowed pathways and spacing.
        index: From ``build_index`` of the same shapes, cells and rules.
        pre_ids: Rows of the presynaptic cells; their order does not matter.
        seed: Of the circuit.
        threads: Threads; the answer does not depend on them.

    Returns:
        TOUCH records sorted by (pre, post, order).
    """
    axons = _axons(shapes, cells, rules)
    law = _Law(
        rule_key(seed, "touches"), float(rules.region_gap), np.array(rules.spacing, np.float64),
        np.array(rules.soma_filter, np.float64),
    )  # fmt: skip
    pre_ids = np.unique(np.asarray(pre_ids, np.int64))
    empty = np.empty(0, TOUCH)
    if threads == 1:
        parts = [_touches_of(axons, law, index, int(pre), empty) for pre in pre_ids]
    else:
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(lambda p: _touches_of(axons, law, index, int(p), empty), pre_ids))
    return np.concatenate(parts) if parts else empty


def _axons(shapes: Shapes, cells: Cells, rules: TouchRules) -> _Axons:
    rows = [
        low + np.flatnonzero(shapes.kind[low:high] == AXON)
        for low, high in zip(shapes.first[:-1], shapes.first[1:], strict=True)
    ]
    first = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    return _Axons(
        first, np.concatenate(rows).astype(np.int64), shapes.start, shapes.end, shapes.radius,
        shapes.section, shapes.segment, shapes.kind, shapes.path, shapes.arc,
        shapes.initial_segment, cells.morphology, cells.position, cells.rotation, cells.mtype,
        cells.inhibitory, rules.allowed,
    )  # fmt: skip


@kernel()
def _touches_of(axons, law, index, pre, empty):
    """TOUCH records of one presynaptic cell, sorted by (post, order)."""
    axon = _place_axon(axons, pre)
    n, tally = len(axon.length), np.zeros(len(axons.morphology), np.int32)
    permitted = axons.allowed[axons.mtype[pre]]
    rooms = new_rooms()
    first, order = np.empty(4097, np.int64), np.empty(4096, np.int64)
    # Typed, because a bare 0 has a type of its own: what takes it would be compiled twice.
    touches, total, begin = np.empty(1024, empty.dtype), np.int64(0), np.int64(0)
    while begin < n:
        end, section = begin, axons.section[axon.rows[begin]]
        while end < n and axons.section[axon.rows[end]] == section:
            end += 1
        rooms, count = search_section(index, axon, begin, end, pre, permitted, axons.mtype, rooms)
        ids, arcs = rooms[4], rooms[5]
        if len(order) < count:
            first, order = np.empty(2 * count + 1, np.int64), np.empty(2 * count, np.int64)
        groups = group_by_post(ids, count, tally, first, order)
        touches, total = _spread(
            axons, law, index, axon, pre, ids, arcs, order, first, groups, touches, total
        )
        begin = end
    return _sorted_by_post(touches, total, tally)


@kernel()
def _place_axon(axons, pre):
    shape = axons.morphology[pre]
    rows = axons.rows[axons.first[shape] : axons.first[shape + 1]]
    n = len(rows)
    start, direction, length = np.empty((n, 3)), np.zeros((n, 3)), np.empty(n)
    radius, arc = np.empty(n), np.empty(n)
    turn, shift = axons.rotation[pre], axons.position[pre]
    for i in range(n):
        a, b = axons.start[rows[i]], axons.end[rows[i]]
        x0, y0, z0 = to_world(turn, shift, a[0], a[1], a[2])
        x1, y1, z1 = to_world(turn, shift, b[0], b[1], b[2])
        start[i, 0], start[i, 1], start[i, 2] = x0, y0, z0
        dx, dy, dz = np.float64(x1) - x0, np.float64(y1) - y0, np.float64(z1) - z0
        size = np.sqrt(dx * dx + dy * dy + dz * dz)
        length[i], radius[i], arc[i] = size, axons.radius[rows[i]], axons.arc[rows[i]]
        if size > 0.0:
            direction[i, 0], direction[i, 1], direction[i, 2] = dx / size, dy / size, dz / size
    return Axon(start, direction, length, radius, arc, rows)


@inner()
def _spread(axons, law, index, axon, pre, ids, arcs, order, first, groups, touches, total):
    """Appends the boutons of one axon section to ``touches``."""
    key, gap, spacing = law.key, law.gap, law.spacing
    sections, mtype, permitted = axons.section, axons.mtype, axons.allowed[axons.mtype[pre]]
    kinds, paths, inhibitory = axons.kind, axons.path, axons.inhibitory
    near = (
        index.segments, index.row, axons.radius, axon.start, axon.direction, axon.length,
        axon.radius, axon.arc,
    )  # fmt: skip
    for g in range(groups):
        begin, end = first[g], first[g + 1]
        sort_by_low(order, begin, end, arcs)
        post = ids[order[begin], 0]
        section = np.int64(sections[axon.rows[ids[order[begin], 2]]])
        region = np.int64(0)
        while begin < end:
            stop, last = region_end(order, begin, end, arcs, gap)
            arc, number = np.float64(arcs[order[begin], 0]), np.int64(0)
            while arc <= last:
                u, step = bouton(key, pre, post, section, region, number, spacing)
                if number == 0:
                    arc += u * min(step, last - arc)
                arc = next_place(order, begin, stop, arcs, arc)
                distance, row, k, place, along = nearest_target(
                    near, ids, arcs, order, begin, stop, arc
                )
                kind, path = kinds[row], np.float64(paths[row]) + along
                kept = kind == SOMA or path >= law.soma_filter[0 if inhibitory[post] else 1]
                if kind == SOMA and permitted[mtype[post]] & ALLOW_SOMA_TO_AIS:
                    row, along = axons.initial[axons.morphology[post]], 0.0
                    kept = row >= 0
                    kind, path = kinds[row], np.float64(paths[row])
                if kept:
                    if total == len(touches):
                        touches = _twice(touches)
                    touch, own = touches[total], axon.rows[k]
                    touch.pre, touch.post = pre, post
                    touch.pre_section, touch.pre_segment = section, axons.segment[own]
                    touch.pre_offset, touch.path = place, paths[own] + place
                    touch.post_section, touch.post_segment = sections[row], axons.segment[row]
                    touch.post_offset, touch.post_path = along, path
                    touch.distance, touch.post_kind = distance, kind
                    total += 1
                arc += step
                number += 1
            region += 1
            begin = stop
    return touches, total


@inner()
def _twice(touches):
    more = np.empty(2 * len(touches), touches.dtype)
    for i in range(len(touches)):  # not a slice, see `search._longer`
        more[i] = touches[i]
    return more


@inner()
def _sorted_by_post(touches, total, tally):
    """Touches by target, in the order they came, numbered within each pair."""
    for i in range(total):
        tally[touches[i].post] += 1
    at, n = np.empty(len(tally), np.int64), 0
    for post in range(len(tally)):
        at[post] = n
        n += tally[post]
        tally[post] = 0
    out = np.empty(total, touches.dtype)
    for i in range(total):
        post = touches[i].post
        out[at[post] + tally[post]] = touches[i]
        out[at[post] + tally[post]].order = tally[post]
        tally[post] += 1
    return out
