"""CSV tables of a model, read as text so that every complaint can name its line."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from pipeline.errors import ConfigError, Problem


def read_csv(path: Path) -> pd.DataFrame:
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
        raise ConfigError(Problem(str(path), f"not a CSV table: {error}", "export it anew")) from None
    if not rows or not rows[0]:
        raise ConfigError(Problem(str(path), "the table is empty", "write a header and rows"))
    header = rows[0]
    problems = [
        Problem(f"{path}:1", f"column {name!r} stands twice", "rename one")
        for name in dict.fromkeys(header)
        if header.count(name) > 1
    ]
    problems += [
        Problem(f"{path}:{line}", f"{len(row)} fields, the header has {len(header)}", "check commas")
        for line, row in enumerate(rows[1:], start=2)
        if len(row) != len(header)
    ]
    if problems:
        raise ConfigError(problems)
    return pd.DataFrame(rows[1:], columns=header, dtype=str)
