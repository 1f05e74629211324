"""What a placement was asked for, type by type, beside what it gave: for the report."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.config.placement import PlacedNodes
from pipeline.nodes.counts import column_of
from pipeline.nodes.place import Placement


def placed_table(nodes: PlacedNodes, placement: Placement) -> pd.DataFrame:
    """Lists the node types of a placement in solids (cylinder, box, hexagon).

    Args:
        nodes: The population's config.
        placement: Its cells.

    Returns:
        One row per node type: cell_type, region, the labels, published (cells of the type table;
        NaN where a density decides), expected (exact share at this scale and slab), cells, top_um
        and bottom_um (depths that are built), area_um2 (cross-section that is built).
    """
    shrink = nodes.scale < 1 and nodes.keep == "density"
    rows = []
    for spec, count in zip(placement.specs, placement.counts, strict=True):
        whole = column_of(nodes, spec)
        shape = whole.shrunk(nodes.scale) if shrink else whole
        top, bottom = spec.depth
        inside = (whole.bottom - whole.top) / (bottom - top)
        size = spec.count * inside if spec.count is not None else spec.density * whole.size() * 1e-9
        rows.append(
            {"cell_type": spec.name, "region": spec.region}
            | spec.labels
            | {
                "published": np.nan if spec.count is None else spec.count,
                "expected": size * nodes.scale,
                "cells": count,
                "top_um": shape.top,
                "bottom_um": shape.bottom,
                "area_um2": shape.area(),
            }
        )
    return pd.DataFrame(rows)
