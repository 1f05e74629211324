"""Morphometrics of a cell: counts, lengths, extents, branch orders, Sholl crossings, layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.cells.morphology import APIC, AXON, DEND, Section
from pipeline.morphologies.shape import KIND_NAMES, Shape

SHOLL_STEP = 50.0
"""um. Distance of the Sholl spheres (Sholl 1953)."""
COLUMNS = (
    "kind",
    "trees",
    "sections",
    "length",
    "y_min",
    "y_median",
    "y_max",
    "width",
    "branch_order",
    "sholl",
)
LAYER_COLUMNS = ("kind", "layer", "length")


def measure(shape: Shape) -> list[dict[str, object]]:
    """Measures every kind of neurite that a cell has.

    Returns:
        One row per kind: trees, sections, length (um), the lowest, median and highest y (um, by
        length), width (um: the distance from the soma's axis that 90 % of the length keep), the
        largest branch order (roots have 0), Sholl crossings every 50 um, separated by blanks.
    """
    rows, orders = [], branch_orders(shape)
    for kind in (AXON, DEND, APIC):
        sections = shape.of_kind(kind)
        if not sections:
            continue
        middles, lengths = pieces(sections)
        points = shape.points(kind)
        rows.append(
            {
                "kind": KIND_NAMES[kind],
                "trees": sum(section.parent == -1 for section in sections),
                "sections": len(sections),
                "length": round(float(lengths.sum()), 1),
                "y_min": round(float(points[:, 1].min()), 1),
                "y_median": round(weighted_quantile(middles[:, 1], lengths, [0.5])[0], 1),
                "y_max": round(float(points[:, 1].max()), 1),
                "width": round(across(sections), 1),
                "branch_order": max(
                    order for order, s in zip(orders, shape.sections, strict=True) if s.kind == kind
                ),
                "sholl": " ".join(map(str, sholl(sections))),
            }
        )
    return rows


def in_layers(shape: Shape, layers: Mapping[str, float], depth: float) -> list[dict[str, object]]:
    """Measures how much of every kind of neurite lies in each layer.

    Args:
        shape: The cell.
        layers: Thickness by layer from the pia down, um.
        depth: Of the soma below the pia, um.

    Returns:
        One row per kind and layer with neurites: kind, layer, length (um). A segment counts where
        its middle is; what lies outside of all layers is left out.
    """
    edges = np.concatenate([[0.0], np.cumsum(list(layers.values()))])
    rows = []
    for kind in (AXON, DEND, APIC):
        if not (sections := shape.of_kind(kind)):
            continue
        middles, lengths = pieces(sections)
        at = np.searchsorted(edges, depth - middles[:, 1], side="right") - 1
        for index, layer in enumerate(layers):
            if (at == index).any():
                length = round(float(lengths[at == index].sum()), 1)
                rows.append({"kind": KIND_NAMES[kind], "layer": layer, "length": length})
    return rows


def pieces(sections: Sequence[Section]) -> tuple[np.ndarray, np.ndarray]:
    """Returns midpoints (float64 [n, 3], um) and lengths (float64 [n], um) of all segments."""
    middles = np.concatenate([(s.points[1:] + s.points[:-1]) / 2 for s in sections])
    steps = np.concatenate([np.linalg.norm(np.diff(s.points, axis=0), axis=1) for s in sections])
    return middles, steps


def across(sections: Sequence[Section]) -> float:
    """Returns the distance from the soma's axis that 90 % of the length keep, um."""
    middles, lengths = pieces(sections)
    return weighted_quantile(np.hypot(middles[:, 0], middles[:, 2]), lengths, [0.9])[0]


def weighted_quantile(values: np.ndarray, weights: np.ndarray, at: Sequence[float]) -> list[float]:
    """Returns the values below which given fractions of the weight lie."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    found = np.searchsorted(total, np.asarray(at) * total[-1])
    return values[order][np.minimum(found, len(values) - 1)].tolist()


def branch_orders(shape: Shape) -> list[int]:
    """Returns how many branchings lie between the soma and each section."""
    orders: list[int] = []
    for section in shape.sections:
        orders.append(0 if section.parent < 0 else orders[section.parent] + 1)
    return orders


def sholl(sections: Sequence[Section], step: float = SHOLL_STEP) -> list[int]:
    """Counts crossings with spheres about the soma at step, 2 step, ... (um)."""
    if not sections:
        return []
    low, high = [], []
    for section in sections:
        radii = np.linalg.norm(section.points, axis=1)
        low.append(np.minimum(radii[1:], radii[:-1]))
        high.append(np.maximum(radii[1:], radii[:-1]))
    # A segment crosses the spheres whose index k has low < k step <= high.
    first = np.floor(np.concatenate(low) / step).astype(int) + 1
    last = np.floor(np.concatenate(high) / step).astype(int)
    counts = np.zeros(max(int(last.max()) + 2, 2), int)
    crossing = last >= first
    np.add.at(counts, first[crossing], 1)
    np.add.at(counts, last[crossing] + 1, -1)
    return np.cumsum(counts)[1:-1].tolist()
