"""Engine ``neurodamus``: neurodamus distributes, makes cells and synapses and replays spikes; NEURON runs.

What is added, and why: cells come from our one builder, so that any template of ours runs; neurodamus
rounds delays down and knows its own synapses only, so ours (mechanism set ``release``) get every number of
their edge as in ``bionet``; its spikes and reports need libsonatareport, which no wheel has, so both are
written as in ``bionet``. neurodamus keeps global state: one process per run.
"""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from pipeline.config.load import Resolved
from pipeline.errors import Problem
from pipeline.mechanisms import load_library
from pipeline.runtime import make_folder, write_json
from pipeline.simulation.events import is_spikes
from pipeline.simulation.neuron_cells import segment_count
from pipeline.simulation.neuron_run import (
    advance,
    check_inputs,
    gather_spikes,
    make_recorders,
    peak_memory,
    play_inputs,
    population_of_cells,
)
from pipeline.simulation.plan import Plan
from pipeline.simulation.release_synapses import (
    REFERENCE_CALCIUM,
    ReleaseReader,
    is_known,
    set_synapse,
    stream_keys,
)
from pipeline.simulation.targets import edge_ends, populations, typed_nodes
from pipeline.simulation.weights import EdgeReader, grid_times
from pipeline.sonata.layout import CELL_TEMPLATE
from pipeline.sonata.read import open_population, read_edges, read_json, read_types
from pipeline.sonata.reports import read_spikes, write_spikes

RUNS = "cells with morphologies, synapses with release"
PACKAGES = ("neuron", "neurodamus")

NEEDED = (
    "afferent_section_id", "afferent_section_pos", "conductance", "decay_time", "delay",
    "depression_time", "facilitation_time", "n_rrp_vesicles", "syn_type_id", "u_syn",
)  # fmt: skip
"""Attributes that neurodamus reads from the edges themselves, never from their types."""
DEFINES = ("DISABLE_REPORTINGLIB",)
"""What neurodamus' mechanisms ask for where there is no libsonatareport."""
_HELPER = "SonatinaRelease"
INSTALL = "pip install neurodamus"


def package_folder() -> Path | None:
    """Returns neurodamus' folder of hoc files and mechanisms, or None if it is not installed."""
    found = importlib.util.find_spec("neurodamus")
    return Path(found.origin).parent / "data" if found and found.origin else None


def mechanism_sets(resolved: Resolved) -> list[Path]:
    """Returns the sets that neurodamus itself needs, for models with a run on it."""
    used = any(run.engine == "neurodamus" for run in resolved.model.simulation.values())
    folder = package_folder()
    return [folder / "mod"] if used and folder else []


def check(plan: Plan) -> list[Problem]:
    """Names what this engine cannot express, before anything starts."""
    if package_folder() is None:
        where = str(plan.paths.simulation_config(plan.name))
        return [Problem(where, "engine neurodamus is not installed", INSTALL)]
    if plan.precise:
        where = str(plan.paths.simulation_config(plan.name))
        message = "neurodamus has no GLIF cells, and precise spikes are theirs"
        return [Problem(f"{where}  spike_times", message, "set spike_times: grid")]
    return check_inputs(plan) + _check_library(plan) + _check_edges(plan) + _check_nodes(plan)


def _check_library(plan: Plan) -> list[Problem]:
    """neurodamus ends the process without a word where its own mechanisms are not loaded."""
    if "SonataReport" in read_json(plan.paths.mechanisms, "compile")["mechanisms"]:
        return []
    message = "compiled without neurodamus' own mechanisms"
    hint = "run 'sonatina compile' for this model again"
    return [Problem(str(plan.paths.mechanisms), message, hint)]


def _check_edges(plan: Plan) -> list[Problem]:
    problems: list[Problem] = []
    ends = edge_ends(plan.paths)
    for name, pair in ends.items():
        where = str(plan.paths.edges(name))
        if not is_known(plan.paths, name):
            message = "neurodamus makes synapses of the set release only"
            problems.append(Problem(where, message, "use engine bionet"))
            continue
        if list(ends.values()).count(pair) > 1:
            message = f"{pair[0]} to {pair[1]} has several populations of synapses"
            problems.append(Problem(where, message, "join them, or use engine bionet"))
        with open_population(plan.paths.edges(name), "edges", name) as root:
            absent = [column for column in NEEDED if column not in root["0"]]
        if absent:
            message = f"neurodamus reads {', '.join(absent)} from the edges themselves"
            problems.append(Problem(where, message, "write them there, or use engine bionet"))
    return problems


