"""From a model's simulation section to the SONATA simulation config an engine runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config.load import Resolved
from pipeline.config.psp import Psp
from pipeline.config.simulation import Lfp, PoissonInput, Simulation, SpikeInput, VolleyInput
from pipeline.config.tables import read_csv
from pipeline.errors import ConfigError, Problem, SimulationError
from pipeline.runtime import write_json
from pipeline.simulation.inputs import run_seed, write_input, write_trains
from pipeline.sonata.layout import CHEMICAL, CircuitPaths, edge_population_name
from pipeline.sonata.read import read_json
from pipeline.sonata.reports import read_spikes, write_spikes


@dataclass(frozen=True)
class LevelPaths(CircuitPaths):
    """A circuit at a coarser level: files of its own, but the runs and mechanisms of the whole circuit.

    Attributes:
        whole: Folder of the circuit as built.
    """

    whole: Path

    @classmethod
    def of(cls, paths: CircuitPaths, run: str, level: str) -> LevelPaths:
        """Returns the paths of a run's reduced circuit."""
        return cls(paths.simulation(run) / level, paths.root)

    @property
    def mechanisms(self) -> Path:
        return CircuitPaths(self.whole).mechanisms

    def simulation(self, name: str) -> Path:
        return CircuitPaths(self.whole).simulation(name)


@dataclass(frozen=True)
class Plan:
    """One run, as read back from its files.

    Attributes:
        config: Content of ``simulation_config.json``.
        paths: The circuit.
        name: Name of the run.
        library: Compiled mechanisms to load, or None.
        saving: When the run is saved, or None; see ``checkpoint.Saving``.
        dealt: Table of which rank has which cell, or None: in turn; see ``balance``.
    """

    config: dict[str, Any]
    paths: CircuitPaths
    name: str
    library: Path | None
    saving: Any = None
    dealt: Path | None = None

    @property
    def level(self) -> str:
        """Rung of the ladder, see ``ladder``."""
        return self.config.get("level", "L3")

    @property
    def dt(self) -> float:
        """Time step, ms."""
        return float(self.config["run"]["dt"])

    @property
    def duration(self) -> float:
        """End of the run, ms."""
        return float(self.config["run"]["tstop"])

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return round(self.duration / self.dt)

    @property
    def coreneuron(self) -> bool:
        """Whether CoreNEURON advances the time."""
        return bool(self.config["run"].get("coreneuron"))

    @property
    def precise(self) -> bool:
        """Whether spikes of GLIF cells lie off the grid."""
        return self.config["run"].get("spike_times") == "precise"

    @property
    def folder(self) -> Path:
        """Folder of the run's files."""
        return self.paths.simulation(self.name)

    def stop_runaway(self, spikes: float, span: float, now: float) -> None:
        """Ends a run whose cells fire more than its rate limit.

        Args:
            spikes: Mean number of spikes of a cell within the last ``span`` ms.
            span: ms.
            now: Time of the run, ms.

        Raises:
            SimulationError: If they do.
        """
        limit = self.config["run"].get("rate_limit")
        rate = spikes / span * 1000.0
        if limit and rate > limit:
            message = f"runaway: mean rate {rate:.0f} Hz by {now:g} ms; the limit is {limit:g} Hz"
            raise SimulationError(Problem(self.name, message, "lower excitatory weights"))


def write_plan(resolved: Resolved, name: str, paths: CircuitPaths) -> Path:
    """Writes inputs and ``simulation_config.json`` of one run.

    Args:
        resolved: The model.
        name: Key under ``simulation``.
        paths: The circuit.

    Returns:
        The simulation config's path.

    Raises:
        ConfigError: If an input does not fit.
        CircuitError: If the circuit lacks what the run names.
    """
    simulation = resolved.model.simulation[name]
    inputs = {key: _write_input(resolved, name, key, paths) for key in simulation.inputs}
    inputs = join_spikes(inputs, paths.simulation(name))
    reports = {
        key: {
            "type": "compartment",
            "cells": record.nodes,
            "variable_name": record.variable,
            "sections": record.sections,
            "unit": "mV",
            "dt": record.every or simulation.dt,
            "start_time": 0.0,
            "end_time": simulation.duration,
            "file_name": key,
            "precision": record.precision,
            "enabled": True,
        }
        for key, record in simulation.record.items()
    }
    config = {
        "version": 2.3,
        "manifest": {"$BASE_DIR": "."},
        "network": "$BASE_DIR/../../circuit_config.json"
        if simulation.level == "L3"
        else f"$BASE_DIR/{simulation.level}/circuit_config.json",
        "node_sets_file": "$BASE_DIR/../../node_sets.json",
        "target_simulator": "NEST" if simulation.engine == "pointnet" else "NEURON",
        "engine": simulation.engine,
        **({"level": simulation.level} if simulation.level != "L3" else {}),
        "run": {
            "tstop": simulation.duration,
            "dt": simulation.dt,
            "random_seed": run_seed(resolved, simulation),
            "spike_threshold": simulation.spike_threshold,
            "n_thread": simulation.threads,
            "rate_limit": simulation.rate_limit,
        }
        | ({"coreneuron": True} if simulation.coreneuron else {})
        | ({"cell_permute": simulation.cell_permute} if simulation.cell_permute else {})
        | ({"spike_times": "precise"} if simulation.spike_times == "precise" else {}),
        "conditions": _conditions(simulation),
        "inputs": inputs,
        "gains": read_gains(resolved, simulation),
        "reports": reports,
        **({"lfp": _lfp(simulation.lfp)} if simulation.lfp else {}),
        "output": {"output_dir": "$BASE_DIR", "spikes_file": "spikes.h5"},
    }
    path = paths.simulation_config(name)
    write_json(path, config)
    return path


