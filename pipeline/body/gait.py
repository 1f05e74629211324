"""Figures of a gait from the body's recorded curvature and track."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Gait:
    """What is reported of a gait.

    Attributes:
        frequency: Hz, of the curvature's principal frequency.
        wavelength: Body lengths; positive when the wave runs from head to tail.
        amplitude: 1/mm, root mean square curvature times root two.
        speed: um/s, of the centre of mass along its straight displacement.
    """

    frequency: float
    wavelength: float
    amplitude: float
    speed: float


def measure_gait(curvature: np.ndarray, centre: np.ndarray, interval: float) -> Gait:
    """Measures frequency, wavelength, curvature and speed of a steady record.

    The frequency is the peak of the summed spectrum, refined by a parabola; the wavelength is the
    slope of the phase at that frequency along the middle 60 % of the body.

    Args:
        curvature: float64 [times, segments], 1/um.
        centre: float64 [times, 2], um.
        interval: ms between rows.
    """
    times, segments = curvature.shape
    signal = (curvature - curvature.mean(0)) * np.hanning(times)[:, None]
    padded = 8 * times
    spectrum = np.fft.rfft(signal, padded, axis=0)
    power = (np.abs(spectrum) ** 2).sum(1)
    peak = int(power[1:-1].argmax()) + 1
    before, at, after = np.log(power[peak - 1 : peak + 2] + 1e-300)
    bend = before - 2 * at + after
    shift = 0.5 * (before - after) / bend if bend else 0.0
    part = slice(int(0.2 * segments), int(0.8 * segments))
    phase = np.unwrap(np.angle(spectrum[peak, part]))
    slope = np.polyfit(np.arange(segments)[part] / segments, phase, 1)[0]
    moved = np.linalg.norm(centre[-1] - centre[0]) / (interval * (times - 1))
    return Gait(
        frequency=(peak + shift) / (padded * interval) * 1e3,
        wavelength=-2 * np.pi / slope if slope else np.inf,
        amplitude=float(np.sqrt(2) * curvature[:, part].std() * 1e3),
        speed=float(moved * 1e3),
    )
