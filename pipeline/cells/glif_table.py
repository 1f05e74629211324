"""GLIF cells in a CSV table: one row per cell class, canonical units."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from pipeline.cells.glif import MAX_ASC, Glif, checked
from pipeline.config.tables import read_rows
from pipeline.config.yaml_lines import nearest
from pipeline.errors import ConfigError, Problem

_LISTS = ("asc_amps", "asc_decay", "asc_r", "asc_init")
_FILL = {"asc_r": 1.0, "asc_init": 0.0}
_SCALARS = tuple(f.name for f in fields(Glif) if f.name != "level" and f.name not in _LISTS)
_NEEDED = ("C", "g", "E_L", "threshold", "V_reset", "t_ref")


def read_table(path: Path, key: str, level: int) -> dict[str, Glif]:
    """Reads cells from a table.

    Columns are the names of ``Glif`` (nF, uS, mV, ms, nA, 1/ms), lists numbered from 1
    (``asc_amps_1``); an empty cell is a value that is not there. Other columns are ignored.

    Args:
        path: The table.
        key: Column that names the rows.
        level: 1 to 5.

    Returns:
        Cells by name.

    Raises:
        ConfigError: With every wrong row: file and line, or the column that is missing.
    """
    table = read_rows(path)
    problems = [
        Problem(f"{path}:1", f"no column {name!r}", nearest(name, table.columns))
        for name in (key, *_NEEDED)
        if name not in table
    ]
    if problems:
        raise ConfigError(problems)
    cells: dict[str, Glif] = {}
    for index, row in enumerate(table.records()):
        where = f"{path}:{index + 2}"
        name = row[key].strip()
        if not name or name in cells:
            problem = f"{key} {name!r} stands twice" if name else f"{key} is empty"
            problems.append(Problem(where, problem, "one row per value"))
            continue
        try:
            cells[name] = checked(_cell(row, level, where), where)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return cells


def _cell(row: dict[str, str], level: int, where: str) -> Glif:
    values = {name: _number(row, name, where) for name in _SCALARS}
    lists: dict[str, tuple[float, ...]] = {}
    numbers = range(1, MAX_ASC + 1)
    count = sum(_number(row, f"asc_amps_{n}", where) is not None for n in numbers)
    for name in _LISTS:
        given = [_number(row, f"{name}_{n}", where) for n in range(1, count + 1)]
        found = [_FILL.get(name) if x is None else x for x in given]
        if None in found:
            message = f"{name}_{found.index(None) + 1} is empty"
            raise ConfigError(Problem(where, message, f"asc_amps has {count} values"))
        lists[name] = tuple(found)
    if empty := [name for name in _NEEDED if values[name] is None]:
        raise ConfigError(Problem(where, f"{', '.join(empty)} is empty", "fill it in"))
    given = {name: value for name, value in values.items() if value is not None}
    return Glif(level=level, **given, **lists)


def _number(row: dict[str, str], column: str, where: str) -> float | None:
    text = row.get(column, "").strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ConfigError(
            Problem(where, f"{column} is {text!r}", "write a number or leave it empty")
        ) from None
