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
from numba import njit

from pipeline.edges.touch.arrays import AXON, SOMA, TOUCH, Cells, Shapes, TouchRules
from pipeline.edges.touch.geometry import to_world
from pipeline.edges.touch.index import SOMA_FLAG, Index
from pipeline.edges.touch.kernel import LANES, nearest_on, overlap, sift
from pipeline.edges.touch.regions import (
    bouton,
    group_by_post,
    next_place,
    region_end,
    sort_by_low,
)
from pipeline.philox import rule_key

_DENDRITE, _SOMATA, _MOVED = 1, 6, 4
MARGIN, MARGIN_PER_UM = 1e-3, 1e-5
"""um. What the float32 test adds to the reach: above its rounding error, 4e-7 of the extents."""


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


class _Axon(NamedTuple):
    """The axon of one cell where it stands: float64 ends, unit directions, lengths."""

    start: np.ndarray
    direction: np.ndarray
    length: np.ndarray
    rows: np.ndarray


class _Found(NamedTuple):
    """Overlaps of one axon section."""

    post: np.ndarray
    target: np.ndarray
    axon: np.ndarray
    low: np.ndarray
    high: np.ndarray


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


@njit(cache=True, nogil=True)
def _touches_of(axons, law, index, pre, empty):
    """TOUCH records of one presynaptic cell, sorted by (post, order)."""
    axon = _place_axon(axons, pre)
    n, tally = len(axon.length), np.zeros(len(axons.morphology), np.int32)
    flags = np.zeros(1024, np.uint8)
    found = _room(4096)
    first, order = np.empty(4097, np.int64), np.empty(4096, np.int64)
    touches, total = np.empty(1024, empty.dtype), 0
    begin = 0
    while begin < n:
        end, count = begin, 0
        section = axons.section[axon.rows[begin]]
        while end < n and axons.section[axon.rows[end]] == section:
            flags, found, count = _search(axons, index, axon, pre, end, flags, found, count)
            end += 1
        if len(order) < count:
            first, order = np.empty(2 * count + 1, np.int64), np.empty(2 * count, np.int64)
        groups = group_by_post(found.post, count, tally, first, order)
        for g in range(groups):
            sort_by_low(order, first[g], first[g + 1], found.low)
            touches, total = _spread(
                axons, law, index, axon, pre, found, order, first[g], first[g + 1], touches, total
            )
        begin = end
    return _sorted_by_post(touches, total, tally)


@njit(cache=True, nogil=True)
def _place_axon(axons, pre):
    shape = axons.morphology[pre]
    rows = axons.rows[axons.first[shape] : axons.first[shape + 1]]
    n = len(rows)
    start, direction, length = np.empty((n, 3)), np.zeros((n, 3)), np.empty(n)
    turn, shift = axons.rotation[pre], axons.position[pre]
    for i in range(n):
        a, b = axons.start[rows[i]], axons.end[rows[i]]
        x0, y0, z0 = to_world(turn, shift, a[0], a[1], a[2])
        x1, y1, z1 = to_world(turn, shift, b[0], b[1], b[2])
        start[i, 0], start[i, 1], start[i, 2] = x0, y0, z0
        dx, dy, dz = np.float64(x1) - x0, np.float64(y1) - y0, np.float64(z1) - z0
        size = np.sqrt(dx * dx + dy * dy + dz * dz)
        length[i] = size
        if size > 0.0:
            direction[i, 0], direction[i, 1], direction[i, 2] = dx / size, dy / size, dz / size
    return _Axon(start, direction, length, rows)


@njit(cache=True, nogil=True)
def _room(n):
    return _Found(
        np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64),
        np.empty(n, np.float32), np.empty(n, np.float32),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _more_room(found, n):
    room = _room(n)
    size = len(found.post)
    room.post[:size], room.target[:size], room.axon[:size] = found.post, found.target, found.axon
    room.low[:size], room.high[:size] = found.low, found.high
    return room


