"""Blocks of edges in file order: rules joined, sorted, and given synapses.

Targets are handled in blocks sized from the memory limit; inside a block every target is a task of
its own. Neither the size of blocks nor the number of threads enters any draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import prange

from pipeline.config.rules import RuleEdges
from pipeline.edges.rules import plan, synapse
from pipeline.edges.rules.check import check_rule
from pipeline.edges.rules.compile import compile_rule, side_of
from pipeline.edges.rules.compiled import CompiledRule, Side
from pipeline.edges.rules.draw import RuleDraw
from pipeline.edges.rules.tables import Findings
from pipeline.errors import ConfigError
from pipeline.kernels import kernel

BYTES_PER_EDGE = 400
"""Memory of one edge while its block is drawn, sorted, filled and written."""
MOST_EDGES = 4_000_000
"""Larger blocks gain nothing."""
_COLUMNS = {"nsyns": np.uint32, "syn_weight": np.float32, "delay": np.float32}
_LISTED = ("nsyns", "weight", "delay")


@dataclass(frozen=True)
class Network:
    """Rules compiled against nodes.

    Attributes:
        config: The edges.
        source: Source nodes.
        target: Target nodes.
        rules: Compiled rules.
        columns: Attributes that every edge carries; the others are in the edge types.
        first_type: Edge type id of each rule's first type.
    """

    config: RuleEdges
    source: Side
    target: Side
    rules: list[CompiledRule]
    columns: tuple[str, ...]
    first_type: tuple[int, ...]

    def edge_types(self) -> list[dict[str, object]]:
        """Rows of the edge types table: classes, constants, kinetics and placement."""
        rows = []
        for first, rule in zip(self.first_type, self.rules, strict=True):
            law = rule.synapse
            for cs, ct in np.argwhere(law.edge_types >= 0):
                row: dict[str, object] = {"edge_type_id": first + int(law.edge_types[cs, ct])}
                row["rule"] = rule.name
                for side, classes, c in (("source", rule.source, cs), ("target", rule.target, ct)):
                    row |= {f"{side}_{k}": v for k, v in classes.labels.iloc[c].items()}
                for what, name in enumerate(_COLUMNS):
                    if name not in self.columns:
                        value = float(law.draws.params[what, cs, ct, 0])
                        row[name] = int(value) if name == "nsyns" else value
                        if name == "delay":
                            row[name] = max(value, law.draws.min_delay)
                row |= {name: matrix[cs, ct] for name, matrix in law.columns.items()}
                rows.append(row)
        return rows

    def row_bytes(self) -> int:
        """Bytes of one edge in the file, without the indices."""
        return 8 + 8 + 8 + 1 + 4 * len(self.columns)

    def block_bytes(self) -> float:
        """Memory for drawing and writing, in bytes."""
        return self.config.memory * 2**30


@dataclass(frozen=True)
class Block:
    """Edges onto a range of targets, sorted by (target, source, rule).

    Attributes:
        sources: uint64 [edges].
        targets: uint64 [edges].
        types: int64 [edges].
        columns: Attribute name to array [edges].
    """

    sources: np.ndarray
    targets: np.ndarray
    types: np.ndarray
    columns: dict[str, np.ndarray]


def compile_network(
    config: RuleEdges,
    seed: int,
    source: pd.DataFrame,
    target: pd.DataFrame,
    findings: Findings | None = None,
) -> Network:
    """Compiles all rules of one edge config.

    Args:
        config: The edges.
        seed: The model's seed.
        source: One row per source node: attributes, and x, y, z in um where laws need them.
        target: Target nodes likewise.
        findings: Receives warnings; a new one when None.

    Raises:
        ConfigError: With all problems of all rules at once.
    """
    findings = findings or Findings()
    sides = side_of(source, config), side_of(target, config)
    rules = [compile_rule(config, i, seed, *sides, findings) for i in range(len(config.rules))]
    for i, rule in enumerate(rules):
        if rule is not None:
            check_rule(config.rules[i], rule, sides, ("rules", i), findings)
    _check_widths(len(source), len(rules), findings)
    if findings.errors():
        raise ConfigError(findings.errors())
    columns = [name for name in _COLUMNS if any(rule.synapse.varies[name] for rule in rules)]
    for name, listed in zip(_COLUMNS, _LISTED, strict=True):
        given = any(rule.listed is not None and listed in rule.listed.values for rule in rules)
        if given and name not in columns:
            columns.append(name)
    if config.distance:
        columns.append("distance")
    sizes = [int(rule.synapse.edge_types.max(initial=-1)) + 1 for rule in rules]
    first = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(int)
    return Network(config, *sides, rules, tuple(columns), tuple(int(f) for f in first))


def _check_widths(n_source: int, n_rules: int, findings: Findings) -> None:
    if n_source >= 2**32:
        findings.add(("source",), f"{n_source} nodes", "random keys hold 32-bit node ids")
    if n_source * max(n_rules, 1) >= 2**62:
        findings.add(("rules",), f"{n_rules} rules over {n_source} sources do not fit in 64 bits")


class Builder:
    """Draws blocks of a network.

    Args:
        network: What to build.
        naive: Look at every pair instead of thinning (for tests).

    Attributes:
        network: What is built.
        draws: One entry per rule.
    """

    def __init__(self, network: Network, naive: bool = False):
        self.network = network
        memory = network.block_bytes() / 4
        self.draws = [
            RuleDraw(rule, network.source, network.target, memory, naive) for rule in network.rules
        ]

    def expected(self) -> plan.EdgePlan:
        """What will come out; see ``plan``."""
        plans = [plan.plan_rule(draw.rule, draw.pairs) for draw in self.draws]
        network = self.network
        nodes = len(network.source.points) + len(network.target.points)
        return plan.plan_edges(plans, network.row_bytes(), network.block_bytes(), nodes)

    def indegrees(self) -> np.ndarray:
        """Expected edges per target: float64 [targets]."""
        return np.sum([draw.expected_indegree() for draw in self.draws], axis=0)

    def part_bounds(self, parts: int) -> np.ndarray:
        """Target ranges with about equal numbers of edges: int64 [parts + 1]."""
        work = np.cumsum(self.indegrees() + 1.0)
        inner = np.searchsorted(work, work[-1] * np.arange(1, parts) / parts) if len(work) else []
        return np.concatenate(([0], inner, [len(work)])).astype(np.int64)

    def blocks(self, low: int = 0, high: int | None = None, most: int | None = None):
        """Yields the edges onto targets low to high - 1, block by block.

        Args:
            low: First target.
            high: Last target + 1; all when None.
            most: Edges per block; from the memory limit when None.

        Yields:
            Block.
        """
        high = len(self.network.target.points) if high is None else high
        if most is None:
            most = int(min(MOST_EDGES, self.network.block_bytes() / 2 / BYTES_PER_EDGE))
        for start, stop in _ranges(self.indegrees()[low:high], low, most):
            yield self.block(start, stop)

    def block(self, low: int, high: int) -> Block:
        """Draws, joins, sorts and fills the edges onto targets low to high - 1."""
        n_rules = len(self.draws)
        drawn = [draw.draw(low, high) for draw in self.draws]
        counts = np.array([one.counts for one in drawn]).reshape(n_rules, high - low)
        ends = np.concatenate(([0], np.cumsum(counts.sum(axis=0)))).astype(np.int64)
        keys = np.empty(ends[-1], np.int64)
        used = np.zeros(high - low, np.int64)
        for rule, one in enumerate(drawn):
            _place(keys, ends, used, one.counts, one.sources, rule, n_rules)
        sources, targets = np.empty(len(keys), np.uint64), np.empty(len(keys), np.uint64)
        _sort(keys, ends, low, n_rules, sources, targets)
        first_rows = [one.first_row for one in drawn]
        types, columns = self._fill(keys, ends, low, first_rows)
        return Block(sources, targets, types, columns)

    def _fill(self, keys, ends, low: int, first_rows: list[int]):
        network = self.network
        names = (*_COLUMNS, "distance")
        dtypes = {**_COLUMNS, "distance": np.float32}
        out = {
            name: np.empty(len(keys) if name in network.columns else 0, dtypes[name])
            for name in names
        }
        types = np.empty(len(keys), np.int64)
        for index, rule in enumerate(network.rules):
            draws, listed = _listed_values(rule)
            synapse.fill_edges(
                draws, rule.key, index, len(network.rules), keys, ends, low,
                network.source.points, network.target.points,
                rule.source.codes, rule.target.codes,
                rule.synapse.edge_types + network.first_type[index], listed, first_rows[index],
                types, *out.values(),
            )  # fmt: skip
        return types, {name: out[name] for name in names if name in network.columns}


def _listed_values(rule: CompiledRule) -> tuple[synapse.Draws, np.ndarray]:
    draws = rule.synapse.draws
    if rule.listed is None or not rule.listed.values:
        return draws, np.empty((3, 0))
    given = rule.listed.values
    codes = draws.codes.copy()
    values = np.zeros((3, len(rule.listed.sources)))
    for what, name in enumerate(_LISTED):
        if name in given:
            codes[what], values[what] = synapse.LISTED, given[name]
    return draws._replace(codes=codes), values


def _ranges(work: np.ndarray, low: int, most: int) -> Iterator[tuple[int, int]]:
    """Cuts targets into ranges of about ``most`` expected edges and at least one target."""
    ends = np.cumsum(work)
    start = 0
    while start < len(work):
        done = ends[start - 1] if start else 0.0
        stop = max(start + 1, int(np.searchsorted(ends, done + most, side="right")))
        yield low + start, low + stop
        start = stop


@kernel(parallel=True)
def _place(keys, ends, used, counts, sources, rule, n_rules):
    starts = np.cumsum(counts) - counts
    for i in prange(len(counts)):
        place = ends[i] + used[i]
        for k in range(counts[i]):
            keys[place + k] = sources[starts[i] + k] * n_rules + rule
        used[i] += counts[i]


@kernel(parallel=True)
def _sort(keys, ends, low, n_rules, sources, targets):
    for i in prange(len(ends) - 1):
        keys[ends[i] : ends[i + 1]].sort()
        for e in range(ends[i], ends[i + 1]):
            sources[e] = keys[e] // n_rules
            targets[e] = low + i
