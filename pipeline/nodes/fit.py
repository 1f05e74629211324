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
        strict: float64 [cells, morphologies]. Lowest score of the strict rules alone; below 0 where
            a limit is passed by more than the overshoot, the lower the further.
        optional: float64 [cells, morphologies]. Mean of the optional scores; 1 where there are none.
        unmet: int64 [rules]. Cells at which an optional rule is left out, as no morphology that is
            left meets it; 0 for strict rules.
    """

    score: np.ndarray
    strict: np.ndarray
    optional: np.ndarray
    unmet: np.ndarray


def rule_score(
    rule: PlacementRule, height: np.ndarray, extent: np.ndarray, overshoot: float
) -> np.ndarray:
    """Scores one rule for every pair of a place and a morphology.

    below: 1 - max(0, (y + y_max - limit) / overshoot), to be cut at 0. region_target: overlap of the
    wanted and the placed interval over the shorter of the two; region_occupy: over the longer.

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
        return 1.0 - np.maximum((high - rule.high) / overshoot, 0.0)
    overlap = np.maximum(np.minimum(high, rule.high) - np.maximum(low, rule.low), 0.0)
    wanted, placed = rule.high - rule.low, high - low
    length = np.minimum(wanted, placed) if rule.kind == TARGET else np.maximum(wanted, placed)
    score = np.where(np.isnan(length), np.nan, 0.0)
    return np.minimum(np.divide(overlap, length, out=score, where=length > 0), 1.0)


def fit(
    rules: Sequence[PlacementRule],
    height: np.ndarray,
    extents: dict[str, np.ndarray],
    overshoot: float,
    allowed: np.ndarray | None = None,
) -> Fit:
    """Scores all morphologies of a type at all its places.

    Strict rules (below) join by their minimum, optional ones by the harmonic mean (0 if any is
    below 1e-5); both are multiplied. A rule about a neurite that a morphology lacks says nothing of
    it. Optional rules come in their order: one that none of the morphologies meets which fit all
    before it (and the strict ones) is left out at that place and counted. So some morphology
    scores above 0 wherever one keeps the strict rules.

    Args:
        rules: The rules of the type, optional ones in order of importance.
        height: float64 [cells], y of the somata, um.
        extents: axon and dendrite: float64 [morphologies, 2] as in ``rule_score``.
        overshoot: um.
        allowed: bool [cells, morphologies], at least one per cell; the others are as if they were
            not there. None: all.

    Returns:
        The scores.
    """
    shape = (len(height), len(extents["axon"]))
    strict, total = np.ones(shape), np.zeros(shape)
    inverse, number = np.zeros(shape), np.zeros(shape)
    none = np.zeros(shape, bool)
    unmet = np.zeros(len(rules), np.int64)
    scores = [rule_score(rule, height, extents[rule.neurite], overshoot) for rule in rules]
    for rule, score in zip(rules, scores, strict=True):
        if rule.kind == BELOW:
            strict = np.fmin(strict, score)
    if allowed is not None:
        strict[~allowed] = -np.inf
    left = strict > 0
    left |= ~left.any(axis=1, keepdims=True)
    if allowed is not None:
        left &= allowed
    for index, (rule, score) in enumerate(zip(rules, scores, strict=True)):
        if rule.kind == BELOW:
            continue
        known = ~np.isnan(score)
        meets = known & (score >= NOTHING)
        met = (meets & left).any(axis=1)
        unmet[index] = len(height) - np.count_nonzero(met)
        used = known & met[:, None]
        left &= meets | ~used
        none |= used & ~meets
        score = np.where(used, score, 0.0)
        inverse += np.where(used, 1.0 / np.maximum(score, NOTHING), 0.0)
        total += score
        number += used
    some = number > 0
    optional = np.divide(total, number, out=np.ones(shape), where=some)
    harmonic = np.divide(number, inverse, out=np.ones(shape), where=some)
    score = np.maximum(strict, 0.0) * np.where(none, 0.0, harmonic)
    return Fit(score, strict, optional, unmet)


def draw(found: Fit, alpha: float, uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draws a morphology for every cell with a probability that goes with score^alpha.

    Where no morphology scores above 0, the one that comes nearest is taken: the least beyond a
    limit, then the highest mean of the optional scores; among equals each is as likely.

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