@njit(cache=True, nogil=True, error_model="numpy")
def _search(axons, index, axon, pre, k, flags, found, count):
    """Appends the overlaps of axon segment k to ``found``."""
    x, y, z = axon.start[k, 0], axon.start[k, 1], axon.start[k, 2]
    dx, dy, dz = axon.direction[k, 0], axon.direction[k, 1], axon.direction[k, 2]
    length, radius = axon.length[k], np.float64(axons.radius[axon.rows[k]])
    for level in range(len(index.edge)):
        if index.size[level] < 0.0:
            continue
        edge, base = index.edge[level], index.first_cell[level]
        nx, ny, nz = index.counts[level]
        wide = index.size[level] + radius + MARGIN
        margin = MARGIN + MARGIN_PER_UM * (length + wide)
        query = (
            np.float32(x), np.float32(y), np.float32(z), np.float32(dx), np.float32(dy),
            np.float32(dz), np.float32(length), np.float32(radius + margin),
        )  # fmt: skip
        ox, oy, oz = x - index.origin[0], y - index.origin[1], z - index.origin[2]
        ix0, ix1 = _cells_of(ox, dx, 0.0, length, wide, edge, nx)
        for ix in range(ix0, ix1):
            a, b = _within(ox, dx, ix * edge - wide, (ix + 1) * edge + wide, 0.0, length)
            if a > b:
                continue
            iz0, iz1 = _cells_of(oz, dz, a, b, wide, edge, nz)
            for iz in range(iz0, iz1):
                c, d = _within(oz, dz, iz * edge - wide, (iz + 1) * edge + wide, a, b)
                if c > d:
                    continue
                iy0, iy1 = _cells_of(oy, dy, c, d, wide, edge, ny)
                if iy0 >= iy1:
                    continue
                row = base + (ix * nz + iz) * ny
                low, high = np.int64(index.starts[row + iy0]), np.int64(index.starts[row + iy1])
                if low == high:
                    continue
                flags, found, count = _scan(
                    axons, index, axon, pre, k, radius, query, low, high, flags, found, count
                )
    return flags, found, count


@njit(cache=True, inline="always")
def _cells_of(start, slope, a, b, wide, edge, n):
    """Grid cells along one axis within ``wide`` of the piece a..b of an axon segment."""
    p, q = start + a * slope, start + b * slope
    low = np.int64(np.floor((min(p, q) - wide) / edge))
    high = np.int64(np.floor((max(p, q) + wide) / edge)) + 1
    return max(low, 0), min(high, n)


@njit(cache=True, inline="always")
def _within(start, slope, low, high, a, b):
    """The part of a..b where start + s slope lies in low..high, never too short."""
    if abs(slope) < 1e-9:
        return a, b
    p, q = (low - start) / slope, (high - start) / slope
    return max(a, min(p, q) - 1e-6), min(b, max(p, q) + 1e-6)


@njit(cache=True, nogil=True, error_model="numpy")
def _scan(axons, index, axon, pre, k, radius, query, low, high, flags, found, count):
    """Tests the target segments low..high of the index against axon segment k."""
    n = (high - low + LANES - 1) // LANES * LANES
    if len(flags) < n:
        flags = np.zeros(2 * n, np.uint8)
    if len(found.post) < count + n:
        found = _more_room(found, 2 * (count + n))
    end = low + n
    sift(
        index.x0[low:end], index.y0[low:end], index.z0[low:end],
        index.x1[low:end], index.y1[low:end], index.z1[low:end],
        index.reach[low:end], query, flags,
    )  # fmt: skip
    words = flags[:n].view(np.uint64)
    x, y, z = axon.start[k, 0], axon.start[k, 1], axon.start[k, 2]
    dx, dy, dz = axon.direction[k, 0], axon.direction[k, 1], axon.direction[k, 2]
    arc = np.float64(axons.arc[axon.rows[k]])
    allowed = axons.allowed[axons.mtype[pre]]
    for word in range(len(words)):
        if words[word] == 0:
            continue
        for i in range(low + 8 * word, min(low + 8 * word + 8, high)):
            if flags[i - low] == 0:
                continue
            post = np.int64(index.cell[i])
            bits = _SOMATA if index.row[i] & SOMA_FLAG else _DENDRITE
            if post == pre or not allowed[axons.mtype[post]] & bits:
                continue
            a, b = overlap(
                index.x0[i] - x, index.y0[i] - y, index.z0[i] - z,
                index.x1[i] - x, index.y1[i] - y, index.z1[i] - z,
                dx, dy, dz, axon.length[k], radius + np.float64(index.reach[i]),
            )  # fmt: skip
            if a <= b:
                found.post[count], found.target[count], found.axon[count] = post, i, k
                found.low[count], found.high[count] = arc + a, arc + b
                count += 1
    return flags, found, count


