"""``sonatina new``: a small commented model that runs as it is."""

from __future__ import annotations

import math
import re
from pathlib import Path

from pipeline.errors import ConfigError, Problem
from pipeline.runtime import write_text

_MODEL = """# {name}: three cells in a ring. Change one thing at a time and run 'sonatina run {name}'.
schema: 1
name: {name}
title: {name}, a starter model
description: Three ball-and-stick cells with Hodgkin-Huxley somata, graded synapses and one gap junction.
licence: yours to choose
limits:
  - Every number is assumed; replace them with your own and say where they come from.
seed: 1
reference: reference.yaml      # published values, held beside ours in the report
mechanisms: [worm]             # GradedSyn and GapHalf; your own .mod: a folder mechanisms/ beside this file

cells:
  morphologies: {{path: morphologies}}     # SWC, ASC or H5 by name
  emodels: emodels                       # one YAML file per e-model
  discretisation: {{rule: d_lambda, d_lambda: 0.1, frequency: 100 Hz}}

nodes:
  cells:
    kind: table
    table: tables/cells.csv              # one row per cell
    morphology_column: morphology
    sets: [driven]                       # 0/1 columns become node sets

edges:
  wiring:
    kind: contacts
    source: cells
    target: cells
    connectome: ring                     # tables/connectomes/ring.csv
    tolerance: 200 um
    chemical:
      count: {{a: 20, b: 0.05, scale: 1, scale_inside: true}}
      distance: {{mu: 0.5, scale: 1 um}}
      weight: {{law: constant, value: {{value: 1, source: assumed, note: "starter"}}}}
      excitatory: {{conductance: 1 nS, reversal: 0 mV, k: 0.5}}
      inhibitory: {{conductance: 1 nS, reversal: -70 mV, k: 0.1}}
    electrical:
      count: {{a: 20, b: 0.05, scale: 1, scale_inside: false}}
      distance: {{mu: 0.5, scale: 1 um}}
      conductance: {{law: constant, value: {{value: 1e-4, source: assumed, note: "uS"}}}}

simulation:
  drive:
    dt: 0.025 ms
    duration: 100 ms
    celsius: 6.3 degC
    ranks: 1
    inputs:
      step: {{kind: step, nodes: driven, times: [10 ms, 90 ms], amplitudes: [0.3 nA, 0 nA]}}
    record:
      soma: {{nodes: cells}}
"""

_EMODEL = """schema: 1
name: hh
title: squid-type soma, passive neurites
source: Hodgkin & Huxley 1952 (NEURON's hh, 6.3 degC); passive values assumed
passive:
  all: {Ra: 100 ohm cm, cm: 1 uF/cm2, g_pas: 1e-4 S/cm2, e_pas: -65 mV}
mechanisms:
  soma:
    hh: {}
"""

_REFERENCE = """schema: 1
targets:                       # metric: a row of analysis/metrics.csv
  - {metric: cells.count, title: Cells, value: 3, tolerance: 0, source: this starter}
"""

_VARIANT = """# A variant: what it extends, sets and removes. Runs as 'sonatina run {name} weak'.
extends: ../model.yaml
name: weak
title: half the drive
set:
  simulation.drive.inputs.step.amplitudes: [{{value: 0.15 nA, source: assumed}}, 0 nA]
"""

_TABLE = """name,morphology,emodel,driven
a,cell_a,hh,1
b,cell_b,hh,0
c,cell_c,hh,0
"""

_RING = """pre,post,kind,count
a,b,chemical,4
b,c,chemical,4
c,a,chemical,4
a,b,electrical,2
b,a,electrical,2
"""


def write_starter(name: str, models: Path) -> Path:
    """Writes a starter model.

    Args:
        name: Name of the model; becomes a folder.
        models: Folder of models.

    Returns:
        The new folder.

    Raises:
        ConfigError: If the name is not plain or the folder exists.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        hint = "use letters, digits, - and _"
        raise ConfigError(Problem(name, "not a plain name", hint))
    folder = models / name
    if folder.exists():
        raise ConfigError(Problem(str(folder), "exists already", "choose another name"))
    for index, cell in enumerate("abc"):
        angle = 2 * math.pi * index / 3
        write_text(folder / f"morphologies/cell_{cell}.swc", _ball_and_stick(angle))
    write_text(folder / "emodels/hh.yaml", _EMODEL)
    write_text(folder / "tables/cells.csv", _TABLE)
    write_text(folder / "tables/connectomes/ring.csv", _RING)
    write_text(folder / "reference.yaml", _REFERENCE)
    write_text(folder / "variants/weak.yaml", _VARIANT.format(name=name))
    write_text(folder / "model.yaml", _MODEL.format(name=name))
    return folder


def _ball_and_stick(angle: float) -> str:
    """A soma with one axon and one dendrite of 100 um, turned by an angle."""
    lines = ["# id type x y z radius parent; um", "1 1 0 0 0 10 -1", "2 1 0 20 0 10 1"]
    for kind, turn in ((2, 0.0), (3, math.pi)):
        x, z = math.cos(angle + turn), math.sin(angle + turn)
        parent = 2
        for step in range(5):
            reach = 10 + 25 * step
            lines.append(f"{len(lines)} {kind} {reach * x:.3f} 20 {reach * z:.3f} 0.5 {parent}")
            parent = len(lines) - 1
    return "\n".join(lines) + "\n"
