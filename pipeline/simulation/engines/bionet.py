"""Engine ``bionet``: BMTK's BioNet builds and spikes; continuous edges and streaming are added here.

What is added, and why: BioNet has no graded synapses and one gap conductance per type; it calls Python
at every time step; and it deletes its output folder. Here cells come from our one builder, continuous
edges from ``continuous``, time runs in ``psolve`` blocks, and recorded blocks stream to disk.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.cells.biophysical import NeuronCell
from pipeline.errors import Problem
from pipeline.mechanisms import load_library
from pipeline.simulation import continuous, events, release_synapses, synapses
from pipeline.simulation.balance import read_share
from pipeline.simulation.bmtk_nodes import network_class
from pipeline.simulation.checkpoint import Checkpoint, Live, random_streams
from pipeline.simulation.neuron_cells import CellShelf, build_point, locate, segment_count
from pipeline.simulation.neuron_run import (
    advance,
    check_inputs,
    gather_spikes,
    make_recorders,
    peak_memory,
    play_inputs,
    population_of_cells,
    watch_spikes,
)
from pipeline.simulation.plan import Plan
from pipeline.sonata.layout import CELL_TEMPLATE
from pipeline.sonata.read import read_types

RUNS = "cells of all kinds, all kinds of edges"
PACKAGES = ("neuron", "bmtk")

log = logging.getLogger(__name__)


def check(plan: Plan) -> list[Problem]:
    """Names what this engine cannot express, before anything starts."""
    return check_inputs(plan) + (_check_precise(plan) if plan.precise else [])


def _check_precise(plan: Plan) -> list[Problem]:
    types = plan.paths.node_types(population_of_cells(plan))
    points = _point_templates(plan)
    if points and "nest:glif_cond" not in points:
        return []
    message = "GLIF cells with conductance synapses" if points else "a circuit without GLIF cells"
    hint = "precise spikes need synapse: psc or psc_double_alpha; else set spike_times: grid"
    return [Problem(str(types), f"spike_times: precise for {message}", hint)]


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
    h, pc = start_neuron(plan)
    network, wired = build_network(plan)
    cells = network.get_local_cells()
    clamps = play_inputs(h, plan, cells)
    spikes = watch_spikes(h, pc, cells)
    recorders = make_recorders(plan, cells)
    pc.setup_transfer()
    built = time.perf_counter()
    save = _checkpoint(h, pc, plan, cells, wired, clamps, spikes)
    advance(h, pc, plan, cells, recorders, spikes[0], save)
    gather_spikes(pc, plan, cells, spikes)
    ended = time.perf_counter()
    segments = sum(segment_count(cell.hobj) for cell in cells.values())
    figures = {
        "build_s": built - started,
        "run_s": ended - built,
        "ranks": float(pc.nhost()),
        "cells": pc.allreduce(float(len(cells)), 1),
        "segments": pc.allreduce(float(segments), 1),
        "continuous": pc.allreduce(float(wired.continuous), 1),
        "netcons": pc.allreduce(float(wired.events), 1),
        "synapses": pc.allreduce(float(wired.driven.synapses), 1),
        "processes": pc.allreduce(float(wired.driven.point_processes), 1),
        "memory_mib": pc.allreduce(peak_memory(), 1),
        "clamps": pc.allreduce(float(len(clamps)), 1),
    }
    if save and save.start:
        figures["from_ms"] = save.start
    return figures


def _checkpoint(h, pc, plan: Plan, cells, wired: _Wired, clamps, spikes) -> Checkpoint | None:
    if plan.saving is None:
        return None
    references = continuous.voltages(wired.graded) + [clamp.current for clamp in clamps]
    patterns = [
        (stimulus, vectors[0].to_python(), vectors[1].to_python())
        for stimulus, vectors in wired.driven.sources
    ]
    arrays = [(stimulus, np.array(times), np.array(gids)) for stimulus, times, gids in patterns]
    processes = [*wired.graded.processes, *wired.driven.processes.values(), *wired.driven.releases]
    streams = random_streams(processes, [cell.hobj for cell in cells.values()])
    return Checkpoint(h, pc, plan, plan.saving, Live(references, streams, arrays), spikes)


def start_neuron(plan: Plan) -> tuple[Any, Any]:
    """Loads NEURON with the plan's mechanisms; returns its interpreter and ParallelContext."""
    from neuron import h

    if plan.library:
        load_library(plan.library)
    h.load_file("stdrun.hoc")
    return h, h.ParallelContext()


def build_network(plan: Plan) -> tuple[Any, _Wired]:
    """Builds this rank's part: cells and spike-driven edges by BioNet, continuous edges by ours.

    Returns:
        BioNet's network, whose ``get_local_cells`` has the cells by gid, and what must outlive the run.
    """
    from bmtk.simulator.bionet.config import Config
    from bmtk.simulator.bionet.pyfunction_cache import add_cell_model

    config = json.loads(plan.paths.circuit_config.read_text(encoding="utf-8"))
    shelf = CellShelf(plan.paths, int(plan.config["run"]["random_seed"]))

    def load_cell(node, template, parameters) -> NeuronCell:
        morphology = str(node["morphology"])
        return shelf.build(node.population_name, int(node.node_id), morphology, parameters)

    def load_point(node, template, parameters):
        name = f"{node.population_name}_{node.node_id}"
        points.append(build_point(template, parameters, name, plan.dt if plan.precise else None))
        return points[-1].point

    points: list[Any] = []
    add_cell_model(load_cell, CELL_TEMPLATE, "biophysical", overwrite=True)
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
    network = _network_class(plan).from_config(conf)
    network.build_nodes()
    network.build_recurrent_edges()
    cells = {cell.node_id: cell for cell in network.get_local_cells().values()}
    wired = continuous.connect(plan.paths, graded, cells, locate)
    netcons = events.connect(plan, network, driven, cells)
    return network, _Wired(wired, netcons, points)


def _network_class(plan: Plan) -> type:
    if plan.dealt is None:
        return network_class()
    from neuron import h

    share = read_share(plan.dealt, int(h.ParallelContext().id()))
    return network_class(population_of_cells(plan), share)


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
    return bool(_point_templates(plan))


def _point_templates(plan: Plan) -> set[str]:
    types = read_types(plan.paths.node_types(population_of_cells(plan)))
    templates = types.get("model_template", pd.Series(dtype=object)).dropna().astype(str)
    return set(templates[templates.str.startswith("nest:")])


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
