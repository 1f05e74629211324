"""Where the neurites of a model's morphologies lie, and how they compare with those of real cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.analysis.structure import Metric
from pipeline.config.morphologies import REACHED
from pipeline.sonata.layout import CircuitPaths


def morphology_metrics(paths: CircuitPaths) -> list[Metric]:
    """Layers reached, local shares and widths by m-type, as medians or shares of its shapes.

    Args:
        paths: The circuit; without the stage ``morphologies`` there is nothing to measure.

    Returns:
        ``morphologies.count``; per m-type ``morphologies.axon.<m-type>.<layer>`` and
        ``.apical.<m-type>.<layer>`` (share of its shapes with 100 um there),
        ``.axon_own_layer.<m-type>`` (median share of the axon in the layer of the soma),
        ``.axon_layers.<m-type>`` (median number of layers reached), ``.axon_width.<m-type>`` (um,
        median; 90 % of the axon lie within it) and ``.axon_length.<m-type>`` (um, median).
    """
    files = [paths.morphology_table, *map(paths.analysis, ("morphology_layers", "morphometrics"))]
    if not all(path.is_file() for path in files):
        return []
    catalogue, layers, measured = (
        pd.read_csv(path, keep_default_na=False, na_values=[""]) for path in files
    )
    metrics: list[Metric] = [("morphologies.count", len(catalogue), "")]
    for kind in ("axon", "apical"):
        metrics += _reached(catalogue, layers[layers["kind"] == kind], kind)
    return metrics + _axons(catalogue, layers, measured)


def _reached(catalogue: pd.DataFrame, layers: pd.DataFrame, kind: str) -> list[Metric]:
    lengths = layers.pivot_table("length", "name", "layer", "sum", 0.0, sort=False)
    reached = lengths.reindex(catalogue["name"], fill_value=0.0) >= REACHED
    shares = reached.groupby(catalogue["m_type"].to_numpy(), sort=False).mean()
    return [
        (f"morphologies.{kind}.{m_type}.{layer}", float(value), "")
        for m_type, row in shares.iterrows()
        if m_type in set(layers["m_type"])
        for layer, value in row.items()
    ]


def _axons(catalogue: pd.DataFrame, layers: pd.DataFrame, measured: pd.DataFrame) -> list[Metric]:
    axons = measured[measured["kind"] == "axon"].set_index("name")
    parts = layers[layers["kind"] == "axon"].merge(
        catalogue[["name", "layer"]].rename(columns={"layer": "own"}), on="name"
    )
    total = parts.groupby("name")["length"].sum()
    inside = parts[parts["layer"] == parts["own"]].groupby("name")["length"].sum()
    found = pd.DataFrame(
        {
            "m_type": axons["m_type"],
            "axon_own_layer": inside.reindex(total.index, fill_value=0.0) / total,
            "axon_layers": parts[parts["length"] >= REACHED].groupby("name").size(),
            "axon_width": axons["width"],
            "axon_length": axons["length"],
        }
    )
    medians = found.groupby("m_type").median(numeric_only=True)
    units = {"axon_width": "um", "axon_length": "um"}
    return [
        (f"morphologies.{column}.{m_type}", float(value), units.get(column, ""))
        for column in medians
        for m_type, value in medians[column].dropna().items()
    ]


MEASURES = ("trees", "sections", "length", "y_min", "y_max", "width", "branch_order")
"""Columns of the morphometrics that are compared; um where they are lengths."""
SHOLL_STEP = 50.0
"""um. Distance of the spheres in the column ``sholl``."""


def beside_real(paths: CircuitPaths, real: Path) -> dict[str, pd.DataFrame]:
    """Holds the morphometrics of grown cells against those of the real cells they are grown from.

    A kind of neurite is compared where the m-type has its own: borrowed ones are another type's.

    Args:
        paths: The circuit; its morphologies exist.
        real: CSV with the columns of ``analysis/morphometrics.csv``.

    Returns:
        ``morphology_comparison``: m_type, kind, measure, ours, ours_sd, ours_n, real, real_sd,
        real_n (means over cells). ``morphology_sholl``: m_type, kind, radius (um), ours, real (mean
        crossings). Empty without the stage ``morphologies``.
    """
    files = (paths.morphology_table, paths.analysis("morphometrics"))
    if not all(path.is_file() for path in files):
        return {}
    catalogue, ours, theirs = (
        pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"sholl": str})
        for path in (*files, real)
    )
    rows, curves = [], []
    for m_type, cells in catalogue.groupby("m_type", sort=False):
        for kind in ("axon", "basal", "apical"):
            lent = cells["axon_from" if kind == "axon" else "dendrite_from"].notna().any()
            sets = [t[(t["m_type"] == m_type) & (t["kind"] == kind)] for t in (ours, theirs)]
            if lent or any(found.empty for found in sets):
                continue
            who = {"m_type": m_type, "kind": kind}
            rows += [who | _means(measure, *sets) for measure in MEASURES]
            curves.append(pd.DataFrame(who | _curves(*sets)))
    columns = [
        "m_type",
        "kind",
        "measure",
        "ours",
        "ours_sd",
        "ours_n",
        "real",
        "real_sd",
        "real_n",
    ]
    empty = pd.DataFrame(columns=["m_type", "kind", "radius", "ours", "real"])
    sholl = pd.concat(curves, ignore_index=True) if curves else empty
    return {
        "morphology_comparison": pd.DataFrame(rows, columns=columns),
        "morphology_sholl": sholl,
    }


def comparison_metrics(table: pd.DataFrame) -> list[Metric]:
    """Median over m-types of ours / real, by kind and measure."""
    metrics: list[Metric] = []
    for (kind, measure), rows in table.groupby(["kind", "measure"], sort=False):
        ratio = (rows["ours"] / rows["real"].where(rows["real"].abs() > 1e-9)).median()
        if np.isfinite(ratio):
            metrics.append((f"morphologies.real.{kind}.{measure}", float(ratio), ""))
    return metrics


def _means(measure: str, ours: pd.DataFrame, theirs: pd.DataFrame) -> dict[str, object]:
    found: dict[str, object] = {"measure": measure}
    for name, table in (("ours", ours), ("real", theirs)):
        values = table[measure].astype(float)
        spread = float(values.std(ddof=1)) if len(values) > 1 else np.nan
        found |= {name: float(values.mean()), f"{name}_sd": spread, f"{name}_n": len(values)}
    return found


def _curves(ours: pd.DataFrame, theirs: pd.DataFrame) -> dict[str, np.ndarray]:
    counts = [
        [np.array(str(text).split(), float) for text in table["sholl"].fillna("")]
        for table in (ours, theirs)
    ]
    size = max(len(curve) for table in counts for curve in table)
    means = [
        np.mean([np.pad(curve, (0, size - len(curve))) for curve in table], axis=0)
        for table in counts
    ]
    radius = SHOLL_STEP * np.arange(1, size + 1)
    return {"radius": radius, "ours": means[0], "real": means[1]}