@njit(cache=True, nogil=True)
def _spread(axons, law, index, axon, pre, found, order, begin, end, touches, total):
    """Appends the boutons of one axon section on one cell to ``touches``."""
    post = found.post[order[begin]]
    section = np.int64(axons.section[axon.rows[found.axon[order[begin]]]])
    region = 0
    while begin < end:
        stop, last = region_end(order, begin, end, found.low, found.high, law.gap)
        start = np.float64(found.low[order[begin]])
        u, step = bouton(law.key, pre, post, section, region, 0, law.spacing)
        arc = start + u * min(step, last - start)
        number = 1
        while arc <= last:
            arc = next_place(order, begin, stop, found.low, found.high, arc)
            if total == len(touches):
                touches = _twice(touches)
            total += _write_touch(
                axons, law, index, axon, pre, post, found, order, begin, stop, arc, touches[total]
            )
            u, step = bouton(law.key, pre, post, section, region, number, law.spacing)
            arc += step
            number += 1
        region += 1
        begin = stop
    return touches, total


@njit(cache=True, nogil=True)
def _twice(touches):
    more = np.empty(2 * len(touches), touches.dtype)
    more[: len(touches)] = touches
    return more


@njit(cache=True, nogil=True)
def _write_touch(axons, law, index, axon, pre, post, found, order, begin, end, arc, touch):
    """Writes the touch with the nearest surface at ``arc``; returns 0 if a filter drops it."""
    best, best_row, best_axon, best_place, best_along = np.inf, -1, -1, 0.0, 0.0
    for item in range(begin, end):
        o = order[item]
        if found.low[o] > arc:
            break
        if found.high[o] < arc:
            continue
        k, i = found.axon[o], found.target[o]
        row = np.int64(index.row[i] & ~SOMA_FLAG)
        place = min(max(arc - np.float64(axons.arc[axon.rows[k]]), 0.0), axon.length[k])
        distance, along = nearest_on(
            np.float64(index.x0[i]), np.float64(index.y0[i]), np.float64(index.z0[i]),
            np.float64(index.x1[i]), np.float64(index.y1[i]), np.float64(index.z1[i]),
            axon.start[k, 0] + place * axon.direction[k, 0],
            axon.start[k, 1] + place * axon.direction[k, 1],
            axon.start[k, 2] + place * axon.direction[k, 2],
        )  # fmt: skip
        distance -= np.float64(axons.radius[axon.rows[k]]) + np.float64(axons.radius[row])
        nearer = distance < best or (
            distance == best and (row < best_row or (row == best_row and k < best_axon))
        )
        if nearer:
            best, best_row, best_axon, best_place, best_along = distance, row, k, place, along
    kind, path = axons.kind[best_row], np.float64(axons.path[best_row]) + best_along
    if kind == SOMA:
        if axons.allowed[axons.mtype[pre], axons.mtype[post]] & _MOVED:
            best_row, best_along = axons.initial[axons.morphology[post]], 0.0
            if best_row < 0:
                return 0
            kind, path = axons.kind[best_row], np.float64(axons.path[best_row])
    elif path < law.soma_filter[0 if axons.inhibitory[post] else 1]:
        return 0
    own = axon.rows[best_axon]
    touch.pre, touch.post = pre, post
    touch.pre_section, touch.pre_segment = axons.section[own], axons.segment[own]
    touch.pre_offset, touch.path = best_place, axons.path[own] + best_place
    touch.post_section, touch.post_segment = axons.section[best_row], axons.segment[best_row]
    touch.post_offset, touch.post_path = best_along, path
    touch.distance, touch.post_kind = best, kind
    return 1


@njit(cache=True, nogil=True)
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
