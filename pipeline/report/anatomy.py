"""A picture of the circuit: every neurite of every cell where it lies, coloured by type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.cells.morphology import read_morphology
from pipeline.report.style import EXCITATORY, GAP, INHIBITORY, NIGHT, encode, new_figure, style
from pipeline.report.style import type_colours as colours_of
from pipeline.sonata.layout import CHEMICAL, CircuitPaths

MOST_CELLS = 400
"""Cells drawn at most; larger circuits are sampled evenly."""
MOST_POINTS = 60_000
"""Points of neurites up to which the page carries a view to turn."""
_FAINT = "#9fb0d0"
_ROOM = 0.06
"""Free space below a drawing for its scale bar, as a fraction of its width."""


@dataclass(frozen=True)
class Shapes:
    """Neurites of a circuit in body coordinates, axes sorted by extent (longest first).

    Attributes:
        lines: One float64 [n, 3] polyline per section, um.
        cell: int64 [lines]. Row of the cell in the table that was given.
        somata: float64 [cells, 3], um.
        axes: Names of the three axes in this order, such as ``("y", "z", "x")``.
        drawn: int64. Rows of the cells that are drawn.
    """

    lines: list[np.ndarray]
    cell: np.ndarray
    somata: np.ndarray
    axes: tuple[str, str, str]
    drawn: np.ndarray


def load_shapes(paths: CircuitPaths, cells: pd.DataFrame, suffix: str) -> Shapes | None:
    """Reads the morphologies of a cell table and puts them where the cells are.

    Args:
        paths: The circuit.
        cells: morphology, x, y, z; one row per cell.
        suffix: File type of the morphologies.

    Returns:
        The shapes; None without cells.

    Raises:
        MorphologyError: If a morphology is missing or damaged.
    """
    if cells.empty:
        return None
    step = max(1, -(-len(cells) // MOST_CELLS))
    drawn = np.arange(len(cells))[::step]
    centres = cells[["x", "y", "z"]].to_numpy(np.float64)
    lines, owner = [], []
    cache = {}
    for row in drawn:
        name = cells["morphology"].iloc[row]
        if name not in cache:
            cache[name] = read_morphology(paths.morphologies / f"{name}.{suffix}")
        for section in cache[name].sections[1:]:
            lines.append(section.points + centres[row])
            owner.append(row)
    every = np.concatenate([*lines, centres[drawn]])
    order = np.argsort(-np.ptp(every, axis=0), kind="stable")
    return Shapes(
        [line[:, order] for line in lines],
        np.array(owner, np.int64),
        centres[:, order],
        tuple("xyz"[k] for k in order),
        drawn,
    )


def busiest_window(points: np.ndarray, width: float) -> tuple[float, float]:
    """Returns the interval of a given width that holds most values.

    Args:
        points: float [n], um.
        width: Width of the interval, um.
    """
    values = np.sort(points)
    ends = np.searchsorted(values, values + width, side="right")
    best = int(np.argmax(ends - np.arange(len(values))))
    inside = values[best : ends[best]]
    middle = (inside[0] + inside[-1]) / 2
    return middle - width / 2, middle + width / 2


def close_up(shapes: Shapes, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Chooses the box worth a closer look: around the stretch of the long axis with most contacts.

    Args:
        shapes: The neurites.
        points: float64 [contacts, 3], um; may be empty.

    Returns:
        Lowest and highest corner of the neurites in that stretch: float64 [3] each.
    """
    every = np.concatenate([*shapes.lines, shapes.somata[shapes.drawn]])
    span = np.ptp(every, axis=0)
    across = max(span[1], 1.0)
    anchor = points[:, 0] if len(points) else every[:, 0]
    core = sum(busiest_window(anchor, min(span[0], 0.25 * across))) / 2
    half = min(span[0], 0.8 * across) / 2
    inside = every[np.abs(every[:, 0] - core) <= half]
    low, high = inside.min(axis=0), inside.max(axis=0)
    low[0], high[0] = core - half, core + half
    return low, high


