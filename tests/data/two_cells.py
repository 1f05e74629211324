"""Makes the smallest model with physics to check: two passive one-compartment cells.

Cell ``a`` gets a current; it drives ``b`` by one graded synapse and is coupled to it by one gap
junction. Neurites only give contacts a place; the level ``single_compartment`` folds them in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SOMA, NEURITE = (20.0, 20.0), (41.0, 1.0)  # length and diameter, um
SIDE = 21.0  # um; a cylinder of that length and diameter has the same area
RA, CM, G_PAS, E_PAS = 100.0, 1.0, 1e-4, -65.0  # ohm cm, uF/cm2, S/cm2, mV
WEIGHT, G, E, K, VTH, DELTA = 0.75, 2e-3, 0.0, 0.3, -40.0, 4.0  # 1, uS, mV, 1/ms, mV, mV
GAP = 2.0**-11  # uS; like the weight exact in single precision, as edges are stored
START, STOP, CURRENT = 5.0, 25.0, 0.04  # ms, ms, nA
DURATION, V_INIT = 40.0, -70.0  # ms, mV

MODEL = f"""schema: 1
name: pair
seed: 3
mechanisms: [worm]
cells:
  morphologies: {{path: morphologies, coordinates: absolute}}
  level: single_compartment
nodes:
  cells: {{kind: table, table: cells.csv, sets: [driven]}}
edges:
  wiring:
    kind: contacts
    source: cells
    target: cells
    connectome: pair
    connectome_folder: .
    tolerance: 1000 um
    chemical:
      count: {{a: 1, b: 10, scale: 1, scale_inside: true}}
      distance: {{mu: 0.5, scale: 1 um}}
      weight: {{law: constant, value: {WEIGHT}}}
      excitatory:
        {{conductance: {G} uS, reversal: {E} mV, k: {K}, threshold: {VTH} mV, slope: {DELTA} mV}}
      inhibitory: {{conductance: 1 nS, reversal: -70 mV, k: 0.1}}
    electrical:
      count: {{a: 1, b: 10, scale: 1, scale_inside: true}}
      distance: {{mu: 0.5, scale: 1 um}}
      conductance: {{law: constant, value: {GAP}}}
simulation:
  drive:
    dt: DT ms
    duration: {DURATION} ms
    v_init: {V_INIT} mV
    inputs:
      step:
        kind: step
        nodes: driven
        times: [{START} ms, {STOP} ms]
        amplitudes: [{CURRENT} nA, 0]
    record:
      soma: {{nodes: cells, precision: double}}
"""

EMODEL = f"""schema: 1
name: passive
source: chosen for the test
passive:
  all: {{Ra: {RA}, cm: {CM}, g_pas: {G_PAS}, e_pas: {E_PAS}}}
"""


@dataclass(frozen=True)
class Kinds:
    """Which couplings the pair has."""

    chemical: bool = True
    electrical: bool = True


def make_pair(folder: Path, dt: float, kinds: Kinds = Kinds()) -> Path:  # noqa: B008
    """Writes the model.

    Args:
        folder: Where it goes.
        dt: Time step, ms.
        kinds: Which couplings there are.

    Returns:
        Its ``model.yaml``.
    """
    for name in ("morphologies", "emodels"):
        (folder / name).mkdir(parents=True)
    for x, name in ((0, "a"), (30, "b")):
        (length, width), (reach, thickness) = SOMA, NEURITE
        points = [
            f"1 1 {x} 0 0 {width / 2} -1",
            f"2 1 {x} {length} 0 {width / 2} 1",
            f"3 3 {x} {length} 0 {thickness / 2} 2",
            f"4 3 {x} {length + reach} 0 {thickness / 2} 3\n",
        ]
        (folder / "morphologies" / f"{name}.swc").write_text("\n".join(points))
    (folder / "emodels" / "passive.yaml").write_text(EMODEL)
    (folder / "cells.csv").write_text("name,emodel,driven\na,passive,1\nb,passive,0\n")
    rows = ["a,b,chemical,9"] * kinds.chemical
    rows += ["a,b,electrical,9", "b,a,electrical,9"] * kinds.electrical
    (folder / "pair.csv").write_text("\n".join(["pre,post,kind,count", *rows, ""]))
    path = folder / "model.yaml"
    path.write_text(MODEL.replace("DT", f"{dt:g}"))
    return path
