"""Inhomogeneous Poisson spikes by inversion of the integrated rate.

Event k of a Poisson process of rate r(t) falls where the integral of r reaches the sum of k unit
exponentials (time rescaling; Cinlar 1975, Introduction to Stochastic Processes, ch. 4.7). Within a bin
the rate is constant, so the inverse is exact; nothing is thinned.
"""

from __future__ import annotations

import numpy as np

from pipeline.stimulus.streams import uniforms, unit_stream

_DRAWS = 64


def poisson_spikes(
    rate: np.ndarray, bin_ms: float, key: np.ndarray, unit: int, trial: int
) -> np.ndarray:
    """Draws the spikes of one unit in one trial.

    Args:
        rate: float [bins]. Rate of each bin, Hz; not negative.
        bin_ms: Length of a bin, ms.
        key: uint64 [2]. Key of stimulus and condition.
        unit: Node id of the unit.
        trial: Number of the trial.

    Returns:
        float64 [spikes], rising, ms from the start of the trial.
    """
    integral = np.zeros(len(rate) + 1)
    np.cumsum(np.asarray(rate, np.float64) * (bin_ms / 1000), out=integral[1:])
    stream, last = unit_stream(key, unit, trial), 0.0
    found = []
    while last < integral[-1]:
        events = -np.log(uniforms(stream, _DRAWS))
        events[0] += last
        events = np.cumsum(events)
        last = events[-1]
        found.append(events[events < integral[-1]])
    if not found:
        return np.zeros(0)
    events = np.concatenate(found)
    # The bin whose integral passes the event has a rate above 0: no division by zero.
    bins = np.searchsorted(integral, events, side="right") - 1
    share = (events - integral[bins]) / (integral[bins + 1] - integral[bins])
    return (bins + share) * bin_ms
