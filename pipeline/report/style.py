"""How figures look and become data URIs: colour-blind safe, offline, the same every time."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PALETTE = (
    "#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#0072B2", "#B0A020", "#888888"
)  # fmt: skip
"""Okabe & Ito; told apart by readers with any common colour vision, on white and on black."""
INK, PAPER, NIGHT = "#1c2330", "#ffffff", "#0b1020"
EXCITATORY, INHIBITORY, GAP = "#FFB000", "#648FFF", "#DC267F"
OURS, THEIRS, RECORDED = "#0072B2", "#888888", "#1c2330"


@dataclass(frozen=True)
class Figure:
    """A drawn figure with all a reader needs to judge and redo it.

    Attributes:
        key: Anchor in the page.
        title: One line.
        uri: Image as a data URI.
        alt: What a reader who cannot see it should know.
        caption: How it was made.
        data: CSV files with its numbers, relative to the page.
        command: Command that made the data.
    """

    key: str
    title: str
    uri: str
    alt: str
    caption: str
    data: tuple[str, ...] = field(default=())
    command: str = ""


@contextmanager
def style() -> Iterator[None]:
    """Sets fonts, lines and everything that would make two drawings differ, for the block only."""
    import matplotlib

    settings = {
        "font.family": ["DejaVu Sans"],
        "font.size": 8.5,
        "axes.titlesize": 9,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 8.5,
        "axes.edgecolor": "#8a93a3",
        "axes.labelcolor": INK,
        "axes.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": "#4a5363",
        "ytick.color": "#4a5363",
        "text.color": INK,
        "legend.frameon": False,
        "lines.linewidth": 1.1,
        "figure.facecolor": PAPER,
        "savefig.facecolor": "auto",
        "svg.hashsalt": "sonatina",
        "svg.fonttype": "path",
        "path.simplify": True,
    }
    with matplotlib.rc_context(settings):
        yield


def new_figure(width: float, height: float):
    """Returns an empty figure (inches) outside pyplot, so that nothing stays open."""
    from matplotlib.figure import Figure as Canvas

    return Canvas(figsize=(width, height), layout="constrained")


def encode(figure, kind: str, dpi: int) -> str:
    """Draws a figure into a data URI.

    Args:
        figure: A matplotlib figure.
        kind: ``svg`` or ``png``.
        dpi: Resolution of the PNG and of images inside the SVG.
    """
    buffer = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    mime = "image/svg+xml" if kind == "svg" else "image/png"
    return f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def few_log_ticks(axis) -> None:
    """Labels one to three values per decade of a logarithmic axis; where none is full, labels overlap."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    decades = math.log10(high / low)
    subs = (1.0,) if decades > 2 else (1.0, 3.0) if decades > 1 else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FormatStrFormatter("%g"))
    axis.set_minor_formatter(NullFormatter())


def type_colours(types: Iterable[str]) -> dict[str, str]:
    """Gives each cell type a colour, in order of appearance; beyond eight they repeat."""
    names = list(dict.fromkeys(types))
    return {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(names)}


def spread(places: list[float], gap: float) -> list[float]:
    """Moves rising places of labels down, then back up, until neighbours are ``gap`` apart."""
    moved = list(places)
    for index in range(1, len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + gap)
    limit = max(places, default=0.0) + gap / 4
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], limit)
        limit = moved[index] - gap
    return moved
