"""Where a touch lies: section position, centre and surface points on both sides."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pipeline.edges.touch.arrays import SOMA, Cells, Shapes
from pipeline.kernels import inner, kernel


class Layout(NamedTuple):
    """Arrays that the kernel reads; see ``Shapes`` and ``Cells``."""

    start: np.ndarray
    end: np.ndarray
    radius: np.ndarray
    length: np.ndarray
    arc: np.ndarray
    kind: np.ndarray
    section_first: np.ndarray
    section_length: np.ndarray
    section_row: np.ndarray
    morphology: np.ndarray
    position: np.ndarray
    rotation: np.ndarray


def section_rows(shapes: Shapes) -> np.ndarray:
    """First segment of each section: int64, by (morphology, section id); -1 where it has none."""
    rows = np.full(len(shapes.section_length), -1, np.int64)
    sizes = np.diff(shapes.first)
    base = np.repeat(shapes.section_first[:-1], sizes) + shapes.section
    # Backwards, so that the first segment of a section is what stays.
    rows[base[::-1]] = np.arange(len(base))[::-1]
    return rows


def layout(shapes: Shapes, cells: Cells) -> Layout:
    """Collects what the kernel needs."""
    return Layout(
        shapes.start, shapes.end, shapes.radius, shapes.length, shapes.arc, shapes.kind,
        shapes.section_first, shapes.section_length, section_rows(shapes),
        cells.morphology, cells.position, cells.rotation,
    )  # fmt: skip


@inner()
def _centre(lay, cell, section, segment, offset):
    """Segment row and point on the axis of a cell: row, x, y, z in um."""
    shape = lay.morphology[cell]
    row = lay.section_row[lay.section_first[shape] + section] + segment
    part = offset / lay.length[row] if lay.length[row] > 0 else 0.0
    point = np.empty(3)
    for i in range(3):
        point[i] = lay.start[row, i] + part * (lay.end[row, i] - lay.start[row, i])
    x, y, z = lay.position[cell]
    r = lay.rotation[cell]
    x += r[0, 0] * point[0] + r[0, 1] * point[1] + r[0, 2] * point[2]
    y += r[1, 0] * point[0] + r[1, 1] * point[1] + r[1, 2] * point[2]
    z += r[2, 0] * point[0] + r[2, 1] * point[1] + r[2, 2] * point[2]
    return row, x, y, z


@inner()
def _section_pos(lay, cell, section, row, offset):
    if lay.kind[row] == SOMA:
        return 0.5
    length = lay.section_length[lay.section_first[lay.morphology[cell]] + section]
    return min(max((lay.arc[row] + offset) / length, 0.0), 1.0) if length > 0 else 0.5


@kernel()
def _fill(lay, cell, section, segment, offset, pos, kind, points):
    for t in range(len(pos)):
        for side in range(2):
            c, s = cell[t, side], section[t, side]
            row, x, y, z = _centre(lay, c, s, segment[t, side], offset[t, side])
            pos[t, side] = _section_pos(lay, c, s, row, offset[t, side])
            kind[t, side] = lay.kind[row]
            points[t, side, 0, 0], points[t, side, 0, 1], points[t, side, 0, 2] = x, y, z
            points[t, side, 1, 0] = lay.radius[row]
        # Surface points lie on the way from one centre to the other.
        dx = points[t, 1, 0, 0] - points[t, 0, 0, 0]
        dy = points[t, 1, 0, 1] - points[t, 0, 0, 1]
        dz = points[t, 1, 0, 2] - points[t, 0, 0, 2]
        gap = math.sqrt(dx * dx + dy * dy + dz * dz)
        for side in range(2):
            step = points[t, side, 1, 0] / gap if gap > 0 else 0.0
            step = step if side == 0 else -step
            points[t, side, 1, 0] = points[t, side, 0, 0] + step * dx
            points[t, side, 1, 1] = points[t, side, 0, 1] + step * dy
            points[t, side, 1, 2] = points[t, side, 0, 2] + step * dz


def place_columns(lay: Layout, touches: np.ndarray) -> dict[str, np.ndarray]:
    """Computes the SONATA attributes of place.

    Surface points are where the line between both centres leaves each neurite.

    Args:
        lay: From ``layout``.
        touches: TOUCH [n].

    Returns:
        ``{afferent,efferent}_{section_id,section_pos,section_type,segment_id,segment_offset}`` and
        ``_{center,surface}_{x,y,z}``; ids uint32, others float32, um.
    """
    n = len(touches)
    sides = {"efferent": "pre", "afferent": "post"}

    def both(name: str, dtype: str) -> np.ndarray:
        joined = [touches[f"{side}{name}"] for side in sides.values()]
        return np.stack(joined, axis=1).astype(dtype)

    cell, section = both("", "i8"), both("_section", "u4")
    segment, offset = both("_segment", "u4"), both("_offset", "f4")
    pos, kind = np.empty((n, 2), np.float32), np.empty((n, 2), np.uint32)
    points = np.empty((n, 2, 2, 3), np.float32)
    _fill(lay, cell, section, segment, offset, pos, kind, points)
    columns = {}
    for index, side in enumerate(sides):
        columns[f"{side}_section_id"] = section[:, index]
        columns[f"{side}_section_pos"] = pos[:, index]
        columns[f"{side}_section_type"] = kind[:, index]
        columns[f"{side}_segment_id"] = segment[:, index]
        columns[f"{side}_segment_offset"] = offset[:, index]
        for part, place in enumerate(("center", "surface")):
            for axis, name in enumerate("xyz"):
                columns[f"{side}_{place}_{name}"] = points[:, index, part, axis]
    return columns
