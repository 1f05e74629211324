"""Load time, run time and memory of one SONATA circuit: plain BioNet, neurodamus, ours, CoreNEURON by hand.

``python bench/simulate.py [--cells 100] [--ms 200] [--only NAME ...]``: cells of 201 compartments with
Hodgkin and Huxley's channels everywhere, somata recorded at every step of 0.025 ms, one rank.
``--only load_ours load_plain --synapses 1000000``: what the synapses alone cost to load; half of them come from
virtual nodes, which plain BioNet loads elsewhere: it has the other half here.
Every row runs in a process of its own, on one thread, and seconds are processor seconds, so that other work
on the machine counts little; ratios are to the first row (release_ours: neurodamus). Compile time is outside.

plain: BMTK's BioNet loads edges, reports and steps; cells come from our builder. ours, core, core_fast:
what ``sonatina simulate`` does on NEURON and CoreNEURON, mechanisms exact and fast. hand, hand_fast: the
same built network in one ``psolve`` of CoreNEURON, nothing written. neurodamus, release_ours: the same
cells with synapses with release, which neurodamus needs.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from rows import tell

from pipeline.cli import main
from pipeline.commands import cache_folder
from pipeline.config.load import load_model
from pipeline.mechanisms import compile_sets, load_library
from pipeline.simulation.engines import engines
from pipeline.simulation.neuron_run import peak_memory
from pipeline.simulation.plan import Plan, read_plan, write_plan
from pipeline.simulation.stage import compiled_library
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.write import EdgeWriter

ROWS = ("plain", "ours", "core", "hand", "core_fast", "hand_fast", "neurodamus", "release_ours")
LOADS = ("load_ours", "load_plain")
PEERS = {"neurodamus": "neurodamus", "release_ours": "neurodamus"}
"""What a row is compared with, where that is not the first one."""
MODEL = """schema: 1
name: hh
seed: 3
mechanisms: []
compiler: exact
cells:
  morphologies: {path: morphologies, coordinates: absolute}
  discretisation: {rule: fixed_length, length: 8 um}
nodes:
  c: {kind: table, table: cells.csv}
  s: {kind: placed, model_type: virtual, types: {s: {count: 100}}}
edges:
  outer: &edges
    kind: rules
    source: s
    target: c
    rules:
      - name: all
        connect: [{law: table, file: pairs.csv}]
        synapse: {columns: {model_template: exp2syn}}
simulation:
  run: &run
    dt: 0.025 ms
    duration: 0 ms
    v_init: -65 mV
    celsius: 6.3 degC
    ranks: 1
    spike_threshold: -20 mV
    inputs: {drive: {kind: poisson, nodes: s, rate: 20 Hz}}
    record: {soma: {nodes: c}}
