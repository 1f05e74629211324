"""All overlaps of one axon section: rows of grid cells near each segment, sifted, then decided."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.edges.touch.index import SOMA_FLAG
from pipeline.edges.touch.kernel import LANES, overlap, sift

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


@njit(cache=True, nogil=True, error_model="numpy")
def search_section(index, axon, begin, end, pre, permitted, mtype, rooms):
    """Finds where the axon segments begin..end touch segments of other cells.

    Args:
        index: The ``Index``.
        axon: The ``Axon`` of the cell.
        begin, end: Segments of one section.
        pre: The cell, which does not touch itself.
        permitted: uint8 [m-types], ALLOW_* bits by the target's m-type.
        mtype: int16 [cells].
        rooms: Scratch and results: runs int64 [., 2], flags uint8 [.], ids int64 [., 3] (target
            cell, index entry, axon segment), arcs float32 [., 2] (low and high of the overlap).

    Returns:
        The rooms, which may have grown, and the number of overlaps.
    """
    runs, flags, ids, arcs = rooms
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
        at = 0
        for run in range(found):
            padded = (runs[run, 1] - runs[run, 0] + LANES - 1) // LANES * LANES
            sift(segments, runs[run, 0], runs[run, 0] + padded, query, flags, at)
            at += padded
        words = flags[:at].view(np.uint64)
        word = 0
        for run in range(found):
            low, high = runs[run, 0], runs[run, 1]
            for start in range(low, high, 8):
                if words[word] != 0:
                    if count + 8 > len(ids):
                        ids, arcs = _twice(ids), _twice(arcs)
                    for i in range(start, min(start + 8, high)):
                        if flags[8 * word + i - start] == 0:
                            continue
                        post = np.int64(owner[i])
                        bits = SOMA_BITS if row[i] & SOMA_FLAG else DENDRITE_BITS
                        if post == pre or not permitted[mtype[post]] & bits:
                            continue
                        a, b = overlap(
                            segments[0, i] - x, segments[1, i] - y, segments[2, i] - z,
                            segments[3, i] - x, segments[4, i] - y, segments[5, i] - z,
                            dx, dy, dz, length, radius + np.float64(segments[6, i]),
                        )  # fmt: skip
                        if a <= b:
                            ids[count, 0], ids[count, 1], ids[count, 2] = post, i, k
                            arcs[count, 0], arcs[count, 1] = arc + a, arc + b
                            count += 1
                word += 1
            word += (LANES // 8 - (high - low + 7) // 8 % (LANES // 8)) % (LANES // 8)
    return (runs, flags, ids, arcs), count


@njit(cache=True, nogil=True)
def _twice(values):
    more = np.empty((2 * len(values), values.shape[1]), values.dtype)
    more[: len(values)] = values
    return more


@njit(cache=True, nogil=True, error_model="numpy")
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
                        runs = _twice(runs)
                    runs[found, 0], runs[found, 1] = low, high
                    total += (high - low + LANES - 1) // LANES * LANES
                    found += 1
    return runs, found, total, widest


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
