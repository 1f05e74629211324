"""The rungs of the ladder side by side: the same run at level L1, L2 and L3."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.analysis.engines import COMPUTING, population_of, same_task
from pipeline.analysis.structure import Metric
from pipeline.config.load import Resolved
from pipeline.config.simulation import Simulation
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_nodes
from pipeline.sonata.reports import read_spikes

FREE = COMPUTING | {"level", "record"}


def groups_of_levels(resolved: Resolved) -> dict[str, list[str]]:
    """Returns runs at L3 and the runs that differ from them in level, engine and computing only."""
    runs = resolved.model.simulation
    whole = [name for name, run in runs.items() if run.level == "L3"]
    found: dict[str, list[str]] = {}
    for name, run in runs.items():
        same = [w for w in whole if same_task(runs[w], run, FREE)]
        if run.level != "L3" and same:
            found.setdefault(same[0], [same[0]]).append(name)
    return found


def analyse_levels(
    resolved: Resolved, paths: CircuitPaths
) -> tuple[dict[str, pd.DataFrame], list[Metric]]:
    """Compares the spikes of runs at several levels.

    Returns:
        Tables ``levels`` (one row per run) and ``levels_raster`` (one row per spike); metrics
        ``levels.<run>.rate_ratio`` and ``.rate_correlation`` against the run at L3.
    """
    rows, spikes, metrics = [], [], []
    for whole, names in groups_of_levels(resolved).items():
        if not all(paths.spikes(name).is_file() for name in names):
            continue
        reference: np.ndarray | None = None
        for name in names:
            run = resolved.model.simulation[name]
            row, counts, raster = _run(paths, name, run)
            reference = counts if reference is None else reference
            if name != whole:
                row["rate_ratio"] = counts.sum() / reference.sum() if reference.sum() else np.nan
                row["rate_correlation"] = _correlate(reference, counts)
                metrics += [
                    (f"levels.{name}.{key}", row[key], "")
                    for key in ("rate_ratio", "rate_correlation")
                ]
            rows.append(row)
            spikes.append(raster)
    if not rows:
        return {}, []
    raster = pd.concat(spikes, ignore_index=True)
    return {"levels": pd.DataFrame(rows), "levels_raster": raster}, metrics


def _run(paths: CircuitPaths, name: str, run: Simulation) -> tuple[dict, np.ndarray, pd.DataFrame]:
    population = population_of(paths)
    count = len(read_nodes(paths.nodes(population), population))
    nodes, times = read_spikes(paths.spikes(name), population)
    counts = np.bincount(nodes, minlength=count)
    row = {
        "run": name, "level": run.level, "engine": run.engine, "cells": count,
        "spikes": len(nodes), "rate": len(nodes) / count / run.duration * 1000.0,
        "active": float((counts > 0).mean()), "rate_ratio": np.nan, "rate_correlation": np.nan,
    }  # fmt: skip
    raster = pd.DataFrame({"run": name, "level": run.level, "node": nodes, "time": times})
    return row, counts, raster


def _correlate(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's r of the cells' spike counts; nan where all are equal."""
    if one.std() == 0 or other.std() == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])
