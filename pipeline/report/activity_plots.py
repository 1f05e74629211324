"""Drawings of spiking activity: raster, rates and tuning by class, spectra. Each a data URI."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.report.plots import WIDE
from pipeline.report.rule_plots import class_colours
from pipeline.report.style import OURS, PALETTE, encode, new_figure, spread, style

_NAMES = {"spontaneous": "spontaneous rate (Hz)", "evoked": "evoked rate (Hz)",
          "peak": "rate at the preferred direction (Hz)", "osi": "OSI", "dsi": "DSI"}  # fmt: skip
_SIDES = {"recorded": "#b9c0cc", "model": "#D55E00", "ours": OURS}
_GREY_SCREEN = "#eef1f6"


def draw_raster(
    spikes: pd.DataFrame, cells: pd.DataFrame, course: pd.DataFrame, picture: float | None, dpi: int
) -> str:
    """Spikes of one trial over the layers' mean rates.

    Args:
        spikes: time_ms, row; analysis/responses_raster.csv.
        cells: row, class, layer; analysis/responses_raster_cells.csv.
        course: time_ms, ``layer:<name>`` in Hz; analysis/responses_course.csv.
        picture: When the picture starts, ms; None when unknown.
        dpi: Resolution of the dots.
    """
    classes = list(dict.fromkeys(cells["class"].astype(str)))
    colours = class_colours(classes)
    kind = cells["class"].astype(str).to_numpy()
    end = float(course["time_ms"].iloc[-1])
    with style():
        figure = new_figure(WIDE, 6.6)
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
        size = float(np.clip(2200 / max(len(cells), 1), 0.35, 4.0))
        top.scatter(spikes["time_ms"], spikes["row"], s=size, linewidths=0, rasterized=True,
                    c=[colours[kind[row]] for row in spikes["row"]])  # fmt: skip
        places = [np.flatnonzero(kind == name) for name in classes]
        layer = cells["layer"].astype(str).to_numpy()
        for rows in places[1:]:
            new = layer[rows[0]] != layer[rows[0] - 1]
            top.axhline(
                rows[0] - 0.5, color="#8a93a3" if new else "#dde2ea", linewidth=0.7, zorder=0
            )
        middles = spread([float(rows.mean()) for rows in places], len(cells) / 34)
        top.set_yticks(middles, classes)
        for label, name in zip(top.get_yticklabels(), classes, strict=True):
            label.set_color(colours[name])
            label.set_fontsize(7.5 if len(classes) > 10 else 8.5)
        top.set_ylim(len(cells) - 0.5, -0.5)
        top.tick_params(axis="y", length=0)
        top.set_title("spikes of the first trial")
        _lines(below, course)
        for ax in (top, below):
            ax.margins(x=0)
            ax.set_xlim(0, max(end, float(spikes["time_ms"].max()) if len(spikes) else end))
            if picture:
                ax.axvspan(0, picture, color=_GREY_SCREEN, zorder=-1, linewidth=0)
        below.set_xlabel("time in the trial (ms)")
        return encode(figure, "svg", max(150, dpi))


def _lines(ax, course: pd.DataFrame) -> None:
    names = [name for name in course.columns if name.startswith("layer:")]
    for name, colour in zip(names, _cycle(len(names)), strict=True):
        ax.plot(course["time_ms"], course[name], color=colour, linewidth=0.9, label=name[6:])
    ax.set_ylabel("Hz per cell")
    ax.set_ylim(0, 1.3 * max(float(course[names].max().max()), 1e-3))
    ax.set_title("mean rate of each layer, all trials")
    ax.legend(ncols=len(names), loc="upper right", fontsize=7, handlelength=1.2)


def _cycle(count: int) -> list[str]:
    return [PALETTE[index % len(PALETTE)] for index in range(count)]


def draw_boxes(table: pd.DataFrame, quantities: Sequence[str], dpi: int) -> str:
    """Distribution of each quantity in each class: ours, recorded, and another model's.

    Args:
        table: of, class, quantity, p5, p25, p50, p75, p95; analysis/responses.csv.
        quantities: One panel each, in order.
        dpi: Resolution of images inside the SVG.
    """
    classes = list(dict.fromkeys(table.loc[table["of"] == "ours", "class"].astype(str)))
    sides = [s for s in dict.fromkeys(table["of"]) if s not in ("ours", "recorded")]
    with style():
        figure = new_figure(WIDE, 2.6 * len(quantities))
        axes = figure.subplots(len(quantities), 1, sharex=True, squeeze=False)[:, 0]
        for ax, quantity in zip(axes, quantities, strict=True):
            part = table[table["quantity"] == quantity]
            for side in ("recorded", "ours", *sides):
                _boxes(ax, part[part["of"] == side], classes, side)
            ax.set_ylabel(_NAMES[quantity])
            if quantity in ("osi", "dsi"):
                ax.set_ylim(-0.02, 1.02)
            else:
                ax.set_yscale("symlog", linthresh=1.0, linscale=0.5)
                ax.yaxis.set_major_formatter("{x:g}")
                ax.set_ylim(bottom=0)
            ax.set_xlim(-0.6, len(classes) - 0.4)
            ax.grid(axis="y", color="#eef1f6", linewidth=0.7)
            ax.set_axisbelow(True)
        axes[-1].set_xticks(range(len(classes)), classes)
        labels = [reversed(ax.get_legend_handles_labels()) for ax in axes]
        found = {label: handle for pair in labels for label, handle in zip(*pair, strict=True)}
        figure.legend(found.values(), found.keys(), loc="outside upper right", ncols=4)
        return encode(figure, "svg", dpi)


def _boxes(ax, part: pd.DataFrame, classes: list[str], side: str) -> None:
    """Bars from quartile to quartile with the median; 5th to 95th percentile as whisker."""
    part = part.assign(place=part["class"].astype(str).map({n: i for i, n in enumerate(classes)}))
    part = part.dropna(subset=["place", "p50"])
    if part.empty:
        return
    x, low, middle, high = (part[k].to_numpy() for k in ("place", "p25", "p50", "p75"))
    if side == "recorded":
        colour = _SIDES["recorded"]
        ax.bar(x, high - low, 0.78, bottom=low, color=colour, alpha=0.55, linewidth=0,
               label="recorded, quartiles and median")  # fmt: skip
        ax.hlines(middle, x - 0.39, x + 0.39, color="#1c2330", linewidth=1.3)
    elif side == "ours":
        colour = _SIDES["ours"]
        ax.vlines(x - 0.12, part["p5"], part["p95"], color=colour, linewidth=0.8)
        ax.bar(x - 0.12, high - low, 0.2, bottom=low, color=colour, linewidth=0,
               label="ours, quartiles, median and 5 to 95 %")  # fmt: skip
        ax.plot(x - 0.12, middle, "o", color="white", markeredgecolor=colour, markersize=4)
    else:
        colour = _SIDES["model"]
        ax.vlines(x + 0.18, low, high, color=colour, linewidth=1.2)
        ax.plot(x + 0.18, middle, "D", color=colour, markersize=3.2,
                label=f"{side}, quartiles and median")  # fmt: skip


def draw_spectra(table: pd.DataFrame, dpi: int) -> str:
    """Power spectra of the layers' rates; ``table`` as in analysis/responses_spectra.csv."""
    layers = list(table.groupby("layer", sort=False))
    with style():
        figure = new_figure(WIDE, 2.9)
        ax = figure.subplots()
        ax.axvspan(30, 80, color="#f3ecd8", zorder=0, linewidth=0)
        for (name, part), colour in zip(layers, _cycle(len(layers)), strict=True):
            shown = part[(part["frequency"] > 0) & (part["power"] > 0)]
            ax.plot(shown["frequency"], shown["power"], color=colour, label=name)
            ax.plot(shown["frequency"], shown["poisson"], color=colour, linewidth=0.7,
                    linestyle=(0, (4, 3)))  # fmt: skip
        if (table["power"] > 0).any():
            ax.set_yscale("log")
        ax.set_xlabel("frequency (Hz)")
        ax.set_ylabel("power (Hz²/Hz)")
        ax.margins(x=0)
        ax.text(31, 0.98, "gamma, 30 to 80 Hz", transform=ax.get_xaxis_transform(), va="top",
                fontsize=7.5, color="#4a5363")  # fmt: skip
        figure.legend(loc="outside right upper")
        return encode(figure, "svg", dpi)
