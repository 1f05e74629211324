"""Places of the single synapses of connected pairs, keyed by what they are and not by who draws them."""

from __future__ import annotations

import numpy as np

from pipeline.cells.morphology import Morphology
from pipeline.cells.places import candidates, place
from pipeline.philox import rule_key, uniforms_array

PLACE = 7
"""Purpose of the draws, beside those of ``edges.rules.random``."""


def synapse_places(
    seed: int,
    rule: str,
    sources: np.ndarray,
    targets: np.ndarray,
    index: np.ndarray,
    shapes: np.ndarray,
    morphologies: dict[str, Morphology],
    sections: str,
    distances: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Places synapses of one rule with one set of section types and one range.

    Args:
        seed: The model's seed.
        rule: Name of the rule, with the edge population's where that tells two rules apart.
        sources: int64 [n], source node ids.
        targets: int64 [n], target node ids.
        index: int64 [n], number of the synapse within its pair.
        shapes: str [n], morphology of each target, a key of ``morphologies``.
        morphologies: Shapes by name, their axon rule applied.
        sections: Section types joined by ``+``.
        distances: um. Least and largest path distance from the soma.

    Returns:
        Section ids int32 [n] and positions on them float64 [n]; a pure function of seed, rule,
        source, target and index, and of the target's shape.

    Raises:
        MorphologyError: If a shape has no membrane in the range; names it and the rule.
    """
    key = rule_key(seed, rule)
    draws, _ = uniforms_array(key, sources, targets, PLACE, np.asarray(index, np.uint64))
    ids, x = np.zeros(len(draws), np.int32), np.zeros(len(draws))
    names, group = np.unique(np.asarray(shapes, str), return_inverse=True)
    for number, name in enumerate(names):
        rows = np.flatnonzero(group == number)
        label = f"cell model {name}, rule {rule!r}"
        membrane = candidates(morphologies[name], sections, *distances, where=label)
        ids[rows], x[rows] = place(membrane, draws[rows])
    return ids, x
