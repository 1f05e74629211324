"""What rules say the circuit will look like, as tables beside it: the measure of the analysis.

The laws are integrated over the actual places: some cells of every class, taken in equal steps of
their distance from the middle, against all cells of the other side. Small circuits are integrated
whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numba import prange

from pipeline.config.law import MOST
from pipeline.config.laws import LAWS
from pipeline.config.rule_labels import (
    PLAN_TABLES,
    distance_bins,
    label_attributes,
    labels_of,
    near_radius,
)
from pipeline.edges.rules import synapse as syn
from pipeline.edges.rules.build import Builder, Network
from pipeline.edges.rules.compiled import LISTED, THINNED, CompiledRule, Side
from pipeline.edges.rules.laws import Law, angle_between, pair_probability
from pipeline.kernels import kernel
from pipeline.runtime import write_text
from pipeline.sonata.layout import CircuitPaths

TARGETS = 1600
"""Cells of a side over which laws are integrated."""
_TAIL = 1e-9


@dataclass(frozen=True)
class Labels:
    """Classes of both sides, as the analysis will call them.

    Attributes:
        source: int64 [sources]. Class of each source.
        target: int64 [targets].
        source_names: Their names.
        target_names: Their names.
    """

    source: np.ndarray
    target: np.ndarray
    source_names: list[str]
    target_names: list[str]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.source_names), len(self.target_names)


def labels(network: Network) -> Labels:
    """Classes of the nodes of a network."""
    attributes = label_attributes(network.config)
    source, source_names = labels_of(network.source.frame, attributes[0])
    target, target_names = labels_of(network.target.frame, attributes[1])
    return Labels(source, target, source_names, target_names)


def sampled_targets(points: np.ndarray, codes: np.ndarray, most: int) -> np.ndarray:
    """Targets of every class at equal steps of their lateral distance from the middle.

    Args:
        points: float64 [n, 4]. Lateral, depth, lateral coordinate (um), angle.
        codes: int64 [n]. Class of each.
        most: Targets in all, at least one per class.

    Returns:
        int64, ascending.
    """
    lateral = points[:, [0, 2]]
    radius = np.hypot(*(lateral - lateral.mean(axis=0)).T) if len(points) else np.empty(0)
    chosen = []
    known = np.unique(codes)
    for code in known:
        members = np.flatnonzero(codes == code)
        members = members[np.argsort(radius[members], kind="stable")]
        n = min(len(members), max(1, most // len(known)))
        chosen.append(members[(2 * np.arange(n) + 1) * len(members) // (2 * n)])
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)


@kernel(parallel=True)
def _integrate(
    law, sources, source_codes, labels, targets, target_codes, chosen, same, skip, width,
    possible, expected,
):  # fmt: skip
    """Fills possible and expected pairs [chosen, source labels, bins + 1]; the last bin is beyond.

    Without positions every distance is 0 and the first bin holds all.
    """
    bins = possible.shape[2] - 1
    for i in prange(len(chosen)):
        t = chosen[i]
        ct = target_codes[t]
        x, y, z, angle = targets[t, 0], targets[t, 1], targets[t, 2], targets[t, 3]
        for s in range(len(sources)):
            if same and skip and s == t:
                continue
            dx, dy, dz = x - sources[s, 0], y - sources[s, 1], z - sources[s, 2]
            b = min(int(np.sqrt(dx * dx + dz * dz) / width), bins)
            possible[i, labels[s], b] += 1.0
            cs = source_codes[s]
            if cs >= 0 and ct >= 0 and law.amplitude[cs, ct] > 0.0:
                difference = angle_between(angle, sources[s, 3])
                p = pair_probability(law, cs, ct, dx, dy, dz, difference)
                expected[i, labels[s], b] += p


def integrate_both(
    rule: CompiledRule, source: Side, target: Side, names: Labels, width: float, bins: int,
    same: bool, most: int = TARGETS,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """As ``integrate``, sampling for each class pair the side with fewer cells.

    A sampled cell of a rare class sees many of the other; the other way round it would see few, and
    where those happen to lie would matter.
    """
    found = integrate(rule, source, target, names, width, bins, same, most)
    if min(len(source.points), len(target.points)) <= most // max(names.shape):
        return found
    turned = replace(rule, source=rule.target, target=rule.source, law=rule.law.swapped())
    other = Labels(names.target, names.source, names.target_names, names.source_names)
    swapped = integrate(turned, target, source, other, width, bins, same, most)
    sizes = [np.bincount(codes, minlength=n) for codes, n in
             zip((names.source, names.target), names.shape, strict=True)]  # fmt: skip
    rare = (sizes[0][:, None] < sizes[1])[:, :, None]
    return tuple(
        np.where(rare, b.transpose(1, 0, 2), a) for a, b in zip(found, swapped, strict=True)
    )


def integrate(
    rule: CompiledRule, source: Side, target: Side, names: Labels, width: float, bins: int,
    same: bool, most: int = TARGETS,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Sums a rule's law over pairs of nodes.

    Args:
        rule: The rule.
        source: Source nodes.
        target: Target nodes.
        names: Their classes.
        width: Of a distance bin, um.
        bins: Their number.
        same: Whether both sides are one population.
        most: Targets to look at.

    Returns:
        Possible and expected pairs, both float64 [source classes, target classes, bins + 1].
    """
    # Laws may look at finer classes than the labels; both must be represented.
    joint = names.target * (len(rule.target) + 1) + rule.target.codes + 1
    chosen = sampled_targets(target.points, joint, most)
    every, sample = np.bincount(joint), np.bincount(joint[chosen], minlength=joint.max() + 1)
    factor = every[joint[chosen]] / sample[joint[chosen]]
    sums = np.zeros((2, *names.shape, bins + 1))
    step = max(1, (1 << 22) // (names.shape[0] * (bins + 1)))
    for low in range(0, len(chosen), step):
        part = chosen[low : low + step]
        found = np.zeros((2, len(part), names.shape[0], bins + 1))
        _integrate(
            rule.law, source.points, rule.source.codes, names.source, target.points,
            rule.target.codes, part, same, rule.skip_self, width, found[0], found[1],
        )  # fmt: skip
        weight = factor[low : low + step]
        for t in range(names.shape[1]):
            mine = names.target[part] == t
            sums[:, :, t] += np.tensordot(found[:, mine], weight[mine], axes=(1, 0))
    return sums[0], sums[1]


def _listed(rule: CompiledRule, source: Side, target: Side, names: Labels, width: float, bins: int):
    """Pairs of a list by class and distance: float64 [source classes, target classes, bins + 1]."""
    s, t = rule.listed.sources, rule.listed.targets
    offset = target.points[t][:, [0, 2]] - source.points[s][:, [0, 2]]
    places = np.minimum((np.hypot(*offset.T) / width).astype(np.int64), bins)
    found = np.zeros((*names.shape, bins + 1))
    np.add.at(found, (names.source[s], names.target[t], places), 1.0)
    return found


def _by_label(pairs: np.ndarray, rule: CompiledRule, names: Labels) -> np.ndarray:
    """Expected edges per class pair of a rule, summed to the labels."""
    shares = []
    for classes, codes, size in (
        (rule.source, names.source, names.shape[0]), (rule.target, names.target, names.shape[1])
    ):  # fmt: skip
        inside = classes.codes >= 0
        share = np.zeros((len(classes), size))
        np.add.at(share, (classes.codes[inside], codes[inside]), 1.0)
        shares.append(share / np.maximum(share.sum(axis=1, keepdims=True), 1.0))
    return shares[0].T @ pairs @ shares[1]


def synapse_numbers(rule: CompiledRule, pairs: np.ndarray) -> dict[int, float]:
    """Expected pairs by their number of synapses.

    Args:
        rule: The rule.
        pairs: float64 [source classes, target classes]. Expected pairs.
    """
    if rule.listed is not None and "nsyns" in rule.listed.values:
        values, counts = np.unique(rule.listed.values["nsyns"], return_counts=True)
        return {int(v): float(n) for v, n in zip(values, counts, strict=True)}
    from scipy.stats import poisson

    draws, found = rule.synapse.draws, {}
    code, (first, second) = int(draws.codes[0]), np.moveaxis(draws.params[0, :, :, :2], -1, 0)
    keys = np.stack([first[pairs > 0], second[pairs > 0]], axis=1)
    for a, b in np.unique(keys, axis=0):
        total = float(pairs[(first == a) & (second == b)].sum())
        if code == syn.POISSON:
            top = int(poisson.isf(_TAIL, a))
            parts = {int(b) + k: poisson.pmf(k, a) for k in range(top + 1)}
        elif code == syn.UNIFORM_INTEGER:
            parts = {k: 1 / (b - a + 1) for k in range(int(a), int(b) + 1)}
        else:
            parts = {int(a): 1.0}
        for value, share in parts.items():
            found[value] = found.get(value, 0.0) + total * float(share)
    return found


def _kernel(law: Law, cs: int, ct: int) -> tuple[str, ...]:
    """The distance factors of a class pair in words."""
    found = []
    for f, code in enumerate(law.codes):
        kind = LAWS[code]
        if kind.spatial and law.params[cs, ct, f, MOST] != 1.0:
            shown = kind.count if kind.model.SHOWN is None else kind.model.SHOWN
            values = " ".join(f"{v:g}" for v in law.params[cs, ct, f, :shown])
            found.append(f"{kind.name.replace('_', ' ')} {values}".strip())
    return tuple(found)


def kernels(network: Network, names: Labels) -> np.ndarray:
    """Distance law of each pair of labels in words: objects [source classes, target classes].

    Pairs that no rule connects have an empty text.
    """
    found = np.full(names.shape, "", object)
    for rule in network.rules:
        sources, targets = _memberships(rule, names)
        for cs, ls in sources:
            for ct, lt in targets:
                if rule.law.amplitude[cs, ct] > 0:
                    known = dict.fromkeys(filter(None, found[ls, lt].split("; ")))
                    text = " x ".join(_kernel(rule.law, cs, ct)) or "any distance"
                    found[ls, lt] = "; ".join([*known, *([] if text in known else [text])])
    return found


def _memberships(rule: CompiledRule, names: Labels) -> list[np.ndarray]:
    """Which class of the rule has which label, for both sides: int64 [n, 2]."""
    return [
        np.unique(np.stack([side.codes, codes], axis=1)[side.codes >= 0], axis=0)
        for side, codes in ((rule.source, names.source), (rule.target, names.target))
    ]


def amplitudes(network: Network, names: Labels) -> np.ndarray:
    """Peak probability of each pair of labels; NaN where rules or finer classes differ.

    Returns:
        float64 [source classes, target classes].
    """
    low, high = np.full(names.shape, np.inf), np.full(names.shape, -np.inf)
    for rule in network.rules:
        if rule.kind != THINNED:
            return np.full(names.shape, np.nan)
        s, t = _memberships(rule, names)
        values = rule.law.amplitude[np.ix_(s[:, 0], t[:, 0])]
        at = np.ix_(s[:, 1], t[:, 1])
        np.minimum.at(low, at, values)
        np.maximum.at(high, at, values)
    return np.where(low == high, low, np.nan)


def expectation(network: Network, most: int = TARGETS) -> dict[str, pd.DataFrame]:
    """Expected structure of one edge population.

    Args:
        network: The compiled rules.
        most: Targets over which laws are integrated.

    Returns:
        By the endings of ``PLAN_TABLES``. "": source, target, possible, expected_pairs,
        expected_synapses, possible_near, expected_near (pairs within the radius), amplitude, kernel.
        "_profile": kernel, source, target, low_um, high_um, possible, expected; the last bin of a
        pair is beyond all, and nodes without positions have none. "_synapses": nsyns, expected_pairs.
    """
    names, (width, bins) = labels(network), distance_bins(network.config)
    same = network.config.source == network.config.target
    placed = all(set("xyz") <= set(side.frame) for side in (network.source, network.target))
    near = round(near_radius(network.config) / width) if placed else 0
    width = width if placed else np.inf
    plans = Builder(network).expected().rules
    shape = (*names.shape, bins + 1)
    possible, expected, synapses = np.zeros(shape), np.zeros(shape), np.zeros(names.shape)
    numbers: dict[int, float] = {}
    sides = network.source, network.target
    for rule, plan in zip(network.rules, plans, strict=True):
        possible, found = integrate_both(rule, *sides, names, width, bins, same, most)
        planned = _by_label(plan.pairs, rule, names)
        if rule.kind == LISTED:
            found = _listed(rule, *sides, names, width, bins)
        elif rule.kind != THINNED:
            found *= _quotient(planned, found.sum(axis=2))[:, :, None]
        for value, pairs in synapse_numbers(rule, plan.pairs).items():
            numbers[value] = numbers.get(value, 0.0) + pairs
        per_pair = _quotient(_by_label(_synapses(rule, plan.pairs), rule, names), planned)
        synapses += found.sum(axis=2) * per_pair
        expected += found
    table = _grid(names) | {
        "possible": possible.sum(axis=2), "expected_pairs": expected.sum(axis=2),
        "expected_synapses": synapses, "possible_near": possible[:, :, :near].sum(axis=2),
        "expected_near": expected[:, :, :near].sum(axis=2),
        "amplitude": amplitudes(network, names), "kernel": kernels(network, names),
    }  # fmt: skip
    whole = pd.DataFrame({name: np.ravel(values) for name, values in table.items()})
    profile = _profile(whole, possible, expected, width if placed else 1.0)
    profile = profile if placed else profile.iloc[:0]
    counted = pd.DataFrame(sorted(numbers.items()), columns=["nsyns", "expected_pairs"])
    return dict(zip(PLAN_TABLES, (whole, profile, counted), strict=True))


def _quotient(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, 0 where whole is 0."""
    return np.divide(part, whole, where=whole > 0, out=np.zeros(whole.shape))


def _synapses(rule: CompiledRule, pairs: np.ndarray) -> np.ndarray:
    """Expected synapses per class pair of a rule."""
    if rule.listed is not None and "nsyns" in rule.listed.values:
        return pairs * float(np.mean(rule.listed.values["nsyns"])) if pairs.any() else pairs
    draws = rule.synapse.draws
    first, second = np.moveaxis(draws.params[0, :, :, :2], -1, 0)
    mean = {syn.UNIFORM_INTEGER: (first + second) / 2, syn.POISSON: first + second}
    return pairs * mean.get(int(draws.codes[0]), first)


def _grid(names: Labels) -> dict[str, np.ndarray]:
    source, target = np.meshgrid(names.source_names, names.target_names, indexing="ij")
    return {"source": source, "target": target}


def _profile(whole: pd.DataFrame, possible, expected, width: float) -> pd.DataFrame:
    """Bins that hold pairs, in the order of ``whole``."""
    pairs, bins = len(whole), possible.shape[2]
    row, place = np.nonzero(possible.reshape(pairs, bins))
    edges = np.append(np.arange(bins) * width, np.inf)
    frame = whole[["kernel", "source", "target"]].iloc[row].reset_index(drop=True)
    return frame.assign(
        low_um=edges[place], high_um=edges[place + 1],
        possible=possible.reshape(pairs, bins)[row, place],
        expected=expected.reshape(pairs, bins)[row, place],
    )  # fmt: skip


def write_expectation(network: Network, name: str, paths: CircuitPaths) -> None:
    """Writes ``analysis/plan_<name>*.csv`` for the analysis of one edge config."""
    for tail, table in expectation(network).items():
        text = table.to_csv(index=False, float_format="%.9g", lineterminator="\n")
        write_text(paths.analysis(f"plan_{name}{tail}"), text)
