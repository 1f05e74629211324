"""Puts BMTK's outputs into an order that does not depend on ranks: by time and node, reports by node."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

BLOCK_VALUES = 4_000_000
PER_NODE, PER_ELEMENT = ("node_ids",), ("element_ids", "element_pos", "src_ids", "trg_ids")


def order_file(path: Path) -> None:
    """Sorts the spikes and frame reports of a file in place; files of other content stay.

    BMTK writes rank after rank. Spikes are sorted by time, then node; elements of a report by node,
    those of a node stay in their order.
    """
    with h5py.File(path, "r+") as handle:
        for group in handle.get("spikes", {}).values():
            if isinstance(group, h5py.Group) and {"timestamps", "node_ids"} <= set(group):
                _order_spikes(group)
        for group in handle.get("report", {}).values():
            if "data" in group and {"node_ids", "index_pointer"} <= set(group.get("mapping", {})):
                _order_report(group)


def _order_spikes(group: h5py.Group) -> None:
    times, nodes = group["timestamps"][:], group["node_ids"][:]
    order = np.lexsort((nodes, times))
    group["timestamps"][:], group["node_ids"][:] = times[order], nodes[order]


def _order_report(group: h5py.Group) -> None:
    mapping = group["mapping"]
    nodes, pointers = mapping["node_ids"][:], mapping["index_pointer"][:].astype(np.int64)
    order = np.argsort(nodes, kind="stable")
    if np.array_equal(order, np.arange(len(nodes))) or len(pointers) != len(nodes) + 1:
        return
    starts, counts = pointers[:-1][order], np.diff(pointers)[order]
    columns = np.concatenate([np.arange(s, s + c) for s, c in zip(starts, counts, strict=True)])
    mapping["node_ids"][:] = nodes[order]
    mapping["index_pointer"][1:] = np.cumsum(counts).astype(mapping["index_pointer"].dtype)
    for name in PER_ELEMENT:
        if name in mapping and len(mapping[name]) == len(columns):
            mapping[name][:] = mapping[name][:][columns]
    data = group["data"]
    rows = max(1, BLOCK_VALUES // max(1, data.shape[1]))
    for start in range(0, len(data), rows):
        data[start : start + rows] = data[start : start + rows][:, columns]
