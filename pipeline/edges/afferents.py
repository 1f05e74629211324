"""Edges of ``kind: afferents``: what cells of a piece of tissue would hear from the rest of it.

Virtual nodes stand for the cells of the whole tissue. Each is connected to each cell with the
probability of its pathway, less what the circuit has already: a cell with c of the p N connections
that it has from the N cells of an m-type in the whole draws the others with (p - c / N). Synapses of a
connection come from its pathway's mean and sd, lie anywhere on the dendrites with equal chance per um,
and carry what the synapse rules say. Draws are keyed by (seed, source, target); see docs/touches.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtri

from pipeline.config.afferents import AFFERENT_COLUMNS, AfferentEdges
from pipeline.config.load import Resolved
from pipeline.edges.touch.arrays import BASAL, TOUCH, Cells, Shapes
from pipeline.edges.touch.geometry import place_cells, read_shapes
from pipeline.edges.touch.physiology import Synapses, compile_synapses, synapse_columns
from pipeline.edges.touch.scene import cell_types, declared_types, read_catalogue
from pipeline.edges.touch.tables import RuleTable, raise_all
from pipeline.errors import CircuitError, Problem
from pipeline.philox import rule_key, uniforms_array
from pipeline.runtime import progress, write_text
from pipeline.sonata.configs import write_types
from pipeline.sonata.layout import CHEMICAL, CircuitPaths, edge_population_name
from pipeline.sonata.read import not_built, read_edges, read_typed_nodes
from pipeline.sonata.write import CHUNK_ROWS, EdgeWriter

_ACCEPT, _COUNT, _PLACE = 1, 2, 3
"""Purposes of the draws."""


@dataclass(frozen=True)
class Afferents:
    """All that one edge config is made from.

    Attributes:
        name: Key under ``edges``.
        config: The edges.
        key: uint64 [2], Philox key.
        both: Sources, then targets; ``morphology`` counts for targets only.
        sources: Number of virtual nodes.
        shapes: Morphologies of the targets.
        probability: float64 [m-types, m-types] (pre, post).
        mean: float64 [m-types, m-types]. Synapses of a connection.
        sd: float64 [m-types, m-types].
        present: float64 [targets, m-types]. Connections that the circuit has.
        synapses: Compiled synapse rules over ``both``.
    """

    name: str
    config: AfferentEdges
    key: np.ndarray
    both: Cells
    sources: int
    shapes: Shapes
    probability: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    present: np.ndarray
    synapses: Synapses

    @property
    def targets(self) -> int:
        """Number of cells."""
        return len(self.both) - self.sources

    @cached_property
    def sizes(self) -> np.ndarray:
        """Virtual nodes of every m-type: int64 [m-types]."""
        return np.bincount(self.both.mtype[: self.sources], minlength=len(self.both.mtypes))

    def missing(self, target: int) -> np.ndarray:
        """Probability of a connection that is not there, by m-type of the source: float64."""
        wanted = self.probability[:, self.both.mtype[self.sources + target]]
        sizes = np.maximum(self.sizes, 1)
        return np.clip(wanted - self.present[target] / sizes, 0.0, 1.0)


def run_afferents(resolved: Resolved, name: str, paths: CircuitPaths) -> dict[str, int]:
    """Writes edges, edge types and the table ``afferents_<name>`` of what was there and what came.

    Args:
        resolved: The model.
        name: Key under ``edges``.
        paths: The circuit; nodes, morphologies and the edges of ``less`` exist.

    Returns:
        Edge population name to number of edges.

    Raises:
        ConfigError: If a table cannot be meant.
        CircuitError: If something that is needed was not built.
    """
    afferents = load_afferents(resolved, name, paths)
    config, n = afferents.config, afferents.targets
    population = edge_population_name(config.source, config.target, CHEMICAL)
    added = np.zeros((n, 2), np.int64)
    with (
        progress(total=n, label=f"{name}: afferents", unit="cell") as bar,
        EdgeWriter(
            paths.edges(population), population, config.source, config.target, afferents.sources, n,
            units={"conductance": "nS", "u_hill_coefficient": "mM"}, chunk_rows=CHUNK_ROWS // 4,
        ) as writer,
    ):  # fmt: skip
        for target in range(n):
            touches, columns = synapses_of(afferents, target)
            kinds, carried = synapse_columns(afferents.synapses, touches, afferents.key)
            sources = touches["pre"].astype(np.int64)
            writer.append(sources, np.full(len(touches), target), kinds, carried | columns)
            added[target] = len(np.unique(sources)), len(touches)
            bar.update(1)
    write_types(paths.edge_types(population), afferents.synapses.edge_types().to_dict("records"))
    table = summary(afferents, added).to_csv(index=False, float_format="%.7g", lineterminator="\n")
    write_text(paths.analysis(f"afferents_{name}"), table)
    return {population: int(added[:, 1].sum())}


def load_afferents(resolved: Resolved, name: str, paths: CircuitPaths) -> Afferents:
    """Reads nodes, morphologies, present edges and tables.

    Raises:
        ConfigError: With all problems of a table.
        CircuitError: If something was not built.
    """
    config: AfferentEdges = resolved.model.edges[name]
    ends = {
        key: read_typed_nodes(paths.nodes(key), paths.node_types(key), key)
        for key in (config.source, config.target)
    }
    source, target = ends[config.source], ends[config.target]
    for key, frame in ends.items():
        wanted = (
            "mtype",
            "etype",
            "synapse_class",
            *(["morphology"] if key == config.target else []),
        )
        if missing := [name for name in wanted if name not in frame]:
            hint = "sources need labels of their type, targets are placed cells with morphologies"
            raise CircuitError(Problem(str(paths.nodes(key)), f"no column {missing[0]}", hint))
    used = sorted(set(target["morphology"].astype(str)))
    files = {shape: paths.morphologies / f"{shape}.swc" for shape in used}
    if lost := [str(file) for file in files.values() if not file.is_file()]:
        raise not_built(lost[0], "morphologies")
    shapes = read_shapes(files)
    # One list of types for both sides; sources have no shape and no place.
    columns = ["x", "y", "z", "morphology", "mtype", "etype", "synapse_class"]
    source = source.assign(x=0.0, y=0.0, z=0.0, morphology=used[0])
    joined = pd.concat([source[columns], target[columns]], ignore_index=True)
    both = place_cells(joined, shapes.names)
    known = frozenset(read_catalogue(paths)["m_type"].astype(str))
    types = cell_types(both, known | declared_types(resolved, config.source))
    physiology = config.physiology
    synapses = compile_synapses(
        resolved.path(physiology.classes), resolved.path(physiology.rules), physiology, both, types
    )
    matrices = read_pathways(resolved.path(config.pathways), both.mtypes)
    found = Afferents(
        name, config, rule_key(resolved.model.seed, f"afferents/{name}"), both, len(source), shapes,
        *matrices, np.zeros((len(target), len(both.mtypes))), synapses,
    )  # fmt: skip
    return replace(found, present=_present(resolved, paths, found))


def read_pathways(path: Path, mtypes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reads the table of pathways.

    Args:
        path: CSV with ``AFFERENT_COLUMNS``; one row per pair of m-types, others are not connected.
        mtypes: Names, in the order of the result.

    Returns:
        Probability, mean and sd of synapses per connection: float64 [m-types, m-types] (pre, post).

    Raises:
        ConfigError: With all problems of the table.
    """
    table = RuleTable.read(path, AFFERENT_COLUMNS)
    table.sources()
    values = [
        table.numbers("probability", 0.0, 1.0, needed=True),
        table.numbers("synapses_per_connection", 1.0, 1e4, needed=True),
        np.nan_to_num(table.numbers("synapses_sd", 0.0, 1e4)),
    ]
    pairs = list(zip(table.frame["pre"], table.frame["post"], strict=True))
    for row, pair in enumerate(pairs):
        if pair in pairs[:row]:
            table.add(row, f"{pair[0]} to {pair[1]} stands twice", "remove one")
    raise_all(table)
    row_of = {name: index for index, name in enumerate(mtypes)}
    known = [row for row, pair in enumerate(pairs) if pair[0] in row_of and pair[1] in row_of]
    matrices = []
    for column in values:
        matrix = np.zeros((len(mtypes),) * 2)
        for row in known:
            matrix[row_of[pairs[row][0]], row_of[pairs[row][1]]] = column[row]
        matrices.append(matrix)
    return matrices[0], matrices[1], matrices[2]


