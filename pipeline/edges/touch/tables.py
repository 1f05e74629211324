"""Rule tables of touch edges: patterns of types against numbers, all complaints with their line."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.tables import read_csv
from pipeline.config.yaml_lines import nearest
from pipeline.errors import ConfigError, Problem

EXCITATORY, INHIBITORY = "EXC", "INH"
"""Names that stand for all types of a class wherever an m-type pattern may stand."""


@dataclass(frozen=True)
class Types:
    """The types that rules speak of.

    Attributes:
        mtypes: m-types of the cells, in the order of their codes.
        inhibitory: bool [m-types].
        etypes: e-types of the cells, in the order of their codes.
        known: All m-types of the model, also those without a cell in this variant.
    """

    mtypes: tuple[str, ...]
    inhibitory: np.ndarray
    etypes: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()

    def of_class(self, name: str) -> np.ndarray:
        """Which m-types are of EXC, INH, or any class (empty): bool [m-types]."""
        if name in ("", "*"):
            return np.ones(len(self.mtypes), bool)
        return self.inhibitory == (name == INHIBITORY)

    def matching(self, pattern: str) -> np.ndarray:
        """Which m-types a pattern or class name means: bool [m-types]."""
        if pattern in (EXCITATORY, INHIBITORY, ""):
            return self.of_class(pattern)
        return np.array([fnmatchcase(name, pattern) for name in self.mtypes], bool)

    def means_any(self, pattern: str) -> bool:
        """Whether a pattern means any m-type of the model."""
        if pattern in (EXCITATORY, INHIBITORY, "*", ""):
            return True
        return any(fnmatchcase(name, pattern) for name in self.known | set(self.mtypes))


@dataclass
class RuleTable:
    """One CSV with the problems found in it.

    Attributes:
        path: The file.
        frame: Its rows as text.
        problems: What is wrong so far.
    """

    path: Path
    frame: pd.DataFrame
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path, columns: Sequence[str]) -> RuleTable:
        """Reads a table.

        Raises:
            ConfigError: If it cannot be read or columns are missing.
        """
        frame = read_csv(path)
        missing = [name for name in columns if name not in frame]
        if missing:
            message = f"columns {', '.join(missing)} are missing"
            raise ConfigError(Problem(f"{path}:1", message, f"expected {', '.join(columns)}"))
        return cls(path, frame.apply(lambda column: column.str.strip()))

    def add(self, row: int, message: str, hint: str = "") -> None:
        """Notes a problem of one row (from 0)."""
        self.problems.append(Problem(f"{self.path}:{row + 2}", message, hint))

    def numbers(
        self, column: str, low: float = 0.0, high: float = np.inf, *, needed: bool = False
    ) -> np.ndarray:
        """Returns a column as float64 [rows]; empty fields are NaN."""
        found = np.full(len(self.frame), np.nan)
        for row, text in enumerate(self.frame[column]):
            if not text:
                if needed:
                    self.add(row, f"{column} is empty", "write a number")
                continue
            try:
                found[row] = float(text)
            except ValueError:
                self.add(row, f"{column} is {text!r}", "write a number")
                continue
            if not low <= found[row] <= high:
                self.add(row, f"{column} is {text}", f"expected {low:g} to {high:g}")
        return found

    def choices(self, column: str, known: Collection[str]) -> None:
        """Notes values of a column outside ``known``."""
        for row, text in enumerate(self.frame[column]):
            if text not in known:
                hint = nearest(text, sorted(known))
                self.add(row, f"{column} is {text!r}; expected {', '.join(sorted(known))}", hint)

    def patterns(self, columns: Sequence[str], types: Types) -> None:
        """Notes patterns that mean no m-type of the model."""
        names = sorted(types.known | set(types.mtypes))
        for column in columns:
            for row, text in enumerate(self.frame[column]):
                if not types.means_any(text):
                    self.add(row, f"{column} {text!r} is no m-type", nearest(text, names))

    def sources(self) -> None:
        """Notes rows that do not say where their numbers come from."""
        for row, text in enumerate(self.frame["source"]):
            if not text:
                self.add(row, "source is empty", "name paper or data, or write 'assumed: why'")


def raise_all(*tables: RuleTable) -> None:
    """Raises the problems of several tables together."""
    problems = [problem for table in tables for problem in table.problems]
    if problems:
        raise ConfigError(problems)
