"""Features of postsynaptic potentials, as those who recorded them took them."""

from __future__ import annotations

import numpy as np

AROUND = 0.5
"""ms; a trial's amplitude is its mean within this time of the peak of the mean trace."""
NOTHING = 1e-6
"""mV; a trial that never leaves the trace without a spike by more released nothing."""
ONSET, RISE, DECAY = 0.05, (0.2, 0.8), (0.8, 0.3)
"""Shares of the peak: latency; rise time; between which the decay is fitted."""


def psp_features(time: np.ndarray, trials: np.ndarray, sign: float) -> dict[str, float]:
    """Takes amplitude, variation, failures and kinetics of one connection.

    Args:
        time: float64 [n], ms from the presynaptic spike, rising; from 0 or before.
        trials: float64 [trials, n], mV. Each trial minus the same cell without a spike.
        sign: 1 for depolarising, -1 for hyperpolarising potentials.

    Returns:
        psp (mV, of the mean trace, not negative), cv (sd over mean of the trials' amplitudes, n - 1),
        failures (share of trials in which nothing was released), latency (ms from the spike to 5 %
        of the peak), rise (ms, 20 to 80 %), decay (ms, of an exponential fitted from 80 to 30 %). NaN
        for what the trace does not show.
    """
    mean = sign * trials.mean(axis=0)
    after = np.flatnonzero(time >= 0)
    peak = int(after[np.argmax(mean[after])])
    height = float(mean[peak])
    failures = float((np.abs(trials).max(axis=1) <= NOTHING).mean())
    found = {"psp": max(height, 0.0), "cv": np.nan, "failures": failures}
    found |= dict.fromkeys(("latency", "rise", "decay"), np.nan)
    if height <= NOTHING:
        return found
    near = np.abs(time - time[peak]) <= AROUND
    heights = sign * trials[:, near].mean(axis=1)
    if len(heights) > 1 and heights.mean() > 0:
        found["cv"] = float(heights.std(ddof=1) / heights.mean())
    rising = after[after <= peak]
    onset, low, high = (_crossing(time[rising], mean[rising], share * height)
                        for share in (ONSET, *RISE))  # fmt: skip
    found |= {"latency": onset, "rise": high - low}
    found["decay"] = _decay(time[peak:], mean[peak:], height)
    return found


def _crossing(time: np.ndarray, values: np.ndarray, level: float) -> float:
    """When a trace last rises through a level on its way to its end, by lines between samples."""
    below = np.flatnonzero(values < level)
    if not len(below) or below[-1] + 1 >= len(values):
        return float("nan")
    k = below[-1]
    share = (level - values[k]) / (values[k + 1] - values[k])
    return float(time[k] + share * (time[k + 1] - time[k]))


def _decay(time: np.ndarray, values: np.ndarray, height: float) -> float:
    """Time constant of the line through the logarithm, least squares; NaN if it does not fall."""
    start = np.flatnonzero(values <= DECAY[0] * height)
    stop = np.flatnonzero(values <= DECAY[1] * height)
    if not len(start) or not len(stop) or stop[0] - start[0] < 3:
        return float("nan")
    part = slice(start[0], stop[0])
    slope = np.polyfit(time[part], np.log(values[part]), 1)[0]
    return float(-1.0 / slope) if slope < 0 else float("nan")


def conductance_factor(measured: float, target: float, driving_force: float) -> float:
    """By which factor a conductance has to change to bring a potential to its target.

    In the steady state a synapse of conductance g on a membrane of conductance G moves the voltage by
    v = d g / (G + g), d the driving force. So g = G v / (d - v), and the factor is the ratio of this at
    both potentials: it says how much more is needed as the driving force is used up.

    Args:
        measured: mV, the potential with the present conductance.
        target: mV, the wanted one.
        driving_force: mV, distance from the holding to the reversal potential.

    Returns:
        The factor; NaN where no conductance reaches the target.
    """
    d = abs(driving_force)
    if not 0 < measured < d or not 0 < target < d:
        return float("nan")
    return target / (d - target) * (d - measured) / measured
