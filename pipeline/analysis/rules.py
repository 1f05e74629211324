"""Edges made by rules, beside what the rules say: class pairs, distances, degrees, synapses.

The expectation is read from ``analysis/plan_<edges>*.csv``, which the edges stage wrote. Edges are
read a block at a time: memory grows with nodes and classes, time with edges.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.analysis.edge_counts import Counted, Ends, count_edges, near_pairs, read_ends
from pipeline.analysis.structure import Metric
from pipeline.config.load import Resolved
from pipeline.config.rule_labels import (
    PLAN_TABLES,
    distance_bins,
    near_radius,
    plan_tables,
)
from pipeline.config.rules import RuleEdges
from pipeline.errors import CircuitError, Problem
from pipeline.runtime import progress
from pipeline.sonata.layout import (
    CHEMICAL,
    CircuitPaths,
    edge_population_name,
)
from pipeline.sonata.read import edge_blocks, read_types

HISTOGRAM_BINS = 40
"""Most bins of a degree distribution."""
PROFILE = [
    "edges", "kernel", "sources", "targets", "low_um", "high_um", "possible", "pairs", "expected_pairs",
    "probability", "expected_probability",
]  # fmt: skip
"""Columns of a profile; a circuit without laws of distance has them, too."""
QUANTILES = {"q05": 0.05, "median": 0.5, "q95": 0.95}


def read_plan(resolved: Resolved, name: str, paths: CircuitPaths) -> dict[str, pd.DataFrame]:
    """Reads what the edges stage expected, by the endings of ``PLAN_TABLES``.

    Raises:
        CircuitError: If a table is missing.
    """
    found = {}
    for tail, table in zip(PLAN_TABLES, plan_tables(resolved, name), strict=True):
        path = paths.analysis(table)
        if not path.is_file():
            hint = f"run 'sonatina edges {resolved.model.name} {resolved.model.variant}' again"
            raise CircuitError(Problem(str(path), "does not exist", hint))
        text = dict.fromkeys(("source", "target", "kernel"), str)
        found[tail] = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=text)
        found[tail] = found[tail].fillna({"kernel": ""})
    return found


def class_pairs(
    name: str, ends: Ends, counted: Counted, near: np.ndarray | None, bins_near: int,
    plan: pd.DataFrame,
) -> pd.DataFrame:  # fmt: skip
    """Class pair by class pair, measured beside expected.

    Returns:
        edges, source, target, source_cells, target_cells (int), pairs, expected_pairs, synapses,
        expected_synapses, synapses_per_cell (mean onto a target cell), expected_synapses_per_cell,
        possible_near, pairs_near (int; below the radius), probability, expected_probability
        (within the radius; NaN without possible pairs), amplitude (of the law), kernel.
    """
    source, target = np.meshgrid(ends.source_names, ends.target_names, indexing="ij")
    sizes = [np.bincount(codes, minlength=n) for codes, n in
             zip((ends.source, ends.target), ends.shape, strict=True)]  # fmt: skip
    cells = np.broadcast_to(sizes[0][:, None], ends.shape), np.broadcast_to(sizes[1], ends.shape)
    columns = {
        "source": source, "target": target, "source_cells": cells[0], "target_cells": cells[1],
        "pairs": counted.pairs.sum(axis=2), "synapses": counted.synapses,
        "possible_near": np.zeros(ends.shape, np.int64) if near is None else near,
        "pairs_near": counted.pairs[:, :, :bins_near].sum(axis=2) if near is not None
        else np.zeros(ends.shape, np.int64),
    }  # fmt: skip
    table = pd.DataFrame({key: np.ravel(values) for key, values in columns.items()})
    wanted = plan.rename(columns={"possible_near": "sampled_near"})
    table = table.merge(wanted, "left", ["source", "target"], validate="1:1")
    missing = table["expected_pairs"].isna()
    if missing.any():
        row = table[missing].iloc[0]
        message = f"no expectation for {row['source']} to {row['target']}"
        raise CircuitError(Problem(f"plan_{name}.csv", message, "run 'sonatina edges' again"))
    table["synapses_per_cell"] = table["synapses"] / table["target_cells"]
    table["expected_synapses_per_cell"] = table["expected_synapses"] / table["target_cells"]
    table["probability"] = _ratio(table["pairs_near"], table["possible_near"])
    table["expected_probability"] = _ratio(table["expected_near"], table["sampled_near"])
    if near is None:
        table["expected_probability"] = np.nan
    table.insert(0, "edges", name)
    return table[[
        "edges", "source", "target", "source_cells", "target_cells", "pairs", "expected_pairs",
        "synapses", "expected_synapses", "synapses_per_cell", "expected_synapses_per_cell",
        "possible_near", "pairs_near", "probability", "expected_probability", "amplitude", "kernel",
    ]]  # fmt: skip


def _ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    return part / whole.where(whole > 0)


def profiles(name: str, ends: Ends, counted: Counted, plan: pd.DataFrame) -> pd.DataFrame:
    """Connection probability by lateral distance for class pairs that share a distance law.

    Returns:
        edges, kernel, sources, targets (names joined by blanks), low_um, high_um, possible
        (estimated from sampled targets; exact in small circuits), pairs (int), expected_pairs,
        probability, expected_probability. Bins beyond the last radius are left out, and class pairs
        without a law.
    """
    width = float(plan["high_um"].min())
    bins = counted.pairs.shape[2] - 1
    inner = plan[(plan["kernel"] != "") & np.isfinite(plan["high_um"])]
    place = np.rint(inner["low_um"] / width).astype(np.int64)
    index = [{n: i for i, n in enumerate(side)} for side in (ends.source_names, ends.target_names)]
    s, t = inner["source"].map(index[0]), inner["target"].map(index[1])
    inner = inner.assign(place=place, pairs=counted.pairs[s, t, np.minimum(place, bins)])
    rows = []
    for kernel, frame in inner.groupby("kernel", sort=False):
        sums = frame.groupby("place")[["possible", "pairs", "expected"]].sum()
        rows.append(pd.DataFrame({
            "edges": name, "kernel": kernel, "sources": " ".join(dict.fromkeys(frame["source"])),
            "targets": " ".join(dict.fromkeys(frame["target"])), "low_um": sums.index * width,
            "high_um": (sums.index + 1) * width, "possible": sums["possible"],
            "pairs": sums["pairs"], "expected_pairs": sums["expected"],
            "probability": sums["pairs"] / sums["possible"],
            "expected_probability": sums["expected"] / sums["possible"],
        })[PROFILE])  # fmt: skip
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=PROFILE)


def degrees(
    name: str, ends: Ends, counted: Counted, table: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """In- and out-degrees by class.

    Args:
        name: Key under ``edges``.
        ends: The nodes.
        counted: The edges.
        table: As from ``class_pairs``.

    Returns:
        edges, side (in or out), class, cells, expected_mean, mean, sd, min, q05, median, q95, max;
        and the distributions: edges, side, class, low, high (degrees, high excluded), cells.
    """
    rows, distributions = [], []
    for side, codes, names, values, key in (
        ("in", ends.target, ends.target_names, counted.in_degree, "target"),
        ("out", ends.source, ends.source_names, counted.out_degree, "source"),
    ):
        wanted = table.groupby(key)["expected_pairs"].sum()
        step = max(1, -(-(int(values.max(initial=0)) + 1) // HISTOGRAM_BINS))
        for code, label in enumerate(names):
            mine = values[codes == code]
            quantiles = np.quantile(mine, list(QUANTILES.values()))
            rows.append({
                "edges": name, "side": side, "class": label, "cells": len(mine),
                "expected_mean": wanted[label] / len(mine), "mean": mine.mean(), "sd": mine.std(),
                "min": mine.min(), **dict(zip(QUANTILES, quantiles, strict=True)), "max": mine.max(),
            })  # fmt: skip
            found = np.bincount(mine // step)
            low = np.arange(len(found)) * step
            distributions.append(pd.DataFrame({
                "edges": name, "side": side, "class": label, "low": low, "high": low + step,
                "cells": found,
            }))  # fmt: skip
    return pd.DataFrame(rows), pd.concat(distributions, ignore_index=True)


def synapse_numbers(name: str, counted: Counted, plan: pd.DataFrame) -> pd.DataFrame:
    """edges, nsyns, pairs, expected_pairs: connected pairs by their number of synapses."""
    measured = pd.Series(counted.numbers, name="pairs").rename_axis("nsyns")
    expected = plan.set_index("nsyns")["expected_pairs"]
    table = pd.concat([measured[measured > 0], expected], axis=1).fillna(0.0).sort_index()
    table["pairs"] = table["pairs"].astype(np.int64)
    table = table.rename_axis("nsyns").reset_index()
    table.insert(0, "edges", name)
    return table


def metrics(name: str, counted: Counted, table: pd.DataFrame) -> list[Metric]:
    """Totals, synapses per pair, and probability and amplitude of every class pair.

    The amplitude is that of the law times measured over expected pairs within the radius, so it says
    which peak probability the edges themselves speak for.
    """
    pairs, synapses = int(table["pairs"].sum()), int(table["synapses"].sum())
    present = np.flatnonzero(counted.numbers)
    found: list[Metric] = [
        (f"{name}.pairs", pairs, ""),
        (f"{name}.expected_pairs", float(table["expected_pairs"].sum()), ""),
        (f"{name}.synapses", synapses, ""),
        (f"{name}.expected_synapses", float(table["expected_synapses"].sum()), ""),
    ]
    if pairs:
        found += [
            (f"{name}.synapses_per_pair.mean", synapses / pairs, ""),
            (f"{name}.synapses_per_pair.min", int(present.min()), ""),
            (f"{name}.synapses_per_pair.max", int(present.max()), ""),
        ]
    for row in table[table["expected_probability"] > 0].itertuples(index=False):
        if not np.isfinite(row.probability):
            continue
        tail = f"{row.source}.{row.target}"
        found.append((f"{name}.probability.{tail}", float(row.probability), ""))
        if np.isfinite(row.amplitude):
            value = row.amplitude * row.probability / row.expected_probability
            found.append((f"{name}.amplitude.{tail}", float(value), ""))
    return found


def analyse_rules(
    resolved: Resolved, name: str, paths: CircuitPaths
) -> tuple[dict[str, pd.DataFrame], list[Metric]]:
    """All tables and metrics of one edge config.

    Args:
        resolved: The model.
        name: Key under ``edges``, of kind rules.
        paths: The circuit; its edges exist.

    Returns:
        Table name (``rule_pairs`` ...) to rows of this config, and its metrics.

    Raises:
        CircuitError: If nodes, edges or plan tables are missing or damaged.
    """
    config: RuleEdges = resolved.model.edges[name]
    ends, (width, bins) = read_ends(config, paths), distance_bins(config)
    plan = read_plan(resolved, name, paths)
    population = edge_population_name(config.source, config.target, CHEMICAL)
    blocks = edge_blocks(paths.edges(population), population, ["nsyns"])
    blocks = progress(blocks, label=f"analyse {name}", unit="block")
    counted = count_edges(ends, blocks, width, bins, read_types(paths.edge_types(population)))
    radius = near_radius(config)
    near = near_pairs(ends, radius) if ends.placed else None
    pairs = class_pairs(name, ends, counted, near, round(radius / width), plan[""])
    by_class, distributions = degrees(name, ends, counted, pairs)
    tables = {
        "rule_pairs": pairs,
        "rule_profile": profiles(name, ends, counted, plan["_profile"]) if ends.placed
        else pd.DataFrame(columns=PROFILE),
        "rule_degrees": by_class,
        "rule_degree_distribution": distributions,
        "rule_synapses": synapse_numbers(name, counted, plan["_synapses"]),
    }  # fmt: skip
    return tables, metrics(name, counted, pairs)
