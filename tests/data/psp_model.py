"""A model of a few stick cells whose connections are recorded from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.write import EdgeWriter

MODEL = """schema: 1
name: pairs
seed: 3
mechanisms: [release]
cells:
  morphologies: {path: morphologies, coordinates: absolute}
nodes:
  c: {kind: table, table: cells.csv, properties: [mtype, etype]}
edges:
  inner:
    kind: rules
    source: c
    target: c
    rules:
      - name: all
        connect: [{law: table, file: pairs.csv}]
        synapse: {columns: {model_template: AmpaNmdaRelease}}
psp:
  edges: inner
  targets: targets.csv
  pairs: 3
  trials: 6
  spike: 200 ms
  after: 40 ms
  dt: 0.05 ms
  celsius: 6.3 degC
  ttx: [hh]
"""
TARGETS = """name,pre,post,hold,psp,psp_sd,synapses,synapses_sd,ttx,decay,decay_sd,source
P-P,P,P,-70,1.0,0.5,2,1,0,1000,1,chosen
P-I,P,I*,-70,0.5,0.1,,,1,,,chosen
I-P,I*,P,-60,0.8,,,,1,,,chosen
none-P,X,P,-60,1,1,,,0,,,chosen
"""
EMODEL = """schema: 1
name: hh
source: Hodgkin and Huxley 1952, as NEURON has it; chosen for the test
passive:
  all: {Ra: 100, cm: 1, g_pas: 1e-4, e_pas: -65}
mechanisms:
  soma: {hh: {gnabar: 0.12, gkbar: 0.036, gl: 0.0003, el: -54.3}}
"""
SWC = "1 1 {x} 0 0 10 -1\n2 1 {x} 20 0 10 1\n3 3 {x} 20 0 1 2\n4 3 {x} 320 0 1 3\n"
TYPES = (
    "edge_type_id model_template dynamics_params\n0 AmpaNmdaRelease NULL\n1 GabaABRelease NULL\n"
)
POPULATION = "c__c__chemical"
KINDS = ("P", "P", "P", "I1", "I2")
COUNTS = {(0, 1): 2, (1, 0): 3, (0, 2): 1, (0, 3): 2, (1, 3): 1, (1, 4): 2, (3, 0): 4, (4, 1): 2}
"""Synapses by source and target."""


def make_model(folder: Path) -> Path:
    """Writes the model; its edges are to be replaced by ``write_synapses`` once built."""
    for name in ("morphologies", "emodels"):
        (folder / name).mkdir(parents=True)
    rows = []
    for index, kind in enumerate(KINDS):
        (folder / "morphologies" / f"m{index}.swc").write_text(SWC.format(x=40 * index))
        rows.append(f"m{index},hh,{kind},{'bAC' if kind == 'I1' else 'cNAC'}")
    (folder / "emodels" / "hh.yaml").write_text(EMODEL)
    (folder / "cells.csv").write_text("\n".join(["name,emodel,mtype,etype", *rows]) + "\n")
    (folder / "pairs.csv").write_text("source,target,nsyns,weight,delay\n0,1,1,1,1\n")
    (folder / "targets.csv").write_text(TARGETS)
    (folder / "model.yaml").write_text(MODEL)
    return folder / "model.yaml"


def synapses() -> pd.DataFrame:
    """The edges, sorted as the file has them; columns of SONATA, conductance in nS."""
    rng = np.random.default_rng(4)
    rows = [pair for pair, count in COUNTS.items() for _ in range(count)]
    source, target = np.array(rows).T
    n, inhibits = len(rows), source >= 3
    table = pd.DataFrame(
        {
            "source_node_id": source, "target_node_id": target, "edge_type_id": inhibits * 1,
            "afferent_section_id": rng.integers(0, 2, n), "afferent_section_pos": rng.random(n),
            "conductance": rng.uniform(0.5, 1.5, n), "u_syn": rng.uniform(0.3, 0.7, n),
            "conductance_scale_factor": np.where(inhibits, 0.0, 0.4),
            "depression_time": 600.0, "facilitation_time": 20.0,
            "decay_time": np.where(inhibits, 8.0, 1.8), "n_rrp_vesicles": 1.0,
            "delay": rng.uniform(0.5, 2, n), "u_hill_coefficient": 1.94,
        }
    )  # fmt: skip
    return table.sort_values(["target_node_id", "source_node_id"], kind="stable", ignore_index=True)


def write_synapses(paths: CircuitPaths) -> None:
    """Puts the synapses in place of the edges that the rules made."""
    table = synapses()
    paths.edge_types(POPULATION).write_text(TYPES)
    ids = [table.pop(f"{key}_node_id").to_numpy() for key in ("source", "target")]
    types = table.pop("edge_type_id").to_numpy()
    n = len(KINDS)
    with EdgeWriter(
        paths.edges(POPULATION), POPULATION, "c", "c", n, n, units={"conductance": "nS"}
    ) as writer:
        columns = {key: table[key].to_numpy(np.float64) for key in table}
        writer.append(ids[0].astype("u8"), ids[1].astype("u8"), types, columns)
