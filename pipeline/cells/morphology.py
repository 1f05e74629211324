"""Morphologies as plain arrays: read by MorphIO, discretised without a simulator.

Section ids follow SONATA: 0 is the soma, neurite sections are MorphIO's id + 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from pipeline.config.emodel import EModel, Membrane
from pipeline.config.schema import DLambda, FixedLength, OddLength
from pipeline.errors import MorphologyError, Problem
from pipeline.sonata.shape_files import EXPORT, open_shape, unusable

SOMA, AXON, DEND, APIC, MYELIN = 1, 2, 3, 4, 5
"""SWC types; myelin is no type of a file, only of what an axon rule adds."""
STUB_LENGTH, STUB_DIAMETER = 30.0, 1.0
"""um. Each of the two sections that replace an axon (Gouwens et al. 2018, perisomatic models)."""
STUB_PIECES = 5
"""Pieces of a section of the stub that follows an axon, and its nseg (Reva et al. 2023)."""
MYELIN_LENGTH = 1000.0
"""um. Of the myelinated section behind the stub (Reva et al. 2023, Patterns 4:100855)."""

_LIST_OF_TYPE = {SOMA: "soma", AXON: "axon", DEND: "dend", APIC: "apic", MYELIN: "myelin"}


@dataclass(frozen=True)
class Section:
    """One unbranched piece.

    Attributes:
        kind: SWC type: 1 soma, 2 axon, 3 basal, 4 apical; 5 myelin.
        parent: Section id of the parent; -1 for the soma.
        points: float64 [n, 3], um.
        diameters: float64 [n], um.
        segments: Its nseg, where the axon rule says it; 0: the discretisation does.
    """

    kind: int
    parent: int
    points: np.ndarray
    diameters: np.ndarray
    segments: int = 0

    @cached_property
    def arc(self) -> np.ndarray:
        """Path length from the section's start at every point: float64 [n], um."""
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    @property
    def length(self) -> float:
        """Path length, um."""
        return float(self.arc[-1])

    @property
    def area(self) -> float:
        """Lateral membrane area of the frusta, um2."""
        radii = self.diameters / 2
        slant = np.hypot(np.diff(self.arc), np.diff(radii))
        return float(np.pi * np.sum((radii[1:] + radii[:-1]) * slant))

    @property
    def section_list(self) -> str:
        """Name of the section list: soma, axon, dend, apic or myelin."""
        return _LIST_OF_TYPE[self.kind]

    def locate(self, x: np.ndarray) -> np.ndarray:
        """Returns the points at normalised positions ``x`` [k]: float64 [k, 3], um."""
        at = np.asarray(x) * self.length
        return np.stack([np.interp(at, self.arc, self.points[:, k]) for k in range(3)], axis=1)


@dataclass(frozen=True)
class Morphology:
    """A cell's shape; ``sections[i]`` has section id i, and 0 is the soma.

    Attributes:
        axon: The axon rule it went through.
        whole: Where an axon went: for every section of the file the id it has here, -1 for those that
            are gone. Empty where ids are the file's.
    """

    name: str
    sections: tuple[Section, ...]
    axon: str = "keep"
    whole: tuple[int, ...] = ()

    def section_of(self, section: int) -> int:
        """Returns the id here of a section of the file, as edges name it.

        What stood on the axon that went stands on the first section of its stub, or on the soma where
        there is none.

        Raises:
            IndexError: If the file has no such section.
        """
        if not 0 <= section < (len(self.whole) or len(self.sections)):
            raise IndexError(section)
        if not self.whole:
            return section
        found = self.whole[section]
        if found >= 0:
            return found
        return next((k for k, s in enumerate(self.sections) if s.kind == AXON), 0)

    @cached_property
    def file_ids(self) -> tuple[int, ...]:
        """The id in the file of every section here; those of an axon's stub follow the file's last."""
        ids = {new: old for old, new in enumerate(self.whole) if new >= 0}
        added = iter(range(len(self.whole), len(self.whole) + len(self.sections)))
        count = range(len(self.sections))
        return (
            tuple(ids[k] if k in ids else next(added) for k in count) if self.whole else (*count,)
        )

    @property
    def soma_position(self) -> np.ndarray:
        """First point of the soma: float64 [3], um."""
        return self.sections[0].points[0]


