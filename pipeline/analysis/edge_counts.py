"""Edges of rules counted block by block: memory grows with nodes and classes, time with edges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config.rule_labels import label_attributes, labels_of, lateral_points
from pipeline.config.rules import RuleEdges
from pipeline.sonata.layout import EDGE_TYPE, SOURCE_IDS, TARGET_IDS, CircuitPaths
from pipeline.sonata.read import read_typed_nodes


@dataclass(frozen=True)
class Ends:
    """Nodes of both sides of an edge population.

    Attributes:
        source: int64 [sources]. Class of each.
        target: int64 [targets].
        source_names: Their names, sorted.
        target_names: Their names.
        source_points: float64 [sources, 2], um, across the depth axis; None without positions.
        target_points: float64 [targets, 2].
        same: Whether both are one population.
    """

    source: np.ndarray
    target: np.ndarray
    source_names: list[str]
    target_names: list[str]
    source_points: np.ndarray | None
    target_points: np.ndarray | None
    same: bool

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.source_names), len(self.target_names)

    @property
    def placed(self) -> bool:
        return self.source_points is not None and self.target_points is not None


@dataclass(frozen=True)
class Counted:
    """Edges of a population, counted.

    Attributes:
        pairs: int64 [source classes, target classes, bins + 1]. By lateral distance; the last bin
            is beyond the others. Nodes without positions are in the first.
        synapses: int64 [source classes, target classes].
        in_degree: int64 [targets].
        out_degree: int64 [sources].
        numbers: int64 [most synapses + 1]. Edges by their number of synapses.
    """

    pairs: np.ndarray
    synapses: np.ndarray
    in_degree: np.ndarray
    out_degree: np.ndarray
    numbers: np.ndarray


def read_ends(config: RuleEdges, paths: CircuitPaths) -> Ends:
    """Reads classes and positions of the nodes.

    Raises:
        CircuitError: If nodes are missing or damaged.
    """
    sides = []
    for population, attribute in zip(
        (config.source, config.target), label_attributes(config), strict=True
    ):
        nodes = read_typed_nodes(paths.nodes(population), paths.node_types(population), population)
        points = lateral_points(nodes, config.depth_axis)
        sides.append((*labels_of(nodes, attribute), points))
    (source, source_names, source_points), (target, target_names, target_points) = sides
    same = config.source == config.target
    return Ends(source, target, source_names, target_names, source_points, target_points, same)


def count_edges(
    ends: Ends,
    blocks: Iterable[dict[str, np.ndarray]],
    width: float,
    bins: int,
    types: pd.DataFrame,
) -> Counted:
    """Counts edges block by block.

    Args:
        ends: The nodes.
        blocks: As from ``edge_blocks``, with ``nsyns`` where edges have it.
        width: Of a distance bin, um.
        bins: Their number.
        types: The edge types; their ``nsyns`` holds for edges without one of their own.
    """
    n_source, n_target = ends.shape
    pairs = np.zeros(n_source * n_target * (bins + 1), np.int64)
    synapses = np.zeros(n_source * n_target, np.float64)
    in_degree, out_degree = (
        np.zeros(len(ends.target), np.int64),
        np.zeros(len(ends.source), np.int64),
    )
    numbers = np.zeros(1, np.int64)
    for block in blocks:
        s, t = block[SOURCE_IDS].astype(np.int64), block[TARGET_IDS].astype(np.int64)
        key = ends.source[s] * n_target + ends.target[t]
        nsyns = block["nsyns"] if "nsyns" in block else _typed_nsyns(block[EDGE_TYPE], types)
        synapses += np.bincount(key, weights=nsyns, minlength=len(synapses))
        key *= bins + 1
        if ends.placed:
            offset = ends.target_points[t] - ends.source_points[s]
            distance = np.sqrt(offset[:, 0] ** 2 + offset[:, 1] ** 2)
            key += np.minimum((distance / width).astype(np.int64), bins)
        pairs += np.bincount(key, minlength=len(pairs))
        in_degree += np.bincount(t, minlength=len(in_degree))
        out_degree += np.bincount(s, minlength=len(out_degree))
        found = np.bincount(nsyns)
        size = max(len(found), len(numbers))
        numbers = np.pad(numbers, (0, size - len(numbers))) + np.pad(found, (0, size - len(found)))
    shaped = pairs.reshape(n_source, n_target, bins + 1)
    return Counted(shaped, np.rint(synapses).astype(np.int64).reshape(ends.shape),
                   in_degree, out_degree, numbers)  # fmt: skip


def _typed_nsyns(edge_types: np.ndarray, types: pd.DataFrame) -> np.ndarray:
    """Synapses per edge from its type; 1 where types say nothing."""
    if "nsyns" not in types:
        return np.ones(len(edge_types), np.int64)
    values = types["nsyns"].reindex(edge_types.astype(np.int64)).fillna(1)
    return values.to_numpy().astype(np.int64)


def near_pairs(ends: Ends, radius: float) -> np.ndarray:
    """All pairs of different nodes whose lateral distance is below a radius, counted exactly.

    Args:
        ends: The nodes; they have positions.
        radius: um.

    Returns:
        int64 [source classes, target classes].
    """
    from scipy.spatial import cKDTree

    trees = [
        [cKDTree(points[codes == code]) for code in range(len(names))]
        for points, codes, names in (
            (ends.source_points, ends.source, ends.source_names),
            (ends.target_points, ends.target, ends.target_names),
        )
    ]
    found = np.zeros(ends.shape, np.int64)
    below = np.nextafter(radius, 0.0)
    for (i, j), _ in np.ndenumerate(found):
        if ends.same and j < i:
            found[i, j] = found[j, i]
        else:
            found[i, j] = trees[0][i].count_neighbors(trees[1][j], below)
    if ends.same:
        found[np.diag_indices(len(found))] -= np.bincount(ends.source, minlength=len(found))
    return found
