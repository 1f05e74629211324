"""What rules will make, before anything is made: edges, synapses, disk, memory, time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import prange

from pipeline.edges.rules import synapse as syn
from pipeline.edges.rules.compiled import INDEGREE, LISTED, OUTDEGREE, THINNED, CompiledRule, Side
from pipeline.edges.rules.laws import box_bound
from pipeline.edges.rules.sample import Targets, probability_at
from pipeline.edges.rules.tree import Forest
from pipeline.kernels import kernel

SAMPLE = 500
"""Targets per class over which a law is integrated."""
MOST = 3000
"""Targets in all."""
EDGES_PER_SECOND = 1.5e6
"""Cautious rate of drawing and writing on two cores; the bench measures it."""
_BASE_MEMORY = 250 * 2**20
"""Interpreter, libraries and compiled kernels."""
_BLOCK_MEMORY = 480e6
"""One block of the largest size while it is drawn and written."""


@dataclass(frozen=True)
class RulePlan:
    """Expectation for one rule.

    Attributes:
        name: Its name.
        edges: Expected number of edges.
        synapses: Expected number of synapses.
        pairs: float64 [source classes, target classes]. Expected edges per class pair.
    """

    name: str
    edges: float
    synapses: float
    pairs: np.ndarray


@dataclass(frozen=True)
class EdgePlan:
    """Expectation for one edge population.

    Attributes:
        rules: One entry per rule.
        disk: Bytes of the edges file.
        memory: Peak bytes of the builder.
        seconds: Time on two cores.
    """

    rules: list[RulePlan]
    disk: float
    memory: float
    seconds: float

    @property
    def edges(self) -> float:
        return sum(rule.edges for rule in self.rules)

    @property
    def synapses(self) -> float:
        return sum(rule.synapses for rule in self.rules)


@kernel(parallel=True)
def _sums(law, forest, targets, chosen, skip_self, result):
    """Sum of probabilities over all sources for some targets: result [chosen, classes]."""
    for i in prange(len(chosen)):
        t = chosen[i]
        ct, points = targets.classes[t], targets.points
        x, y, z, angle = points[t, 0], points[t, 1], points[t, 2], points[t, 3]
        stack = np.empty(256, np.int64)
        for cs in range(len(forest.roots)):
            total = 0.0
            top = 0
            if forest.roots[cs] >= 0:
                stack[0], top = forest.roots[cs], 1
            while top:
                top -= 1
                box = stack[top]
                low, high = forest.ranges[box, 0], forest.ranges[box, 1]
                bound = box_bound(law, forest.boxes, box, cs, ct, x, y, z, True)
                if bound == 0.0:
                    continue
                least = box_bound(law, forest.boxes, box, cs, ct, x, y, z, False)
                child = forest.children[box]
                if child >= 0 and (high - low) * (bound - least) > 0.5:
                    stack[top], stack[top + 1] = child + 1, child
                    top += 2
                    continue
                # A box this even is told by a few members spread over it.
                n = min(high - low, 4)
                part = 0.0
                for j in range(n):
                    k = low + (2 * j + 1) * (high - low) // (2 * n)
                    if not (skip_self and forest.ids[k] == t):
                        part += probability_at(law, forest, k, cs, ct, x, y, z, angle)
                total += part * (high - low) / n
            result[i, cs] = total


def mean_sources(
    rule: CompiledRule, forest: Forest, target: Side, sample: int = SAMPLE
) -> np.ndarray:
    """Mean number of sources per target by classes, integrated over a sample of targets.

    Args:
        rule: A rule without fixed numbers.
        forest: Its sources.
        target: Target nodes.
        sample: Targets per class.

    Returns:
        float64 [source classes, target classes].
    """
    codes = rule.target.codes
    n_classes = len(rule.target)
    sample = max(8, min(sample, MOST // max(n_classes, 1)))
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(n_classes + 1))
    chosen = [
        order[low + (np.arange(min(sample, high - low)) * (high - low)) // min(sample, high - low)]
        for low, high in zip(starts[:-1], starts[1:], strict=True) if high > low
    ]  # fmt: skip
    picked = np.concatenate(chosen) if chosen else np.empty(0, np.int64)
    result = np.zeros((len(picked), len(rule.source)))
    _sums(rule.law, forest, Targets(target.points, codes), picked, rule.skip_self, result)
    means = np.zeros((len(rule.source), n_classes))
    for c in range(n_classes):
        mine = result[codes[picked] == c]
        if len(mine):
            means[:, c] = mine.mean(axis=0)
    return means


def plan_rule(rule: CompiledRule, pairs: np.ndarray) -> RulePlan:
    """Expectation of one rule from its expected edges per class pair."""
    edges = float(pairs.sum())
    if rule.listed is not None and "nsyns" in rule.listed.values:
        return RulePlan(rule.name, edges, float(rule.listed.values["nsyns"].sum()), pairs)
    draws = rule.synapse.draws
    p0, p1 = draws.params[0, :, :, 0], draws.params[0, :, :, 1]
    mean = {syn.CONSTANT: p0, syn.UNIFORM_INTEGER: (p0 + p1) / 2, syn.POISSON: p0 + p1}
    synapses = float((pairs * mean[int(draws.codes[0])]).sum())
    return RulePlan(rule.name, edges, synapses, pairs)


def expected_pairs(rule: CompiledRule, means: np.ndarray | None) -> np.ndarray:
    """Expected edges per class pair: float64 [source classes, target classes].

    Args:
        rule: The rule.
        means: ``mean_sources`` of the rule; only thinned rules and the split of pooled fixed
            degrees over source classes need it.
    """
    source, target = rule.source.counts(), rule.target.counts()
    if rule.kind == LISTED:
        pairs = np.zeros((len(source), len(target)))
        np.add.at(
            pairs,
            (rule.source.codes[rule.listed.sources], rule.target.codes[rule.listed.targets]),
            1,
        )
        return pairs
    weighted = means * target
    if rule.kind == THINNED:
        return weighted
    if rule.count.shape != (1, 1):
        scale = {INDEGREE: target[None, :], OUTDEGREE: source[:, None]}.get(rule.kind, 1)
        return rule.count * scale * np.ones((len(source), len(target)))
    number = rule.count[0, 0]
    axis = {INDEGREE: 0, OUTDEGREE: 1}.get(rule.kind)
    total = weighted.sum(axis=axis, keepdims=axis is not None)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(weighted / total)
    size = {0: target[None, :], 1: source[:, None], None: 1}[axis]
    return share * number * size


def plan_edges(plans: list[RulePlan], row_bytes: int, block_bytes: float, n_nodes: int) -> EdgePlan:
    """Sums rules up and adds what files and the builder take.

    Args:
        plans: One per rule.
        row_bytes: Bytes of one edge in the file, without indices.
        block_bytes: Bytes the builder fills at most.
        n_nodes: Source and target nodes together.
    """
    edges = sum(plan.edges for plan in plans)
    # Each edge is a run of its own in the source index: two 8-byte numbers.
    disk = edges * (row_bytes + 16) + n_nodes * 64
    # A block of edges and a band of the index are never in memory together.
    working = max(min(edges * 120, _BLOCK_MEMORY), edges * 16)
    memory = _BASE_MEMORY + n_nodes * 400 + min(block_bytes / 2, working)
    return EdgePlan(plans, disk, memory, 3.0 + edges / EDGES_PER_SECOND)
