"""The closed loop: one clock for neurons, muscles, body and senses; no simulator is imported here.

A window of length w starts at t with body and neurons both at t:
    1. what the body feels at t (concentration at the head, touch, stretch) becomes currents,
    2. the neurons run from t to t + w under these constant currents,
    3. their mean voltages over the window become the drive of the muscles,
    4. the body moves from t to t + w under that drive.
So the muscles of a window follow the neurons of the same window, the neurons of the next window feel the
body where this one has left it, and after each window both stand at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from pipeline.body.environment import Surroundings
from pipeline.body.interface import PER_QUADRANT, Body, side_weights, to_sides, to_units
from pipeline.body.readout import Readout
from pipeline.body.record import Record
from pipeline.runtime import progress


class Nerves(Protocol):
    """What the loop asks of a nervous system."""

    names: list[str]

    def exchange(self, current: np.ndarray, until: float) -> np.ndarray:
        """Runs to ``until`` (ms) under float64 [cells] constant currents (nA).

        Returns:
            float64 [cells]: mean voltage since the last call, mV.
        """

    def restart(self) -> None:
        """Goes back to time 0 and the first voltages."""


@dataclass(frozen=True)
class Felt:
    """How the body's state becomes currents of cells.

    Attributes:
        tonic: float64 [cells], nA. Constant.
        sensors: Sensor name to the rows of the cells that get its current.
        touched: Cell name to row.
        proprioception: float64 [cells, 96] times the gain (nA), or None.
        signal: stretch or activation.
    """

    tonic: np.ndarray
    sensors: dict[str, np.ndarray]
    touched: dict[str, int]
    proprioception: np.ndarray | None = None
    signal: str = "stretch"


@dataclass
class Loop:
    """A body and its nerves in their surroundings.

    Attributes:
        body, nerves, readout, surroundings, felt: The parts.
        window: ms.
        drive: float64 [96]. Of the muscles in the last window.
        sensed: nA. Current of each sensor in the last window.
        warm: ms that the neurons ran before the body's clock started.
        turns: Windows so far.
    """

    body: Body
    nerves: Nerves
    readout: Readout
    surroundings: Surroundings
    felt: Felt
    window: float
    drive: np.ndarray = field(default_factory=lambda: np.zeros(96))
    sensed: dict[str, float] = field(default_factory=dict)
    warm: float = 0.0
    turns: int = 0

    @property
    def now(self) -> float:
        """Time of the body's clock, ms."""
        return self.turns * self.window

    def feel(self) -> np.ndarray:
        """Returns float64 [cells] currents (nA) for the body as it is now."""
        state = self.body.state()
        current = self.felt.tonic.copy()
        self.sensed = self.surroundings.sense(state.positions[0], self.now)
        for name, rows in self.felt.sensors.items():
            current[rows] += self.sensed[name]
        for neuron, value in self.surroundings.touch_currents(self.now).items():
            if neuron in self.felt.touched:
                current[self.felt.touched[neuron]] += value
        if self.felt.proprioception is not None:
            signal = self.body.stretch() if self.felt.signal == "stretch" else self.drive
            current += self.felt.proprioception @ signal
        return current

    def warm_up(self, duration: float) -> np.ndarray:
        """Runs the neurons alone; returns their mean voltage over the last window (mV)."""
        voltage = np.zeros(len(self.nerves.names))
        current = self.felt.tonic.copy()
        for _ in range(round(duration / self.window)):
            self.warm += self.window
            voltage = self.nerves.exchange(current, self.warm)
        return voltage

    def turn(self) -> np.ndarray:
        """Takes one window; returns the cells' mean voltages (mV)."""
        current = self.feel()
        self.turns += 1
        voltage = self.nerves.exchange(current, self.warm + self.now)
        self.drive = self.muscles(voltage)
        self.body.advance(self.drive, self.window)
        return voltage

    def muscles(self, voltage: np.ndarray) -> np.ndarray:
        """Returns float64 [96], the drive of a window with these mean voltages (mV)."""
        return self.readout.drive(voltage)

    def run(self, duration: float, interval: float, voltage: np.ndarray, label: str = "") -> Record:
        """Runs and records frames at 0, interval, ... up to the duration (ms).

        Args:
            duration, interval: ms, multiples of the window.
            voltage: float64 [cells], mV, of the first frame: those of the warm-up.
            label: Of the progress bar.
        """
        frames = [self._frame(voltage)]
        per_frame = round(interval / self.window)
        for _ in progress(range(int(duration / interval + 1e-9)), label=label, unit="frame"):
            for _ in range(per_frame):
                voltage = self.turn()
            frames.append(self._frame(voltage))
        columns = [np.array(column) for column in zip(*frames, strict=True)]
        return Record(*columns, neurons=tuple(self.nerves.names))

    def _frame(self, voltage: np.ndarray) -> tuple:
        state = self.body.state()
        curvature = self.body.curvature()
        head = state.positions[0]
        concentration = self.surroundings.concentration(head, self.now)
        sensed = [self.sensed.get(name, 0.0) for name in self.surroundings.sensors]
        activation = to_sides(self.drive) @ side_weights(len(curvature)).T
        return (
            self.now, state.positions, state.velocities, state.forces, curvature, activation,
            concentration, np.array(sensed), voltage.astype(np.float32),
        )  # fmt: skip


@dataclass
class Disturbance:
    """Coloured noise on the muscles: an Ornstein-Uhlenbeck process for every four muscles of a side.

    Attributes:
        sd: Of the drive.
        time: ms. Over which it is forgotten.
        rng: Where it is drawn.
    """

    sd: float
    time: float
    rng: np.random.Generator
    level: np.ndarray = field(default_factory=lambda: np.zeros((2, 6)))

    def next(self, duration: float) -> np.ndarray:
        """Goes on for a duration (ms) and returns float64 [96]."""
        kept = np.exp(-duration / self.time)
        drawn = self.rng.standard_normal(self.level.shape)
        self.level = kept * self.level + np.sqrt(1 - kept**2) * self.sd * drawn
        return to_units(np.repeat(self.level, PER_QUADRANT // 6, axis=1))


@dataclass
class TaughtLoop(Loop):
    """A loop that takes notes: with a teacher for a readout, material to fit one.

    Attributes:
        disturbance: Pushes muscles off what the teacher wants; the notes keep what it wanted, so that
            a pupil sees how to come back.
        currents, voltages, drives: Of every window: float64 [cells] (nA, mV) and [96].
    """

    disturbance: Disturbance | None = None
    currents: list[np.ndarray] = field(default_factory=list)
    voltages: list[np.ndarray] = field(default_factory=list)
    drives: list[np.ndarray] = field(default_factory=list)

    def feel(self) -> np.ndarray:
        """See ``Loop``."""
        self.currents.append(super().feel())
        return self.currents[-1]

    def turn(self) -> np.ndarray:
        """See ``Loop``."""
        self.voltages.append(super().turn())
        return self.voltages[-1]

    def muscles(self, voltage: np.ndarray) -> np.ndarray:
        """See ``Loop``."""
        self.drives.append(super().muscles(voltage))
        if self.disturbance is None:
            return self.drives[-1]
        return np.clip(self.drives[-1] + self.disturbance.next(self.window), 0, 1)
