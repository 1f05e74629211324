"""Figures and the table of numbers of the run that ``analysis.responses`` judges."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipeline.config.responses import Responses
from pipeline.config.tables import read_csv
from pipeline.errors import ConfigError, Problem
from pipeline.report import activity_plots
from pipeline.report.figures import Tables
from pipeline.report.style import Figure

LONG = 40
"""Rows of input classes that a reader sees at once."""
_RATES, _TUNING = ("spontaneous", "evoked", "peak"), ("osi", "dsi")


def response_figures(tables: Tables) -> list[Figure]:
    """Raster, rates, tuning and spectra; empty before the run has been analysed."""
    config = tables.resolved.model.analysis.responses
    if config is None or tables["responses"].empty:
        return []
    found = [_raster(tables, config), _boxes(tables, config)]
    table = tables["responses"]
    if table.loc[(table["of"] == "ours") & table["quantity"].isin(_TUNING), "n"].gt(0).any():
        found.append(_tuning(tables))
    return [*found, _spectra(tables, config)]


def _raster(tables: Tables, config: Responses) -> Figure:
    cells, spikes = tables["responses_raster_cells"], tables["responses_raster"]
    total = tables.metric("responses.cells") or len(cells)
    picture = config.grey if config.grey is not None else config.evoked[0]
    some = (
        f"{len(cells):,} of {total:,.0f} cells, evenly thinned in each class"
        if len(cells) < total
        else f"All {len(cells):,} cells"
    )
    trials = tables.metric("responses.trials") or 0
    return Figure(
        "responses-raster", f"{config.simulation}: spikes and mean rates",
        activity_plots.draw_raster(
            spikes, cells, tables["responses_course"], picture, _dpi(tables)
        ),
        "Raster of spikes by class and mean rates of the layers over the trial",
        f"{some}, sorted by depth of the layer, class and tuning angle (from 0 to 360 degrees down "
        "each class); rows do not show the number of cells of a class where cells were left out. "
        f"Below: mean over all cells and {trials:.0f} trials in bins of 5 ms. Shaded: before the "
        "evoked window or, where given, the grey screen.",
        tuple(map(tables.link, ("responses_raster", "responses_raster_cells", "responses_course"))),
        tables.command("analyse"),
    )  # fmt: skip


def _dpi(tables: Tables) -> int:
    return tables.resolved.model.report.dpi


def _boxes(tables: Tables, config: Responses) -> Figure:
    spontaneous, evoked = config.spontaneous, config.evoked
    silent = tables.metric("responses.silent_cells") or 0
    return Figure(
        "responses-rates", "Rates by class",
        activity_plots.draw_boxes(tables["responses"], _RATES, _dpi(tables)),
        "Quartiles of spontaneous, evoked and preferred rates of each class beside recorded ones",
        f"Spontaneous: {spontaneous[0]:g} to {spontaneous[1]:g} ms of each trial; evoked: mean over "
        f"directions in {evoked[0]:g} to {evoked[1]:g} ms; last: largest mean rate at one direction. "
        f"Silent cells count as 0 Hz ({silent:,.0f} of ours fired in no evoked window); what was "
        "recorded has no silent units. Linear up to 1 Hz, logarithmic above.",
        (tables.link("responses"), tables.link("responses_cells")), tables.command("analyse"),
    )  # fmt: skip


def _tuning(tables: Tables) -> Figure:
    return Figure(
        "responses-tuning", "Selectivity by class",
        activity_plots.draw_boxes(tables["responses"], _TUNING, _dpi(tables)),
        "Quartiles of orientation and direction selectivity of each class beside recorded ones",
        "Length of the normalised response vector over the directions. Silent cells have no index "
        "and are left out. Few spikes raise both indices: a cell with one spike has index 1.",
        (tables.link("responses"), tables.link("responses_similarity")), tables.command("analyse"),
    )  # fmt: skip


def _spectra(tables: Tables, config: Responses) -> Figure:
    return Figure(
        "responses-spectra", "Spectra of the layers' rates",
        activity_plots.draw_spectra(tables["responses_spectra"], _dpi(tables)),
        "Power spectra of the mean rate of each layer with the gamma band marked",
        "Welch's method (segments of 500 ms) on the rate per cell in bins of 1 ms, evoked windows "
        "only, mean over trials. Dashed: independent Poisson cells of the same mean rate. The "
        "stimulus' own temporal frequency stands at the left edge.",
        (tables.link("responses_spectra"), tables.link("responses_rhythm")),
        tables.command("analyse"),
    )  # fmt: skip


def response_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per class: cells, silent, medians, similarity, irregularity.

    Beside our medians stand the recorded ones and, where the model names a published model, its own;
    beside our similarity to the recorded units that of the published model. Where the model names the
    spread over seeds its standard deviation is ``<quantity>_sd``.
    """
    table = tables["responses"]
    if table.empty:
        return []
    medians = table.set_index(["of", "class", "quantity"])["p50"]
    near = tables["responses_similarity"]
    near = near.set_index(["class", "quantity"]) if len(near) else pd.DataFrame()
    spread = seed_spread(tables)
    rhythm, other = tables["responses_rhythm"], published_side(tables)
    rows = []
    for line in rhythm[rhythm["by"] == "class"].to_dict("records"):
        name = line["name"]
        row: dict[str, Any] = {
            key: line[key] for key in ("name", "cells", "silent", "isi_cv", "fano")
        }
        for quantity in (*_RATES, *_TUNING):
            row[quantity] = medians.get(("ours", name, quantity))
            row[f"{quantity}_recorded"] = medians.get(("recorded", name, quantity))
            row[f"{quantity}_sd"] = spread.get((name, quantity))
            row[f"{quantity}_published"] = medians.get((other, name, quantity))
        for quantity in _TUNING:
            row[f"{quantity}_near"] = _similar(near, name, quantity)
            known = (name, quantity) in near.index
            row[f"{quantity}_near_published"] = (
                near.loc[(name, quantity), "published_model"] if known else None
            )
        rows.append(row)
    return rows


