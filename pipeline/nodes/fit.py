"""How well morphologies fit the places of somata: scores of placement rules, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.config.placement_rules import BELOW, TARGET, PlacementRule

NOTHING = 1e-5
"""An optional score below this is none (BlueBrain/placement-algorithm, as in blue-brain.md 1.2)."""


@dataclass(frozen=True)
class Fit:
    """Scores of the morphologies of one type at the places of its cells.

    Attributes:
        score: float64 [cells, morphologies], 0 to 1.
        strict: float64 [cells, morphologies]. Lowest score of the strict rules alone.
        optional: float64 [cells, morphologies]. Mean of the optional scores; 1 where there are none.
        unmet: int64 [rules]. Cells at which no morphology meets an optional rule at all, so that
            it is left out there; 0 for strict rules.
    """

    score: np.ndarray
    strict: np.ndarray
    optional: np.ndarray
    unmet: np.ndarray


def rule_score(
    rule: PlacementRule, height: np.ndarray, extent: np.ndarray, overshoot: float
) -> np.ndarray:
    """Scores one rule for every pair of a place and a morphology.

    below: 1 - clip((y + y_max - limit) / overshoot, 0, 1). region_target: overlap of the wanted and
    the placed interval over the shorter of the two; region_occupy: over the longer.

    Args:
        rule: The rule.
        height: float64 [cells], y of the somata, um.
        extent: float64 [morphologies, 2], lowest and highest y of the neurite relative to the soma,
            um; NaN where a morphology has none of it.
        overshoot: um.

    Returns:
        float64 [cells, morphologies]; NaN where the morphology does not have the neurite.
    """
    low, high = (height[:, None] + extent[None, :, end] for end in (0, 1))
    if rule.kind == BELOW:
        return 1.0 - np.clip((high - rule.high) / overshoot, 0.0, 1.0)
    overlap = np.clip(np.minimum(high, rule.high) - np.maximum(low, rule.low), 0.0, None)
    wanted, placed = rule.high - rule.low, high - low
    length = np.minimum(wanted, placed) if rule.kind == TARGET else np.maximum(wanted, placed)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(length > 0, np.minimum(overlap / length, 1.0), np.where(
            np.isnan(length), np.nan, 0.0))  # fmt: skip


def fit(
    rules: Sequence[PlacementRule],
    height: np.ndarray,
    extents: dict[str, np.ndarray],
    overshoot: float,
) -> Fit:
    """Scores all morphologies of a type at all its places.

    Strict rules (below) join by their minimum, optional ones by the harmonic mean (0 if any is
    below 1e-5); both are multiplied. A rule about a neurite that a morphology lacks says nothing of
    it. An optional rule that no morphology meets at a place cannot choose between them: it is left
    out there and counted.

    Args:
        rules: The rules of the type.
        height: float64 [cells], y of the somata, um.
        extents: axon and dendrite: float64 [morphologies, 2] as in ``rule_score``.
        overshoot: um.

    Returns:
        The scores.
    """
    shape = (len(height), len(extents["axon"]))
    strict, total = np.ones(shape), np.zeros(shape)
    inverse, number = np.zeros(shape), np.zeros(shape)
    none = np.zeros(shape, bool)
    unmet = np.zeros(len(rules), np.int64)
    for index, rule in enumerate(rules):
        score = rule_score(rule, height, extents[rule.neurite], overshoot)
        known = ~np.isnan(score)
        if rule.kind == BELOW:
            strict = np.where(known, np.minimum(strict, score), strict)
            continue
        met = (known & (score >= NOTHING)).any(axis=1)
        unmet[index] = len(height) - np.count_nonzero(met)
        used = known & met[:, None]
        score = np.where(used, score, 1.0)
        none |= score < NOTHING
        inverse += np.where(used, 1.0 / np.maximum(score, NOTHING), 0.0)
        total += np.where(used, score, 0.0)
        number += used
    some = number > 0
    optional = np.divide(total, number, out=np.ones(shape), where=some)
    harmonic = np.divide(number, inverse, out=np.ones(shape), where=some)
    return Fit(strict * np.where(none, 0.0, harmonic), strict, optional, unmet)


def draw(found: Fit, alpha: float, uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draws a morphology for every cell with a probability that goes with score^alpha.

    Where no morphology scores above 0, the one that comes nearest is taken: highest strict score,
    then highest mean of the optional ones; among equals each is as likely.

    Args:
        found: The scores.
        alpha: Exponent.
        uniforms: float64 [cells] in (0, 1).

    Returns:
        int64 [cells], the morphology; bool [cells], whether none fitted.
    """
    weights = found.score**alpha
    unfit = ~(weights > 0).any(axis=1)
    if unfit.any():
        strict, optional = found.strict[unfit], found.optional[unfit]
        best = strict == strict.max(axis=1, keepdims=True)
        optional = np.where(best, optional, -1.0)
        weights[unfit] = best & (optional == optional.max(axis=1, keepdims=True))
    bounds = np.cumsum(weights, axis=1)
    chosen = (uniforms[:, None] * bounds[:, -1:] >= bounds).sum(axis=1)
    # The last one with a weight takes what rounding puts beyond the end.
    last = weights.shape[1] - 1 - np.argmax((weights > 0)[:, ::-1], axis=1)
    return np.minimum(chosen, last), unfit
