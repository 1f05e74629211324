"""Branching distributions of reconstructions, as NeuroTS grows cells from them.

Per tree: the persistence barcode of path distances with the four angles of every bifurcation (Kanari
et al. 2018, Neuroinformatics 16:3; 2022, Cell Rep 39:110586), the direction of its trunk and of its
farthest tip, quantiles of its depth, and two diameters. Points of the reconstruction are not kept.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np

from pipeline.cells.morphology import APIC, AXON, DEND
from pipeline.config.tables import read_csv
from pipeline.errors import ConfigError, Problem
from pipeline.morphologies.measure import COLUMNS, measure, pieces, weighted_quantile
from pipeline.morphologies.repair import read_shape
from pipeline.morphologies.shape import Shape, trees
from pipeline.runtime import write_text

TABLE, REAL = "tables/synthesis_sources.csv", "tables/real_morphometrics.csv"
FOLDER = "synthesis"
DEPTHS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Fractions of a tree's length whose depths are kept."""
_NAMES = {AXON: "axon", DEND: "basal_dendrite", APIC: "apical_dendrite"}


def convert_library(folder: str | Path, model: str | Path) -> list[Path]:
    """Writes the distributions of every type in a model's table of sources, and their morphometrics.

    Args:
        folder: Holds the reconstructions that the table names.
        model: Model folder with ``tables/synthesis_sources.csv`` (columns m_type, file, source,
            licence).

    Returns:
        The files written: ``synthesis/<m-type>.json`` and ``tables/real_morphometrics.csv``.

    Raises:
        ConfigError: If a reconstruction is missing or holds no tree.
    """
    folder, model = Path(folder), Path(model)
    table = read_csv(model / TABLE)
    missing = [
        Problem(str(folder / name), "no such reconstruction", f"listed in {TABLE}")
        for name in table["file"]
        if not (folder / name).is_file()
    ]
    if missing:
        raise ConfigError(missing)
    written, measured = [], []
    for m_type, rows in table.groupby("m_type", sort=True):
        cells = []
        for row in rows.itertuples():
            name, path = Path(row.file).stem, folder / row.file
            shape = read_shape(path)[0]
            measured += [{"m_type": m_type, "name": name} | part for part in measure(shape)]
            about = {"name": name, "source": row.source, "licence": row.licence}
            cells.append(about | cell_distributions(path, shape))
        path = model / FOLDER / f"{m_type}.json"
        text = json.dumps({"m_type": m_type, "cells": cells}, separators=(",", ":"))
        write_text(path, text.replace('{"name"', '\n{"name"') + "\n")
        written.append(path)
    write_text(model / REAL, _csv(measured, ("m_type", "name", *COLUMNS)))
    return [*written, model / REAL]


def cell_distributions(path: Path, shape: Shape) -> dict:
    """Returns the soma's radius (um) and the distributions of every tree that branches.

    Raises:
        ConfigError: If no tree of the cell branches.
    """
    from tmd.io.io import load_neuron_from_morphio

    neuron = load_neuron_from_morphio(str(path))
    centre = neuron.soma.get_center()
    found = []
    for kind, name in _NAMES.items():
        own = _split(trees(shape, kind))
        starts = np.array([sections[0].points[0] for sections in own]).reshape(-1, 3)
        for tree in getattr(neuron, name):
            start = np.array([tree.x[0], tree.y[0], tree.z[0]], float) - centre
            nearest = int(np.argmin(np.linalg.norm(starts - start, axis=1)))
            found.append(_tree(tree, own[nearest], name))
    found = [tree for tree in found if tree]
    if not found:
        raise ConfigError(Problem(str(path), "no tree that branches", "leave it out of the table"))
    return {"soma_radius": round(shape.soma_radius, 2), "trees": found}


def _split(sections: list) -> list[list]:
    """Splits the sections of several trees by tree."""
    found: list[list] = []
    for section in sections:
        if section.parent < 0:
            found.append([])
        found[-1].append(section)
    return found


def _tree(tree, sections: list, kind: str) -> dict | None:
    """Distributions of one tree; None for stumps of fewer than two bars."""
    from tmd.Topology.methods import get_ph_angles

    bars = get_ph_angles(tree, feature="path_distances")
    if len(bars) < 2:
        return None
    bars = sorted(bars, key=lambda bar: (bar[1], bar[0]))
    middles, lengths = pieces(sections)
    across = np.hypot(middles[:, 0], middles[:, 2])
    tips = np.setdiff1d(np.arange(len(tree.p)), tree.p)
    points = sections[0].points
    near = points[np.linalg.norm(points - points[0], axis=1) <= 30.0][-1]
    centre = np.array([tree.x[0], tree.y[0], tree.z[0]], float) - points[0]
    far = int(np.argmax(tree.get_point_path_distances()))
    return {
        "type": kind,
        "trunk": _unit(near),
        "toward": _unit(np.array([tree.x[far], tree.y[far], tree.z[far]], float) - centre),
        "depth": [round(v) for v in weighted_quantile(middles[:, 1], lengths, DEPTHS)],
        "width": round(weighted_quantile(across, lengths, [0.9])[0]),
        "diameters": [_median(tree.d[:5]), _median(tree.d[tips])],
        "bars": [[round(float(v), 1) for v in bar[:2]] + _angles(bar[2:]) for bar in bars],
    }


def _median(values: np.ndarray) -> float:
    return round(float(np.median(values)), 2)


def _angles(values) -> list[float]:
    """Angles of a bifurcation, rad; the trunk's bar has none and gets zeros."""
    return [0.0 if not np.isfinite(v) else round(float(v), 2) for v in values]


def _unit(vector: np.ndarray) -> list[float]:
    norm = float(np.linalg.norm(vector))
    return [round(float(v), 3) for v in (vector / norm if norm else np.array([0.0, 1.0, 0.0]))]


def _csv(rows: list[dict], columns: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
