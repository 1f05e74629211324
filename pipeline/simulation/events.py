"""Spike-driven edges in NEURON, on any number of ranks.

BMTK's BioNet makes one Python object per edge and draws places of synapses by a stream of its own.
Here blocks of edges become NetCons directly. Spike trains of virtual nodes come from one PatternStim
per rank. Simultaneous events add exactly (weights lie on a binary grid and the mechanisms sum before
they scale), so that spikes do not depend on ranks. Synapses on morphologies: ``synapses``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.runtime import progress
from pipeline.simulation.neuron_cells import is_point
from pipeline.simulation.plan import Plan
from pipeline.simulation.release_synapses import ReleaseReader, make_synapses, stream_keys
from pipeline.simulation.release_synapses import is_known as has_release
from pipeline.simulation.synapses import Place, Placed, Placer, make_process
from pipeline.simulation.targets import edge_ends, typed_nodes
from pipeline.simulation.weights import EdgeReader, grid_times, receptor_ports
from pipeline.sonata.read import open_population, read_edges
from pipeline.sonata.reports import read_spikes


@dataclass
class Wired:
    """Live NEURON objects of the event-driven edges on this rank; keep it while simulating.

    Attributes:
        netcons: One per edge onto a point cell; on morphologies one per edge, place and delay.
        sources: What plays the spikes of virtual nodes.
        processes: Point process of each place on a morphology and kinetics.
        releases: Synapses with stochastic release, one process per edge.
        synapses: Number of synapses on morphologies.
    """

    netcons: list[Any] = field(default_factory=list)
    sources: list[Any] = field(default_factory=list)
    processes: dict[Place, Any] = field(default_factory=dict)
    releases: list[Any] = field(default_factory=list)
    synapses: int = 0

    @property
    def point_processes(self) -> int:
        """Number of point processes on morphologies."""
        return len(self.processes) + len(self.releases)


def connect(plan: Plan, network: Any, names: list[str], cells: dict[int, Any]) -> Wired:
    """Makes the NetCons of this rank's cells and plays the inputs of virtual nodes.

    Args:
        plan: The run.
        network: BMTK's network; its gid pool numbers all nodes.
        names: Edge populations driven by events.
        cells: Node id to cell, of the cells on this rank.

    Returns:
        The live objects.

    Raises:
        CircuitError: If an edge cannot be made.
    """
    from neuron import h

    pc = h.ParallelContext()
    wired = Wired()
    spikes = {e["node_set"]: e for e in plan.config["inputs"].values() if is_spikes(e)}
    ends = edge_ends(plan.paths)
    for name in names:
        source, _ = ends[name]
        if source not in spikes and _is_virtual(network, source):
            continue
        gains = [g for g in plan.config.get("gains", []) if g["population"] == name]
        reader = EdgeReader(plan.paths, name, ends[name], gains, plan.dt, _lags(plan, source))
        if reader.silent:
            continue
        if has_release(plan.paths, name):
            _connect_releases(plan, network, pc, name, ends[name], reader, cells, wired)
        else:
            _connect_population(plan, network, pc, name, source, reader, cells, wired)
    if spikes:
        wired.sources.append(_play(h, plan, network, spikes))
    return wired


def _lags(plan: Plan, population: str) -> np.ndarray | None:
    """How much later than they happened precise spikes leave each node, ms; None on the grid."""
    if not plan.precise:
        return None
    nodes = typed_nodes(plan.paths, population)
    template = nodes["model_template"] if "model_template" in nodes else [None] * len(nodes)
    return np.array([plan.dt * str(text).startswith("nest:") for text in template])


def is_spikes(entry: dict) -> bool:
    """Whether an input of the simulation config is spikes of virtual nodes."""
    return entry["input_type"] == "spikes"


def _is_virtual(network: Any, population: str) -> bool:
    return bool(network.get_node_population(population).virtual_nodes_only)


def _connect_population(plan, network, pc, name, source, reader, cells, wired) -> None:
    known = [c for c in ("syn_weight", "nsyns", "delay") if _has_column(plan, name, c)]
    gids = _gids(network, plan, source)
    points = np.array(sorted(n for n, cell in cells.items() if is_point(cell.hobj)), np.int64)
    for part in progress(_chunks(points), label=f"connect {name}", unit="block"):
        block = _read(plan, name, known, part)
        ports = receptor_ports(plan.paths, name, reader.types.loc[np.unique(block["edge_type_id"])])
        values = reader.values(block)
        for s, t, kind, weight, delay in zip(
            gids[values.sources].tolist(), values.targets.tolist(), values.types.tolist(),
            values.weights.tolist(), values.delays.tolist(), strict=True,
        ):  # fmt: skip
            netcon = pc.gid_connect(s, cells[t].hobj)
            netcon.delay = delay
            netcon.weight[0], netcon.weight[1] = weight, int(ports[kind])
            wired.netcons.append(netcon)
    whole = {n: cell.hobj for n, cell in cells.items() if not is_point(cell.hobj)}
    if not whole:
        return
    placer = Placer(plan, name, reader, whole)
    for part in progress(
        _chunks(np.array(sorted(whole), np.int64)), label=f"place {name}", unit="block"
    ):
        placed = placer.place(_read(plan, name, known, part))
        _attach(pc, placed, gids, whole, wired)


def _connect_releases(plan, network, pc, name, ends, reader, cells, wired) -> None:
    """Synapses with stochastic release onto the cells with morphologies of this rank."""
    release = ReleaseReader(plan.paths, name, ends[1], reader, plan.config["conditions"])
    keys = stream_keys(int(plan.config["run"]["random_seed"]), name)
    gids = _gids(network, plan, ends[0])
    local = np.array(sorted(cells), np.int64)
    for part in progress(_chunks(local, 200), label=f"release {name}", unit="block"):
        edges = read_edges(plan.paths.edges(name), name, release.columns, targets=part)
        block = {key: edges[key].to_numpy() for key in edges} | {"edge_id": edges.index.to_numpy()}
        made = make_synapses(pc, release, release.parameters(block), cells, gids, keys)
        wired.releases += [process for process, _ in made]
        wired.netcons += [netcon for _, netcon in made]
        wired.synapses += len(made)


def _attach(pc, placed: Placed, gids, whole, wired: Wired) -> None:
    """Makes the point processes and NetCons of placed synapses."""
    made = [
        wired.processes.get(key) or wired.processes.setdefault(key, make_process(whole, key))
        for key in placed.places
    ]
    for s, index, weight, delay in zip(
        gids[placed.sources].tolist(), placed.index.tolist(), placed.weights.tolist(),
        placed.delays.tolist(), strict=True,
    ):  # fmt: skip
        netcon = pc.gid_connect(s, made[index])
        netcon.delay = delay
        netcon.weight[0] = weight
        wired.netcons.append(netcon)
    wired.synapses += placed.synapses


def _read(plan: Plan, name: str, columns: list[str], targets: np.ndarray) -> dict[str, np.ndarray]:
    edges = read_edges(plan.paths.edges(name), name, columns, targets=targets)
    return {key: edges[key].to_numpy() for key in edges}


def _chunks(local: np.ndarray, size: int = 2000) -> list[np.ndarray]:
    """Targets in groups, so that a block of their edges fits into memory."""
    return np.array_split(local, max(1, len(local) // size)) if len(local) else []


def _has_column(plan: Plan, name: str, column: str) -> bool:
    with open_population(plan.paths.edges(name), "edges", name) as root:
        return column in root["0"]


def _gids(network: Any, plan: Plan, population: str) -> np.ndarray:
    """NEURON's gid of every node of a population: int64 [n]."""
    with open_population(plan.paths.nodes(population), "nodes", population) as root:
        count = len(root["node_type_id"])
    return network.gid_pool.get_gid(name=population, node_id=0) + np.arange(count)


def _play(h: Any, plan: Plan, network: Any, spikes: dict[str, dict]) -> tuple:
    """One PatternStim for all populations: CoreNEURON takes no second one."""
    times, gids = [], []
    for population, entry in spikes.items():
        nodes, at = read_spikes(plan.folder / entry["input_file"], population)
        times.append(at if plan.precise else grid_times(at, plan.dt))
        gids.append(_gids(network, plan, population)[nodes])
    time, gid = np.concatenate(times), np.concatenate(gids)
    order = np.lexsort((gid, time))
    stimulus = h.PatternStim()
    vectors = h.Vector(time[order]), h.Vector(gid[order])
    stimulus.play(*vectors)
    return stimulus, vectors
