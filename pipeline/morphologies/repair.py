"""Reads reconstructions, tells what is wrong with them and mends what can be mended.

MorphIO reads, NeuroM checks. Every finding is a row; nothing is changed without one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.cells.morphology import APIC, AXON, DEND, Section, soma_radius
from pipeline.errors import MorphologyError, Problem
from pipeline.morphologies.shape import Shape, canonical, merge_single_children, select
from pipeline.sonata.shape_files import open_shape

LEAST_DIAMETER = 0.1
"""um. Given to points without a diameter when their tree has none at all (source: assumed; near the
thinnest axons of the reconstructions used here, 0.12 um)."""
SHORTEST = 0.001
"""um. Segments below this have no length: the resolution of the files we write."""
_CUT_SLAB, _CUT_TIPS, _CUT_SHARE = 5.0, 5, 3.0
"""um, tips, ratio. A face is cut when the outermost slab holds this many tips and this many times what
tips spread evenly over the depth would put there (source: assumed)."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        check: Short name, such as ``zero_length``.
        place: Section ids as read, or what else says where; may be empty.
        found: What was found.
        action: What was done: ``kept``, or the repair.
    """

    check: str
    place: str
    found: str
    action: str


def read_shape(path: str | Path) -> tuple[Shape, list[Finding]]:
    """Reads SWC, ASC or H5, centred on the soma, mended and in canonical order.

    Returns:
        The cell, and what was found.

    Raises:
        MorphologyError: If the file cannot be read, or has no soma or no neurites.
    """
    path = Path(path)
    raw, findings = _read(path)
    shape, found = mend(raw)
    findings += found
    if not shape.sections:
        raise MorphologyError(Problem(str(path), "no neurite that can be used", "leave it out"))
    findings += judge(path)
    ordered = canonical(shape)
    if [s.kind for s in ordered.sections] != [s.kind for s in shape.sections]:
        findings.append(Finding("order", "", "sections not in the order of SONATA", "sorted"))
    findings += _mixed_trees(ordered)
    findings += cut_faces(ordered)
    return ordered, findings


def _read(path: Path) -> tuple[Shape, list[Finding]]:
    if not path.is_file():
        raise MorphologyError(Problem(str(path), "no such morphology", "check the catalogue"))
    raw, warnings = open_shape(path)
    if not len(raw.soma.points):
        raise MorphologyError(Problem(str(path), "no soma", "add soma points (SWC type 1)"))
    centre = np.asarray(raw.soma.center, np.float64)
    sections, findings = [], []
    for section in raw.sections:
        parent = -1 if section.is_root else section.parent.id
        points = np.asarray(section.points, np.float64) - centre
        sections.append(
            Section(int(section.type), parent, points, np.asarray(section.diameters, np.float64))
        )
    if np.any(np.abs(centre) > 0.5):
        place = " ".join(f"{value:.1f}" for value in centre)
        findings.append(Finding("off_centre", "soma", f"centre at {place} um", "moved to 0"))
    findings += [
        Finding("reader", f"line {w.warning.line_number}", w.warning.msg().splitlines()[-1], "kept")
        for w in warnings.get_all()
        if hasattr(w.warning, "line_number")
    ]
    return Shape(soma_radius(raw.soma), tuple(sections)), findings


def mend(shape: Shape) -> tuple[Shape, list[Finding]]:
    """Repairs what has one sensible repair.

    Unknown section types and sections without length are left out, points on top of each other
    joined, missing diameters filled from the neighbours, chains of single children joined.
    """
    findings: list[Finding] = []
    shape = _drop_unknown(shape, findings)
    shape = _join_points(shape, findings)
    shape = _fill_diameters(shape, findings)
    joined = merge_single_children(shape)
    if lost := len(shape.sections) - len(joined.sections):
        findings.append(
            Finding("unifurcation", "", f"{lost} sections with a single parent's child", "joined")
        )
    return joined, findings


def _drop_unknown(shape: Shape, findings: list[Finding]) -> Shape:
    keep = np.ones(len(shape.sections), bool)
    for index, section in enumerate(shape.sections):
        known = section.kind in (AXON, DEND, APIC) and np.all(np.isfinite(section.points))
        keep[index] = known and (section.parent < 0 or keep[section.parent])
    if not keep.all():
        place = _ids(np.flatnonzero(~keep))
        message = "type is not 2, 3 or 4, or a coordinate is not a number"
        findings.append(Finding("unknown_section", place, message, "left out with all below"))
    return select(shape, keep)


def _join_points(shape: Shape, findings: list[Finding]) -> Shape:
    """Joins points on top of each other; a section that shrinks to a point hands its children up."""
    sections, joined, empty = [], [], []
    for index, section in enumerate(shape.sections):
        steps = np.linalg.norm(np.diff(section.points, axis=0), axis=1)
        keep = np.concatenate([[True], steps > SHORTEST])
        if not keep.all():
            joined.append(index)
            # The last point stays what it is: children start there.
            keep[-1] = True
            if len(keep) > 2 and keep.sum() > 1:
                before = np.flatnonzero(keep)[-2]
                if (
                    before > 0
                    and np.linalg.norm(np.diff(section.points[[before, -1]], axis=0)) <= SHORTEST
                ):
                    keep[before] = False
            section = replace(
                section, points=section.points[keep], diameters=section.diameters[keep]
            )
        if section.length <= SHORTEST:
            empty.append(index)
        sections.append(section)
    if joined:
        message = "points on top of each other"
        findings.append(Finding("zero_length", _ids(joined), message, "joined"))
    if empty:
        message = "sections without length"
        findings.append(
            Finding("empty_section", _ids(empty), message, "left out, children moved up")
        )
    return _hand_up(replace(shape, sections=tuple(sections)), set(empty))


def _hand_up(shape: Shape, empty: set[int]) -> Shape:
    new: dict[int, int] = {-1: -1}
    sections = []
    for index, section in enumerate(shape.sections):
        if index in empty:
            new[index] = new[section.parent]
            continue
        new[index] = len(sections)
        sections.append(replace(section, parent=new[section.parent]))
    return replace(shape, sections=tuple(sections))


def _fill_diameters(shape: Shape, findings: list[Finding]) -> Shape:
    """Fills diameters that are not positive along the section, from the parent, or the tree's median."""
    good = [np.isfinite(s.diameters) & (s.diameters > 0) for s in shape.sections]
    bad = [index for index, mask in enumerate(good) if not mask.all()]
    if not bad:
        return shape
    medians = {
        kind: float(np.median(values))
        for kind in (AXON, DEND, APIC)
        if len(values := _positive(shape, kind))
    }
    sections: list[Section] = []
    for section, mask in zip(shape.sections, good, strict=True):
        if not mask.all():
            if mask.any():
                at = section.arc
                diameters = np.interp(at, at[mask], section.diameters[mask])
            else:
                value = medians.get(section.kind, LEAST_DIAMETER)
                if section.parent >= 0:
                    value = float(sections[section.parent].diameters[-1])
                diameters = np.full(len(mask), value)
            section = replace(section, diameters=diameters)
        sections.append(section)
    count = sum(int((~good[index]).sum()) for index in bad)
    findings.append(
        Finding("no_diameter", _ids(bad), f"{count} points without a diameter", "interpolated")
    )
    return replace(shape, sections=tuple(sections))


