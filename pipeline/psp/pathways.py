"""Which pathways are recorded from: the table of targets, and connections drawn from the circuit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.psp import PSP_COLUMNS, PSP_FEATURES
from pipeline.config.tables import read_csv
from pipeline.errors import CircuitError, ConfigError, Problem
from pipeline.philox import rule_key, uniforms_array
from pipeline.sonata.layout import SOURCE_IDS, TARGET_IDS, CircuitPaths
from pipeline.sonata.read import BLOCK_ROWS, edge_blocks

_AXES = ("dx", "dy", "dz")
_RANGE = ("least_synapses", "most_synapses")


@dataclass(frozen=True)
class Pathway:
    """One row of the table.

    Attributes:
        name: Of the pathway.
        edges: Key under ``edges``.
        pre: Patterns of m-types; likewise post.
        pre_etypes: Patterns of e-types; empty for all. Likewise post_etypes.
        hold: mV.
        ttx: Whether sodium channels of the postsynaptic cell are blocked.
        far: Largest distance of the somata along x, y and z, um.
        synapses: Least and largest number of synapses of a connection.
        targets: Feature to published mean and sd; NaN where not known.
        source: Where the numbers come from.
        note: More about them.
    """

    name: str
    edges: str
    pre: tuple[str, ...]
    post: tuple[str, ...]
    pre_etypes: tuple[str, ...]
    post_etypes: tuple[str, ...]
    hold: float
    ttx: bool
    far: tuple[float, float, float]
    synapses: tuple[float, float]
    targets: dict[str, tuple[float, float]]
    source: str
    note: str = ""


@dataclass(frozen=True)
class Pair:
    """A connection: its cells, and int64 [n] its edges."""

    source: int
    target: int
    edges: np.ndarray


def read_pathways(path: Path, edges: str) -> list[Pathway]:
    """Reads the table of pathways.

    Args:
        path: The CSV file; columns as ``config.psp`` says.
        edges: Key under ``edges`` of rows that name none.

    Raises:
        ConfigError: With all problems of the table.
    """
    table = read_csv(path)
    if missing := [column for column in PSP_COLUMNS if column not in table]:
        hint = f"columns: {', '.join(PSP_COLUMNS)}"
        raise ConfigError(Problem(f"{path}:1", f"no column {', '.join(missing)}", hint))
    numbers = [*_AXES, *_RANGE, "hold", *PSP_FEATURES, *(f"{name}_sd" for name in PSP_FEATURES)]
    problems = []
    for column in numbers:
        texts = table.get(column, pd.Series("", index=table.index))
        values = pd.to_numeric(texts, errors="coerce").astype(float)
        wrong = (values.isna() & (texts != "")) | ((values < 0) & (column != "hold"))
        wrong |= (values.isna() & (column == "hold")) | np.isinf(values)
        problems += [
            Problem(f"{path}:{row + 2}", f"{column} is {texts[row]!r}", "write a number")
            for row in np.flatnonzero(wrong)
        ]
        table[column] = values
    flags = table["ttx"] if "ttx" in table else pd.Series("", index=table.index)
    problems += [
        Problem(f"{path}:{row + 2}", f"ttx is {flags[row]!r}", "write 1, 0 or nothing")
        for row in np.flatnonzero(~flags.isin(["", "0", "1"]))
    ]
    problems += [
        Problem(f"{path}:{row + 2}", f"{table['name'][row]!r} stands twice", "one row each")
        for row in np.flatnonzero(table["name"].duplicated())
    ]
    if problems:
        raise ConfigError(problems)
    return [_pathway(row, edges) for row in table.to_dict("records")]


def _pathway(row: dict, edges: str) -> Pathway:
    words = {key: tuple(row.get(key, "").split()) for key in
             ("pre", "post", "pre_etype", "post_etype")}  # fmt: skip
    least, most = row[_RANGE[0]], row[_RANGE[1]]
    return Pathway(
        row["name"], row.get("edges") or edges, words["pre"], words["post"],
        words["pre_etype"], words["post_etype"], row["hold"], row.get("ttx", "") == "1",
        tuple(np.inf if np.isnan(row[axis]) else row[axis] for axis in _AXES),
        (0 if np.isnan(least) else least, np.inf if np.isnan(most) else most),
        {name: (row[name], row[f"{name}_sd"]) for name in PSP_FEATURES},
        row["source"], row.get("note", ""),
    )  # fmt: skip


def draw_pairs(
    paths: CircuitPaths, population: str, pathways: Sequence[Pathway], nodes: Sequence[pd.DataFrame],
    count: int, seed: int, rows: int = BLOCK_ROWS,
) -> dict[str, list[Pair]]:  # fmt: skip
    """Draws connections of every pathway.

    Every connection that fits has a number keyed by seed, pathway, source and target; those with
    the smallest ones are taken. So neither other pathways nor ``count`` nor blocks change a draw.

    Args:
        paths: The circuit.
        population: Edge population.
        pathways: Those of this population.
        nodes: Source and target nodes with x, y, z, mtype and etype, indexed by node id.
        count: Connections per pathway.
        seed: Of the draw.
        rows: Edges read at once.

    Returns:
        By pathway, in the order of their numbers; fewer than ``count`` where there are no more.

    Raises:
        CircuitError: If nodes have no m-types or edges are missing.
    """
    for table in nodes:
        if missing := sorted({"x", "y", "z", "mtype"} - set(table)):
            message = f"nodes have no {', '.join(missing)}"
            raise CircuitError(Problem(str(paths.network), message, "psp needs placed cells"))
    members = [
        (_member(nodes[0], p.pre, p.pre_etypes), _member(nodes[1], p.post, p.post_etypes))
        for p in pathways
    ]
    places = [table[["x", "y", "z"]].to_numpy(np.float64) for table in nodes]
    found: list[list[pd.DataFrame]] = [[] for _ in pathways]
    first = 0
    for block in edge_blocks(paths.edges(population), population, (), rows):
        sources, targets = (block[key].astype(np.int64) for key in (SOURCE_IDS, TARGET_IDS))
        for index, (pathway, (pre, post)) in enumerate(zip(pathways, members, strict=True)):
            own = np.flatnonzero(pre[sources] & post[targets])
            away = np.abs(places[0][sources[own]] - places[1][targets[own]])
            own = own[(away <= pathway.far).all(axis=1)]
            columns = {"source": sources[own], "target": targets[own], "edge": own + first}
            found[index].append(pd.DataFrame(columns))
        first += len(sources)
    return {
        pathway.name: _chosen(pathway, pd.concat(tables, ignore_index=True), count, seed)
        if tables else []
        for pathway, tables in zip(pathways, found, strict=True)
    }  # fmt: skip


def _chosen(pathway: Pathway, edges: pd.DataFrame, count: int, seed: int) -> list[Pair]:
    """The connections with the smallest numbers."""
    sizes = edges.groupby(["source", "target"], sort=True).size()
    sizes = sizes[sizes.between(*pathway.synapses)]
    ends = np.array(sizes.index.to_list(), np.int64).reshape(-1, 2)
    key = rule_key(seed, f"psp/{pathway.name}")
    number, _ = uniforms_array(key, ends[:, 0], ends[:, 1], purpose=0)
    taken = ends[np.argsort(number, kind="stable")[:count]]
    groups = edges.set_index(["source", "target"]).sort_index()["edge"]
    return [
        Pair(source, target, np.sort(groups.loc[[(source, target)]].to_numpy()))
        for source, target in taken.tolist()
    ]


def _member(nodes: pd.DataFrame, mtypes: Sequence[str], etypes: Sequence[str]) -> np.ndarray:
    """Which nodes have a type that fits one of the patterns: bool [nodes]."""
    inside = _fits(nodes["mtype"], mtypes)
    return inside & _fits(nodes["etype"], etypes) if etypes else inside


def _fits(values: pd.Series, patterns: Sequence[str]) -> np.ndarray:
    texts = values.astype(str)
    known = {text: any(fnmatchcase(text, p) for p in patterns) for text in texts.unique()}
    return texts.map(known).to_numpy(bool)


def mtypes_of(nodes: pd.DataFrame, patterns: Sequence[str]) -> list[str]:
    """Returns the m-types of nodes that fit one of the patterns, sorted."""
    return sorted(set(nodes["mtype"].astype(str)[_fits(nodes["mtype"], patterns)]))
