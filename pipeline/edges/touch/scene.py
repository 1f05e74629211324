"""All that touch edges are made from: shapes, placed cells, rules, and where touches come from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.celltypes import resolve_types
from pipeline.config.load import Resolved
from pipeline.config.placement import PlacedNodes
from pipeline.config.touches import TOUCH_COLUMNS, TouchDetection, TouchEdges
from pipeline.edges.touch import arrays
from pipeline.edges.touch.arrays import AXON, TOUCH, Cells, Shapes, TouchRules
from pipeline.edges.touch.tables import RuleTable, Types
from pipeline.errors import CircuitError, Problem
from pipeline.philox import rule_key
from pipeline.sonata.layout import CHEMICAL, CircuitPaths, edge_population_name
from pipeline.sonata.read import not_built, read_typed_nodes

VERSION = 1
"""Raised whenever the same input would give other synapses."""
CHUNK = 64
"""Presynaptic cells whose touches are in memory at once."""
PLACES = {
    "dendrite": arrays.ALLOW_DENDRITE,
    "soma": arrays.ALLOW_SOMA,
    "initial_segment": arrays.ALLOW_SOMA_TO_AIS,
}


@dataclass
class Scene:
    """One edge config with the circuit it works on.

    Attributes:
        config: The edges.
        name: Their key in the config.
        seed: The model's.
        shapes: Morphologies.
        cells: Cells; row is node id.
        types: Names that rules use.
        rules: What counts as a touch.
        threads: Threads of detection.
    """

    config: TouchEdges
    name: str
    seed: int
    shapes: Shapes
    cells: Cells
    types: Types
    rules: TouchRules
    threads: int = 1

    @property
    def population(self) -> str:
        """Name of the edge population."""
        return edge_population_name(self.config.source, self.config.target, CHEMICAL)

    @property
    def key(self) -> np.ndarray:
        """Philox key of pruning and physiology: uint64 [2]."""
        return rule_key(self.seed, f"touches/{self.name}")

    @cached_property
    def index(self):
        """Index of all segments that can be touched; ``drop_index`` frees it."""
        from pipeline.edges.touch.index import build_index

        return build_index(self.shapes, self.cells, self.rules, self.threads)

    def drop_index(self) -> None:
        """Frees the memory of the index."""
        self.__dict__.pop("index", None)

    def touches(self, pre_ids: np.ndarray) -> np.ndarray:
        """Finds all touches of some presynaptic cells: TOUCH [n], sorted by (pre, post, order)."""
        from pipeline.edges.touch.detect import detect

        ids = np.asarray(pre_ids, np.int64)
        if not len(ids):
            return np.empty(0, TOUCH)
        return detect(self.shapes, self.cells, self.rules, self.index, ids, self.seed, self.threads)

    def chunks(self, pre_ids: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields (ids, touches) for some cells at a time."""
        for low in range(0, len(pre_ids), CHUNK):
            ids = pre_ids[low : low + CHUNK]
            yield ids, self.touches(ids)

    @cached_property
    def axon(self) -> np.ndarray:
        """Axon length of every cell: float64 [cells], um."""
        return self._lengths(self.shapes.kind == AXON)[self.cells.morphology]

    @cached_property
    def axon_inside(self) -> np.ndarray:
        """Axon length of every cell where there are cells: float64 [cells], um."""
        from pipeline.edges.touch.tissue import axon_inside

        return axon_inside(self.shapes, self.cells, np.arange(len(self.cells)))

    def _lengths(self, chosen: np.ndarray) -> np.ndarray:
        sums = np.concatenate([[0.0], np.cumsum(self.shapes.length * chosen, dtype=np.float64)])
        return sums[self.shapes.first[1:]] - sums[self.shapes.first[:-1]]

    def token(self) -> str:
        """Hash of all that decides which touches there are: hex."""
        digest = hashlib.blake2b(f"{VERSION} {self.seed} {self.name}".encode(), digest_size=16)
        for part in (self.shapes, self.cells, self.rules):
            for value in vars(part).values():
                if isinstance(value, np.ndarray):
                    digest.update(f"{value.dtype}{value.shape}".encode())
                    digest.update(np.ascontiguousarray(value).tobytes())
                elif not callable(value):
                    digest.update(repr(value).encode())
        return digest.hexdigest()


