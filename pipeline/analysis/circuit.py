"""A built circuit as tables: cells by population and contacts by edge config and kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.load import Resolved
from pipeline.config.schema import ContactEdges, TableNodes
from pipeline.config.tables import read_csv
from pipeline.errors import ConfigError, Problem
from pipeline.sonata.layout import EDGE_KINDS, EDGE_TYPE, SOURCE_IDS, TARGET_IDS, CircuitPaths
from pipeline.sonata.layout import edge_population_name as population_name
from pipeline.sonata.read import read_edges, read_nodes, read_types

CELL_COLUMNS = ("name", "type", "morphology", "emodel", "x", "y", "z")


@dataclass(frozen=True)
class EdgeSet:
    """Contacts of one kind of one edge config.

    Attributes:
        config: Key under ``edges``.
        kind: chemical or electrical.
        source: Source node population.
        target: Target node population.
        frame: One row per SONATA edge (an electrical junction has two): pre and post (int64 row in
            the population's cells), distance (float64, um; NaN when the file has none), x, y, z
            (float64, um; place on the target), weight (conductance, uS), inhibitory (bool).
        table: The connectome between the same cells: pre, post (names), count (float64).
        whole: The connectome's rows of this kind between any cells.
    """

    config: str
    kind: str
    source: str
    target: str
    frame: pd.DataFrame
    table: pd.DataFrame
    whole: pd.DataFrame


def read_cells(resolved: Resolved, paths: CircuitPaths) -> dict[str, pd.DataFrame]:
    """Reads the cells of every table population.

    Returns:
        Population to a frame with ``CELL_COLUMNS``, one row per node in the order of node ids. The
        type is the property ``type``, else the first property, else the e-model.

    Raises:
        CircuitError: If a nodes file is missing or damaged.
    """
    cells = {}
    for name, nodes in resolved.model.nodes.items():
        if not isinstance(nodes, TableNodes):
            continue
        frame = read_nodes(paths.nodes(name), name).sort_index()
        kinds = [p for p in ("type", *nodes.properties) if p in frame]
        frame["type"] = frame[kinds[0] if kinds else "emodel"].astype(str)
        cells[name] = frame[list(CELL_COLUMNS)].astype(dict.fromkeys("xyz", np.float64))
    return cells


def read_edge_sets(
    resolved: Resolved, paths: CircuitPaths, cells: dict[str, pd.DataFrame]
) -> list[EdgeSet]:
    """Reads all contacts of connectomes with the table they come from.

    Args:
        resolved: The model.
        paths: The circuit.
        cells: As from ``read_cells``.

    Raises:
        CircuitError: If an edges file is missing or damaged.
        ConfigError: If a connectome's counts are no numbers.
    """
    found = []
    for config, edges in resolved.model.edges.items():
        if not isinstance(edges, ContactEdges):
            continue
        path = resolved.path(edges.connectome_folder) / f"{edges.connectome}.csv"
        connectome = read_counts(path)
        sides = [set(cells[name]["name"]) for name in (edges.source, edges.target)]
        for kind in EDGE_KINDS:
            population = population_name(edges.source, edges.target, kind)
            whole = connectome[connectome["kind"] == kind].drop(columns="kind")
            inside = whole["pre"].isin(sides[0]) & whole["post"].isin(sides[1])
            raw = read_edges(paths.edges(population), population)
            frame = _contacts(raw, read_types(paths.edge_types(population)))
            found.append(
                EdgeSet(config, kind, edges.source, edges.target, frame, whole[inside], whole)
            )
    return found


def _contacts(raw: pd.DataFrame, types: pd.DataFrame) -> pd.DataFrame:
    def column(name: str) -> np.ndarray:
        return raw[name].to_numpy(np.float64) if name in raw else np.full(len(raw), np.nan)

    signs = types["synapse_sign"] if "synapse_sign" in types else pd.Series(dtype=object)
    inhibitory = raw[EDGE_TYPE].isin(signs.index[signs == "inhibitory"]).to_numpy()
    columns = {
        "pre": raw[SOURCE_IDS].to_numpy(np.int64),
        "post": raw[TARGET_IDS].to_numpy(np.int64),
        "distance": column("distance"),
        "weight": column("conductance"),
        "inhibitory": inhibitory,
    }
    columns |= {axis: column(f"afferent_center_{axis}") for axis in "xyz"}
    return pd.DataFrame(columns)


def read_counts(path: Path) -> pd.DataFrame:
    """Reads a connectome table: pre, post, kind, count (float64).

    Raises:
        ConfigError: For a missing column or a count that is no number, with its line.
    """
    frame = read_csv(path)
    missing = [c for c in ("pre", "post", "kind", "count") if c not in frame]
    if missing:
        raise ConfigError(Problem(f"{path}:1", f"no column {missing[0]!r}", "pre,post,kind,count"))
    counts = pd.to_numeric(frame["count"], errors="coerce")
    bad = np.flatnonzero(counts.isna())
    if len(bad):
        found = frame["count"].iloc[bad[0]]
        raise ConfigError(Problem(f"{path}:{bad[0] + 2}", f"count is {found!r}", "write a number"))
    return frame[["pre", "post", "kind"]].assign(count=counts.astype(np.float64))
