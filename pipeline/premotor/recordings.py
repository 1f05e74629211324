"""Whole-brain recordings in the public format (Atanas et al. 2023, wormwideweb.org), and drawn ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import ConfigError, Problem
from pipeline.runtime import rng_for

_NEEDED = ("trace_array", "timestamp_confocal", "labeled")
_STAND_INS = {"AVB": "RIB", "RIB": "AVB", "AIB": "RIM", "RID": "AVB"}


@dataclass(frozen=True)
class Recording:
    """Activity of identified neurons.

    Attributes:
        name: Of the file.
        times: float64 [frames], s.
        traces: Name of a neuron to float64 [frames], GCaMP units.
    """

    name: str
    times: np.ndarray
    traces: dict[str, np.ndarray]


def read_recording(path: Path) -> Recording:
    """Reads one JSON file: ``trace_array``, ``timestamp_confocal``, ``labeled``.

    Labels are keyed by the number of the trace, from 1. Uncertain labels (with ``?``) are left out.

    Raises:
        ConfigError: If the file is no JSON or has other contents.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            Problem(str(path), f"not a JSON file: {error}", "download it again")
        ) from None
    missing = [key for key in _NEEDED if not isinstance(data, dict) or key not in data]
    if missing:
        hint = "expected a recording in the format of wormwideweb.org"
        raise ConfigError(Problem(str(path), f"no key {missing[0]!r}", hint))
    try:
        times = np.asarray(data["timestamp_confocal"], float)
        traces = np.asarray(data["trace_array"], float)
        labels = {int(key): str(entry["label"]) for key, entry in data["labeled"].items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        hint = "expected numbers, and labels keyed by trace"
        raise ConfigError(Problem(str(path), f"cannot be read: {error}", hint)) from None
    if traces.ndim != 2 or times.ndim != 1 or times.size not in traces.shape:
        message = f"{traces.shape} traces for {times.size} times"
        raise ConfigError(Problem(str(path), message, "one side must be the number of times"))
    traces = traces if traces.shape[1] == len(times) else traces.T
    if len(times) < 2 or not (np.diff(times) > 0).all() or not np.isfinite(times).all():
        message = f"{len(times)} times that do not rise"
        raise ConfigError(Problem(str(path), message, "expected seconds, one per frame"))
    if np.isinf(traces).any():
        raise ConfigError(
            Problem(str(path), "a trace is infinite", "write null where it is unknown")
        )
    outside = [key for key in labels if not 1 <= key <= len(traces)]
    if outside:
        message = f"label of trace {outside[0]}, but there are {len(traces)}"
        raise ConfigError(Problem(str(path), message, "labels count traces from 1"))
    named = {label: traces[key - 1] for key, label in labels.items() if label and "?" not in label}
    return Recording(Path(path).stem, times, named)


def twin(name: str) -> str:
    """Returns the cell of the other side, or the name itself."""
    side = {"L": "R", "R": "L"}.get(name[-1])
    return name[:-1] + side if side and name != "RID" and len(name) > 3 else name


def complete(recordings: list[Recording], names: list[str], least: float) -> list[np.ndarray]:
    """Arranges recordings by name and fills missing cells as published.

    A missing cell takes the trace of its left or right twin where the pair's correlation, averaged
    over recordings with both, is above ``least``; core cells else that of AVB for RIB, RIB for AVB,
    RIM for AIB, AVB for RID; others stay NaN.

    Returns:
        float64 [frames, names] per recording.
    """
    similar = {name: _similarity(recordings, name, twin(name)) for name in names}
    found = []
    for recording in recordings:
        traces = recording.traces
        table = np.full((len(recording.times), len(names)), np.nan)
        for column, name in enumerate(names):
            other = twin(name)
            if name in traces:
                table[:, column] = traces[name]
            elif other in traces and similar[name] > least:
                table[:, column] = traces[other]
            else:
                stand_in = _STAND_INS.get(name.rstrip("LR") if name != "RID" else name, "")
                both = [traces[stand_in + side] for side in "LR" if stand_in + side in traces]
                if both:
                    table[:, column] = np.mean(both, axis=0)
        found.append(table)
    return found


def _similarity(recordings: list[Recording], name: str, other: str) -> float:
    pairs = [
        np.corrcoef(r.traces[name], r.traces[other])[0, 1]
        for r in recordings
        if name != other and name in r.traces and other in r.traces
    ]
    return float(np.mean(pairs)) if pairs else -np.inf


def draw_signals(
    seed: int, recording: int, times: np.ndarray, names: tuple[str, ...], correlation_time: float
) -> np.ndarray:
    """Draws smooth signals: noise low-passed twice, each keyed by its number, mean 0.1, sd 0.5.

    Returns:
        float64 [frames, signals].
    """
    step = float(np.diff(times).mean())
    keep = np.exp(-step / correlation_time)
    columns = []
    for number in range(len(names)):
        draw = rng_for(seed, "premotor.signal", recording, number).normal(size=len(times) + 200)
        for _ in range(2):
            draw = np.asarray(pd.Series(draw).ewm(alpha=1 - keep, adjust=False).mean())
        draw = draw[200:]
        columns.append(0.1 + 0.5 * (draw - draw.mean()) / draw.std())
    return np.column_stack(columns)
