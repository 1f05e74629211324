"""Where synapses sit on a cell: uniform by membrane area over section types within a path distance.

The rule of the biophysical V1 model (Billeh et al. 2020): a class pair names section types and a
range of path distance from the soma. Here a place is drawn on the exact frusta of the morphology,
so it depends on no number of segments; a simulator puts it into the segment that covers it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.cells.morphology import SOMA, Morphology
from pipeline.errors import MorphologyError, Problem

PARTS = ("soma", "axon", "dend", "apic")


@dataclass(frozen=True)
class Candidates:
    """Membrane on which a synapse may sit: frusta in the order of section ids.

    Attributes:
        section: int32 [n], section id.
        start: float64 [n], normalised position on the section where the frustum starts.
        stop: float64 [n], where it ends.
        radii: float64 [n, 2], um, at start and stop.
        cumulative: float64 [n], um2, membrane area up to the frustum's end.
    """

    section: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    radii: np.ndarray
    cumulative: np.ndarray

    @property
    def area(self) -> float:
        """Membrane area of all candidates, um2."""
        return float(self.cumulative[-1])


def split_parts(sections: str) -> tuple[str, ...]:
    """Reads section types as a rule writes them, such as ``dend+apic``.

    Raises:
        MorphologyError: For a word that is no section type.
    """
    parts = tuple(word.strip() for word in sections.split("+"))
    unknown = [word for word in parts if word not in PARTS]
    if unknown:
        message = f"unknown section type {unknown[0]!r} in {sections!r}"
        raise MorphologyError(Problem("sections", message, f"known: {', '.join(PARTS)}, with +"))
    return parts


def path_distances(morphology: Morphology) -> np.ndarray:
    """Path distance of every section's start: float64 [sections], um.

    0 on the soma, and where a neurite leaves it.
    """
    starts = np.zeros(len(morphology.sections))
    for index, section in enumerate(morphology.sections):
        if section.parent > 0:
            starts[index] = starts[section.parent] + morphology.sections[section.parent].length
    return starts


def candidates(
    morphology: Morphology, sections: str, nearest: float, farthest: float, where: str = ""
) -> Candidates:
    """Lists the membrane of some section types within a range of path distance.

    Args:
        morphology: The cell, its axon rule applied.
        sections: Section types joined by ``+``.
        nearest: um. The soma counts as 0.
        farthest: um; may be infinite.
        where: Cell model and rule, for the message.

    Raises:
        MorphologyError: If there is no such membrane.
    """
    parts, starts = split_parts(sections), path_distances(morphology)
    rows = []
    for index, section in enumerate(morphology.sections):
        if section.section_list not in parts:
            continue
        arc, radii = section.arc, section.diameters / 2
        low, high = nearest - starts[index], farthest - starts[index]
        if section.kind == SOMA:  # as a whole at distance 0
            low, high = (0.0, section.length) if nearest <= 0 <= farthest else (np.inf, np.inf)
        begin, end = np.maximum(arc[:-1], low), np.minimum(arc[1:], high)
        kept = end > begin
        if kept.any():
            begin, end = begin[kept], end[kept]
            first, last = np.interp(begin, arc, radii), np.interp(end, arc, radii)
            slant = np.hypot(end - begin, last - first)
            area = np.pi * (first + last) * slant
            ids = np.full(len(begin), index)
            rows.append(
                np.stack([ids, begin / section.length, end / section.length, first, last, area])
            )
    if not rows:
        place = where or f"morphology {morphology.name}"
        message = f"no {sections} membrane of {morphology.name} lies {nearest:g} to {farthest:g} um"
        hint = "widen distance_min and distance_max, or change sections, of the rule"
        raise MorphologyError(Problem(place, f"{message} from the soma", hint))
    ids, start, stop, first, last, area = np.concatenate(rows, axis=1)
    radii = np.stack([first, last], axis=1)
    return Candidates(ids.astype(np.int32), start, stop, radii, np.cumsum(area))


def place(where: Candidates, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turns uniform numbers into places, uniform by membrane area.

    Args:
        where: The membrane.
        draws: float64 [n] in [0, 1).

    Returns:
        Section ids int32 [n] and normalised positions on their sections float64 [n].
    """
    goal = np.asarray(draws, np.float64) * where.area
    index = np.searchsorted(where.cumulative, goal, side="right")
    index = np.minimum(index, len(where.cumulative) - 1)
    before = np.where(index > 0, where.cumulative[index - 1], 0.0)
    share = (goal - before) / (where.cumulative[index] - before)
    first, last = where.radii[index].T
    # Area grows as the integral of the radius; this form of the root needs no unequal radii.
    root = np.sqrt(first**2 + share * (last**2 - first**2))
    along = np.clip(share * (first + last) / (first + root), 0.0, 1.0)
    start, stop = where.start[index], where.stop[index]
    return where.section[index], np.clip(start + along * (stop - start), start, stop)
