"""CSV tables of a model, read as text so that every complaint can name its line.

``read_rows`` does without pandas, whose import takes longer than all checks of a model.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, Problem

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        columns: Names, each once.
        rows: Texts of each row, as many as columns; row ``i`` stands in line ``i + 2``.
    """

    columns: list[str]
    rows: list[list[str]]

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def __getitem__(self, column: str) -> list[str]:
        """The texts of a column."""
        place = self.columns.index(column)
        return [row[place] for row in self.rows]

    def records(self) -> list[dict[str, str]]:
        """Rows as column to text."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def number(text: str) -> float:
    """Returns the number that a text is, as pandas reads it; NaN where it is none."""
    if "_" in text or not text.isascii():  # a number to Python only
        return math.nan
    try:
        return float(text)
    except ValueError:
        return math.nan


def read_csv(path: Path) -> pd.DataFrame:
    """Reads a CSV as text, one row per line, as a data frame; raises as ``read_rows`` does."""
    import pandas as pd

    table = read_rows(path)
    return pd.DataFrame(table.rows, columns=table.columns, dtype=str)


def read_rows(path: Path) -> Table:
    """Reads a CSV as text, one row per line.

    Raises:
        ConfigError: If it is missing, empty or not UTF-8, a column stands twice, or rows differ in
            length; with the lines.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as handle:
            rows = list(csv.reader(handle))
    except OSError as error:
        raise ConfigError(
            Problem(str(path), f"cannot read: {error.strerror}", "check the path")
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(Problem(str(path), "not UTF-8", "save it as UTF-8")) from None
    except csv.Error as error:
        raise ConfigError(
            Problem(str(path), f"not a CSV table: {error}", "export it anew")
        ) from None
    if not rows or not rows[0]:
        raise ConfigError(Problem(str(path), "the table is empty", "write a header and rows"))
    header = rows[0]
    problems = [
        Problem(f"{path}:1", f"column {name!r} stands twice", "rename one")
        for name in dict.fromkeys(header)
        if header.count(name) > 1
    ]
    problems += [
        Problem(
            f"{path}:{line}", f"{len(row)} fields, the header has {len(header)}", "check commas"
        )
        for line, row in enumerate(rows[1:], start=2)
        if len(row) != len(header)
    ]
    if problems:
        raise ConfigError(problems)
    return Table(header, rows[1:])
