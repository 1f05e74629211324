"""Figure of the ladder: spikes of the same run at its levels."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipeline.analysis.engines import LIMIT_MV
from pipeline.report.figures import Tables
from pipeline.report.style import OURS, Figure, encode, new_figure, style


def level_figures(tables: Tables) -> list[Figure]:
    """One figure over all runs at several levels; none where there are none."""
    table = tables["levels"]
    if table.empty:
        return []
    said = []
    for row in table.itertuples():
        text = f"{row.run} ({row.level}, {row.engine}): {row.rate:.2f} Hz"
        if row.rate_ratio == row.rate_ratio:
            text += f", {row.rate_ratio:.2f} times L3, cells' counts correlate {row.rate_correlation:.2f}"
        said.append(text)
    caption = (
        "L3: the circuit as built. L2: every cell the LIF point of its own measurements, pairs weighted by "
        "their number of synapses. L1: one point for all, one weight per sign. "
        + "; ".join(said)
        + "."
    )
    uri = draw_levels(table, tables["levels_raster"], tables.resolved.model.report.dpi)
    links = tuple(tables.link(name) for name in ("levels", "levels_raster"))
    alt = "Rasters of the same run at several levels, and their mean rates"
    title = "The same run at several levels"
    return [Figure("levels", title, uri, alt, caption, links, tables.command("analyse"))]


def draw_levels(table: pd.DataFrame, raster: pd.DataFrame, dpi: int) -> str:
    """Rasters below each other, mean rates beside them."""
    with style():
        figure = new_figure(9.0, 1.2 + 1.3 * len(table))
        grid = figure.add_gridspec(len(table), 4)
        shared = None
        for number, row in enumerate(table.itertuples()):
            axes = figure.add_subplot(grid[number, :3], sharex=shared)
            shared = shared or axes
            own = raster[raster["run"] == row.run]
            axes.scatter(own["time"], own["node"], s=1.5, color=OURS, linewidths=0, rasterized=True)
            axes.set_ylim(-0.5, row.cells - 0.5)
            axes.set_ylabel(f"{row.level}, {row.run}\ncell", fontsize=7)
        axes.set_xlabel("ms")
        axes = figure.add_subplot(grid[:, 3])
        axes.barh(table["level"] + ", " + table["run"], table["rate"], color=OURS, height=0.6)
        axes.invert_yaxis()
        axes.tick_params(axis="y", labelsize=7)
        axes.set_xlabel("mean rate (Hz)")
        return encode(figure, "svg", max(150, dpi))


def engine_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per run that differs from another in how it is computed only."""
    rows = []
    for row in tables["engines"].itertuples():
        engine = f"{row.engine} on CoreNEURON" if row.coreneuron else row.engine
        engine += ", cells permuted" if row.cell_permute else ""
        rows.append({
            "run": row.run, "engine": engine, "ranks": int(row.ranks), "spikes": int(row.spikes),
            "time": float(row.time), "voltage": float(row.voltage), "limit": LIMIT_MV,
            "verdict": row.verdict if isinstance(row.verdict, str) else "",
        })  # fmt: skip
    return rows