def draw_anatomy(shapes: Shapes, types: pd.Series, contacts: pd.DataFrame, dpi: int) -> str:
    """Draws the whole circuit from the side, and its densest part close up, with contacts.

    Args:
        shapes: The neurites.
        types: Cell type per row of the cell table.
        contacts: kind, x_um, y_um, z_um, inhibitory; may be empty.
        dpi: Resolution.

    Returns:
        PNG data URI.
    """
    palette = colours_of(types)
    points = contacts[[f"{axis}_um" for axis in shapes.axes]].to_numpy(np.float64)
    every = np.concatenate([*shapes.lines, shapes.somata[shapes.drawn]])
    low, high = every.min(axis=0), every.max(axis=0)
    span = np.maximum(high - low, 1.0)
    box = close_up(shapes, points)
    width = 11.6
    whole = float(np.clip(width * (span[1] + _ROOM * span[0]) / span[0] + 0.25, 1.4, 6.5))
    with style():
        figure = new_figure(width, whole + 4.4)
        figure.set_facecolor(NIGHT)
        grid = figure.add_gridspec(2, 3, height_ratios=(whole, 4.0))
        side = figure.add_subplot(grid[0, :])
        _neurites(side, shapes, types, palette, (0, 1))
        _frame(side, "the whole circuit, from the side", low, high, (0, 1))
        _marks(side, box)
        close = [figure.add_subplot(grid[1, k]) for k in range(3)]
        _neurites(close[0], shapes, types, palette, (0, 1), wide=0.9)
        _frame(close[0], "framed part, from the side", *box, (0, 1))
        window = box[0][0], box[1][0]
        _neurites(close[1], shapes, types, palette, (2, 1), window, wide=0.9)
        _frame(close[1], "framed part, along the axis", *box, (2, 1))
        _neurites(close[2], shapes, types, None, (2, 1), window)
        chosen = (points[:, 0] >= window[0]) & (points[:, 0] <= window[1])
        _contacts(close[2], points[chosen], contacts[chosen], (2, 1))
        _frame(close[2], "its contacts, along the axis", *box, (2, 1))
        _legend(figure, palette, len(points) > 0)
        return encode(figure, "png", round(1.5 * dpi))


def cut(line: np.ndarray, window: tuple[float, float] | None) -> list[np.ndarray]:
    """Returns the pieces of a polyline [n, 3] whose points lie in a window of the first axis."""
    if window is None:
        return [line]
    inside = (line[:, 0] >= window[0]) & (line[:, 0] <= window[1])
    pieces = np.split(line, np.flatnonzero(np.diff(inside)) + 1)
    first = bool(inside[0])
    return [piece for k, piece in enumerate(pieces) if (k % 2 == 0) == first and len(piece) > 1]


def _neurites(axes, shapes, types, palette, plane, window=None, *, wide=0.6) -> None:
    """Draws neurites and somata; without a palette only faint neurites."""
    from matplotlib.collections import LineCollection

    kinds = types.to_numpy()
    lines, owners = [], []
    for line, cell in zip(shapes.lines, shapes.cell, strict=True):
        pieces = cut(line, window)
        lines += [piece[:, plane] for piece in pieces]
        owners += [cell] * len(pieces)
    if palette is None:
        axes.add_collection(LineCollection(lines, colors=_FAINT, linewidths=0.4, alpha=0.3))
        return
    colours = [palette[kinds[cell]] for cell in owners]
    for thickness, alpha in ((5 * wide, 0.07), (wide, 0.85)):
        axes.add_collection(
            LineCollection(lines, colors=colours, linewidths=thickness, alpha=alpha)
        )
    rows = shapes.drawn
    if window is not None:
        place = shapes.somata[rows, 0]
        rows = rows[(place >= window[0]) & (place <= window[1])]
    axes.scatter(
        shapes.somata[rows, plane[0]], shapes.somata[rows, plane[1]], s=22 * wide, zorder=3,
        c=[palette[kinds[row]] for row in rows], edgecolors=NIGHT, linewidths=0.4,
    )  # fmt: skip


