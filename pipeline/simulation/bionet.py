"""Engine ``bionet``: BMTK's BioNet builds and spikes; continuous edges and streaming are added here.

What is added, and why: BioNet has no graded synapses and one gap conductance per type; it calls Python
at every time step; and it deletes its output folder. Here cells come from our one builder, continuous
edges from ``continuous``, time runs in ``psolve`` blocks, and recorded blocks stream to disk.
"""

from __future__ import annotations

import json
import logging
import resource
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.cells.biophysical import NeuronCell, build_cell
from pipeline.cells.description import cell_from_json
from pipeline.cells.morphology import read_morphology
from pipeline.cells.noise import NoiseKey
from pipeline.errors import CircuitError, Problem, SimulationError
from pipeline.mechanisms import load_library
from pipeline.runtime import progress
from pipeline.simulation import continuous, events, release_synapses, synapses
from pipeline.simulation.bmtk_nodes import network_class
from pipeline.simulation.neuron_cells import (
    build_point,
    is_point,
    locate,
    segment_count,
    unstable,
)
from pipeline.simulation.plan import Plan
from pipeline.simulation.record import Recorder
from pipeline.sonata.read import read_types
from pipeline.sonata.reports import read_report, write_spikes

log = logging.getLogger(__name__)
SUPPORTED_INPUTS = {("current_clamp", "report"), ("spikes", "h5")}
BLOCK_BYTES = 64 * 1024 * 1024


def check(plan: Plan) -> list[Problem]:
    """Names what this engine cannot express, before anything starts."""
    where = str(plan.paths.simulation_config(plan.name))
    problems = []
    for key, entry in plan.config["inputs"].items():
        kind = (entry.get("input_type"), entry.get("module"))
        if kind not in SUPPORTED_INPUTS:
            problems.append(Problem(f"{where}  inputs.{key}", f"input {kind} is not supported"))
    for key, report in plan.config["reports"].items():
        if report["variable_name"] != "v":
            problems.append(Problem(f"{where}  reports.{key}", "only v can be recorded"))
    return problems


def run(plan: Plan) -> dict[str, float]:
    """Builds the network on this rank, runs it and writes spikes and reports.

    Args:
        plan: The run; the circuit and its inputs exist.

    Returns:
        Figures of the run: build and run seconds, cells and segments on all ranks.

    Raises:
        SimulationError: If a voltage is not finite at the end of a block.
    """
    import time

    started = time.perf_counter()
    h, pc = _start_neuron(plan)
    network, wired = _build(plan)
    clamps = _play_inputs(h, plan, network)
    spikes = _watch_spikes(h, pc, network)
    recorders = [
        Recorder(plan, key, _record_cells(plan, network, report), report)
        for key, report in plan.config["reports"].items()
        if report["enabled"]
    ]
    pc.setup_transfer()
    built = time.perf_counter()
    _advance(h, pc, plan, network, recorders, spikes[0])
    _gather_spikes(pc, plan, network, spikes)
    ended = time.perf_counter()
    segments = sum(segment_count(cell.hobj) for cell in _cells(network).values())
    figures = {
        "build_s": built - started,
        "run_s": ended - built,
        "ranks": float(pc.nhost()),
        "cells": pc.allreduce(float(len(_cells(network))), 1),
        "segments": pc.allreduce(float(segments), 1),
        "continuous": pc.allreduce(float(wired.continuous), 1),
        "netcons": pc.allreduce(float(wired.events), 1),
        "synapses": pc.allreduce(float(wired.driven.synapses), 1),
        "processes": pc.allreduce(float(wired.driven.point_processes), 1),
        "memory_mib": pc.allreduce(_peak_memory(), 1),
        "clamps": pc.allreduce(float(len(clamps)), 1),
    }
    return figures