def _check_nodes(plan: Plan) -> list[Problem]:
    problems = []
    for name, virtual in populations(plan.paths).items():
        file = plan.paths.node_types(name)
        types = read_types(file)
        known = types.get("model_template", types.iloc[:, 0]).astype(str) == CELL_TEMPLATE
        if virtual:
            continue
        if not known.all():
            message = f"neurodamus runs cells of the template {CELL_TEMPLATE}"
            problems.append(Problem(str(file), message, "use another engine"))
            continue
        nodes = typed_nodes(plan.paths, name)  # cells of one type may have e-models of their own
        for name in nodes["dynamics_params"].astype(str).unique():
            # Edges name sections, and neurodamus has no rule for those that a reduction took away.
            if read_json(plan.paths.emodels / name, "nodes")["level"] == "single_compartment":
                where = str(plan.paths.emodels / name)
                message = "neurodamus needs whole cells, not the level single_compartment"
                problems.append(Problem(where, message, "use engine bionet"))
    return problems


def prepare(plan: Plan) -> None:
    """Writes the simulation config in neurodamus' dialect, and spikes on the grid of the time step."""
    folder = _folder(plan)
    make_folder(folder, "simulate")
    conditions, run = plan.config["conditions"], plan.config["run"]
    inputs = {}
    for key, entry in plan.config["inputs"].items():
        if is_spikes(entry):
            population = entry["node_set"]
            nodes, times = read_spikes(plan.folder / entry["input_file"], population)
            write_spikes(folder / f"{key}.h5", population, nodes, grid_times(times, plan.dt))
            inputs[key] = {
                "input_type": "spikes", "module": "synapse_replay", "delay": 0.0,
                "duration": plan.duration, "spike_file": str(folder / f"{key}.h5"),
                "source": population, "node_set": population_of_cells(plan),
            }  # fmt: skip
    overrides = [
        {"name": name, "source": source, "target": target, "modoverride": _HELPER}
        for name, (source, target) in edge_ends(plan.paths).items()
    ]
    write_json(
        folder / "simulation_config.json",
        {
            "version": 2.3,
            "network": str(plan.paths.circuit_config.resolve()),
            "node_sets_file": str(plan.paths.node_sets.resolve()),
            "target_simulator": "NEURON",
            "run": {key: run[key] for key in ("tstop", "dt", "random_seed", "spike_threshold")},
            "conditions": {
                "v_init": conditions["v_init"],
                "celsius": conditions["celsius"],
                "extracellular_calcium": conditions.get("extracellular_calcium", REFERENCE_CALCIUM),
            },
            "connection_overrides": overrides,
            "inputs": inputs,
            "output": {"output_dir": str(folder), "spikes_file": "spikes.h5"},
        },
    )


def run(plan: Plan) -> dict[str, float]:
    """Builds the network on this rank, runs it and writes spikes and reports.

    Args:
        plan: The run; ``prepare`` has been called.

    Returns:
        Figures of the run, those of ``bionet``.

    Raises:
        SimulationError: If a voltage is not finite at the end of a block.
    """
    started = time.perf_counter()
    h, pc, simulation = _build(plan)
    population = population_of_cells(plan)
    manager = simulation.circuits.get_node_manager(population)
    offset = manager.local_nodes.offset
    cells = {
        int(gid): SimpleNamespace(node_id=int(gid) - offset, hobj=cell.CellRef)
        for gid, cell in manager.gid2cell.items()
    }
    synapses = sum(_set_synapses(plan, simulation, name, cells) for name in edge_ends(plan.paths))
    clamps = play_inputs(h, plan, cells)
    order = [name for name, _ in simulation._spike_populations]
    spikes = simulation._spike_vecs[order.index(population)]
    recorders = make_recorders(plan, cells)
    built = time.perf_counter()
    advance(h, pc, plan, cells, recorders, spikes[0])
    gather_spikes(pc, plan, cells, spikes)
    ended = time.perf_counter()
    segments = sum(segment_count(cell.hobj) for cell in cells.values())
    totals = {
        "cells": len(cells), "segments": segments, "synapses": synapses, "processes": synapses,
        "memory_mib": peak_memory(), "clamps": len(clamps),
    }  # fmt: skip
    return {"build_s": built - started, "run_s": ended - built, "ranks": float(pc.nhost())} | {
        name: pc.allreduce(float(value), 1) for name, value in totals.items()
    }


