"""Draws the edges of any rule onto a range of targets, whatever the law."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.edges.rules import plan, retinotopic
from pipeline.edges.rules.compiled import (
    INDEGREE,
    LISTED,
    OUTDEGREE,
    RETINOTOPIC,
    THINNED,
    CompiledRule,
    Side,
)
from pipeline.edges.rules.degree import fixed_partners, totals_per_target, wanted_partners
from pipeline.edges.rules.random import OUTWARD, STREAM
from pipeline.edges.rules.sample import Targets, thinned
from pipeline.edges.rules.tree import Forest, build_forest
from pipeline.errors import CircuitError, Problem

_OUTWARD_BYTES = 48
"""Memory per edge while out-degrees are turned round."""


@dataclass(frozen=True)
class Drawn:
    """Edges of one rule onto a range of targets.

    Attributes:
        counts: int64 [targets].
        sources: int64 [edges]. Target after target, not sorted within.
        first_row: For listed pairs, row of the first edge; 0 otherwise.
    """

    counts: np.ndarray
    sources: np.ndarray
    first_row: int = 0


@dataclass
class RuleDraw:
    """One rule with what its kernel needs; draws are pure functions of the target range.

    Attributes:
        rule: The compiled rule.
        source: Source nodes.
        target: Target nodes.
        memory: Bytes it may fill for rules that draw per source.
        naive: Look at every pair (for tests).
    """

    rule: CompiledRule
    source: Side
    target: Side
    memory: float = 2.0**29
    naive: bool = False
    forest: Forest = field(init=False)
    pairs: np.ndarray = field(init=False)
    _wanted: np.ndarray | None = field(init=False, default=None)
    _band: tuple[int, int, np.ndarray, np.ndarray] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        rule = self.rule
        law = rule.law
        outward = rule.kind == OUTDEGREE
        self.forest = build_forest(
            self.source.points, rule.source.codes, len(rule.source), law.axes()
        )
        means = None
        if rule.kind == RETINOTOPIC:
            drawn = retinotopic.mean_sources(rule, self.target.points)
            self.pairs = drawn * rule.target.counts()
            return
        if rule.kind != LISTED:
            means = plan.mean_sources(rule, self.forest, self.target)
        self.pairs = plan.expected_pairs(rule, means)
        if outward:
            self.forest = build_forest(
                self.target.points, rule.target.codes, len(rule.target), law.axes()
            )
            self._wanted = wanted_partners(_turned(rule.count), rule.source.codes)
        elif rule.kind == INDEGREE:
            self._wanted = wanted_partners(rule.count, rule.target.codes)
        elif rule.kind not in (THINNED, LISTED):
            self._wanted = self._totals()

    def _totals(self) -> np.ndarray:
        rule = self.rule
        own = np.zeros((len(rule.target.codes), len(rule.source)), np.int64)
        if rule.skip_self:
            both = np.flatnonzero((rule.target.codes >= 0) & (rule.source.codes >= 0))
            own[both, rule.source.codes[both]] = 1
        return totals_per_target(
            rule.count, rule.source.counts(), rule.target.codes, own, rule.multapses, rule.key
        )

    def expected_indegree(self) -> np.ndarray:
        """Expected edges of each target: float64 [targets]."""
        codes = self.rule.target.codes
        if self._wanted is not None and self.rule.kind != OUTDEGREE:
            return self._wanted.sum(axis=1).astype(np.float64)
        if self.rule.kind == LISTED:
            return np.bincount(self.rule.listed.targets, minlength=len(codes)).astype(np.float64)
        mean = self.pairs.sum(axis=0) / np.maximum(self.rule.target.counts(), 1)
        return np.where(codes >= 0, mean[np.maximum(codes, 0)], 0.0)

    def draw(self, low: int, high: int) -> Drawn:
        """Draws all edges onto targets low to high - 1.

        Raises:
            CircuitError: If a node finds fewer partners than it must have.
        """
        rule = self.rule
        if rule.kind == LISTED:
            return Drawn(*rule.listed.block(low, high))
        if rule.kind == OUTDEGREE:
            return self._outward(low, high)
        if rule.kind == RETINOTOPIC:
            return Drawn(*retinotopic.draw(rule, self.target.points, low, high, self.naive))
        targets = Targets(self.target.points, rule.target.codes)
        if rule.kind == THINNED:
            mean = self.pairs.sum(axis=0) / np.maximum(rule.target.counts(), 1)
            counts, sources = thinned(
                rule.law,
                self.forest,
                rule.key,
                targets,
                low,
                high,
                mean,
                rule.skip_self,
                self.naive,
            )
            return Drawn(counts, sources)
        found, sources = fixed_partners(
            rule.law, self.forest, rule.key, STREAM, targets, low, self._wanted[low:high],
            rule.multapses, rule.skip_self,
        )  # fmt: skip
        self._require(found, self._wanted[low:high], low, "sources")
        return Drawn(found.sum(axis=1), sources)

    def _require(self, found: np.ndarray, wanted: np.ndarray, low: int, what: str) -> None:
        short = np.argwhere(found < wanted)
        if len(short):
            i, j = short[0]
            where = f"rule {self.rule.name!r}, node {low + i}"
            message = f"needs {wanted[i, j]} {what} but only {found[i, j]} can be drawn"
            hint = f"{len(short)} nodes fall short; ask for fewer, or allow multapses"
            raise CircuitError(Problem(where, message, hint))

    def _outward(self, low: int, high: int) -> Drawn:
        if self._band is None or not self._band[0] <= low <= high <= self._band[1]:
            self._band = self._draw_band(low, high)
        first, _, ends, sources = self._band
        ends = ends[low - first : high - first + 1]
        return Drawn(np.diff(ends), sources[ends[0] : ends[-1]])

    def _draw_band(self, low: int, high: int) -> tuple[int, int, np.ndarray, np.ndarray]:
        """Draws all sources' targets and keeps those of as many targets as fit in memory."""
        rule = self.rule
        share = np.cumsum(self.expected_indegree()[low:])
        fits = int(np.searchsorted(share, self.memory / _OUTWARD_BYTES))
        high = min(max(high, low + fits), len(rule.target.codes))
        nodes = Targets(self.source.points, rule.source.codes)
        step = max(1, int(2e6 / max(self._wanted.sum(axis=1).mean(), 1e-3)))
        kept = []
        for start in range(0, len(nodes.classes), step):
            wanted = self._wanted[start : start + step]
            found, targets = fixed_partners(
                rule.law.swapped(), self.forest, rule.key, OUTWARD, nodes, start, wanted,
                rule.multapses, rule.skip_self,
            )  # fmt: skip
            self._require(found, wanted, start, "targets")
            sources = np.repeat(np.arange(start, start + len(wanted)), found.sum(axis=1))
            inside = (targets >= low) & (targets < high)
            kept.append((targets[inside].astype(np.uint32), sources[inside].astype(np.uint32)))
        targets = np.concatenate([pair[0] for pair in kept])
        sources = np.concatenate([pair[1] for pair in kept])
        order = np.argsort(targets, kind="stable")
        counts = np.bincount(targets - np.uint32(low), minlength=high - low)
        ends = np.concatenate(([0], np.cumsum(counts)))
        return low, high, ends, sources[order].astype(np.int64)


def _turned(count: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(count.T)
