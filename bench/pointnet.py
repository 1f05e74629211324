"""All-GLIF V1 on NEST: our engine, the same network hand-written in PyNEST, and PointNet's own loader.

Usage: python bench/pointnet.py [--size small|core|full] [--ms 500] [--threads 2] [--only ours pynest pointnet]

Builds the circuit when it is not there (SONATINA_CIRCUITS, default ./circuits), then runs every way in
a process of its own: seconds to load, seconds to run, peak memory, spikes; and the ratios to PyNEST.
PointNet's own loader keeps all edges in tables of pandas: use it up to ``core``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from rows import tell

STAGES = (("nodes",), ("edges",), ("circuit",), ("stimulus", "--name", "gratings"))


def build(size: str, out: Path):
    """Makes the circuit and its inputs; returns the plan of a run without gains tables' files."""
    from pipeline.cli import main
    from pipeline.sonata.layout import CircuitPaths

    paths = CircuitPaths(out / "v1" / size)
    if not paths.stimulus_spikes("gratings").is_file():
        for verb, *options in STAGES:
            assert main([verb, "v1", size, "--out", str(out), *options]) == 0
    return paths


def write_plan(paths, size: str, duration: float, threads: int, gains: bool) -> None:
    """Writes the plan ``bench``: run ``evoked`` of V1, shorter; with its gains or without."""
    import dataclasses

    from pipeline.config.load import load_model
    from pipeline.simulation import plan

    resolved = load_model("v1", size)
    run = resolved.model.simulation["evoked"].model_copy(
        update={"duration": duration, "threads": threads, "record": {}}
        | ({} if gains else {"gains": [], "gain_tables": []})
    )
    model = resolved.model.model_copy(update={"simulation": {"bench": run}})
    plan.write_plan(dataclasses.replace(resolved, model=model), "bench", paths)


def ours(paths) -> dict:
    """The engine of the pipeline."""
    from pipeline.simulation.engines import pointnet
    from pipeline.simulation.plan import read_plan

    figures = pointnet.run(read_plan(paths, "bench", None))
    with h5py.File(paths.spikes("bench")) as handle:
        nodes = handle["spikes/v1/node_ids"][:]
        times = handle["spikes/v1/timestamps"][:]
    return {"load_s": figures["build_s"], "run_s": figures["run_s"], "check": digest(nodes, times)}


def digest(nodes, times) -> list:
    """Number of spikes and a sum that depends on who fired when."""
    return [len(nodes), int(np.sum((nodes.astype(np.int64) + 1) * np.round(times * 4)) % (1 << 61))]


def pynest(paths) -> dict:
    """What one would write by hand: arrays from the files, Create and Connect."""
    import nest

    from pipeline.simulation.plan import read_plan
    from pipeline.simulation.weights import EdgeReader, grid_times
    from pipeline.sonata.read import read_typed_nodes

    nest.verbosity = nest.VerbosityLevel.ERROR
    plan = read_plan(paths, "bench", None)
    threads = plan.config["run"]["n_thread"]
    start = time.perf_counter()
    nest.ResetKernel()
    nest.set(resolution=plan.dt, local_num_threads=threads)
    cells = read_typed_nodes(paths.nodes("v1"), paths.node_types("v1"), "v1")
    ids = np.zeros(len(cells), np.int64)
    for file, group in cells.reset_index(drop=True).groupby("dynamics_params", sort=False):
        parameters = json.loads((paths.point_neurons / file).read_text())
        ids[group.index] = nest.Create("glif_psc", len(group), parameters).tolist()
    sources = {"v1": ids}
    for entry in plan.config["inputs"].values():
        name = entry["node_set"]
        with h5py.File(plan.folder / entry["input_file"]) as handle:
            nodes = handle[f"spikes/{name}/node_ids"][:].astype(np.int64)
            times = handle[f"spikes/{name}/timestamps"][:]
        nodes, times = nodes[times <= plan.duration], times[times <= plan.duration]
        order = np.lexsort((times, nodes))
        nodes, times = nodes[order], grid_times(times[order], plan.dt)
        active, first = np.unique(nodes, return_index=True)
        trains = [np.unique(t, return_counts=True) for t in np.split(times, first[1:])]
        made = nest.Create("spike_generator", len(active))
        made.set([{"spike_times": t, "spike_multiplicities": n} for t, n in trains])
        with h5py.File(paths.nodes(name)) as handle:
            sources[name] = np.zeros(len(handle[f"nodes/{name}/node_type_id"]), np.int64)
        sources[name][active] = made.tolist()
    for name in ("v1__v1__chemical", "lgn__v1__chemical", "bkg__v1__chemical"):
        source = name.split("__")[0]
        gains = [g for g in plan.config["gains"] if g["population"] == name]
        reader = EdgeReader(paths, name, (source, "v1"), gains, plan.dt)
        ports = {"e2e.json": 1, "i2e.json": 2, "e2i.json": 3, "i2i.json": 4}
        port = reader.types["dynamics_params"].map(ports).to_numpy()
        with h5py.File(paths.edges(name)) as handle:
            root = handle[f"edges/{name}"]
            keys = ("source_node_id", "target_node_id", "edge_type_id")
            block = {key: root[key][:] for key in keys}
            block |= {key: root["0"][key][:] for key in root["0"] if key in ("nsyns", "syn_weight")}
        values = reader.values(block)
        used = sources[source][values.sources] > 0
        nest.Connect(
            sources[source][values.sources][used], ids[values.targets][used], "one_to_one",
            {"synapse_model": "static_synapse", "weight": values.weights[used],
             "delay": values.delays[used], "receptor_type": port[values.types][used]},
        )  # fmt: skip
    recorder = nest.Create("spike_recorder")
    nest.Connect(nest.NodeCollection(np.sort(ids).tolist()), recorder)
    loaded = time.perf_counter()
    nest.Simulate(plan.duration)
    ended = time.perf_counter()
    events = recorder.get("events")
    order = np.argsort(ids)
    nodes = order[np.searchsorted(ids[order], events["senders"])]
    kept = events["times"] < plan.duration - plan.dt / 2
    check = digest(nodes[kept], events["times"][kept])
    return {"load_s": loaded - start, "run_s": ended - loaded, "check": check}


