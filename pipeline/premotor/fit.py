"""Least squares fit of synapses and offsets to recordings, after Morrison & Young 2025."""

from __future__ import annotations

import numpy as np
from scipy.signal import savgol_filter

from pipeline.premotor.model import Weights, Wiring, cubic, gap_current


def fit_weights(
    wiring: Wiring,
    times: np.ndarray,
    traces: np.ndarray,
    *,
    rate: float = 1.0,
    a: float = -2.0,
    gap: float = 10.0,
    window: int = 11,
    order: int = 5,
) -> tuple[Weights, np.ndarray]:
    """Solves dx/dt - cubic - gap junctions = d + sum A max(0, x) for every core neuron.

    Traces are smoothed by a Savitzky-Golay filter, slopes are central differences. Columns without
    a recording (NaN) are left out of the sums; their weights are NaN.

    Args:
        wiring: Which synapses exist.
        times: float64 [frames], s.
        traces: float64 [frames, core + signals]; a column of NaN is a cell not recorded.
        rate, a, gap: As in ``simulate``.
        window, order: Of the filter.

    Returns:
        The weights (NaN where nothing could be fitted, 0 where no synapse exists), and the share of
        the variance of each left side that is explained, float64 [core].
    """
    cells = len(wiring.core)
    known = np.isfinite(traces).all(0)
    x = np.where(known, savgol_filter(np.where(known, traces, 0.0), window, order, axis=0), 0.0)
    slope = np.gradient(x[:, :cells], times, axis=0)
    gaps = np.where(known, wiring.gaps, 0.0)
    left = slope - rate * cubic(x[:, :cells], a) - gap * gap_current(x[:, :cells], x, gaps)
    synapses = np.where(wiring.synapses & ~known, np.nan, 0.0)
    offsets, explained = np.full(cells, np.nan), np.full(cells, np.nan)
    inside = slice(1, -1)
    for cell in range(cells):
        if not known[cell]:
            synapses[cell, wiring.synapses[cell]] = np.nan
            continue
        columns = np.flatnonzero(wiring.synapses[cell] & known)
        design = np.column_stack([np.ones(len(x)), np.maximum(x[:, columns], 0.0)])[inside]
        wanted = left[inside, cell]
        solution = np.linalg.lstsq(design, wanted, rcond=None)[0]
        offsets[cell], synapses[cell, columns] = solution[0], solution[1:]
        residual = wanted - design @ solution
        explained[cell] = 1 - residual.var() / max(wanted.var(), 1e-300)
    return Weights(synapses, offsets), explained


def average_weights(fits: list[Weights]) -> Weights:
    """Averages fits over the recordings in which a weight was fitted and is not zero."""

    def mean(parts: list[np.ndarray]) -> np.ndarray:
        stack = np.array(parts)
        used = np.isfinite(stack) & (stack != 0)
        return np.where(used, stack, 0.0).sum(0) / np.maximum(used.sum(0), 1)

    return Weights(mean([f.synapses for f in fits]), mean([f.offsets for f in fits]))
