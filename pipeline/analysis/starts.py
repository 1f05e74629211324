"""Figures over several starts of one behaviour: chemotaxis, gait, and the answer to a touch."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binomtest, t

from pipeline.body.record import Record, Starts
from pipeline.config.behaviour import Behaviour

Figure = tuple[str, float, str]
TOUCH_WINDOW = 2000.0
"""ms before and after the begin of a touch over which the speed is taken: one undulation of a crawl."""


def start_figures(config: Behaviour, record: Record) -> list[Figure]:
    """Measures a behaviour over its starts.

    Per source: index (starts that ended nearer minus those that ended farther, over all) with the 95 %
    interval of Wilson, mean approach (mm) with its 95 % interval of Student, share that arrived, median
    time of these; the same with ``control_`` for the starts without senses. Gait: means and intervals.

    Returns:
        Name, value and unit of every figure.
    """
    starts, found = record.starts, []
    for label, chosen in (("", starts.smelling), ("control_", ~starts.smelling)):
        if not chosen.any():
            continue
        found.append((f"{label}starts", float(chosen.sum()), ""))
        for name, source in config.environment.sources.items():
            found += _toward(f"{name}.{label}", np.array(source.place), config, record, chosen)
        for name in ("frequency", "wavelength", "speed"):
            unit = {"frequency": "Hz", "wavelength": "body lengths", "speed": "mm/s"}[name]
            values = getattr(starts, name)[chosen] / (1000 if name == "speed" else 1)
            found += interval(f"{label}mean_{name}", values, unit)
    return found


def _toward(name, place, config: Behaviour, record: Record, chosen) -> list[Figure]:
    distance = np.linalg.norm(record.starts.head[chosen] - place, axis=2)
    gained = distance[:, 0] - distance[:, -1]
    nearer, moved = int((gained > 0).sum()), int((gained != 0).sum())
    found = []
    if moved:
        share = binomtest(nearer, moved).proportion_ci(method="wilson")
        ends = (nearer / moved, share.low, share.high)
        suffixes = ("index", "index_low", "index_high")
        found += [(f"{name}{s}", float(2 * v - 1), "") for s, v in zip(suffixes, ends, strict=True)]
    found += interval(f"{name}mean_approach", gained / 1000, "mm")
    arrived = (distance <= config.arrived).any(1)
    found.append((f"{name}arrived", float(arrived.mean()), ""))
    if arrived.any():
        first = (distance[arrived] <= config.arrived).argmax(1)
        found.append((f"{name}median_time", float(np.median(record.time[first])) / 1000, "s"))
    return found


def touch_figures(config: Behaviour, record: Record) -> list[Figure]:
    """Measures speeds along the body (mm/s, forward positive) before and after every touch."""
    if record.starts:
        head, centre = record.starts.head, record.starts.centre
    else:
        head, centre = record.positions[None, :, 0], record.positions.mean(1)[None]
    found = []
    for name, touch in config.environment.touches.items():
        spans = {
            "before": (touch.start - TOUCH_WINDOW, touch.start),
            "after": (touch.start, touch.start + TOUCH_WINDOW),
        }
        if spans["before"][0] < 0 or spans["after"][1] > record.time[-1]:
            continue
        speed = {
            key: forward_speed(head, centre, record.time, *span) / 1000
            for key, span in spans.items()
        }
        for key, values in (speed | {"change": speed["after"] - speed["before"]}).items():
            found += interval(f"{name}.{key}", values, "mm/s")
    return found


def forward_speed(
    head: np.ndarray, centre: np.ndarray, time: np.ndarray, start: float, stop: float
) -> np.ndarray:
    """Returns float64 [runs]: way of the centre along the mean direction to the head, um/s.

    Args:
        head, centre: float [runs, frames, 2], um.
        time: float64 [frames], ms.
        start, stop: ms.
    """
    first, last = np.searchsorted(time, [start - 1e-6, stop - 1e-6])
    ahead = (head[:, first : last + 1] - centre[:, first : last + 1]).mean(1)
    ahead = ahead / np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    moved = centre[:, last] - centre[:, first]
    return 1000.0 * (moved * ahead).sum(1) / (time[last] - time[first])


def interval(name: str, values: np.ndarray, unit: str) -> list[Figure]:
    """Returns the mean and, of two values or more, the ends of its 95 % interval (Student)."""
    values = np.asarray(values, float)
    found = [(name, float(values.mean()), unit)]
    if len(values) > 1:
        half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
        found += [
            (f"{name}_low", found[0][1] - half, unit),
            (f"{name}_high", found[0][1] + half, unit),
        ]
    return found


def starts_table(config: Behaviour, record: Record) -> pd.DataFrame:
    """Returns one row per start: heading, control, gait, and the change of distance to each source."""
    starts: Starts = record.starts
    columns = {
        "heading_deg": starts.heading,
        "control": ~starts.smelling,
        "frequency_hz": starts.frequency,
        "wavelength_l": starts.wavelength,
        "speed_mm_s": starts.speed / 1000,
    }
    for name, source in config.environment.sources.items():
        distance = np.linalg.norm(starts.head - np.array(source.place), axis=2)
        columns[f"{name}_approach_mm"] = (distance[:, 0] - distance[:, -1]) / 1000
        columns[f"{name}_nearest_mm"] = distance.min(1) / 1000
    return pd.DataFrame(columns)
