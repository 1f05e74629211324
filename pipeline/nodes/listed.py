"""Populations that are given: positions in a CSV table, or a SONATA nodes file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.placement import ImportedNodes, PointNodes
from pipeline.config.tables import read_csv
from pipeline.errors import ConfigError, Problem
from pipeline.sonata.layout import NODE_TYPE
from pipeline.sonata.read import read_nodes, read_types


def read_points(path: Path, nodes: PointNodes) -> tuple[dict[str, np.ndarray], list[str]]:
    """Reads cells with positions.

    Args:
        path: CSV with a header.
        nodes: Which columns to take.

    Returns:
        Attribute name to array [n] (x, y, z float32 um; properties float64; text), and the cell
        types in order of appearance.

    Raises:
        ConfigError: For missing columns and cells that are no finite numbers; with file and line.
    """
    frame = read_csv(path)
    numbers = ["x", "y", "z", *nodes.properties]
    texts = [nodes.type_column, *nodes.labels]
    known = ", ".join(frame.columns)
    problems = [
        Problem(f"{path}:1", f"no column {name!r}", f"it has {known}")
        for name in dict.fromkeys([*numbers, *texts])
        if name not in frame
    ]
    if not len(frame):
        problems.append(Problem(str(path), "the table has no cells", "add rows"))
    if problems:
        raise ConfigError(problems)
    columns: dict[str, np.ndarray] = {}
    for name in numbers:
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
        for row in np.flatnonzero(~np.isfinite(values)):
            found = frame[name].iloc[row]
            where = f"{path}:{row + 2}"
            problems.append(Problem(where, f"{name} is {found!r}", "write a finite number"))
        columns[name] = values.astype(np.float32) if name in "xyz" else values
    for row in np.flatnonzero(frame[nodes.type_column].str.strip() == ""):
        problems.append(Problem(f"{path}:{row + 2}", f"{nodes.type_column} is empty", "fill it in"))
    if problems:
        raise ConfigError(problems)
    columns |= {name: frame[name].to_numpy(object) for name in nodes.labels}
    columns["cell_type"] = frame[nodes.type_column].to_numpy(object)
    return columns, list(dict.fromkeys(columns["cell_type"]))


def read_imported(
    path: Path, types: Path | None, nodes: ImportedNodes, name: str
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray, list[dict[str, object]]]:
    """Reads a population of a SONATA file.

    Args:
        path: Nodes file.
        types: Its types table, or None.
        nodes: The config.
        name: Name of the population in this circuit.

    Returns:
        Attributes, dynamics parameters, node type ids (int64 [n]) and rows of the types table.

    Raises:
        CircuitError: If a file cannot be read or the population is not in it.
        ConfigError: If the ids are not 0 to n - 1.
    """
    frame = read_nodes(path, nodes.population or name)
    if not np.array_equal(frame.index.to_numpy(), np.arange(len(frame))):
        hint = "write the population anew with ids in order"
        raise ConfigError(Problem(str(path), "node ids are not 0, 1, 2 ... n - 1", hint))
    type_ids = frame.pop(NODE_TYPE).to_numpy(np.int64)
    mark = "@dynamics:"
    dynamics = {k.removeprefix(mark): frame[k].to_numpy() for k in frame if k.startswith(mark)}
    columns = {
        key: frame[key].astype(object).to_numpy()
        if isinstance(frame[key].dtype, pd.CategoricalDtype)
        else frame[key].to_numpy()
        for key in frame
        if not key.startswith(mark)
    }
    if types is None:
        rows = [{NODE_TYPE: int(i), "model_type": nodes.model_type} for i in np.unique(type_ids)]
        return columns, dynamics, type_ids, rows
    rows = [
        {key: None if isinstance(v, float) and math.isnan(v) else v for key, v in row.items()}
        for row in read_types(types).reset_index().to_dict("records")
    ]
    return columns, dynamics, type_ids, rows