def _peak_memory() -> float:
    """Largest memory of this rank so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _start_neuron(plan: Plan):
    from neuron import h

    if plan.library:
        load_library(plan.library)
    h.load_file("stdrun.hoc")
    return h, h.ParallelContext()


def _build(plan: Plan):
    """Cells and spike-driven edges by BioNet, continuous edges by ours."""
    from bmtk.simulator.bionet.config import Config
    from bmtk.simulator.bionet.pyfunction_cache import add_cell_model

    circuit = plan.paths.circuit_config
    config = json.loads(circuit.read_text(encoding="utf-8"))
    suffix = _morphology_suffix(plan)
    loaded: dict[tuple[str, str], Any] = {}
    described: dict[tuple[str, str], Any] = {}

    def load_cell(node, template, parameters) -> NeuronCell:
        name = str(node["morphology"]).removesuffix(
            suffix
        )  # BMTK adds it where the types table gives the name
        axon = parameters.get("axon", "keep")
        if (name, axon) not in loaded:
            path = plan.paths.morphologies / f"{name}{suffix}"
            loaded[name, axon] = read_morphology(path, axon)
        key = (name, str(node["dynamics_params"]))
        if key not in described:
            described[key] = cell_from_json(parameters, loaded[name, axon])
        noise = NoiseKey(plan.config["run"]["random_seed"], node.population_name, int(node.node_id))
        return build_cell(described[key], f"{name}_{node.node_id}", noise)

    def load_point(node, template, parameters):
        points.append(build_point(template, parameters, f"{node.population_name}_{node.node_id}"))
        return points[-1].point

    points: list[Any] = []
    add_cell_model(load_cell, "sonatina:cell", "biophysical", overwrite=True)
    add_cell_model(load_point, "nest", "point_neuron", overwrite=True)
    names = [next(iter(e["populations"])) for e in config["networks"]["edges"]]
    graded = [name for name in names if continuous.is_continuous(plan.paths, name)]
    ours = _has_points(plan)
    driven = [
        name
        for name in names
        if name not in graded
        and (
            ours
            or synapses.is_known(plan.paths, name)
            or release_synapses.is_known(plan.paths, name)
        )
    ]
    conf = Config.from_dict(_bmtk_config(plan, config, graded + driven))
    network = network_class().from_config(conf)
    network.build_nodes()
    network.build_recurrent_edges()
    _population(plan)
    cells = {cell.node_id: cell for cell in _cells(network).values()}
    wired = continuous.connect(plan.paths, graded, cells, locate)
    netcons = events.connect(plan, network, driven, cells)
    return network, _Wired(wired, netcons, points)


@dataclass(frozen=True)
class _Wired:
    """Live objects that must outlive the run."""

    graded: continuous.Wired
    driven: events.Wired
    points: list[Any]

    @property
    def continuous(self) -> int:
        return len(self.graded.processes)

    @property
    def events(self) -> int:
        return len(self.driven.netcons)


def _has_points(plan: Plan) -> bool:
    """Whether the cells include point cells, whose edges are ours to make."""
    types = read_types(plan.paths.node_types(_population(plan)))
    templates = types.get("model_template", pd.Series(dtype=object)).dropna().astype(str)
    return bool(templates.str.startswith("nest:").any())


def _bmtk_config(plan: Plan, config: dict, ours: list[str]) -> dict[str, Any]:
    """The circuit config in BMTK's own dialect: absolute paths, none of the edges made by us."""
    text = json.dumps(config).replace("$BASE_DIR", str(plan.paths.root.resolve()))
    resolved = json.loads(text)
    edges = [
        entry | {"enabled": next(iter(entry["populations"])) not in ours}
        for entry in resolved["networks"]["edges"]
    ]
    return {
        "target_simulator": "NEURON",
        "components": resolved["components"],
        "networks": {"nodes": resolved["networks"]["nodes"], "edges": edges},
        "run": plan.config["run"] | {"dL": None},
        "conditions": plan.config["conditions"],
        "output": {"output_dir": str(plan.folder)},
    }


def _morphology_suffix(plan: Plan) -> str:
    if not plan.paths.morphologies.is_dir():
        return ""
    files = plan.paths.morphologies.iterdir()
    found = sorted({path.suffix for path in files if not path.name.startswith(".")})
    if len(found) != 1:
        raise SimulationError(f"{plan.paths.morphologies}: expected one file type, found {found}")
    return found[0]


def _population(plan: Plan) -> str:
    config = json.loads(plan.paths.circuit_config.read_text(encoding="utf-8"))
    names = [
        name
        for entry in config["networks"]["nodes"]
        for name, properties in entry["populations"].items()
        if properties.get("type") != "virtual"
    ]
    if len(names) != 1:
        raise SimulationError(f"one population of cells is supported, found {names}")
    return names[0]


def _cells(network) -> dict[int, Any]:
    """Cells on this rank by gid."""
    return network.get_local_cells()