"""
EMODEL = """schema: 1
name: hh
source: Hodgkin and Huxley 1952, as NEURON has it; chosen for the bench
passive: {all: {Ra: 100, cm: 1, g_pas: 1e-5, e_pas: -65}}
mechanisms: {all: {hh: {gnabar: 0.12, gkbar: 0.036, gl: 0.0003, el: -54.3}}}
"""
RELEASE = {
    "afferent_section_id": 1, "afferent_section_pos": 0.5, "conductance": 1.5, "u_syn": 0.5,
    "depression_time": 200.0, "facilitation_time": 20.0, "decay_time": 2.0, "n_rrp_vesicles": 1,
    "conductance_scale_factor": 0.4, "u_hill_coefficient": 0.0,
}  # fmt: skip


def _swc(dendrites: int, length: float) -> str:
    rows = ["1 1 0 0 0 10 -1", "2 1 0 20 0 10 1"]
    for k in range(dendrites):
        angle = 2 * np.pi * k / dendrites
        first, place = 3 + 2 * k, np.array([np.cos(angle), np.sin(angle)])
        for number, far, parent in ((first, 20, 2), (first + 1, 20 + length, first)):
            x, z = far * place
            rows.append(f"{number} 3 {x:.3f} 20 {z:.3f} 1 {parent}")
    return "\n".join(rows) + "\n"


def make_circuit(folder: Path, cells: int, ms: float, kind: str, nsyns: int, short: bool) -> tuple:
    """Builds nodes and configs by the command, and writes the edges.

    Args:
        folder: Where to.
        cells: Number of cells.
        ms: Duration.
        kind: exp2syn or release.
        nsyns: Synapses of an edge.
        short: Cells of 5 compartments, for loads.

    Returns:
        Words of the command line, paths.
    """
    for name in ("morphologies", "emodels"):
        (folder / name).mkdir(parents=True)
    names = [f"c{k}" for k in range(cells)]
    for name in names:
        text = _swc(4, 8.0 if short else 400.0)
        (folder / "morphologies" / f"{name}.swc").write_text(text)
    # neurodamus' own mechanisms take minutes to compile: its rows do with NEURON's hh.
    channel = "HHBench" if kind == "exp2syn" else "hh"
    (folder / "emodels" / "hh.yaml").write_text(EMODEL.replace("hh: {", f"{channel}: {{"))
    (folder / "cells.csv").write_text("name,emodel\n" + "".join(f"{n},hh\n" for n in names))
    (folder / "pairs.csv").write_text("source,target,nsyns,weight,delay\n0,1,1,1,1\n")
    config = yaml.safe_load(MODEL)
    here = str(Path(__file__).resolve().parent / "mechanisms")
    config["mechanisms"] = ["synapses", here] if kind == "exp2syn" else ["release"]
    config["edges"]["inner"] = config["edges"]["outer"] | {"source": "c"}
    run = config["simulation"]["run"]
    run["duration"] = f"{ms:g} ms"
    config["simulation"] |= {
        "core": run | {"coreneuron": True}, "neurodamus": run | {"engine": "neurodamus"}
    } if kind == "release" else {"core": run | {"coreneuron": True}}  # fmt: skip
    (folder / "model.yaml").write_text(yaml.safe_dump(config))
    words = [str(folder / "model.yaml"), "--out", str(folder / "out")]
    with contextlib.redirect_stdout(io.StringIO()):
        for verb in ("compile", "nodes", "edges", "circuit"):
            if main([verb, *words]):
                raise SystemExit(f"{verb} failed")
    paths = CircuitPaths(folder / "out" / "hh" / "default")
    for source, count in (("s", 100), ("c", cells)):
        _write_edges(paths, source, count, cells, kind, nsyns)
    return words, paths


def _write_edges(paths, source: str, n_source: int, cells: int, kind: str, nsyns: int) -> None:
    """20 sources for every cell; their synapses summed keep the cells near threshold."""
    name, rng = f"{source}__c__chemical", np.random.default_rng(n_source)
    picks = [
        np.sort(rng.choice(n_source, min(20, n_source - 1), replace=False)) for _ in range(cells)
    ]
    sources, targets = np.concatenate(picks), np.repeat(np.arange(cells), [len(p) for p in picks])
    types = ["edge_type_id model_template dynamics_params target_sections distance_range"]
    types.append(
        "0 exp2syn exc.json \"['dend']\" \"[0, 1000]\"" if kind == "exp2syn"
        else "0 AmpaNmdaRelease NULL NULL NULL"
    )  # fmt: skip
    paths.synapses.mkdir(exist_ok=True)
    (paths.synapses / "exc.json").write_text('{"tau1": 0.2, "tau2": 2.0, "erev": 0.0}')
    paths.edge_types(name).write_text("\n".join(types) + "\n")
    repeat = 1 if kind == "exp2syn" else nsyns
    sources, targets = np.repeat(sources, repeat), np.repeat(targets, repeat)
    n = len(sources)
    delay = np.round(rng.uniform(1.0, 3.0, n) / 0.025) * 0.025
    columns = {"delay": delay}
    if kind == "exp2syn":
        columns |= {"syn_weight": np.full(n, 2.0**-10), "nsyns": np.full(n, nsyns)}
    else:
        columns |= {key: np.full(n, value) for key, value in RELEASE.items()}
        columns["afferent_section_id"] = rng.integers(1, 5, n)
        columns["syn_type_id"] = np.full(n, 100)
    units = {"conductance": "nS"}
    with EdgeWriter(paths.edges(name), name, source, "c", n_source, cells, units=units) as writer:
        writer.append(
            sources.astype("u8"), targets.astype("u8"), np.zeros(n, "i8"),
            {key: np.asarray(column, float) for key, column in columns.items()},
        )  # fmt: skip


def plain(plan: Plan, run: bool) -> dict[str, float]:
    """BMTK's BioNet as it is, but for the cell builder."""
    from bmtk.simulator import bionet
    from bmtk.simulator.bionet.pyfunction_cache import add_cell_model

    from pipeline.simulation.bmtk_nodes import network_class
    from pipeline.simulation.engines.bionet import _bmtk_config
    from pipeline.simulation.neuron_cells import CellShelf

    load_library(plan.library)
    from neuron import h

    h.nrn_load_dll(str(_player(plan.folder)))
    shelf = CellShelf(plan.paths, 3)
    add_cell_model(
        lambda node, template, values: shelf.build("c", int(node.node_id), str(node["morphology"]), values),
        "sonatina:cell", "biophysical", overwrite=True,
    )  # fmt: skip
    start = _Start()  # compiling is outside
    config = _bmtk_config(plan, json.loads(plan.paths.circuit_config.read_text()), [])
    folder = plan.folder / "plain"
    config["run"] |= {"overwrite_output_dir": True, "nsteps_block": 5000}
    config["output"] = {
        "output_dir": str(folder),
        "spikes_file": "spikes.h5",
        "log_file": "log.txt",
    }
    config["inputs"] = {
        key: entry | {"input_file": str(plan.folder / entry["input_file"]), "module": "sonata"}
        for key, entry in plan.config["inputs"].items()
    }
    config["reports"] = {
        "soma": {"cells": "all", "variable_name": "v", "module": "membrane_report", "sections": "soma"}
    }  # fmt: skip
    conf = bionet.Config.from_dict(config)
    conf.build_env()
    network = network_class().from_config(conf)
    if not run:
        network.build_nodes()
        start.base = start.memory()
        network.build_recurrent_edges()
        return start.loaded(_count_plain(network))
    simulator = bionet.BioSimulator.from_config(conf, network=network)
    loaded = start.loaded(0)
    simulator.run()
    import h5py

    with h5py.File(folder / "spikes.h5") as handle:
        spikes = len(handle["spikes/c/timestamps"]) if "c" in handle["spikes"] else 0
    return start.ended(loaded) | {"spikes": float(spikes)}


