"""What a population did in a run: rates by type, synchrony, coupling to the others, answers to events.

Spikes come as rows of cells and times; counts as cells by bins.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.analysis.spectra import interval_cv, spectrum
from pipeline.philox import rule_key, uniforms_array

MOST_SPIKES = 20_000
"""Spikes of a raster that are written."""
SHIFTS = 20
"""Circular shifts of every cell that make the null distribution of its coupling."""
FINE = 1.0
"""ms; bins of the spectrum."""
PSTH_BIN = 5.0
"""ms."""
LFP_SEGMENT = 500.0
"""ms. Longest Welch segment of potentials."""
ANSWER = 3.0
"""An answer starts with the first bin above the mean before the event by this many sd."""


def bin_spikes(
    rows: np.ndarray, times: np.ndarray, cells: int, start: float, stop: float, width: float
) -> np.ndarray:
    """Counts spikes: int32 [cells, bins]; a last bin that is not whole is left out.

    Args:
        rows: int64 [spikes], row of each spike's cell.
        times: float64 [spikes], ms.
        cells: Number of cells.
        start: ms; from when on.
        stop: ms.
        width: ms of a bin.
    """
    bins = int(np.floor((stop - start) / width + 1e-9))
    at = np.floor((times - start) / width).astype(np.int64)
    good = (times >= start) & (at < bins)
    flat = np.bincount(rows[good] * bins + at[good], minlength=cells * bins)
    return flat.reshape(cells, bins).astype(np.int32)


def rate_table(rates: np.ndarray, cells: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Rates by attribute, and of all cells.

    Args:
        rates: float64 [cells], Hz.
        cells: One row per cell, in that order.
        by: Its columns.

    Returns:
        attribute, value, cells, mean, sd, median (Hz), silent (share), log_sd (sd of the natural
        logarithm of the rates of cells that fired).
    """
    rows = [("", "all", *_summary(rates))]
    for name in by:
        texts = cells[name].astype(str).to_numpy()
        rows += [(name, value, *_summary(rates[texts == value])) for value in np.unique(texts)]
    columns = ["attribute", "value", "cells", "mean", "sd", "median", "silent", "log_sd"]
    return pd.DataFrame(rows, columns=columns)


def _summary(rates: np.ndarray) -> tuple[int, float, float, float, float, float]:
    active = np.log(rates[rates > 0])
    spread = float(active.std(ddof=1)) if len(active) > 1 else float("nan")
    sd = float(rates.std(ddof=1)) if len(rates) > 1 else float("nan")
    silent = float((rates == 0).mean())
    return len(rates), float(rates.mean()), sd, float(np.median(rates)), silent, spread


def synchrony(counts: np.ndarray) -> float:
    """Variance of the population's count over the sum of the cells' variances.

    1 for independent cells, the number of cells if all do the same (as Golomb & Rinzel 1993, Phys Rev
    E 48:4810, with counts in place of voltages and without the square root).

    Args:
        counts: int [cells, bins].

    Returns:
        NaN if no cell varies.
    """
    own = float(counts.var(axis=1).sum())
    return float(counts.sum(axis=0).var() / own) if own > 0 else float("nan")


def coupling(counts: np.ndarray, seed: int, keys: np.ndarray | None = None) -> pd.DataFrame:
    """Correlation of every cell with the sum of all others: soloists low, choristers high.

    After Okun et al. 2015, Nature 521:511 (population coupling), as a correlation. The null shifts
    a cell's counts round in time against the others, ``SHIFTS`` times, by draws keyed by cell.

    Args:
        counts: int [cells, bins].
        seed: Of the shifts.
        keys: int64 [cells], stable keys of the cells; default: their rows.

    Returns:
        coupling, null_mean, null_sd, z; NaN for cells that do not vary.
    """
    cells, bins = counts.shape
    data = counts.astype(np.float64)
    rest = data.sum(axis=0) - data
    own = data - data.mean(axis=1, keepdims=True)
    rest -= rest.mean(axis=1, keepdims=True)
    scale = np.sqrt((own**2).sum(axis=1) * (rest**2).sum(axis=1))
    keys = np.arange(cells) if keys is None else keys
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (own * rest).sum(axis=1) / scale
        nulls = np.empty((SHIFTS, cells))
        for number in range(SHIFTS):
            u, _ = uniforms_array(rule_key(seed, "coupling"), keys, np.zeros_like(keys), 0, number)
            shift = 1 + (u * max(bins - 1, 1)).astype(np.int64)
            at = (np.arange(bins)[None, :] - shift[:, None]) % bins
            nulls[number] = (np.take_along_axis(own, at, axis=1) * rest).sum(axis=1) / scale
        mean, sd = nulls.mean(axis=0), nulls.std(axis=0, ddof=1)
        z = (found - mean) / sd
    return pd.DataFrame({"coupling": found, "null_mean": mean, "null_sd": sd, "z": z})


