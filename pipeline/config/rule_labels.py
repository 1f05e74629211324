"""How the edges of rules are sorted for people: classes, radius, and the tables that hold them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipeline.config.afferents import AfferentEdges
from pipeline.config.load import Resolved
from pipeline.config.pair_values import PairTable
from pipeline.config.quantity import Strict
from pipeline.config.rules import RuleEdges
from pipeline.config.touches import TouchEdges
from pipeline.config.yaml_lines import KeyPath

DEFAULT_RADIUS = 75.0
"""Lateral distance (um) below which probabilities are compared when no rule names one."""
BINS_PER_RADIUS = 15
RADII = 6
"""Distance profiles end at this many radii."""
PLAIN = "cell_type"
PLAN_TABLES = ("", "_profile", "_synapses")
TOUCH_TABLES = ("calibration", "pathways", "mtypes", "depth", "degrees")


def pair_tables(value: object, path: KeyPath = ()) -> Iterator[tuple[PairTable, KeyPath]]:
    """Yields every table below a part of the config with its key path."""
    if isinstance(value, PairTable):
        yield value, path
    elif isinstance(value, Strict):
        for name in type(value).model_fields:
            yield from pair_tables(getattr(value, name), (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from pair_tables(item, (*path, index))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from pair_tables(item, (*path, name))


def label_attributes(config: RuleEdges) -> tuple[str, str]:
    """Node attributes whose values are the classes of sources and targets.

    Those of the first table of a connection law, else of a synapse law, else the cell type.
    """
    for part in ([rule.connect for rule in config.rules], [rule.synapse for rule in config.rules]):
        for table, _ in pair_tables(part):
            return table.source_by, table.target_by
    return PLAIN, PLAIN


def labels_of(nodes: pd.DataFrame, attribute: str) -> tuple[np.ndarray, list[str]]:
    """Classes of nodes.

    Args:
        nodes: One row per node with the attributes of its type.
        attribute: As from ``label_attributes``; nodes without it are of one class ``all``.

    Returns:
        int64 [nodes] code of each node, and the labels in sorted order.
    """
    if attribute not in nodes and attribute == PLAIN:
        attribute = next((name for name in ("pop_name", "type") if name in nodes), attribute)
    if attribute not in nodes:
        return np.zeros(len(nodes), np.int64), ["all"]
    values = nodes[attribute]
    if isinstance(values.dtype, pd.CategoricalDtype):
        known = values.cat.categories.astype(str).to_numpy()
        labels, places = np.unique(known, return_inverse=True)
        codes = places[values.cat.codes.to_numpy()]
    else:
        labels, codes = np.unique(values.astype(str).to_numpy(), return_inverse=True)
    present = np.bincount(codes, minlength=len(labels)) > 0
    rank = np.cumsum(present) - 1
    return rank[codes].astype(np.int64), [str(label) for label in labels[present]]


def near_radius(config: RuleEdges) -> float:
    """The radius (um) that the rules' probabilities are means within, else ``DEFAULT_RADIUS``."""
    for rule in config.rules:
        for law in rule.connect:
            if within := getattr(law, "mean_within", None):
                return float(within)
    return DEFAULT_RADIUS


def distance_bins(config: RuleEdges) -> tuple[float, int]:
    """Width (um) and number of the bins of lateral distance; whole bins fill the radius."""
    return near_radius(config) / BINS_PER_RADIUS, BINS_PER_RADIUS * RADII


def lateral_points(nodes: pd.DataFrame, depth_axis: str) -> np.ndarray | None:
    """float64 [nodes, 2], um, across the depth axis; None for nodes without positions."""
    if not set("xyz") <= set(nodes.columns):
        return None
    return nodes[[axis for axis in "xyz" if axis != depth_axis]].to_numpy(np.float64)


def plan_tables(resolved: Resolved, name: str) -> list[str]:
    """Analysis tables that the edges stage writes beside the edges of one config."""
    edges = resolved.model.edges[name]
    if isinstance(edges, TouchEdges):
        return [f"touches_{name}_{tail}" for tail in TOUCH_TABLES]
    if isinstance(edges, AfferentEdges):
        return [f"afferents_{name}"]
    if not isinstance(edges, RuleEdges):
        return []
    return [f"plan_{name}{tail}" for tail in PLAN_TABLES]
