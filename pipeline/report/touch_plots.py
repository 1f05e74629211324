"""Drawings of circuits connected by touch. Each returns a data URI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.report.plots import WIDE
from pipeline.report.style import EXCITATORY, INHIBITORY, OURS, THEIRS, encode, new_figure, style

_PLACES = {"soma": "#D55E00", "initial_segment": "#CC79A7", "basal": "#009E73", "apical": "#56B4E9"}


def draw_pathways(table: pd.DataFrame, order: Sequence[str], colours: str, dpi: int) -> str:
    """Ours, published and their ratio, pathway by pathway.

    Args:
        table: analysis/touches_<name>_published.csv.
        order: m-types in the order of rows and columns.
        colours: Colour map of the values.
        dpi: Resolution of images inside the SVG.
    """
    import matplotlib as mpl

    names = [name for name in order if name in set(table["pre"]) | set(table["post"])]
    kinds = {"probability": "connection probability", "synapses": "synapses per connection"}
    with style():
        figure = new_figure(WIDE, 6.4)
        axes = figure.subplots(2, 3)
        for row, (kind, label) in zip(axes, kinds.items(), strict=True):
            own, theirs = (_square(table, column, names) for column in (kind, f"published_{kind}"))
            top = np.nanquantile(np.concatenate([own[own > 0], theirs[theirs > 0], [1e-9]]), 0.98)
            scale = mpl.colors.LogNorm(top / 1000, top) if kind == "probability" else (
                mpl.colors.Normalize(0, top)
            )  # fmt: skip
            for ax, values, title in ((row[0], own, "ours"), (row[1], theirs, "published")):
                image = _image(ax, values, names, norm=scale, cmap=colours)
                ax.set_title(f"{label}, {title}", fontsize=8)
            figure.colorbar(image, ax=list(row[:2]), shrink=0.8)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.log2(own / theirs)
            image = _image(row[2], np.where(own > 0, ratio, np.nan), names, cmap="RdBu_r",
                           vmin=-3, vmax=3)  # fmt: skip
            row[2].set_title("ours over published", fontsize=8)
            bar = figure.colorbar(image, ax=row[2], shrink=0.8, ticks=range(-3, 4))
            bar.set_ticklabels(["⅛", "¼", "½", "1", "2", "4", "8"])
        return encode(figure, "svg", dpi)


def _square(table: pd.DataFrame, column: str, names: Sequence[str]) -> np.ndarray:
    wide = table.pivot(index="pre", columns="post", values=column)
    return wide.reindex(index=names, columns=names).to_numpy(np.float64)


def _image(ax, values: np.ndarray, names: Sequence[str], **how):
    image = ax.imshow(np.where(values > 0, values, np.nan) if "norm" in how else values,
                      interpolation="nearest", **how)  # fmt: skip
    ax.set_facecolor("#eef0f4")
    layers = [name.split("_")[0] for name in names]
    starts = [i for i, layer in enumerate(layers) if i == 0 or layer != layers[i - 1]]
    for start in starts[1:]:
        for line in (ax.axhline, ax.axvline):
            line(start - 0.5, color="#8a93a3", linewidth=0.4)
    for ticks in (ax.set_xticks, ax.set_yticks):
        ticks(starts, [layers[i] for i in starts], fontsize=6.5)
    ax.set_xlabel("onto", fontsize=7)
    ax.set_ylabel("from", fontsize=7)
    return image


def draw_scatter(table: pd.DataFrame, excitatory: Mapping[str, bool], dpi: int) -> str:
    """Ours against published, one point per judged pathway; the band is a factor of two."""
    judged = table[table["judged"]]
    tint = np.where(judged["pre"].map(excitatory), EXCITATORY, INHIBITORY)
    kinds = {"synapses": "synapses per connection", "probability": "connection probability"}
    with style():
        figure = new_figure(WIDE, 3.4)
        for ax, (kind, label) in zip(figure.subplots(1, 2), kinds.items(), strict=True):
            x, y = judged[f"published_{kind}"], judged[kind]
            there = (x > 0) & (y > 0)
            ax.scatter(x[there], y[there], s=5, c=tint[there], alpha=0.6, linewidths=0,
                       rasterized=True)  # fmt: skip
            if there.any():
                ends = np.array([min(x[there].min(), y[there].min()) / 1.3,
                                 max(x[there].max(), y[there].max()) * 1.3])  # fmt: skip
                ax.plot(ends, ends, color=THEIRS, linewidth=0.8)
                ax.fill_between(ends, ends / 2, ends * 2, color=THEIRS, alpha=0.15, linewidth=0)
                ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
            ax.set(title=label, xlabel="published", ylabel="ours")
        marks = [("from excitatory", EXCITATORY), ("from inhibitory", INHIBITORY)]
        for name, colour in marks:
            ax.scatter([], [], s=12, color=colour, label=name)
        ax.legend(fontsize=7)
        return encode(figure, "svg", dpi)


def draw_mtypes(table: pd.DataFrame, density: float, dpi: int) -> str:
    """Bouton density and where the synapses of each m-type lie.

    Args:
        table: analysis/touches_<name>_mtypes.csv.
        density: Recorded boutons per um of axon.
        dpi: Resolution of images inside the SVG.
    """
    table = table[table["cells"] > 0]
    place = np.arange(len(table))
    with style():
        figure = new_figure(WIDE, 4.6)
        top, low = figure.subplots(2, 1, sharex=True)
        top.bar(place, table["boutons_per_um"], color=OURS, width=0.75, label="ours")
        top.axhline(density, color="#D55E00", linewidth=1, label="recorded mean")
        top.set(title="Boutons per µm of axon", ylabel="1/µm")
        top.legend(fontsize=7, ncols=2)
        bottom = np.zeros(len(table))
        for name, colour in _PLACES.items():
            share = table[f"on_{name}"].fillna(0).to_numpy()
            label = name.replace("_", " ")
            low.bar(place, share, bottom=bottom, color=colour, width=0.75, label=label)
            bottom = bottom + share
        low.set(title="Where the synapses of a type lie", ylabel="share of synapses", ylim=(0, 1))
        low.legend(fontsize=7, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.45))
        low.set_xticks(place, table["mtype"], rotation=90, fontsize=6)
        return encode(figure, "svg", dpi)


def draw_depth(depth: pd.DataFrame, degrees: pd.DataFrame, dpi: int) -> str:
    """Synapses by depth, and connections per cell.

    Args:
        depth: analysis/touches_<name>_depth.csv.
        degrees: analysis/touches_<name>_degrees.csv.
        dpi: Resolution of images inside the SVG.
    """
    classes = {"excitatory": EXCITATORY, "inhibitory": INHIBITORY}
    with style():
        figure = new_figure(WIDE, 3.2)
        axes = figure.subplots(1, 3)
        middle = (depth["depth_low"] + depth["depth_high"]) / 2
        for name, colour in classes.items():
            axes[0].plot(depth[name], middle, color=colour, label=name, linewidth=1.4)
        axes[0].set(title="Synapses by depth", xlabel="synapses in 20 µm", ylabel="depth (µm)")
        axes[0].invert_yaxis()
        axes[0].set_xlim(left=0)
        axes[0].legend(fontsize=7)
        for ax, direction in zip(axes[1:], ("out", "in"), strict=True):
            for name, colour in classes.items():
                rows = degrees[(degrees["direction"] == direction) & (degrees["class"] == name)]
                ax.stairs(rows["cells"], [*rows["low"], rows["high"].iloc[-1]], color=colour,
                          linewidth=1.2)  # fmt: skip
            ax.set(title=f"{direction}-degree", xlabel="partners of a cell", ylabel="cells")
        return encode(figure, "svg", dpi)


def draw_pair(
    axon: Sequence[np.ndarray], dendrites: Sequence[np.ndarray], points: np.ndarray,
    names: tuple[str, str], dpi: int,
) -> str:  # fmt: skip
    """Two cells and the synapses between them, from the side and close by.

    Args:
        axon: Sections of the source's axon, float64 [n, 3] each, um.
        dendrites: Sections of the target's soma and dendrites.
        points: float64 [synapses, 3].
        names: What to call source and target.
        dpi: Resolution.
    """
    from matplotlib.collections import LineCollection

    low, high = points.min(axis=0) - 40, points.max(axis=0) + 40
    with style():
        figure = new_figure(WIDE, 4.6)
        for ax, near in zip(figure.subplots(1, 2), (False, True), strict=True):
            for lines, colour, label in ((axon, INHIBITORY, f"axon of {names[0]}"),
                                         (dendrites, "#4a5363", f"dendrites of {names[1]}")):  # fmt: skip
                flat = [line[:, :2] for line in lines]
                ax.add_collection(
                    LineCollection(flat, colors=colour, linewidths=1.1 if near else 0.5, label=label,
                                   rasterized=True)
                )  # fmt: skip
            ax.scatter(points[:, 0], points[:, 1], s=26 if near else 9, color="#D55E00", zorder=3,
                       label=f"{len(points)} synapses")  # fmt: skip
            ax.set_aspect("equal")
            if near:
                ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), title="close by")
            else:
                ax.autoscale_view()
                ax.set(title="the two cells", xlabel="x (µm)", ylabel="y (µm)")
                ax.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.12))
        return encode(figure, "png", max(160, dpi))