def _player(folder: Path) -> Path:
    """The library with BMTK's own player of spikes."""
    import bmtk

    source = Path(bmtk.__file__).parent / "utils/scripts/bionet/mechanisms/modfiles/vecevent.mod"
    (folder / "player").mkdir(exist_ok=True)
    shutil.copy(source, folder / "player")
    return compile_sets([folder / "player"], cache_folder()).path


def _count_plain(network) -> int:
    return sum(len(cell.netcons) for cell in network.get_local_cells().values())


def by_hand(plan: Plan, run: bool) -> dict[str, float]:
    """Ours up to the last NetCon; then one psolve of CoreNEURON, or none."""
    from pipeline.simulation import neuron_run
    from pipeline.simulation.engines import bionet

    start = _Start()
    h, pc = bionet.start_neuron(plan)
    if not run:
        real, started = bionet.events.connect, []

        def connect(*arguments):
            started.append((time.process_time(), start.memory()))
            return real(*arguments)

        bionet.events.connect = connect
    _, wired = bionet.build_network(plan)
    if not run:
        start.began, start.base = started[0]
        return start.loaded(wired.driven.synapses)
    cells = _.get_local_cells()
    spikes = neuron_run.watch_spikes(h, pc, cells)
    traces = [h.Vector().record(cell.hobj.soma[0](0.5)._ref_v) for cell in cells.values()]
    pc.setup_transfer()
    loaded = start.loaded(wired.driven.synapses)
    h.dt, h.steps_per_ms, h.celsius = plan.dt, 1 / plan.dt, plan.config["conditions"]["celsius"]
    pc.set_maxstep(10)
    neuron_run._enable_coreneuron(h, plan)
    h.finitialize(plan.config["conditions"]["v_init"])
    pc.psolve(plan.duration)
    return start.ended(loaded) | {"spikes": float(len(spikes[0])), "traces": float(len(traces))}


