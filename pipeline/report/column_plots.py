"""Drawings of cells with drawn morphologies: somata, neurites, numbers, depths. Data URIs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from pipeline.cells.morphology import AXON, SOMA, Morphology
from pipeline.report.plots import WIDE
from pipeline.report.style import (
    EXCITATORY,
    INHIBITORY,
    INK,
    NIGHT,
    OURS,
    THEIRS,
    encode,
    new_figure,
    style,
)

MOST_NEURITES = 60
"""Cells drawn with their neurites at most."""
_PALE = "#dfe6f5"


def pick_cells(somata: pd.DataFrame, most: int = MOST_NEURITES) -> pd.DataFrame:
    """Chooses the cells to draw: of each m-type in turn the one nearest to the middle.

    Args:
        somata: mtype, x, z; one row per cell.
        most: How many at most.
    """
    away = np.hypot(somata["x"] - somata["x"].mean(), somata["z"] - somata["z"].mean())
    near = somata.assign(away=away).sort_values(["away", "node_id"], kind="stable")
    turn = near.groupby("mtype", sort=False).cumcount()
    order = near.assign(turn=turn).sort_values(["turn", "mtype"], kind="stable")
    return order.head(most).drop(columns=["away", "turn"]).sort_values("node_id")


def rotated(points: np.ndarray, quaternion: np.ndarray) -> np.ndarray:
    """Turns points [n, 3] by a unit quaternion (w, x, y, z)."""
    w, axis = quaternion[0], quaternion[1:]
    twice = 2.0 * np.cross(axis, points)
    return points + w * twice + np.cross(axis, twice)


def draw_somata(somata: pd.DataFrame, panels: Mapping[str, Mapping[str, str]], dpi: int) -> str:
    """Somata from the side, one panel per attribute, and from above.

    Args:
        somata: x, y, z (um) and the attributes.
        panels: Attribute to colours by value; empty colours leave a cell out.
        dpi: Resolution.
    """
    size = float(np.clip(700 / np.sqrt(len(somata)) / 4, 0.5, 14))
    mixed = somata.iloc[np.random.default_rng(0).permutation(len(somata))]
    low, high = (getattr(somata[list("xyz")], f)().to_numpy() for f in ("min", "max"))
    width = max(high[0] - low[0], high[2] - low[2], 1.0)
    deep = max(high[1] - low[1], 1.0)
    height = float(np.clip(9.6 / (len(panels) + 1.0) * deep / width, 3.2, 9.5))
    with style():
        figure = new_figure(WIDE, height)
        figure.set_facecolor(NIGHT)
        axes = figure.subplots(1, len(panels) + 1)
        for ax, (attribute, colours) in zip(axes, panels.items(), strict=False):
            colour = mixed[attribute].map(colours).fillna("")
            shown = (colour != "").to_numpy()
            ax.scatter(mixed["x"][shown], mixed["y"][shown], s=size, c=colour[shown].tolist(),
                       linewidths=0, rasterized=True)  # fmt: skip
            _dark(ax, f"{attribute.replace('_', ' ')}, from the side", low[:2], high[:2])
            _names(ax, {k: v for k, v in colours.items() if v and (mixed[attribute] == k).any()})
        attribute, colours = next(iter(panels.items()))
        axes[-1].scatter(mixed["x"], mixed["z"], s=size, c=mixed[attribute].map(colours).tolist(),
                         linewidths=0, rasterized=True)  # fmt: skip
        _dark(axes[-1], "from above", low[[0, 2]], high[[0, 2]])
        return encode(figure, "png", max(150, dpi))


def draw_neurites(
    cells: pd.DataFrame, shapes: Mapping[str, Morphology], colours: Mapping[str, str],
    layers: Mapping[str, tuple[float, float]], dpi: int,
) -> str:  # fmt: skip
    """Dendrites and axons of some cells where they lie, from the side.

    Args:
        cells: node_id, x, y, z, orientation_w to _z, layer, morphology.
        shapes: Morphologies by name, soma at the origin.
        colours: Layer to colour.
        layers: Name to top and bottom, um below the pia, of the borders to draw.
        dpi: Resolution.
    """
    from matplotlib.collections import LineCollection

    parts: dict[bool, list] = {True: [], False: []}
    tints: dict[bool, list[str]] = {True: [], False: []}
    for row in cells.to_dict("records"):
        for axon, points in _lines(row, shapes[row["morphology"]]):
            parts[axon].append(points)
            tints[axon].append(colours[row["layer"]])
    every = np.concatenate([*parts[True], *parts[False], cells[["x", "y"]].to_numpy()])
    low, high = every.min(axis=0), every.max(axis=0)
    with style():
        ratio = float(np.clip((high[1] - low[1]) / max(high[0] - low[0], 1.0), 0.35, 1.6))
        figure = new_figure(WIDE, 0.6 + 4.8 * ratio)
        figure.set_facecolor(NIGHT)
        axes = figure.subplots(1, 2)
        for ax, title in zip(axes, ("dendrites", "axons"), strict=True):
            axon = title == "axons"
            wide, alpha = (0.28, 0.55) if axon else (0.6, 0.9)
            ax.add_collection(
                LineCollection(parts[axon], colors=tints[axon], linewidths=wide, alpha=alpha,
                               rasterized=True)
            )  # fmt: skip
            ax.scatter(cells["x"], cells["y"], s=9, zorder=3, edgecolors=NIGHT, linewidths=0.3,
                       c=cells["layer"].map(colours).tolist())  # fmt: skip
            _dark(ax, f"{title} of {len(cells)} cells", low, high)
            for name, (top, bottom) in layers.items():
                if -top >= low[1] and -bottom <= high[1]:
                    ax.axhline(-top, color=_PALE, linewidth=0.4, alpha=0.35)
                    middle = np.clip(-(top + bottom) / 2, low[1], high[1])
                    ax.annotate(name, (low[0], middle), color=_PALE, fontsize=7.5, alpha=0.8)
        return encode(figure, "png", max(170, dpi))


def _lines(row: dict, shape: Morphology) -> Iterator[tuple[bool, np.ndarray]]:
    """Sections of one cell in space: whether axon, and float64 [n, 2], um."""
    place = np.array([row[axis] for axis in "xyz"])
    turn = np.array([row[f"orientation_{axis}"] for axis in "wxyz"])
    for section in shape.sections:
        if section.kind != SOMA:
            yield section.kind == AXON, (rotated(section.points, turn) + place)[:, :2]


def _dark(ax, title: str, low: np.ndarray, high: np.ndarray) -> None:
    from pipeline.report.anatomy import round_length

    ax.set_facecolor(NIGHT)
    ax.set_title(title, color=_PALE, fontsize=8.5, fontweight="normal")
    ax.spines[:].set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_aspect("equal")
    span = np.maximum(high - low, 1.0)
    ax.set_xlim(low[0] - 0.03 * span[0], high[0] + 0.03 * span[0])
    ax.set_ylim(low[1] - 0.08 * max(span), high[1] + 0.02 * span[1])
    bar = round_length(span[0] / 3)
    level = low[1] - 0.045 * max(span)
    ax.plot([low[0], low[0] + bar], [level, level], color=_PALE, linewidth=1.5)
    ax.annotate(f"{bar:g} µm", (low[0] + bar, level), (4, 0), textcoords="offset points",
                color=_PALE, fontsize=7, va="center")  # fmt: skip


def _names(ax, colours: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D

    marks = [Line2D([], [], marker="o", linestyle="none", markersize=4, color=c, label=k)
             for k, c in colours.items()]  # fmt: skip
    ax.legend(handles=marks, loc="upper center", bbox_to_anchor=(0.5, -0.005), fontsize=7,
              ncols=min(len(marks), 4), labelcolor=_PALE, handletextpad=0.0,
              columnspacing=0.8)  # fmt: skip


def draw_counts(table: pd.DataFrame, fit: pd.DataFrame, dpi: int) -> str:
    """Cells per m-type beside the published share, and how well their morphologies fit.

    Args:
        table: mtype, synapse_class, cells, expected; summed by m-type.
        fit: mtype, cells, unmet, mean_score, morphologies; one row per m-type.
        dpi: Resolution of images inside the SVG.
    """
    table = table.merge(fit[["mtype", "unmet", "mean_score", "morphologies"]], "left", "mtype")
    place = np.arange(len(table))[::-1]
    with style():
        figure = new_figure(WIDE, 0.9 + 0.145 * len(table))
        left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
        colours = table["synapse_class"].map({"EXC": EXCITATORY, "INH": INHIBITORY})
        left.barh(place, table["cells"], height=0.72, color=colours.fillna(OURS), label="ours")
        left.scatter(table["expected"], place, s=17, marker="x", color=INK, linewidths=0.9,
                     label="published share", zorder=3)  # fmt: skip
        left.set_xscale("symlog", linthresh=1)
        left.set_xlim(0, 2 * max(1, table["cells"].max(), table["expected"].max()))
        left.set_yticks(place, table["mtype"], fontsize=7)
        left.set_xlabel("cells (yellow excitatory, blue inhibitory)")
        left.legend(loc="lower right")
        right.barh(place, table["mean_score"], height=0.72, color=OURS)
        right.set_yticks([])
        right.set_xlim(0, 1.35)
        right.set_xticks([0, 0.5, 1])
        right.set_xlabel("mean score of the morphologies drawn")
        share = table["unmet"] / table["cells"]
        for y, row, unfit in zip(place, table.to_dict("records"), share, strict=True):
            if row["mean_score"] == row["mean_score"]:
                text = f"of {row['morphologies']:.0f}"
                text += f", {100 * unfit:.0f} % unfit" if unfit > 0 else ""
                right.text(1.03, y, text, fontsize=6.5, va="center",
                           color="#b03030" if unfit > 0 else "#4a5363")  # fmt: skip
        for ax in (left, right):
            ax.set_ylim(-0.8, len(table) - 0.2)
        return encode(figure, "svg", dpi)


def draw_depths(table: pd.DataFrame, layers: Mapping[str, tuple[float, float]], dpi: int) -> str:
    """Density of cells over depth beside the published one; ``table`` as in analysis/depth_*.csv."""
    kinds = list(table.groupby("synapse_class", sort=True))
    with style():
        figure = new_figure(WIDE, 3.4)
        axes = figure.subplots(1, len(kinds), squeeze=False)[0]
        for ax, (kind, rows) in zip(axes, kinds, strict=True):
            colour = {"EXC": EXCITATORY, "INH": INHIBITORY}.get(kind, OURS)
            step = float(np.diff(rows["depth_um"]).min()) if len(rows) > 1 else 25.0
            ax.bar(rows["depth_um"], rows["density"] / 1000, width=step, color=colour, alpha=0.75,
                   label="ours")  # fmt: skip
            ax.step(rows["depth_um"], rows["expected"] / 1000, where="mid", color=THEIRS,
                    linewidth=1.4, label="published, uniform in each layer")  # fmt: skip
            top = ax.get_ylim()[1]
            for name, (start, stop) in layers.items():
                if stop > rows["depth_um"].min() and start < rows["depth_um"].max():
                    ax.axvline(start, color="#c8ccd4", linewidth=0.6, zorder=0)
                    middle = np.clip((start + stop) / 2, rows["depth_um"].min(),
                                     rows["depth_um"].max())  # fmt: skip
                    ax.text(middle, top, name, ha="center", va="bottom", fontsize=7.5)
            ax.set_title(f"{kind}\n")
            ax.set_xlabel("depth below the pia (µm)")
            ax.set_ylabel("1,000 cells per mm³")
            ax.legend(loc="upper left", fontsize=7)
            ax.margins(x=0)
        return encode(figure, "svg", dpi)