@dataclass
class _Clamp:
    electrode: Any
    values: Any


def _play_inputs(h, plan: Plan, network) -> list[_Clamp]:
    clamps = []
    local = {cell.node_id: cell for cell in _cells(network).values()}
    taken: set[int] = set()
    for key, entry in plan.config["inputs"].items():
        if events.is_spikes(entry):
            continue
        report = read_report(plan.folder / entry["input_file"], entry["population"])
        dt = float(report.times[1] - report.times[0]) if len(report.times) > 1 else plan.duration
        for column, node in enumerate(report.node_ids):
            if int(node) not in local:
                continue
            electrode, current = _electrode(h, local[int(node)].hobj)
            if electrode is None and int(node) in taken:
                message = f"input {key!r}: point cell {node} has another current already"
                raise CircuitError(Problem(str(plan.folder), message, "join them in one input"))
            taken.add(int(node))
            values = h.Vector(report.data[:, column])
            # A step takes what is due up to its middle, so a value due at its start is half a step
            # away from being taken by a neighbour, whatever the rounding of t.
            times = h.Vector(np.arange(len(report.data)) * dt)
            values.play(current, times, False)
            clamps.append(_Clamp(electrode, (values, times)))
    return clamps


def _electrode(h, hobj):
    """What injects current into a cell, and the variable to play."""
    if is_point(hobj):
        return None, hobj._ref_i_e
    electrode = h.IClamp(hobj.soma[0](0.5))
    electrode.delay, electrode.dur = 0.0, 1e12
    return electrode, electrode._ref_amp


def _watch_spikes(h, pc, network):
    times, gids = h.Vector(), h.Vector()
    for gid in _cells(network):
        pc.spike_record(gid, times, gids)
    return times, gids


def _record_cells(plan: Plan, network, report) -> dict[int, Any]:
    from pipeline.simulation.targets import select_targets

    wanted = set(select_targets(plan.paths, report["cells"]).node_ids.tolist())
    return {c.node_id: c.hobj for c in _cells(network).values() if c.node_id in wanted}


def _advance(h, pc, plan: Plan, network, recorders: list[Recorder], spikes) -> None:
    h.dt, h.steps_per_ms = plan.dt, 1.0 / plan.dt
    h.celsius = plan.config["conditions"]["celsius"]
    pc.set_maxstep(10)
    h.finitialize(plan.config["conditions"]["v_init"])
    width = sum(recorder.width for recorder in recorders)
    fit = max(1, BLOCK_BYTES // (8 * max(1, width)))
    block = int(pc.allreduce(float(min(fit, max(1, plan.steps // 50))), 3))
    everyone, before = pc.allreduce(float(len(_cells(network))), 1), 0.0
    with progress(total=plan.duration, label="simulate", unit="ms") as bar:
        for start in range(0, plan.steps, block):
            stop = min(start + block, plan.steps)
            pc.psolve(stop * plan.dt)
            _stop_on_nonfinite(pc, network, stop * plan.dt)
            if plan.config["run"].get("rate_limit"):
                fired = pc.allreduce(float(spikes.size()), 1)
                span = (stop - start) * plan.dt
                plan.stop_runaway((fired - before) / everyone, span, stop * plan.dt)
                before = fired
            for recorder in recorders:
                recorder.flush(pc, last=stop == plan.steps)
            bar.update((stop - start) * plan.dt)
    for recorder in recorders:
        recorder.close()


def _stop_on_nonfinite(pc, network, time: float) -> None:
    bad = [
        f"cell {cell.node_id} {where}"
        for cell in _cells(network).values()
        for where in unstable(cell.hobj)
    ]
    if bad:
        raise SimulationError(
            f"voltage is not finite by {time:g} ms in {', '.join(bad[:3])}; lower dt, or check the "
            "conductances of these cells"
        )


def _gather_spikes(pc, plan: Plan, network, spikes) -> None:
    times = np.array(spikes[0])
    nodes = np.array([_cells(network)[int(gid)].node_id for gid in spikes[1]], np.int64)
    parts = pc.py_gather((times, nodes), 0)
    if pc.id() == 0:
        times = np.concatenate([part[0] for part in parts])
        times = np.round(times / plan.dt) * plan.dt  # NEURON's t gathers rounding
        nodes = np.concatenate([part[1] for part in parts])
        write_spikes(plan.paths.spikes(plan.name), _population(plan), nodes, times)
