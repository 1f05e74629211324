"""Tables of ``analysis.network``: every run, and every sweep as a grid."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.analysis import network
from pipeline.analysis.structure import Metric
from pipeline.config.load import Resolved
from pipeline.config.network_activity import NetworkActivity
from pipeline.config.simulation import Simulation, VolleyInput
from pipeline.config.sweeps import grid
from pipeline.config.tables import read_csv
from pipeline.errors import CircuitError, Problem
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_typed_nodes
from pipeline.sonata.reports import read_spikes

_SWEPT = ("rate", "synchrony", "isi_cv", "active", "peak_frequency", "peak_power")
_MOST_ROWS = 2_000
SEED = "seed"
"""Axis of a sweep whose values are repetitions."""


def analyse_network(
    resolved: Resolved, paths: CircuitPaths
) -> tuple[dict[str, pd.DataFrame], list[Metric]]:
    """Judges the spikes of all runs that are there.

    Returns:
        Tables ``network_<run>_rates``, ``_raster``, ``_coupling``, ``_spectrum``, ``_psth``,
        ``_answers`` (single runs), ``sweep_<name>`` and, where seeds are an axis of it,
        ``sweep_<name>_seeds``; metrics ``<run>.<figure>`` and
        ``<run>.rate.<attribute>.<value>``.

    Raises:
        CircuitError: If nodes lack an attribute.
    """
    config = resolved.model.analysis.network
    if config is None:
        return {}, []
    nodes = config.nodes
    cells = read_typed_nodes(paths.nodes(nodes), paths.node_types(nodes), nodes)
    if missing := [name for name in (*config.by, "y") if name not in cells]:
        message = f"nodes have no {', '.join(missing)}"
        hint = "name attributes of theirs under analysis.network.by"
        raise CircuitError(Problem(str(paths.nodes(nodes)), message, hint))
    swept = {run for name, s in resolved.model.sweeps.items() for run, _ in grid(name, s)}
    tables: dict[str, pd.DataFrame] = {}
    metrics: list[Metric] = []
    figures: dict[str, dict[str, float]] = {}
    for run, simulation in resolved.model.simulation.items():
        if (config.runs and run not in config.runs) or not paths.spikes(run).is_file():
            continue
        found, values, more = _run(resolved, paths, run, simulation, config, cells)
        figures[run] = values
        metrics += more
        # A grid has one table; its runs would fill the folder.
        tables |= found if run not in swept else {}
    for name, sweep in resolved.model.sweeps.items():
        rows = [
            dict(zip(sweep.axes, values, strict=True)) | {"run": run} | figures[run]
            for run, values in grid(name, sweep)
            if run in figures
        ]
        if rows:
            table = pd.DataFrame(rows, columns=[*sweep.axes, "run", *_SWEPT])
            tables[f"sweep_{name}"] = table
            if SEED in sweep.axes:
                tables[f"sweep_{name}_seeds"] = seed_spread(table, list(sweep.axes))
    return tables, metrics


def seed_spread(table: pd.DataFrame, axes: list[str]) -> pd.DataFrame:
    """Returns what figures of a grid are over its seeds.

    Args:
        table: As ``sweep_<name>``.
        axes: Columns of its axes, ``SEED`` among them.

    Returns:
        The other axis (if any), quantity, seeds (runs with a value), mean, sd (of one run, n - 1).
    """
    others = [axis for axis in axes if axis != SEED]
    long = table.melt([*others, SEED], list(_SWEPT), "quantity").dropna(subset="value")
    groups = long.groupby([*others, "quantity"], sort=False)["value"]
    return groups.agg(seeds="size", mean="mean", sd="std").reset_index()


def _run(
    resolved: Resolved, paths: CircuitPaths, run: str, simulation: Simulation,
    config: NetworkActivity, cells: pd.DataFrame,
) -> tuple[dict[str, pd.DataFrame], dict[str, float], list[Metric]]:  # fmt: skip
    rows, times = _spikes(paths, run, config.nodes, cells)
    start, stop = config.skip, simulation.duration
    figures, counts = network.run_figures(rows, times, len(cells), start, stop, config.bin)
    good = (times >= start) & (times < stop)
    rates = np.bincount(rows[good], minlength=len(cells)) / (stop - start) * 1000.0
    table = network.rate_table(rates, cells, config.by)
    coupling = network.coupling(counts, resolved.model.seed, cells.index.to_numpy(np.int64))
    head = f"network_{run}"
    tables = {
        f"{head}_rates": table,
        f"{head}_raster": network.raster(rows, times, cells, config.by[-1]),
        f"{head}_coupling": pd.concat(
            [pd.DataFrame({"node_id": cells.index, config.by[0]: cells[config.by[0]].astype(str),
                           "rate": rates}).reset_index(drop=True), coupling], axis=1
        ),
        f"{head}_spectrum": network.spectrum(
            network.bin_spikes(rows, times, len(cells), start, stop, network.FINE).sum(axis=0)[None],
            len(cells), network.FINE,
        ),
    }  # fmt: skip
    metrics: list[Metric] = [
        (f"{run}.{name}", value, "Hz" if name in ("rate", "peak_frequency") else "")
        for name, value in figures.items()
        if np.isfinite(value)
    ]
    z = coupling["z"].dropna()
    if len(z):
        metrics += [(f"{run}.choristers", float((z > 2).mean()), ""),
                    (f"{run}.soloists", float((z <= 2).mean()), "")]  # fmt: skip
    metrics += [
        (f"{run}.rate.{row.attribute}.{row.value}", row.mean, "Hz")
        for row in table.itertuples()
        if row.attribute
    ]
    if simulation.lfp and paths.lfp(run).is_file():
        potential = read_csv(paths.lfp(run)).astype(float)
        spectra, more = network.lfp_spectra(potential[potential["time"] >= start])
        tables |= {f"{head}_lfp": thin_rows(potential), f"{head}_lfp_spectrum": spectra}
        metrics += [(f"{run}.{name}", value, unit) for name, value, unit in more]
    events = _events(config, simulation)
    if events:
        groups = cells[config.by[-1]].astype(str).to_numpy()
        if "layer" in config.by:
            groups = cells["layer"].astype(str).to_numpy()
        course = network.psth(rows, times, groups, events, (config.window[0], config.window[1]))
        found = network.answers(course)
        tables |= {f"{head}_psth": course, f"{head}_answers": found}
        metrics += [(f"{run}.answer.{row.group}", row.peak, "Hz") for row in found.itertuples()]
        metrics += [
            (f"{run}.latency.{row.group}", row.latency, "ms")
            for row in found.itertuples()
            if np.isfinite(row.latency)
        ]
    return tables, figures, metrics


def thin_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Every k-th row, at most ``_MOST_ROWS``."""
    return table.iloc[:: max(1, -(-len(table) // _MOST_ROWS))]


def _events(config: NetworkActivity, simulation: Simulation) -> list[float]:
    if config.events:
        return [time for time in config.events if time < simulation.duration]
    volleys = [i for i in simulation.inputs.values() if isinstance(i, VolleyInput)]
    return sorted({time for volley in volleys for time in volley.times})


def _spikes(
    paths: CircuitPaths, run: str, population: str, cells: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Row of the cell and time of every spike."""
    nodes, times = read_spikes(paths.spikes(run), population)
    rows = np.full(int(cells.index.max()) + 1, -1, np.int64)
    rows[cells.index.to_numpy(np.int64)] = np.arange(len(cells))
    if len(nodes) and (nodes.max() >= len(rows) or (rows[nodes] < 0).any()):
        message = f"spikes of nodes that {population!r} does not have"
        raise CircuitError(Problem(str(paths.spikes(run)), message, "simulate again"))
    return rows[nodes], times
