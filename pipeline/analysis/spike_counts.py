"""Spikes of a run counted by trial, cell, class and time, block by block.

A run of the whole column has 10^8 spikes; only counts are kept, and one block of the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from pipeline.config.responses import Responses
from pipeline.config.tables import read_csv
from pipeline.errors import CircuitError, Problem
from pipeline.sonata.read import open_population
from pipeline.sonata.reports import spike_columns

BLOCK = 1 << 22
"""Spikes read at once."""
BIN = 1.0
"""ms. Bins of the population counts."""


@dataclass(frozen=True)
class Trials:
    """When what was shown, in order of time.

    Attributes:
        start: float64 [trials], ms.
        stop: float64 [trials], ms.
        condition: int64 [trials]. Index into ``conditions``.
        conditions: Names, in order of first showing.
        directions: float64 [conditions], degrees; NaN without one.
        left_out: Trials that the run does not hold to the end of the windows.
    """

    start: np.ndarray
    stop: np.ndarray
    condition: np.ndarray
    conditions: list[str]
    directions: np.ndarray
    left_out: int


@dataclass(frozen=True)
class Counts:
    """What was counted.

    Attributes:
        spontaneous: int64 [cells]. Spikes in all spontaneous windows.
        evoked: int64 [cells, conditions]. Spikes in all evoked windows of a condition.
        course: int32 [groups, trials, bins]. Spikes of a group of cells by time of the trial, up to
            the end of the shortest.
        intervals: float64 [cells, 3]. Number, sum (ms) and sum of squares (ms2) of the intervals
            between successive spikes of a cell within one evoked window.
        spikes: Spikes of the counted cells in the whole run.
    """

    spontaneous: np.ndarray
    evoked: np.ndarray
    course: np.ndarray
    intervals: np.ndarray
    spikes: int


def read_trials(path: Path, config: Responses, duration: float) -> Trials:
    """Reads what was shown and checks the windows.

    Args:
        path: CSV: trial, condition, start, stop (ms); direction (degrees) and grey (ms) or
            picture_start (ms of the run) where there are any.
        config: The windows.
        duration: Length of the run, ms; trials whose windows end later are left out.

    Raises:
        CircuitError: If the table is missing or wrong, a window lies outside a trial, spontaneous
            reaches into the picture or evoked into the grey screen; all with their lines.
    """
    if not path.is_file():
        hint = "make the stimulus first, or name its trials"
        raise CircuitError(Problem(str(path), "no such table of trials", hint))
    text = read_csv(path)
    missing = [name for name in ("condition", "start", "stop") if name not in text]
    if missing:
        message = f"no column {missing[0]!r}; found {', '.join(text)}"
        raise CircuitError(Problem(f"{path}:1", message, "write condition,start,stop,direction"))
    names = [n for n in ("start", "stop", "direction", "grey", "picture_start") if n in text]
    words = [
        Problem(f"{path}:{row + 2}", f"{name} is {text[name][row]!r}", "write a number, or nothing")
        for name in names[2:]
        for row, word in enumerate(text[name].str.strip())
        if word and not _is_number(word)
    ]
    if words:
        raise CircuitError(words)
    table = pd.DataFrame({n: pd.to_numeric(text[n], errors="coerce") for n in names})
    table["condition"], table["line"] = text["condition"], np.arange(len(text)) + 2
    table = table.sort_values("start", kind="stable").reset_index(drop=True)
    problems = _trial_problems(path, table, config)
    if problems:
        raise CircuitError(problems)
    last = max(config.evoked[1], config.spontaneous[1])
    held = table["start"] + last <= duration + 1e-9
    if not held.any():
        message = f"the run of {duration:g} ms holds no trial to the end of the windows"
        raise CircuitError(Problem(str(path), message, "simulate longer, or move the windows"))
    table = table[held]
    codes, conditions = pd.factorize(table["condition"])
    first = np.unique(codes, return_index=True)[1]
    shown = (
        table["direction"].to_numpy()[first]
        if "direction" in table
        else np.full(len(first), np.nan)
    )
    start, stop = (table[n].to_numpy(np.float64) for n in ("start", "stop"))
    return Trials(start, stop, codes, list(conditions), shown, int((~held).sum()))


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def _trial_problems(path: Path, table: pd.DataFrame, config: Responses) -> list[Problem]:
    """Says what is wrong with each trial, and with the first one the windows do not fit."""
    if table.empty:
        return [Problem(str(path), "the table has no trials", "write one row per trial")]
    problems = []
    bad = ~(table["start"] >= 0) | ~(table["stop"] > table["start"])
    for line in table["line"][bad]:
        message = "start and stop are no rising times in ms"
        problems.append(Problem(f"{path}:{line}", message, "correct them"))
    if problems:
        return problems
    overlap = table["start"].to_numpy()[1:] < table["stop"].to_numpy()[:-1] - 1e-9
    for line in table["line"].iloc[1:][overlap]:
        problems.append(
            Problem(f"{path}:{line}", "starts before the trial before has ended", "correct it")
        )
    length = (table["stop"] - table["start"]).to_numpy()
    for name in ("evoked", "spontaneous"):
        window = getattr(config, name)
        short = np.flatnonzero(window[1] > length + 1e-9)
        if len(short):
            message = (
                f"window {name} ends at {window[1]:g} ms; the trial lasts {length[short[0]]:g}"
            )
            hint = f"shorten analysis.responses.{name}"
            problems.append(Problem(f"{path}:{table['line'][short[0]]}", message, hint))
    return problems + _grey_problems(path, table, config)


def _grey_problems(path: Path, table: pd.DataFrame, config: Responses) -> list[Problem]:
    if "grey" in table:
        grey = table["grey"].to_numpy()
    elif "picture_start" in table:
        grey = (table["picture_start"] - table["start"]).to_numpy()
    elif config.grey is not None:
        grey = np.full(len(table), config.grey)
    else:
        return []
    checks = (
        (config.spontaneous[1] > grey + 1e-9, "spontaneous ends after", config.spontaneous[1]),
        (config.evoked[0] < grey - 1e-9, "evoked starts before", config.evoked[0]),
    )
    problems = []
    for wrong, what, time in checks:
        if wrong.any():
            row = int(np.argmax(wrong))
            message = f"window {what} the picture: {time:g} ms, grey screen until {grey[row]:g} ms"
            hint = "move the window of analysis.responses"
            problems.append(Problem(f"{path}:{table['line'][row]}", message, hint))
    return problems


def spike_blocks(
    path: str | Path, population: str, block: int = BLOCK
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields node ids (int64) and times (float64, ms) in order of time.

    A file that is not sorted by time is read and sorted whole; ours are sorted.

    Raises:
        CircuitError: If the file or the population does not exist.
    """
    with open_population(path, "spikes", population) as root:
        ids, times = spike_columns(root)
        if not _rises(times, block):
            stamps = times[:].astype(np.float64)
            order = np.argsort(stamps, kind="stable")
            yield ids[:].astype(np.int64)[order], stamps[order]
            return
        for first in range(0, len(times), block):
            rows = slice(first, first + block)
            yield ids[rows].astype(np.int64), times[rows].astype(np.float64)


