"""From a rule of the config and the nodes to arrays: classes, connection law, synapse law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.config import rules as schema
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
        if isinstance(law, schema.GaussianFactor) and law.mean_within:
            amplitude = _corrected(amplitude, law, at, values)
    # Classes may exist for a synapse table only; a pair with no amplitude is never looked at.
    codes, metrics, params, curves = [], [], [], [np.empty((0, 2))]
    for law, at in factors:
        if isinstance(law, schema.ProbabilityFactor | schema.AllToAll):
            continue
        if isinstance(law, schema.ProfileFactor):
            code, rows = _profile(law, at, values, curves)
        else:
            code, rows = _PARAMETERS[type(law)](law, at, values, amplitude)
        codes.append(code)
        metrics.append(laws.METRICS[getattr(law, "metric", "lateral")])
        params.append(rows)
        _check_needs(law, at, source, target, values.findings)
    block = np.zeros((*values.shape, len(codes), laws.WIDTH))
    for f, rows in enumerate(params):
        for k, matrix in enumerate(rows):
            block[:, :, f, k] = matrix
    kinds = np.array(codes, np.int64), np.array(metrics, np.int64)
    return Law(*kinds, block, amplitude, np.concatenate(curves))


def _check_needs(law, path: KeyPath, source: Side, target: Side, findings: Findings) -> None:
    angular = isinstance(law, schema.TuningFactor | schema.TuningBellFactor)
    if isinstance(law, schema.LogisticFactor):
        angular = law.tuning != 0.0
    spatial = hasattr(law, "metric") and (
        not isinstance(law, schema.LogisticFactor) or law.distance != 0.0
    )
    for name, side in (("source", source), ("target", target)):
        if angular and not side.tuned:
            findings.add(path, f"{law.law} needs tuning angles; the {name} nodes have none")
        if spatial and not set("xyz") <= set(side.frame.columns):
            findings.add(path, f"{law.law} needs positions x, y, z; the {name} nodes have none")


def corrected_amplitude(mean: np.ndarray, sigma: np.ndarray, radius: float) -> np.ndarray:
    """Peak probability from the mean within a radius, for exp(-(r/sigma)^2), not yet clipped.

    A = mean / [(sigma/R)^2 (1 - exp(-(R/sigma)^2))] (build files of Billeh et al. 2020).
    """
    ratio = (np.asarray(sigma) / radius) ** 2
    return np.asarray(mean) / (ratio * -np.expm1(-1.0 / ratio))


def _corrected(amplitude, law, path: KeyPath, values: PairValues) -> np.ndarray:
    sigma = _scale(law, path, values, amplitude)
    raw = corrected_amplitude(amplitude, sigma, law.mean_within)
    for i, j in np.argwhere(raw > 1.0):
        pair = f"{values.source.name(i)} to {values.target.name(j)}"
        message = f"probability of {pair} is {raw[i, j]:.4g} after the correction; clipped to 1"
        values.findings.add((*path, "mean_within"), message, "as published", "warning")
    return np.minimum(raw, 1.0)


def lowered_tuning(ratio: np.ndarray, amplitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Intercept B1 and slope G (per degree) of the tuning rule of Billeh et al. 2020.

    Args:
        ratio: float64. B; NaN for pairs without tuning, which get B1 = 1, G = 0.
        amplitude: float64. A; where A max(B1, B2) > 1 the larger end is lowered to 1/A and the
            smaller raised by the same amount (but to 1/A at most).
    """
    low = 2.0 / (1.0 + ratio)
    high = ratio * low
    with np.errstate(divide="ignore"):
        ceiling = np.where(amplitude > 0, 1.0 / amplitude, np.inf)
    excess = np.maximum(np.maximum(low, high) - ceiling, 0.0)
    low_first = low >= high
    low = np.where(low_first, low - excess, np.minimum(low + excess, ceiling))
    high = np.where(low_first, np.minimum(high + excess, ceiling), high - excess)
    missing = np.isnan(ratio)
    slope = np.where(missing, 0.0, (high - low) / 90.0)
    return np.where(missing, 1.0, low), slope


def _needed(matrix, amplitude, path: KeyPath, values: PairValues, fill: float) -> np.ndarray:
    """Complains about pairs that may connect but have no value."""
    missing = np.argwhere(np.isnan(matrix) & (amplitude > 0))
    if len(missing):
        i, j = missing[0]
        pair = f"{values.source.name(i)} to {values.target.name(j)}"
        values.findings.add(path, f"no value for {pair} ({len(missing)} pairs of classes)")
    return np.nan_to_num(matrix, nan=fill)


def _scale(law, path: KeyPath, values: PairValues, amplitude) -> np.ndarray:
    sigma = values.numbers(law.sigma, (*path, "sigma"), 0.0, open_low=True)
    sigma = _needed(sigma, amplitude, (*path, "sigma"), values, 1.0)
    return np.where(sigma > 0, sigma, 1.0) * (1.0 if law.convention == "sigma2" else np.sqrt(2.0))


def _gaussian(law, path, values, amplitude):
    scale = _scale(law, path, values, amplitude)
    return laws.GAUSSIAN, [scale, scale**-2.0]


def _length(code: int, name: str):
    def parameters(law, path, values, amplitude):
        matrix = values.numbers(getattr(law, name), (*path, name), 0.0, open_low=True)
        matrix = _needed(matrix, amplitude, (*path, name), values, 1.0)
        return code, [np.where(matrix > 0, matrix, 1.0)]

    return parameters


def _box(law, path, values, amplitude):
    low = values.numbers(law.low, (*path, "low"), 0.0)
    high = values.numbers(law.high, (*path, "high"), 0.0)
    low, high = (
        _needed(matrix, amplitude, (*path, name), values, 0.0)
        for name, matrix in (("low", low), ("high", high))
    )
    if (low > high).any():
        values.findings.add(path, "low is above high", "no distance is in between")
    return laws.BOX, [low, high]


def _tuning(law, path, values, amplitude):
    ratio = values.numbers(law.ratio, (*path, "ratio"), 0.0)
    intercept, slope = lowered_tuning(ratio, amplitude)
    return laws.TUNING_LINEAR, [intercept, slope, 0.0, 0.0, np.isnan(ratio) * 1.0]


def _bell(law, path, values, amplitude):
    width = values.numbers(law.width, (*path, "width"), 0.0, open_low=True)
    floor = values.numbers(law.floor, (*path, "floor"), 0.0, 1.0)
    off = np.isnan(width)
    return laws.TUNING_BELL, [
        np.where(width > 0, width, 1.0),
        np.nan_to_num(floor),
        law.fold,
        0.0,
        off * 1.0,
    ]


def _logistic(law, path, values, amplitude):
    parts = [
        _needed(
            values.numbers(getattr(law, name), (*path, name)), amplitude, (*path, name), values, 0
        )
        for name in ("intercept", "distance", "tuning")
    ]
    return laws.LOGISTIC, [*parts, law.fold]


def _profile(law, path, values, curves):
    first = sum(map(len, curves))
    curves.append(read_profile(law.file, path, values.findings))
    return laws.PROFILE, [first, first + len(curves[-1])]


_PARAMETERS = {
    schema.GaussianFactor: _gaussian,
    schema.ExponentialFactor: _length(laws.EXPONENTIAL, "length"),
    schema.LinearFactor: _length(laws.LINEAR, "reach"),
    schema.BoxFactor: _box,
    schema.TuningFactor: _tuning,
    schema.TuningBellFactor: _bell,
    schema.LogisticFactor: _logistic,
}
