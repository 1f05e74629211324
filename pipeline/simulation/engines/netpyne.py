"""Engine ``netpyne``: NetPyNE makes cells, synapses, junctions and clamps by its own calls; NEURON runs.

What is added, and why: cell rules are read off our builder's cells, so that every e-model of ours runs;
numbers of synapses come from the same readers as in ``bionet``; spikes of virtual nodes are played by
NEURON itself, since NetPyNE's player needs a mechanism no wheel has; time, spikes and reports go as in
``bionet``. NetPyNE's own file is saved beside them for its analyses. NetPyNE keeps global state: one
process per run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import time
from typing import Any

import numpy as np

from pipeline.errors import Problem
from pipeline.simulation.continuous import continuous_templates, is_continuous
from pipeline.simulation.engines.bionet import start_neuron
from pipeline.simulation.events import is_spikes
from pipeline.simulation.netpyne_cells import MadeCell, Rules, make_rules, wrap_cells
from pipeline.simulation.neuron_cells import locate, segment_count
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
from pipeline.simulation.release_synapses import ReleaseReader, set_synapse, stream_keys
from pipeline.simulation.release_synapses import is_known as has_release
from pipeline.simulation.synapses import MECHANISM, Placer
from pipeline.simulation.synapses import is_known as has_exp2syn
from pipeline.simulation.targets import edge_ends, populations, typed_nodes
from pipeline.simulation.weights import EdgeReader, grid_times
from pipeline.sonata.read import open_population, read_edges, read_types
from pipeline.sonata.reports import read_spikes

RUNS = "cells with morphologies, built by NetPyNE for its analyses"
PACKAGES = ("neuron", "netpyne")

FILE = "netpyne"
"""Name of what ``netpyne.sim.load`` reads, less its suffix."""


def check(plan: Plan) -> list[Problem]:
    """Names what this engine cannot express, before anything starts."""
    where = str(plan.paths.simulation_config(plan.name))
    if importlib.util.find_spec("netpyne") is None:
        return [Problem(where, "engine netpyne is not installed", "pip install netpyne")]
    problems = []
    if plan.precise:
        message = "netpyne has no GLIF cells, and precise spikes are theirs"
        problems.append(Problem(f"{where}  spike_times", message, "set spike_times: grid"))
    for name, virtual in populations(plan.paths).items():
        types = read_types(plan.paths.node_types(name))
        templates = types.get("model_template", types.iloc[:, 0]).astype(str)
        if not virtual and templates.str.startswith("nest:").any():
            message = "netpyne makes cells with morphologies only"
            problems.append(Problem(str(plan.paths.node_types(name)), message, "use bionet"))
    for name in edge_ends(plan.paths):
        known = (is_continuous, has_release, has_exp2syn)
        if not any(is_known(plan.paths, name) for is_known in known):
            message = "netpyne makes synapses with release, exp2syn, GradedSyn and GapHalf only"
            problems.append(Problem(str(plan.paths.edges(name)), message, "use engine bionet"))
    return problems + check_inputs(plan)


def run(plan: Plan) -> dict[str, float]:
    """Builds the network on this rank, runs it and writes spikes and reports.

    Args:
        plan: The run; the circuit and its inputs exist.

    Returns:
        Figures of the run, those of ``bionet``.

    Raises:
        SimulationError: If a voltage is not finite at the end of a block.
    """
    started = time.perf_counter()
    h, pc = start_neuron(plan)
    population = population_of_cells(plan)
    rules = make_rules(plan, population)
    with contextlib.redirect_stdout(io.StringIO()):  # NetPyNE tells its progress there
        sim = _start(plan, rules)
        cells = wrap_cells(sim, rules, (int(plan.config["run"]["random_seed"]), population))
        gids = _number_nodes(plan, population, rules.gids)
        network = _Network(plan, sim, cells, gids)  # kept: it plays spikes
        synapses = network.connect()
    clamps = play_inputs(h, plan, cells, _electrode)
    spikes = watch_spikes(h, pc, cells)
    recorders = make_recorders(plan, cells)
    pc.setup_transfer()
    built = time.perf_counter()
    advance(h, pc, plan, cells, recorders, spikes[0])
    gather_spikes(pc, plan, cells, spikes)
    ended = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        _save(sim, spikes)
    segments = sum(segment_count(cell.hobj) for cell in cells.values())
    totals = {
        "cells": len(cells), "segments": segments, "synapses": synapses,
        "memory_mib": peak_memory(), "clamps": len(clamps),
    }  # fmt: skip
    return {"build_s": built - started, "run_s": ended - built, "ranks": float(pc.nhost())} | {
        name: pc.allreduce(float(value), 1) for name, value in totals.items()
    }


def _start(plan: Plan, rules: Rules) -> Any:
    """NetPyNE's ``sim`` with the cells of this rank."""
    from netpyne import sim, specs

    network = specs.NetParams()
    network.defaultThreshold = plan.config["run"]["spike_threshold"]
    for label, rule in rules.cells.items():
        network.cellParams[label] = rule
    for label, entry in rules.populations.items():
        network.popParams[label] = entry
    conditions = plan.config["conditions"]
    settings = {
        "duration": plan.duration, "dt": plan.dt, "recordStep": plan.dt, "verbose": False,
        "hParams": {"celsius": conditions["celsius"], "v_init": conditions["v_init"]},
        "pt3dRelativeToCellLocation": False, "allowSelfConns": True,
        "allowConnsWithWeight0": True, "validateNetParams": False, "timing": False,
        "saveFolder": str(plan.folder), "simLabel": FILE, "savePickle": True,
    }  # fmt: skip
    sim.initialize(netParams=network, simConfig=specs.SimConfig(settings))
    sim.net.createPops()
    sim.net.createCells()
    return sim


