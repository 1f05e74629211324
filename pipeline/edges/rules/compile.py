"""From a rule of the config and the nodes to arrays: classes, connection law, synapse law."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipeline.config import rules as schema
from pipeline.config.law import MOST, Factor
from pipeline.config.laws import LAWS, law_of
from pipeline.config.pair_values import PairTable
from pipeline.config.rule_labels import pair_tables
from pipeline.config.yaml_lines import KeyPath
from pipeline.edges.rules import laws
from pipeline.edges.rules.compiled import (
    INDEGREE,
    LISTED,
    OUTDEGREE,
    RETINOTOPIC,
    THINNED,
    TOTAL,
    CompiledRule,
    Side,
)
from pipeline.edges.rules.laws import Law
from pipeline.edges.rules.listed import one_to_one, read_listed, read_profile
from pipeline.edges.rules.retinotopic import compile_field
from pipeline.edges.rules.synapse import compile_synapse
from pipeline.edges.rules.tables import Findings, PairValues, classify, select
from pipeline.philox import rule_key

_KINDS = {
    "fixed_indegree": INDEGREE, "fixed_outdegree": OUTDEGREE, "fixed_total": TOTAL,
    "one_to_one": LISTED, "table": LISTED, "retinotopic": RETINOTOPIC,
}  # fmt: skip


def side_of(frame: pd.DataFrame, config: schema.RuleEdges) -> Side:
    """Takes coordinates and tuning angles out of a node table; absent ones are 0."""
    lateral = [axis for axis in "xyz" if axis != config.depth_axis]
    names = [lateral[0], config.depth_axis, lateral[1], config.angle]
    points = np.zeros((len(frame), 4))
    for column, name in enumerate(names):
        if name in frame:
            points[:, column] = frame[name].to_numpy(np.float64)
    return Side(frame, points, config.angle in frame)


def compile_rule(
    config: schema.RuleEdges,
    index: int,
    seed: int,
    source: Side,
    target: Side,
    findings: Findings,
) -> CompiledRule | None:
    """Compiles one rule; None when it has problems, which are then in ``findings``.

    Args:
        config: The edges.
        index: Which of the rules.
        seed: The model's seed.
        source: Source nodes.
        target: Target nodes.
        findings: Receives problems.
    """
    rule, path = config.rules[index], ("rules", index)
    before = len(findings.errors())
    source_classes, target_classes = _classes(rule, path, source, target, findings)
    if len(findings.errors()) > before:
        return None
    values = PairValues(source_classes, target_classes, findings)
    law = _law(rule, path, values, source, target)
    field = None
    if isinstance(rule.connect[0], schema.RetinotopicConnect):
        at = (*path, "connect", 0)
        field = compile_field(rule.connect[0], at, values, source, target)
        if field is None:
            return None
        law = law._replace(amplitude=law.amplitude * (field.chances() > 0))
    synapse = compile_synapse(rule.synapse, (*path, "synapse"), values, law.amplitude)
    whole = next((law for law in rule.connect if law.law in _KINDS), None)
    compiled = CompiledRule(
        rule.name, _KINDS[whole.law] if whole else THINNED, rule_key(seed, rule.name),
        source_classes, target_classes, law, synapse,
        skip_self=config.source == config.target and not rule.autapses, field=field,
    )  # fmt: skip
    if whole is not None and field is None:
        at = (*path, "connect", rule.connect.index(whole))
        compiled = _with_whole(compiled, whole, at, values)
    return compiled if len(findings.errors()) == before else None


def _with_whole(rule: CompiledRule, whole, path: KeyPath, values: PairValues) -> CompiledRule:
    findings = values.findings
    if isinstance(whole, schema.OneToOne):
        return replace(rule, listed=one_to_one(rule.source, rule.target, path, findings))
    if isinstance(whole, schema.TableConnect):
        sizes = (len(rule.source.codes), len(rule.target.codes))
        listed = read_listed(whole.file, sizes, path, findings)
        if listed is not None:
            listed = listed.within(rule.source.codes, rule.target.codes)
        return replace(rule, listed=listed)
    count = values.numbers(whole.count, (*path, "count"), 0.0)
    if not isinstance(whole.count, PairTable):
        count = count[:1, :1]
    return replace(rule, count=np.nan_to_num(count), multapses=whole.multapses)


def _classes(rule, path: KeyPath, source: Side, target: Side, findings: Findings):
    found: tuple[dict[str, KeyPath], dict[str, KeyPath]] = ({}, {})
    for table, at in pair_tables(rule, path):
        found[0].setdefault(table.source_by, (*at, "source_by"))
        found[1].setdefault(table.target_by, (*at, "target_by"))
        if table.column_by:
            found[1].setdefault(table.column_by, (*at, "column_by"))
    for index, law in enumerate(rule.connect):
        if isinstance(law, schema.RetinotopicConnect) and law.by:
            found[1].setdefault(law.by, (*path, "connect", index, "by"))
    sign = rule.synapse.sign
    if isinstance(sign, schema.SignBy):
        found[0].setdefault(sign.by, (*path, "synapse", "sign", "by"))
    sides = []
    for name, side, wanted, attributes in (
        ("source", source, rule.select.source, found[0]),
        ("target", target, rule.select.target, found[1]),
    ):
        chosen = select(side.frame, wanted, (*path, "select", name), findings)
        sides.append(classify(side.frame, chosen, attributes, findings))
    return sides


def _law(rule, path: KeyPath, values: PairValues, source: Side, target: Side) -> Law:
    factors = [
        (law, (*path, "connect", i)) for i, law in enumerate(rule.connect) if law.law not in _KINDS
    ]
    amplitude = np.ones(values.shape)
    for law, at in factors:
        if isinstance(law, schema.ProbabilityFactor):
            amplitude *= np.nan_to_num(values.numbers(law.value, (*at, "value"), 0.0, 1.0))
    for law, at in factors:
        if getattr(law, "mean_within", None):
            amplitude = _corrected(amplitude, law, at, values)
    # Classes may exist for a synapse table only; a pair with no amplitude is never looked at.
    codes, metrics, params, curves = [], [], [], [np.empty((0, 2))]
    for law, at in factors:
        if isinstance(law, Factor):
            codes.append(LAWS.index(law_of(law)))
            metrics.append(laws.METRICS[getattr(law, "metric", "lateral")])
            params.append(law.parameters(FactorKeys(law, at, values, amplitude, curves)))
            _check_needs(law, at, source, target, values.findings)
    kinds = np.array(codes, np.int64), np.array(metrics, np.int64)
    return Law(*kinds, _block(params, values.shape), amplitude, np.concatenate(curves))


def _block(params: list[list], shape: tuple[int, int]) -> np.ndarray:
    """Parameters as ``Law.params`` has them."""
    block = np.zeros((*shape, len(params), laws.WIDTH))
    for f, rows in enumerate(params):
        for k, matrix in enumerate(rows):
            block[:, :, f, k] = matrix
    off = np.isnan(block)
    block[off] = 0.0
    block[..., MOST] = off.any(axis=3)
    return block


def _check_needs(law, path: KeyPath, source: Side, target: Side, findings: Findings) -> None:
    kind, idle = law_of(law), law.idle()
    angular = kind.angular and "angle" not in idle
    spatial = kind.spatial and "distance" not in idle
    for name, side in (("source", source), ("target", target)):
        if angular and not side.tuned:
            findings.add(path, f"{law.law} needs tuning angles; the {name} nodes have none")
        if spatial and not set("xyz") <= set(side.frame.columns):
            findings.add(path, f"{law.law} needs positions x, y, z; the {name} nodes have none")


def _corrected(amplitude, law, path: KeyPath, values: PairValues) -> np.ndarray:
    raw = law.peaks(FactorKeys(law, path, values, amplitude, []))
    for i, j in np.argwhere(raw > 1.0):
        pair = f"{values.source.name(i)} to {values.target.name(j)}"
        message = f"probability of {pair} is {raw[i, j]:.4g} after the correction; clipped to 1"
        values.findings.add((*path, "mean_within"), message, "as published", "warning")
    return np.minimum(raw, 1.0)


@dataclass(frozen=True)
class FactorKeys:
    """Reads the keys of one factor; what it offers a law stands in ``pipeline.config.law.Keys``.

    Attributes:
        factor: The factor as written.
        path: Its key path.
        values: Classes of the rule.
        amplitude: float64 [source classes, target classes].
        curves: float64 [rows, 2] of every curve read so far.
    """

    factor: Factor
    path: KeyPath
    values: PairValues
    amplitude: np.ndarray
    curves: list[np.ndarray]

    def numbers(
        self, name: str, low: float = -np.inf, high: float = np.inf, *,
        above: bool = False, missing: float | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Reads a number or a table: float64 [source classes, target classes]."""
        at, value = (*self.path, name), getattr(self.factor, name)
        matrix = self.values.numbers(value, at, low, high, open_low=above)
        absent = np.isnan(matrix)
        wanted = np.argwhere(absent & (self.amplitude > 0))
        if missing is None and len(wanted):
            i, j = wanted[0]
            pair = f"{self.values.source.name(i)} to {self.values.target.name(j)}"
            self.complain(name, f"no value for {pair} ({len(wanted)} pairs of classes)")
        # Pairs that cannot connect, and what was complained about, only have to be computable.
        usable = (matrix > low if above else matrix >= low) & (matrix <= high)
        fill = np.where(absent, 1.0 if missing is None else missing, 1.0)
        return np.where(usable, matrix, fill)

    def curve(self, name: str) -> tuple[int, int]:
        """Reads a curve; its first row among all curves, and the one after its last."""
        first = sum(map(len, self.curves))
        path, findings = self.path, self.values.findings
        self.curves.append(read_profile(getattr(self.factor, name), path, findings))
        return first, first + len(self.curves[-1])

    def complain(self, name: str, message: str, hint: str = "", level: str = "error") -> None:
        """Adds a problem of a key."""
        at = (*self.path, name) if name else self.path
        self.values.findings.add(at, message, hint, level)
