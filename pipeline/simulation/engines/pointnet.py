"""Engine ``pointnet``: BMTK's PointNet makes the cells and runs NEST; edges are loaded here.

What is added, and why: PointNet holds all edges of a population in one table and looks every node up
in another, which takes minutes and many times the memory of the network itself; here blocks of the
file go to NEST as arrays. Spike trains of virtual nodes and recordings go through memory. NEST and
BMTK are imported in functions only: NEST is GPL and may be absent.
"""

from __future__ import annotations

import json
import logging
import os
import time
from typing import Any

import numpy as np

from pipeline.errors import Problem, SimulationError
from pipeline.runtime import progress
from pipeline.simulation.plan import Plan
from pipeline.simulation.targets import edge_ends, populations, select_targets, typed_nodes
from pipeline.simulation.weights import EdgeReader, grid_times, receptor_ports
from pipeline.sonata.read import edge_blocks, open_population
from pipeline.sonata.reports import ReportWriter, read_report, read_spikes, write_spikes

RUNS = "circuits of GLIF cells"
PACKAGES = ("nest-simulator", "bmtk")
RANKS = False  # NEST's wheel knows threads only

log = logging.getLogger(__name__)
SUPPORTED_INPUTS = {("current_clamp", "report"), ("spikes", "h5")}
SLICE_MS = 100.0
"""The run goes in slices of a multiple of this length, so that there is something to see."""


def check(plan: Plan) -> list[Problem]:
    """Names what this engine cannot express, before anything starts."""
    where = str(plan.paths.simulation_config(plan.name))
    problems = []
    os.environ.setdefault("PYNEST_QUIET", "1")
    try:
        import nest  # noqa: F401
    except ImportError:
        hint = "pip install nest-simulator, or set engine: bionet"
        problems.append(Problem(f"{where}  engine", "NEST is not installed", hint))
    if plan.precise:
        hint = "set spike_times: grid, or engine: bionet"
        problems.append(
            Problem(f"{where}  spike_times", "GLIF cells of NEST spike on the grid", hint)
        )
    for key, entry in plan.config["inputs"].items():
        kind = (entry.get("input_type"), entry.get("module"))
        if kind not in SUPPORTED_INPUTS:
            problems.append(Problem(f"{where}  inputs.{key}", f"input {kind} is not supported"))
    for key, report in plan.config["reports"].items():
        if report["sections"] not in ("soma", "all"):
            message = "point cells have no sections"
            problems.append(Problem(f"{where}  reports.{key}", message, "set sections: soma"))
    for name, virtual in populations(plan.paths).items():
        if virtual:
            continue
        types = typed_nodes(plan.paths, name)
        templates = types.get("model_template", [None])
        strange = sorted({str(t) for t in set(templates) if not str(t).startswith("nest:")})
        if strange:
            message = f"nodes {name!r} have templates {strange}; NEST needs nest:<model>"
            hint = "give them cell_models of kind glif, or set engine: bionet"
            problems.append(Problem(str(plan.paths.node_types(name)), message, hint))
    return problems