def _positive(shape: Shape, kind: int) -> np.ndarray:
    values = [s.diameters[s.diameters > 0] for s in shape.of_kind(kind)]
    return np.concatenate(values) if values else np.empty(0)


def judge(path: Path) -> list[Finding]:
    """What NeuroM's checks say about the file as it is; none of these has a safe repair."""
    import warnings

    import morphio
    import neurom
    from neurom.check import morphology_checks as checks

    morphio.set_maximum_warnings(0)  # they were collected when the file was read
    wanted = {
        "fat_end": checks.has_no_fat_ends,
        "jump": checks.has_no_jumps,
        "narrow_start": checks.has_no_narrow_start,
        "dangling": checks.has_no_dangling_branch,
        "multifurcation": checks.has_multifurcation,
        "back_tracking": checks.has_no_back_tracking,
    }
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # As read above: NeuroM itself refuses a section type that changes without a branch.
        morphology = neurom.load_morphology(open_shape(path)[0])
        for name, check in wanted.items():
            try:
                result = check(morphology)
            except (IndexError, ValueError, ZeroDivisionError) as error:
                # A section of one point, as files have that are mended later.
                found.append(Finding(name, "", f"NeuroM {name} cannot look: {error}", "kept"))
                continue
            if result.status:
                continue
            places = [info[0] if isinstance(info, tuple) else info for info in result.info]
            text = f"NeuroM {name}: {len(places)} places"
            found.append(Finding(name, _ids(places), text, "kept"))
    return found


def cut_faces(shape: Shape) -> list[Finding]:
    """Faces of the slice: many tips end in one thin slab at the lowest or highest z."""
    parents = {section.parent for section in shape.sections}
    tips = np.array([s.points[-1, 2] for i, s in enumerate(shape.sections) if i not in parents])
    depth = float(np.ptp(tips)) if len(tips) else 0.0
    if depth <= 2 * _CUT_SLAB:
        return []
    expected = len(tips) * _CUT_SLAB / depth
    found = []
    for name, inside in (
        ("lowest", tips <= tips.min() + _CUT_SLAB),
        ("highest", tips >= tips.max() - _CUT_SLAB),
    ):
        count = int(inside.sum())
        if count >= _CUT_TIPS and count > _CUT_SHARE * expected:
            text = f"{count} of {len(tips)} tips end within {_CUT_SLAB:g} um of the {name} z"
            found.append(Finding("cut", f"{name} z", text, "kept"))
    return found


def _mixed_trees(shape: Shape) -> list[Finding]:
    """Axons that start on a dendrite: sections then follow the tree, not the type."""
    mixed = [
        i
        for i, s in enumerate(shape.sections)
        if s.parent >= 0 and shape.sections[s.parent].kind != s.kind
    ]
    text = "a section's type is not its parent's"
    return [Finding("mixed_tree", _ids(mixed), text, "kept")] if mixed else []


def _ids(indices) -> str:
    values = [str(value) for value in indices]
    shown = " ".join(values[:5])
    return f"{shown} ... ({len(values)})" if len(values) > 5 else shown
