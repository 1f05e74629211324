"""How much axon runs where there are cells: only there can it make the synapses it should have."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from pipeline.edges.touch.arrays import AXON, Cells, Shapes
from pipeline.kernels import kernel


def tissue_planes(position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The tissue as an upright prism: the convex hull of all somata seen from above, and their y.

    Args:
        position: float64 [cells, 3], um.

    Returns:
        float64 [k, 3], a point (x, z) is inside where a x + b z + c <= 0 for all rows (no rows where
        somata span no area: all is inside), and the lowest and highest y, um.
    """
    if len(position) < 3:
        return np.empty((0, 3)), np.array([-np.inf, np.inf])
    try:
        planes = ConvexHull(position[:, [0, 2]]).equations
    except QhullError:
        return np.empty((0, 3)), np.array([-np.inf, np.inf])
    return planes, np.array([position[:, 1].min(), position[:, 1].max()])


@kernel()
def _inside(ids, first, start, end, length, kind, morphology, position, rotation, planes, ends):
    found = np.zeros(len(ids))
    for i in range(len(ids)):
        cell = ids[i]
        shape = morphology[cell]
        r, shift = rotation[cell], position[cell]
        total = 0.0
        for row in range(first[shape], first[shape + 1]):
            if kind[row] != AXON:
                continue
            x = (start[row, 0] + end[row, 0]) * 0.5
            y = (start[row, 1] + end[row, 1]) * 0.5
            z = (start[row, 2] + end[row, 2]) * 0.5
            height = r[1, 0] * x + r[1, 1] * y + r[1, 2] * z + shift[1]
            if not ends[0] <= height <= ends[1]:
                continue
            px = r[0, 0] * x + r[0, 1] * y + r[0, 2] * z + shift[0]
            pz = r[2, 0] * x + r[2, 1] * y + r[2, 2] * z + shift[2]
            inside = True
            for k in range(len(planes)):
                if planes[k, 0] * px + planes[k, 1] * pz + planes[k, 2] > 0.0:
                    inside = False
                    break
            if inside:
                total += length[row]
        found[i] = total
    return found


def axon_inside(shapes: Shapes, cells: Cells, ids: np.ndarray) -> np.ndarray:
    """Axon length of some cells within the tissue: float64 [ids], um.

    A segment counts as where its middle is.
    """
    planes, ends = tissue_planes(cells.position)
    return _inside(
        np.asarray(ids, np.int64), shapes.first, shapes.start, shapes.end, shapes.length,
        shapes.kind, cells.morphology, cells.position, cells.rotation, planes, ends,
    )  # fmt: skip
