"""Runs neurodamus in a process of its own (named so that neurodamus does not take us for a plug-in)."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
HOC = HERE.parents[1] / "pipeline" / "simulation" / "hoc"
CHEMICAL = "cells__cells__chemical"
KINDS = {1: "soma", 2: "axon", 3: "dend", 4: "apic"}


def _prepare(root: str) -> Path:
    """A circuit config and a simulation config that name the stand-in template."""
    import h5py

    circuit = json.loads(
        (Path(root) / "circuit_config.json").read_text().replace("$BASE_DIR", root)
    )
    del circuit["manifest"]
    nodes = circuit["networks"]["nodes"][0]
    shutil.copy(nodes["nodes_file"], "nodes.h5")
    with h5py.File("nodes.h5", "r+") as handle:
        handle["nodes/cells/0/model_template"][:] = "hoc:StandIn"
    nodes["nodes_file"] = str(Path("nodes.h5").resolve())
    circuit["components"]["biophysical_neuron_models_dir"] = str(HERE)
    Path("circuit_config.json").write_text(json.dumps(circuit))
    everything = {"name": "all", "source": "cells", "target": "cells"}
    config = {
        "version": 2.3,
        "network": str(Path("circuit_config.json").resolve()),
        "target_simulator": "NEURON",
        "node_set": "cells",
        "run": {"tstop": 5.0, "dt": 0.025, "random_seed": 1},
        "conditions": {"v_init": -70.0, "celsius": 34.0, "extracellular_calcium": 2.0},
        "connection_overrides": [everything | {"modoverride": "SonatinaRelease"}],
        "output": {"output_dir": "out", "spikes_file": "spikes.h5"},
    }
    path = Path("simulation_config.json")
    path.write_text(json.dumps(config))
    return path


def _start(root: str, cache: str, **options):
    import importlib.util

    from pipeline.mechanisms import compile_sets

    package = Path(importlib.util.find_spec("neurodamus").origin).parent / "data"
    sets = [HERE.parents[1] / "mechanisms" / "release", package / "mod"]
    library = compile_sets(sets, cache, defines=["DISABLE_REPORTINGLIB"])
    os.environ |= {
        "NRNMECH_LIB_PATH": str(library.path), "NEURON_INIT_MPI": "0",
        "HOC_LIBRARY_PATH": os.pathsep.join([str(package / "hoc"), str(HOC), str(HERE)]),
    }  # fmt: skip
    from neurodamus import Neurodamus

    path = _prepare(root)
    return Neurodamus(
        str(path), disable_reports=True, cleanup_atexit=False, logging_level=0, **options
    )


def dry_run(root: str, cache: str) -> dict:
    """Counts of neurodamus' own estimate."""
    simulation = _start(root, cache, dry_run=True)
    simulation.run()
    stats = simulation._dry_run_stats
    return {"cells": sum(stats.metype_counts.values())}


def instantiate(root: str, cache: str) -> dict:
    """All cells and synapses, made; where each synapse sits and what it carries."""
    simulation = _start(root, cache, enable_coord_mapping=True)
    cells = simulation.circuits.get_node_manager("cells")
    found = []
    for manager in simulation.circuits.all_synapse_managers():
        for connection in manager.all_connections():
            cell = cells.get_cell(connection.tgid)
            edges = zip(
                connection._synapse_params, connection._synapse_sections,
                connection._synapse_points_x, connection._synapses, connection._netcons,
                strict=True,
            )  # fmt: skip
            for edge, reference, x, process, netcon in edges:
                found.append(_place(cell, reference.sec, x) | _values(edge, process, netcon)
                             | {"source": int(connection.sgid), "target": int(connection.tgid)})  # fmt: skip
    simulation.run()
    return {"cells": len(cells.local_nodes), "synapses": found}


def _place(cell, section, x: float) -> dict:
    rows = range(section.n3d())
    along = np.array([section.arc3d(i) for i in rows])
    points = np.array([[section.x3d(i), section.y3d(i), section.z3d(i)] for i in rows])
    local = np.array([np.interp(x * section.L, along, points[:, k]) for k in range(3)])
    place = np.asarray(cell.local_to_global_coord_mapping(local[None]))[0]
    return {"kind": section.name().split(".")[-1].split("[")[0], "place": place.tolist()}


def _values(edge, process, netcon) -> dict:
    name = process.hname().split("[")[0]
    return {
        "edge": int(edge["synapse_index"]), "template": name, "U": process.U, "D": process.D,
        "F": process.F, "N": process.N, "g": 1e3 * process.g_max * netcon.weight[0],
        "delay": netcon.delay,
    }  # fmt: skip


if __name__ == "__main__":
    task, folder = sys.argv[1:3]
    arguments = json.loads(Path(folder, "in.json").read_text())
    result = {"dry_run": dry_run, "instantiate": instantiate}[task](**arguments)
    Path(folder, "out.json").write_text(json.dumps(result))
