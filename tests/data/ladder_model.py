"""A model of 24 spiking cells of two shapes: a source and two thirds excite, a third inhibits."""

from __future__ import annotations

from pathlib import Path

import yaml

MODEL = """schema: 1
name: ladder
seed: 5
mechanisms: [glif, allen, synapses]
cells:
  morphologies: {path: morphologies, coordinates: absolute}
  discretisation: {rule: fixed_length, length: 40 um}
nodes:
  c: {kind: table, table: cells.csv, properties: [size]}
  s: {kind: placed, model_type: virtual, types: {s: {count: 40}}}
edges:
  outer:
    kind: rules
    source: s
    target: c
    rules:
      - &drive
        name: drive
        connect: [{law: probability, value: 0.3}]
        synapse: &exc
          nsyns: {law: uniform_integer, low: 1, high: 5}
          weight: {law: constant, value: 0.001}
          delay: {law: constant, value: 1.0}
          columns: {model_template: exp2syn, tau1: 0.3, tau2: 2.0, erev: 0.0}
  inner:
    kind: rules
    source: c
    target: c
    rules:
      - {<<: *drive, name: excite, select: {source: {size: small}}}
      - name: inhibit
        connect: [{law: probability, value: 0.4}]
        select: {source: {size: large}}
        synapse:
          <<: *exc
          weight: {law: constant, value: 0.004}
          columns: {model_template: exp2syn, tau1: 0.5, tau2: 6.0, erev: -80.0}
simulation:
  run: &run
    dt: 0.1 ms
    duration: 300 ms
    v_init: -65 mV
    celsius: 6.3 degC
    ranks: 1
    inputs: {drive: {kind: poisson, nodes: s, rate: 30 Hz}}
    record: {soma: {nodes: c, precision: double}}
  two: {<<: *run, level: L2}
  nest: {<<: *run, level: L2, engine: pointnet}
  one: {<<: *run, level: L1}
"""
EMODEL = """schema: 1
name: hh
source: Hodgkin and Huxley 1952, as NEURON has it; chosen for the test
passive: {all: {Ra: 100, cm: 1, g_pas: 1e-5, e_pas: -65}}
mechanisms: {soma: {hh: {gnabar: 0.12, gkbar: 0.036, gl: 0.0003, el: -54.3}}}
"""
SHAPE = "1 1 0 0 0 {r} -1\n2 1 0 {d} 0 {r} 1\n3 3 0 {d} 0 1 2\n4 3 0 {far} 0 1 3\n"


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def make_model(folder: Path) -> Path:
    """Writes the model; returns its file."""
    for name in ("morphologies", "emodels"):
        (folder / name).mkdir(parents=True)
    rows = ["name,emodel,size"]
    for k in range(24):
        large = k % 3 == 0
        text = SHAPE.format(r=12 if large else 8, d=24 if large else 16, far=220 if large else 120)
        (folder / "morphologies" / f"c{k}.swc").write_text(text)
        rows.append(f"c{k},hh,{'large' if large else 'small'}")
    (folder / "emodels" / "hh.yaml").write_text(EMODEL)
    (folder / "cells.csv").write_text("\n".join(rows) + "\n")
    # The schema's reader knows no merge keys.
    plain = yaml.dump(yaml.safe_load(MODEL), Dumper=_NoAliases, sort_keys=False)
    (folder / "model.yaml").write_text(plain)
    return folder / "model.yaml"
