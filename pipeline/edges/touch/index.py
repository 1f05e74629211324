"""All segments that can be touched, in uniform grids of a few levels, each segment exactly once.

A segment belongs to the level that fits its size (half its largest extent plus its reach) and to
the grid cell of its midpoint. A search looks, on each level, as far as the largest size there, so
long and fat segments are found without cutting or copies, and make no search for short ones wider.
Segments lie in grid order: a row of cells is one run in memory. Level bounds and cell edges change
the speed, never the answer.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from pipeline.edges.touch.arrays import AXON, SOMA, Cells, Shapes, TouchRules
from pipeline.edges.touch.geometry import to_world
from pipeline.edges.touch.kernel import LANES
from pipeline.kernels import kernel

LEVEL_FACTOR = 2.0
CELL_PER_SIZE = 1.0
"""Edge of a grid cell in units of the level's largest size (measured: see bench/touch.py)."""
SOMA_FLAG = np.uint32(1 << 31)


class Index(NamedTuple):
    """Target segments in grid order. Arrays of segments have ``LANES`` entries of padding.

    Attributes:
        segments: float32 [7, n + LANES], rows x, y, z of the start, of the end, and the reach
            (radius plus spine length), um.
        cell: uint32 [n + LANES], row of the cell.
        row: uint32 [n + LANES], row in ``Shapes``; with SOMA_FLAG set for somata.
        starts: uint32, first segment of every grid cell, level after level, y fastest, then z.
        first_cell: int64 [levels], of the level in ``starts``.
        counts: int64 [levels, 3], grid cells along x, y, z.
        origin: float64 [3], um.
        edge: float64 [levels], um.
        size: float64 [levels], largest size of a segment, um.
        total: Segments.
    """

    segments: np.ndarray
    cell: np.ndarray
    row: np.ndarray
    starts: np.ndarray
    first_cell: np.ndarray
    counts: np.ndarray
    origin: np.ndarray
    edge: np.ndarray
    size: np.ndarray
    total: int


class _Source(NamedTuple):
    """What the compiled passes read: targets' rows by morphology, shapes and cells."""

    first: np.ndarray
    rows: np.ndarray
    start: np.ndarray
    end: np.ndarray
    radius: np.ndarray
    kind: np.ndarray
    morphology: np.ndarray
    position: np.ndarray
    rotation: np.ndarray
    mtype: np.ndarray
    spine: np.ndarray


def build_index(
    shapes: Shapes,
    cells: Cells,
    rules: TouchRules,
    threads: int = 1,
    base: float | None = None,
    edge: float = CELL_PER_SIZE,
) -> Index:
    """Places and indexes somata and dendrites of all cells.

    Args:
        shapes: Morphologies.
        cells: All cells of the circuit.
        rules: For the spine lengths.
        threads: Threads of the passes over segments.
        base: Size of the first level, um; none chooses it from the sizes.
        edge: Edge of a grid cell in units of its level's size.
    """
    source = _source(shapes, cells, rules)
    per_cell = np.diff(source.first)[cells.morphology]
    place = np.concatenate([[0], np.cumsum(per_cell)]).astype(np.int64)
    n = int(place[-1])
    cuts = np.unique(np.searchsorted(place, np.linspace(0, n, 4 * threads + 1)))
    chunks = list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        grid, owner = _assign(source, place, chunks, pool, base, edge)
        starts, cell, rank = _sort(owner, int(grid.first_cell[-1]), place)
        del owner
        segments, row = np.zeros((7, n + LANES), np.float32), np.zeros(n + LANES, np.uint32)
        steps = np.linspace(0, n, 4 * threads + 1).astype(np.int64).tolist()
        spans = zip(steps[:-1], steps[1:], strict=True)
        list(pool.map(lambda span: _fill(source, *span, cell, rank, segments, row), spans))
    return Index(segments, cell, row, starts, *grid._replace(first_cell=grid.first_cell[:-1]), n)


class _Grid(NamedTuple):
    """The fields of that name of ``Index``; ``first_cell`` with the end of the last level."""

    first_cell: np.ndarray
    counts: np.ndarray
    origin: np.ndarray
    edge: np.ndarray
    size: np.ndarray


def _assign(source, place, chunks, pool, base, edge) -> tuple[_Grid, np.ndarray]:
    """Makes the grids; returns them and every segment's grid cell, uint32, in order of cells."""
    n = int(place[-1])
    middle, sizes = np.empty((n, 3), np.float32), np.empty(n, np.float32)
    owner = np.empty(n, np.uint32)

    def measure(chunk):
        _measure(source, place, *chunk, middle, sizes)

    def find(chunk):
        part = slice(place[chunk[0]], place[chunk[1]])
        _find_cells(middle[part], level[part], low, edges, counts, first_cell, owner[part])

    list(pool.map(measure, chunks))
    bounds, level = _levels(sizes, base)
    low, high = _box(middle)
    first_cell, counts, edges, largest = _grids(sizes, level, bounds, high - low, edge)
    list(pool.map(find, chunks))
    return _Grid(first_cell, counts, low, edges, largest), owner


