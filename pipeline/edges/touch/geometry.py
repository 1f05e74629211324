"""Reads morphologies and placed cells into the arrays of touch detection.

Placed geometry is float32 by definition: a point is turned and shifted in float64 and then rounded,
so index, kernel and any check see the same numbers (rounding moves a point by at most 1.2e-4 um
within 2 mm of the origin).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.cells.morphology import Morphology, read_morphology
from pipeline.cells.places import path_distances
from pipeline.edges.touch.arrays import SOMA, Cells, Shapes
from pipeline.errors import CircuitError, MorphologyError, Problem
from pipeline.kernels import kernel

_MOST = np.iinfo(np.uint16).max


def read_shapes(files: Mapping[str, str | Path]) -> Shapes:
    """Reads morphologies by their names, in the order given.

    Args:
        files: Name and file (SWC, ASC or H5) of each morphology.

    Raises:
        MorphologyError: For the first file that cannot be used.
    """
    return join_shapes(list(files), [read_morphology(path) for path in files.values()])


def join_shapes(names: Sequence[str], morphologies: Sequence[Morphology]) -> Shapes:
    """Puts morphologies one after another.

    Raises:
        MorphologyError: If one has more sections, or a section more segments, than fit uint16.
    """
    parts = [_segments(name, m) for name, m in zip(names, morphologies, strict=True)]
    columns = {
        key: np.concatenate([part[key] for part in parts])
        for key in ("start", "end", "radius", "section", "segment", "kind", "path", "arc")
    }
    lengths = [np.array([0.0] + [s.length for s in m.sections[1:]]) for m in morphologies]
    return Shapes(
        names=tuple(names),
        first=_offsets([len(part["kind"]) for part in parts]),
        section_first=_offsets([len(values) for values in lengths]),
        section_length=np.concatenate(lengths).astype(np.float32),
        **columns,
    )


def _offsets(counts: Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _segments(name: str, morphology: Morphology) -> dict[str, np.ndarray]:
    """Columns of one morphology: the soma as a sphere of equal area, then every section."""
    sections = morphology.sections
    longest = max((len(s.points) for s in sections[1:]), default=1) - 1
    if len(sections) > _MOST or longest > _MOST:
        found = f"{len(sections)} sections, the longest of {longest} segments"
        hint = "simplify the morphology"
        raise MorphologyError(Problem(name, f"{found}; at most {_MOST} fit", hint))
    soma = sections[0]
    centre = (soma.points[0] + soma.points[-1]) / 2
    rows = [
        (centre[None], centre[None], [math.sqrt(soma.area / (4 * math.pi))], [0], SOMA, [0.0], 0, 0)
    ]
    paths = path_distances(morphology)
    for index, section in enumerate(sections[1:], 1):
        radii, steps = section.diameters / 2, np.arange(len(section.points) - 1)
        ends = section.points[:-1], section.points[1:], (radii[:-1] + radii[1:]) / 2
        rows.append((*ends, steps, section.kind, section.arc[:-1], paths[index], index))
    start, end, radius, segment, _, arc, *_ = (list(column) for column in zip(*rows, strict=True))
    sizes = [len(values) for values in arc]
    spread = {
        k: np.repeat([row[i] for row in rows], sizes) for k, i in (("kind", 4), ("section", 7))
    }
    path = np.repeat([row[6] for row in rows], sizes) + np.concatenate(arc)
    return {
        "start": np.concatenate(start).astype(np.float32),
        "end": np.concatenate(end).astype(np.float32),
        "radius": np.concatenate(radius).astype(np.float32),
        "section": spread["section"].astype(np.uint16),
        "segment": np.concatenate(segment).astype(np.uint16),
        "kind": spread["kind"].astype(np.uint8),
        "path": path.astype(np.float32),
        "arc": np.concatenate(arc).astype(np.float32),
    }


def place_cells(nodes: pd.DataFrame, names: Sequence[str]) -> Cells:
    """Turns the columns of SONATA nodes into arrays.

    Args:
        nodes: Columns x, y, z (um), morphology, mtype, etype, synapse_class (EXC or INH) and, where
            cells are turned, orientation_w, _x, _y, _z (unit quaternion); row = node id.
        names: Names of the morphologies, as in ``Shapes.names``.

    Raises:
        CircuitError: If a column, or a morphology that a node names, is missing.
    """
    wanted = ("x", "y", "z", "morphology", "mtype", "etype", "synapse_class")
    missing = [name for name in wanted if name not in nodes]
    if missing:
        hint = "touches need placed cells with morphologies"
        raise CircuitError(Problem("nodes", f"no column {', '.join(missing)}", hint))
    row_of = {name: row for row, name in enumerate(names)}
    used, code = np.unique(nodes["morphology"].astype(str), return_inverse=True)
    unknown = [name for name in used if name not in row_of]
    if unknown:
        message = f"no morphology {unknown[0]!r}" + (
            f" and {len(unknown) - 1} more" * bool(unknown[1:])
        )
        raise CircuitError(Problem("nodes", message, "run 'sonatina morphologies' again"))
    mtypes, mtype = np.unique(nodes["mtype"].astype(str), return_inverse=True)
    etypes, etype = np.unique(nodes["etype"].astype(str), return_inverse=True)
    return Cells(
        morphology=np.array([row_of[name] for name in used], np.int32)[code],
        position=nodes[["x", "y", "z"]].to_numpy(np.float64),
        rotation=_rotations(nodes),
        mtype=mtype.astype(np.int16),
        etype=etype.astype(np.int16),
        inhibitory=(nodes["synapse_class"].astype(str) == "INH").to_numpy(np.uint8),
        mtypes=tuple(mtypes.tolist()),
        etypes=tuple(etypes.tolist()),
    )


def _rotations(nodes: pd.DataFrame) -> np.ndarray:
    """Rotation matrices of unit quaternions: float32 [n, 3, 3]; the identity without columns."""
    columns = [f"orientation_{axis}" for axis in "wxyz"]
    if columns[0] not in nodes:
        return np.tile(np.eye(3, dtype=np.float32), (len(nodes), 1, 1))
    w, x, y, z = nodes[columns].to_numpy(np.float64).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0).astype(np.float32)


@kernel(inline="always")
def to_world(rotation, position, x, y, z):
    """One point of a shape where its cell stands: three float32, um."""
    x, y, z = np.float64(x), np.float64(y), np.float64(z)
    return (
        np.float32(rotation[0, 0] * x + rotation[0, 1] * y + rotation[0, 2] * z + position[0]),
        np.float32(rotation[1, 0] * x + rotation[1, 1] * y + rotation[1, 2] * z + position[1]),
        np.float32(rotation[2, 0] * x + rotation[2, 1] * y + rotation[2, 2] * z + position[2]),
    )
