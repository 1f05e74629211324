"""Cells with drawn morphologies: numbers per type beside the published ones, density over depth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.analysis.structure import Metric
from pipeline.errors import CircuitError, Problem
from pipeline.sonata.layout import CircuitPaths

BIN_UM = 25.0
"""Height of the slices of the depth profile."""
MOST_SOMATA = 40_000
"""Cells of a population whose places are written for the report."""
_TEXTS = ("layer", "mtype", "etype", "synapse_class", "morph_class", "region", "morphology")
_ORIENTATION = tuple(f"orientation_{axis}" for axis in "wxyz")


def analyse_placed(
    paths: CircuitPaths, name: str, nodes: pd.DataFrame
) -> tuple[dict[str, pd.DataFrame], list[Metric]]:
    """Tables and metrics of a population whose cells draw morphologies.

    Args:
        paths: The circuit; the stage nodes has left ``placement_<population>``.
        name: The population.
        nodes: Its cells.

    Returns:
        ``somata_<population>`` and ``depth_<population>``; and ``nodes.<population>.types`` (cell
        types with a cell), ``.type_counts_differing`` (cell types whose number is not the published
        one), ``.type_shares_missed`` (whose number is a cell or more from its share), ``.volume`` (mm3) and ``.unfit`` (share of cells without a morphology that fits).

    Raises:
        CircuitError: If the placement table is missing.
    """
    tables = {}
    for key in ("placement", "fit"):
        path = paths.analysis(f"{key}_{name}")
        if not path.is_file():
            raise CircuitError(Problem(str(path), "does not exist", "build the nodes again"))
        tables[key] = pd.read_csv(path, keep_default_na=False, na_values=[""])
    placement, fit = tables["placement"], tables["fit"]
    made = nodes.groupby(["cell_type", "region"], observed=True).size()
    ours = made.reindex(pd.MultiIndex.from_frame(placement[["cell_type", "region"]]), fill_value=0)
    solids = placement[["region", "top_um", "bottom_um", "area_um2"]].drop_duplicates()
    volume = ((solids["bottom_um"] - solids["top_um"]) * solids["area_um2"]).sum() * 1e-9
    whole = fit[fit["rule"].isna()]
    share = placement["published"].to_numpy() * (ours.sum() / placement["published"].sum())
    head = f"nodes.{name}"
    metrics: list[Metric] = [
        (f"{head}.types", int((ours > 0).sum()), ""),
        (
            f"{head}.type_counts_differing",
            int((ours.to_numpy() != placement["published"]).sum()),
            "",
        ),
        (f"{head}.type_shares_missed", int((np.abs(ours.to_numpy() - share) >= 1).sum()), ""),
        (f"{head}.volume", float(volume), "mm3"),
        (f"{head}.unfit", float(whole["unmet"].sum() / whole["cells"].sum()), ""),
    ]
    return {f"somata_{name}": somata(nodes), f"depth_{name}": depths(nodes, placement)}, metrics


def somata(nodes: pd.DataFrame) -> pd.DataFrame:
    """Every k-th cell: node_id, x, y, z (um), orientation (quaternion), and its text attributes."""
    step = max(1, -(-len(nodes) // MOST_SOMATA))
    columns = [c for c in ("x", "y", "z", *_ORIENTATION, *_TEXTS) if c in nodes]
    return nodes[columns].iloc[::step].rename_axis("node_id").reset_index()


def depths(nodes: pd.DataFrame, placement: pd.DataFrame) -> pd.DataFrame:
    """Cells per mm3 over depth, by synapse class, beside what the published numbers ask for.

    Args:
        nodes: y (um; the pia is 0) and synapse_class.
        placement: As from the stage nodes.

    Returns:
        synapse_class, depth_um (middle of the slice), cells, density and expected (per mm3); slices
        that no part of the circuit reaches are left out.
    """
    low, high = placement["top_um"].min(), placement["bottom_um"].max()
    edges = np.arange(np.floor(low / BIN_UM), np.ceil(high / BIN_UM) + 1) * BIN_UM
    solids = placement[["region", "top_um", "bottom_um", "area_um2"]].drop_duplicates()
    volume = _spread(solids, edges, solids["area_um2"] * 1e-9)
    frames = []
    for kind, types in placement.groupby("synapse_class", sort=True):
        own = nodes.loc[(nodes["synapse_class"] == kind).to_numpy(), "y"].to_numpy(np.float64)
        cells = np.histogram(-own, edges)[0]
        height = (types["bottom_um"] - types["top_um"]).replace(0, np.nan)
        expected = _spread(types, edges, (types["expected"] / height).fillna(0.0))
        with np.errstate(invalid="ignore", divide="ignore"):
            frames.append(
                pd.DataFrame({
                    "synapse_class": kind, "depth_um": (edges[:-1] + edges[1:]) / 2, "cells": cells,
                    "density": cells / volume, "expected": expected / volume,
                })[volume > 0]
            )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def _spread(rows: pd.DataFrame, edges: np.ndarray, per_um: pd.Series) -> np.ndarray:
    """Sums rows that are uniform between top_um and bottom_um into slices: float64 [slices]."""
    top = np.maximum(rows["top_um"].to_numpy()[:, None], edges[None, :-1])
    bottom = np.minimum(rows["bottom_um"].to_numpy()[:, None], edges[None, 1:])
    return (np.clip(bottom - top, 0.0, None) * per_um.to_numpy()[:, None]).sum(axis=0)
