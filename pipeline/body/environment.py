"""What surrounds a body: concentrations of attractants, touches, and how neurons feel them."""

from __future__ import annotations

from collections import deque

import numpy as np

from pipeline.config.behaviour import Diffusing, Environment, Gaussian, LinearCone, Sensing


def source_concentration(
    source: LinearCone | Gaussian | Diffusing, points: np.ndarray, time: float
) -> np.ndarray:
    """Returns the concentration of one source.

    Args:
        source: Its config.
        points: float64 [..., 2], um.
        time: ms.

    Returns:
        float64 [...], in the unit of the source's peak. A drop of diffusivity D spreads in the plane
        as peak age/(age + t) exp(-r^2 / (4 D (age + t))), the heat kernel scaled to its value at 0.
    """
    square = ((np.asarray(points, float) - source.place) ** 2).sum(-1)
    if isinstance(source, LinearCone):
        return source.peak - source.slope * np.sqrt(square)
    if isinstance(source, Gaussian):
        return source.peak * np.exp(-square / (2 * source.width**2))
    age = source.age + time
    return source.peak * source.age / age * np.exp(-square / (4 * source.diffusivity * age))


class Surroundings:
    """An environment that a running body asks.

    Args:
        config: Its description.
    """

    def __init__(self, config: Environment):
        self.config = config
        self.sensors = {name: Sensor(sensing) for name, sensing in config.sensing.items()}

    def concentration(
        self, points: np.ndarray, time: float, sources: list[str] | None = None
    ) -> np.ndarray:
        """Returns the sum of the named sources (default: all) at float64 [..., 2] points (um)."""
        known = self.config.sources
        total = np.zeros(np.shape(points)[:-1])
        for name in sources or known:
            total = total + source_concentration(known[name], points, time)
        return total

    def sense(self, head: np.ndarray, time: float) -> dict[str, float]:
        """Returns the current (nA) of each sensor after the head has come to a new place."""
        return {
            name: sensor.feel(float(self.concentration(head, time, sensor.config.sources)))
            for name, sensor in self.sensors.items()
        }

    def touch_currents(self, time: float) -> dict[str, float]:
        """Returns the current (nA) of every neuron that is touched at a time (ms)."""
        currents: dict[str, float] = {}
        for touch in self.config.touches.values():
            if touch.start <= time < touch.start + touch.duration:
                for neuron in touch.felt_by:
                    currents[neuron] = currents.get(neuron, 0.0) + touch.current
        return currents


class Sensor:
    """Turns concentrations, one per step, into current by the rule of Zhao et al. 2024.

    With the extremes of the changes remembered so far, the current of a change is
    low + (high - low) (change - smallest) / (largest - smallest), cut to low..high; low while there
    are no two different changes to compare with. The change is remembered afterwards.

    Args:
        config: Range and memory.
    """

    def __init__(self, config: Sensing):
        self.config = config
        self.last: float | None = None
        self.changes: deque[float] = deque(maxlen=config.history)

    def feel(self, concentration: float) -> float:
        """Returns the current (nA) for the concentration at the new place."""
        change = 0.0 if self.last is None else concentration - self.last
        self.last = concentration
        low, high = self.config.low, self.config.high
        current = low
        if self.changes and max(self.changes) > min(self.changes):
            smallest, largest = min(self.changes), max(self.changes)
            current = low + (high - low) * (change - smallest) / (largest - smallest)
        self.changes.append(change)
        return float(np.clip(current, low, high))
