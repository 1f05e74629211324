"""The one interface of every body, and the map of the 96 muscle units.

Units of mechanics: um, ms, nN (so stiffness nN/um, damping and drag nN ms/um; 1 kg/s = 1e6 nN ms/um).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

QUADRANTS = ("DR", "VR", "DL", "VL")
PER_QUADRANT = 24
MUSCLES = tuple(f"{quadrant}{i:02d}" for quadrant in QUADRANTS for i in range(1, 25))
"""Order of the 96 units (Zhao et al. 2024, published code). The animal has 95: VL lacks one."""


@dataclass(frozen=True)
class BodyState:
    """What a body tells the rest of the world at one time.

    Attributes:
        time: ms.
        positions: float64 [points, 2 or 3], um. Midline from head to tail.
        velocities: float64, same shape, um/ms.
        forces: float64, same shape, nN. Force of the medium on the body at each point.
    """

    time: float
    positions: np.ndarray
    velocities: np.ndarray
    forces: np.ndarray


class Body(Protocol):
    """A body that muscles move."""

    def advance(self, activation: np.ndarray, duration: float) -> None:
        """Moves on for ``duration`` (ms) with float64 [96] activations in 0 to 1."""

    def state(self) -> BodyState:
        """Returns midline, velocities and forces now."""

    def stretch(self) -> np.ndarray:
        """Returns float64 [96]: relative length change of the body wall at each muscle unit."""

    def curvature(self) -> np.ndarray:
        """Returns float64 [segments]: curvature along the midline, 1/um; dorsal bends positive."""


def to_sides(units: np.ndarray) -> np.ndarray:
    """Reduces 96 units to the dorsal and ventral side, left and right averaged.

    Args:
        units: float64 [96] in the order of ``MUSCLES``.

    Returns:
        float64 [2, 24]: dorsal, ventral. The worm crawls on its side and bends dorso-ventrally.

    Raises:
        ValueError: If there are not 96.
    """
    units = np.asarray(units, float)
    if units.shape != (len(MUSCLES),):
        raise ValueError(f"expected 96 muscle activations, found shape {units.shape}")
    dorsal_right, ventral_right, dorsal_left, ventral_left = units.reshape(4, PER_QUADRANT)
    return np.stack([(dorsal_right + dorsal_left) / 2, (ventral_right + ventral_left) / 2])


def to_units(sides: np.ndarray) -> np.ndarray:
    """Gives both quadrants of a side its values: float64 [2, 24] to [96]."""
    return np.concatenate([sides[0], sides[1], sides[0], sides[1]])


def side_weights(segments: int) -> np.ndarray:
    """Says how much of each segment belongs to each of 24 muscles in a row.

    Returns:
        float64 [segments, 24]; rows sum to 1. With 48 segments two whole segments per muscle.
    """
    left = np.arange(segments)[:, None] / segments
    edges = np.arange(PER_QUADRANT + 1) / PER_QUADRANT
    overlap = np.minimum(left + 1 / segments, edges[1:]) - np.maximum(left, edges[:-1])
    return np.maximum(overlap, 0.0) * segments