def viewer_data(shapes: Shapes, types: pd.Series) -> dict[str, Any] | None:
    """Neurites for the page's own 3D view; None when they would make the page heavy.

    Args:
        shapes: The neurites.
        types: Cell type per row of the cell table.

    Returns:
        types (name, colour, lines: flat integer lists x, y, z, x, ... in tenths of um from the
        middle of the circuit, and somata: one such list), half (longest half extent, same unit).
    """
    if sum(map(len, shapes.lines)) > MOST_POINTS:
        return None
    every = np.concatenate([*shapes.lines, shapes.somata[shapes.drawn]])
    middle = (every.min(axis=0) + every.max(axis=0)) / 2
    kinds = types.to_numpy()

    def flat(points: np.ndarray) -> list[int]:
        return np.rint(10 * (points - middle)).astype(int).ravel().tolist()

    groups = []
    for name, colour in colours_of(types).items():
        pairs = zip(shapes.lines, shapes.cell, strict=True)
        lines = [flat(line) for line, cell in pairs if kinds[cell] == name]
        rows = [row for row in shapes.drawn if kinds[row] == name]
        somata = flat(shapes.somata[rows])
        groups.append({"name": name, "colour": colour, "lines": lines, "somata": somata})
    return {"types": groups, "half": int(np.ceil(5 * np.ptp(every, axis=0).max())) or 1}


def _contacts(axes, points: np.ndarray, contacts: pd.DataFrame, plane) -> None:
    chemical = contacts["kind"].to_numpy() == CHEMICAL
    inhibitory = contacts["inhibitory"].to_numpy() == 1
    layers = (
        (chemical & ~inhibitory, EXCITATORY), (chemical & inhibitory, INHIBITORY), (~chemical, GAP)
    )  # fmt: skip
    for chosen, colour in layers:
        here = points[chosen]
        axes.scatter(
            here[:, plane[0]], here[:, plane[1]], s=3.2, c=colour, alpha=0.75, linewidths=0
        )


def _frame(axes, title: str, low, high, plane) -> None:
    """Equal scale, no ticks, and a bar of round length instead."""
    axes.set_facecolor(NIGHT)
    axes.set_title(title, color="#dfe6f5", fontsize=8.5, fontweight="normal")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    (x0, y0), (x1, y1) = ((edge[plane[0]], edge[plane[1]]) for edge in (low, high))
    width = max(x1 - x0, 1.0)
    axes.set_xlim(x0 - _ROOM / 4 * width, x1 + _ROOM / 4 * width)
    axes.set_ylim(y0 - _ROOM * width, y1 + _ROOM / 4 * width)
    axes.set_aspect("equal")
    bar = round_length(width / 5)
    level = y0 - 0.6 * _ROOM * width
    axes.plot([x0, x0 + bar], [level, level], color="#dfe6f5", linewidth=1.6)
    axes.annotate(f"{bar:g} µm", (x0 + bar, level), (5, 0), textcoords="offset points",
                  color="#dfe6f5", fontsize=7.5, va="center")  # fmt: skip


def round_length(length: float) -> float:
    """Returns the largest of 1, 2 or 5 times a power of ten that does not exceed a length."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(k for k in (1, 2, 5) if k * power <= length * (1 + 1e-9)) * power)


def _marks(axes, box) -> None:
    """Draws the close-up's frame into the picture of the whole."""
    from matplotlib.patches import Rectangle

    low, high = box
    axes.add_patch(
        Rectangle(low[:2], *(high - low)[:2], fill=False, edgecolor="#dfe6f5", linewidth=0.6,
                  linestyle=(0, (4, 3)), alpha=0.7)
    )  # fmt: skip


def _legend(figure, palette: dict[str, str], contacts: bool) -> None:
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], color=colour, linewidth=2.2, label=name)
               for name, colour in palette.items()]  # fmt: skip
    if contacts:
        kinds = ("excitatory contact", "inhibitory contact", "gap junction")
        entries += [
            Line2D([], [], color=colour, marker="o", markersize=4, linestyle="none", label=name)
            for name, colour in zip(kinds, (EXCITATORY, INHIBITORY, GAP), strict=True)
        ]
    figure.legend(
        handles=entries, loc="outside lower center", ncols=min(len(entries), 8),
        labelcolor="#dfe6f5", fontsize=8,
    )  # fmt: skip
