"""Tables of rates, tuning, rhythm and a raster of the run that ``analysis.responses`` names."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.analysis import response_targets as judge
from pipeline.analysis import spectra
from pipeline.analysis.responses import QUANTITIES, response_table, summarise
from pipeline.analysis.spike_counts import (
    BIN,
    Counts,
    Trials,
    count_spikes,
    read_trials,
    spike_blocks,
)
from pipeline.analysis.structure import Metric
from pipeline.config.load import Resolved
from pipeline.config.responses import Responses
from pipeline.config.simulation import SpikeInput
from pipeline.config.yaml_lines import nearest
from pipeline.errors import CircuitError, Problem
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.node_sets import read_set

logger = logging.getLogger(__name__)
MOST_ROWS, LEAST_ROWS = 1500, 20
"""Cells of the raster: at most in all, and at least of each class that has them."""
MOST_SPIKES = 60_000
"""Spikes of the raster."""
COURSE_BIN = 5.0
"""ms. Bins of the rates over a trial."""


@dataclass(frozen=True)
class Found:
    """Analysis tables by name, metrics and verdict rows."""

    tables: dict[str, pd.DataFrame]
    metrics: list[Metric]
    verdicts: pd.DataFrame


def analyse_responses(resolved: Resolved, paths: CircuitPaths) -> Found:
    """Judges the run that ``analysis.responses`` names; without a run nothing is measured.

    Raises:
        CircuitError: If spikes, trials and nodes do not fit together.
        ConfigError: If a table of recorded values is wrong.
    """
    config = resolved.model.analysis.responses
    if config is None:
        return Found({}, [], judge.response_verdicts(None, None, _no_targets(), ()))
    targets = read_targets(resolved, config)
    if not paths.spikes(config.simulation).is_file():
        logger.warning("run %s has not been made; rates are not judged", config.simulation)
        return Found({}, [], judge.response_verdicts(None, None, targets, config.similar))
    population, cells, rows = judged_cells(paths, config)
    trials = read_trials(
        paths.stimulus_spikes(stimulus_of(resolved)).with_name("trials.csv"),
        config,
        resolved.model.simulation[config.simulation].duration,
    )
    groups, keys = pd.factorize(pd.MultiIndex.from_frame(cells[["class", "layer"]]))
    blocks = spike_blocks(paths.spikes(config.simulation), population)
    counts = count_spikes(blocks, rows, groups, trials, config)
    cells = cells.join(_responses(counts, trials, config))
    tables = _rhythm(cells, counts, groups, list(keys), config)
    summary = summarise(cells)
    near = judge.similarities(cells, targets)
    verdicts = judge.response_verdicts(summary, near, targets, config.similar)
    tables |= {
        "responses": _beside(summary, targets),
        "responses_similarity": near,
        "responses_cells": cells.drop(columns="row"),
    }
    tables |= raster(paths, config, population, cells, rows, trials)
    return Found(tables, _metrics(cells, counts, trials, tables, verdicts), verdicts)


def _no_targets() -> judge.Targets:
    empty = pd.DataFrame(columns=["class", "quantity"])
    return judge.Targets(empty, empty, None)


def read_targets(resolved: Resolved, config: Responses) -> judge.Targets:
    """Reads the tables of recorded values that the config names."""
    if config.recorded is None:
        return _no_targets()
    recorded = judge.read_quantiles(resolved.path(config.recorded))
    model, name = _no_targets().model, "published model"
    if config.published_model:
        path = resolved.path(config.published_model)
        model, name = judge.read_quantiles(path), path.stem.replace("_", " ")
        if "similarity" not in model:
            model = model.assign(similarity=math.nan)
        model = model[model["similarity"].notna() | ~model["quantity"].isin(judge.TUNING)]
    units = judge.read_units(resolved.path(config.units), recorded) if config.units else None
    return judge.Targets(recorded, model, units, name)


def stimulus_of(resolved: Resolved) -> str:
    """Name of the stimulus whose trials the run shows."""
    config = resolved.model.analysis.responses
    if config.stimulus:
        return config.stimulus
    inputs = resolved.model.simulation[config.simulation].inputs.values()
    return next(i.stimulus for i in inputs if isinstance(i, SpikeInput) and i.stimulus)


def judged_cells(paths: CircuitPaths, config: Responses) -> tuple[str, pd.DataFrame, np.ndarray]:
    """Chooses and sorts the cells to judge.

    Returns:
        The population; node_id, class, layer, angle (degrees, NaN without), row (position); and for
        every node id its row, -1 for other nodes of the population and -2 for ids it does not have.
        Sorted by depth of the layer, class, angle, id.

    Raises:
        CircuitError: If the set or an attribute is unknown, or no cell is left.
    """
    population, nodes, chosen = read_set(paths, config.nodes)
    where = str(paths.nodes(population))
    for key, name in (("by", config.by), ("layer", config.layer)):
        if name not in nodes:
            message = f"no attribute {name!r}, which analysis.responses.{key} names"
            raise CircuitError(Problem(where, message, nearest(name, list(nodes))))
    if config.radius is not None:
        if "x" not in nodes or "z" not in nodes:
            message = "nodes have no x and z, which analysis.responses.radius needs"
            raise CircuitError(Problem(where, message, "remove radius"))
        chosen = chosen & (np.hypot(nodes["x"], nodes["z"]).to_numpy() <= config.radius)
    if not chosen.any():
        message = f"no cell of {config.nodes!r} is left to judge"
        raise CircuitError(Problem(where, message, "check analysis.responses.nodes and radius"))
    table = pd.DataFrame(
        {
            "node_id": nodes.index.to_numpy(np.int64),
            "class": nodes[config.by].astype(str).to_numpy(),
            "layer": nodes[config.layer].astype(str).to_numpy(),
            "angle": nodes["tuning_angle"].to_numpy(np.float64)
            if "tuning_angle" in nodes
            else np.nan,
        }
    )
    depth = -nodes["y"].to_numpy(np.float64) if "y" in nodes else np.zeros(len(nodes))
    table["depth"] = pd.Series(depth).groupby(table["layer"]).transform("median")
    table = table[chosen].sort_values(["depth", "layer", "class", "angle", "node_id"])
    table = table.drop(columns="depth").reset_index(drop=True)
    table["row"] = np.arange(len(table))
    rows = np.full(int(nodes.index.max()) + 1, -2, np.int64)
    rows[nodes.index.to_numpy()] = -1
    rows[table["node_id"]] = table["row"]
    return population, table, rows


def _responses(counts: Counts, trials: Trials, config: Responses) -> pd.DataFrame:
    def seconds(window: tuple[float, float]) -> float:
        return (window[1] - window[0]) / 1000.0

    shown = np.bincount(trials.condition, minlength=len(trials.conditions))
    rates = counts.evoked / (shown * seconds(config.evoked))
    quiet = counts.spontaneous / (len(trials.start) * seconds(config.spontaneous))
    table = response_table(quiet, rates, trials.directions)
    return table.assign(isi_cv=spectra.interval_cv(counts.intervals))


def _rhythm(
    cells: pd.DataFrame, counts: Counts, groups: np.ndarray, keys: list, config: Responses
) -> dict[str, pd.DataFrame]:
    """Spectra, gamma and irregularity by layer, irregularity by class, rates over a trial."""
    window = slice(round(config.evoked[0] / BIN), round(config.evoked[1] / BIN))
    lines, courses, power = [], {}, []
    step = round(COURSE_BIN / BIN)
    for column, index in (("class", 0), ("layer", 1)):
        for name, part in cells.groupby(column, sort=False):
            chosen = [k for k, key in enumerate(keys) if key[index] == name]
            course = counts.course[chosen].sum(axis=0)
            line = {"by": column, "name": name, "cells": len(part)}
            line |= {"silent": int((part["peak"] == 0).sum())}
            line |= {"isi_cv": float(part["isi_cv"].median())}
            line |= {"fano": spectra.fano(course[:, window], BIN)}
            if column == "layer":
                found = spectra.spectrum(course[:, window], len(part), BIN)
                line |= {f"gamma_{k}": v for k, v in spectra.gamma(found).items()}
                power.append(found[found["frequency"] <= spectra.BROAD[1]].assign(layer=name))
            lines.append(line)
            whole = course.shape[1] // step * step
            binned = course[:, :whole].reshape(len(course), -1, step).sum(axis=2).mean(axis=0)
            courses[f"{column}:{name}"] = binned / (len(part) * COURSE_BIN / 1000.0)
    length = len(next(iter(courses.values())))
    times = pd.DataFrame({"time_ms": (np.arange(length) + 0.5) * COURSE_BIN} | courses)
    return {
        "responses_rhythm": pd.DataFrame(lines),
        "responses_spectra": pd.concat(power, ignore_index=True)[
            ["layer", "frequency", "power", "poisson"]
        ],
        "responses_course": times,
    }


def _beside(summary: pd.DataFrame, targets: judge.Targets) -> pd.DataFrame:
    """Ours, the recorded and the other model's distributions in one table."""
    frames = [summary.assign(of="ours")]
    names = {"recorded": targets.recorded, targets.model_name: targets.model}
    frames += [table.assign(of=of) for of, table in names.items() if len(table)]
    joined = pd.concat(frames, ignore_index=True)
    return joined[["of", *summary.columns]]


