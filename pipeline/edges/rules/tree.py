"""Bins of sources: one tree of bounding boxes per source class.

A kd-tree serves as a grid whose cells merge with distance: near a target the sampler descends to
small boxes, far away one box holds thousands of sources, so that unbounded kernels need no cut-off.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.kernels import kernel

LEAF = 8
"""Sources of a box that is not split further."""


class Forest(NamedTuple):
    """Trees of all classes over the selected nodes.

    Attributes:
        ids: int64 [n]. Node ids in tree order; every box is a range of it.
        points: float64 [n, 4]. Lateral, depth, lateral coordinate (um) and tuning angle (deg).
        boxes: float64 [boxes, 6]. Lower then upper corner of the points, um.
        ranges: int64 [boxes, 2]. First and last + 1 point of each box.
        children: int64 [boxes]. First of two neighbouring children; -1 for leaves.
        roots: int64 [classes]. Root box of a class; -1 for a class without members.
    """

    ids: np.ndarray
    points: np.ndarray
    boxes: np.ndarray
    ranges: np.ndarray
    children: np.ndarray
    roots: np.ndarray


def build_forest(points: np.ndarray, classes: np.ndarray, n_classes: int, axes: tuple) -> Forest:
    """Sorts nodes into trees.

    Args:
        points: float64 [n, 4]. Coordinates in um and tuning angle in degrees.
        classes: int64 [n]. Class of each node; -1 leaves the node out.
        n_classes: Number of classes.
        axes: Which of the three coordinates matter; boxes are split along these only.
    """
    members = np.flatnonzero(classes >= 0)
    # A stable sort keeps ids ascending inside a class, whatever the order of the classes.
    order = members[np.argsort(classes[members], kind="stable")].astype(np.int64)
    counts = np.bincount(classes[members], minlength=n_classes)
    ends = np.cumsum(counts)
    used = np.zeros(3, np.bool_)
    used[list(axes)] = True
    order, boxes, ranges, children, roots = _split_all(
        order, np.ascontiguousarray(points, np.float64), ends - counts, ends, used
    )
    return Forest(order, np.ascontiguousarray(points[order]), boxes, ranges, children, roots)


@kernel()
def _box(points, order, low, high, box):
    for axis in range(3):
        box[axis], box[3 + axis] = np.inf, -np.inf
    for k in range(low, high):
        for axis in range(3):
            x = points[order[k], axis]
            box[axis] = min(box[axis], x)
            box[3 + axis] = max(box[3 + axis], x)


@kernel()
def _split_all(order, points, starts, ends, used):
    limit = 1
    for c in range(len(starts)):
        limit += 1 + 4 * ((ends[c] - starts[c]) // LEAF + 1)
    boxes = np.empty((limit, 6))
    ranges = np.empty((limit, 2), np.int64)
    children = np.full(limit, -1, np.int64)
    roots = np.full(len(starts), -1, np.int64)
    n = 0
    for c in range(len(starts)):
        if starts[c] == ends[c]:
            continue
        roots[c] = n
        ranges[n, 0], ranges[n, 1] = starts[c], ends[c]
        done = n
        n += 1
        while done < n:
            low, high = ranges[done]
            _box(points, order, low, high, boxes[done])
            axis, extent = -1, 0.0
            for a in range(3):
                width = boxes[done, 3 + a] - boxes[done, a]
                if used[a] and width > extent:
                    axis, extent = a, width
            if high - low > LEAF and axis >= 0:
                part = order[low:high].copy()
                values = np.empty(high - low)
                for k in range(high - low):
                    values[k] = points[part[k], axis]
                sorted_part = np.argsort(values, kind="mergesort")
                for k in range(high - low):
                    order[low + k] = part[sorted_part[k]]
                middle = (low + high) // 2
                children[done] = n
                ranges[n, 0], ranges[n, 1] = low, middle
                ranges[n + 1, 0], ranges[n + 1, 1] = middle, high
                n += 2
            done += 1
    return order, boxes[:n].copy(), ranges[:n].copy(), children[:n].copy(), roots
