"""Edges found by touch, beside published pathways: from the small tables that their stage left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.analysis.structure import Metric
from pipeline.config.load import Resolved
from pipeline.config.tables import read_csv
from pipeline.config.touch_targets import RECORDED_COLUMNS, TARGET_COLUMNS, TouchTargets
from pipeline.config.touches import TouchEdges
from pipeline.errors import CircuitError, ConfigError, Problem
from pipeline.sonata.layout import (
    CHEMICAL,
    SOURCE_IDS,
    TARGET_IDS,
    CircuitPaths,
    edge_population_name,
)
from pipeline.sonata.read import edge_blocks, read_nodes

PAIR_ROWS = 1 << 18
"""Edges among which a pair is sought for the picture."""
_PLACES = ("soma", "initial_segment", "basal", "apical")
_NUMBERS = ("probability", "synapses_per_connection", "synapses_sd")


def analyse_touches(
    resolved: Resolved, name: str, paths: CircuitPaths
) -> tuple[dict[str, pd.DataFrame], list[Metric]]:
    """Judges one config of touch edges.

    Args:
        resolved: The model.
        name: Key under ``edges``, of kind touches.
        paths: The circuit; its edges stage has run.

    Returns:
        Tables by name (``touches_<name>_pair``; ``_published`` where the model names a table), and
        metrics ``<name>.touches``, ``.connections``, ``.synapses`` and so on.

    Raises:
        CircuitError: If a table of the edges stage is missing.
        ConfigError: If the published table cannot be meant.
    """
    found = {kind: _read(resolved, name, kind, paths) for kind in ("pathways", "mtypes", "depth")}
    metrics = total_metrics(name, **found)
    tables = {f"touches_{name}_pair": example_pair(resolved, name, paths)}
    targets = resolved.model.analysis.touches
    if targets is None or targets.edges != name:
        return tables, metrics
    published = read_published(resolved.path(targets.pathways))
    table = beside_published(found["pathways"], found["mtypes"], published, targets)
    tables[f"touches_{name}_published"] = table
    metrics += published_metrics(name, table)
    if targets.recorded is not None:
        recorded = read_recorded(resolved.path(targets.recorded))
        metrics += recorded_metrics(name, found["pathways"], recorded)
    return tables, metrics


def touch_edges(resolved: Resolved) -> list[str]:
    """Names of all edge configs of kind touches; none in a circuit that was changed afterwards."""
    if resolved.model.perturb:
        return []
    return [name for name, edges in resolved.model.edges.items() if isinstance(edges, TouchEdges)]


def _read(resolved: Resolved, name: str, kind: str, paths: CircuitPaths) -> pd.DataFrame:
    path = paths.analysis(f"touches_{name}_{kind}")
    if not path.is_file():
        hint = f"run 'sonatina edges {resolved.model.name} {resolved.model.variant}' again"
        raise CircuitError(Problem(str(path), "does not exist", hint))
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def read_published(path: Path) -> pd.DataFrame:
    """Reads published pathways.

    Returns:
        pre, post (text), probability, synapses_per_connection, synapses_sd (float64, NaN where
        the table is empty).

    Raises:
        ConfigError: If a column is missing, a number cannot be read or a pathway stands twice.
    """
    return _read_numbers(path, TARGET_COLUMNS, _NUMBERS, ["pre", "post"])


def read_recorded(path: Path) -> pd.DataFrame:
    """Reads synapses per connection that were counted in recorded pairs.

    Returns:
        name, pre, post (text; m-types parted by blanks), synapses, sd (float64).

    Raises:
        ConfigError: If a column is missing, a number cannot be read or a name stands twice.
    """
    return _read_numbers(path, RECORDED_COLUMNS, ("synapses", "sd"), ["name"])


def _read_numbers(
    path: Path, columns: tuple[str, ...], numbers: tuple[str, ...], key: list[str]
) -> pd.DataFrame:
    table = read_csv(path)
    missing = [column for column in columns if column not in table]
    if missing:
        hint = f"columns: {', '.join(columns)}"
        raise ConfigError(Problem(f"{path}:1", f"no column {', '.join(missing)}", hint))
    problems = []
    for column in numbers:
        values = pd.to_numeric(table[column], errors="coerce")
        wrong = np.flatnonzero((values.isna() & (table[column] != "")) | (values < 0))
        problems += [
            Problem(
                f"{path}:{row + 2}", f"{column} is {table[column][row]!r}", "a number from 0 on"
            )
            for row in wrong
        ]
        table[column] = values
    problems += [
        Problem(f"{path}:{row + 2}", f"{' to '.join(table.loc[row, key])} stands twice",
                "one row each")
        for row in np.flatnonzero(table.duplicated(key))
    ]  # fmt: skip
    if problems:
        raise ConfigError(problems)
    return table[[*dict.fromkeys((*key, "pre", "post")), *numbers]]


def total_metrics(
    name: str, pathways: pd.DataFrame, mtypes: pd.DataFrame, depth: pd.DataFrame
) -> list[Metric]:
    """Sums over the whole circuit; boutons per um of axon that lies within it."""
    synapses, connections = pathways["synapses"].sum(), pathways["connections"].sum()
    cells, axon = mtypes["cells"].sum(), mtypes["axon_length"].sum()
    per_bouton = (mtypes["synapses_per_um"] / mtypes["boutons_per_um"]).dropna()
    inside = mtypes["axon_inside"].sum()
    boutons = synapses / inside / per_bouton.iloc[0] if len(per_bouton) else np.nan
    excitatory = depth["excitatory"].sum()
    metrics: list[Metric] = [
        (f"{name}.excitatory_share", float(excitatory / max(synapses, 1)), ""),
        (f"{name}.touches", int(pathways["touches"].sum()), ""),
        (f"{name}.connections", int(connections), ""),
        (f"{name}.synapses", int(synapses), ""),
        (f"{name}.synapses_per_cell", float(synapses / max(cells, 1)), ""),
        (f"{name}.synapses_per_connection", float(synapses / max(connections, 1)), ""),
        (f"{name}.kept", float(synapses / max(pathways["touches"].sum(), 1)), ""),
        (f"{name}.axon_length", float(axon / 1e6), "m"),
        (f"{name}.boutons_per_um", float(boutons), "1/um"),
    ]
    made = mtypes["synapses"].to_numpy()
    for place in _PLACES:
        share = np.nansum(mtypes[f"on_{place}"].to_numpy(float) * made) / max(made.sum(), 1)
        metrics.append((f"{name}.on_{place}", float(share), ""))
    return metrics


def beside_published(
    pathways: pd.DataFrame, mtypes: pd.DataFrame, published: pd.DataFrame, targets: TouchTargets
) -> pd.DataFrame:
    """One row per published pathway whose m-types are both in the circuit.

    Probabilities are of all pairs of a column. In a narrower one pairs lie nearer and ours is
    higher for that reason alone.

    Returns:
        pre, post, pairs (int), published_probability, probability, published_synapses,
        published_sd, synapses (per connection; NaN without a connection), expected_connections,
        judged (bool).
    """
    cells = dict(zip(mtypes["mtype"], mtypes["cells"], strict=True))
    table = published[published["pre"].map(cells).gt(0) & published["post"].map(cells).gt(0)]
    own = pathways.set_index(["pre", "post"])
    keys = pd.MultiIndex.from_frame(table[["pre", "post"]])
    ours = own.reindex(keys)[["connections", "synapses_per_connection"]].reset_index(drop=True)
    table = table.reset_index(drop=True)
    pre, post = table["pre"].map(cells), table["post"].map(cells)
    pairs = (pre * post - pre.where(table["pre"] == table["post"], 0)).astype(np.int64)
    expected = table["probability"] * pairs
    return pd.DataFrame(
        {
            "pre": table["pre"], "post": table["post"], "pairs": pairs,
            "published_probability": table["probability"],
            "probability": ours["connections"].fillna(0) / pairs.where(pairs > 0),
            "published_synapses": table["synapses_per_connection"],
            "published_sd": table["synapses_sd"],
            "synapses": ours["synapses_per_connection"],
            "expected_connections": expected,
            "judged": expected >= targets.least,
        }
    )  # fmt: skip


def published_metrics(name: str, table: pd.DataFrame) -> list[Metric]:
    """Correlations and shares over the judged pathways; one without connections counts as missed."""
    judged = table[table["judged"]]
    head = f"{name}.pathways"
    metrics: list[Metric] = [(f"{head}.judged", len(judged), "")]
    if judged.empty:
        return metrics
    for kind in ("synapses", "probability"):
        ours, theirs = judged[kind].to_numpy(float), judged[f"published_{kind}"].to_numpy(float)
        there = np.isfinite(ours) & (ours > 0) & (theirs > 0)
        if there.sum() > 2:
            r = np.corrcoef(np.log(ours[there]), np.log(theirs[there]))[0, 1]
            metrics.append((f"{head}.{kind}_correlation", float(r), ""))
            ratio = np.median(ours[there] / theirs[there])
            metrics.append((f"{head}.{kind}_ratio", float(ratio), ""))
        with np.errstate(divide="ignore", invalid="ignore"):
            near = there & (np.abs(np.log2(ours / theirs)) <= 1)
        metrics.append((f"{head}.{kind}_factor2", float(near.sum() / len(judged)), ""))
    gap = (judged["synapses"] - judged["published_synapses"]).abs()
    known = judged["published_sd"].notna()
    if known.any():
        within = (gap <= judged["published_sd"])[known]
        metrics.append((f"{head}.synapses_within_sd", float(within.mean()), ""))
    return metrics


def recorded_metrics(name: str, pathways: pd.DataFrame, recorded: pd.DataFrame) -> list[Metric]:
    """Synapses per connection of the pathways that were recorded from; none without connections."""
    metrics: list[Metric] = []
    for row in recorded.itertuples():
        of_row = pathways["pre"].isin(row.pre.split()) & pathways["post"].isin(row.post.split())
        pooled = pathways[of_row]
        if connections := pooled["connections"].sum():
            value = pooled["synapses"].sum() / connections
            metrics.append((f"{name}.recorded.{row.name}", float(value), ""))
    return metrics


def example_pair(resolved: Resolved, name: str, paths: CircuitPaths) -> pd.DataFrame:
    """The connection with most synapses among the first edges, for a picture.

    Returns:
        role (source, target, synapse), node_id, mtype, morphology, x, y, z (um), orientation_w to
        _z; the two cells, then one row per synapse with its place only. Empty without edges.

    Raises:
        CircuitError: If nodes or edges are missing.
    """
    edges = resolved.model.edges[name]
    population = edge_population_name(edges.source, edges.target, CHEMICAL)
    axes = [f"afferent_center_{axis}" for axis in "xyz"]
    block = next(edge_blocks(paths.edges(population), population, axes, PAIR_ROWS), None)
    if block is None:
        return pd.DataFrame()
    frame = pd.DataFrame(block)
    pair = frame.groupby([SOURCE_IDS, TARGET_IDS]).size().idxmax()
    rows = frame[(frame[SOURCE_IDS] == pair[0]) & (frame[TARGET_IDS] == pair[1])]
    nodes = read_nodes(paths.nodes(edges.source), edges.source)
    columns = ["mtype", "morphology", *"xyz", *(f"orientation_{axis}" for axis in "wxyz")]
    cells = nodes.loc[list(pair), columns].astype({"mtype": str, "morphology": str})
    cells.insert(0, "node_id", list(pair))
    cells.insert(0, "role", ["source", "target"])
    points = rows[axes].set_axis(list("xyz"), axis=1).assign(role="synapse")
    return pd.concat([cells, points], ignore_index=True)
