"""Verdicts of several analysed circuits in one table: what passes, what fails, in every model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.errors import CircuitError, Problem
from pipeline.sonata.layout import CircuitPaths

KINDS = ("pass", "fail", "not applicable")


def read_verdicts(folders: Sequence[Path]) -> pd.DataFrame:
    """Reads the verdicts of circuits, or of all circuits below folders.

    Args:
        folders: Circuits, or folders that hold some as ``<model>/<variant>``.

    Returns:
        The rows of ``analysis/verdicts.csv`` with ``model`` and ``variant``, in the order of names.

    Raises:
        CircuitError: If a folder holds no verdicts.
    """
    frames = []
    for folder in folders:
        own = Path(CircuitPaths(folder).analysis("verdicts"))
        below = sorted(Path(folder).glob(f"*/*/{own.relative_to(folder)}"))
        found = [own] if own.is_file() else below
        if not found:
            hint = "run 'sonatina analyse' first"
            raise CircuitError(Problem(str(folder), "no analysed circuit here", hint))
        for path in found:
            root = path.parents[1].resolve()
            frame = pd.read_csv(path)
            frames.append(frame.assign(model=root.parent.name, variant=root.name))
    return pd.concat(frames, ignore_index=True)


def verdict_lines(rows: pd.DataFrame) -> list[str]:
    """Markdown: a row of counts per circuit, then every value that fails."""
    lines = ["| model | variant | pass | fail | not applicable |", "|---|---|---|---|---|"]
    for (model, variant), group in rows.groupby(["model", "variant"], sort=True):
        counts = [str((group["verdict"] == kind).sum()) for kind in KINDS]
        lines.append(f"| {' | '.join([model, variant, *counts])} |")
    failing = rows[rows["verdict"] == "fail"]
    if failing.empty:
        return lines
    lines += ["", "| model | variant | fails | published | ours | tolerance | source |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in failing.to_dict("records"):
        cells = [row["model"], row["variant"], row["title"], _number(row["published"])]
        cells += [_number(row["ours"]), row["tolerance"], row["source"]]
        lines.append("| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |")
    return lines


def _number(value: object) -> str:
    try:
        return f"{float(value):.4g}"
    except (TypeError, ValueError):
        return str(value)


def verdict_page(lines: list[str]) -> str:
    """A page of the docs from the lines of ``verdict_lines``."""
    text = (
        "Published values that every run of `make science` is held against: how many it meets, and each "
        "that it does not. None applies where nothing was published or recorded. Written by that command."
    )
    return "\n".join(["# Verdicts", "", text, "", *lines, ""])