def psth(
    rows: np.ndarray, times: np.ndarray, groups: np.ndarray, events: Sequence[float],
    window: tuple[float, float], width: float = PSTH_BIN,
) -> pd.DataFrame:  # fmt: skip
    """Mean rates about events.

    Args:
        rows: int64 [spikes], row of each spike's cell.
        times: float64 [spikes], ms.
        groups: text [cells].
        events: ms.
        window: ms before and after an event.
        width: ms of a bin.

    Returns:
        group, time (ms, start of the bin), rate (Hz, mean over cells and events).
    """
    before, after = window
    first, last = -int(np.floor(before / width)), int(np.floor(after / width))
    names, frames = np.unique(groups), []
    for name in names:
        own = groups == name
        at = times[own[rows]]
        found = np.concatenate([(at - event) / width for event in events] or [np.empty(0)])
        index = np.floor(found + 1e-9).astype(np.int64)
        good = (index >= first) & (index < last)
        counts = np.bincount(index[good] - first, minlength=last - first)
        rate = counts / (own.sum() * max(len(events), 1) * width / 1000.0)
        frames.append(
            pd.DataFrame({"group": name, "time": np.arange(first, last) * width, "rate": rate})
        )
    return pd.concat(frames, ignore_index=True)


def answers(table: pd.DataFrame) -> pd.DataFrame:
    """What a PSTH says: group, before (Hz), peak (Hz), peak_time and latency (ms; NaN without one)."""
    rows = []
    for name, own in table.groupby("group", sort=True):
        quiet = own.loc[own["time"] < 0, "rate"]
        late = own[own["time"] >= 0]
        base = float(quiet.mean()) if len(quiet) else 0.0
        limit = base + ANSWER * (float(quiet.std()) if len(quiet) > 1 else 0.0)
        above = late[late["rate"] > limit]
        peak = late.loc[late["rate"].idxmax()]
        latency = float(above["time"].iloc[0]) if len(above) else float("nan")
        rows.append((name, base, float(peak["rate"]), float(peak["time"]), latency))
    return pd.DataFrame(rows, columns=["group", "before", "peak", "peak_time", "latency"])


def raster(rows: np.ndarray, times: np.ndarray, cells: pd.DataFrame, by: str) -> pd.DataFrame:
    """Spikes for a raster by depth, every k-th cell: time (ms), y (um), class."""
    step = max(1, -(-len(times) // MOST_SPIKES))
    good = rows % step == 0
    chosen = rows[good]
    return pd.DataFrame(
        {
            "time": times[good],
            "y": cells["y"].to_numpy(np.float64)[chosen],
            "class": cells[by].astype(str).to_numpy()[chosen],
        }
    )


def lfp_spectra(table: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, float, str]]]:
    """Spectra of potentials at electrodes, by Welch's method.

    Args:
        table: time (ms), and one column (mV) per electrode.

    Returns:
        frequency (Hz) and one column (mV2/Hz) per electrode; and ``lfp_sd`` (mV, the largest of the
        electrodes) and ``lfp_peak`` (Hz above 0 where the mean power is highest).
    """
    from scipy.signal import welch

    data = table.drop(columns="time")
    if len(data) < 2:
        return pd.DataFrame(columns=["frequency", *data.columns]), []
    rate = 1000.0 / float(np.diff(table["time"].to_numpy()[:2])[0])
    length = min(len(data), round(LFP_SEGMENT * rate / 1000.0))
    frequency, power = welch(data.to_numpy(), rate, nperseg=length, detrend="constant", axis=0)
    found = pd.DataFrame(power, columns=data.columns)
    found.insert(0, "frequency", frequency)
    peak = float(frequency[1:][power[1:].mean(axis=1).argmax()])
    largest = float(data.std(ddof=1).max())
    return found, [("lfp_sd", largest, "mV"), ("lfp_peak", peak, "Hz")]


def run_figures(
    rows: np.ndarray, times: np.ndarray, cells: int, start: float, stop: float, width: float
) -> tuple[dict[str, float], np.ndarray]:
    """Figures of one run between two times (ms).

    Returns:
        rate (Hz), synchrony, isi_cv (median over cells with two intervals), active (share of cells
        that fired), peak_frequency (Hz, of the spectrum of the population's rate) and peak_power
        (over that of independent Poisson cells); and the counts of ``bin_spikes``.
    """
    counts = bin_spikes(rows, times, cells, start, stop, width)
    fine = bin_spikes(rows, times, cells, start, stop, FINE).sum(axis=0)
    good = (times >= start) & (times < stop)
    sums = _interval_sums(rows[good], times[good], cells)
    cv = interval_cv(sums)
    found = {
        "rate": float(good.sum() / cells / (stop - start) * 1000.0),
        "synchrony": synchrony(counts),
        "isi_cv": float(np.nanmedian(cv)) if np.isfinite(cv).any() else float("nan"),
        "active": float(len(np.unique(rows[good])) / cells),
        "peak_frequency": float("nan"),
        "peak_power": float("nan"),
    }
    if good.any() and len(fine) > 1:
        table = spectrum(fine[None], cells, FINE)
        table = table[table["frequency"] > 0]
        at = table["power"].idxmax()
        found["peak_frequency"] = float(table.loc[at, "frequency"])
        found["peak_power"] = float(table.loc[at, "power"] / table.loc[at, "poisson"])
    return found, counts


def _interval_sums(rows: np.ndarray, times: np.ndarray, cells: int) -> np.ndarray:
    """Number, sum and sum of squares of the intervals of each cell: float64 [cells, 3]."""
    order = np.lexsort((times, rows))
    same = np.diff(rows[order]) == 0
    gap, cell = np.diff(times[order])[same], rows[order][1:][same]
    columns = [np.bincount(cell, w, minlength=cells) for w in (None, gap, gap**2)]
    return np.stack(columns, axis=1).astype(np.float64)
