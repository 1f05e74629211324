"""The table of thalamic filters: one row per unit type."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.tables import read_rows
from pipeline.config.yaml_lines import nearest
from pipeline.errors import ConfigError, Problem

DUAL = ("sONsOFF", "sONtOFF")
MODELS = ("ON", "OFF", *DUAL)
"""What a unit type can be: one subunit of either sign, or an OFF unit with a second ON subunit."""

_PAIRS = {"weights": "weight", "kpeaks": "kpeak", "delays": "delay"}
_NUMBERS = [f"{name}_{i}" for name in _PAIRS.values() for i in (1, 2)]
COLUMNS = ("name", "model", *_NUMBERS, "spontaneous", "second", "separation", "source")
LONGEST_DELAY = 200.0


@dataclass(frozen=True)
class UnitFilter:
    """Numbers of one unit type.

    Attributes:
        name: Unit type (``pop_name`` of the nodes).
        model: One of MODELS.
        weights: Weights of the two bumps; the first is positive.
        kpeaks: ms. Peaks of the two bumps, rising.
        delays: ms. Delays of the two bumps, not falling.
        spontaneous: Hz. Rate at grey; None for dual types, whose rates BMTK's cell loader sets.
        second: Unit type whose temporal filter the second subunit takes; empty without one.
        separation: Degrees between the two subfields; 0 without a second.
    """

    name: str
    model: str
    weights: tuple[float, float]
    kpeaks: tuple[float, float]
    delays: tuple[float, float]
    spontaneous: float | None
    second: str
    separation: float


def read_filters(path: Path) -> dict[str, UnitFilter]:
    """Reads the filters of all unit types.

    Raises:
        ConfigError: With every problem and its line: columns, numbers out of range, doubled names.
    """
    table = read_rows(path)
    problems = [
        Problem(f"{path}:1", f"unknown column {name!r}", nearest(name, list(COLUMNS)))
        for name in table.columns
        if name not in COLUMNS
    ]
    problems += [
        Problem(f"{path}:1", f"column {name!r} is missing", f"columns: {', '.join(COLUMNS)}")
        for name in COLUMNS
        if name not in table
    ]
    if problems:
        raise ConfigError(problems)
    filters: dict[str, UnitFilter] = {}
    for line, row in enumerate(table.records(), start=2):
        where = f"{path}:{line}"
        if row["name"] in filters:
            problems.append(Problem(where, f"{row['name']!r} stands twice", "keep one row"))
        found = _Row(where, row, problems).unit_filter()
        if found:
            filters[found.name] = found
    lines = {name: line for line, name in reversed(list(enumerate(table["name"], start=2)))}
    for unit in filters.values():
        if unit.second and unit.second not in lines:
            hint = nearest(unit.second, list(lines))
            where = f"{path}:{lines[unit.name]}"
            problems.append(Problem(where, f"second names no row: {unit.second!r}", hint))
    if problems:
        raise ConfigError(problems)
    return filters


def require_filters(path: Path, filters: Iterable[str], types: Iterable[str], nodes: str) -> None:
    """Makes sure that every unit type of a population has a row.

    Raises:
        ConfigError: Naming the types without one.
    """
    missing = sorted(set(types) - set(filters))
    if missing:
        message = f"no row for unit types {', '.join(missing[:5])} of {nodes!r}"
        raise ConfigError(Problem(str(path), message, "add one row per unit type"))


class _Row:
    """One line of the table; collects what is wrong with it."""

    def __init__(self, where: str, row: dict[str, str], problems: list[Problem]):
        self.where, self.row, self.problems = where, row, problems

    def unit_filter(self) -> UnitFilter | None:
        before = len(self.problems)
        row = self.row
        dual = row["model"] in DUAL
        if not row["name"]:
            self._say("name is empty", "write the unit type")
        if row["model"] not in MODELS:
            self._say(f"model is {row['model']!r}", f"expected one of {', '.join(MODELS)}")
        pairs = {
            key: (self._number(f"{name}_1"), self._number(f"{name}_2"))
            for key, name in _PAIRS.items()
        }
        spontaneous = None if dual else self._number("spontaneous")
        separation = self._number("separation") if dual else 0.0
        for key in ("second", "separation"):
            if not dual and row[key]:
                self._say(f"{key} is {row[key]!r}", f"only for {' and '.join(DUAL)}")
        if dual and not row["second"]:
            self._say("second is empty", "name the row of the ON subunit")
        if dual and row["spontaneous"]:
            self._say("a dual type has its own spontaneous rate", "leave spontaneous empty")
        if len(self.problems) == before:
            self._ranges(pairs, spontaneous, separation)
        if len(self.problems) > before:
            return None
        second = row["second"]
        return UnitFilter(row["name"], row["model"], **pairs, spontaneous=spontaneous,
                          second=second, separation=separation)  # fmt: skip

    def _ranges(self, pairs, spontaneous: float | None, separation: float) -> None:
        if pairs["weights"][0] <= 0:
            self._say("weight_1 is not above 0", "the first bump is the positive one")
        if not 0 < pairs["kpeaks"][0] < pairs["kpeaks"][1]:
            self._say("kpeak_1 and kpeak_2 must rise from above 0", "check the order")
        if not 0 <= pairs["delays"][0] <= pairs["delays"][1] <= LONGEST_DELAY:
            hint = f"from 0 to {LONGEST_DELAY:g} ms, the second not shorter"
            self._say("delay_1 and delay_2 do not fit", hint)
        if spontaneous is not None and spontaneous < 0:
            self._say(f"spontaneous is {spontaneous:g} Hz", "choose 0 or more")
        if separation < 0:
            self._say(f"separation is {separation:g} degrees", "choose 0 or more")

    def _number(self, column: str) -> float:
        text = self.row[column]
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self._say(f"{column} is {text!r}", "write a finite number")
        return number

    def _say(self, message: str, hint: str) -> None:
        self.problems.append(Problem(self.where, message, hint))