def _rises(times: h5py.Dataset, block: int) -> bool:
    before = -np.inf
    for first in range(0, len(times), block):
        part = times[first : first + block]
        if part[0] < before or np.any(np.diff(part) < 0):
            return False
        before = part[-1]
    return True


def count_spikes(
    blocks: Iterator[tuple[np.ndarray, np.ndarray]],
    rows: np.ndarray,
    groups: np.ndarray,
    trials: Trials,
    config: Responses,
) -> Counts:
    """Counts the spikes of a run.

    Args:
        blocks: Node ids and times, as from ``spike_blocks``.
        rows: int64 [largest node id + 1]. Row of a node's counts; -1: not counted; -2: no such node.
        groups: int64 [cells]. Group of each counted cell.
        trials: What was shown when.
        config: The windows; both are half open, [from, to).

    Raises:
        CircuitError: For spikes of nodes that the population does not have.
    """
    n, last = int((rows >= 0).sum()), float((trials.stop - trials.start).min())
    bins = int(np.ceil(last / BIN))
    kinds, shown = int(groups.max(initial=-1)) + 1, len(trials.start)
    spontaneous, evoked = np.zeros(n, np.int64), np.zeros(n * len(trials.conditions), np.int64)
    course, total = np.zeros(kinds * shown * bins, np.int32), 0
    chain = _Intervals(n)
    for ids, times in blocks:
        unknown = (ids < 0) | (ids >= len(rows))
        unknown |= rows[np.where(unknown, 0, ids)] == -2
        if unknown.any():
            found = np.unique(ids[unknown])[:5].tolist()
            raise CircuitError(Problem("spikes.h5", f"spikes of nodes that do not exist: {found}"))
        row = rows[ids]
        total += int((row >= 0).sum())
        trial = np.searchsorted(trials.start, times, "right") - 1
        since = times - trials.start[np.maximum(trial, 0)]
        keep = (row >= 0) & (trial >= 0) & (since < last)
        row, trial, since, times = row[keep], trial[keep], since[keep], times[keep]
        quiet = (since >= config.spontaneous[0]) & (since < config.spontaneous[1])
        spontaneous += np.bincount(row[quiet], minlength=n)
        driven = (since >= config.evoked[0]) & (since < config.evoked[1])
        place = row * len(trials.conditions) + trials.condition[trial]
        evoked += np.bincount(place[driven], minlength=len(evoked))
        cell = (groups[row] * shown + trial) * bins + (since / BIN).astype(np.int64)
        found, many = np.unique(cell, return_counts=True)
        course[found] += many.astype(course.dtype)
        chain.add(row[driven], trial[driven], times[driven])
    evoked = evoked.reshape(n, -1)
    return Counts(spontaneous, evoked, course.reshape(kinds, shown, bins), chain.sums, total)


class _Intervals:
    """Sums of intervals between spikes of one cell in one window, carried from block to block."""

    def __init__(self, cells: int):
        self.sums = np.zeros((cells, 3))
        self._time, self._trial = np.zeros(cells), np.full(cells, -1, np.int64)

    def add(self, row: np.ndarray, trial: np.ndarray, times: np.ndarray) -> None:
        """Takes the next spikes, in order of time."""
        if not len(row):
            return
        order = np.argsort(row, kind="stable")
        row, trial, times = row[order], trial[order], times[order]
        first = np.append(True, row[1:] != row[:-1])
        before, earlier = np.roll(times, 1), np.roll(trial, 1)
        before[first], earlier[first] = self._time[row[first]], self._trial[row[first]]
        same = earlier == trial
        gap, cell, n = (times - before)[same], row[same], len(self.sums)
        for column, weights in enumerate((None, gap, gap**2)):
            self.sums[:, column] += np.bincount(cell, weights, minlength=n)
        last = np.append(first[1:], True)
        self._time[row[last]], self._trial[row[last]] = times[last], trial[last]
