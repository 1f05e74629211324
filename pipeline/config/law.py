"""What a file of ``pipeline/config/laws`` is made of: the keys of a factor and its numbers.

Beside its class, derived from ``Factor``, such a file has one or two plain functions of numbers, which
are compiled: they use ``math``, arithmetic, ``fold`` and each other.

``value`` is the factor of a pair. Its first arguments say what it looks at, one of ``LOOKS``; the others
are what ``Factor.parameters`` returns, each at the pair's classes.

``bound`` is needed where ``value`` rises anywhere, with distance or angle. It returns the largest
(``upper``) or smallest value between two distances, both at the angle where it is largest:
``bound(near, far, upper, *parameters)``, with ``knots`` before the parameters if ``value`` has them. A law
of the angle alone has ``bound(*parameters)``, its largest value. A bound that is too small makes wrong
edges; the tests try those of every law with its ``EXAMPLES``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pipeline.config.quantity import Strict

if TYPE_CHECKING:
    import numpy as np

Metric = Literal["lateral", "vertical", "3d"]
LOOKS = (
    ("square",), ("distance",), ("angle",), ("distance", "angle"), ("distance", "knots"),
)  # fmt: skip
"""Squared distance (um2), distance (um), difference of tuning angles (0..180 degrees), and the rows of a curve:
float64 [rows, 2], which every curve of the rule shares."""
MOST = 7
"""Parameters that a law may have."""
OFF = math.nan
"""A parameter that switches the factor off for a pair of classes: it is 1 there."""


class Keys(Protocol):
    """The keys of one factor as arrays over classes: float64 [source classes, target classes].

    Attributes:
        amplitude: What the rule's probabilities are; 0 for pairs that are never connected.
    """

    amplitude: np.ndarray

    def numbers(
        self, name: str, low: float = -math.inf, high: float = math.inf, *,
        above: bool = False, missing: float | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Reads a number or a table; complains about values out of bounds, with file and line.

        Args:
            name: The key.
            low: Smallest allowed value.
            high: Largest allowed value.
            above: ``low`` itself is not allowed.
            missing: Value of pairs that have none, such as ``OFF``; None: a complaint where they may connect.
        """

    def curve(self, name: str) -> tuple[int, int]:
        """Reads a file of ``distance`` (um) and ``factor``: its first row in ``knots`` and its end."""

    def complain(self, name: str, message: str, hint: str = "", level: str = "error") -> None:
        """Adds a problem of a key ("" for all of them)."""


class Factor(Strict):
    """A factor of the probability of a pair.

    A law that looks at distances has the key ``metric``. One with a key ``mean_within`` (um) also has a method
    ``peaks(keys)``: the amplitudes whose means over targets that near are ``keys.amplitude``.

    Attributes:
        EXAMPLES: Keys with which the tests try it, without ``law``. A file is named ``curve.csv``.
        SHOWN: How many of the parameters stand beside its name in the tables of a plan; None: all.
    """

    EXAMPLES: ClassVar[tuple[dict[str, Any], ...]] = ()
    SHOWN: ClassVar[int | None] = None

    def parameters(self, keys: Keys) -> list[np.ndarray | float]:
        """Returns the parameters of ``value`` in their order: numbers, or matrices over classes."""
        raise NotImplementedError

    def idle(self) -> set[str]:
        """What ``value`` takes but does not look at with these keys: ``distance``, ``angle``."""
        return set()


def fold(angle: float, limit: float) -> float:
    """Folds 0..180 degrees to 0..90 when ``limit`` is 90 (orientation instead of direction)."""
    return 180.0 - angle if angle > limit else angle