class _Start:
    """Clock and memory of a process."""

    def __init__(self):
        self.began, self.base = time.process_time(), self.memory()

    @staticmethod
    def memory() -> float:
        """Resident memory now, MiB."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def loaded(self, synapses: int) -> dict[str, float]:
        """What loading took so far."""
        self.mark = time.process_time()
        grown = self.memory() - self.base
        return {"build_s": self.mark - self.began, "synapses": float(synapses), "grown_mib": grown}

    def ended(self, loaded: dict[str, float]) -> dict[str, float]:
        """The whole run."""
        return loaded | {"run_s": time.process_time() - self.mark, "memory_mib": peak_memory()}


def in_process(row: str, paths: CircuitPaths, name: str) -> dict[str, float]:
    """Runs a row in a process of its own."""
    command = [sys.executable, __file__, "--one", row, str(paths.root), name]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NEURON_MODULE_OPTIONS": "-nogui"}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).resolve().parents[1]), environment.get("PYTHONPATH", "")]
    )
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{row}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def ours(plan: Plan, run: bool) -> dict[str, float]:
    """An engine of ours, as ``sonatina simulate`` calls it on a rank."""
    from pipeline.sonata.reports import read_spikes

    time.perf_counter = time.process_time  # engines tell what they took by it
    figures = engines()[plan.config["engine"]].module.run(plan)
    return figures | {"spikes": float(len(read_spikes(plan.paths.spikes(plan.name), "c")[0]))}


def write_run(words: list[str], paths: CircuitPaths, name: str) -> None:
    """Inputs and config of a run."""
    engine = engines()[read(words).model.simulation[name].engine]
    write_plan(read(words), name, paths)
    if hasattr(engine.module, "prepare"):
        engine.module.prepare(read_plan(paths, name, None))


def read(words: list[str]):
    """The model of a command line."""
    return load_model(words[0])


def measure(row: str, made: dict, options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """One row of the table; circuits are made once per kind and kept in ``made``."""
    kind = "release" if row in ("neurodamus", "release_ours") else "exp2syn"
    if row in LOADS:
        cells = max(100, options.synapses // 400)
        if "load" not in made:
            made["load"] = make_circuit(folder / "load", cells, 1.0, kind, 10, True)
            write_run(*made["load"], "run")
        return in_process(row, made["load"][1], "run")
    if kind not in made:
        made[kind] = make_circuit(folder / kind, options.cells, options.ms, kind, 5, False)
        for name in read(made[kind][0]).model.simulation:
            write_run(*made[kind], name)
    words, paths = made[kind]
    if row.endswith("_fast"):
        config = yaml.safe_load(Path(words[0]).read_text())
        Path(words[0]).write_text(yaml.safe_dump(config | {"compiler": "fast"}))
        with contextlib.redirect_stdout(io.StringIO()):
            main(["compile", *words])
    runs = {"plain": "run", "ours": "run", "release_ours": "run", "neurodamus": "neurodamus"}
    return in_process(row, paths, runs.get(row, "core"))


def warm() -> None:
    """Imports what all rows import, so that none of them counts it as loading."""
    import bmtk.simulator.bionet  # noqa: F401
    from bmtk.simulator.core.io_tools import IOUtils
    from neuron import h

    import pipeline.simulation.engines.bionet  # noqa: F401

    IOUtils._logger = logging.getLogger("bmtk")
    IOUtils._logger.setLevel(logging.ERROR)
    h.load_file("stdrun.hoc")


def one(row: str, root: str, name: str) -> None:
    """Entry of a row's process."""
    paths = CircuitPaths(Path(root))
    plan = read_plan(paths, name, compiled_library(paths, needed=True))
    rows = {"plain": plain, "load_plain": plain, "load_ours": by_hand}
    work = rows.get(row, by_hand if row.startswith("hand") else ours)
    warm()
    with contextlib.redirect_stdout(io.StringIO()):
        found = work(plan, not row.startswith("load"))
    print(json.dumps(found))


def available(labels: Sequence[str]) -> list[str]:
    """Leaves out what is not installed, and says so."""
    if "neurodamus" in labels and importlib.util.find_spec("neurodamus") is None:
        print("neurodamus is not installed: left out, with release_ours that is held against it")
        return [label for label in labels if PEERS.get(label) != "neurodamus"]
    return list(labels)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--ms", type=float, default=200.0)
    parser.add_argument("--synapses", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="*", choices=ROWS + LOADS, default=list(ROWS))
    parser.add_argument("--one", nargs=3)
    chosen = parser.parse_args()
    if chosen.one:
        one(*chosen.one)
        raise SystemExit
    print(f"load average {os.getloadavg()[0]:.1f}")
    kept: dict = {}
    measured: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as place:
        for label in available(chosen.only):
            found = measured[label] = measure(label, kept, chosen, Path(place))
            peer = PEERS.get(label, chosen.only[0])
            reference = measured.get(peer, {})
            cells = [f"{label:<13}"]
            for key, unit in (("build_s", "s"), ("run_s", "s"), ("memory_mib", "MiB")):
                if found.get(key) is not None:
                    cells.append(f"{key} {found[key]:8.2f} {unit}")
            for key in ("run_s", "build_s"):
                if key in found and key in reference and label not in LOADS:
                    cells.append(f"{key[:-2]} x{reference[key] / found[key]:.2f}")
            if label in LOADS:
                each = [found["grown_mib"] * 2**20, found["build_s"] * 1e6]
                each = [value / max(1, found["synapses"]) for value in each]
                cells.append(
                    f"{found['synapses']:.0f} synapses, each {each[0]:.0f} B, {each[1]:.1f} us"
                )
            cells += [f"{found['spikes']:.0f} spikes"] if "spikes" in found else []
            print("  ".join(cells) + f"  (load {os.getloadavg()[0]:.1f})", flush=True)
            if label not in LOADS and found.get("run_s") and peer in measured and peer != label:
                work = f"{chosen.cells} HH cells with reports, {chosen.ms:g} ms, {label}"
                peak = found.get("memory_mib")
                tell(f"{work}: run", found["run_s"], "s", reference["run_s"], peer, memory=peak)
                tell(
                    f"{work}: load", found["build_s"], "s", reference["build_s"], peer, memory=peak
                )
