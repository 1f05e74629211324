"""The two-level index of an edge file, built in bounded memory.

Runs of consecutive edges with one node are counted; then, band of nodes by band of nodes, each run
is put straight into its place (a counting sort), reading the ids once per band.
"""

from __future__ import annotations

import h5py
import numpy as np
from numba import prange

from pipeline.kernels import kernel
from pipeline.sonata import layout

BLOCK_ROWS = 1 << 22
"""Rows read at once."""
BAND_BYTES = 1 << 30
"""Memory for the runs of one band."""
SLICE_BYTES = 1 << 25
"""Memory a task writes to; about what the processor's cache holds."""


@kernel()
def count_runs(ids, last, counts):
    """Adds the runs that begin in ``ids`` to ``counts``; ``last`` is the id before, or -1."""
    for i in range(len(ids)):
        value = np.int64(ids[i])
        if value != last:
            counts[value] += 1
            last = value
    return last


@kernel(parallel=True)
def place_runs(ids, first, last, cuts, nexts, runs):
    """Puts the runs of a band of nodes in their places.

    Args:
        ids: uint64 [n]. Node ids of edges ``first`` to ``first + n - 1``.
        first: Edge id of the first row.
        last: Node id of the edge before; -1 for none.
        cuts: int64 [slices + 1]. The band cut into slices of nodes; each is a task that reads all
            ids but writes to a small piece of memory only.
        nexts: int64 [nodes of the band]. Next free place of each node.
        runs: uint64 [runs, 2]. First edge and last edge + 1.

    Returns:
        Node id of the last edge.
    """
    base = cuts[0]
    for task in prange(len(cuts) - 1):
        low, high = cuts[task], cuts[task + 1]
        before = last
        for i in range(len(ids)):
            value = np.int64(ids[i])
            if value != before:
                if low <= before < high:
                    runs[nexts[before - base] - 1, 1] = np.uint64(first + i)
                if low <= value < high:
                    runs[nexts[value - base], 0] = np.uint64(first + i)
                    nexts[value - base] += 1
                before = value
    return np.int64(ids[len(ids) - 1]) if len(ids) else last


def write_index(
    group: h5py.Group,
    ids: h5py.Dataset,
    n_nodes: int,
    block: int | None = None,
    band_bytes: int | None = None,
) -> None:
    """Writes the index from node id to its edges.

    Args:
        group: Receives ``node_id_to_ranges``, its alias and ``range_to_edge_id``.
        ids: uint64 [edges]. Node id of every edge.
        n_nodes: Number of nodes.
        block: Rows read at once.
        band_bytes: Memory for one band of runs, at least the runs of one node.
    """
    block, band = block or BLOCK_ROWS, max(1, (band_bytes or BAND_BYTES) // 16)
    counts = np.zeros(n_nodes, np.int64)
    last = -1
    for start in range(0, len(ids), block):
        last = count_runs(ids[start : start + block], last, counts)
    ends = np.cumsum(counts)
    total = int(ends[-1]) if n_nodes else 0
    ranges = np.column_stack((ends - counts, ends)).astype(np.uint64)
    name, alias = layout.INDEX_NAMES
    group.create_dataset(name, data=ranges, track_times=False)
    group[alias] = group[name]
    edges = group.create_dataset(layout.INDEX_EDGES, (total, 2), "u8", track_times=False)
    low = written = 0
    while written < total:
        high = max(low + 1, int(np.searchsorted(ends, written + band, side="right")))
        runs = np.empty((int(ends[high - 1]) - written, 2), np.uint64)
        nexts = (ends - counts)[low:high] - written
        slices = 1 + 16 * len(runs) // SLICE_BYTES
        inner = np.searchsorted(nexts, len(runs) * np.arange(1, slices) / slices)
        cuts = low + np.concatenate(([0], inner, [high - low])).astype(np.int64)
        last = -1
        for start in range(0, len(ids), block):
            last = place_runs(ids[start : start + block], start, last, cuts, nexts, runs)
        if low <= last < high:
            runs[nexts[last - low] - 1, 1] = len(ids)
        edges[written : written + len(runs)] = runs
        written += len(runs)
        low = high
