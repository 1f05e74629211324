"""Inputs of a run as SONATA files: currents become reports of nA over time, trains become spikes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from pipeline.config.load import Resolved
from pipeline.config.simulation import (
    ConstantCurrent,
    FileCurrent,
    NoiseCurrent,
    PoissonInput,
    Simulation,
    SpikeInput,
    StepCurrent,
    TableCurrent,
    ThresholdCurrent,
    VolleyInput,
)
from pipeline.config.tables import read_csv
from pipeline.errors import CircuitError, ConfigError, Problem
from pipeline.philox import rule_key, uniforms_array
from pipeline.runtime import rng_for
from pipeline.simulation.targets import Targets, select_nodes, select_targets
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_nodes
from pipeline.sonata.reports import ReportWriter, read_report, read_spikes, write_spikes

BLOCK_VALUES = 4_000_000


def run_seed(resolved: Resolved, simulation: Simulation) -> int:
    """Seed of a run: its own, or the model's."""
    return resolved.model.seed if simulation.seed is None else simulation.seed


def write_input(
    resolved: Resolved, simulation: Simulation, name: str, paths: CircuitPaths, file
) -> Targets:
    """Writes one input of a simulation as a SONATA report of somatic currents.

    Args:
        resolved: The model.
        simulation: The run the input belongs to.
        name: Key under ``inputs``.
        paths: The circuit.
        file: Report to write; node ids are those of the cells that get the current.

    Returns:
        The cells that get it.

    Raises:
        ConfigError: If a user's file does not fit.
        CircuitError: If the nodes do not exist.
    """
    stimulus = simulation.inputs[name]
    targets = select_targets(paths, stimulus.nodes)
    if isinstance(stimulus, ThresholdCurrent):
        values, dt = threshold_currents(stimulus, paths, targets, simulation)
        blocks = iter([values])
        frames = len(values)
    elif isinstance(stimulus, FileCurrent):
        times, values = _from_file(resolved, stimulus, targets)
        dt = float(times[1] - times[0]) if len(times) > 1 else simulation.duration
        blocks = iter([values])
        frames = len(values)
    elif isinstance(stimulus, TableCurrent):
        dt = simulation.dt
        frames = int(np.ceil(simulation.duration / dt - 1e-9))
        times = (np.arange(frames) + 0.5) * dt
        blocks = iter([_from_table(resolved, stimulus, paths, targets, times)])
    else:
        dt = _interval(simulation, stimulus)
        frames = int(np.ceil(simulation.duration / dt - 1e-9))
        blocks = _blocks(resolved, simulation, stimulus, name, paths, targets, frames, dt)
    soma = np.zeros(len(targets.node_ids), np.int64)
    with ReportWriter(
        file, targets.population, targets.node_ids, soma, np.full(len(soma), 0.5),
        dt, 0.0, frames * dt, "nA", dtype="float64",
    ) as writer:  # fmt: skip
        for block in blocks:
            writer.append(block)
    return targets