def run(plan: Plan) -> dict[str, float]:
    """Builds the network in NEST, runs it and writes spikes and reports.

    Args:
        plan: The run; the circuit and its inputs exist.

    Returns:
        Figures of the run: build and run seconds, cells, edges, spikes, peak memory (MiB).

    Raises:
        CircuitError: If edges or inputs do not fit.
        SimulationError: If NEST refuses the network.
    """
    import resource

    started = time.perf_counter()
    os.environ["OMP_NUM_THREADS"] = str(plan.config["run"]["n_thread"])
    os.environ.setdefault("PYNEST_QUIET", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # spinning threads starve each other
    nest, simulator, network = _start(plan)
    first = _first_ids(plan, network)
    spikes_in = {e["node_set"]: e for e in plan.config["inputs"].values() if _is_spikes(e)}
    generators = {name: _play_spikes(nest, plan, entry) for name, entry in spikes_in.items()}
    made = time.perf_counter()
    edges = _connect(nest, plan, first, generators)
    currents = _play_currents(nest, plan, first)
    recorders = [_Voltages(nest, plan, first, key) for key in plan.config["reports"]]
    detectors = {name: _watch_spikes(nest, ids) for name, ids in first.items()}
    built = time.perf_counter()
    _advance(nest, simulator, plan, first, detectors)
    ended = time.perf_counter()
    spikes = _write_spikes(plan, first, detectors)
    for recorder in recorders:
        recorder.write(plan)
    return {
        "cells_s": made - started, "edges_s": built - made, "build_s": built - started,
        "run_s": ended - built, "threads": float(plan.config["run"]["n_thread"]),
        "cells": float(sum(len(ids) for ids in first.values())), "edges": float(edges),
        "clamps": float(currents), "spikes": float(spikes),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


def _is_spikes(entry: dict) -> bool:
    return entry["input_type"] == "spikes"


def _start(plan: Plan):
    """NEST through PointNet: cells of all populations that have a membrane."""
    import nest

    nest.verbosity = nest.VerbosityLevel.ERROR
    from bmtk.simulator.pointnet import Config, PointNetwork, PointSimulator

    config = Config.from_dict(_bmtk_config(plan))
    network = PointNetwork.from_config(config)
    threads = plan.config["run"]["n_thread"]
    simulator = PointSimulator.from_config(config, network, n_thread=threads)
    simulator.tstop = SLICE_MS
    return nest, simulator, network


def _bmtk_config(plan: Plan) -> dict[str, Any]:
    """The circuit in BMTK's dialect: cells only; edges, inputs and recordings are ours."""
    text = plan.paths.circuit_config.read_text(encoding="utf-8")
    circuit = json.loads(text.replace("$BASE_DIR", str(plan.paths.root.resolve())))
    virtual = populations(plan.paths)
    nodes = [
        entry for entry in circuit["networks"]["nodes"]
        if not all(virtual[name] for name in entry["populations"])
    ]  # fmt: skip
    run = {"dt": plan.dt, "tstop": SLICE_MS, "overwrite_output_dir": False}
    return {
        "target_simulator": "NEST",
        "components": circuit["components"],
        "networks": {"nodes": nodes, "edges": []},
        "run": run,
        "output": {"output_dir": str(plan.folder), "overwrite_output_dir": False},
    }


def _first_ids(plan: Plan, network) -> dict[str, np.ndarray]:
    """NEST's id of every node by population: int64 [n]."""
    ids = {}
    for name, virtual in populations(plan.paths).items():
        if not virtual:
            count = len(typed_nodes(plan.paths, name))
            ids[name] = np.asarray(network.gid_map.get_nestids(name, np.arange(count)), np.int64)
    return ids


def _play_spikes(nest, plan: Plan, entry: dict) -> np.ndarray:
    """Spike generators of a virtual population; 0 where a node has no spike: int64 [n]."""
    name = entry["node_set"]
    nodes, times = read_spikes(plan.folder / entry["input_file"], name)
    kept = times <= plan.duration
    times = grid_times(times[kept], plan.dt) + _lead(plan) * plan.dt
    order = np.lexsort((times, nodes[kept]))
    nodes, times = nodes[kept][order], times[order]
    with open_population(plan.paths.nodes(name), "nodes", name) as root:
        generators = np.zeros(len(root["node_type_id"]), np.int64)
    active, starts = np.unique(nodes, return_index=True)
    if not len(active):
        return generators
    trains = np.split(times, starts[1:])
    made = nest.Create("spike_generator", len(active))
    made.set([_train(train) for train in trains])
    generators[active] = made.tolist()
    return generators


def _train(times: np.ndarray) -> dict[str, np.ndarray]:
    """Distinct times with multiplicities: two spikes in one step are two spikes."""
    stamps, counts = np.unique(times, return_counts=True)
    return {"spike_times": stamps, "spike_multiplicities": counts}


def _connect(nest, plan: Plan, cells: dict, generators: dict) -> int:
    """Connects every edge population whose sources spike; returns the number of connections."""
    made = 0
    for name, ends in edge_ends(plan.paths).items():
        source = cells.get(ends[0], generators.get(ends[0]))
        if source is None:
            log.warning("edges %s: no input gives spikes to %r; left out", name, ends[0])
            continue
        gains = [g for g in plan.config.get("gains", []) if g["population"] == name]
        reader = EdgeReader(plan.paths, name, ends, gains, plan.dt)
        if reader.silent:
            continue
        ports = receptor_ports(plan.paths, name, reader.types)
        with progress(label=f"connect {name}", unit="edge") as bar:
            for block in edge_blocks(
                plan.paths.edges(name), name, ("syn_weight", "nsyns", "delay")
            ):
                made += _connect_block(nest, reader.values(block), source, cells[ends[1]], ports)
                bar.update(len(block["source_node_id"]))
    return made


def _connect_block(nest, values, source, target, ports: np.ndarray) -> int:
    sources = source[values.sources]
    kept = sources > 0  # virtual nodes that stay silent have no generator
    if not kept.any():
        return 0
    nest.Connect(
        sources[kept], target[values.targets[kept]], "one_to_one",
        {
            "synapse_model": "static_synapse",
            "weight": values.weights[kept],
            "delay": values.delays[kept],
            "receptor_type": ports[values.types[kept]],
        },
    )  # fmt: skip
    return int(kept.sum())


def _lead(plan: Plan) -> int:
    """Steps that NEST runs, with all cells at rest, before the run begins: 2 with current inputs.

    A generator's value of time t acts from t + dt on, and t must be positive.
    """
    return 0 if all(map(_is_spikes, plan.config["inputs"].values())) else 2


def _play_currents(nest, plan: Plan, cells: dict[str, np.ndarray]) -> int:
    """One step generator per cell and input; returns their number."""
    made = 0
    for entry in plan.config["inputs"].values():
        if _is_spikes(entry):
            continue
        report = read_report(plan.folder / entry["input_file"], entry["population"])
        every = float(report.times[1] - report.times[0]) if len(report.times) > 1 else plan.duration
        steps = np.round(np.arange(len(report.data)) * every / plan.dt) + _lead(plan) - 1
        for column, node in enumerate(report.node_ids):
            values = report.data[:, column].astype(float) * 1000.0  # pA
            kept = np.diff(values, prepend=0.0) != 0
            steps_of = {"amplitude_times": steps[kept] * plan.dt, "amplitude_values": values[kept]}
            generator = nest.Create("step_current_generator", params=steps_of)
            target = nest.NodeCollection([int(cells[entry["population"]][int(node)])])
            nest.Connect(generator, target, syn_spec={"delay": plan.dt})
            made += 1
    return made


class _Voltages:
    """One report of a run, collected by a multimeter."""

    def __init__(self, nest, plan: Plan, cells: dict[str, np.ndarray], key: str):
        self._key, self._report = key, plan.config["reports"][key]
        self._targets = select_targets(plan.paths, self._report["cells"])
        self._ids = cells[self._targets.population][self._targets.node_ids]
        chosen = nest.NodeCollection(np.sort(self._ids).tolist())
        order = np.argsort(self._ids)
        self._start = np.empty(len(order))
        self._start[order] = np.atleast_1d(chosen.get("V_m"))
        every = self._report["dt"]
        offset = (_lead(plan) * plan.dt) % every
        settings = {"record_from": ["V_m"], "interval": every, "offset": offset}
        self._meter = nest.Create("multimeter", params=settings)
        nest.Connect(self._meter, chosen, syn_spec={"delay": plan.dt})

    def write(self, plan: Plan) -> None:
        """Writes the report: frame k is the value at k times its dt, the end is left out."""
        events = self._meter.get("events")
        every = self._report["dt"]
        frames = round((self._report["end_time"] - self._report["start_time"]) / every)
        data = np.empty((frames, len(self._ids)))
        data[0] = self._start
        lead = _lead(plan) * plan.dt
        rows = np.round((events["times"] - lead) / every).astype(np.int64)
        columns = np.argsort(self._ids)[np.searchsorted(np.sort(self._ids), events["senders"])]
        kept = (rows > 0) & (rows < frames)
        data[rows[kept], columns[kept]] = events["V_m"][kept]
        if not np.isfinite(data).all():
            raise SimulationError(f"report {self._key}: a voltage is not finite; lower dt")
        count = len(self._ids)
        dtype = "float64" if self._report.get("precision") == "double" else "float32"
        with ReportWriter(
            plan.paths.report(plan.name, self._key), self._targets.population,
            self._targets.node_ids, np.zeros(count, int), np.full(count, 0.5),
            every, self._report["start_time"], self._report["end_time"], "mV", dtype=dtype,
        ) as writer:  # fmt: skip
            writer.append(data)


def _watch_spikes(nest, ids: np.ndarray):
    recorder = nest.Create("spike_recorder")
    nest.Connect(nest.NodeCollection(np.sort(ids).tolist()), recorder)
    return recorder


def _advance(nest, simulator, plan: Plan, cells: dict[str, np.ndarray], detectors) -> None:
    if lead := _lead(plan):
        _require_rest(nest, plan, cells)
        simulator.run(lead * plan.dt)
    count, before = sum(map(len, cells.values())), 0
    # NEST starts and ends every slice anew (0.1 s at 5,000 cells): small networks get long ones.
    piece = round(SLICE_MS * min(max(1, 50_000 // count), 10) / plan.dt)
    with progress(total=plan.duration, label="simulate", unit="ms") as bar:
        for start in range(0, plan.steps, piece):
            steps = min(piece, plan.steps - start)
            simulator.run(steps * plan.dt)
            bar.update(steps * plan.dt)
            fired = sum(recorder.n_events for recorder in detectors.values())
            plan.stop_runaway((fired - before) / count, steps * plan.dt, (start + steps) * plan.dt)
            before = fired


def _require_rest(nest, plan: Plan, cells: dict[str, np.ndarray]) -> None:
    """Makes sure that steps before the run leave all cells as they are."""
    for name, ids in cells.items():
        nodes = nest.NodeCollection(np.sort(ids).tolist())
        moving = np.atleast_1d(nodes.get("V_m")) != np.atleast_1d(nodes.get("E_L"))
        moving |= [any(start) for start in np.atleast_2d(nodes.get("asc_init"))]
        if moving.any():
            message = f"{int(moving.sum())} cells of {name!r} do not start at rest"
            hint = "set asc_init to 0 and V_m to E_L, or leave out the current inputs"
            raise SimulationError(Problem(str(plan.paths.node_types(name)), message, hint))


def _write_spikes(plan: Plan, cells: dict[str, np.ndarray], detectors: dict[str, Any]) -> int:
    total = 0
    for name, ids in cells.items():
        events = detectors[name].get("events")
        order = np.argsort(ids)
        nodes = order[np.searchsorted(ids[order], events["senders"])]
        steps = np.round(events["times"] / plan.dt) - _lead(plan)
        kept = steps < plan.steps  # as reports, the run ends before its end point
        write_spikes(plan.paths.spikes(plan.name), name, nodes[kept], steps[kept] * plan.dt)
        total += int(kept.sum())
    return total
