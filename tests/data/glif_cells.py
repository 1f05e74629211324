"""GLIF cells, currents and an independent reference for the tests of the GLIF mechanisms.

The reference integrates the equations of Teeter et al. 2018 in steps of 1 us or less, from their text and not
from our code: exponential Euler with after-spike currents at mid-step.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numba
import numpy as np

from pipeline.cells.glif import Glif, read_glif

FILES = Path(__file__).resolve().parents[3] / "shared/data/billeh-v1"
GRID, DURATION, FINE = 0.1, 300.0, 1e-3  # ms
_SYNTHETIC = Glif(
    level=1, C=0.1, g=0.006, E_L=-72.0, threshold=-50.0, V_reset=-70.0, t_ref=3.0,
    asc_amps=(-0.03, -0.2), asc_decay=(0.01, 0.1), asc_r=(1.0, 0.9), asc_init=(0.0, 0.0),
    th_spike_add=3.0, th_spike_decay=0.05, th_voltage_index=0.008, th_voltage_decay=0.04,
    voltage_reset_fraction=0.3, voltage_reset_add=4.0,
)  # fmt: skip


def synthetic() -> dict[str, Glif]:
    """One made-up cell at every level."""
    return {f"synthetic_{level}": _SYNTHETIC.at_level(level) for level in range(1, 6)}


def published() -> dict[str, Glif]:
    """The five published parameter files; empty where they are not beside the repository."""
    return {path.stem: read_glif(path) for path in sorted(FILES.glob("glif_five_levels/*.json"))}


def currents(cell: Glif, duration: float = DURATION) -> dict[str, np.ndarray]:
    """Steps, a ramp and noise for a cell: nA, float64 [duration / GRID], constant within GRID."""
    count = round(duration / GRID)
    time = np.arange(count) * GRID
    unit = cell.rheobase
    steps = unit * np.select([time < 20, time < 160, time < 200], [0.0, 1.6, 0.5], 2.6)
    ramp = unit * np.maximum(0.0, 3.2 * (time - 10) / duration)
    noise = np.random.default_rng(5).normal(1.5, 1.5, count) * unit
    below = 0.9 * steps / 2.6
    return {"steps": steps, "ramp": ramp, "noise": noise, "below": below}


def reference(
    cell: Glif,
    current: np.ndarray,
    grid: float = 0.0,
    *,
    fine: float = FINE,
    events: Sequence[tuple[float, Sequence[tuple[float, float]]]] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Runs the reference.

    Args:
        cell: The cell.
        current: nA, constant within GRID.
        grid: ms. 0: the equations as they stand. Else the rules of a simulation in steps of
            ``grid``: the threshold is tested at their ends, the refractory time is whole steps and
            the reset uses the voltage at the start of the step that crosses.
        fine: ms. Step of the integration.
        events: Alpha currents: when each begins (ms), and its parts: time to the peak (ms), peak (nA).

    Returns:
        Spike times (ms), and the voltage (mV) at the ends of the GRID intervals.
    """
    pair = [np.array(x if x else [0.0]) for x in (cell.asc_amps, cell.asc_decay, cell.asc_r)]
    scalars = dataclasses.astuple(cell)[1:7]
    rest = dataclasses.astuple(cell)[11:]
    every = round(grid / fine) if grid else 1
    hold = math.ceil(round(cell.t_ref / (every * fine), 6)) * every
    spikes, voltage = _integrate(
        np.asarray(current), cell.level, *scalars, *pair, *rest, every, hold, round(GRID / fine),
        fine, _alpha_currents(events, len(current) * GRID, fine),
    )  # fmt: skip
    return spikes * fine, voltage


def _alpha_currents(events, duration: float, fine: float) -> np.ndarray:
    """Sum of alpha currents in the middle of every fine step, nA; empty if there are none."""
    if not events:
        return np.zeros(0)
    time = (np.arange(round(duration / fine)) + 0.5) * fine
    total = np.zeros(len(time))
    for begin, parts in events:
        first = np.searchsorted(time, begin)
        ago = time[first:] - begin
        for tau, peak in parts:
            total[first:] += peak * math.e / tau * ago * np.exp(-ago / tau)
    return total


@numba.njit(cache=False)
def _integrate(
    current, level, C, g, E_L, threshold, V_reset, t_ref, amps, decay, kept,
    add_s, b_s, a_v, b_v, fraction, add, every, hold, per, h, synaptic,
):  # fmt: skip
    asc = np.zeros(len(amps))
    v, th_s, th_v, before = E_L, 0.0, 0.0, E_L
    blocked = 0
    decaying = math.exp(-g * h / C)
    spikes, voltage = [], np.zeros(len(current))
    for n in range(len(current) * per):
        if n >= blocked:
            if n % every == 0:
                before = v
            drive = current[n // per] + (synaptic[n] if len(synaptic) else 0.0)
            if level >= 3:
                for j in range(len(asc)):
                    drive += asc[j] * math.exp(-decay[j] * h / 2)
                    asc[j] *= math.exp(-decay[j] * h)
            target = E_L + drive / g
            middle = target + (v - target) * math.exp(-g * h / C / 2)
            v = target + (v - target) * decaying
            th_s *= math.exp(-b_s * h)
            if level == 5:
                th_v = (th_v + h * a_v * (middle - E_L) * math.exp(b_v * h / 2)) * math.exp(
                    -b_v * h
                )
            if (n + 1) % every == 0 and v > threshold + th_s + th_v:
                spikes.append(n + 1)
                blocked = n + 1 + hold
                if level == 1 or level == 3:
                    v = V_reset
                else:
                    v = E_L + fraction * (before - E_L) + add
                    th_s = th_s * math.exp(-b_s * t_ref) + add_s
                for j in range(len(asc)):
                    asc[j] = kept[j] * asc[j] * math.exp(-decay[j] * t_ref) + amps[j]
        if (n + 1) % per == 0:
            voltage[n // per] = v
    return np.array(spikes, dtype=np.float64), voltage