def available_threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_catalogue(paths: CircuitPaths) -> pd.DataFrame:
    """Reads the catalogue of morphologies that the morphologies stage wrote.

    Raises:
        CircuitError: If it is missing.
    """
    path = paths.components / "morphologies.csv"
    if not path.is_file():
        raise not_built(path, "morphologies")
    return pd.read_csv(path, keep_default_na=False)


def load_scene(resolved: Resolved, name: str, paths: CircuitPaths) -> Scene:
    """Reads nodes and morphologies, and compiles the touch rules.

    Args:
        resolved: The model.
        name: Key under ``edges``.
        paths: The circuit; nodes and morphologies exist.

    Raises:
        ConfigError: If the touch rules are wrong; all problems at once.
        CircuitError: If nodes or morphologies are missing.
    """
    from pipeline.edges.touch.geometry import place_cells, read_shapes

    config = resolved.model.edges[name]
    catalogue = read_catalogue(paths)
    nodes = read_typed_nodes(
        paths.nodes(config.source), paths.node_types(config.source), config.source
    )
    if "morphology" not in nodes:
        hint = "touches need placed cells with morphologies"
        raise CircuitError(Problem(str(paths.nodes(config.source)), "no column morphology", hint))
    used = sorted(set(nodes["morphology"].astype(str)))
    files = {shape: paths.morphologies / f"{shape}.swc" for shape in used}
    lost = [str(file) for file in files.values() if not file.is_file()]
    if lost:
        raise not_built(lost[0], "morphologies")
    shapes = read_shapes(files)
    cells = place_cells(nodes, shapes.names)
    known = frozenset(catalogue["m_type"].astype(str)) | declared_types(resolved, config.source)
    types = cell_types(cells, known)
    path = resolved.path(config.touch.rules)
    rules = compile_touch_rules(path, config.touch, types)
    return Scene(
        config, name, resolved.model.seed, shapes, cells, types, rules, available_threads()
    )


def declared_types(resolved: Resolved, population: str) -> frozenset[str]:
    """Returns the m-types in the config of placed nodes, also those without cells at this size."""
    nodes = resolved.model.nodes[population]
    if not isinstance(nodes, PlacedNodes):
        return frozenset()
    table = resolved.path(nodes.table) if nodes.table else None
    specs = resolve_types(nodes, table, lambda path: resolved.origin(("nodes", population, *path)))
    return frozenset(spec.labels["mtype"] for spec in specs if "mtype" in spec.labels)


def cell_types(cells: Cells, known: frozenset[str] = frozenset()) -> Types:
    """Names and classes of the cells' types.

    Raises:
        CircuitError: If cells of one m-type differ in class.
    """
    m = len(cells.mtypes)
    total = np.bincount(cells.mtype, minlength=m)
    inhibitory = np.bincount(cells.mtype, cells.inhibitory, m)
    mixed = np.flatnonzero((inhibitory > 0) & (inhibitory < total))
    if len(mixed):
        message = f"m-type {cells.mtypes[mixed[0]]} has both EXC and INH cells"
        raise CircuitError(Problem("nodes", message, "give each m-type one synapse_class"))
    return Types(cells.mtypes, inhibitory > 0, cells.etypes, known)


def compile_touch_rules(path: Path, config: TouchDetection, types: Types) -> TouchRules:
    """Compiles what counts as a touch.

    Raises:
        ConfigError: With all problems of the table and of the patterns of spine lengths.
    """
    from pipeline.edges.touch.tables import raise_all

    table = RuleTable.read(path, TOUCH_COLUMNS)
    table.patterns(("pre", "post"), types)
    table.choices("place", tuple(PLACES))
    table.sources()
    m = len(types.mtypes)
    allowed = np.zeros((m, m), np.uint8)
    for row in table.frame.to_dict("records"):
        at = np.ix_(types.matching(row["pre"]), types.matching(row["post"]))
        allowed[at] |= PLACES.get(row["place"], 0)
    spine = np.full(m, np.nan, np.float32)
    for pattern, length in config.spine_length.items():
        if not types.means_any(pattern):
            table.problems.append(
                Problem("touch.spine_length", f"{pattern!r} is no m-type", "see the nodes' mtype")
            )
        spine[types.matching(pattern)] = length
    for name in [types.mtypes[i] for i in np.flatnonzero(np.isnan(spine))]:
        message = f"m-type {name} has no spine length"
        table.problems.append(Problem("touch.spine_length", message, "add it, or '*' first"))
    raise_all(table)
    near = config.soma_filter
    return TouchRules(
        spine, allowed, config.region_gap, config.spacing, (near.inhibitory, near.excitatory)
    )
