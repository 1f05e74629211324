"""The same run on several engines and numbers of ranks: spikes and voltages beside one of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.analysis.reference import FAIL, PASS
from pipeline.analysis.structure import Metric
from pipeline.config.load import Resolved
from pipeline.config.simulation import Simulation
from pipeline.errors import CircuitError
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import open_population, read_json
from pipeline.sonata.reports import read_spikes

COMPUTING = {"engine", "coreneuron", "cell_permute", "ranks", "threads", "save_every"}
"""Keys of a run that say how it is computed, not what."""
LIMIT_MV = 1e-6
"""Voltages that differ by less are called equal: sums of other order move the last bits only."""
_BLOCK_VALUES = 4_000_000


def same_task(one: Simulation, other: Simulation, free: set[str]) -> bool:
    """Whether two runs differ at most in the keys ``free``."""
    return one.model_dump(exclude=free) == other.model_dump(exclude=free)


def population_of(paths: CircuitPaths) -> str:
    """Returns the circuit's first population that is not virtual."""
    networks = read_json(paths.circuit_config, "circuit")["networks"]["nodes"]
    return next(
        key
        for entry in networks
        for key, properties in entry["populations"].items()
        if properties.get("type") != "virtual"
    )


def groups_of_engines(resolved: Resolved) -> list[list[str]]:
    """Returns names of runs that differ only in how they are computed, the one compared with first.

    That is the run on BioNet with NEURON and fewest ranks, if there is one. Runs that are wholly alike (a
    sweep that meets the run it began with) make no group.
    """
    runs = resolved.model.simulation
    groups: list[list[str]] = []
    for name, run in runs.items():
        for group in groups:
            if same_task(runs[group[0]], run, COMPUTING):
                group.append(name)
                break
        else:
            groups.append([name])
    unlike = [group for group in groups if any(runs[name] != runs[group[0]] for name in group)]
    return [sorted(group, key=lambda n: _order(runs[n])) for group in unlike]


def _order(run: Simulation) -> tuple:
    return run.engine != "bionet", run.engine, run.coreneuron, run.cell_permute, run.ranks


def analyse_engines(
    resolved: Resolved, paths: CircuitPaths
) -> tuple[dict[str, pd.DataFrame], list[Metric]]:
    """Compares runs that differ only in how they are computed.

    Returns:
        Table ``engines``, one row per run that is there: run, engine, coreneuron, cell_permute, ranks
        (threads of NEST), against (the run compared with), spikes, time (ms) and voltage (mV; largest
        differences, NaN where there is nothing to compare), verdict. Metrics
        ``engines.<run>.spikes_difference``, ``.time_difference`` and ``.voltage_difference``.
    """
    rows, metrics = [], []
    for group in groups_of_engines(resolved):
        there = [name for name in group if paths.spikes(name).is_file()]
        kept = 0
        for name in there if len(there) > 1 else []:
            run, first = resolved.model.simulation[name], there[0]
            found = compare_runs(paths, first, name, list(run.record))
            row = {
                "run": name, "engine": run.engine, "coreneuron": run.coreneuron,
                "cell_permute": run.cell_permute,
                "ranks": run.threads if run.engine == "pointnet" else run.ranks, "against": first,
            } | found  # fmt: skip
            if name == first:
                row["verdict"], kept = "", found["spikes"]
            else:
                head = f"engines.{name}"
                metrics.append((f"{head}.spikes_difference", found["spikes"] - kept, ""))
                metrics += [
                    (f"{head}.{key}_difference", found[key], unit)
                    for key, unit in (("time", "ms"), ("voltage", "mV"))
                    if np.isfinite(found[key])
                ]
            rows.append(row)
    return ({"engines": pd.DataFrame(rows)} if rows else {}), metrics


def compare_runs(paths: CircuitPaths, one: str, other: str, reports: list[str]) -> dict:
    """Compares the spikes and reports of two runs of a circuit.

    Args:
        paths: The circuit.
        one: Run that is compared with.
        other: Run.
        reports: Reports that both have.

    Returns:
        spikes (of ``other``), time (largest difference of a spike time, ms; NaN if the counts of a cell
        differ), voltage (largest difference, mV; NaN without reports), verdict.
    """
    population = population_of(paths)
    spikes = [read_spikes(paths.spikes(name), population) for name in (one, other)]
    time, voltage = _times(*spikes), float("nan")
    for key in reports:
        found = _voltages(*(paths.report(name, key) for name in (one, other)), population)
        voltage = float(np.fmax(voltage, found))
    good = time < 1e-9 and not voltage > LIMIT_MV
    verdict = PASS if good else FAIL
    return {"spikes": len(spikes[1][0]), "time": time, "voltage": voltage, "verdict": verdict}


def _times(one: tuple, other: tuple) -> float:
    """Largest difference (ms) of spikes paired by cell and order; NaN if counts of a cell differ."""
    ordered = [(nodes[o], times[o]) for nodes, times in (one, other)
               for o in [np.lexsort((times, nodes))]]  # fmt: skip
    if not np.array_equal(ordered[0][0], ordered[1][0]):
        return float("nan")
    return float(np.abs(ordered[0][1] - ordered[1][1]).max(initial=0.0))


def _voltages(one: Path, other: Path, population: str) -> float:
    """Largest difference of two reports, read in blocks.

    Raises:
        CircuitError: If they do not record the same elements and times.
    """
    largest = 0.0
    with (
        open_population(one, "report", population) as kept,
        open_population(other, "report", population) as found,
    ):
        for key in ("node_ids", "element_ids", "time"):
            if not np.array_equal(kept["mapping"][key][:], found["mapping"][key][:]):
                raise CircuitError(f"{other}: {key} differ from those of {one}")
        data = kept["data"]
        rows = max(1, _BLOCK_VALUES // max(1, data.shape[1]))
        for start in range(0, len(data), rows):
            part = slice(start, start + rows)
            off = np.abs(data[part].astype(float) - found["data"][part].astype(float))
            largest = max(largest, float(off.max(initial=0.0)))
            if np.isnan(off).any():
                return float("inf")
    return largest