def _folder(plan: Plan) -> Path:
    return plan.folder / "neurodamus"


def _build(plan: Plan) -> tuple[Any, Any, Any]:
    """NEURON, its context and neurodamus with all cells and synapses."""
    folders = [package_folder() / "hoc", Path(__file__).parents[1] / "hoc"]
    os.environ["HOC_LIBRARY_PATH"] = os.pathsep.join(map(str, folders))
    os.environ.setdefault("NEURON_INIT_MPI", "0")  # neurodamus asks for MPI unless told
    if plan.library:
        load_library(plan.library)
    from neurodamus import Neurodamus, target_manager
    from neurodamus.core import NeuronWrapper
    from neurodamus.core.configuration import GlobalConfig, LogLevel
    from neurodamus.node import METypeEngine

    from pipeline.simulation.neurodamus_cells import manager_class, section_table_class

    GlobalConfig.verbosity = LogLevel.ERROR_ONLY
    NeuronWrapper.init(log_filename=str(_folder(plan) / "neurodamus.log"), log_use_color=False)
    METypeEngine.CellManagerCls = manager_class(plan)
    target_manager.SerializedSections = section_table_class()
    simulation = Neurodamus(
        str(_folder(plan) / "simulation_config.json"), logging_level=0, disable_reports=True,
        lb_mode="RoundRobin", cleanup_atexit=False,
    )  # fmt: skip
    # neurodamus puts its seed into every Random123 stream; ours hold the seed in their own ids.
    NeuronWrapper.h.Random().Random123_globalindex(0)
    return NeuronWrapper.h, NeuronWrapper.pc, simulation


def _set_synapses(plan: Plan, simulation: Any, name: str, cells: dict[int, Any]) -> int:
    """Gives the synapses of a population the numbers that ``bionet`` gives; returns how many live."""
    source, target = ends = edge_ends(plan.paths)[name]
    gains = [gain for gain in plan.config.get("gains", []) if gain["population"] == name]
    reader = EdgeReader(plan.paths, name, ends, gains, plan.dt)
    release = ReleaseReader(plan.paths, name, target, reader, plan.config["conditions"])
    keys = stream_keys(int(plan.config["run"]["random_seed"]), name)
    driven = {entry["node_set"] for entry in plan.config["inputs"].values() if is_spikes(entry)}
    heard = source in driven or not populations(plan.paths)[source]
    local = np.array(sorted(cell.node_id for cell in cells.values()), np.int64)
    edges = read_edges(plan.paths.edges(name), name, release.columns, targets=local)
    block = {key: edges[key].to_numpy() for key in edges} | {"edge_id": edges.index.to_numpy()}
    table = release.parameters(block) if len(edges) and heard and not reader.silent else ()
    rows = {int(row.edge_id): row for row in (table.itertuples() if len(table) else ())}
    count = 0
    for manager in simulation.circuits.get_edge_managers(source, target):
        for connection in manager.all_connections():
            netcons = [
                connection._netcons,
                connection._replay.netcons if connection._replay else (),
            ]
            for index, process in enumerate(connection._synapses):
                row = rows.get(int(connection._synapse_params[index]["synapse_index"]))
                if row is not None:
                    set_synapse(process, release, row, keys)
                    count += 1
                for netcon in (found[index] for found in netcons if len(found)):
                    netcon.weight[0] = 1.0 if row is not None else 0.0  # 0: a gain silences it
                    netcon.delay = row.delay if row is not None else netcon.delay
    return count
