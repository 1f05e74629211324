"""Training and damage on the report page: tables beside published values, and tracks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.analysis.damage import read_damage
from pipeline.report.figures import Tables
from pipeline.report.plots import WIDE
from pipeline.report.style import OURS, Figure, encode, new_figure, style

_SHOWN = (
    "error", "correlation_change", "displacement", "displacement_change", "speed", "frequency"
)  # fmt: skip


TRAINING = {
    "correlation": (("start", "Start"), ("trained", "Trained pairs"), ("held_out", "Held-out pairs")),
    "readout": (
        ("r2", "Variance explained"), ("r2_cv", "… cross-validated"),
        ("r2_currents", "… from felt currents"), ("r2_shifted", "… from shifted voltages"),
    ),
}  # fmt: skip
"""Figures of each kind of training and their titles."""


def training_tables(tables: Tables) -> list[dict[str, Any]]:
    """One table per kind of training: titles, and per entry what is free and the figures."""
    found = []
    for kind, figures in TRAINING.items():
        rows = []
        for name, entry in tables.resolved.model.training.items():
            values = [tables.metric(f"training.{name}.{figure}") for figure, _ in figures]
            if entry.kind == kind and any(value is not None for value in values):
                free = ", ".join(entry.free) if kind == "correlation" else "muscle readout"
                rows.append({"name": name, "free": free, "values": values})
        if rows:
            found.append({"titles": [title for _, title in figures], "rows": rows})
    return found


def damage_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per change: title, seeds, and for every figure mean, ends, published value and verdict."""
    table = tables["damage"]
    if table.empty:
        return []
    verdicts, rows = tables["verdicts"], []
    judged = {} if verdicts.empty else {row["metric"]: row for row in verdicts.to_dict("records")}
    for name, part in table.groupby("change", sort=False):
        figures = {row["figure"]: row for row in part.to_dict("records")}
        cells = []
        for figure in _SHOWN:
            found = figures.get(figure)
            verdict = judged.get(f"damage.{name}.{figure}", {})
            if verdict.get("verdict") == "not applicable":
                verdict = {}
            cells.append(
                {
                    "mean": found["mean"] if found else None,
                    "low": found["low"] if found and pd.notna(found["low"]) else None,
                    "high": found["high"] if found else None,
                    "published": verdict.get("published"),
                    "verdict": verdict.get("verdict", ""),
                }
            )
        rows.append(
            {
                "title": part["title"].iloc[0],
                "seeds": int(part["seeds"].max()),
                "figures": cells,
            }
        )
    return rows


def damage_figures(tables: Tables) -> list[Figure]:
    """The tracks of all changes."""
    if tables["damage"].empty:
        return []
    outcomes = read_damage(tables.resolved, tables.paths)
    titles = {k: change.title or k for k, change in tables.resolved.model.damage.changes.items()}
    tracks = {titles[k]: [o.track / 1e3 for o in seeds.values()] for k, seeds in outcomes.items()}
    return [
        Figure(
            "damage", "Tracks after damage",
            draw_tracks(tracks, tables.resolved.model.report.dpi),
            "Way of the head in the closed loop after every change of the circuit",
            "Way of the head, a line per seed, all on one scale (mm); dots are ends. Seeds differ in the "
            "heading at the start, and in what a shuffle draws.",
            (tables.link("damage"), tables.link("damage_seeds")), tables.command("damage"),
        )
    ]  # fmt: skip


def draw_tracks(tracks: dict[str, list[np.ndarray]], dpi: int) -> str:
    """Draws tracks (float [points, 2], mm) by change into a data URI."""
    columns = 5
    rows = -(-len(tracks) // columns)
    with style():
        figure = new_figure(WIDE, 1.7 * rows)
        axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for axis, (title, lines) in zip(axes, tracks.items(), strict=False):
            for line in lines:
                axis.plot(*line.T, color=OURS, linewidth=0.7)
                axis.plot(*line[-1], ".", color=OURS, markersize=4)
            axis.set_title(title, fontsize=6.5)
            axis.set_aspect("equal", adjustable="box")
        for axis in axes[len(tracks) :]:
            axis.set_axis_off()
        return encode(figure, "png", dpi)