@dataclass(frozen=True)
class Segments:
    """Compartments of a cell in the order of section ids.

    Attributes:
        section: int32 [n], section id.
        x: float64 [n], normalised midpoint on its section.
        points: float64 [n, 3], midpoints, um.
    """

    section: np.ndarray
    x: np.ndarray
    points: np.ndarray


def read_morphology(path: str | Path, axon: str = "keep") -> Morphology:
    """Reads SWC, ASC or H5.

    Args:
        path: The file.
        axon: An axon rule, see ``with_axon``. Pieces of axon that hang on nothing, which some
            reconstructions have, are an error only where the axon is kept.

    Raises:
        MorphologyError: If the file is missing, damaged, has no soma, or a section without length.
    """
    path = Path(path)
    if not path.is_file():
        raise MorphologyError(Problem(str(path), "no such morphology", "check cells.morphologies"))
    raw, warnings = open_shape(path)
    loose = [w.warning for w in warnings.get_all() if w.warning.warning() in _loose_ends()]
    if axon != "keep":
        loose = [warning for warning in loose if _swc_type(path, warning.line_number) != AXON]
    if len(raw.soma.points) and loose:
        raise MorphologyError([unusable(path, warning.msg()) for warning in loose])
    if not len(raw.soma.points):
        raise MorphologyError(Problem(str(path), "no soma", "add soma points (SWC type 1)"))
    sections = [_soma(raw.soma)]
    # Cut from the arrays of all sections: MorphIO hands over an array in the time of many points.
    points, diameters = (np.asarray(values, np.float64) for values in (raw.points, raw.diameters))
    offsets = np.asarray(raw.section_offsets).tolist()
    for section, low, high in zip(raw.sections, offsets[:-1], offsets[1:], strict=True):
        kind = int(section.type)
        if kind not in (SOMA, AXON, DEND, APIC):
            message = f"section {section.id + 1} has type {kind}"
            raise MorphologyError(Problem(str(path), message, "known: 1 soma, 2 axon, 3, 4"))
        parent = 0 if section.is_root else section.parent.id + 1
        sections.append(Section(kind, parent, points[low:high], diameters[low:high]))
    problems = [
        Problem(
            f"{path}, section {index}", "has no length or a diameter that is not positive", EXPORT
        )
        for index, s in enumerate(sections)
        if (axon == "keep" or s.kind != AXON)
        and not (s.length > 0 and np.all(s.diameters > 0) and np.all(np.isfinite(s.points)))
    ]
    if problems:
        raise MorphologyError(problems)
    return with_axon(Morphology(path.stem, tuple(sections)), axon)


def with_axon(morphology: Morphology, rule: str) -> Morphology:
    """Returns the morphology with its axon kept, left out or replaced by a stub.

    Section ids are given anew in the old order; a stub's sections come last, the first on the soma,
    each further one at the end of the one before, straight down. Two are 30 um long:

    - ``stub``: 1 um wide each (Gouwens et al. 2018).
    - ``stub_tapered``: as wide as the first section of the axon, and as the first whose middle is
      more than 60 um away; 1 um without an axon (Markram et al. 2015, as in BluePyOpt).
    - ``stub_myelin``: ten pieces of 6 um, each as wide as a piece of about 6 um of the first axon
      sections in the order of their ids (1 um without an axon), in five segments per section; then a
      myelinated section of 1000 um in five segments, as wide as the last piece (Reva et al. 2023).

    Args:
        morphology: The cell as read, or one this rule has changed already.
        rule: keep, none, stub, stub_tapered or stub_myelin.

    Raises:
        MorphologyError: If a dendrite hangs on the axon.
    """
    if rule in ("keep", morphology.axon):
        return morphology
    new_id = {-1: -1}
    sections: list[Section] = []
    for index, section in enumerate(morphology.sections):
        if section.kind in (AXON, MYELIN):
            continue
        if section.parent not in new_id:
            message = f"{section.section_list} section hangs on the axon, which is to go"
            hint = "choose cells.axon: keep, or correct the types in the file"
            raise MorphologyError(Problem(f"{morphology.name}, section {index}", message, hint))
        new_id[index] = len(sections)
        sections.append(replace(section, parent=new_id[section.parent]))
    start, parent = sections[0].locate(np.array([0.5]))[0], 0
    for kind, length, diameters, segments in _stub(morphology, rule):
        arc = np.linspace(0.0, length, len(diameters) + 1)[
            [0, *np.repeat(range(1, len(diameters)), 2), -1]
        ]
        points = start - np.outer(arc, [0.0, 1.0, 0.0])
        sections.append(Section(kind, parent, points, np.repeat(diameters, 2), segments))
        start, parent = points[-1], len(sections) - 1
    before = morphology.whole or tuple(range(len(morphology.sections)))
    return Morphology(
        morphology.name, tuple(sections), rule, tuple(new_id.get(k, -1) for k in before)
    )