def _lfp(lfp: Lfp) -> dict[str, Any]:
    """Electrodes; no part of SONATA."""
    names = ("x", "y", "z", "conductivity")
    return {"cells": lfp.nodes, "dt": lfp.every} | {name: getattr(lfp, name) for name in names}


def _conditions(simulation: Simulation) -> dict[str, Any]:
    """The ``conditions`` of the simulation config; release of vesicles only where it is set."""
    found: dict[str, Any] = {"v_init": simulation.v_init, "celsius": simulation.celsius}
    if simulation.calcium is not None:
        found["extracellular_calcium"] = simulation.calcium
    for key in ("minis", "release"):
        if getattr(simulation, key) != type(simulation).model_fields[key].default:
            found[key] = getattr(simulation, key)
    return found


def _write_input(resolved: Resolved, name: str, key: str, paths: CircuitPaths) -> dict[str, Any]:
    """Writes one input; returns its entry in the simulation config."""
    simulation = resolved.model.simulation[name]
    folder = paths.simulation(name)
    file = folder / f"input_{key}.h5"
    if isinstance(simulation.inputs[key], SpikeInput | PoissonInput | VolleyInput):
        population, file = write_trains(resolved, simulation, key, paths, file)
        return {
            "input_type": "spikes",
            "module": "h5",
            "input_file": os.path.relpath(file, folder),
            "node_set": population,
        }
    targets = write_input(resolved, simulation, key, paths, file)
    return {
        "input_type": "current_clamp",
        "module": "report",
        "input_file": f"./{file.name}",
        "population": targets.population,
        "delay": 0.0,
        "duration": simulation.duration,
    }


def join_spikes(inputs: dict[str, dict[str, Any]], folder: Path) -> dict[str, dict[str, Any]]:
    """Puts the spikes of several inputs of one population into one file and one entry.

    Args:
        inputs: Of a simulation config.
        folder: Its folder.

    Returns:
        The inputs with at most one of spikes for a population, the others as they are.
    """
    groups: dict[str, list[str]] = {}
    for key, entry in inputs.items():
        if entry["input_type"] == "spikes":
            groups.setdefault(entry["node_set"], []).append(key)
    found = dict(inputs)
    for population, keys in groups.items():
        if len(keys) < 2:
            continue
        read = [read_spikes(folder / found.pop(key)["input_file"], population) for key in keys]
        nodes, times = (np.concatenate(column) for column in zip(*read, strict=True))
        file = folder / f"spikes_of_{population}.h5"
        write_spikes(file, population, nodes, times)
        found["_and_".join(keys)] = inputs[keys[0]] | {"input_file": file.name}
    return found


def read_gains(resolved: Resolved, simulation: Simulation | Psp) -> list[dict[str, Any]]:
    """Returns the gains of a run, those of its tables first.

    Raises:
        ConfigError: If a table has other columns, an unknown edge config or no number.
    """
    gains = [gain.model_dump() for gain in simulation.gains]
    rows = []
    problems = []
    for file in simulation.gain_tables:
        path = resolved.path(file)
        table = read_csv(path)
        if not {"edges", "source", "target", "factor"} <= set(table):
            hint = "write columns edges, source, target, factor"
            problems.append(Problem(str(path), f"columns {list(table)}", hint))
            continue
        factors = pd.to_numeric(table["factor"], errors="coerce")
        for row, factor in zip(table.itertuples(), factors, strict=True):
            where = f"{path}:{row.Index + 2}"
            if row.edges not in resolved.model.edges:
                known = ", ".join(resolved.model.edges)
                problems.append(Problem(where, f"no edges {row.edges!r}", f"known: {known}"))
            if not np.isfinite(factor):
                problems.append(Problem(where, f"factor is {row.factor!r}", "write a number"))
            entry = {"edges": row.edges, "source": row.source or None, "target": row.target or None}
            rows.append(entry | {"factor": float(factor)})
    if problems:
        raise ConfigError(problems)
    return [gain | {"population": _gain_population(resolved, gain)} for gain in rows + gains]


def _gain_population(resolved: Resolved, gain: dict[str, Any]) -> str:
    edges = resolved.model.edges[gain["edges"]]
    return edge_population_name(edges.source, edges.target, CHEMICAL)


def read_plan(paths: CircuitPaths, name: str, library: Path | None) -> Plan:
    """Reads a run back from its simulation config; its circuit is that of its level.

    Raises:
        CircuitError: If the config was not written.
    """
    config = read_json(paths.simulation_config(name), "simulate")
    if config.get("level", "L3") != "L3":
        paths = LevelPaths.of(paths, name, config["level"])
    return Plan(config, paths, name, library)