def pointnet(paths) -> dict:
    """BMTK's PointNet from the SONATA config alone; it knows no gains, so none are set."""
    from bmtk.simulator import pointnet as bmtk

    from pipeline.simulation.plan import read_plan
    from pipeline.simulation.weights import grid_times
    from pipeline.sonata.reports import read_spikes, write_spikes

    plan = read_plan(paths, "bench", None)
    circuit = json.loads(paths.circuit_config.read_text().replace("$BASE_DIR", str(paths.root)))
    with tempfile.TemporaryDirectory() as folder:
        inputs = {}
        for key, entry in plan.config["inputs"].items():  # PointNet wants times on the grid
            nodes, times = read_spikes(plan.folder / entry["input_file"], entry["node_set"])
            file = Path(folder) / f"{key}.h5"
            write_spikes(file, entry["node_set"], nodes, grid_times(times, plan.dt))
            inputs[key] = entry | {"input_file": str(file)}
        config = {
            "target_simulator": "NEST",
            "components": circuit["components"],
            "networks": circuit["networks"],
            "run": {"dt": plan.dt, "tstop": plan.duration, "precise_times": False,
                    "n_thread": plan.config["run"]["n_thread"]},
            "inputs": inputs,
            "output": {"output_dir": f"{folder}/out", "spikes_file": "out.h5"},
        }  # fmt: skip
        start = time.perf_counter()
        conf = bmtk.Config.from_dict(config)
        conf.build_env()
        simulator = bmtk.PointSimulator.from_config(conf, bmtk.PointNetwork.from_config(conf))
        loaded = time.perf_counter()
        simulator.run()
        ended = time.perf_counter()
        with h5py.File(Path(folder) / "out/out.h5") as handle:
            nodes = handle["spikes/v1/node_ids"][:]
            times = handle["spikes/v1/timestamps"][:]
    kept = times < plan.duration - plan.dt / 2
    check = digest(nodes[kept], times[kept])
    return {"load_s": loaded - start, "run_s": ended - loaded, "check": check}


WAYS = {"ours": ours, "pynest": pynest, "pointnet": pointnet}


def child(way: str, root: str) -> None:
    """Runs one way and prints its figures as the last line."""
    from pipeline.sonata.layout import CircuitPaths

    figures = WAYS[way](CircuitPaths(Path(root)))
    figures["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="small", choices=["tiny", "small", "core", "full"])
    parser.add_argument("--ms", type=float, default=500.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=["ours", "pynest"], choices=list(WAYS))
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    out = Path(os.environ.get("SONATINA_CIRCUITS", "circuits")).resolve()
    paths = build(options.size, out)
    gains = "pointnet" not in options.only
    write_plan(paths, options.size, options.ms, options.threads, gains)
    note = "" if gains else ", weights as built (PointNet knows no gains)"
    print(f"v1 {options.size}, {options.ms:g} ms, {options.threads} threads{note}")
    found = {}
    for way in options.only:
        environment = os.environ | {
            "OMP_NUM_THREADS": str(options.threads), "OMP_WAIT_POLICY": "passive",
            "PYNEST_QUIET": "1",
        }  # fmt: skip
        command = [sys.executable, __file__, "--child", way, str(paths.root)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        found[way] = json.loads(done.stdout.strip().splitlines()[-1])
        row = found[way]
        print(
            f"{way:9s} load {row['load_s']:7.1f} s  run {row['run_s']:7.1f} s  "
            f"{row['run_s'] / options.ms * 1000:7.1f} s/s  {row['peak_mib']:8.0f} MiB  "
            f"{row['check'][0]} spikes"
        )
    if {"ours", "pynest"} <= set(found):
        mine, bound = found["ours"], found["pynest"]
        work = f"v1 {options.size} on NEST, {options.ms:g} ms, {options.threads} threads"
        memory = mine["peak_mib"]
        tell(f"{work}: load", mine["load_s"], "s", bound["load_s"], "PyNEST by hand", memory=memory)
        tell(f"{work}: run", mine["run_s"], "s", bound["run_s"], "PyNEST by hand", memory=memory)
        for key in ("load_s", "run_s", "peak_mib"):
            print(f"ours over PyNEST, {key}: {mine[key] / bound[key]:.2f}")
    print("same spikes:", len({tuple(row["check"]) for row in found.values()}) == 1)


if __name__ == "__main__":
    main()
