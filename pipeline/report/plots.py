"""Figures from the analysis tables: connectivity, clamps and activity. Each returns a data URI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.report.style import (
    OURS,
    RECORDED,
    THEIRS,
    encode,
    new_figure,
    spread,
    style,
    type_colours,
)
from pipeline.sonata.layout import EDGE_KINDS

WIDE = 9.6
"""Width of a figure that fills the page, inches."""
LABEL = 0.13
"""Height of a small label, inches."""
_KIND_COLOURS = dict(zip(EDGE_KINDS, ("#0072B2", "#DC267F"), strict=True))


def draw_type_matrix(table: pd.DataFrame, colours: str, dpi: int) -> str:
    """Contacts between types, one panel per kind; ``table`` as in analysis/type_matrix.csv."""
    panels = list(table.groupby(["edges", "kind"], sort=False))
    types = list(dict.fromkeys([*table["pre_type"], *table["post_type"]]))
    size = len(types)
    with style():
        figure = new_figure(WIDE, max(2.6, 1.2 + 0.34 * size) * -(-len(panels) // 2))
        axes = figure.subplots(-(-len(panels) // 2), min(2, len(panels)), squeeze=False).ravel()
        for ax, ((config, kind), frame) in zip(axes, panels, strict=False):
            matrix = frame.pivot(index="pre_type", columns="post_type", values="contacts")
            matrix = matrix.reindex(index=types, columns=types).to_numpy(np.float64)
            shown = np.where(matrix > 0, matrix, np.nan)
            image = ax.imshow(np.log10(shown), cmap=colours, aspect="auto")
            middle = np.nanmean(image.get_clim()) if np.isfinite(shown).any() else 0.0
            for (row, column), value in np.ndenumerate(matrix):
                if size <= 14 and np.isfinite(value):
                    dark = value > 0 and np.log10(value) < middle
                    ax.text(column, row, f"{value:.0f}" if value else "·", ha="center",
                            va="center", fontsize=7.5,
                            color="white" if dark else "#1c2330")  # fmt: skip
            ax.set_title(f"{config}: {kind} contacts")
            ax.set_xticks(range(size), types, rotation=30, ha="right")
            ax.set_yticks(range(size), types)
            ax.set_xlabel("onto")
            ax.set_ylabel("from")
            ax.tick_params(length=0)
            ax.spines[:].set_visible(False)
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
        return encode(figure, "svg", dpi)


def draw_degrees(table: pd.DataFrame, dpi: int) -> str:
    """Degrees of every cell against the connectome; ``table`` as in analysis/degrees.csv."""
    panels = list(table.groupby(["edges", "kind"], sort=False))
    with style():
        figure = new_figure(WIDE, 2.9 * len(panels))
        grid = figure.subplots(len(panels), 3, squeeze=False)
        for row, ((config, kind), frame) in zip(grid, panels, strict=True):
            colour = _KIND_COLOURS[kind]
            labels = ((0, "partners", "source_partners"), (1, "contacts", "source_count"))
            for index, ours, source in labels:
                ax = row[index]
                for side, marker, face in (("in", "o", colour), ("out", "^", "none")):
                    ax.scatter(
                        frame[f"{side}_{source}"], frame[f"{side}_{ours}"], s=13, marker=marker,
                        facecolors=face, edgecolors=colour, linewidths=0.7, alpha=0.7, label=side,
                    )  # fmt: skip
                top = np.nanmax(frame[[f"in_{source}", f"out_{source}"]].to_numpy(), initial=1.0)
                if ours == "partners":
                    ax.plot([0, top], [0, top], color="#8a93a3", linewidth=0.8, zorder=0)
                ax.set_xlabel("partners in the connectome" if index == 0 else "connectome count")
                ax.set_ylabel(f"{ours} in the circuit")
                ax.set_title(f"{config}: {kind} {ours}")
            row[0].legend(loc="upper left", handletextpad=0.2)
            _degree_histogram(row[2], frame, colour)
        return encode(figure, "svg", dpi)


def _degree_histogram(ax, frame: pd.DataFrame, colour: str) -> None:
    values = {side: frame[f"{side}_partners"].dropna() for side in ("in", "out")}
    top = max([1.0, *(v.max() for v in values.values() if len(v))])
    bins = np.linspace(-0.5, top + 0.5, int(min(top + 2, 26)))
    ax.hist(values["in"], bins, color=colour, alpha=0.45, label="in")
    ax.hist(values["out"], bins, histtype="step", color=colour, linewidth=1.2, label="out")
    ax.set_xlabel("partners of a cell")
    ax.set_ylabel("cells")
    ax.set_title("degree distribution")
    ax.legend()


def draw_distances(table: pd.DataFrame, published: float | None, dpi: int) -> str:
    """Distances bridged by contacts; ``table`` as in analysis/contact_distances.csv.

    Args:
        table: The contacts.
        published: Published median, um; None when there is none.
        dpi: Resolution of images inside the SVG.
    """
    values = table.dropna(subset="distance_um")
    positive = values[values["distance_um"] > 0]
    low, high = positive["distance_um"].min(), positive["distance_um"].max()
    if published:
        low, high = min(low, published), max(high, published)
    bins = np.geomspace(low * 0.95, max(high, low * 1.1) * 1.05, 46)
    with style():
        figure = new_figure(WIDE, 2.7)
        ax = figure.subplots()
        for kind, frame in positive.groupby("kind", sort=False):
            ax.hist(frame["distance_um"], bins, color=_KIND_COLOURS[kind], alpha=0.5,
                    label=f"{kind} ({len(frame)})")  # fmt: skip
        median = float(values["distance_um"].median())
        ax.axvline(median, color="#1c2330", linewidth=1.1, label=f"median {median:.2g} µm")
        if published:
            ax.axvline(published, color="#1c2330", linewidth=1.1, linestyle=(0, (4, 2)),
                       label=f"published median {published:.2g} µm")  # fmt: skip
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_xlabel("distance between the two places of a contact (µm)")
        ax.set_ylabel("contacts")
        ax.legend()
        return encode(figure, "svg", dpi)


def draw_clamps(
    protocols: Sequence[tuple[str, str, pd.DataFrame, pd.DataFrame | None]], colours: str, dpi: int
) -> str:
    """Clamp traces and steady states.

    Args:
        protocols: Title, kind, steady states (analysis/clamp_<protocol>.csv) and traces
            (clamp_<protocol>_traces.csv; None when missing).
        colours: Colour map of the levels.
        dpi: Resolution of images inside the SVG.
    """
    import matplotlib

    with style():
        figure = new_figure(WIDE, 2.15 * len(protocols))
        grid = figure.subplots(len(protocols), 2, squeeze=False, width_ratios=(1.7, 1))
        for (left, right), (title, kind, steady, traces) in zip(grid, protocols, strict=True):
            current = kind == "current_clamp"
            units = ("nA", "mV") if current else ("mV", "nA")
            what = "voltage" if current else "current"
            left.set_title(title)
            left.set_xlabel("time (ms)")
            left.set_ylabel(f"{what} ({units[1]})")
            if traces is None:
                left.text(0.5, 0.5, "no traces", ha="center", transform=left.transAxes)
            else:
                levels = traces.columns[1:]
                palette = matplotlib.colormaps[colours](np.linspace(0.05, 0.9, len(levels)))
                step = max(1, len(traces) // 2000)
                for name, colour in zip(levels, palette, strict=True):
                    left.plot(traces["time_ms"][::step], traces[name][::step], color=colour,
                              linewidth=0.9)  # fmt: skip
                if not current:
                    _limit_to_plateau(left, steady)
                left.text(1.0, 1.02, f"steps {levels[0]} to {levels[-1]} {units[0]}", ha="right",
                          transform=left.transAxes, color="#4a5363", fontsize=7.5)  # fmt: skip
            _steady_curve(right, steady, what, units)
        return encode(figure, "svg", dpi)


def _limit_to_plateau(ax, steady: pd.DataFrame) -> None:
    """Cuts the capacitive transients of a voltage clamp, which would flatten everything else."""
    values = steady[["steady", "reference"]].to_numpy()
    low, high = np.nanmin(values), np.nanmax(values)
    room = 0.35 * max(high - low, 1e-6)
    ax.set_ylim(low - room, high + room)


def _steady_curve(ax, steady: pd.DataFrame, what: str, units: tuple[str, str]) -> None:
    ax.plot(steady["level"], steady["reference"], "o", color=RECORDED, markersize=4,
            label="recording")  # fmt: skip
    ax.plot(steady["level"], steady["published_model"], "s--", color=THEIRS, markersize=3,
            markerfacecolor="none", label="published model")  # fmt: skip
    ax.plot(steady["level"], steady["steady"], "-", color=OURS, linewidth=1.5, label="ours")
    ax.set_xlabel(f"step ({units[0]})")
    ax.set_ylabel(f"steady {what} ({units[1]})")
    ax.legend(fontsize=7)


def draw_voltage_map(table: pd.DataFrame, types: Mapping[str, str], colours: str, dpi: int) -> str:
    """Voltage of all cells over time, sorted by type.

    Args:
        table: time_ms and one column per cell, mV.
        types: Cell name to type, in the order to show.
        colours: Colour map.
        dpi: Resolution of the image.
    """
    order = sorted_by_type(list(table.columns[1:]), types)
    data = table[order].to_numpy().T
    low, high = np.nanpercentile(data, (1, 99))
    times = table["time_ms"].to_numpy()
    with style():
        runs = _runs(order, types)
        height = float(np.clip(max(0.026 * len(order), LABEL * len(runs)), 1.9, 5.8))
        figure = new_figure(WIDE, height + 0.7)
        ax = figure.subplots()
        image = ax.imshow(
            data, aspect="auto", cmap=colours, vmin=low, vmax=high, interpolation="nearest",
            extent=(times[0], times[-1], len(order), 0),
        )  # fmt: skip
        palette = type_colours(types.values())
        start = 0
        middles = []
        for kind, names in runs:
            ax.add_patch(_strip(ax, start, len(names), palette[kind]))
            if start:
                ax.axhline(start, color="white", linewidth=0.8)
            middles.append(start + len(names) / 2)
            start += len(names)
        ax.set_yticks(
            spread(middles, LABEL * len(order) / height),
            [f"{kind} ({len(names)})" for kind, names in runs],
        )
        ax.tick_params(axis="y", length=0, pad=9, labelsize=7)
        ax.set_xlabel("time (ms)")
        ax.spines[:].set_visible(False)
        figure.colorbar(image, ax=ax, label="soma voltage (mV)", pad=0.01, extend="both")
        return encode(figure, "svg", dpi)


def sorted_by_type(names: list[str], types: Mapping[str, str]) -> list[str]:
    """Sorts cell names by type (types in their order of appearance), keeping the order inside."""
    order = list(dict.fromkeys(types.values()))
    return sorted(names, key=lambda name: order.index(types[name]))


def _runs(order: list[str], types: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    kinds = dict.fromkeys(types[name] for name in order)
    return [(kind, [name for name in order if types[name] == kind]) for kind in kinds]


def _strip(ax, start: float, height: float, colour: str):
    from matplotlib.patches import Rectangle
    from matplotlib.transforms import blended_transform_factory

    place = blended_transform_factory(ax.transAxes, ax.transData)
    return Rectangle((-0.012, start), 0.008, height, transform=place, color=colour, clip_on=False)


def choose_traces(table: pd.DataFrame, types: Mapping[str, str], count: int) -> list[str]:
    """Picks cells to show: of each type in turn the one that varies most; sorted by type.

    Args:
        table: time_ms and one column per cell.
        types: Cell name to type.
        count: How many at most.
    """
    spread = table.iloc[:, 1:].std()
    queues = [
        sorted(names, key=lambda name: (-float(spread[name]), name))
        for _, names in _runs(list(spread.index), types)
    ]
    turns = max(map(len, queues), default=0)
    chosen = [queue[turn] for turn in range(turns) for queue in queues if turn < len(queue)]
    return sorted_by_type(chosen[:count], types)


def draw_traces(table: pd.DataFrame, types: Mapping[str, str], chosen: list[str], dpi: int) -> str:
    """Soma voltages of some cells, one above the other on one scale."""
    times = table["time_ms"].to_numpy()
    late = table[times >= times[0] + 0.1 * (times[-1] - times[0])]
    spread = [float(np.diff(np.nanpercentile(late[name], (0.5, 99.5)))[0]) for name in chosen]
    gap = max(1.25 * max(spread, default=0.0), 1.0)
    palette = type_colours(types.values())
    bar = 10.0 ** np.floor(np.log10(gap))
    with style():
        figure = new_figure(WIDE, 0.8 + 0.36 * len(chosen))
        ax = figure.subplots()
        for index, name in enumerate(chosen):
            base = float(late[name].median())
            height = (len(chosen) - 1 - index) * gap
            ax.plot(times, table[name] - base + height, color=palette[types[name]], linewidth=0.9)
            ax.text(times[-1], height, f" {name}  {base:.0f} mV", va="center", fontsize=7.5)
        edge = times[0] - 0.012 * (times[-1] - times[0])
        ax.plot([edge] * 2, [0, bar], color="#1c2330", linewidth=2)
        ax.text(edge, bar / 2, f"{bar:g} mV ", va="center", ha="right", fontsize=7.5)
        ax.set_ylim(-0.8 * gap, (len(chosen) + 0.3) * gap)
        ax.margins(x=0.015)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.set_xlabel("time (ms)")
        return encode(figure, "svg", dpi)


def draw_correlations(pairs: pd.DataFrame, dpi: int) -> str:
    """Our and the published correlation matrix in one order; analysis/correlation_<sim>.csv."""
    names = list(dict.fromkeys([*pairs["a"], *pairs["b"]]))
    place = {name: index for index, name in enumerate(names)}
    rows, columns = pairs["a"].map(place).to_numpy(), pairs["b"].map(place).to_numpy()
    matrices = {}
    for side in ("ours", "published"):
        matrix = np.full((len(names), len(names)), np.nan)
        matrix[rows, columns] = matrix[columns, rows] = pairs[side]
        matrices[side] = matrix
    filled = np.nan_to_num(matrices["published"]) + np.eye(len(names))
    leading = np.linalg.eigh(filled)[1][:, -1]
    order = np.argsort(-leading * (1 if leading.sum() >= 0 else -1), kind="stable")
    with style():
        figure = new_figure(WIDE, 4.9)
        axes = figure.subplots(1, 2)
        for ax, side in zip(axes, matrices, strict=True):
            shown = matrices[side][np.ix_(order, order)]
            image = ax.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
            ax.set_facecolor("#c8ccd4")
            ax.set_title(side)
            ticks = range(len(names)) if len(names) <= 80 else []
            labels = [names[k] for k in order] if len(names) <= 80 else []
            ax.set_xticks(ticks, labels, rotation=90, fontsize=3.6)
            ax.set_yticks(ticks, labels, fontsize=3.6)
            ax.tick_params(length=0, pad=1)
            ax.spines[:].set_visible(False)
        figure.colorbar(image, ax=axes, label="Pearson r", shrink=0.75, pad=0.01)
        return encode(figure, "svg", dpi)


def draw_input(table: pd.DataFrame, dpi: int) -> str:
    """Injected currents: mean and range over the cells, and one cell alone; steady ones as counts."""
    data, times = table.iloc[:, 1:].to_numpy(), table["time_ms"].to_numpy()
    with style():
        figure = new_figure(WIDE, 1.9)
        ax = figure.subplots()
        if len(times) == 1:
            ax.hist(data[0], bins=30, color="#E69F00")
            ax.set_xlabel("current (nA)")
            ax.set_ylabel("cells")
            ax.yaxis.get_major_locator().set_params(integer=True)
            return encode(figure, "svg", dpi)
        ax.fill_between(times, data.min(axis=1), data.max(axis=1), color="#E69F00", alpha=0.3,
                        linewidth=0, label=f"range over {data.shape[1]} cells")  # fmt: skip
        ax.plot(times, data[:, 0], color="#8a93a3", linewidth=0.4, label=str(table.columns[1]))
        ax.plot(times, data.mean(axis=1), color="#D55E00", linewidth=0.9, label="mean")
        ax.set_xlabel("time (ms)")
        ax.set_ylabel("current (nA)")
        ax.margins(x=0)
        ax.legend(ncols=3, loc="lower right", fontsize=7)
        return encode(figure, "svg", dpi)
