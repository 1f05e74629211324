"""What the circuit is made of: counts, degrees beside the connectome, distances, compartments."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.analysis.circuit import EdgeSet
from pipeline.cells.description import cell_from_json, reduce_level
from pipeline.cells.morphology import read_morphology, segment_counts
from pipeline.config.load import Resolved
from pipeline.errors import CircuitError
from pipeline.runtime import progress
from pipeline.sonata.layout import CHEMICAL, CircuitPaths

Metric = tuple[str, float, str]
_DEGREES = ("partners", "contacts", "source_partners", "source_count")


def compartments(
    resolved: Resolved, paths: CircuitPaths, cells: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Sections, segments and neurite length of every cell as it is simulated.

    Args:
        resolved: The model.
        paths: The circuit; its components exist.
        cells: Population to cells.

    Returns:
        population, node_id, name, type, morphology, emodel, x, y, z (um), sections, segments (int),
        neurite_um (float64; path length of all sections but the soma, of the full shape).

    Raises:
        CircuitError: If a cell type is missing.
        MorphologyError: If a morphology is missing or damaged.
    """
    if resolved.model.cells is None:
        return pd.DataFrame()
    suffix = resolved.model.cells.morphologies.format
    measured: dict[tuple[str, str], tuple[int, int, float]] = {}
    frames = []
    for population, frame in cells.items():
        keys = list(zip(frame["morphology"], frame["emodel"], strict=True))
        for key in progress(dict.fromkeys(keys), label="compartments", unit="cell"):
            if key not in measured:
                measured[key] = _measure(paths, *key, suffix)
        rows = [measured[key] for key in keys]
        out = frame.rename_axis("node_id").reset_index()
        out.insert(0, "population", population)
        for index, name in enumerate(("sections", "segments", "neurite_um")):
            out[name] = [row[index] for row in rows]
        frames.append(out)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _measure(paths: CircuitPaths, name: str, emodel: str, suffix: str) -> tuple[int, int, float]:
    path = paths.emodels / f"{emodel}.json"
    if not path.is_file():
        raise CircuitError(f"{path}: no such cell type; build the nodes first")
    stored = json.loads(path.read_text(encoding="utf-8"))
    whole = read_morphology(paths.morphologies / f"{name}.{suffix}", stored.get("axon", "keep"))
    neurites = sum(section.length for section in whole.sections[1:])
    cell = cell_from_json(stored, whole)
    cell = reduce_level(cell)
    counts = segment_counts(cell.morphology, cell.discretisation, cell.emodel)
    return len(counts), int(counts.sum()), float(neurites)


def cell_metrics(table: pd.DataFrame) -> list[Metric]:
    """Totals over all cells of a ``compartments`` table."""
    if table.empty:
        return []
    return [
        ("cells.count", len(table), ""),
        ("cells.sections", int(table["sections"].sum()), ""),
        ("cells.segments", int(table["segments"].sum()), ""),
        ("cells.neurite_length", float(table["neurite_um"].sum()) / 1000, "mm"),
    ]


