"""Populations without morphologies: cells by attribute, and places thinned for drawing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.analysis.placed import analyse_placed
from pipeline.analysis.structure import Metric
from pipeline.config.load import Resolved
from pipeline.config.placement import ImportedNodes, PlacedNodes, PointNodes
from pipeline.config.rule_labels import PLAIN, label_attributes, labels_of
from pipeline.config.rules import RuleEdges
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_typed_nodes

MOST_VALUES = 200
"""An attribute with more different values sorts no cells."""
MOST_PLACES = 20_000
"""Cells of a population whose places are written for the report."""
SKIPPED = ("model_type", "model_template", "dynamics_params")
COLUMNS = ["population", "attribute", "value", "cells", "y_min_um", "y_max_um"]


def plain_populations(resolved: Resolved) -> list[str]:
    """Populations of placed, listed or imported cells."""
    kinds = PlacedNodes | PointNodes | ImportedNodes
    return [name for name, nodes in resolved.model.nodes.items() if isinstance(nodes, kinds)]


def class_attribute(resolved: Resolved, population: str) -> str:
    """The attribute that rules sort the cells of a population by; the cell type without rules."""
    for edges in resolved.model.edges.values():
        if isinstance(edges, RuleEdges):
            attributes = label_attributes(edges)
            for side, attribute in zip((edges.target, edges.source), attributes[::-1], strict=True):
                if side == population:
                    return attribute
    return PLAIN


def count_cells(population: str, nodes: pd.DataFrame) -> pd.DataFrame:
    """Cells by every text attribute.

    Args:
        population: Its name.
        nodes: One row per cell with the attributes of its type.

    Returns:
        population, attribute, value, cells (int), y_min_um, y_max_um (NaN without positions); first
        one row with the empty attribute for all cells.
    """
    depth = nodes["y"].to_numpy(np.float64) if "y" in nodes else np.full(len(nodes), np.nan)
    rows = [(population, "", "", len(nodes), *_range(depth))]
    for attribute in nodes:
        column = nodes[attribute]
        text = isinstance(column.dtype, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(
            column.dtype
        )
        if not text or attribute in SKIPPED or column.isna().all():
            continue
        codes, values = labels_of(nodes, attribute)
        if len(values) > MOST_VALUES:
            continue
        order = np.argsort(codes, kind="stable")
        parts = np.split(depth[order], np.cumsum(np.bincount(codes))[:-1])
        firsts = [int(order[n]) for n in np.cumsum([0, *map(len, parts[:-1])])]
        for k in np.argsort(firsts, kind="stable"):
            rows.append((population, attribute, values[k], len(parts[k]), *_range(parts[k])))
    return pd.DataFrame(rows, columns=COLUMNS)


def _range(depth: np.ndarray) -> tuple[float, float]:
    known = depth[np.isfinite(depth)]
    return (float(known.min()), float(known.max())) if len(known) else (np.nan, np.nan)


def places(nodes: pd.DataFrame, attribute: str) -> pd.DataFrame:
    """Every k-th cell: node_id, class, x, y, z (um); empty for cells without positions.

    Units of the visual field have x and y in degrees and no z, which is 0 then.
    """
    if not set("xy") <= set(nodes.columns):
        return pd.DataFrame(columns=["node_id", "class", "x", "y", "z"])
    codes, names = labels_of(nodes, attribute)
    step = max(1, -(-len(nodes) // MOST_PLACES))
    thinned = nodes.iloc[::step]
    table = pd.DataFrame({
        "node_id": thinned.index, "class": np.array(names, object)[codes[::step]],
    })  # fmt: skip
    known = {axis: thinned[axis].to_numpy(np.float64) for axis in "xyz" if axis in thinned}
    return table.assign(**({"x": 0.0, "y": 0.0, "z": 0.0} | known))


def analyse_populations(
    resolved: Resolved, paths: CircuitPaths
) -> tuple[dict[str, pd.DataFrame], list[Metric]]:
    """Counts and places of every plain population.

    Returns:
        Table name to table (``populations``, ``places_<population>``, and those of
        ``analyse_placed`` for cells that draw morphologies; none without plain populations), and
        metrics: ``nodes.<population>.cells``, ``nodes.<population>.<attribute>.<value>`` and those
        of ``analyse_placed``.

    Raises:
        CircuitError: If nodes are missing or damaged.
    """
    tables, counts, more = {}, [], []
    for name in plain_populations(resolved):
        nodes = read_typed_nodes(paths.nodes(name), paths.node_types(name), name)
        counts.append(count_cells(name, nodes))
        if getattr(resolved.model.nodes[name], "morphologies", None):
            found, metrics = analyse_placed(paths, name, nodes)
            tables |= found
            more += metrics
            continue
        table = places(nodes, class_attribute(resolved, name))
        if len(table):
            tables[f"places_{name}"] = table
    if not counts:
        return {}, []
    frame = pd.concat(counts, ignore_index=True)
    metrics = [
        (".".join(filter(None, (f"nodes.{row.population}", row.attribute, row.value or "cells"))),
         int(row.cells), "")
        for row in frame.itertuples(index=False)
    ]  # fmt: skip
    return {"populations": frame, **tables}, metrics + more
