"""Node populations from a table of named cells, and virtual sources that feed them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.schema import TableNodes
from pipeline.config.tables import read_csv
from pipeline.errors import ConfigError, Problem


@dataclass(frozen=True)
class NodeTable:
    """Cells of one population, node id = row.

    Attributes:
        frame: name, key (row in the source table, stable under subsets), morphology, emodel and the
            properties asked for.
        sets: Node set name to node ids (int64).
    """

    frame: pd.DataFrame
    sets: dict[str, np.ndarray]


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
    frame = read_csv(path)
    flags = [*nodes.sets, *([] if nodes.subset == "all" else [nodes.subset])]
    columns = [nodes.id_column, nodes.morphology_column, nodes.emodel_column, *nodes.properties]
    problems = [
        Problem(f"{path}:1", f"no column {column!r}", f"it has {', '.join(frame.columns)}")
        for column in dict.fromkeys([*columns, *flags])
        if column not in frame
    ]
    if problems:
        raise ConfigError(problems)
    for column in columns:
        for row in np.flatnonzero(frame[column].str.strip() == ""):
            problems.append(Problem(f"{path}:{row + 2}", f"{column} is empty", "fill it in"))
    for row in np.flatnonzero(frame[nodes.id_column].duplicated()):
        name = frame[nodes.id_column].iloc[row]
        problems.append(Problem(f"{path}:{row + 2}", f"{name!r} stands twice", "remove one"))
    for column in dict.fromkeys(flags):
        for row in np.flatnonzero(~frame[column].isin(["0", "1"])):
            found = frame[column].iloc[row]
            problems.append(Problem(f"{path}:{row + 2}", f"{column} is {found!r}", "write 0 or 1"))
    if problems:
        raise ConfigError(problems)
    chosen = frame if nodes.subset == "all" else frame[frame[nodes.subset] == "1"]
    if frame.empty:
        raise ConfigError(Problem(str(path), "the table has no cell", "write one row per cell"))
    if chosen.empty:
        raise ConfigError(Problem(str(path), f"no cell has {nodes.subset} = 1", "choose another"))
    table = pd.DataFrame(
        {
            "name": chosen[nodes.id_column].to_numpy(),
            "key": chosen.index.to_numpy(np.int64),
            "morphology": chosen[nodes.morphology_column].to_numpy(),
            "emodel": chosen[nodes.emodel_column].to_numpy(),
        }
        | {name: chosen[name].to_numpy() for name in nodes.properties}
    )
    sets = {name: np.flatnonzero(chosen[name].to_numpy() == "1") for name in nodes.sets}
    return NodeTable(table, sets)
