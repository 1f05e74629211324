"""A cell's shape as a list of sections, and the changes that are made to it.

The soma is a sphere at the origin, y points to the pia. Sections are in the order that SONATA wants:
all axon sections, then basal, then apical, each tree depth first; section i has SONATA id i + 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from pipeline.cells.morphology import APIC, AXON, DEND, Section

KIND_NAMES = {AXON: "axon", DEND: "basal", APIC: "apical"}


@dataclass(frozen=True)
class Shape:
    """Soma and neurites of one cell.

    Attributes:
        soma_radius: um.
        sections: Neurites; ``parent`` is an index into this tuple, -1 for the soma. The first point
            of a child is the last point of its parent.
    """

    soma_radius: float
    sections: tuple[Section, ...]

    def of_kind(self, *kinds: int) -> list[Section]:
        """Returns the sections of some SWC types."""
        return [section for section in self.sections if section.kind in kinds]

    def points(self, *kinds: int) -> np.ndarray:
        """Returns all points of some SWC types: float64 [n, 3], um."""
        found = [section.points for section in self.of_kind(*kinds)]
        return np.concatenate(found) if found else np.empty((0, 3))

    def length(self, *kinds: int) -> float:
        """Returns the path length of some SWC types, um."""
        return float(sum(section.length for section in self.of_kind(*kinds)))


def canonical(shape: Shape) -> Shape:
    """Puts sections in SONATA order; equal cells in any order come out the same."""
    children: dict[int, list[int]] = {}
    for index, section in enumerate(shape.sections):
        children.setdefault(section.parent, []).append(index)
    order: list[int] = []
    stack = sorted(children.get(-1, []), key=lambda i: _rank(shape.sections[i]), reverse=True)
    while stack:
        index = stack.pop()
        order.append(index)
        stack += sorted(
            children.get(index, []), key=lambda i: _rank(shape.sections[i]), reverse=True
        )
    new = {-1: -1} | {old: i for i, old in enumerate(order)}
    sections = [replace(shape.sections[i], parent=new[shape.sections[i].parent]) for i in order]
    return replace(shape, sections=tuple(sections))


def _rank(section: Section) -> tuple:
    return section.kind, *section.points[0].tolist(), *section.points[-1].tolist()


def trees(shape: Shape, *kinds: int) -> list[Section]:
    """Returns the sections of all trees whose root is of some types, parents renumbered."""
    keep: dict[int, int] = {}
    sections = []
    for index, section in enumerate(shape.sections):
        root = section.parent == -1 and section.kind in kinds
        if root or section.parent in keep:
            keep[index] = len(sections)
            sections.append(replace(section, parent=keep.get(section.parent, -1)))
    return sections


def join(dendrites: Shape, axon: Shape | None) -> Shape:
    """Joins soma and dendrites of one cell with the axons of another; both are centred on the soma."""
    own = trees(dendrites, DEND, APIC)
    borrowed = trees(axon, AXON) if axon else []
    moved = [
        replace(section, parent=section.parent + len(own) if section.parent >= 0 else -1)
        for section in borrowed
    ]
    return replace(dendrites, sections=(*own, *moved))


def stretch(
    shape: Shape, kinds: Iterable[int], up: float = 1.0, down: float = 1.0, width: float = 1.0
) -> Shape:
    """Scales neurites about the soma: y above it, y below it, and x and z; diameters stay."""
    kinds = set(kinds)
    sections = [
        stretch_sections([s], up, down, width)[0] if s.kind in kinds else s for s in shape.sections
    ]
    return replace(shape, sections=tuple(sections))


def stretch_sections(
    sections: Iterable[Section], up: float, down: float, width: float
) -> list[Section]:
    """Scales sections as ``stretch`` does."""
    made = []
    for section in sections:
        y = section.points[:, 1]
        across = np.full_like(y, width)
        scale = np.stack([across, np.where(y > 0, up, down), across], axis=1)
        made.append(replace(section, points=section.points * scale))
    return made


def thin(shape: Shape, kind: int, wanted: float, uniforms: np.ndarray) -> Shape:
    """Takes whole terminal sections away until a kind is no longer than wanted.

    Args:
        shape: The cell.
        kind: SWC type of the neurites.
        wanted: um.
        uniforms: float64 [sections], one number per section; the lowest go first.

    Returns:
        The cell with its remaining sections; a parent that keeps one child is joined with it.
    """
    alive = np.ones(len(shape.sections), bool)
    children = np.zeros(len(shape.sections), int)
    for section in shape.sections:
        if section.parent >= 0:
            children[section.parent] += 1
    excess = shape.length(kind) - wanted
    tips = [i for i, s in enumerate(shape.sections) if s.kind == kind and not children[i]]
    while excess > 0:
        tips = [i for i in tips if shape.sections[i].parent >= 0]
        if not tips:
            break
        tip = min(tips, key=lambda i: (uniforms[i], i))
        parent = shape.sections[tip].parent
        tips.remove(tip)
        alive[tip] = False
        excess -= shape.sections[tip].length
        children[parent] -= 1
        if not children[parent]:
            tips.append(parent)
    return merge_single_children(select(shape, alive))


def select(shape: Shape, keep: np.ndarray) -> Shape:
    """Keeps some sections; a section may only go together with all below it."""
    new = np.cumsum(keep) - 1
    sections = [
        replace(section, parent=int(new[section.parent]) if section.parent >= 0 else -1)
        for section, kept in zip(shape.sections, keep, strict=True)
        if kept
    ]
    return replace(shape, sections=tuple(sections))


def merge_single_children(shape: Shape) -> Shape:
    """Joins every section that has exactly one child of its own type with that child."""
    children: dict[int, list[int]] = {}
    for index, section in enumerate(shape.sections):
        children.setdefault(section.parent, []).append(index)
    sections: list[Section] = []
    stack = [(index, -1) for index in reversed(children.get(-1, []))]
    while stack:
        index, parent = stack.pop()
        section = shape.sections[index]
        points, diameters = [section.points], [section.diameters]
        below = children.get(index, [])
        while len(below) == 1 and shape.sections[below[0]].kind == section.kind:
            index = below[0]
            points.append(shape.sections[index].points[1:])
            diameters.append(shape.sections[index].diameters[1:])
            below = children.get(index, [])
        joined = Section(section.kind, parent, np.concatenate(points), np.concatenate(diameters))
        stack += [(child, len(sections)) for child in reversed(below)]
        sections.append(joined)
    return replace(shape, sections=tuple(sections))
