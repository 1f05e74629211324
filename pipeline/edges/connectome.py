"""Connectome tables: counts per pair of named cells."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from pipeline.config.tables import number, read_rows
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
    table = read_rows(path)
    expected = ["pre", "post", "kind", "count"]
    if table.columns != expected:
        found = ",".join(table.columns)
        raise ConfigError(
            Problem(f"{path}:1", f"header is {found!r}", f"write {','.join(expected)}")
        )
    counts = [number(text) for text in table["count"]]
    if problems := _problems(path, table.rows, counts):
        raise ConfigError(problems)
    position = {name: index for index, name in enumerate(names)}
    ends = {name for row in table.rows for name in row[:2]}
    if names and ends and ends.isdisjoint(position):
        message = f"names none of the {len(names)} cells, such as {names[0]!r}"
        raise ConfigError(Problem(str(path), message, "use the names of the cells' table"))
    matrices = {kind: np.zeros((len(names), len(names))) for kind in KINDS}
    for (pre, post, kind, _), count in zip(table.rows, counts, strict=True):
        if pre in position and post in position:
            matrices[kind][position[pre], position[post]] = count
    lopsided = np.argwhere(matrices["electrical"] != matrices["electrical"].T)
    if len(lopsided):
        i, j = lopsided[0]
        message = f"electrical pair {names[i]}, {names[j]} differs from its mirror"
        raise ConfigError(Problem(str(path), message, "list both directions with one count"))
    return matrices


def _problems(path: Path, rows: list[list[str]], counts: list[float]) -> list[Problem]:
    """Unknown kinds, then counts that are no positive numbers, then pairs that stand twice."""
    kinds, numbers, doubled = [], [], []
    seen: set[tuple[str, ...]] = set()
    for line, ((pre, post, kind, text), count) in enumerate(
        zip(rows, counts, strict=True), start=2
    ):
        where = f"{path}:{line}"
        if kind not in KINDS:
            kinds.append(Problem(where, f"kind is {kind!r}", "write chemical or electrical"))
        if not 0 < count < math.inf:
            numbers.append(Problem(where, f"count is {text!r}", "write a positive number"))
        if (pre, post, kind) in seen:
            message = f"{kind} pair {pre}, {post} stands twice"
            doubled.append(Problem(where, message, "add up both"))
        seen.add((pre, post, kind))
    return [*kinds, *numbers, *doubled]
