"""What the cells did: voltage statistics, and correlations beside a published matrix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.load import Resolved
from pipeline.config.schema import TableNodes, VirtualNodes
from pipeline.config.tables import read_csv
from pipeline.errors import CircuitError, ConfigError, Problem
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.node_sets import read_set
from pipeline.sonata.reports import Report, read_report

FLAT_MV = 1e-6
"""A trace that moves less than this (mV) is constant; its correlations are undefined."""
FRAMES = 1000
"""Most frames of a voltage table written for the report."""


@dataclass(frozen=True)
class Voltage:
    """Soma voltages of one record.

    Attributes:
        population: Node population.
        node_ids: int64 [cells].
        times: float64 [frames], ms.
        data: float [frames, cells], mV.
    """

    population: str
    node_ids: np.ndarray
    times: np.ndarray
    data: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """Our correlations beside a published matrix.

    Attributes:
        pairs: a, b, ours, published; one row per published unordered pair; NaN where undefined.
        mse: Mean squared difference over pairs that are defined on both sides.
        used: How many pairs that were.
        missing: Published cells that are not recorded here.
        flat: Published cells whose voltage is constant here.
    """

    pairs: pd.DataFrame
    mse: float
    used: int
    missing: list[str]
    flat: list[str]


def population_of(resolved: Resolved, paths: CircuitPaths, nodes: str) -> str:
    """Returns the node population that a population or node set name means.

    Raises:
        CircuitError: If no population has such a set.
    """
    known = resolved.model.nodes
    if nodes in known:
        entry = known[nodes]
        return entry.feeds if isinstance(entry, VirtualNodes) else nodes
    for name, entry in known.items():
        if isinstance(entry, TableNodes) and nodes in entry.sets:
            return name
    return read_set(paths, nodes)[0]


def read_voltage(
    resolved: Resolved, paths: CircuitPaths, simulation: str, record: str
) -> Voltage | None:
    """Reads the soma voltages of a record; None when the simulation has not run.

    Raises:
        CircuitError: If the file is damaged or records no soma.
    """
    path = paths.report(simulation, record)
    if not path.is_file():
        return None
    nodes = resolved.model.simulation[simulation].record[record].nodes
    population = population_of(resolved, paths, nodes)
    return soma_voltage(read_report(path, population), population)


def soma_voltage(report: Report, population: str) -> Voltage:
    """Picks the soma (section 0) of every node from a frame report.

    Raises:
        CircuitError: If no soma is recorded.
    """
    soma = np.flatnonzero(report.element_ids == 0)
    _, first = np.unique(report.node_ids[soma], return_index=True)
    chosen = soma[first]
    if not len(chosen):
        raise CircuitError(f"report of {population!r} records no soma")
    return Voltage(population, report.node_ids[chosen], report.times, report.data[:, chosen])


def summarise(data: np.ndarray) -> pd.DataFrame:
    """Statistics per cell.

    Args:
        data: float [frames, cells], mV.

    Returns:
        mean_mV, sd_mV, min_mV, max_mV; float64, one row per cell. NaN frames are left out.
    """
    data = np.asarray(data, np.float64)
    return pd.DataFrame(
        {
            "mean_mV": np.nanmean(data, axis=0),
            "sd_mV": np.nanstd(data, axis=0),
            "min_mV": np.nanmin(data, axis=0),
            "max_mV": np.nanmax(data, axis=0),
        }
    )


def correlation(data: np.ndarray) -> np.ndarray:
    """Pearson correlation of all pairs of columns.

    Args:
        data: float [frames, cells].

    Returns:
        float64 [cells, cells], in [-1, 1]; NaN in rows and columns of traces that are constant or
        not finite.
    """
    data = np.asarray(data, np.float64)
    cells = data.shape[1]
    if not len(data):
        return np.full((cells, cells), np.nan)
    usable = np.isfinite(data).all(axis=0)
    usable &= np.ptp(np.where(np.isfinite(data), data, 0.0), axis=0) > FLAT_MV
    centred = data[:, usable] - data[:, usable].mean(axis=0)
    centred /= np.linalg.norm(centred, axis=0)
    result = np.full((cells, cells), np.nan)
    result[np.ix_(usable, usable)] = np.clip(centred.T @ centred, -1.0, 1.0)
    return result


def read_target(path: Path) -> pd.DataFrame:
    """Reads a published correlation matrix.

    Args:
        path: CSV with a, b, r; one row per unordered pair; r empty or NaN where undefined.

    Returns:
        a, b (names), r (float64). Pairs of a cell with itself are left out.

    Raises:
        ConfigError: For missing columns, values outside -1..1 or doubled pairs, with their lines.
    """
    frame = read_csv(path)
    if list(frame.columns[:3]) != ["a", "b", "r"]:
        found = ",".join(frame.columns)
        raise ConfigError(Problem(f"{path}:1", f"header is {found!r}", "write a,b,r"))
    text = frame["r"].str.strip().str.lower()
    values = pd.to_numeric(text, errors="coerce")
    bad = (values.isna() & ~text.isin(["", "nan"])) | (values.abs() > 1.0)
    keys = pd.Series([tuple(sorted(p)) for p in zip(frame["a"], frame["b"], strict=True)])
    problems = [
        Problem(f"{path}:{row + 2}", f"r is {frame['r'].iloc[row]!r}", "write -1 to 1 or nothing")
        for row in np.flatnonzero(bad)
    ]
    problems += [
        Problem(f"{path}:{row + 2}", f"pair {keys[row]} stands twice", "remove one")
        for row in np.flatnonzero(keys.duplicated())
    ]
    if problems:
        raise ConfigError(problems)
    table = frame[["a", "b"]].assign(r=values.astype(np.float64))
    return table[table["a"] != table["b"]].reset_index(drop=True)


def compare(data: np.ndarray, names: list[str], target: pd.DataFrame) -> Comparison:
    """Correlates the cells of a published matrix and compares.

    Args:
        data: float [frames, cells], mV; the window to use.
        names: Name of each column.
        target: As from ``read_target``.
    """
    wanted = list(dict.fromkeys([*target["a"], *target["b"]]))
    missing = [name for name in wanted if name not in set(names)]
    here = [name for name in wanted if name not in set(missing)]
    column = {name: index for index, name in enumerate(names)}
    matrix = correlation(data[:, [column[name] for name in here]])
    flat = [name for name, row in zip(here, matrix, strict=True) if np.isnan(row).all()]
    position = {name: index for index, name in enumerate(here)}
    a = target["a"].map(position).fillna(-1).to_numpy(np.int64)
    b = target["b"].map(position).fillna(-1).to_numpy(np.int64)
    both = (a >= 0) & (b >= 0)
    ours = np.full(len(target), np.nan)
    ours[both] = matrix[a[both], b[both]]
    published = target["r"].to_numpy()
    used = np.isfinite(ours) & np.isfinite(published)
    mse = float(np.mean((ours[used] - published[used]) ** 2)) if used.any() else np.nan
    pairs = target[["a", "b"]].assign(ours=ours, published=published)
    return Comparison(pairs, mse, int(used.sum()), missing, flat)


def thin(
    times: np.ndarray, data: np.ndarray, names: list[str], frames: int = FRAMES
) -> pd.DataFrame:
    """Every k-th frame: ``time_ms`` and one column per cell; at most ``frames`` rows."""
    step = max(1, -(-len(times) // frames))
    table = pd.DataFrame(np.asarray(data[::step], np.float64), columns=names)
    table.insert(0, "time_ms", times[::step])
    return table
