"""All overlaps of one axon section: rows of grid cells near each segment, sifted, then decided."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.edges.touch.index import SOMA_FLAG
from pipeline.edges.touch.kernel import LANES, overlaps, sift
from pipeline.kernels import inner, kernel

DENDRITE_BITS, SOMA_BITS = 1, 6
"""Bits of ``TouchRules.allowed`` that let a pathway touch dendrites, and somata."""

MARGIN, MARGIN_PER_UM = 1e-3, 1e-5
"""um. What ``sift`` adds to the reach: above its float32 rounding error, 4e-7 of the extents."""


class Axon(NamedTuple):
    """The axon of one cell where it stands.

    Attributes:
        start: float64 [n, 3], um (float32 values).
        direction: float64 [n, 3], unit vectors; zero where the length is.
        length: float64 [n], um.
        radius: float64 [n], um.
        arc: float64 [n], um from the section's start to the segment's.
        rows: int64 [n], in ``Shapes``.
    """

    start: np.ndarray
    direction: np.ndarray
    length: np.ndarray
    radius: np.ndarray
    arc: np.ndarray
    rows: np.ndarray


@kernel(error_model="numpy")
def search_section(index, axon, begin, end, pre, permitted, mtype, rooms):
    """Finds where the axon segments begin..end touch segments of other cells.

    Args:
        index: The ``Index``.
        axon: The ``Axon`` of the cell.
        begin, end: Segments of one section.
        pre: The cell, which does not touch itself.
        permitted: uint8 [m-types], ALLOW_* bits by the target's m-type.
        mtype: int16 [cells].
        rooms: From ``new_rooms``. The last two hold the result: ids int64 [., 3] (target cell,
            index entry, axon segment) and arcs float32 [., 2] (low and high of the overlap).

    Returns:
        The rooms, which may have grown, and the number of overlaps.
    """
    runs, flags, hits, bounds, ids, arcs = rooms
    segments, owner, row = index.segments, index.cell, index.row
    count = 0
    for k in range(begin, end):
        x, y, z = axon.start[k, 0], axon.start[k, 1], axon.start[k, 2]
        dx, dy, dz = axon.direction[k, 0], axon.direction[k, 1], axon.direction[k, 2]
        length, radius, arc = axon.length[k], axon.radius[k], axon.arc[k]
        runs, found, total, widest = _find_runs(
            index.starts, index.first_cell, index.counts, index.origin, index.edge, index.size,
            x, y, z, dx, dy, dz, length, radius, runs,
        )  # fmt: skip
        if total > len(flags):
            flags = np.zeros(2 * total, np.uint8)
        margin = MARGIN + MARGIN_PER_UM * (length + widest)
        query = (
            np.float32(x), np.float32(y), np.float32(z), np.float32(dx), np.float32(dy),
            np.float32(dz), np.float32(length), np.float32(radius + margin),
        )  # fmt: skip
        at = np.int64(0)  # a bare 0 would have `sift` compiled twice
        for run in range(found):
            padded = (runs[run, 1] - runs[run, 0] + LANES - 1) // LANES * LANES
            sift(segments, runs[run, 0], runs[run, 0] + padded, query, flags, at)
            at += padded
        if at > len(hits):
            hits, bounds = np.empty(2 * at, np.uint64), np.empty((2, 2 * at))
        n = _gather(flags, runs, found, hits)
        overlaps(segments, hits, n, x, y, z, dx, dy, dz, length, radius, bounds)
        if count + n > len(ids):
            ids, arcs = _longer(ids, 2 * (count + n)), _longer(arcs, 2 * (count + n))
        for h in range(n):
            if bounds[0, h] > bounds[1, h]:
                continue
            i = hits[h]
            post = np.int64(owner[i])
            bits = SOMA_BITS if row[i] & SOMA_FLAG else DENDRITE_BITS
            if post != pre and permitted[mtype[post]] & bits:
                ids[count, 0], ids[count, 1], ids[count, 2] = post, i, k
                arcs[count, 0], arcs[count, 1] = arc + bounds[0, h], arc + bounds[1, h]
                count += 1
    return (runs, flags, hits, bounds, ids, arcs), count


@kernel()
def new_rooms():
    """Scratch of ``search_section``, which grows with need: runs, flags, hits, bounds, ids, arcs."""
    return (
        np.empty((256, 2), np.int64), np.zeros(4096, np.uint8), np.empty(4096, np.uint64),
        np.empty((2, 4096)), np.empty((4096, 3), np.int64), np.empty((4096, 2), np.float32),
    )  # fmt: skip


@inner()
def _gather(flags, runs, found, hits):
    """Lists the flagged index entries of the runs, eight flags at a glance; returns their number."""
    words = flags.view(np.uint64)
    n, word, eight = np.uint64(0), np.uint64(0), np.uint64(8)
    for run in range(found):
        low, high = np.uint64(runs[run, 0]), np.uint64(runs[run, 1])
        last = word + (high - low + np.uint64(LANES - 1)) // np.uint64(LANES) * np.uint64(
            LANES // 8
        )
        while word < last:
            if words[word] != np.uint64(0):
                for i in range(eight):
                    hits[n] = low + i
                    n += np.uint64((flags[word * eight + i] != 0) & (low + i < high))
            word += np.uint64(1)
            low += eight
    return np.int64(n)


@inner()
def _longer(values, n):
    more = np.empty((n, values.shape[1]), values.dtype)
    for i in range(len(values)):  # a slice would cost 4 s of compiling, for the text of its error
        for j in range(values.shape[1]):
            more[i, j] = values[i, j]
    return more


@inner(error_model="numpy")
def _find_runs(
    starts, first_cell, counts, origin, edges, sizes, x, y, z, dx, dy, dz, length, radius, runs
):
    """Runs of the index that hold every segment in reach of an axon segment.

    Returns:
        The runs, their number, their entries with each run padded to LANES, the largest size.
    """
    x, y, z = x - origin[0], y - origin[1], z - origin[2]
    found, total, widest = 0, 0, 0.0
    for level in range(len(edges)):
        if sizes[level] < 0.0:
            continue
        edge, base = edges[level], first_cell[level]
        nx, ny, nz = counts[level, 0], counts[level, 1], counts[level, 2]
        wide = sizes[level] + radius + MARGIN
        widest = max(widest, wide)
        ix0, ix1 = _cells_of(x, dx, 0.0, length, wide, edge, nx)
        for ix in range(ix0, ix1):
            a, b = _within(x, dx, ix * edge - wide, (ix + 1) * edge + wide, 0.0, length)
            if a > b:
                continue
            iz0, iz1 = _cells_of(z, dz, a, b, wide, edge, nz)
            for iz in range(iz0, iz1):
                c, d = _within(z, dz, iz * edge - wide, (iz + 1) * edge + wide, a, b)
                if c > d:
                    continue
                iy0, iy1 = _cells_of(y, dy, c, d, wide, edge, ny)
                if iy0 >= iy1:
                    continue
                line = base + (ix * nz + iz) * ny
                low, high = np.int64(starts[line + iy0]), np.int64(starts[line + iy1])
                if low < high:
                    if found == len(runs):
                        runs = _longer(runs, 2 * len(runs))
                    runs[found, 0], runs[found, 1] = low, high
                    total += (high - low + LANES - 1) // LANES * LANES
                    found += 1
    return runs, found, total, widest


@kernel(inline="always")
def _cells_of(start, slope, a, b, wide, edge, n):
    """Grid cells along one axis within ``wide`` of the piece a..b of an axon segment."""
    p, q = start + a * slope, start + b * slope
    low = np.int64(np.floor((min(p, q) - wide) / edge))
    high = np.int64(np.floor((max(p, q) + wide) / edge)) + 1
    return max(low, 0), min(high, n)


@kernel(inline="always")
def _within(start, slope, low, high, a, b):
    """The part of a..b where start + s slope lies in low..high, never too short."""
    if abs(slope) < 1e-9:
        return a, b
    p, q = (low - start) / slope, (high - start) / slope
    return max(a, min(p, q) - 1e-6), min(b, max(p, q) + 1e-6)
