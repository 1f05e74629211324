"""What cannot work about rules, found before anything is drawn: all at once, with file and line.

Tables, selections and bounds are checked where they are read (``tables``, ``compile``,
``synapse``); here stand the checks that need the whole rule.
"""

from __future__ import annotations

import numpy as np

from pipeline.config import rules as schema
from pipeline.config.law import MOST, Factor
from pipeline.config.laws import law_of
from pipeline.config.yaml_lines import KeyPath
from pipeline.edges.rules import compiled
from pipeline.edges.rules import synapse as syn
from pipeline.edges.rules.tables import Findings

EXCITATORY_ABOVE = -50.0
"""mV. Reversal potentials of excitatory synapses lie above, of inhibitory ones below."""


def check_rule(
    config: schema.Rule,
    rule: compiled.CompiledRule,
    sides: tuple[compiled.Side, compiled.Side],
    path: KeyPath,
    findings: Findings,
) -> None:
    """Checks signs, fixed degrees and node values of one compiled rule.

    Args:
        config: The rule as written.
        rule: The rule compiled.
        sides: Source and target nodes.
        path: Its key path.
        findings: Receives problems.
    """
    _check_nodes(config, rule, sides, path, findings)
    if config.synapse.sign is not None:
        _check_sign(config.synapse, rule, (*path, "synapse"), findings)
    if rule.count is not None:
        _check_degrees(config, rule, path, findings)
    if rule.kind != compiled.LISTED and not (rule.law.amplitude > 0).any():
        findings.add((*path, "connect"), "the probability is 0 for every pair of classes")
    if rule.listed is not None and rule.skip_self:
        own = int((rule.listed.sources == rule.listed.targets).sum())
        if own:
            message = f"{own} listed pairs join a node to itself"
            findings.add((*path, "connect"), message, "set autapses: true, or remove them")
    if rule.listed is not None and not len(rule.listed.sources):
        findings.add((*path, "connect"), "no listed pair lies in the selection", level="warning")


def _check_nodes(
    config: schema.Rule,
    rule: compiled.CompiledRule,
    sides: tuple[compiled.Side, compiled.Side],
    path: KeyPath,
    findings: Findings,
) -> None:
    """Missing places and angles of selected nodes, where a law or a weight looks at them."""
    law, connected = rule.law, rule.law.amplitude > 0
    factors = [factor for factor in config.connect if isinstance(factor, Factor)]
    angular = [law_of(factor).angular and "angle" not in factor.idle() for factor in factors]
    active = (law.params[:, :, np.array(angular, bool), MOST] != 1).any(axis=2)
    active |= rule.synapse.draws.direction[:, :, 0] > 0
    active &= connected
    if config.synapse.direction and active.any() and not (sides[0].tuned and sides[1].tuned):
        findings.add((*path, "synapse", "direction"), "nodes have no tuning angles")
    for axis, (name, side, classes) in enumerate(
        zip(("source", "target"), sides, (rule.source, rule.target), strict=True)
    ):
        looks = active.any(axis=1 - axis)[np.maximum(classes.codes, 0)] & (classes.codes >= 0)
        for what, wrong in (
            ("tuning angle", looks & ~np.isfinite(side.points[:, 3])),
            ("place", (classes.codes >= 0) & ~np.isfinite(side.points[:, :3]).all(axis=1)),
        ):
            if wrong.any():
                first = int(np.flatnonzero(wrong)[0])
                message = f"{int(wrong.sum())} {name} nodes have no {what}, the first is {first}"
                findings.add((*path, "select", name), message, "give it, or select others")


def source_signs(
    sign: str | schema.SignBy, rule: compiled.CompiledRule, path: KeyPath, findings: Findings
) -> np.ndarray:
    """Sign of each source class: int64 [source classes], 1 or -1; 0 with a problem reported."""
    if isinstance(sign, str):
        return np.full(len(rule.source), 1 if sign == "excitatory" else -1)
    signs = np.zeros(len(rule.source), np.int64)
    words = {str(word): 1 for word in sign.excitatory} | {str(word): -1 for word in sign.inhibitory}
    for i, value in enumerate(rule.source.labels[sign.by]):
        signs[i] = words.get(value, 0)
        if value not in words:
            findings.add(
                (*path, "sign"), f"{sign.by} {value!r} is neither excitatory nor inhibitory"
            )
    return signs


