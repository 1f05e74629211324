"""Keeps somata apart by redrawing, with a result that does not depend on the order of cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy  # its parts load when they are used

MAX_ATTEMPTS = 5000
_REDRAWS = (100_000, 30)
"""Redraws of all cells together before giving up: so many, and so many per cell."""
_CROWD = 30.0
"""Mean neighbours within the distance beyond which no packing exists (12 is the kissing number)."""

Redraw = Callable[[np.ndarray, int], np.ndarray]


def keep_apart(
    points: np.ndarray, priority: np.ndarray, distance: float, redraw: Redraw
) -> tuple[np.ndarray, np.ndarray]:
    """Redraws points until no two are closer than a distance.

    In each round a cell settles when it is far enough from all settled cells and from every other
    candidate of higher priority; the others draw their next position. Only distances and
    priorities decide, so neither the order of cells nor of types matters.

    Args:
        points: float64 [n, 3], um. First draw of every cell.
        priority: uint64 [n]. Random; the higher one of a close pair stays.
        distance: Least distance, um.
        redraw: Gives float64 [k, 3] for int64 [k] cells and the number of the attempt.

    Returns:
        The points, and the cells (int64) that found no place; empty when all did.
    """
    points = points.copy()
    waiting = np.arange(len(points))
    if _crowded(points, distance):
        return points, waiting
    trees: list[scipy.spatial.cKDTree] = []
    left = _REDRAWS[0] + _REDRAWS[1] * len(points)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        settled = _winners(points[waiting], priority[waiting], distance, trees)
        if settled.any():
            trees = _added(trees, points[waiting[settled]])
        waiting = waiting[~settled]
        left -= len(waiting)
        if not len(waiting) or left < 0:
            break
        points[waiting] = redraw(waiting, attempt)
    return points, waiting


def _winners(
    points: np.ndarray, priority: np.ndarray, distance: float, trees: list[scipy.spatial.cKDTree]
) -> np.ndarray:
    """Returns bool [n]: candidates that may stay."""
    free = np.ones(len(points), bool)
    for tree in trees:
        nearest, _ = tree.query(points, distance_upper_bound=distance)
        free &= ~(nearest < distance)
    rivals = np.flatnonzero(free)
    if len(rivals) > 1:
        tree = scipy.spatial.cKDTree(points[rivals])
        pairs = rivals[tree.query_pairs(distance, output_type="ndarray")]
        apart = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
        pairs = pairs[apart < distance]
        first = priority[pairs[:, 0]] > priority[pairs[:, 1]]
        free[np.where(first, pairs[:, 1], pairs[:, 0])] = False
    return free


def _added(trees: list[scipy.spatial.cKDTree], points: np.ndarray) -> list[scipy.spatial.cKDTree]:
    """Adds a tree of newly settled points; merges when there are many small trees."""
    trees = [*trees, scipy.spatial.cKDTree(points)]
    if len(trees) > 6:
        trees = [trees[0], scipy.spatial.cKDTree(np.concatenate([tree.data for tree in trees[1:]]))]
    return trees


def _crowded(points: np.ndarray, distance: float) -> bool:
    """Says whether a sample of points has more close neighbours than any packing allows."""
    if len(points) < 2:
        return False
    tree = scipy.spatial.cKDTree(points)
    sample = tree.data[:: max(1, len(points) // 500)]
    close = tree.query_ball_point(sample, distance, return_length=True)
    return float(np.mean(close)) - 1 > _CROWD
