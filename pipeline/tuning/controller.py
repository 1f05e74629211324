"""The search itself: rates in, factors out; no files and no simulators.

Every class has two unknowns: one answers to its spontaneous rate, one to the ratio of its evoked to
its spontaneous rate. After each evaluation an unknown moves against its own error by a step that
grows while the sign of the error stays and shrinks when it flips (the Rprop rule of Riedmiller &
Braun 1993, doi:10.1109/ICNN.1993.298623, used here on log rate errors in place of gradients).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GROW, SHRINK = 1.15, 0.55
SLOPE = 1.5
"""Errors well below 1/SLOPE (in log units) take a part of the step only."""
BOUNDS = (0.01, 0.3)
"""Smallest and largest step."""


@dataclass(frozen=True)
class Goal:
    """What is wanted.

    Attributes:
        spontaneous: float64 [classes], Hz.
        evoked: float64 [classes], Hz.
        floor: Hz added to rates before their logarithms are compared.
    """

    spontaneous: np.ndarray
    evoked: np.ndarray
    floor: float

    def errors(self, spontaneous: np.ndarray, evoked: np.ndarray) -> np.ndarray:
        """Returns log(wanted / found) of the spontaneous and the evoked rates: float64 [2, classes]."""
        wanted = np.stack([self.spontaneous, self.evoked])
        found = np.stack([spontaneous, evoked])
        return np.log((wanted + self.floor) / (found + self.floor))


class Controller:
    """Moves the unknowns of all classes.

    Args:
        goal: Target rates.
        step: First step of an unknown.
        largest: Largest factor; its logarithm bounds the unknowns on both sides.

    Attributes:
        unknowns: float64 [2, classes]. Log factors: for the spontaneous rate, for the ratio.
    """

    def __init__(self, goal: Goal, step: float, largest: float):
        self._goal, self._bound = goal, np.log(largest)
        classes = len(goal.spontaneous)
        self.unknowns = np.zeros((2, classes))
        self._steps = np.full((2, classes), step)
        self._errors = np.zeros((2, classes))
        self._safe = self.unknowns.copy()

    def told(self, spontaneous: np.ndarray, evoked: np.ndarray) -> float:
        """Takes the rates (float64 [classes], Hz) of the current unknowns and moves them.

        Returns:
            Sum of squares of the log errors.
        """
        found = self._goal.errors(spontaneous, evoked)
        self._safe = self.unknowns.copy()
        errors = np.stack([found[0], found[1] - found[0]])
        flipped = errors * self._errors < 0
        self._steps = np.clip(np.where(flipped, SHRINK, GROW) * self._steps, *BOUNDS)
        self._errors = errors
        moved = self.unknowns + self._steps * np.tanh(SLOPE * errors)
        self.unknowns = np.clip(moved, -self._bound, self._bound)
        return float(np.sum(found**2))

    def ran_away(self) -> None:
        """Goes back to the last unknowns that did not run away, most of the way, with half steps."""
        self.unknowns = self._safe + 0.25 * (self.unknowns - self._safe)
        self._steps = np.clip(self._steps / 2, *BOUNDS)
