"""A small circuit whose cells touch: branched stick cells of four m-types in a dense cube."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np

from pipeline.config.load import Resolved, load_model
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.write import write_nodes

TABLES = Path(__file__).parents[2] / "models" / "column" / "tables"
TYPES = {"L4_PC": ("EXC", "cADpyr"), "L4_LBC": ("INH", "dNAC"), "L4_ChC": ("INH", "cACint"),
         "L4_BP": ("INH", "bAC")}  # fmt: skip
MODEL = """\
schema: 1
name: touching
seed: {seed}
nodes:
  cells: {{kind: imported, file: nodes.h5, model_type: biophysical}}
edges:
  local:
    kind: touches
    source: cells
    target: cells
    block: {block}
    memory: {memory}
    touch:
      spine_length: {{"*": 2.5 um, "*_BP": 0.5 um}}
      rules: tables/touch_rules.csv
      soma_filter: {{inhibitory: 5 um, excitatory: 8 um}}
    pruning:
      rules: tables/pathway_rules.csv
      bouton_density: 0.05
      sample: 8
    physiology: {{classes: tables/synapse_classes.csv, rules: tables/synapse_rules.csv}}
"""


def stick_cell(rng: np.random.Generator, apical: bool) -> str:
    """SWC of a cell with one axon, two basal trees and maybe an apical one, all forked twice."""
    rows = ["1 1 0 0 0 4 -1"]

    def grow(kind: int, parent: int, point: np.ndarray, heading: np.ndarray, forks: int) -> None:
        for _ in range(5):
            heading = heading + 0.35 * rng.normal(size=3)
            heading /= np.linalg.norm(heading)
            point = point + 12.0 * heading
            rows.append(f"{len(rows) + 1} {kind} {point[0]:.4f} {point[1]:.4f} {point[2]:.4f} "
                        f"{rng.uniform(0.2, 0.5):.3f} {parent}")  # fmt: skip
            parent = len(rows)
        for _ in range(2 if forks else 0):
            grow(kind, parent, point, heading + 0.8 * rng.normal(size=3), forks - 1)

    trees = [(2, 2), (3, 1), (3, 1)] + ([(4, 1)] if apical else [])
    for kind, forks in trees:
        heading = rng.normal(size=3)
        heading /= np.linalg.norm(heading)
        rows.append(
            f"{len(rows) + 1} {kind} " + " ".join(f"{x:.4f}" for x in 4 * heading) + " 0.5 1"
        )
        grow(kind, len(rows), 4 * heading, heading, forks)
    return "\n".join(rows) + "\n"


def make_touching(
    folder: Path, cells: int = 40, seed: int = 3, block: int = 7, memory: float = 1.0
) -> tuple[Resolved, CircuitPaths]:
    """Writes model, nodes and morphologies; returns the model and the paths of its circuit."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(TABLES, folder / "tables", dirs_exist_ok=True)
    text = MODEL.format(seed=seed, block=block, memory=memory)
    (folder / "model.yaml").write_text(text, encoding="utf-8")
    rng = np.random.default_rng(5)
    paths = CircuitPaths(folder / "circuits" / "touching" / "default")
    paths.morphologies.mkdir(parents=True, exist_ok=True)
    shapes = {}
    for name in TYPES:
        for copy in range(2):
            shapes.setdefault(name, []).append(f"{name}_{copy}")
            cell = stick_cell(rng, name == "L4_PC")
            (paths.morphologies / f"{name}_{copy}.swc").write_text(cell, encoding="utf-8")
    with open(TABLES / "pathway_rules.csv", newline="", encoding="utf-8") as handle:
        known = dict.fromkeys(row["pre"] for row in csv.DictReader(handle))
    lines = ["name,m_type,axon_length,dendrite_length", *(f"x_{name},{name},1,1" for name in known)]
    (paths.components / "morphologies.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    mtype = np.array(list(TYPES))[np.array([0, 0, 2, 1, 0, 2, 0, 1, 0, 3])[np.arange(cells) % 10]]
    angle = rng.uniform(0, 2 * np.pi, cells)
    columns = dict(zip("xyz", rng.uniform(0, 70, (3, cells)), strict=True)) | {
        "orientation_w": np.cos(angle / 2), "orientation_x": np.zeros(cells),
        "orientation_y": np.sin(angle / 2), "orientation_z": np.zeros(cells),
        "mtype": mtype, "etype": [TYPES[name][1] for name in mtype],
        "synapse_class": [TYPES[name][0] for name in mtype],
        "morphology": [shapes[name][i % 2] for i, name in enumerate(mtype)],
        "model_type": ["biophysical"] * cells,
    }  # fmt: skip
    for file in (folder / "nodes.h5", paths.nodes("cells")):
        write_nodes(file, "cells", columns, np.zeros(cells, int))
    paths.node_types("cells").write_text("node_type_id pop_name\n0 cells\n", encoding="utf-8")
    return load_model(str(folder / "model.yaml")), paths
