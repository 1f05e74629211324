"""Rates and tuning of cells to gratings, and how near their distribution is to a recorded one.

Indices and similarity as in the validation of Billeh et al. 2020 and its successor: with r the mean
rates at the directions th, OSI = |sum r e^(2i th)| / sum r, DSI = |sum r e^(i th)| / sum r, and
similarity = 1 - D with D the two-sample Kolmogorov-Smirnov distance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

QUANTITIES = ("spontaneous", "evoked", "peak", "osi", "dsi")
UNITS = {"spontaneous": "Hz", "evoked": "Hz", "peak": "Hz", "osi": "", "dsi": ""}
PERCENTS = tuple(range(0, 101, 5))
"""Percentiles of every table of distributions; p25, p50 and p75 are the quartiles."""
LEAST_DIRECTIONS = 8
"""With fewer directions OSI and DSI are not computed."""


def tuned(directions: np.ndarray) -> bool:
    """Whether directions (deg) allow OSI and DSI: at least eight, evenly round the circle."""
    turned = np.sort(np.asarray(directions, np.float64) % 360.0)
    if len(turned) < LEAST_DIRECTIONS or not np.isfinite(turned).all():
        return False
    steps = np.diff(np.append(turned, turned[0] + 360.0))
    return bool(np.allclose(steps, 360.0 / len(turned), atol=1e-6))


def selectivity(rates: np.ndarray, directions: np.ndarray, harmonic: int) -> np.ndarray:
    """Length of the normalised response vector: DSI at harmonic 1, OSI at harmonic 2.

    Args:
        rates: float [cells, directions], Hz, not negative.
        directions: float [directions], degrees.
        harmonic: 1 or 2.

    Returns:
        float64 [cells] in [0, 1]; NaN for a cell without a spike, whose tuning is undefined.
    """
    rates = np.asarray(rates, np.float64)
    turn = np.exp(1j * harmonic * np.deg2rad(np.asarray(directions, np.float64)))
    total = rates.sum(axis=1)
    length = np.abs(rates @ turn)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, np.minimum(length / total, 1.0), np.nan)


def response_table(
    spontaneous: np.ndarray, rates: np.ndarray, directions: np.ndarray
) -> pd.DataFrame:
    """The five quantities of every cell, and its preferred direction.

    Args:
        spontaneous: float [cells], Hz.
        rates: float [cells, conditions], Hz; mean over the trials of each condition.
        directions: float [conditions], degrees; NaN for a condition without one.

    Returns:
        spontaneous, evoked (mean over conditions), peak (largest of them; Hz), preferred (direction
        of the peak, degrees; the first of equals; NaN for a silent cell or without directions), osi,
        dsi (NaN for a silent cell, or when ``tuned`` says no); float64, one row per cell.
    """
    rates = np.asarray(rates, np.float64)
    peak = rates.max(axis=1)
    preferred = np.asarray(directions, np.float64)[rates.argmax(axis=1)]
    indices = {
        name: selectivity(rates, directions, harmonic)
        if tuned(directions)
        else np.full(len(rates), np.nan)
        for name, harmonic in (("osi", 2), ("dsi", 1))
    }
    return pd.DataFrame(
        {
            "spontaneous": np.asarray(spontaneous, np.float64),
            "evoked": rates.mean(axis=1),
            "peak": peak,
            "preferred": np.where(peak > 0, preferred, np.nan),
            **indices,
        }
    )


def describe(values: np.ndarray) -> dict[str, float]:
    """Returns n, mean and the percentiles p0 to p100 of the finite values; NaN where n is 0."""
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    names = [f"p{percent}" for percent in PERCENTS]
    if not len(values):
        return {"n": 0, "mean": np.nan} | dict.fromkeys(names, np.nan)
    found = np.percentile(values, PERCENTS)
    return {"n": len(values), "mean": float(values.mean())} | dict(
        zip(names, found.tolist(), strict=True)
    )


def summarise(cells: pd.DataFrame) -> pd.DataFrame:
    """Distribution of every quantity in every class.

    Args:
        cells: class and the columns of ``QUANTITIES``; one row per cell.

    Returns:
        class, quantity, cells (all of the class), n (those with a value), mean, p0 ... p100; classes
        in the order of their first cell.
    """
    rows = [
        {"class": name, "quantity": quantity, "cells": len(group)} | describe(group[quantity])
        for name, group in cells.groupby("class", sort=False, observed=True)
        for quantity in QUANTITIES
    ]
    columns = ["class", "quantity", "cells", "n", "mean", *(f"p{p}" for p in PERCENTS)]
    return pd.DataFrame(rows, columns=columns)


def similarity(ours: np.ndarray, recorded: np.ndarray) -> float:
    """1 - two-sample Kolmogorov-Smirnov distance of the finite values; NaN when a side has none."""
    ours, recorded = (np.asarray(v, np.float64) for v in (ours, recorded))
    ours, recorded = ours[np.isfinite(ours)], recorded[np.isfinite(recorded)]
    if not len(ours) or not len(recorded):
        return float("nan")
    places = np.concatenate([ours, recorded])
    mine, theirs = (np.searchsorted(np.sort(v), places, "right") / len(v) for v in (ours, recorded))
    return float(1.0 - np.max(np.abs(mine - theirs)))


def similarity_bounds(
    ours: np.ndarray, quantiles: Sequence[float], n: int, percents: Sequence[float] = PERCENTS
) -> tuple[float, float]:
    """What the quantiles of recorded units say about the similarity to them.

    Between two known quantiles the recorded distribution function may run anywhere from one percent
    to the other (and 1/n beyond, as quantiles are interpolated). The distance cannot be smaller than
    where ours leaves that band, nor larger than to its far side.

    Args:
        ours: float [cells]; values that are not finite are left out.
        quantiles: float [k], rising; from the least to the largest unit.
        n: Number of units behind the quantiles.
        percents: float [k], from 0 to 100.

    Returns:
        Least and largest possible similarity; NaN when a side has no values.
    """
    ours = np.asarray(ours, np.float64)
    ours = np.sort(ours[np.isfinite(ours)])
    known = np.asarray(quantiles, np.float64)
    if not len(ours) or n < 1 or not np.isfinite(known).all():
        return float("nan"), float("nan")
    share = np.asarray(percents, np.float64) / 100.0
    lowest = largest = 0.0
    # Both functions only step at these places; just before (left) and at (right) each of them.
    places = np.unique(np.concatenate([ours, known]))
    for side in ("left", "right"):
        mine = np.searchsorted(ours, places, side) / len(ours)
        below = np.searchsorted(known, places, side)
        inner = (below > 0) & (below < len(known))
        low = np.where(inner, share[np.maximum(below - 1, 0)] - 1.0 / n, below > 0)
        high = np.where(inner, share[np.minimum(below, len(known) - 1)] + 1.0 / n, below > 0)
        low, high = np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)
        lowest = max(lowest, float(np.max(np.maximum(low - mine, mine - high))))
        largest = max(largest, float(np.max(np.maximum(mine - low, high - mine))))
    return 1.0 - min(largest, 1.0), 1.0 - max(lowest, 0.0)
