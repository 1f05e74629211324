"""Compares two edge populations in blocks: memory does not grow with the number of edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import h5py
import numpy as np

from pipeline.errors import CircuitError, Problem
from pipeline.sonata import layout
from pipeline.sonata.read import column, damaged

BLOCK = 1 << 20
"""Edges read at once."""
MOST_NODES = 1 << 31
"""Node ids above this are damage, where the nodes are not known."""
BINS = 2000
"""Bins of distances; distributions are compared up to the width of one."""


@dataclass
class Side:
    """One edge population with the cells it joins.

    Attributes:
        root: Its HDF5 group.
        places: float64 [nodes, 3] of sources and targets, um; None where there are none.
        nodes: Number of sources and of targets, 0 when not known.
    """

    root: h5py.Group
    places: tuple[np.ndarray | None, np.ndarray | None]
    nodes: tuple[int, int]

    def __len__(self) -> int:
        return len(column(self.root, layout.EDGE_TYPE, kinds="iu"))

    @cached_property
    def columns(self) -> dict[str, h5py.Dataset]:
        """Edge type and attributes, by name."""
        group, n = self.root.get(layout.GROUP, {}), len(self)
        if not isinstance(group, Mapping):
            raise damaged(f"{self.root.file.filename}:{group.name}", "is no group of columns")
        inside = [name for name, item in group.items() if isinstance(item, h5py.Dataset)]
        types = column(self.root, layout.EDGE_TYPE, n, "iu")
        return {layout.EDGE_TYPE: types} | {k: column(group, k, n, kinds="") for k in inside}


@dataclass
class Summary:
    """What one pass over a population finds.

    Attributes:
        degrees: In-degree and out-degree, int64 [targets] and [sources].
        types: Edge type id to number of edges.
        values: Attribute to n, sum, sum of squares, smallest and largest.
        histogram: int64 [BINS] of soma distances.
        length: Sum of distances, um.
        ordered: Whether edges are sorted by target, then source.
        most: Largest source id.
    """

    degrees: list[np.ndarray] = field(default_factory=lambda: [np.zeros(0, np.int64)] * 2)
    types: dict[int, int] = field(default_factory=dict)
    values: dict[str, list[float]] = field(default_factory=dict)
    histogram: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    length: float = 0.0
    ordered: bool = True
    most: int = -1


def _grown(counts: np.ndarray, ids: np.ndarray) -> np.ndarray:
    more = np.bincount(ids, minlength=len(counts))
    more[: len(counts)] += counts
    return more


def _summarise(side: Side, width: float, block: int) -> Summary:
    found = Summary()
    found.degrees = [np.zeros(n, np.int64) for n in side.nodes[::-1]]
    columns = side.columns
    before = (-1, -1)
    for low in range(0, len(side), block):
        rows = slice(low, low + block)
        source = side.root[layout.SOURCE_IDS][rows].astype(np.int64)
        target = side.root[layout.TARGET_IDS][rows].astype(np.int64)
        _require_nodes(side, source, target)
        found.degrees = [_grown(c, i) for c, i in zip(found.degrees, (target, source), strict=True)]
        found.most = max(found.most, int(source.max()))
        steps = np.diff(target, prepend=before[0])
        sources = np.diff(source, prepend=before[1])
        found.ordered &= bool(((steps > 0) | ((steps == 0) & (sources >= 0))).all())
        before = (int(target[-1]), int(source[-1]))
        for name, dataset in columns.items():
            _add_values(found, name, dataset[rows])
        if width > 0:
            d = np.linalg.norm(side.places[0][source] - side.places[1][target], axis=1)
            d = d[np.isfinite(d)]
            bins = np.minimum((d / width).astype(np.int64), BINS - 1)
            found.histogram += np.bincount(bins, minlength=BINS)
            found.length += float(d.sum())
    return found


def _require_nodes(side: Side, source: np.ndarray, target: np.ndarray) -> None:
    for ids, n, end in zip((source, target), side.nodes, ("source", "target"), strict=True):
        least, most = int(ids.min()), int(ids.max())
        if least < 0 or most >= (n or MOST_NODES):
            where = f"{side.root.file.filename}:{side.root.name}"
            wrong = least if least < 0 else most
            message = f"{end} {wrong} does not exist; there are {n or 'at most 2^31'} nodes"
            raise CircuitError(Problem(where, message, "'sonatina check' tells more"))


def _add_values(found: Summary, name: str, values: np.ndarray) -> None:
    if name == layout.EDGE_TYPE:
        for key, count in zip(*np.unique(values, return_counts=True), strict=True):
            found.types[int(key)] = found.types.get(int(key), 0) + int(count)
        return
    if values.dtype.kind not in "iufb" or values.ndim != 1:
        return
    values = values.astype(np.float64)
    values = values[np.isfinite(values)]
    entry = found.values.setdefault(name, [0, 0.0, 0.0, np.inf, -np.inf])
    if len(values):
        entry[0] += len(values)
        entry[1] += float(values.sum())
        entry[2] += float((values**2).sum())
        entry[3:] = [min(entry[3], float(values.min())), max(entry[4], float(values.max()))]


def ks_of_counts(first: np.ndarray, second: np.ndarray) -> float:
    """Kolmogorov-Smirnov distance of two histograms over the same bins; 1 if one is empty."""
    if not first.sum() or not second.sum():
        return float(bool(first.sum()) != bool(second.sum()))
    length = max(len(first), len(second))
    shares = [np.cumsum(np.pad(h, (0, length - len(h)))) / h.sum() for h in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max())


def _bin_width(sides: tuple[Side, Side]) -> float:
    """Width of distance bins, um; 0 when any end has no places or a place is no number."""
    points = [place for side in sides for place in side.places]
    if any(place is None or not len(place) for place in points):
        return 0.0
    low = np.min([np.nanmin(place, axis=0) for place in points], axis=0)
    high = np.max([np.nanmax(place, axis=0) for place in points], axis=0)
    return float(np.linalg.norm(high - low)) / BINS or 1.0


def compare_edges(first: Side, second: Side, most: int, block: int = BLOCK) -> dict[str, object]:
    """Compares two edge populations.

    Edges are matched by (target, source, how often the pair came before) when both files are sorted
    so, else by their row.

    Args:
        first: One population.
        second: The other.
        most: Differing edges to list.
        block: Edges read at once.

    Returns:
        ``equal``; ``edges`` [2]; ``types``: edge type id to counts where they differ; ``degrees``
        and ``distance``: means and KS distance; ``attributes``: n, mean, sd, min and max of both;
        ``only`` [2]: edges of one alone; ``changed``: attribute to number of matched edges that
        differ; ``columns`` [2]: attributes of one alone; ``matched_by``; ``first``: the first
        differing edges.

    Raises:
        CircuitError: If an edge ends on a node that does not exist.
    """
    sides = (first, second)
    width = _bin_width(sides)
    found = [_summarise(side, width, block) for side in sides]
    names = [set(side.columns) for side in sides]
    keys = sorted(set(found[0].types) | set(found[1].types))
    counts = {k: [s.types.get(k, 0) for s in found] for k in keys}
    result: dict[str, object] = {
        "edges": [len(first), len(second)],
        "types": {str(k): pair for k, pair in counts.items() if pair[0] != pair[1]},
        "degrees": {
            name: _degrees(found[0].degrees[i], found[1].degrees[i])
            for i, name in enumerate(("in", "out"))
        },
        "distance": _distances(found, width),
        "attributes": {
            name: [_moments(s.values.get(name)) for s in found]
            for name in sorted(set(found[0].values) | set(found[1].values))
        },
        "columns": [sorted(names[0] - names[1]), sorted(names[1] - names[0])],
    }
    ordered = found[0].ordered and found[1].ordered
    stride = max(s.most for s in found) + 1
    walk = _Walk(sides, sorted(names[0] & names[1]), most, stride if ordered else 0)
    walk.run(block)
    result |= {
        "matched_by": "pair" if ordered else "row", "only": walk.only, "changed": walk.changed,
        "first": walk.examples,
    }  # fmt: skip
    result["equal"] = not (
        any(walk.only) or any(walk.changed.values()) or any(result["columns"]) or result["types"]
    )
    return result


def _degrees(first: np.ndarray, second: np.ndarray) -> dict[str, object]:
    counts = [np.bincount(degrees) for degrees in (first, second)]
    means = [float(d.mean()) if len(d) else 0.0 for d in (first, second)]
    return {"mean": means, "ks": ks_of_counts(*counts)}


def _distances(found: list[Summary], width: float) -> dict[str, object] | None:
    if width == 0:
        return None
    means = [s.length / max(int(s.histogram.sum()), 1) for s in found]
    return {"mean": means, "ks": ks_of_counts(found[0].histogram, found[1].histogram)}


def _moments(entry: list[float] | None) -> Mapping[str, float] | None:
    if entry is None or not entry[0]:
        return None
    n, total, squares, low, high = entry
    variance = max(squares / n - (total / n) ** 2, 0.0)
    return {"n": n, "mean": total / n, "sd": variance**0.5, "min": low, "max": high}


class _Walk:
    """Walks both files side by side and matches edges.

    Args:
        sides: Both populations.
        shared: Columns of both.
        most: Examples to keep.
        stride: Factor of the target in the sorting key; 0 matches row by row.
    """

    def __init__(self, sides: tuple[Side, Side], shared: list[str], most: int, stride: int):
        self.sides, self.shared, self.most, self.stride = sides, shared, most, stride
        self.only = [0, 0]
        self.changed = dict.fromkeys(shared if stride else [*shared, "ends"], 0)
        self.examples: list[dict[str, object]] = []

    def run(self, block: int) -> None:
        """Walks to the end of both files, ``block`` edges at a time."""
        places, size = [0, 0], block
        while any(place < len(side) for place, side in zip(places, self.sides, strict=True)):
            ids = [self._ends(i, slice(places[i], places[i] + size)) for i in (0, 1)]
            if self.stride:
                keys = [target * self.stride + source for source, target in ids]
                taken = self._taken(keys, places)
                if not any(taken):
                    size *= 2  # more edges of one pair than fit in a block
                    continue
            else:
                keys = [
                    np.arange(place, place + len(i[0]))
                    for place, i in zip(places, ids, strict=True)
                ]
                taken = [len(key) for key in keys]
            self._match([key[:n] for key, n in zip(keys, taken, strict=True)], ids, places)
            places, size = [place + n for place, n in zip(places, taken, strict=True)], block

    def _ends(self, i: int, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        root = self.sides[i].root
        names = (layout.SOURCE_IDS, layout.TARGET_IDS)
        return tuple(root[name][rows].astype(np.int64) for name in names)

    def _taken(self, keys: list[np.ndarray], places: list[int]) -> list[int]:
        """How many rows of each block can be matched: those before the last key of any."""
        limit = min(
            (int(key[-1]) for key, place, side in zip(keys, places, self.sides, strict=True)
             if place + len(key) < len(side)), default=None,
        )  # fmt: skip
        if limit is None:
            return [len(key) for key in keys]
        return [int(np.searchsorted(key, limit)) for key in keys]

    def _match(self, keys: list[np.ndarray], ids: list, places: list[int]) -> None:
        same = [np.arange(len(key)) for key in keys]
        if not np.array_equal(*keys):
            ranks = [_ranks(key) for key in keys]
            base = min(int(key[0]) for key in keys if len(key))
            wide = 1 + max(int(rank.max(initial=0)) for rank in ranks)
            codes = [(key - base) * wide + r for key, r in zip(keys, ranks, strict=True)]
            _, *same = np.intersect1d(*codes, assume_unique=True, return_indices=True)
        events: list[tuple[int, int, dict[str, object]]] = []
        for i in (0, 1):
            alone = np.setdiff1d(np.arange(len(keys[i])), same[i], assume_unique=True)
            self.only[i] += len(alone)
            for row in alone[: self.most]:
                event = {"only_in": "AB"[i], "edge": [None, None]} | _pair(ids[i], row)
                event["edge"][i] = int(places[i] + row)
                events.append((int(keys[i][row]), i, event))
        events += self._changes(keys, ids, places, same)
        room = self.most - len(self.examples)
        ordered = sorted(events, key=lambda event: event[:2])
        self.examples += [event for _, _, event in ordered[:room]]

    def _changes(self, keys, ids, places, same) -> list[tuple[int, int, dict[str, object]]]:
        different: dict[str, np.ndarray] = {}
        values: dict[str, list[np.ndarray]] = {}
        if not self.stride:
            ends = [np.stack(pair)[:, rows] for pair, rows in zip(ids, same, strict=True)]
            different["ends"] = (ends[0] != ends[1]).any(axis=0)
        for name in self.shared:
            values[name] = [
                side.columns[name][place : place + len(key)][rows]
                for side, place, key, rows in zip(self.sides, places, keys, same, strict=True)
            ]
            different[name] = _unequal(*values[name])
        for name, flags in different.items():
            self.changed[name] += int(flags.sum())
        anywhere = np.any(list(different.values()), axis=0) if different else np.zeros(0, bool)
        events = []
        for row in np.flatnonzero(anywhere)[: self.most]:
            a, b = (int(rows[row]) for rows in same)
            event: dict[str, object] = {"edge": [places[0] + a, places[1] + b]} | _pair(ids[0], a)
            if "ends" in different and different["ends"][row]:
                event["other_ends"] = _pair(ids[1], b)
            event["values"] = {
                name: [_plain(value[row]) for value in values[name]]
                for name in self.shared if different[name][row]
            }  # fmt: skip
            events.append((int(keys[0][a]), 2, event))
        return events


def _pair(ids: tuple[np.ndarray, np.ndarray], row: int) -> dict[str, object]:
    return {"source": int(ids[0][row]), "target": int(ids[1][row])}


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else np.asarray(value).tolist()


def _ranks(keys: np.ndarray) -> np.ndarray:
    """How often the same key came before: int64 [n], for sorted keys."""
    if not len(keys):
        return keys
    starts = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
    return np.arange(len(keys)) - np.repeat(starts, np.diff(starts, append=len(keys)))


def _unequal(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rows that differ: bool [n]; two NaN are the same."""
    if first.shape != second.shape:
        return np.ones(len(first), bool)
    flags = first != second
    if first.dtype.kind == "f" and second.dtype.kind == "f":
        flags &= ~(np.isnan(first) & np.isnan(second))
    return flags.reshape(len(first), -1).any(axis=1) if flags.ndim > 1 else flags
