"""The page of ``sonatina compare``: variants or seeds side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.analysis.compare import (
    Side,
    check_changes,
    compare_sides,
    ratios,
    read_expected,
    read_sides,
)
from pipeline.report.html import render
from pipeline.report.plots import WIDE
from pipeline.report.style import PALETTE, Figure, encode, new_figure, style
from pipeline.runtime import write_text

_TITLES = {
    "spontaneous": "Spontaneous rate (Hz, median)", "evoked": "Evoked rate (Hz, median)",
    "osi": "OSI (median)", "dsi": "DSI (median)", "gamma_peak": "Gamma peak by layer (Hz)",
    "gamma_over_poisson": "Gamma power over Poisson by layer", "fano": "Fano factor by layer",
    "rate": "Mean rate by run and type (Hz)", "synchrony": "Synchrony (1: independent)",
    "active": "Share of cells that fired", "choristers": "Share of choristers",
    "peak_frequency": "Spectral peak (Hz)", "peak_power": "Spectral peak over Poisson",
}  # fmt: skip
_DRAWN = ("spontaneous", "evoked", "osi", "dsi")
_DPI = 110


def run_compare(
    folders: Sequence[Path], page: Path, *, seeds: bool = False, expected: Path | None = None
) -> Path:
    """Writes the page, and its numbers as CSV beside it.

    Args:
        folders: Analysed circuits; the first is what others are compared with.
        page: HTML file to write.
        seeds: Show mean and standard deviation instead of ratios.
        expected: Table of expected directions of change.

    Raises:
        CircuitError: If a circuit has not been analysed.
        ConfigError: If the table of expectations is wrong.
    """
    sides = read_sides(folders)
    table = compare_sides(sides)
    changes = pd.DataFrame()
    if expected is not None:
        changes = check_changes(sides, table, read_expected(expected))
    numbers = page.with_suffix(".csv")
    write_text(numbers, table.to_csv(index=False, float_format="%.9g", lineterminator="\n"))
    first = sides[0].label
    how = (
        "One model with several seeds: medians over cells, their mean and standard deviation over "
        "the seeds." if seeds else
        f"Medians over cells; below each its ratio to {first}. A single run each: differences "
        "smaller than the spread between seeds mean nothing."
    )  # fmt: skip
    content = {
        "title": f"{len(sides)} {'seeds' if seeds else 'circuits'} side by side",
        "intro": how,
        "labels": [side.label for side in sides],
        "seeds": seeds,
        "changes": changes.to_dict("records"),
        "parts": [part for key in _TITLES if (part := _part(table, sides, key))["rows"]],
        "figures": _figures(sides, table, numbers.name),
        "table": numbers.name,
    }
    write_text(page, render(content, "compare.html.j2"))
    return page


def _figures(sides: Sequence[Side], table: pd.DataFrame, link: str) -> list[Figure]:
    """Those for which some circuit has numbers."""
    found = []
    if any(len(side.responses) for side in sides):
        found += [_classes(sides, table, link), _spectra(sides, link)]
    if any(len(side.activity) for side in sides):
        found.append(_activity(sides, table, link))
    return found


def _activity(sides: Sequence[Side], table: pd.DataFrame, link: str) -> Figure:
    """Mean rates by run and type, a dot per circuit."""
    part = table[(table["by"] == "run") & (table["quantity"] == "rate")].reset_index(drop=True)
    with style():
        figure = new_figure(WIDE, 0.8 + 0.17 * len(part))
        axes = figure.add_subplot()
        shifts = np.linspace(-0.25, 0.25, len(sides)) if len(sides) > 1 else [0.0]
        for k, (side, shift) in enumerate(zip(sides, shifts, strict=True)):
            axes.plot(part[side.label], np.arange(len(part)) + shift, "o", markersize=3.5,
                      color=PALETTE[k % len(PALETTE)], label=side.label)  # fmt: skip
        axes.set_yticks(range(len(part)), part["name"], fontsize=6.5)
        axes.set_ylim(len(part) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.set_xlabel("mean rate (Hz)")
        figure.legend(loc="outside upper right", ncols=4)
        uri = encode(figure, "svg", _DPI)
    return Figure(
        "activity", "Mean rates by run and type", uri, "Mean rates by run, type and circuit",
        "One dot per circuit (docs/activity.md, states of a network).", (link,), "sonatina compare",
    )  # fmt: skip


def _part(table: pd.DataFrame, sides: Sequence[Side], quantity: str) -> dict[str, Any]:
    part = table[table["quantity"] == quantity]
    part = part[part["mean"].notna()].reset_index(drop=True)
    first = sides[0].label
    shares = {side.label: ratios(part, first, side.label) for side in sides}
    rows = []
    for index, row in enumerate(part.to_dict("records")):
        cells = [
            {
                "value": row[label],
                "ratio": f"× {share[index]:.2f}" if np.isfinite(share[index]) else "–",
            }
            for label, share in shares.items()
        ]
        rows.append({"name": row["name"], "cells": cells, "mean": row["mean"], "sd": row["sd"]})
    return {"title": _TITLES[quantity], "rows": rows}


def _classes(sides: Sequence[Side], table: pd.DataFrame, link: str) -> Figure:
    recorded = sides[0].responses
    recorded = recorded[recorded["of"] == "recorded"].set_index(["class", "quantity"])
    shown = [q for q in _DRAWN if table.loc[table["quantity"] == q, "mean"].notna().any()]
    with style():
        figure = new_figure(WIDE, 2.3 * max(1, len(shown)))
        axes = figure.subplots(max(1, len(shown)), 1, sharex=True, squeeze=False)[:, 0]
        for ax, quantity in zip(axes, shown, strict=False):
            part = table[table["quantity"] == quantity]
            names = part["name"].tolist()
            for x, name in enumerate(names):
                if (name, quantity) in recorded.index:
                    low, high = recorded.loc[(name, quantity), ["p25", "p75"]]
                    ax.bar(x, high - low, 0.8, bottom=low, color="#b9c0cc", alpha=0.5, linewidth=0)
            shifts = np.linspace(-0.3, 0.3, len(sides)) if len(sides) > 1 else [0.0]
            for k, (side, shift) in enumerate(zip(sides, shifts, strict=True)):
                ax.plot(np.arange(len(names)) + shift, part[side.label], "o", markersize=4,
                        color=PALETTE[k % len(PALETTE)], label=side.label)  # fmt: skip
            ax.set_title(_TITLES[quantity])
            ax.set_ylim(bottom=0)
            ax.set_xticks(range(len(names)), names)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=4)
        uri = encode(figure, "svg", _DPI)
    return Figure(
        "classes", "Medians by class", uri, "Medians of rates and selectivity by class and circuit",
        "One dot per circuit. Grey: recorded quartiles.", (link,), "sonatina compare",
    )  # fmt: skip


def _spectra(sides: Sequence[Side], link: str) -> Figure:
    layers = list(dict.fromkeys(str(name) for side in sides for name in side.spectra["layer"]))
    with style():
        figure = new_figure(WIDE, 2.3 * -(-len(layers) // 2))
        axes = figure.subplots(-(-len(layers) // 2), 2, sharey=True, squeeze=False).ravel()
        for ax, layer in zip(axes, layers, strict=False):
            for k, side in enumerate(sides):
                part = side.spectra[side.spectra["layer"].astype(str) == layer]
                part = part[(part["frequency"] > 0) & (part["power"] > 0)]
                ax.plot(part["frequency"], part["power"], color=PALETTE[k % len(PALETTE)],
                        label=side.label)  # fmt: skip
                if len(part):
                    ax.set_yscale("log")
            ax.set_title(layer)
            ax.set_xlabel("frequency (Hz)")
        axes[0].set_ylabel("power (Hz²/Hz)")
        for ax in axes[len(layers) :]:
            ax.set_axis_off()
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=4)
        uri = encode(figure, "svg", _DPI)
    return Figure(
        "spectra", "Spectra of the layers' rates", uri, "Power spectra by layer and circuit",
        "Power of the mean rate per cell in the evoked windows (docs/activity.md).",
        (link,), "sonatina compare",
    )  # fmt: skip