def _source(shapes: Shapes, cells: Cells, rules: TouchRules) -> _Source:
    rows = [
        low + np.flatnonzero(shapes.kind[low:high] != AXON)
        for low, high in zip(shapes.first[:-1], shapes.first[1:], strict=True)
    ]
    first = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    return _Source(
        first, np.concatenate(rows).astype(np.int64), shapes.start, shapes.end, shapes.radius,
        shapes.kind, cells.morphology, cells.position, cells.rotation, cells.mtype,
        rules.spine_length,
    )  # fmt: skip


def _levels(sizes: np.ndarray, base: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Upper bounds of the levels, and every segment's level."""
    base = base or (float(np.median(sizes[:: max(1, len(sizes) >> 16)])) if len(sizes) else 1.0)
    top = float(sizes.max()) if len(sizes) else base
    steps = max(0, int(np.ceil(np.log(max(top / base, 1.0)) / np.log(LEVEL_FACTOR))))
    bounds = base * LEVEL_FACTOR ** np.arange(steps + 1)
    bounds[-1] = max(bounds[-1], top)
    return bounds, np.searchsorted(bounds, sizes).astype(np.uint8)


def _box(middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(middle):
        return np.zeros(3), np.zeros(3)
    return middle.min(axis=0).astype(np.float64), middle.max(axis=0).astype(np.float64)


def _grids(sizes, level, bounds, extent, edge):
    """First grid cell, cells along the axes, edge and largest size of each level that is used."""
    members = np.bincount(level, minlength=len(bounds))
    counts, edges, largest, cells = [], [], [], [0]
    for index in range(len(bounds)):
        size = float(sizes[level == index].max()) if members[index] else 0.0
        width = edge * max(float(bounds[index]), 1e-3)
        while np.prod(np.floor(extent / width) + 1) > 2 * members[index] + 64:
            width *= 1.1  # a grid emptier than this costs memory and gains nothing
        shape = (np.floor(extent / width) + 1).astype(np.int64)
        counts.append(shape)
        edges.append(width)
        largest.append(size if members[index] else -1.0)
        cells.append(cells[-1] + int(shape.prod()))
    return np.array(cells, np.int64), np.array(counts), np.array(edges), np.array(largest)


@kernel()
def _measure(source, place, low, high, middle, sizes):
    """Midpoint and size of every target segment of cells low..high."""
    for cell in range(low, high):
        shape, at = source.morphology[cell], place[cell]
        turn, shift = source.rotation[cell], source.position[cell]
        spine = source.spine[source.mtype[cell]]
        for k in range(source.first[shape], source.first[shape + 1]):
            row = source.rows[k]
            a, b = source.start[row], source.end[row]
            x0, y0, z0 = to_world(turn, shift, a[0], a[1], a[2])
            x1, y1, z1 = to_world(turn, shift, b[0], b[1], b[2])
            middle[at, 0] = (x0 + x1) / np.float32(2)
            middle[at, 1] = (y0 + y1) / np.float32(2)
            middle[at, 2] = (z0 + z1) / np.float32(2)
            extent = max(abs(x1 - x0), abs(y1 - y0), abs(z1 - z0))
            sizes[at] = extent / np.float32(2) + source.radius[row] + spine
            at += 1


@kernel()
def _find_cells(middle, level, origin, edge, counts, first_cell, owner):
    """Grid cell of every segment."""
    for i in range(len(level)):
        k = level[i]
        ix = min(np.int64((middle[i, 0] - origin[0]) / edge[k]), counts[k, 0] - 1)
        iy = min(np.int64((middle[i, 1] - origin[1]) / edge[k]), counts[k, 1] - 1)
        iz = min(np.int64((middle[i, 2] - origin[2]) / edge[k]), counts[k, 2] - 1)
        owner[i] = first_cell[k] + (ix * counts[k, 2] + iz) * counts[k, 1] + iy


@kernel()
def _sort(owner, grid_cells, place):
    """Counting sort by grid cell: first segments, and in grid order the cell and its local row."""
    starts = np.zeros(grid_cells + 1, np.uint32)
    for i in range(len(owner)):
        starts[owner[i] + 1] += np.uint32(1)
    for i in range(grid_cells):
        starts[i + 1] += starts[i]
    cells = np.zeros(len(owner) + LANES, np.uint32)
    rank = np.empty(len(owner), np.uint32)
    for cell in range(len(place) - 1):
        for i in range(place[cell], place[cell + 1]):
            at = starts[owner[i]]
            starts[owner[i]] = at + np.uint32(1)
            cells[at] = cell
            rank[at] = i - place[cell]
    for i in range(grid_cells, 0, -1):  # each entry has moved on to the next one's start
        starts[i] = starts[i - 1]
    starts[0] = 0
    return starts, cells, rank


@kernel()
def _fill(source, low, high, cells, rank, segments, rows):
    """Writes the segments low..high of the grid order."""
    for i in range(low, high):
        cell = cells[i]
        turn, shift = source.rotation[cell], source.position[cell]
        row = source.rows[source.first[source.morphology[cell]] + rank[i]]
        for end, first in ((source.start, 0), (source.end, 3)):
            point = to_world(turn, shift, end[row, 0], end[row, 1], end[row, 2])
            segments[first, i], segments[first + 1, i], segments[first + 2, i] = point
        segments[6, i] = source.radius[row] + source.spine[source.mtype[cell]]
        rows[i] = np.uint32(row) | (SOMA_FLAG if source.kind[row] == SOMA else np.uint32(0))