def _stub(morphology: Morphology, rule: str) -> list[tuple[int, float, list[float], int]]:
    """Kind, length, diameters of equal pieces (um) and nseg of the sections that replace an axon."""
    if rule == "none":
        return []
    if rule == "stub_myelin":
        wide = _axon_pieces(morphology)
        near, far = wide[:STUB_PIECES], wide[STUB_PIECES:]
        return [
            (AXON, STUB_LENGTH, near, STUB_PIECES),
            (AXON, STUB_LENGTH, far, STUB_PIECES),
            (MYELIN, MYELIN_LENGTH, far[-1:], STUB_PIECES),
        ]
    near, far = STUB_DIAMETER, STUB_DIAMETER
    if rule != "stub":
        near, far = _axon_diameters(morphology)
    return [(AXON, STUB_LENGTH, [near], 0), (AXON, STUB_LENGTH, [far], 0)]


def _axon_pieces(morphology: Morphology) -> list[float]:
    """Diameters (um) of the first ten pieces of an axon, section after section.

    A section is cut into an odd number of equal pieces, 1 + 2 int(L / 12 um); the last diameter goes on
    where the axon has fewer pieces (SSCxEModelExamples of Reva et al. 2023, rule of the axon).
    """
    wanted = 2 * STUB_PIECES
    found: list[float] = []
    for section in morphology.sections[1:]:
        if section.kind == AXON and section.length > 0 and section.area > 0:
            count = 1 + 2 * int(section.length / (4 * STUB_LENGTH / wanted))
            edges = np.linspace(0.0, section.length, count + 1)
            found += [_mean_diameter(section, a, b) for a, b in pairwise(edges)]
        if len(found) >= wanted:
            break
    found = found or [STUB_DIAMETER]
    return (found + found[-1:] * wanted)[:wanted]


def _mean_diameter(section: Section, start: float, stop: float) -> float:
    """Mean diameter (um) of a section between two path lengths."""
    inside = section.arc[(section.arc > start) & (section.arc < stop)]
    at = np.concatenate([[start], inside, [stop]])
    return float(np.trapezoid(np.interp(at, section.arc, section.diameters), at) / (stop - start))


def _axon_diameters(morphology: Morphology) -> tuple[float, float]:
    """Mean diameters of the first axon section and of the first one that is 60 um away."""
    ends = np.zeros(len(morphology.sections))
    near = far = None
    for index, section in enumerate(morphology.sections[1:], start=1):
        start = ends[section.parent]
        ends[index] = start + section.length
        if section.kind != AXON or not (section.length > 0 and section.area > 0):
            continue
        diameter = section.area / (math.pi * section.length)
        near = diameter if near is None else near
        if far is None and start + section.length / 2 > 2 * STUB_LENGTH:
            far = diameter
    near = STUB_DIAMETER if near is None else near
    return near, near if far is None else far


def _swc_type(path: Path, line: int) -> int:
    """The type column of a line of an SWC file; 0 for other formats."""
    if path.suffix.lower() != ".swc":
        return 0
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    words = lines[line - 1].split() if line <= len(lines) else []
    return int(words[1]) if len(words) == 7 and words[1].isdecimal() else 0


def _loose_ends() -> tuple:
    """MorphIO's warnings about pieces that hang on nothing."""
    import morphio

    return (morphio.Warning.disconnected_neurite,)


