"""Canonical SWC: the same cell always gives the same bytes, and MorphIO its sections in our order."""

from __future__ import annotations

import numpy as np

from pipeline.cells.morphology import SOMA
from pipeline.morphologies.shape import Shape


def swc_text(shape: Shape) -> str:
    """Returns the file of a cell in canonical order; the soma is one point at the origin.

    Columns: id, type, x, y, z, radius (um, 3 decimals), parent.
    """
    lines = [f"1 {SOMA} 0 0 0 {_number(shape.soma_radius)} -1"]
    last: list[int] = []
    for section in shape.sections:
        start = 0 if section.parent < 0 else 1
        parent = 1 if section.parent < 0 else last[section.parent]
        rows = np.column_stack([section.points, section.diameters / 2])[start:]
        for row in rows:
            number = len(lines) + 1
            values = " ".join(_number(value) for value in row)
            lines.append(f"{number} {section.kind} {values} {parent}")
            parent = number
        last.append(parent)
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
