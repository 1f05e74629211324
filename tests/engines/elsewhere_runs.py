"""A small circuit made by BMTK's own builder, and BMTK run on it as its examples do."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

TEMPLATE = """begintemplate Ball
public soma, dend, apic, axon, all, somatic, basal, apical, axonal
create soma[1], dend[1]
objref all, somatic, basal, apical, axonal
proc init() {
    all = new SectionList()  somatic = new SectionList()  basal = new SectionList()
    apical = new SectionList()  axonal = new SectionList()
    connect dend[0](0), soma[0](1)
    soma[0] { L = 20 diam = 20 insert hh all.append() somatic.append() }
    dend[0] { L = 200 diam = 2 nseg = 5 insert pas all.append() basal.append() }
}
endtemplate Ball
"""
CONFIG = {
    "manifest": {"$BASE_DIR": ".", "$OUTPUT_DIR": "$BASE_DIR/output"},
    "run": {"tstop": 100.0, "dt": 0.025, "spike_threshold": -15, "nsteps_block": 1000},
    "target_simulator": "NEURON",
    "conditions": {"celsius": 6.3, "v_init": -65},
    "node_sets_file": "$BASE_DIR/node_sets.json",
    "inputs": {
        "push": {
            "input_type": "current_clamp", "module": "IClamp", "node_set": "driven", "amp": 0.5,
            "delay": 5.0, "duration": 80.0,
        },
        "off": {"input_type": "lfp", "module": "made_up", "enabled": False},
    },
    "output": {
        "output_dir": "$OUTPUT_DIR", "log_file": "log.txt", "spikes_file": "spikes.h5",
        "spikes_file_csv": "spikes.csv", "spikes_sort_order": "time", "overwrite_output_dir": True,
    },
    "reports": {
        "membrane": {
            "cells": "all", "variable_name": "v", "module": "membrane_report", "sections": "soma",
        },
    },
    "network": "$BASE_DIR/circuit_config.json",
}  # fmt: skip


def make(folder: Path, simulator: str = "NEURON") -> Path:
    """Writes circuit and simulation config into a folder; returns the latter."""
    from bmtk.builder.networks import NetworkBuilder

    network = NetworkBuilder("cells")
    cell = {"model_type": "biophysical", "model_template": "hoc:Ball", "morphology": None}
    weight = {"syn_weight": 0.02}
    edge = {
        "dynamics_params": "exc.json", "model_template": "Exp2Syn", "target_sections": ["basal"],
        "distance_range": [0.0, 300.0],
    }  # fmt: skip
    if simulator == "NEST":
        cell = {"model_type": "point_neuron", "model_template": "nest:iaf_psc_alpha"}
        cell["dynamics_params"] = "point.json"
        edge = {"dynamics_params": "exc.json", "model_template": "static_synapse"}
        weight = {"syn_weight": 900.0}
    network.add_nodes(N=5, group=["a", "a", "b", "b", "b"], **cell)
    network.add_edges(
        source=network.nodes(), target=network.nodes(), delay=1.5, **weight, **edge,
        connection_rule=lambda s, t: int(t.node_id == (s.node_id + 1) % 5),
    )  # fmt: skip
    network.build()
    network.save(output_dir=str(folder / "network"))
    (folder / "parts").mkdir(parents=True)
    exc = {"level_of_detail": "exp2syn", "tau1": 1.0, "tau2": 3.0, "erev": 0.0}
    (folder / "parts" / "exc.json").write_text(json.dumps(exc if simulator == "NEURON" else {}))
    (folder / "parts" / "point.json").write_text("{}")
    (folder / "parts" / "ball.hoc").write_text(TEMPLATE)
    (folder / "node_sets.json").write_text(
        json.dumps({"driven": {"population": "cells", "node_id": [0, 1]}})
    )
    parts = dict.fromkeys(
        ("morphologies_dir", "synaptic_models_dir", "point_neuron_models_dir",
         "biophysical_neuron_models_dir"), "$PARTS",
    )  # fmt: skip
    circuit = {
        "manifest": {"$PARTS": "$BASE_DIR/parts", "$BASE_DIR": "."},
        "components": parts | {"templates_dir": "$PARTS"},
        "networks": {
            "nodes": [{
                "nodes_file": "$BASE_DIR/network/cells_nodes.h5",
                "node_types_file": "$BASE_DIR/network/cells_node_types.csv",
            }],
            "edges": [{
                "edges_file": "$BASE_DIR/network/cells_cells_edges.h5",
                "edge_types_file": "$BASE_DIR/network/cells_cells_edge_types.csv",
            }],
        },
    }  # fmt: skip
    (folder / "circuit_config.json").write_text(json.dumps(circuit))
    config = json.loads(json.dumps(CONFIG)) | {"target_simulator": simulator}
    if simulator == "NEST":
        config["run"] = {"tstop": 100.0, "dt": 0.1}
        config["inputs"]["push"]["amp"] = 600.0
        config["reports"]["membrane"] |= {"variable_name": "V_m", "module": "multimeter_report"}
        del config["conditions"]
    (folder / "simulation_config.json").write_text(json.dumps(config))
    return folder / "simulation_config.json"


def plain(config: str, engine: str) -> None:
    """BMTK alone, in the config's folder, as the scripts of its examples do."""
    os.chdir(Path(config).parent)
    if engine == "bionet":
        from bmtk.simulator import bionet as simulator

        conf = simulator.Config.from_json(config, validate=True)
        conf.build_env()
        network = simulator.BioNetwork.from_config(conf)
        run = simulator.BioSimulator.from_config(conf, network=network)
    else:
        from bmtk.simulator import pointnet as simulator

        conf = simulator.Config.from_json(config)
        conf.build_env()
        network = simulator.PointNetwork.from_config(conf)
        run = simulator.PointSimulator.from_config(conf, network)
    run.run()


if __name__ == "__main__":
    {"make": lambda folder, kind: make(Path(folder), kind), "plain": plain}[sys.argv[1]](
        *sys.argv[2:]
    )