def raster(
    paths: CircuitPaths,
    config: Responses,
    population: str,
    cells: pd.DataFrame,
    rows: np.ndarray,
    trials: Trials,
) -> dict[str, pd.DataFrame]:
    """Spikes of some cells of every class in the first trial.

    Returns:
        ``responses_raster``: time_ms (from the start of the trial), row (from the top);
        ``responses_raster_cells``: row, node_id, class, layer, angle.
    """
    chosen = thin_cells(cells)
    start, stop = trials.start[0], trials.stop[0]
    places = np.full(len(cells) + 1, -1, np.int64)
    places[chosen["row"]] = np.arange(len(chosen))
    times, where = [np.zeros(0)], [np.zeros(0, np.int64)]
    for ids, stamps in spike_blocks(paths.spikes(config.simulation), population):
        place = places[rows[ids]]
        keep = (stamps >= start) & (stamps < stop) & (place >= 0) & (rows[ids] >= 0)
        times.append(stamps[keep] - start)
        where.append(place[keep])
        if len(stamps) and stamps[-1] >= stop:
            break
    time, row = np.concatenate(times), np.concatenate(where)
    every = max(1, math.ceil(len(row) / MOST_SPIKES))
    chosen, keep = chosen.iloc[::every], row % every == 0
    listed = chosen.assign(row=np.arange(len(chosen)))[
        ["row", "node_id", "class", "layer", "angle"]
    ]
    spikes = pd.DataFrame({"time_ms": time[keep], "row": row[keep] // every})
    return {
        "responses_raster": spikes.sort_values(["time_ms", "row"], ignore_index=True),
        "responses_raster_cells": listed.reset_index(drop=True),
    }


def thin_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """Every k-th cell of each class, in the order given; shares as the roots of the sizes.

    With equal shares of all cells the rare classes would be too thin to see.
    """
    if len(cells) <= MOST_ROWS:
        return cells
    sizes = np.sqrt(cells.groupby("class", sort=False).size())
    kept = []
    for name, part in cells.groupby("class", sort=False):
        share = max(LEAST_ROWS, math.floor(MOST_ROWS * sizes[name] / sizes.sum()))
        places = np.linspace(0, len(part) - 1, min(share, len(part))).round().astype(np.int64)
        kept.append(part.iloc[np.unique(places)])
    return pd.concat(kept)


def _metrics(
    cells: pd.DataFrame,
    counts: Counts,
    trials: Trials,
    tables: dict[str, pd.DataFrame],
    verdicts: pd.DataFrame,
) -> list[Metric]:
    metrics: list[Metric] = [
        ("responses.cells", len(cells), ""),
        ("responses.spikes", counts.spikes, ""),
        ("responses.trials", len(trials.start), ""),
        ("responses.trials_left_out", trials.left_out, ""),
        ("responses.conditions", len(trials.conditions), ""),
        ("responses.silent_cells", int((cells["peak"] == 0).sum()), ""),
    ]
    ours = tables["responses"]
    for row in ours[ours["of"] == "ours"].to_dict("records"):
        unit = "Hz" if row["quantity"] in QUANTITIES[:3] else ""
        for key, name in (("p50", "median"), ("mean", "mean")):
            if math.isfinite(row[key]):
                head = f"responses.{row['class']}.{row['quantity']}"
                metrics.append((f"{head}.{name}", float(row[key]), unit))
    rhythm = tables["responses_rhythm"]
    for row in rhythm[rhythm["by"] == "layer"].to_dict("records"):
        for key, unit in (("gamma_peak", "Hz"), ("gamma_share", ""), ("fano", ""), ("isi_cv", "")):
            if math.isfinite(row[key]):
                metrics.append((f"responses.layer.{row['name']}.{key}", row[key], unit))
    if len(verdicts):
        judged, passed = judge.within_quartiles(verdicts)
        metrics += [
            ("responses.classes_judged", judged, ""),
            ("responses.classes_within_quartiles", passed, ""),
        ]
    return metrics
