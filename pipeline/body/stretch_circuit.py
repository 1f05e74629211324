"""The stretch-driven circuit of Boyle, Berri & Cohen 2012: twelve units of two bistable B neurons.

A unit's dorsal and ventral neuron switch with hysteresis on a constant drive (AVB) and on the stretch
of their side from the unit to five units behind it; D neurons act through the differences.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.body.rod import RodBody


@dataclass(frozen=True)
class CircuitParameters:
    """Constants of Boyle et al. 2012 (published program; facts).

    Attributes:
        units: Number of units.
        drive: Constant input of AVB to both sides.
        hysteresis: Width of the switching band around 0.5.
        inhibition: What an active dorsal neuron, through D, takes from its ventral partner; half of
            it is added as a constant.
        reach: Units from which a unit gathers stretch, itself and those behind.
        gain, gain_first, gain_slope: Stretch weight gain (gain_first + gain_slope i).
        muscle, muscle_slope: Weight of the neuromuscular junction, muscle (1 - muscle_slope i / N).
        stretched, compressed: Factors on dorsal stretch by sign; they keep the path straight.
    """

    units: int = 12
    drive: float = 0.675
    hysteresis: float = 0.5
    inhibition: float = 1.0
    reach: int = 6
    gain: float = 0.65
    gain_first: float = 0.4
    gain_slope: float = 0.08
    muscle: float = 0.7
    muscle_slope: float = 0.6
    stretched: float = 0.8
    compressed: float = 1.2


@dataclass
class StretchCircuit:
    """Neurons that read a rod body's stretch and drive its muscles.

    Args:
        body: The body; its segments must be a multiple of the units.
        parameters: Constants.
    """

    body: RodBody
    parameters: CircuitParameters = field(default_factory=CircuitParameters)

    def __post_init__(self) -> None:
        p, n = self.parameters, self.body.parameters.segments
        if n % p.units:
            raise ValueError(f"{n} segments are not a multiple of {p.units} units")
        radii = self.body.radii
        self.scale = 2 * self.body.parameters.radius / (radii[:-1] + radii[1:])
        index = np.arange(p.units)
        left = np.minimum(p.reach, p.units - index)
        self.gains = p.gain * (p.gain_first + p.gain_slope * index)
        self.gains *= (p.units / 12) * (2 / (n / p.units)) * np.sqrt(p.reach / left)
        self.junction = p.muscle * (1 - p.muscle_slope * np.arange(n) / n)
        self.junction[0] /= 1.5
        self.on = np.array([np.ones(p.units), np.zeros(p.units)])
        self.before: np.ndarray | None = None

    def input(self) -> np.ndarray:
        """Returns float64 [2, units]: input from AVB and stretch to the B neurons."""
        p = self.parameters
        stretch = self.body.side_stretch() * self.scale
        dorsal = stretch[0]
        stretch[0] = dorsal * np.where(dorsal > 0, p.stretched, p.compressed)
        total = np.cumsum(np.pad(stretch.reshape(2, p.units, -1).sum(2), ((0, 0), (1, p.reach))), 1)
        total[:, p.units + 1 :] = total[:, [p.units]]
        gathered = total[:, p.reach : p.reach + p.units] - total[:, : p.units]
        return p.drive + self.gains * gathered

    def update(self) -> np.ndarray:
        """Switches the neurons and returns float64 [2, segments], the drive of the muscles."""
        p = self.parameters
        now = self.input()
        # Judged at the middle of the coming step; judging at its start would be late by half of it.
        ahead = now if self.before is None else 1.5 * now - 0.5 * self.before
        self.before = now
        for side, weight in ((0, 0.0), (1, p.inhibition)):
            level = ahead[side] + weight * (0.5 - self.on[0])
            self.on[side] = level > 0.5 + p.hysteresis * (0.5 - self.on[side])
        segments = self.body.parameters.segments
        difference = np.repeat(self.on[0] - self.on[1], segments // p.units)
        return self.junction * np.stack([difference, -difference])

    def advance(self, duration: float) -> None:
        """Lets circuit and body run together; the neurons switch once per body step."""
        steps = max(1, round(duration / self.body.step))
        for _ in range(steps):
            self.body.advance_sides(self.update(), duration / steps)
