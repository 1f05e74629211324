"""Drawings of circuits made by rules. Each returns a data URI."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable

import numpy as np
import pandas as pd

from pipeline.report.plots import WIDE
from pipeline.report.style import INK, OURS, PALETTE, THEIRS, encode, new_figure, style

MOST_PANELS = 9
"""Distance laws shown; those with most pairs."""
MOST_NUMBERS = 20
"""Matrices with more classes carry no numbers."""
MOST_LABELS = 60
_SHADES = (1.0, 0.66, 1.32)


def class_colours(names: Iterable[str]) -> dict[str, str]:
    """Gives each class a colour; from the ninth on darker, then lighter shades of the palette."""
    found = {}
    for index, name in enumerate(dict.fromkeys(names)):
        base, shade = PALETTE[index % len(PALETTE)], _SHADES[index // len(PALETTE) % len(_SHADES)]
        rgb = [int(base[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        hue, light, saturation = colorsys.rgb_to_hls(*rgb)
        rgb = colorsys.hls_to_rgb(hue, min(0.86, light * shade), saturation)
        found[name] = "#" + "".join(f"{round(255 * value):02x}" for value in rgb)
    return found


def draw_places(table: pd.DataFrame, unit: str, colours: dict[str, str], dpi: int) -> str:
    """Cells from the side and from above.

    Args:
        table: class, x, y, z, as in analysis/places_<population>.csv.
        unit: Of the coordinates.
        colours: Class to colour, in the order of the legend.
        dpi: Resolution.
    """
    flat = bool(np.ptp(table["z"].to_numpy()) == 0)
    views = [("x", "y", "side")] if not flat else [("x", "y", "the field")]
    views += [] if flat else [("x", "z", "from above")]
    size = float(np.clip(900 / np.sqrt(len(table)) / 4, 0.7, 9))
    with style():
        figure = new_figure(WIDE, 4.6)
        axes = figure.subplots(1, len(views), squeeze=False)[0]
        # One scatter in file order would hide rare classes below; a fixed shuffle mixes them.
        mixed = table.iloc[np.random.default_rng(0).permutation(len(table))]
        for ax, (across, up, title) in zip(axes, views, strict=True):
            ax.scatter(mixed[across], mixed[up], s=size, c=mixed["class"].map(colours).tolist(),
                       linewidths=0, rasterized=True)  # fmt: skip
            ax.set_aspect("equal")
            ax.xaxis.get_major_locator().set_params(nbins=_ticks(mixed, across, up))
            ax.set_title(title)
            ax.set_xlabel(f"{across} ({unit})")
            ax.set_ylabel(f"{up} ({unit})")
        for name, colour in colours.items():
            axes[-1].scatter([], [], s=22, color=colour, label=name)
        figure.legend(loc="outside right center", handletextpad=0.1, fontsize=8)
        return encode(figure, "svg", dpi)


def _ticks(table: pd.DataFrame, across: str, up: str) -> int:
    """Most ticks below a panel as narrow as the cells."""
    wide, high = np.ptp(table[across].to_numpy()), np.ptp(table[up].to_numpy())
    return int(np.clip(9 * wide / max(high, 1e-9), 1, 9))


def draw_matrices(table: pd.DataFrame, colours: str, dpi: int) -> str:
    """Probability of the rule and of the circuit, their ratio, and synapses per cell.

    Args:
        table: One edge config of analysis/rule_pairs.csv.
        colours: Colour map of probabilities and synapses.
        dpi: Resolution of images inside the SVG.
    """
    rows, columns = list(dict.fromkeys(table["source"])), list(dict.fromkeys(table["target"]))
    near = table["probability"].notna().any()
    frame = table.assign(ratio=table["probability"] / table["expected_probability"])
    panels = [
        ("expected_probability", "probability, the rule's", colours),
        ("probability", "probability, measured", colours),
        ("ratio", "measured / expected", "RdBu_r"),
    ] if near else []  # fmt: skip
    panels.append(("synapses_per_cell", "synapses per receiving cell", colours))
    deep = -(-len(panels) // 2)
    height = float(np.clip(0.26 * len(rows) + 0.9, 1.6, 6.5))
    with style():
        figure = new_figure(WIDE, height * deep)
        axes = figure.subplots(deep, min(2, len(panels)), squeeze=False).ravel()
        for ax, (column, title, cmap) in zip(axes, panels, strict=True):
            values = frame.pivot(index="source", columns="target", values=column)
            values = values.reindex(index=rows, columns=columns).to_numpy(np.float64)
            _matrix(ax, values, column, rows, columns, cmap)
            ax.set_title(title)
        return encode(figure, "svg", dpi)


def _matrix(ax, values: np.ndarray, column: str, rows: list[str], columns: list[str], cmap: str):
    shown = np.where(values > 0, values, np.nan)
    limits = {"vmin": 0.5, "vmax": 1.5} if column == "ratio" else {"vmin": 0.0}
    if "probability" in column:
        limits["vmax"] = 1.0
    image = ax.imshow(shown, cmap=cmap, aspect="auto", **limits)
    ax.set_facecolor("#eef0f4")
    middle = np.mean(image.get_clim())
    if max(len(rows), len(columns)) <= MOST_NUMBERS:
        for (row, place), value in np.ndenumerate(shown):
            if not np.isfinite(value):
                continue
            dark = abs(value - 1) > 0.3 if column == "ratio" else value < middle
            text = f"{value:.0f}" if column == "synapses_per_cell" and value >= 1 else _short(value)
            ax.text(place, row, text, ha="center", va="center", fontsize=4.8,
                    color="white" if dark else INK)  # fmt: skip
    for names, ticks in ((columns, ax.set_xticks), (rows, ax.set_yticks)):
        known = names if len(names) <= MOST_LABELS else []
        turned = {"rotation": 60, "ha": "right"} if ticks == ax.set_xticks else {}
        ticks(range(len(known)), known, fontsize=6.5, **turned)
    ax.set_xlabel("onto")
    ax.set_ylabel("from")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _short(value: float) -> str:
    """Two digits after the point without the leading zero; three for small numbers."""
    text = f"{value:.2f}" if value >= 0.095 else f"{value:.3f}"
    return text[1:] if text.startswith("0.") else text


def draw_profiles(table: pd.DataFrame, dpi: int) -> str:
    """Probability by lateral distance, one panel per distance law.

    Args:
        table: One edge config of analysis/rule_profile.csv.
        dpi: Resolution of images inside the SVG.
    """
    sums = table.groupby("kernel", sort=False)["expected_pairs"].sum()
    kernels = list(sums.sort_values(ascending=False, kind="stable").index[:MOST_PANELS])
    deep = -(-len(kernels) // 3)
    wide = min(3, len(kernels))
    with style():
        figure = new_figure(WIDE, 2.5 * deep)
        axes = figure.subplots(deep, wide, squeeze=False).ravel()
        for ax, kernel in zip(axes, kernels, strict=False):
            _profile(ax, table[table["kernel"] == kernel])
            row = table[table["kernel"] == kernel].iloc[0]
            ax.set_title(f"{_named(row['sources'])} → {_named(row['targets'])}", fontsize=7.5)
            ax.text(0.98, 0.95, kernel, transform=ax.transAxes, ha="right", va="top", fontsize=7,
                    color="#4a5363")  # fmt: skip
        for ax in axes[len(kernels) :]:
            ax.set_axis_off()
        for ax in axes[::wide]:
            ax.set_ylabel("probability of a pair")
        for ax in axes[max(0, len(kernels) - wide) :]:
            ax.set_xlabel("lateral distance (µm)")
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=7)
        return encode(figure, "svg", dpi)


def _profile(ax, frame: pd.DataFrame) -> None:
    middle = (frame["low_um"] + frame["high_um"]) / 2
    ax.plot(middle, frame["expected_probability"], color=THEIRS, linewidth=2.2, label="the rule")
    # Standard error of a proportion at the expected value; it is defined for empty bins too.
    p = frame["expected_probability"].clip(0, 1)
    error = np.sqrt(p * (1 - p) / frame["possible"].clip(lower=1))
    ax.errorbar(middle, frame["probability"], yerr=error, fmt="o", color=OURS, markersize=2.2,
                elinewidth=0.7, label="measured ± SE")  # fmt: skip
    top = max(1e-12, float(np.nanpercentile(p, 99)))
    seen = frame["high_um"][p > 0.002 * top]
    ax.set_ylim(0, 1.25 * top)
    ax.set_xlim(0, 1.03 * float(seen.max()) if len(seen) else None)


def _named(text: str) -> str:
    """A list of classes, cut short."""
    names = str(text).split(" ")
    return " ".join(names) if len(names) <= 4 else f"{' '.join(names[:3])} … ({len(names)})"


def draw_degrees(table: pd.DataFrame, colours: dict[str, str], dpi: int) -> str:
    """Degrees by class beside the expected mean; one edge config of analysis/rule_degrees.csv."""
    sides = [(side, table[table["side"] == side]) for side in ("in", "out")]
    tall = max(len(frame) for _, frame in sides)
    with style():
        figure = new_figure(WIDE, float(np.clip(0.9 + 0.19 * tall, 1.7, 12)))
        axes = figure.subplots(1, 2)
        for ax, (side, frame) in zip(axes, sides, strict=True):
            place = np.arange(len(frame))
            tint = [colours.get(name, OURS) for name in frame["class"]]
            ax.hlines(place, frame["q05"], frame["q95"], color=tint, linewidth=4, alpha=0.55)
            ax.plot(frame["median"], place, "|", color=INK, markersize=8, label="median")
            ax.scatter(frame["mean"], place, s=20, c=tint, edgecolors=INK, linewidths=0.6,
                       zorder=3, label="mean")  # fmt: skip
            ax.scatter(frame["expected_mean"], place, s=40, marker="x", color="#D55E00",
                       linewidths=1.3, zorder=4, label="mean by the rule")  # fmt: skip
            ax.set_yticks(place, [f"{row['class']} ({row['cells']})" for _, row in
                                  frame.iterrows()], fontsize=7)  # fmt: skip
            ax.invert_yaxis()
            ax.set_xlim(left=0)
            ax.set_title(f"{side}-degree")
            ax.set_xlabel("partners of a cell")
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize=7)
        return encode(figure, "svg", dpi)


def draw_synapses(table: pd.DataFrame, dpi: int) -> str:
    """Pairs by number of synapses; analysis/rule_synapses.csv."""
    panels = list(table.groupby("edges", sort=False))
    with style():
        figure = new_figure(WIDE, 2.3)
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for ax, (name, frame) in zip(axes, panels, strict=True):
            ax.bar(frame["nsyns"], frame["pairs"], color=OURS, alpha=0.6, label="measured")
            ax.plot(frame["nsyns"], frame["expected_pairs"], "x", color="#D55E00", markersize=7,
                    label="the rule")  # fmt: skip
            ax.set_title(name)
            ax.set_xlabel("synapses of a pair")
            ax.xaxis.get_major_locator().set_params(integer=True)
            if len(frame) == 1:
                ax.set_xlim(frame["nsyns"].iloc[0] - 3, frame["nsyns"].iloc[0] + 3)
            ax.set_ylim(0, 1.3 * frame[["pairs", "expected_pairs"]].to_numpy().max())
        axes[0].set_ylabel("connected pairs")
        axes[0].legend(fontsize=7, ncols=2)
        return encode(figure, "svg", dpi)