def _check_sign(
    config: schema.Synapse, rule: compiled.CompiledRule, path: KeyPath, findings: Findings
) -> None:
    signs = source_signs(config.sign, rule, path, findings)[:, None]
    connected = rule.synapse.edge_types >= 0
    weights = _weight_signs(rule.synapse.draws)
    for kind, wrong, message in (
        (
            "current",
            weights * signs < 0,
            "weights of {pair} have the wrong sign for {sign} currents",
        ),
        ("conductance", weights < 0, "weights of {pair} are negative conductances"),
    ):
        wrong = wrong & connected & (rule.synapse.kinds == kind)
        _report(wrong, message, signs, rule, (*path, "weight"), findings)
    erev = rule.synapse.columns.get("erev")
    if erev is not None:
        values = np.array([[np.nan if v is None else float(v) for v in row] for row in erev])
        wrong = connected & np.where(
            signs > 0, values < EXCITATORY_ABOVE, (signs < 0) & (values > EXCITATORY_ABOVE)
        )
        message = "erev of {pair} does not fit an {sign} synapse"
        _report(wrong, message, signs, rule, (*path, "columns", "erev"), findings)


def _report(wrong, message, signs, rule, path: KeyPath, findings: Findings) -> None:
    places = np.argwhere(wrong)
    if len(places):
        i, j = places[0]
        sign = "excitatory" if signs[i, 0] > 0 else "inhibitory"
        pair = f"{rule.source.name(i)} to {rule.target.name(j)}"
        hint = f"{len(places)} pairs of classes"
        findings.add(path, message.format(pair=pair, sign=sign), hint)


def _weight_signs(draws: syn.Draws) -> np.ndarray:
    params = draws.params[1]
    return np.sign(params[..., 2 if draws.codes[1] == syn.LOGNORMAL else 0])


def _check_degrees(
    config: schema.Rule, rule: compiled.CompiledRule, path: KeyPath, findings: Findings
) -> None:
    index = next(i for i, law in enumerate(config.connect) if hasattr(law, "count"))
    at = (*path, "connect", index, "count")
    source, target = rule.source.counts(), rule.target.counts()
    allowed = rule.law.amplitude > 0
    pooled = rule.count.shape == (1, 1)
    own = _own(rule)
    if rule.kind == compiled.TOTAL:
        rooms, what = np.outer(source, target) - own, "pairs"
        rooms = rooms.sum(keepdims=True) if pooled else rooms
        used = np.ones_like(rooms, bool)
    else:
        inward = rule.kind == compiled.INDEGREE
        rooms = np.where(allowed, source[:, None] if inward else target[None, :], 0)
        itself = (own > 0) & allowed
        used = np.broadcast_to((target[None, :] if inward else source[:, None]) > 0, rooms.shape)
        if pooled:
            axis = 0 if inward else 1
            rooms = rooms.sum(axis=axis, keepdims=True)
            itself = itself.any(axis=axis, keepdims=True)
            used = used.any(axis=axis, keepdims=True)
        rooms, what = rooms - itself, "sources" if inward else "targets"
    count = np.broadcast_to(np.rint(rule.count), rooms.shape)
    short = used & (count > 0) & ((rooms == 0) | ((count > rooms) & (not rule.multapses)))
    if short.any():
        i, j = np.argwhere(short)[0]
        message = f"{count[i, j]:g} {what} are wanted, {rooms[i, j]:g} can be had"
        findings.add(at, message, "ask for fewer, allow multapses, or widen the selection")


def _own(rule: compiled.CompiledRule) -> np.ndarray:
    """Nodes that are both source and target and may not be paired: int64 [source, target classes]."""
    own = np.zeros((len(rule.source), len(rule.target)), np.int64)
    if rule.skip_self:
        both = np.flatnonzero((rule.source.codes >= 0) & (rule.target.codes >= 0))
        np.add.at(own, (rule.source.codes[both], rule.target.codes[both]), 1)
    return own