def _soma(soma) -> Section:
    """The soma as a cylinder along its points, or of equal area when it is a point or contour."""
    points = np.asarray(soma.points, np.float64)
    diameters = np.asarray(soma.diameters, np.float64)
    stacked = "CYLINDERS" in str(soma.type) and "THREE" not in str(soma.type)
    if stacked and len(points) >= 2 and not _is_outline(soma):
        return Section(SOMA, -1, points, diameters)
    diameter = 2 * soma_radius(soma)
    centre = np.asarray(soma.center, np.float64)
    half = np.array([0.0, diameter / 2, 0.0])
    return Section(
        SOMA, -1, np.stack([centre - half, centre + half]), np.array([diameter, diameter])
    )


def _is_outline(soma) -> bool:
    """Whether SWC samples are a contour: three or more without width, as converters write it."""
    return len(soma.points) >= 3 and not np.any(soma.diameters)


def soma_radius(soma) -> float:
    """Returns the radius of the sphere that stands for a soma, um.

    Of a point: its own. Of a contour, of which MorphIO knows no surface: the mean distance of its
    points from their mean (the rule of NeuroM). Of cylinders: the one of equal surface.

    Args:
        soma: MorphIO's soma, with points.
    """
    points = np.asarray(soma.points, np.float64)
    if len(points) == 1:
        return float(soma.diameters[0]) / 2
    if "CYLINDERS" not in str(soma.type) or _is_outline(soma):
        return float(np.mean(np.linalg.norm(points - np.asarray(soma.center), axis=1)))
    return math.sqrt(float(soma.surface) / math.pi) / 2


def membrane_of(emodel: EModel, section: Section) -> Membrane:
    """Returns the passive properties that hold on a section; the most special list wins.

    Raises:
        MorphologyError: If the e-model says nothing for the section.
    """
    for name in (section.section_list, "neurites" if section.kind != SOMA else "", "all"):
        if name in emodel.passive:
            return emodel.passive[name]
    message = f"no passive properties for {section.section_list} sections"
    raise MorphologyError(Problem(f"e-model {emodel.name}", message, "add them under passive"))


def segment_counts(
    morphology: Morphology, rule: FixedLength | OddLength | DLambda, emodel: EModel
) -> np.ndarray:
    """Returns nseg per section: int32 [sections]; the soma has one.

    ``fixed_length``: ceil(L / length). ``odd_length``: 1 + 2 int(L / (2 length)). ``d_lambda``: the
    odd number of Hines & Carnevale (2001, Neuroscientist 7:123) at the rule's frequency. Sections of a
    stub may bring their own number.
    """
    counts = np.ones(len(morphology.sections), np.int32)
    for index, section in enumerate(morphology.sections[1:], start=1):
        if section.segments:
            counts[index] = section.segments
            continue
        if isinstance(rule, FixedLength):
            counts[index] = max(1, math.ceil(section.length / rule.length))
            continue
        if isinstance(rule, OddLength):
            counts[index] = 1 + 2 * int(section.length / (2 * rule.length))
            continue
        membrane = membrane_of(emodel, section)
        lambdas = electrotonic_length(section, membrane, rule.frequency)
        counts[index] = int((lambdas / rule.d_lambda + 0.9) / 2) * 2 + 1
    return counts


def electrotonic_length(section: Section, membrane: Membrane, frequency: float) -> float:
    """Length of a section in AC length constants at a frequency (Hz)."""
    mean = (section.diameters[1:] + section.diameters[:-1]) / 2
    constant = 1e5 * np.sqrt(mean / (4 * np.pi * frequency * membrane.Ra * membrane.cm))
    return float(np.sum(np.diff(section.arc) / constant))


def segments_of(morphology: Morphology, counts: np.ndarray) -> Segments:
    """Returns the compartments for the given nseg per section."""
    ids = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    x = np.concatenate([(np.arange(n) + 0.5) / n for n in counts])
    points = np.concatenate(
        [
            section.locate((np.arange(n) + 0.5) / n)
            for section, n in zip(morphology.sections, counts, strict=True)
        ]
    )
    return Segments(ids, x, points)
