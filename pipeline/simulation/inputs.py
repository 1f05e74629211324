"""Somatic currents as SONATA reports: every kind of input becomes one table of nA over time."""

from __future__ import annotations

import numpy as np

from pipeline.config.load import Resolved
from pipeline.config.schema import (
    ConstantCurrent,
    FileCurrent,
    NoiseCurrent,
    Simulation,
    StepCurrent,
)
from pipeline.errors import CircuitError, ConfigError, Problem
from pipeline.runtime import rng_for
from pipeline.simulation.targets import Targets, select_targets
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_nodes
from pipeline.sonata.reports import ReportWriter, read_report

BLOCK_VALUES = 4_000_000


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
    if isinstance(stimulus, FileCurrent):
        times, values = _from_file(resolved, stimulus, targets)
        dt = float(times[1] - times[0]) if len(times) > 1 else simulation.duration
        blocks = iter([values])
        frames = len(values)
    else:
        dt = _interval(simulation, stimulus)
        frames = int(np.ceil(simulation.duration / dt - 1e-9))
        blocks = _blocks(resolved, stimulus, name, paths, targets, frames, dt)
    soma = np.zeros(len(targets.node_ids), np.int64)
    with ReportWriter(
        file, targets.population, targets.node_ids, soma, np.full(len(soma), 0.5),
        dt, 0.0, frames * dt, "nA", dtype="float64",
    ) as writer:  # fmt: skip
        for block in blocks:
            writer.append(block)
    return targets


def _interval(simulation: Simulation, stimulus) -> float:
    if isinstance(stimulus, NoiseCurrent):
        return stimulus.interval or simulation.dt
    return simulation.dt


def _blocks(resolved, stimulus, name, paths, targets, frames, dt):
    rows = max(1, BLOCK_VALUES // max(1, len(targets.node_ids)))
    streams = _noise_streams(resolved, stimulus, name, paths, targets)
    for start in range(0, frames, rows):
        times = np.arange(start, min(start + rows, frames)) * dt
        yield current_at(stimulus, times, len(targets.node_ids), streams)


def _noise_streams(resolved, stimulus, name, paths, targets):
    """One stream per cell, keyed by its stable key, so that subsets draw the same currents."""
    if not isinstance(stimulus, NoiseCurrent):
        return []
    nodes = read_nodes(paths.nodes(targets.population), targets.population)
    keys = nodes["key"] if "key" in nodes else nodes.index.to_series()
    seed = resolved.model.seed if stimulus.seed is None else stimulus.seed
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
