"""A model of three spiking cells and a source whose edges are synapses with stochastic release."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.cli import main
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.write import EdgeWriter

MODEL = """schema: 1
name: release
seed: 3
mechanisms: [release]
cells:
  morphologies: {path: morphologies, coordinates: absolute}
nodes:
  c: {kind: table, table: cells.csv}
  s: {kind: placed, model_type: virtual, types: {s: {count: 1}}}
edges:
  outer:
    kind: rules
    source: s
    target: c
    rules: &rules
      - name: all
        connect: [{law: table, file: pairs.csv}]
        synapse: {columns: {model_template: AmpaNmdaRelease}}
  inner: {kind: rules, source: c, target: c, rules: *rules}
simulation:
  run:
    dt: 0.1 ms
    duration: 150 ms
    v_init: -65 mV
    celsius: 6.3 degC
    ranks: 1
    inputs: {drive: {kind: poisson, nodes: s, rate: 100 Hz}}
    record: {soma: {nodes: c, precision: double}}
  low:
    dt: 0.1 ms
    duration: 150 ms
    v_init: -65 mV
    celsius: 6.3 degC
    ranks: 1
    inputs: {drive: {kind: poisson, nodes: s, rate: 100 Hz}}
    record: {soma: {nodes: c, precision: double}}
    calcium: 1.2 mM
    minis: 0
    release: mean
"""
EMODEL = """schema: 1
name: hh
source: Hodgkin and Huxley 1952, as NEURON has it; chosen for the test
passive:
  all: {Ra: 100, cm: 1, g_pas: 1e-5, e_pas: -65}
mechanisms:
  all: {hh: {gnabar: 0.12, gkbar: 0.036, gl: 0.0003, el: -54.3}}
"""
SWC = "1 1 0 0 0 10 -1\n2 1 0 20 0 10 1\n3 3 0 20 0 1 2\n4 3 0 320 0 1 3\n"
TYPES = "edge_type_id model_template dynamics_params\n0 AmpaNmdaRelease NULL\n1 GabaABRelease slow.json\n"
SLOW = {"tau_d_gabab": 200.0, "e_gabaa": -75.0}
OUTER, INNER = "s__c__chemical", "c__c__chemical"


def make_model(folder: Path) -> Path:
    """Writes the model; its edges are to be replaced by ``write_synapses`` once built."""
    for name in ("morphologies", "emodels"):
        (folder / name).mkdir(parents=True)
    for name in "abc":
        (folder / "morphologies" / f"{name}.swc").write_text(SWC)
    (folder / "emodels" / "hh.yaml").write_text(EMODEL)
    (folder / "cells.csv").write_text("name,emodel\na,hh\nb,hh\nc,hh\n")
    (folder / "pairs.csv").write_text("source,target,nsyns,weight,delay\n0,1,1,1,1\n")
    (folder / "model.yaml").write_text(MODEL)
    return folder / "model.yaml"


def synapses(population: str) -> pd.DataFrame:
    """The edges, sorted as the file has them; columns of SONATA, conductance in nS."""
    rng = np.random.default_rng(len(population))
    ends = [(0, 0), (0, 1)] if population == OUTER else [(0, 1), (1, 2), (2, 0), (0, 2), (2, 1)]
    rows = [end for end in ends for _ in range(4)]
    source, target = np.array(rows).T
    n = len(rows)
    inhibits = (source == 2) & (population == INNER)
    table = pd.DataFrame(
        {
            "source_node_id": source, "target_node_id": target, "edge_type_id": inhibits * 1,
            "afferent_section_id": rng.integers(0, 2, n), "afferent_section_pos": rng.random(n),
            "conductance": 8 * rng.uniform(0.5, 1.5, n), "u_syn": rng.uniform(0.1, 0.9, n),
            "conductance_scale_factor": np.where(inhibits, 0.75, 0.4),
            "depression_time": rng.uniform(20, 700, n),
            "facilitation_time": rng.uniform(0, 500, n),
            "syn_type_id": np.where(inhibits, 0, 100),
            "decay_time": rng.uniform(1.5, 9, n), "n_rrp_vesicles": rng.integers(1, 4, n),
            "delay": rng.uniform(0.5, 2, n), "u_hill_coefficient": rng.choice([0.0, 1.09, 2.79], n),
        }
    )  # fmt: skip
    floats = table.select_dtypes("float").columns
    table[floats] = table[floats].astype(np.float32).astype(np.float64)  # as files store them
    return table.sort_values(["target_node_id", "source_node_id"], kind="stable", ignore_index=True)


def build(path: Path, out: Path) -> tuple[list[str], CircuitPaths]:
    """Builds the circuit of a model file; returns the words that name it on the command line, and its paths."""
    words = [str(path), "--out", str(out)]
    for verb in ("compile", "nodes", "edges", "circuit"):
        assert main([verb, *words]) == 0
    paths = CircuitPaths(out / "release" / "default")
    write_synapses(paths)
    return words, paths


def write_synapses(
    paths: CircuitPaths, change: dict[str, float] | None = None, unit: str = "nS"
) -> None:
    """Puts the synapses in place of the edges that the rules made.

    Args:
        paths: The built circuit.
        change: Column to a value for the first edge of the inner population.
        unit: Of the conductance, as the file says.
    """
    paths.synapses.mkdir(parents=True, exist_ok=True)
    (paths.synapses / "slow.json").write_text(json.dumps(SLOW))
    for name, source in ((OUTER, ("s", 1)), (INNER, ("c", 3))):
        table = synapses(name)
        for key, value in (change or {}).items() if name == INNER else ():
            table[key] = np.where(table.index == 0, value, table.get(key, value))
        paths.edge_types(name).write_text(TYPES)
        ids = [table.pop(f"{key}_id").to_numpy() for key in ("source_node", "target_node")]
        types = table.pop("edge_type_id").to_numpy()
        with EdgeWriter(
            paths.edges(name), name, source[0], "c", source[1], 3, units={"conductance": unit}
        ) as writer:
            columns = {key: table[key].to_numpy(np.float64) for key in table}
            writer.append(ids[0].astype("u8"), ids[1].astype("u8"), types, columns)
