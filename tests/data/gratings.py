"""A small cortex of known rates and tuning that has seen gratings, made without a simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.config.load import Resolved, load_model
from pipeline.runtime import write_text
from pipeline.sonata.configs import write_node_sets, write_types
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.reports import write_spikes
from pipeline.sonata.write import write_nodes

CLASSES = {"e2": ("L2/3", 200.0), "i2P": ("L2/3", 200.0), "e5": ("L5", 500.0)}
"""Class to layer and depth (um)."""
RATES = {"e2": (2.0, 6.0), "i2P": (8.0, 8.0), "e5": (4.0, 12.0)}
"""Spontaneous rate and peak of the tuned part (Hz); i2P is not tuned."""
TRIAL, GREY = 3000.0, 500.0
HEADER = (
    "class,recorded_as,quantity,n,mean," + ",".join(f"p{p}" for p in range(0, 101, 5)) + ",source"
)
MODEL = """\
schema: 1
name: cortex
nodes:
  v1: {kind: points, table: cells.csv, model_type: point_neuron}
  lgn: {kind: points, table: cells.csv, model_type: virtual}
stimuli:  # its files are written by hand here
  gratings: {kind: filternet, nodes: lgn, filters: cells.csv, movie: {kind: grey, duration: 1 s}}
simulation:
  evoked:
    engine: pointnet
    duration: %(duration)g ms
    inputs:
      eye: {kind: spikes, nodes: lgn, stimulus: gratings}
analysis:
  responses:
    simulation: evoked
    nodes: %(nodes)s
    recorded: recorded.csv
    published_model: model_2020.csv
    similar: [e2, e5]
    %(extra)s
"""


def quantiles(
    name: str, quantity: str, values, similarity: str | None = None, units: str = ""
) -> str:
    """One row of a table of distributions; with a similarity that of another model."""
    values = np.sort(np.asarray(values, float))
    numbers = [f"{v:.9g}" for v in np.percentile(values, range(0, 101, 5))]
    head = [name, units or name] if similarity is None else [name]
    tail = ["here"] if similarity is None else [similarity, "there"]
    return ",".join([*head, quantity, str(len(values)), f"{values.mean():.9g}", *numbers, *tail])


def write_model(
    folder: Path, *, nodes: str = "v1", extra: str = "", duration: float = 24000.0
) -> Resolved:
    """Writes the model's files and loads it."""
    rng = np.random.default_rng(5)
    recorded, model = (
        [HEADER],
        [HEADER.replace("recorded_as,", "").replace("source", "similarity,source")],
    )
    for name, (quiet, peak) in RATES.items():
        for quantity, middle in (("spontaneous", quiet), ("evoked", quiet + peak / 4)):
            recorded.append(quantiles(name, quantity, middle * rng.uniform(0.5, 1.5, 99)))
        for quantity in ("osi", "dsi"):
            recorded.append(quantiles(name, quantity, rng.uniform(0.0, 0.6, 99)))
            model.append(quantiles(name, quantity, rng.uniform(0.0, 0.6, 99), "0.3"))
    recorded.append(quantiles("i9X", "evoked", [1, 2, 3]))
    write_text(folder / "recorded.csv", "\n".join(recorded) + "\n")
    write_text(folder / "model_2020.csv", "\n".join(model) + "\n")
    write_text(folder / "cells.csv", "name,x,y,z\na,0,0,0\n")
    filled = MODEL % {"nodes": nodes, "extra": extra, "duration": duration}
    write_text(folder / "model.yaml", filled)
    return load_model(str(folder / "model.yaml"))


def directions(count: int = 8) -> np.ndarray:
    """float64 [count], degrees."""
    return np.arange(count) * 360.0 / count


def trials_text(count: int = 8, repeats: int = 1) -> str:
    """The table of trials as the stimulus stage writes it."""
    rows = ["trial,condition,start,stop,picture_start,kind,direction"]
    for trial in range(repeats):
        for index, angle in enumerate(directions(count)):
            start = (trial * count + index) * TRIAL
            rows.append(
                f"{trial},direction_{angle:g},{start},{start + TRIAL},{start + GREY},grating,{angle:g}"
            )
    return "\n".join(rows) + "\n"


def rates_of(kind: str, angle: np.ndarray, shown: float | None) -> np.ndarray:
    """float64 [cells], Hz: rate of cells of one class at a direction; None: the grey screen."""
    quiet, peak = RATES[kind]
    if shown is None:
        return np.full(len(angle), quiet)
    if kind == "i2P":
        return np.full(len(angle), peak)
    return quiet + peak * (1 + np.cos(np.deg2rad(2 * (angle - shown)))) ** 2 / 4 * 0.75


def write_circuit(
    root: Path,
    sizes: dict[str, int] | None = None,
    *,
    count: int = 8,
    repeats: int = 1,
    seed: int = 1,
    rhythm: float | None = None,
    scale: float = 1.0,
) -> CircuitPaths:
    """Writes nodes, trials and Poisson spikes of known rates.

    Args:
        root: The circuit's folder.
        sizes: Cells of each class.
        count: Directions.
        repeats: Trials of each.
        seed: Of the spikes.
        rhythm: Hz; all rates follow 1 + sin at this frequency.
        scale: All rates times this.
    """
    paths, rng = CircuitPaths(root), np.random.default_rng(seed)
    sizes = sizes or {"e2": 60, "i2P": 20, "e5": 40}
    kinds = np.repeat(list(sizes), list(sizes.values()))
    angle = np.concatenate([np.arange(n) * 360.0 / n for n in sizes.values()])
    n = len(kinds)
    places = {"x": np.linspace(0, 300, n), "y": [-CLASSES[k][1] for k in kinds], "z": np.zeros(n)}
    types = [list(CLASSES).index(k) for k in kinds]
    write_nodes(paths.nodes("v1"), "v1", {**places, "tuning_angle": angle}, types)
    rows = [
        {"node_type_id": i, "cell_class": k, "layer": CLASSES[k][0], "model_type": "point_neuron"}
        for i, k in enumerate(CLASSES)
    ]
    write_types(paths.node_types("v1"), rows)
    write_nodes(paths.nodes("lgn"), "lgn", {"x": [0.0, 1.0]}, [0, 0])
    write_types(
        paths.node_types("lgn"), [{"node_type_id": 0, "pop_name": "sON", "model_type": "virtual"}]
    )
    sets = {"v1": {"population": "v1"}, "e2": {"population": "v1", "cell_class": "e2"}}
    write_node_sets(paths.node_sets, sets)
    write_text(
        paths.stimulus_spikes("gratings").with_name("trials.csv"), trials_text(count, repeats)
    )
    ids, times = [], []
    for block in range(count * repeats):
        shown = directions(count)[block % count]
        for first, last, stimulus in ((0.0, GREY, None), (GREY, TRIAL, shown)):
            rate = np.concatenate([rates_of(k, angle[kinds == k], stimulus) for k in sizes]) * scale
            many = rng.poisson(2 * rate * (last - first) / 1000)
            who = np.repeat(np.arange(n), many)
            when = block * TRIAL + rng.uniform(first, last, len(who))
            wave = 0.0 if rhythm is None else np.sin(2 * np.pi * rhythm * when / 1000)
            keep = 2 * rng.random(len(who)) < 1 + wave
            ids.append(who[keep])
            times.append(when[keep])
    write_spikes(paths.spikes("evoked"), "v1", np.concatenate(ids), np.concatenate(times))
    write_spikes(paths.stimulus_spikes("gratings"), "lgn", [0, 0, 0, 1], [1.0, 2.0, 3.0, 1e9])
    return paths
