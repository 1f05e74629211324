"""From a model's simulation section to the SONATA simulation config an engine runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.load import Resolved
from pipeline.runtime import write_json
from pipeline.simulation.inputs import write_input
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_json


@dataclass(frozen=True)
class Plan:
    """One run, as read back from its files.

    Attributes:
        config: Content of ``simulation_config.json``.
        paths: The circuit.
        name: Name of the run.
        library: Compiled mechanisms to load, or None.
    """

    config: dict[str, Any]
    paths: CircuitPaths
    name: str
    library: Path | None

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
    def folder(self) -> Path:
        """Folder of the run's files."""
        return self.paths.simulation(self.name)


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
    inputs = {}
    for key in simulation.inputs:
        file = paths.simulation(name) / f"input_{key}.h5"
        targets = write_input(resolved, simulation, key, paths, file)
        inputs[key] = {
            "input_type": "current_clamp",
            "module": "report",
            "input_file": f"./{file.name}",
            "population": targets.population,
            "delay": 0.0,
            "duration": simulation.duration,
        }
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
        "network": "$BASE_DIR/../../circuit_config.json",
        "node_sets_file": "$BASE_DIR/../../node_sets.json",
        "target_simulator": "NEURON",
        "run": {
            "tstop": simulation.duration,
            "dt": simulation.dt,
            "random_seed": resolved.model.seed,
            "spike_threshold": simulation.spike_threshold,
        },
        "conditions": {"v_init": simulation.v_init, "celsius": simulation.celsius},
        "inputs": inputs,
        "reports": reports,
        "output": {"output_dir": "$BASE_DIR", "spikes_file": "spikes.h5"},
    }
    path = paths.simulation_config(name)
    write_json(path, config)
    return path


def read_plan(paths: CircuitPaths, name: str, library: Path | None) -> Plan:
    """Reads a run back from its simulation config.

    Raises:
        CircuitError: If the config was not written.
    """
    path = paths.simulation_config(name)
    return Plan(read_json(path, "simulate"), paths, name, library)
