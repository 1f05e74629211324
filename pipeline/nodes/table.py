"""Node populations from a table of named cells, and virtual sources that feed them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config.schema import TableNodes
from pipeline.config.tables import Table, read_rows
from pipeline.errors import ConfigError, Problem

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class NodeTable:
    """Cells of one population, node id = row.

    Attributes:
        columns: Arrays [cells]: name, key (row in the source table, stable under subsets),
            morphology, emodel and the properties asked for.
        sets: Node set name to node ids (int64).
    """

    columns: dict[str, np.ndarray]
    sets: dict[str, np.ndarray]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The columns as a data frame."""
        import pandas as pd  # not needed to check a model

        return pd.DataFrame(self.columns)


def read_nodes_table(path: Path, nodes: TableNodes) -> NodeTable:
    """Reads the cells of a CSV table.

    Args:
        path: The table.
        nodes: Which columns and rows to take.

    Returns:
        The chosen cells in table order.

    Raises:
        ConfigError: For missing columns, doubled or empty names, flags that are not 0 or 1, or when
            no cell is left; with file and line.
    """
    table = read_rows(path)
    flags = [*nodes.sets, *([] if nodes.subset == "all" else [nodes.subset])]
    columns = [nodes.id_column, nodes.morphology_column, nodes.emodel_column, *nodes.properties]
    problems = [
        Problem(f"{path}:1", f"no column {column!r}", f"it has {', '.join(table.columns)}")
        for column in dict.fromkeys([*columns, *flags])
        if column not in table
    ]
    if problems:
        raise ConfigError(problems)
    for column in columns:
        for line, text in enumerate(table[column], start=2):
            if not text.strip():
                problems.append(Problem(f"{path}:{line}", f"{column} is empty", "fill it in"))
    seen: set[str] = set()
    for line, name in enumerate(table[nodes.id_column], start=2):
        if name in seen:
            problems.append(Problem(f"{path}:{line}", f"{name!r} stands twice", "remove one"))
        seen.add(name)
    for column in dict.fromkeys(flags):
        for line, found in enumerate(table[column], start=2):
            if found not in ("0", "1"):
                message = f"{column} is {found!r}"
                problems.append(Problem(f"{path}:{line}", message, "write 0 or 1"))
    if problems:
        raise ConfigError(problems)
    return _chosen(path, table, nodes)


def _chosen(path: Path, table: Table, nodes: TableNodes) -> NodeTable:
    """The cells of the subset."""
    kept = np.arange(len(table.rows))
    if nodes.subset != "all":
        kept = np.flatnonzero(np.array(table[nodes.subset], object) == "1")
    if not table.rows:
        raise ConfigError(Problem(str(path), "the table has no cell", "write one row per cell"))
    if not len(kept):
        raise ConfigError(Problem(str(path), f"no cell has {nodes.subset} = 1", "choose another"))
    texts = {name: np.array(table[name], object)[kept] for name in table.columns}
    columns = {
        "name": texts[nodes.id_column],
        "key": kept.astype(np.int64),
        "morphology": texts[nodes.morphology_column],
        "emodel": texts[nodes.emodel_column],
    } | {name: texts[name] for name in nodes.properties}
    return NodeTable(columns, {name: np.flatnonzero(texts[name] == "1") for name in nodes.sets})