def _present(resolved: Resolved, paths: CircuitPaths, afferents: Afferents) -> np.ndarray:
    """Connections of every target by m-type of the source, through ``less``: float64."""
    found, less = afferents.present.copy(), afferents.config.less
    if less is None:
        return found
    edges = resolved.model.edges[less]
    population = edge_population_name(edges.source, edges.target, CHEMICAL)
    frame = read_edges(paths.edges(population), population, columns=[])
    pairs = frame[["source_node_id", "target_node_id"]].drop_duplicates()
    nodes = read_typed_nodes(
        paths.nodes(edges.source), paths.node_types(edges.source), edges.source
    )
    code = {name: index for index, name in enumerate(afferents.both.mtypes)}
    kinds = nodes["mtype"].astype(str).map(code).fillna(-1).to_numpy(np.int64)
    kinds = kinds[pairs["source_node_id"].to_numpy(np.int64)]
    known = kinds >= 0  # types without virtual nodes replace nothing
    np.add.at(found, (pairs["target_node_id"].to_numpy(np.int64)[known], kinds[known]), 1.0)
    return found


def synapses_of(afferents: Afferents, target: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draws the afferent synapses of one cell.

    Args:
        afferents: What to draw from.
        target: Node id of the cell.

    Returns:
        TOUCH [n] with ``pre`` and ``post`` as rows of ``both``, sorted by source, and the columns
        ``afferent_section_id`` uint32, ``afferent_section_pos`` float32.
    """
    ids, kinds = np.arange(afferents.sources), afferents.both.mtype[: afferents.sources]
    accept, _ = uniforms_array(afferents.key, ids, np.uint64(target), _ACCEPT)
    chosen = ids[accept < afferents.missing(target)[kinds]]
    pair = (kinds[chosen], afferents.both.mtype[afferents.sources + target])
    u, _ = uniforms_array(afferents.key, chosen, np.uint64(target), _COUNT)
    drawn = afferents.mean[pair] + afferents.sd[pair] * ndtri(np.maximum(u, 1e-300))
    counts = np.maximum(np.rint(drawn), 1).astype(np.int64)
    sources = np.repeat(chosen, counts)
    index = np.arange(len(sources)) - np.repeat(np.cumsum(counts) - counts, counts)
    u, _ = uniforms_array(afferents.key, sources, np.uint64(target), _PLACE, index)
    touches = np.zeros(len(sources), TOUCH)
    touches["pre"], touches["post"] = sources, afferents.sources + target
    shape = int(afferents.both.morphology[afferents.sources + target])
    section, pos = dendrite_places(afferents.shapes, shape, u)
    return touches, {"afferent_section_id": section, "afferent_section_pos": pos}


def dendrite_places(shapes: Shapes, shape: int, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places with equal chance per um of dendrite; on the soma if there is none.

    Args:
        shapes: Morphologies.
        shape: Row of the morphology.
        u: float64 [n] in [0, 1).

    Returns:
        uint32 [n] section ids and float32 [n] positions from 0 to 1.
    """
    low, high = shapes.first[shape], shapes.first[shape + 1]
    length = np.where(shapes.kind[low:high] >= BASAL, shapes.length[low:high], 0).astype(np.float64)
    ends = np.cumsum(length)
    if not len(ends) or ends[-1] <= 0:
        return np.zeros(len(u), np.uint32), np.full(len(u), 0.5, np.float32)
    at = u * ends[-1]
    row = np.minimum(np.searchsorted(ends, at, side="right"), len(ends) - 1)
    offset = at - (ends[row] - length[row])
    section = shapes.section[low:high][row]
    whole = shapes.section_length[shapes.section_first[shape] + section.astype(np.int64)]
    pos = np.clip((shapes.arc[low:high][row] + offset) / whole, 0.0, 1.0)
    return section.astype(np.uint32), pos.astype(np.float32)


def summary(afferents: Afferents, added: np.ndarray) -> pd.DataFrame:
    """Means per cell by m-type of the target: what the tissue has, what was there, what was added.

    Args:
        afferents: What was drawn from.
        added: int64 [targets, 2]. Connections and synapses.
    """
    kinds = afferents.both.mtype[afferents.sources :]
    wanted = afferents.probability.T @ afferents.sizes
    rows = []
    for kind in np.unique(kinds):
        own = kinds == kind
        rows.append(
            {
                "mtype": afferents.both.mtypes[kind], "cells": int(own.sum()),
                "connections_whole": wanted[kind],
                "connections_present": afferents.present[own].sum(axis=1).mean(),
                "connections_added": added[own, 0].mean(), "synapses_added": added[own, 1].mean(),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def plan_afferents(
    sources: pd.DataFrame, targets: pd.DataFrame, pathways: Path
) -> tuple[float, float]:
    """Expects connections and synapses; what the circuit has already is not taken off.

    Args:
        sources: Virtual nodes with ``mtype``.
        targets: Cells with ``mtype``.
        pathways: The table.
    """
    mtypes = tuple(sorted({*sources["mtype"].astype(str), *targets["mtype"].astype(str)}))
    probability, mean, _ = read_pathways(pathways, mtypes)
    pre, post = (
        frame["mtype"].astype(str).value_counts().reindex(mtypes, fill_value=0).to_numpy(float)
        for frame in (sources, targets)
    )
    pairs = probability * pre[:, None] * post[None, :]
    return float(pairs.sum()), float((pairs * mean).sum())
