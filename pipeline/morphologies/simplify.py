"""Fewer points per section within a stated tolerance (Ramer 1972; Douglas & Peucker 1973)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.kernels import kernel
from pipeline.morphologies.shape import Shape


def simplify(shape: Shape, tolerance: float) -> Shape:
    """Drops points of every section; ends, section ids and the taper stay.

    Args:
        shape: The cell.
        tolerance: um. No dropped point, taken as (x, y, z, radius), is farther than this from the
            cone that replaces it; 0 keeps every point.
    """
    if tolerance <= 0:
        return shape
    sections = []
    for section in shape.sections:
        points = np.column_stack([section.points, section.diameters / 2])
        keep = kept_points(points, tolerance)
        sections.append(
            replace(section, points=section.points[keep], diameters=section.diameters[keep])
        )
    return replace(shape, sections=tuple(sections))


@kernel()
def kept_points(points: np.ndarray, tolerance: float) -> np.ndarray:
    """Which points of a polyline stay.

    Args:
        points: float64 [n, d].
        tolerance: Largest distance of a dropped point from the piece that replaces it; distances
            are taken to the piece, not to its endless line, so that loops stay.

    Returns:
        bool [n]; the first and the last are always True.
    """
    count, dimensions = points.shape
    keep = np.zeros(count, np.bool_)
    keep[0] = keep[count - 1] = True
    first, last = np.zeros(count, np.int64), np.zeros(count, np.int64)
    last[0] = count - 1
    depth = 1
    while depth:
        depth -= 1
        start, end = first[depth], last[depth]
        square = 0.0
        for k in range(dimensions):
            square += (points[end, k] - points[start, k]) ** 2
        worst, at = tolerance * tolerance, -1
        for i in range(start + 1, end):
            t = 0.0
            if square > 0:
                for k in range(dimensions):
                    t += (points[i, k] - points[start, k]) * (points[end, k] - points[start, k])
                t = min(1.0, max(0.0, t / square))
            distance = 0.0
            for k in range(dimensions):
                step = points[start, k] + t * (points[end, k] - points[start, k])
                distance += (points[i, k] - step) ** 2
            if distance > worst:
                worst, at = distance, i
        if at >= 0:
            keep[at] = True
            first[depth], last[depth] = start, at
            first[depth + 1], last[depth + 1] = at, end
            depth += 2
    return keep
