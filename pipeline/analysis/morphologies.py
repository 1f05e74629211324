"""Where the neurites of a model's morphologies lie: what types of cell are known for."""

from __future__ import annotations

import pandas as pd

from pipeline.analysis.structure import Metric
from pipeline.sonata.layout import CircuitPaths

REACHED = 100.0
"""um. So much axon or apical dendrite in a layer counts as reaching it (source: assumed; less is a
single branch that passes the border)."""


def morphology_metrics(paths: CircuitPaths) -> list[Metric]:
    """Layers reached, local shares and widths by m-type, as medians or shares of its shapes.

    Args:
        paths: The circuit; without the stage ``morphologies`` there is nothing to measure.

    Returns:
        ``morphologies.count``; per m-type ``morphologies.axon.<m-type>.<layer>`` and
        ``.apical.<m-type>.<layer>`` (share of its shapes with 100 um there),
        ``.axon_own_layer.<m-type>`` (median share of the axon in the layer of the soma),
        ``.axon_layers.<m-type>`` (median number of layers reached), ``.axon_width.<m-type>`` (um, median; 90 % of
        the axon lie within it) and ``.axon_length.<m-type>`` (um, median).
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


def _axons(
    catalogue: pd.DataFrame, layers: pd.DataFrame, measured: pd.DataFrame
) -> list[Metric]:
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
