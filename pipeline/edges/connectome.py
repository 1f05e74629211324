"""Connectome tables: counts per pair of named cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.tables import read_csv
from pipeline.errors import ConfigError, Problem

KINDS = ("chemical", "electrical")


def read_connectome(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Reads a table ``pre,post,kind,count`` as matrices over the given cells.

    Args:
        path: CSV file; kind is chemical or electrical; electrical pairs stand in both directions.
        names: Cell names; pairs with any other name are left out.

    Returns:
        Kind to float64 [n, n], row pre, column post.

    Raises:
        ConfigError: For missing columns, unknown kinds, counts that are no positive numbers, doubled
            pairs or one-sided electrical pairs, each with its line.
    """
    frame = read_csv(path)
    expected = ["pre", "post", "kind", "count"]
    if list(frame.columns) != expected:
        found = ",".join(frame.columns)
        raise ConfigError(
            Problem(f"{path}:1", f"header is {found!r}", f"write {','.join(expected)}")
        )
    frame["line"] = np.arange(len(frame)) + 2
    counts = pd.to_numeric(frame["count"], errors="coerce")
    problems = [
        Problem(f"{path}:{row.line}", f"kind is {row.kind!r}", "write chemical or electrical")
        for row in frame[~frame["kind"].isin(KINDS)].itertuples()
    ]
    bad = ~(np.isfinite(counts) & (counts > 0))
    problems += [
        Problem(f"{path}:{row.line}", f"count is {found!r}", "write a positive number")
        for row, found in zip(frame[bad].itertuples(), frame["count"][bad], strict=True)
    ]
    doubled = frame.duplicated(["pre", "post", "kind"])
    problems += [
        Problem(
            f"{path}:{row.line}",
            f"{row.kind} pair {row.pre}, {row.post} stands twice",
            "add up both",
        )
        for row in frame[doubled].itertuples()
    ]
    if problems:
        raise ConfigError(problems)
    position = {name: index for index, name in enumerate(names)}
    keep = frame["pre"].isin(position) & frame["post"].isin(position)
    if (
        names
        and len(frame)
        and not (frame["pre"].isin(position) | frame["post"].isin(position)).any()
    ):
        message = f"names none of the {len(names)} cells, such as {names[0]!r}"
        raise ConfigError(Problem(str(path), message, "use the names of the cells' table"))
    matrices = {}
    for kind in KINDS:
        rows = frame[keep & (frame["kind"] == kind)]
        matrix = np.zeros((len(names), len(names)))
        matrix[rows["pre"].map(position), rows["post"].map(position)] = counts[rows.index]
        matrices[kind] = matrix
    lopsided = np.argwhere(matrices["electrical"] != matrices["electrical"].T)
    if len(lopsided):
        i, j = lopsided[0]
        message = f"electrical pair {names[i]}, {names[j]} differs from its mirror"
        raise ConfigError(Problem(str(path), message, "list both directions with one count"))
    return matrices
