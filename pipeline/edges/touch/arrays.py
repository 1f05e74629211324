"""What touch detection works on: shapes of morphologies, placed cells, rules, and the touch record.

All lengths are um. A segment is the straight piece between two successive points of a section; it
counts as a capsule (cylinder with round ends) whose radius is the mean of the radii at its ends.
The soma is one segment of no length: a sphere. Section ids are SONATA's: 0 soma, MorphIO's id + 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

SOMA, AXON, BASAL, APICAL = 1, 2, 3, 4
"""Kinds of segment, the SWC types."""

ALLOW_DENDRITE, ALLOW_SOMA, ALLOW_SOMA_TO_AIS = 1, 2, 4
"""Bits of ``TouchRules.allowed``: targets a pathway may touch; the last moves the touch."""

TOUCH = np.dtype(
    [
        ("pre", "<u4"),
        ("post", "<u4"),
        ("order", "<u4"),
        ("pre_section", "<u2"),
        ("pre_segment", "<u2"),
        ("pre_offset", "<f4"),
        ("post_section", "<u2"),
        ("post_segment", "<u2"),
        ("post_offset", "<f4"),
        ("distance", "<f4"),
        ("path", "<f4"),
        ("post_path", "<f4"),
        ("post_kind", "u1"),
    ]
)
"""One bouton and what it touches.

pre, post: cell rows. order: index among the touches of the pair, by (pre_section, arc). *_segment:
index within the section. *_offset: um from the start of the segment along its axis. distance: um
between the surfaces (negative where they cross). path, post_path: um along the axis from the soma
to the touch on the axon and on the target (0 on the soma). post_kind: SOMA, AXON, BASAL or APICAL
of the segment now written (AXON where a soma touch was moved to the axon initial segment).
"""


@dataclass(frozen=True)
class Shapes:
    """Segments of all unique morphologies, one after another; soma at the origin, y to the pia.

    Within a morphology the order is by (section, segment); a section's segments are contiguous.

    Attributes:
        names: Names of the morphologies [m].
        start: float32 [n, 3], um.
        end: float32 [n, 3], um.
        radius: float32 [n], mean of the radii at the ends, um.
        section: uint16 [n], SONATA section id.
        segment: uint16 [n], index within the section.
        kind: uint8 [n], 1 soma, 2 axon, 3 basal, 4 apical.
        path: float32 [n], path length from the soma to the segment's start, um; 0 for the soma.
        arc: float32 [n], path length from the section's start to the segment's start, um.
        first: int64 [m + 1], first segment of each morphology.
        section_first: int64 [m + 1], first entry of each morphology in ``section_length``.
        section_length: float32 [sum of sections], um, by (morphology, section id); soma 0.
    """

    names: tuple[str, ...]
    start: np.ndarray
    end: np.ndarray
    radius: np.ndarray
    section: np.ndarray
    segment: np.ndarray
    kind: np.ndarray
    path: np.ndarray
    arc: np.ndarray
    first: np.ndarray
    section_first: np.ndarray
    section_length: np.ndarray

    @cached_property
    def length(self) -> np.ndarray:
        """Length of every segment: float32 [n], um."""
        return np.linalg.norm(self.end.astype(np.float64) - self.start, axis=1).astype(np.float32)

    @cached_property
    def initial_segment(self) -> np.ndarray:
        """First axon segment of each morphology, in the lowest axon section: int64 [m], or -1."""
        found = np.full(len(self.names), -1, np.int64)
        for index, (low, high) in enumerate(zip(self.first[:-1], self.first[1:], strict=True)):
            axon = np.flatnonzero(self.kind[low:high] == AXON)
            if len(axon):
                found[index] = low + axon[0]
        return found


@dataclass(frozen=True)
class Cells:
    """Placed cells; the row is the node id.

    A point p of a shape lies at ``rotation @ p + position``.

    Attributes:
        morphology: int32 [c], row of ``Shapes.names``.
        position: float64 [c, 3], soma, um.
        rotation: float32 [c, 3, 3].
        mtype: int16 [c], row of ``mtypes``.
        etype: int16 [c], row of ``etypes``.
        inhibitory: uint8 [c], 1 or 0.
        mtypes: Names.
        etypes: Names.
    """

    morphology: np.ndarray
    position: np.ndarray
    rotation: np.ndarray
    mtype: np.ndarray
    etype: np.ndarray
    inhibitory: np.ndarray
    mtypes: tuple[str, ...] = ()
    etypes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.morphology)


@dataclass(frozen=True)
class TouchRules:
    """What counts as a touch.

    Attributes:
        spine_length: float32 [m-types], largest gap between surfaces by the target's type, um.
        allowed: uint8 [m-types, m-types] (pre, post), sum of ALLOW_* bits.
        region_gap: Overlaps of one axon section with one cell nearer than this merge, um.
        spacing: Lowest and highest distance of successive boutons in a region, um.
        soma_filter: Dendritic touches with a shorter ``post_path`` are dropped, um; first for
            inhibitory, then for excitatory targets.
    """

    spine_length: np.ndarray
    allowed: np.ndarray
    region_gap: float = 5.0
    spacing: tuple[float, float] = (5.0, 7.0)
    soma_filter: tuple[float, float] = (5.0, 25.0)
