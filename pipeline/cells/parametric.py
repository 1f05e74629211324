"""Stand-in dendrites from a few numbers per cell class: soma, basal trees, apical trunk with tuft.

Meant for runs without reconstructions. Total length, area and reach come near the table's numbers;
the branching is schematic (binary, straight sections, Rall's 3/2 power for diameters; Rall 1959,
Exp Neurol 1:491).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from pipeline.errors import ConfigError, Problem
from pipeline.runtime import rng_for

NUMBERS = (
    "soma_diameter",
    "stems",
    "orders",
    "section_length",
    "stem_diameter",
    "trunk_length",
    "trunk_diameter",
    "obliques",
    "oblique_length",
    "tuft_orders",
    "tuft_length",
)
"""Columns of a class: um and counts; ``trunk_length`` 0 means no apical dendrite."""

_TIP, _ANGLE, _STEP = 0.3, 0.45, 10.0  # um; rad, spread at a branch; um, spacing of points


def grow(name: str, numbers: Mapping[str, float]) -> str:
    """Grows one morphology.

    Args:
        name: Name of the class; the only source of randomness.
        numbers: The keys of NUMBERS.

    Returns:
        SWC text: one soma point at the origin, then basal (3) and apical (4) points, y towards the pia.

    Raises:
        ConfigError: For a number that is missing or makes no sense.
    """
    missing = [key for key in NUMBERS if key not in numbers]
    wrong = [key for key in NUMBERS if key in numbers and not 0 <= numbers[key] < 5000]
    wrong += [k for k in ("soma_diameter", "section_length", "stem_diameter") if not numbers.get(k)]
    problems = [Problem(name, f"no {key}", "add the column") for key in missing]
    problems += [Problem(name, f"{key} is out of range", "0 to 5000") for key in wrong]
    if problems:
        raise ConfigError(problems)
    tree = _Tree(rng_for(0, f"parametric/{name}"), numbers["soma_diameter"] / 2)
    has_trunk = numbers["trunk_length"] > 0
    for stem in range(int(numbers["stems"])):
        # Cells with an apical dendrite send basal stems sideways and down, others everywhere.
        low, high = (-0.9, 0.3) if has_trunk else (-0.9, 0.9)
        height = low + (high - low) * (stem + 0.5) / numbers["stems"]
        turn = stem * math.pi * (3 - math.sqrt(5))
        side = math.sqrt(1 - height**2)
        heading = np.array([side * math.cos(turn), height, side * math.sin(turn)])
        start = tree.sprout(3, heading, numbers["stem_diameter"])
        tree.branch(
            3,
            start,
            heading,
            numbers["stem_diameter"],
            int(numbers["orders"]),
            numbers["section_length"],
        )
    if has_trunk:
        _apical(tree, numbers)
    return f"# {name}: parametric stand-in, not a reconstruction\n" + "\n".join(tree.rows) + "\n"


def _apical(tree: _Tree, numbers: Mapping[str, float]) -> None:
    up, width = np.array([0.0, 1.0, 0.0]), numbers["trunk_diameter"]
    at = tree.sprout(4, up, width)
    count = int(numbers["obliques"])
    piece = numbers["trunk_length"] / (count + 1)
    for index in range(count):
        narrow = width * 0.95
        at = tree.extend(4, at, up, piece, width, narrow)
        width, turn = narrow, 2.4 * index
        heading = np.array([math.cos(turn), 0.4, math.sin(turn)]) / math.sqrt(1.16)
        tree.extend(4, at, heading, numbers["oblique_length"], width * 0.4, _TIP)
    at = tree.extend(4, at, up, piece, width, width * 0.95)
    for daughter in tree.daughters(up):
        tree.branch(
            4, at, daughter, width * 0.63, int(numbers["tuft_orders"]), numbers["tuft_length"]
        )


class _Tree:
    """Points of a growing SWC file."""

    def __init__(self, rng: np.random.Generator, radius: float):
        self.rng, self.radius = rng, radius
        self.points = [np.zeros(3)]
        self.rows = [f"1 1 0 0 0 {radius:g} -1"]

    def _add(self, kind: int, point: np.ndarray, diameter: float, parent: int) -> int:
        x, y, z = point
        number = len(self.rows) + 1
        self.points.append(point)
        self.rows.append(f"{number} {kind} {x:.3f} {y:.3f} {z:.3f} {diameter / 2:.4f} {parent}")
        return number

    def sprout(self, kind: int, heading: np.ndarray, diameter: float) -> int:
        """First point of a stem, on the soma's surface."""
        return self._add(kind, heading * self.radius, diameter, 1)

    def extend(self, kind, parent, heading, length, first, last) -> int:
        """A straight section; returns its last point."""
        count, origin = max(1, round(length / _STEP)), self.points[parent - 1]
        for k in range(1, count + 1):
            share = k / count
            width = first + (last - first) * share
            parent = self._add(kind, origin + heading * length * share, width, parent)
        return parent

    def branch(self, kind, parent, heading, diameter, orders, length) -> None:
        """A binary tree of ``orders`` generations of sections."""
        if orders < 1:
            return
        own = length * self.rng.uniform(0.75, 1.25)
        last = max(_TIP, diameter * 0.8)
        parent = self.extend(kind, parent, heading, own, diameter, last)
        thin = max(_TIP, last * 0.63)  # two equal daughters: 2 d^(3/2) = D^(3/2)
        for daughter in self.daughters(heading):
            self.branch(kind, parent, daughter, thin, orders - 1, length)

    def daughters(self, heading: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Two unit vectors at equal angles about a heading, in a random plane."""
        other = self.rng.normal(size=3)
        side = np.cross(heading, other)
        side /= np.linalg.norm(side)
        cos, sin = math.cos(_ANGLE), math.sin(_ANGLE)
        return heading * cos + side * sin, heading * cos - side * sin