def _number_nodes(plan: Plan, population: str, gids: np.ndarray) -> dict[str, np.ndarray]:
    """NEURON's gid of every node of every population; virtual ones follow the cells."""
    found, first = {population: gids}, len(gids)
    for name, virtual in populations(plan.paths).items():
        if virtual:
            count = len(typed_nodes(plan.paths, name))
            found[name] = first + np.arange(count)
            first += count
    return found


def _electrode(h: Any, cell: MadeCell) -> tuple[Any, Any]:
    clamp = {"type": "IClamp", "source": "current", "label": "current", "sec": "soma", "loc": 0.5}
    cell.made.addStim(clamp | {"delay": 0.0, "dur": 1e12, "amp": 0.0})
    electrode = cell.made.stims[-1]["hObj"]
    return electrode, electrode._ref_amp


class _Network:
    """Makes the edges of this rank's cells by NetPyNE's ``addConn``."""

    def __init__(self, plan: Plan, sim: Any, cells: dict[int, MadeCell], gids: dict):
        self._plan, self._sim, self._gids = plan, sim, gids
        self._cells = {cell.node_id: cell for cell in cells.values()}
        self._targets = np.array(sorted(self._cells), np.int64)
        self._count, self._players = 0, []

    def connect(self) -> int:
        """Makes all edges and plays the spikes of virtual nodes; returns the number of connections."""
        from neuron import h

        inputs = self._plan.config["inputs"].values()
        spikes = {entry["node_set"]: entry for entry in inputs if is_spikes(entry)}
        virtual = populations(self._plan.paths)
        for name, (source, _) in edge_ends(self._plan.paths).items():
            if virtual[source] and source not in spikes:
                continue
            if is_continuous(self._plan.paths, name):
                self._connect_continuous(name)
            else:
                self._connect_events(name, source)
        self._join_junctions()
        for population, entry in spikes.items():
            self._play(h, population, entry)
        return self._count

    def _add(self, target: int, source: int, section: str, x: float, **values: Any) -> Any:
        """One connection; returns its point process."""
        cell = self._cells[target].made
        cell.addConn({"preGid": source, "sec": section, "loc": x} | values)
        self._count += 1
        made = cell.conns[-1]["hObj"]
        return made.syn() if hasattr(made, "syn") else made

    def _connect_events(self, name: str, source: str) -> None:
        plan = self._plan
        gains = [gain for gain in plan.config.get("gains", []) if gain["population"] == name]
        ends = edge_ends(plan.paths)[name]
        reader = EdgeReader(plan.paths, name, ends, gains, plan.dt)
        if reader.silent or not len(self._targets):
            return
        if has_release(plan.paths, name):
            self._connect_releases(name, source, reader, ends[1])
        else:
            self._connect_placed(name, source, reader)

    def _connect_releases(self, name, source, reader, target) -> None:
        plan = self._plan
        release = ReleaseReader(plan.paths, name, target, reader, plan.config["conditions"])
        keys = stream_keys(int(plan.config["run"]["random_seed"]), name)
        edges = read_edges(plan.paths.edges(name), name, release.columns, targets=self._targets)
        if edges.empty:
            return
        block = {key: edges[key].to_numpy() for key in edges} | {"edge_id": edges.index.to_numpy()}
        self._sim.cfg.oneSynPerNetcon = True
        for row in release.parameters(block).itertuples(index=False):
            self._name(row.template, {"mod": row.template})
            section, x = self._place(row.target, row.section, row.position)
            process = self._add(
                int(row.target), int(self._gids[source][row.source]), section, x,
                synMech=row.template, weight=1.0, delay=row.delay,
            )  # fmt: skip
            set_synapse(process, release, row, keys)

    def _connect_placed(self, name, source, reader) -> None:
        placer = Placer(self._plan, name, reader, {n: c.hobj for n, c in self._cells.items()})
        columns = [c for c in ("syn_weight", "nsyns", "delay") if c in self._columns(name)]
        edges = read_edges(self._plan.paths.edges(name), name, columns, targets=self._targets)
        if edges.empty:
            return
        placed = placer.place({key: edges[key].to_numpy() for key in edges})
        self._sim.cfg.oneSynPerNetcon = False  # equal kinetics on a segment share a process
        for row, index in enumerate(placed.index.tolist()):
            target, tau1, tau2, reversal, section, segment = placed.places[index]
            label = f"{MECHANISM} {tau1:g} {tau2:g} {reversal:g}"
            self._name(label, {"mod": MECHANISM, "tau1": tau1, "tau2": tau2, "e": reversal})
            cell = self._cells[target]
            x = (segment + 0.5) / cell.hobj.all[section].nseg
            self._add(
                target, int(self._gids[source][placed.sources[row]]), cell.labels[section], x,
                synMech=label, weight=float(placed.weights[row]), delay=float(placed.delays[row]),
            )  # fmt: skip

    def _connect_continuous(self, name: str) -> None:
        """Graded synapses and halves of gap junctions, as NetPyNE's one-way pointer connections."""
        paths = self._plan.paths
        types, source = read_types(paths.edge_types(name)), edge_ends(paths)[name][0]
        self._sim.cfg.oneSynPerNetcon = True
        for row in read_edges(paths.edges(name), name, targets=self._targets).itertuples():
            kind = types.loc[row.edge_type_id]
            law = continuous_templates()[kind["model_template"]]
            label = f"{name} {row.edge_type_id}"
            values = {variable: float(kind[column]) for column, variable in law.parameters.items()}
            pointer = {"target_var": law.voltage, "source_var": "v", "bidirectional": False}
            self._name(label, {"mod": kind["model_template"], "pointerParams": pointer} | values)
            section, x = self._place(
                row.target_node_id, row.afferent_section_id, row.afferent_section_pos, exact=True
            )
            process = self._add(
                int(row.target_node_id), int(self._gids[source][row.source_node_id]), section, x,
                synMech=label, weight=1.0, delay=self._plan.dt,
                preSec=int(row.efferent_section_id), preLoc=float(row.efferent_section_pos),
            )  # fmt: skip
            setattr(process, law.weight, float(getattr(row, law.column)))

    def _join_junctions(self) -> None:
        """The sources of all ranks' pointer connections, as NetPyNE's ``connectCells`` has them."""
        sim = self._sim
        mine = getattr(sim.net, "preCellPointerConns", None) or []
        for entries in sim.pc.py_allgather(mine):
            for entry in entries:
                if entry["gid"] in sim.net.gid2lid:
                    made = sim.net.cells[sim.net.gid2lid[entry["gid"]]]
                    cell = self._cells[int(made.tags["node_id"])]
                    # NetPyNE names the end it is at now sec and loc.
                    section, x = locate(cell, entry["sec"], entry["loc"])
                    where = {"sec": cell.labels[cell.hobj.all.index(section)], "loc": x}
                    made.addConn(entry | where)

    def _place(self, target: int, section: int, position: float, exact: bool = False):
        """NetPyNE's name of a section and x: the middle of the segment, or where the file says."""
        cell = self._cells[int(target)]
        found, x = locate(cell, section, position)
        if not exact:
            x = (min(int(position * found.nseg), found.nseg - 1) + 0.5) / found.nseg
        return cell.labels[cell.hobj.all.index(found)], float(x)

    def _name(self, label: str, values: dict[str, Any]) -> None:
        known = self._sim.net.params.synMechParams
        if label not in known:
            known[label] = values
            known.preprocessStringFunctions()

    def _columns(self, name: str) -> set[str]:
        with open_population(self._plan.paths.edges(name), "edges", name) as root:
            return set(root["0"])

    def _play(self, h: Any, population: str, entry: dict) -> None:
        nodes, times = read_spikes(self._plan.folder / entry["input_file"], population)
        times, gids = grid_times(times, self._plan.dt), self._gids[population][nodes]
        order = np.lexsort((gids, times))
        player = h.PatternStim()
        vectors = h.Vector(times[order]), h.Vector(gids[order])
        player.play(*vectors)
        self._players.append((player, vectors))


def _save(sim: Any, spikes: tuple[Any, Any]) -> None:
    """NetPyNE's own file: network and spikes, for its analyses and plots."""
    sim.simData["spkt"], sim.simData["spkid"] = spikes
    sim.gatherData()
    sim.saveData()