def threshold_currents(
    stimulus: ThresholdCurrent, paths: CircuitPaths, targets: Targets, simulation: Simulation
) -> tuple[np.ndarray, float]:
    """Currents relative to what each cell needs to fire.

    Args:
        stimulus: Percent and when.
        paths: The circuit; nodes carry ``@dynamics:threshold_current`` and ``holding_current``.
        targets: The cells.
        simulation: The run.

    Returns:
        float64 [frames, cells], nA, and the length of a frame, ms: as long as the switching times
        allow.

    Raises:
        CircuitError: If cells have no such currents.
    """
    nodes = read_nodes(paths.nodes(targets.population), targets.population)
    wanted = ["threshold_current"] + (["holding_current"] if stimulus.holding else [])
    found = {}
    for name in wanted:
        column = nodes.get(f"@dynamics:{name}")
        values = np.full(len(nodes), np.nan) if column is None else column.to_numpy(np.float64)
        found[name] = values[targets.node_ids]
    unknown = ~np.isfinite(sum(found.values()))
    if unknown.any() and stimulus.unknown == "error":
        message = f"{unknown.sum()} of {len(unknown)} cells have no threshold or holding current"
        hint = "judge their morphologies (generalise), or set unknown: none"
        raise CircuitError(Problem(str(paths.nodes(targets.population)), message, hint))
    found = {name: np.where(unknown, 0.0, values) for name, values in found.items()}
    end, dt = simulation.duration, simulation.dt
    stop = end if stimulus.stop is None else min(stimulus.stop, end)
    steps = [round(time / dt) for time in (stimulus.start, stop, end)]
    length = int(np.gcd.reduce(steps)) or 1
    on = np.zeros((steps[2] // length, 1))
    on[steps[0] // length : steps[1] // length] = stimulus.percent / 100.0
    return on * found["threshold_current"] + found.get("holding_current", 0.0), length * dt


def _interval(simulation: Simulation, stimulus) -> float:
    if isinstance(stimulus, NoiseCurrent):
        return stimulus.interval or simulation.dt
    return simulation.dt


def _blocks(resolved, simulation, stimulus, name, paths, targets, frames, dt):
    rows = max(1, BLOCK_VALUES // max(1, len(targets.node_ids)))
    streams = _noise_streams(resolved, simulation, stimulus, name, paths, targets)
    for start in range(0, frames, rows):
        times = np.arange(start, min(start + rows, frames)) * dt
        yield current_at(stimulus, times, len(targets.node_ids), streams)


def _noise_streams(resolved, simulation, stimulus, name, paths, targets):
    """One stream per cell, keyed by its stable key, so that subsets draw the same currents."""
    if not isinstance(stimulus, NoiseCurrent):
        return []
    nodes = read_nodes(paths.nodes(targets.population), targets.population)
    keys = nodes["key"] if "key" in nodes else nodes.index.to_series()
    seed = run_seed(resolved, simulation) if stimulus.seed is None else stimulus.seed
    return [rng_for(seed, f"input/{name}", int(keys.loc[node])) for node in targets.node_ids]


def current_at(stimulus, times: np.ndarray, n: int, streams: list) -> np.ndarray:
    """Currents of n cells at the given frame starts: float64 [times, n], nA.

    Args:
        stimulus: Constant, step or noise current.
        times: float64 [frames], ms.
        n: Number of cells.
        streams: One generator per cell for noise; each call continues them.
    """
    if isinstance(stimulus, ConstantCurrent):
        stop = np.inf if stimulus.stop is None else stimulus.stop
        on = (times >= stimulus.start - 1e-9) & (times < stop - 1e-9)
        return np.repeat((on * stimulus.amplitude)[:, None], n, axis=1)
    if isinstance(stimulus, StepCurrent):
        amplitudes = np.concatenate([[0.0], stimulus.amplitudes])
        index = np.searchsorted(np.asarray(stimulus.times) - 1e-9, times, side="right")
        return np.repeat(amplitudes[index][:, None], n, axis=1)
    draws = [stream.standard_normal(len(times)) for stream in streams]
    return stimulus.mean + stimulus.sd * np.stack(draws, axis=1)


def _from_table(resolved, stimulus, paths, targets, times: np.ndarray) -> np.ndarray:
    """Currents of the cells at given times: float64 [times, cells], nA."""
    path = resolved.path(stimulus.table)
    table = read_csv(path)
    names = read_nodes(paths.nodes(targets.population), targets.population)["name"]
    wanted = [str(names.loc[node]) for node in targets.node_ids]
    missing = [name for name in ("time_ms", *wanted) if name not in table]
    if missing:
        hint = "one column time_ms and one per cell"
        raise ConfigError(Problem(f"{path}:1", f"no column {missing[0]!r}", hint))
    numbers = table[["time_ms", *wanted]].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    bad = np.flatnonzero(~np.isfinite(numbers).all(1) | (np.diff(numbers[:, 0], prepend=-1) <= 0))
    if len(bad):
        hint = "write numbers, with rising times"
        raise ConfigError(Problem(f"{path}:{bad[0] + 2}", "no row of currents", hint))
    columns = [np.interp(times, numbers[:, 0], column) for column in numbers[:, 1:].T]
    return np.stack(columns, 1)


def _from_file(resolved: Resolved, stimulus: FileCurrent, targets: Targets):
    path = resolved.path(stimulus.file)
    population = stimulus.population or stimulus.nodes
    try:
        report = read_report(path, population)
    except CircuitError as error:
        raise ConfigError(error.problems) from None
    if report.units not in ("nA", ""):
        raise ConfigError(Problem(str(path), f"units are {report.units!r}", "give currents in nA"))
    if not np.all(np.isfinite(report.data)):
        raise ConfigError(Problem(str(path), "currents are not finite", "remove NaN and inf"))
    wanted = targets.virtual_ids if targets.virtual_ids is not None else targets.node_ids
    column = {int(node): index for index, node in enumerate(report.node_ids)}
    missing = [int(node) for node in wanted if int(node) not in column]
    if missing:
        message = f"no current for node ids {missing[:10]} of {population!r}"
        raise ConfigError(Problem(str(path), message, "add them, or name a smaller node set"))
    return report.times, report.data[:, [column[int(node)] for node in wanted]]


def write_trains(resolved: Resolved, simulation: Simulation, name: str, paths: CircuitPaths, file):
    """Writes Poisson spike trains, or checks the spikes file that an input names.

    Trains are keyed by node, so that a smaller population or a longer run keeps their beginning.

    Args:
        resolved: The model.
        simulation: The run the input belongs to.
        name: Key under ``inputs``; its kind is spikes or poisson.
        paths: The circuit.
        file: Where Poisson trains go.

    Returns:
        The node population, and the file to read.

    Raises:
        ConfigError: If the spikes do not fit.
        CircuitError: If the nodes or the stimulus were not built.
    """
    stimulus: SpikeInput | PoissonInput | VolleyInput = simulation.inputs[name]
    population, ids = select_nodes(paths, stimulus.nodes)
    if isinstance(stimulus, SpikeInput):
        source = resolved.path(stimulus.file) if stimulus.file else None
        source = source or paths.stimulus_spikes(stimulus.stimulus)
        _check_trains(source, stimulus.population or population, ids)
        return population, source
    seed = run_seed(resolved, simulation) if stimulus.seed is None else stimulus.seed
    if isinstance(stimulus, VolleyInput):
        nodes, times = volley(stimulus, ids, seed, name, simulation.duration)
        write_spikes(file, population, nodes, times)
        return population, file
    trains = [
        poisson_train(rng_for(seed, f"input/{name}", int(node)), stimulus.rate, simulation.duration)
        for node in ids
    ]
    counts = [len(train) for train in trains]
    write_spikes(file, population, np.repeat(ids, counts), np.concatenate([*trains, np.empty(0)]))
    return population, file


def volley(
    stimulus: VolleyInput, ids: np.ndarray, seed: int, name: str, duration: float
) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of a volley: node ids int64 [n] and times float64 [n], ms.

    Which nodes fire and when is keyed by node and volley, so that fewer fibres are some of more.

    Args:
        stimulus: Times, fibres, jitter.
        ids: int64. Nodes to choose from.
        seed: Of the draws.
        name: Key of the input.
        duration: Of the run, ms; later spikes are left out.

    Raises:
        ConfigError: If there are fewer nodes than fibres.
    """
    if stimulus.fibres > len(ids):
        message = f"{stimulus.fibres} fibres, but {len(ids)} nodes in {stimulus.nodes!r}"
        raise ConfigError(Problem(f"input {name}", message, "lower fibres, or add nodes"))
    key = rule_key(seed, f"volley/{name}")
    order, _ = uniforms_array(key, ids, np.zeros_like(ids), purpose=0)
    chosen = np.sort(ids[np.argsort(order, kind="stable")[: stimulus.fibres]])
    nodes, times = [], []
    for index, time in enumerate(stimulus.times):
        u, _ = uniforms_array(key, chosen, np.full_like(chosen, index), purpose=1)
        # A normal cut at three sd, by its inverse distribution.
        low, high = ndtr(-3.0), ndtr(3.0)
        shift = stimulus.jitter * ndtri(low + u * (high - low))
        at = np.maximum(time + shift, 0.0)
        nodes.append(chosen[at < duration])
        times.append(at[at < duration])
    return np.concatenate(nodes), np.concatenate(times)


def poisson_train(rng: np.random.Generator, rate: float, duration: float) -> np.ndarray:
    """Returns the times (float64 [n], ms) of a Poisson process of ``rate`` Hz up to ``duration``."""
    times: list[np.ndarray] = []
    last = 0.0
    while last < duration:  # fixed blocks: a longer run draws on, it does not draw anew
        block = last + np.cumsum(rng.standard_exponential(256)) * (1000.0 / rate)
        times.append(block)
        last = block[-1]
    joined = np.concatenate([*times, np.empty(0)])
    return joined[joined < duration]


def _check_trains(path, population: str, ids: np.ndarray) -> None:
    if not path.is_file():
        raise CircuitError(Problem(str(path), "does not exist", "run 'sonatina stimulus' first"))
    try:
        nodes, times = read_spikes(path, population)
    except CircuitError as error:
        raise ConfigError(error.problems) from None
    unknown = np.setdiff1d(nodes, ids)
    if len(unknown):
        message = f"spikes of {len(unknown)} nodes that {population!r} does not have: {unknown[:5]}"
        raise ConfigError(Problem(str(path), message, "name the population they belong to"))
    if len(times) and not (np.isfinite(times).all() and times.min() >= 0):
        raise ConfigError(Problem(str(path), "spike times are negative or not finite"))