def seed_spread(tables: Tables) -> dict[tuple[str, str], float]:
    """Standard deviation over seeds by class and quantity; empty where the model names none."""
    resolved = tables.resolved
    file = resolved.model.analysis.responses.seeds
    if file is None:
        return {}
    table = read_csv(resolved.path(file))
    if missing := [name for name in ("name", "quantity", "sd") if name not in table]:
        message, hint = f"no column {', '.join(missing)}", "write it by sonatina compare --seeds"
        raise ConfigError(Problem(f"{resolved.path(file)}:1", message, hint))
    rows = zip(table["name"], table["quantity"], table["sd"], strict=True)
    return {(name, quantity): float(sd) for name, quantity, sd in rows if sd.strip()}


def published_side(tables: Tables) -> str:
    """Name of the published model whose quantiles stand beside ours; empty if there is none."""
    table = tables["responses"]
    sides = [] if table.empty else table["of"].unique()
    return next((side for side in sides if side not in ("ours", "recorded")), "")


def _similar(near: pd.DataFrame, name: str, quantity: str) -> str:
    if (name, quantity) not in near.index or pd.isna(near.loc[(name, quantity), "least"]):
        return "–"
    least, largest = near.loc[(name, quantity), ["least", "largest"]]
    return f"{least:.2f}" if largest - least < 1e-9 else f"{least:.2f} to {largest:.2f}"


def layer_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per layer: cells, gamma peak and share, Fano factor, CV of intervals."""
    rhythm = tables["responses_rhythm"]
    return [] if rhythm.empty else rhythm[rhythm["by"] == "layer"].to_dict("records")


def source_tables(tables: Tables) -> dict[str, list[dict[str, Any]]]:
    """What virtual nodes sent into each run, by class: rows to ``show`` and, of many, to ``fold``."""
    rows = []
    for run, simulation in tables.resolved.model.simulation.items():
        for key in simulation.inputs:
            for row in tables[f"sources_{run}_{key}"].to_dict("records"):
                rows.append(
                    {"run": run, "input": key, "link": tables.link(f"sources_{run}_{key}")} | row
                )
    return fold_classes(rows)


def fold_classes(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Shows all rows of a short table, of a long one those of all classes together."""
    many = len(rows) > LONG
    return {
        "show": [row for row in rows if not many or row["class"] == "all"],
        "fold": [row for row in rows if many and row["class"] != "all"],
    }
