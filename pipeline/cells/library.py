"""Cells by class from a model's folder: the table of stand-in morphologies and its e-models."""

from __future__ import annotations

import math
from pathlib import Path

from pipeline.cells.description import CellDescription
from pipeline.cells.morphology import read_morphology
from pipeline.cells.parametric import NUMBERS, grow
from pipeline.config.emodel import read_emodel
from pipeline.config.schema import OddLength
from pipeline.config.tables import read_rows
from pipeline.errors import ConfigError, Problem
from pipeline.runtime import write_text

TABLE = "tables/morphologies.csv"
"""Below the model: class, emodel, the numbers of ``parametric.grow``, source."""


def cell_classes(folder: str | Path) -> list[str]:
    """Returns the classes of the table in its order."""
    return [row["class"] for row in _rows(Path(folder) / TABLE)]


def class_parts(folder: str | Path, name: str, shapes: str | Path) -> tuple[Path, Path]:
    """Writes the morphology of a class where it is not yet, and names its e-model.

    Args:
        folder: The model.
        name: The class.
        shapes: Folder for ``<class>.swc``.

    Returns:
        Paths of the e-model and of the morphology.

    Raises:
        ConfigError: If the table lacks the class, or its row is unusable.
    """
    emodel, numbers = class_row(Path(folder) / TABLE, name)
    shape = Path(shapes) / f"{name}.swc"
    write_text(shape, grow(name, numbers))
    return Path(folder) / "emodels" / f"{emodel}.yaml", shape


def class_cell(folder: str | Path, name: str, shapes: str | Path) -> CellDescription:
    """Returns the shipped stand-in of a class: its morphology with an axon stub, and its e-model."""
    emodel, shape = class_parts(folder, name, shapes)
    rule = OddLength(rule="odd_length")
    return CellDescription(read_morphology(shape, "stub"), read_emodel(emodel)[0], rule)


def class_row(path: Path, name: str) -> tuple[str, dict[str, float]]:
    """Returns the e-model and the numbers of ``parametric.grow`` of a class.

    Args:
        path: A table such as TABLE.
        name: The class.

    Raises:
        ConfigError: If the table lacks the class, or its row is unusable.
    """
    rows = {row["class"]: (line, row) for line, row in enumerate(_rows(path), start=2)}
    if name not in rows:
        raise ConfigError(Problem(str(path), f"no class {name!r}", f"known: {', '.join(rows)}"))
    line, row = rows[name]
    try:
        numbers = {key: float(row[key]) for key in NUMBERS}
        if wrong := [key for key, value in numbers.items() if not 0 <= value < math.inf]:
            raise ValueError(f"{wrong[0]} is {row[wrong[0]]!r}")
        return row["emodel"], numbers
    except (KeyError, ValueError) as error:
        hint = f"columns {', '.join(NUMBERS)} hold numbers, none below 0"
        raise ConfigError(Problem(f"{path}:{line}", f"unusable number: {error}", hint)) from None


def _rows(path: Path) -> list[dict[str, str]]:
    table = read_rows(path)
    if not {"class", "emodel"} <= set(table.columns):
        hint = "columns class and emodel are needed"
        raise ConfigError(Problem(str(path), f"columns {table.columns}", hint))
    return table.records()
