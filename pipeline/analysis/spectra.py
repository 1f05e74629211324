"""Rhythm and irregularity: spectra of population rates, Fano factor of counts, CV of intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

GAMMA = (30.0, 80.0)
"""Hz. Gamma band, both ends included."""
BROAD = (1.0, 200.0)
"""Hz. Band that the share of gamma power refers to."""
SEGMENT = 500.0
"""ms. Longest Welch segment; steps of 2 Hz."""
FANO_BIN = 5.0
"""ms. Bins of the population count whose variance is compared with its mean."""


def spectrum(counts: np.ndarray, cells: int, bin_ms: float) -> pd.DataFrame:
    """Power spectrum of a population rate: Welch's method, mean over trials.

    Args:
        counts: int [trials, bins]. Spikes of the population.
        cells: How many cells they are of.
        bin_ms: Width of a bin, ms.

    Returns:
        frequency (Hz), power (one-sided density of the rate per cell, Hz2/Hz), poisson (that of
        independent Poisson cells of the same mean rate: 2 r / cells).
    """
    from scipy.signal import welch

    rate = np.asarray(counts, np.float64) / (cells * bin_ms / 1000.0)
    length = min(rate.shape[1], round(SEGMENT / bin_ms))
    found, power = welch(rate, 1000.0 / bin_ms, nperseg=length, detrend="constant", axis=1)
    floor = np.full(len(found), 2.0 * rate.mean() / cells)
    return pd.DataFrame({"frequency": found, "power": power.mean(axis=0), "poisson": floor})


def gamma(table: pd.DataFrame) -> dict[str, float]:
    """Gamma band of a spectrum.

    Args:
        table: As from ``spectrum``.

    Returns:
        ``peak`` (Hz of the highest power in 30 to 80 Hz), ``share`` (power of the band over that of
        1 to 200 Hz) and ``over_poisson`` (mean power of the band over the Poisson floor); NaN
        without spikes or without the band.
    """
    inside = table["frequency"].between(*GAMMA).to_numpy()
    broad = table["frequency"].between(*BROAD).to_numpy()
    power, floor = table["power"].to_numpy(), table["poisson"].to_numpy()
    if not inside.any() or not power[broad].sum() > 0:
        return dict.fromkeys(("peak", "share", "over_poisson"), float("nan"))
    band = table["frequency"].to_numpy()[inside]
    return {
        "peak": float(band[np.argmax(power[inside])]),
        "share": float(power[inside].sum() / power[broad].sum()),
        "over_poisson": float(power[inside].mean() / floor[0]),
    }


def fano(counts: np.ndarray, bin_ms: float) -> float:
    """Variance over mean of the population's count in bins of 5 ms.

    1 for independent Poisson cells of constant rate; above it what cells share, the modulation by
    the stimulus included.

    Args:
        counts: int [trials, bins].
        bin_ms: Width of a bin, ms.

    Returns:
        NaN without spikes.
    """
    step = max(1, round(FANO_BIN / bin_ms))
    whole = counts.shape[1] // step * step
    joined = counts[:, :whole].reshape(len(counts), -1, step).sum(axis=2)
    mean = float(joined.mean()) if joined.size else 0.0
    return float(joined.var() / mean) if mean > 0 else float("nan")


def interval_cv(sums: np.ndarray) -> np.ndarray:
    """Coefficient of variation of each cell's intervals.

    Args:
        sums: float [cells, 3]. Number, sum and sum of squares.

    Returns:
        float64 [cells]; NaN below two intervals.
    """
    n, first, second = np.asarray(sums, np.float64).T
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = first / n
        spread = np.sqrt(np.maximum(second / n - mean**2, 0.0))
        return np.where(n >= 2, spread / mean, np.nan)
