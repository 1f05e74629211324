"""Path distances along a cell, for densities that change with them; no simulator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.cells.morphology import Morphology
from pipeline.config.distributions import Distribution


def section_starts(morphology: Morphology, soma_attach: float) -> np.ndarray:
    """Returns the path distance of each section's 0 end: float64 [sections], um.

    Distance is counted from the soma's 0 end, where published e-models count from: a neurite on
    the soma starts at ``soma_attach`` times the soma's length.
    """
    starts = np.zeros(len(morphology.sections))
    attach = soma_attach * morphology.sections[0].length
    for index, section in enumerate(morphology.sections[1:], start=1):
        parent = morphology.sections[section.parent]
        starts[index] = attach if section.parent == 0 else starts[section.parent] + parent.length
    return starts


def mean_factor(
    morphology: Morphology, inside: Sequence[int], law: Distribution, soma_attach: float
) -> float:
    """Returns the mean of a law over the membrane of some sections, weighed by area.

    Args:
        morphology: The cell.
        inside: Section ids.
        law: The law; integrated over each frustum by Simpson's rule.
        soma_attach: Where neurites attach on the soma, 0 to 1.
    """
    starts = section_starts(morphology, soma_attach)
    total = area = 0.0
    for index in inside:
        section = morphology.sections[index]
        radii, away = section.diameters / 2, starts[index] + section.arc
        slant = np.hypot(np.diff(away), np.diff(radii))
        middle = (radii[1:] + radii[:-1]) / 2
        ends, inner = radii * law.factor(away), law.factor((away[1:] + away[:-1]) / 2)
        total += float(slant @ (ends[1:] + ends[:-1] + 4 * middle * inner)) / 6
        area += float(slant @ middle)
    return total / area if area else 0.0
