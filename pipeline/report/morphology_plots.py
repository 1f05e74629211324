"""Drawings of a model's morphologies: gallery, morphometrics beside real cells, Sholl. Data URIs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.cells.morphology import AXON, SOMA, Morphology
from pipeline.report.plots import WIDE
from pipeline.report.style import INK, NIGHT, PALETTE, THEIRS, encode, new_figure, style

AXON_COLOUR, DENDRITE_COLOUR, PALE = "#E69F00", "#7FD1FF", "#dfe6f5"
KIND_COLOURS = {"axon": PALETTE[1], "basal": PALETTE[5], "apical": PALETTE[2]}
MEASURE_NAMES = {
    "sections": "sections",
    "length": "length (µm)",
    "y_max": "highest point above soma (µm)",
    "y_min": "lowest point below soma (µm)",
    "width": "width, 90 % of length (µm)",
    "branch_order": "largest branch order",
}
SHORT_NAMES = ("sections", "length", "top", "bottom", "width", "order")
"""Of the same measures, for a table."""
_STEP, _ABOVE, _BELOW = 560.0, 260.0, 60.0
"""um. Between cells of the gallery, and above and below the deepest and highest of a row."""


def draw_gallery(
    cells: pd.DataFrame, shapes: Mapping[str, Morphology], layers: Mapping[str, float], dpi: int
) -> str:
    """One cell per m-type where its soma lies, with the borders of the layers.

    Args:
        cells: name, m_type, soma_depth (um); one row per m-type.
        shapes: Morphologies by name, soma at the origin.
        layers: Thickness by layer from the pia down, um.
        dpi: Resolution.
    """
    borders = np.concatenate([[0.0], np.cumsum(list(layers.values()))])
    groups = [rows for _, rows in cells.groupby(cells["m_type"].str.split("_").str[0], sort=False)]
    wide = max(map(len, groups)) * _STEP
    spans = [_span(rows, shapes) for rows in groups]
    with style():
        figure = new_figure(WIDE, WIDE * sum(high - low for low, high in spans) / wide + 0.2)
        figure.set_facecolor(NIGHT)
        axes = figure.subplots(
            len(groups), 1, squeeze=False, height_ratios=[high - low for low, high in spans]
        )[:, 0]
        for ax, rows, span in zip(axes, groups, spans, strict=True):
            _row(ax, rows, shapes, borders)
            ax.set_xlim(-0.95 * _STEP, wide - 0.35 * _STEP)
            ax.set_ylim(span)
            for name, top, bottom in zip(layers, borders[:-1], borders[1:], strict=True):
                # A layer that the row shows in part has its name in the middle of that part.
                high, low = min(-top, span[1] - _ABOVE), max(-bottom, span[0])
                if high - low > 80.0:
                    ax.annotate(name, (-0.92 * _STEP, (high + low) / 2), color=PALE, fontsize=6.5,
                                va="center", alpha=0.8)  # fmt: skip
        return encode(figure, "png", max(170, dpi))


def _span(cells: pd.DataFrame, shapes: Mapping[str, Morphology]) -> tuple[float, float]:
    """Lowest and highest y that a row of the gallery shows, um; the pia is 0."""
    ends = [
        section.points[:, 1] - row.soma_depth
        for row in cells.itertuples(index=False)
        for section in shapes[row.name].sections
    ]
    every = np.concatenate(ends)
    return float(every.min()) - _BELOW, min(float(every.max()), 0.0) + _ABOVE


def _row(ax, cells: pd.DataFrame, shapes: Mapping[str, Morphology], borders: np.ndarray) -> None:
    from matplotlib.collections import LineCollection

    top = _span(cells, shapes)[1] - _ABOVE
    for border in borders:
        if -border <= top + 1.0:
            ax.axhline(-border, color=PALE, linewidth=0.4, alpha=0.35)
    for place, row in enumerate(cells.itertuples(index=False)):
        origin = np.array([place * _STEP, -row.soma_depth])
        for axon, colour, width, alpha in ((True, AXON_COLOUR, 0.28, 0.75),
                                           (False, DENDRITE_COLOUR, 0.5, 0.95)):  # fmt: skip
            lines = [
                section.points[:, :2] + origin
                for section in shapes[row.name].sections
                if section.kind != SOMA and (section.kind == AXON) == axon
            ]
            ax.add_collection(
                LineCollection(lines, colors=colour, linewidths=width, alpha=alpha, rasterized=True,
                               zorder=2 if axon else 3)
            )  # fmt: skip
        ax.scatter(*origin, s=5, color="white", zorder=4, linewidths=0)
        ax.annotate(row.m_type, (origin[0], top + 50.0 + 85.0 * (place % 2)), color=PALE,
                    fontsize=6, ha="center", va="bottom")  # fmt: skip
    ax.set_facecolor(NIGHT)
    ax.spines[:].set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([])


def draw_comparison(table: pd.DataFrame, dpi: int) -> str:
    """Scatter of grown against real cells, one panel per measure, one point per m-type and kind.

    Args:
        table: As ``analysis/morphology_comparison.csv``.
        dpi: Resolution of images inside the SVG.
    """
    from matplotlib.lines import Line2D

    with style():
        figure = new_figure(WIDE, 5.6)
        for ax, (measure, label) in zip(
            figure.subplots(2, 3).flat, MEASURE_NAMES.items(), strict=True
        ):
            rows = table[table["measure"] == measure]
            values = rows[["ours", "real"]].to_numpy()
            low, high = float(values.min()), float(values.max())
            pad = 0.06 * max(high - low, 1.0)
            ax.plot([low - pad, high + pad], [low - pad, high + pad], color=THEIRS, linewidth=0.8)
            for kind, colour in KIND_COLOURS.items():
                own = rows[rows["kind"] == kind]
                ax.errorbar(own["real"], own["ours"], xerr=own["real_sd"].fillna(0),
                            yerr=own["ours_sd"].fillna(0), fmt="o", markersize=3.5, color=colour,
                            elinewidth=0.6, alpha=0.85)  # fmt: skip
            ax.set_title(label)
            ax.set_xlim(low - pad, high + pad)
            ax.set_ylim(low - pad, high + pad)
        figure.supxlabel("real cells", fontsize=8.5)
        figure.supylabel("grown cells", fontsize=8.5)
        marks = [Line2D([], [], marker="o", linestyle="none", markersize=4, color=c, label=k)
                 for k, c in KIND_COLOURS.items()]  # fmt: skip
        figure.legend(handles=marks, loc="outside upper right", ncols=3)
        return encode(figure, "svg", dpi)


def draw_sholl(table: pd.DataFrame, dpi: int) -> str:
    """Mean crossings over distance from the soma, grown and real, one panel per m-type.

    Args:
        table: As ``analysis/morphology_sholl.csv``.
        dpi: Resolution of images inside the SVG.
    """
    types: Sequence[str] = list(dict.fromkeys(table["m_type"]))
    columns = min(len(types), 6)
    rows = -(-len(types) // columns)
    with style():
        figure = new_figure(WIDE, 0.7 + 1.55 * rows)
        axes = figure.subplots(rows, columns, squeeze=False).flat
        for ax in axes[len(types) :]:
            ax.set_visible(False)
        for ax, m_type in zip(axes, types, strict=False):
            for kind, colour in KIND_COLOURS.items():
                own = table[(table["m_type"] == m_type) & (table["kind"] == kind)]
                ax.plot(own["radius"], own["ours"], color=colour)
                ax.plot(own["radius"], own["real"], color=colour, linestyle=":")
            ax.set_title(m_type, fontsize=7.5)
            ax.tick_params(labelsize=6.5)
        figure.supxlabel("distance from the soma (µm)", fontsize=8.5)
        figure.supylabel("crossings", fontsize=8.5)
        figure.legend(handles=_sholl_marks(), loc="outside upper right", ncols=5, fontsize=7.5)
        return encode(figure, "svg", dpi)


def _sholl_marks() -> list:
    from matplotlib.lines import Line2D

    kinds = [Line2D([], [], color=c, label=k) for k, c in KIND_COLOURS.items()]
    lines = (("-", "grown"), (":", "real"))
    return kinds + [Line2D([], [], color=INK, linestyle=s, label=t) for s, t in lines]
