"""The cells of tables, read and checked: rows, e-models, morphologies."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.cells.morphology import Morphology, membrane_of, read_morphology
from pipeline.config.emodel import EModel, read_emodels
from pipeline.config.load import Resolved
from pipeline.config.schema import TableNodes
from pipeline.errors import ConfigError, MorphologyError, PipelineError, Problem
from pipeline.nodes.table import NodeTable, read_nodes_table
from pipeline.runtime import progress


def read_tables(resolved: Resolved) -> dict[str, NodeTable]:
    """Reads the cells of every table population and checks their e-models exist.

    Raises:
        ConfigError: With the problems of all tables.
    """
    tables: dict[str, NodeTable] = {}
    problems: list[Problem] = []
    emodels: dict[str, EModel] | None = None
    try:
        cells = resolved.model.cells
        emodels = read_emodels(resolved.path(cells.emodels)) if cells else {}
    except ConfigError as error:
        problems += error.problems
    for name, nodes in resolved.model.nodes.items():
        if not isinstance(nodes, TableNodes):
            continue
        path = resolved.path(nodes.table)
        try:
            tables[name] = read_nodes_table(path, nodes)
        except ConfigError as error:
            problems += error.problems
            continue
        columns = tables[name].columns
        for key, emodel in zip(columns["key"], columns["emodel"], strict=True):
            if emodels is not None and emodel not in emodels:
                hint = f"known: {', '.join(emodels)}"
                problems.append(Problem(f"{path}:{key + 2}", f"no e-model {emodel!r}", hint))
    if problems:
        raise ConfigError(problems)
    return tables


def check_cells(resolved: Resolved, table: NodeTable) -> list[Problem]:
    """Finds morphologies that cannot be used, and sections for which an e-model says nothing."""
    problems: list[Problem] = []
    folder = resolved.path(resolved.model.cells.emodels)
    emodels = read_emodels(folder)
    shapes: dict[str, Morphology] = {}
    pairs = dict.fromkeys(zip(table.columns["morphology"], table.columns["emodel"], strict=True))
    names = list(dict.fromkeys(name for name, _ in pairs))
    for name in progress(names, total=len(names), label="morphologies", unit="cell"):
        try:
            shapes[name] = read_morphology(source_morphology(resolved, name))
        except PipelineError as error:
            problems += error.problems
    for shape, emodel in pairs:
        for section in shapes[shape].sections if shape in shapes else ():
            try:
                membrane_of(emodels[emodel], section)
            except MorphologyError as error:
                found = error.problems[0]
                problems.append(Problem(str(folder / f"{emodel}.yaml"), found.message, found.hint))
    return list(dict.fromkeys(problems))


def source_morphology(resolved: Resolved, name: str) -> Path:
    """Returns the library file of a morphology name.

    Raises:
        MorphologyError: If the name would leave the library.
    """
    library = resolved.model.cells.morphologies
    folder = resolved.path(library.path)
    path = folder / f"{name}.{library.format}"
    # A plain file of the folder cannot leave it; resolving takes as long as reading a small cell.
    plain = os.sep not in name and not path.is_symlink()
    if not plain and path.resolve().parent != folder.resolve():
        raise MorphologyError(Problem(name, "not a plain morphology name", "use file names only"))
    return path