def degrees(edges: EdgeSet, cells: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """In- and out-degree of every cell, in the circuit and in the connectome.

    Returns:
        edges, kind, population, name, type, then for ``in`` and ``out`` (float64; NaN where a
        population has no such side): partners and contacts of the circuit, source_partners and
        source_count of the connectome between the same cells.
    """
    sides = {"out": ("pre", "post", edges.source), "in": ("post", "pre", edges.target)}
    frames = []
    for population in dict.fromkeys((edges.source, edges.target)):
        here = cells[population]
        out = pd.DataFrame({"name": here["name"], "type": here["type"]}).reset_index(drop=True)
        for side, (own, other, owner) in sides.items():
            values = np.full((len(here), 4), np.nan)
            if owner == population:
                values[:, 0], values[:, 1] = _degree(edges.frame, own, other, len(here))
                values[:, 2:] = _source_degree(edges.table, own, other, here["name"])
            for index, what in enumerate(_DEGREES):
                out[f"{side}_{what}"] = values[:, index]
        out.insert(0, "population", population)
        frames.append(out)
    table = pd.concat(frames, ignore_index=True)
    table.insert(0, "kind", edges.kind)
    table.insert(0, "edges", edges.config)
    return table


def _degree(frame: pd.DataFrame, own: str, other: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    contacts = np.bincount(frame[own], minlength=n)
    pairs = frame[[own, other]].drop_duplicates()
    return np.bincount(pairs[own], minlength=n), contacts


def _source_degree(table: pd.DataFrame, own: str, other: str, names: pd.Series) -> np.ndarray:
    grouped = table.groupby(own, sort=False).agg(partners=(other, "nunique"), n=("count", "sum"))
    return grouped.reindex(names.to_numpy()).fillna(0.0).to_numpy(np.float64)


def type_matrix(edges: EdgeSet, cells: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Contacts and connected pairs between every two cell types.

    Returns:
        edges, kind, pre_type, post_type, contacts, pairs (int), possible_pairs (int; ordered pairs
        of different cells). Types stand in the order of the node table.
    """
    pre, post = (cells[name]["type"].to_numpy() for name in (edges.source, edges.target))
    frame = edges.frame.assign(a=pre[edges.frame["pre"]], b=post[edges.frame["post"]])
    contacts = frame.groupby(["a", "b"]).size()
    pairs = frame.drop_duplicates(["pre", "post"]).groupby(["a", "b"]).size()
    sizes = [pd.Series(side).value_counts() for side in (pre, post)]
    same = edges.source == edges.target
    rows = []
    for a in dict.fromkeys(pre):
        for b in dict.fromkeys(post):
            possible = int(sizes[0][a]) * (int(sizes[1][b]) - int(same and a == b))
            found = int(contacts.get((a, b), 0)), int(pairs.get((a, b), 0))
            rows.append((edges.config, edges.kind, a, b, *found, possible))
    names = ["edges", "kind", "pre_type", "post_type", "contacts", "pairs", "possible_pairs"]
    return pd.DataFrame(rows, columns=names)


def contact_distances(edges: EdgeSet, cells: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Every contact by name.

    Returns:
        edges, kind, pre, post (names), distance_um, x_um, y_um, z_um (place on the target cell),
        inhibitory (0 or 1).
    """
    frame = edges.frame
    return pd.DataFrame(
        {
            "edges": edges.config,
            "kind": edges.kind,
            "pre": cells[edges.source]["name"].to_numpy()[frame["pre"]],
            "post": cells[edges.target]["name"].to_numpy()[frame["post"]],
            "distance_um": frame["distance"].to_numpy(),
            **{f"{axis}_um": frame[axis].to_numpy() for axis in "xyz"},
            "inhibitory": frame["inhibitory"].to_numpy(np.int64),
        }
    )


def edge_metrics(sets: Sequence[EdgeSet]) -> list[Metric]:
    """Counts of the circuit and of its connectome, names led by the edge config.

    ``<config>.<kind>.contacts`` counts SONATA edges, so an electrical junction counts twice, once
    per half; ``pairs`` counts ordered pairs. ``connectome`` is the whole table, ``among_cells`` its
    part between cells of the circuit.
    """
    found: list[Metric] = []
    for edges in sets:
        head = f"{edges.config}.{edges.kind}"
        pairs = len(edges.frame.drop_duplicates(["pre", "post"]))
        found += [(f"{head}.contacts", len(edges.frame), ""), (f"{head}.pairs", pairs, "")]
        for name, table in (("among_cells", edges.table), ("connectome", edges.whole)):
            found.append((f"{head}.{name}.pairs", len(table), ""))
            found.append((f"{head}.{name}.sum", float(table["count"].sum()), ""))
        if edges.kind == CHEMICAL and len(edges.frame):
            share = float(edges.frame["inhibitory"].mean())
            found.append((f"{head}.inhibitory_fraction", share, ""))
        found += _distance_metrics(head, edges.frame)
    for config in dict.fromkeys(edges.config for edges in sets):
        frames = [edges.frame for edges in sets if edges.config == config]
        found += _distance_metrics(config, pd.concat(frames))
    return found


def _distance_metrics(head: str, frame: pd.DataFrame) -> list[Metric]:
    values = frame["distance"].dropna().to_numpy()
    if not len(values):
        return []
    return [
        (f"{head}.distance_median", float(np.median(values)), "um"),
        (f"{head}.distance_max", float(values.max()), "um"),
    ]
