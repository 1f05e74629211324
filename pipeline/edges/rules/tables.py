"""Classes of nodes and the values that a config gives by pairs of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.pair_values import PairTable
from pipeline.config.problems import where_is
from pipeline.config.rules import Selection
from pipeline.config.tables import read_csv
from pipeline.config.yaml_lines import Document, KeyPath, dotted, nearest
from pipeline.errors import ConfigError, Problem

ANY = "*"


@dataclass
class Findings:
    """Collects what is wrong with rules, each with file and line.

    Attributes:
        document: Origins of the config's keys; None gives key paths without file and line.
        base: Key path of the edges, such as ``("edges", "v1_v1")``.
        folder: Turns a path of the config into a file; raises ConfigError when it may not.
    """

    document: Document | None = None
    base: KeyPath = ()
    folder: Callable[[str], Path] = Path
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: KeyPath, message: str, hint: str = "", level: str = "error") -> None:
        """Adds a problem of a key below ``base``."""
        whole = (*self.base, *path)
        where = where_is(whole, self.document) if self.document else dotted(whole)
        self.problems.append(Problem(where, message, hint, level))

    def add_line(self, file: Path, line: int, message: str, hint: str = "") -> None:
        """Adds a problem of a line of a table."""
        self.problems.append(Problem(f"{file}:{line}", message, hint))

    def errors(self) -> list[Problem]:
        """The problems that stop a build."""
        return [problem for problem in self.problems if problem.level == "error"]


@dataclass(frozen=True)
class Classes:
    """Selected nodes of one side of a rule, by the attributes its tables look at.

    Attributes:
        codes: int64 [nodes]. Class of each node; -1 when not selected.
        labels: One row per class, one text column per attribute.
    """

    codes: np.ndarray
    labels: pd.DataFrame

    def __len__(self) -> int:
        return len(self.labels)

    def counts(self) -> np.ndarray:
        """Nodes per class: int64 [classes]."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.labels))

    def name(self, index: int) -> str:
        """How messages call a class."""
        return "/".join(self.labels.iloc[index].astype(str)) or "all"


def _text(values: pd.Series) -> pd.Series:
    return values.astype(object).map(str)


def select(frame: pd.DataFrame, wanted: Selection, path: KeyPath, findings: Findings) -> np.ndarray:
    """Returns which nodes have the wanted attribute values: bool [nodes]."""
    chosen = np.ones(len(frame), bool)
    for name, values in wanted.items():
        if name not in frame:
            findings.add(
                (*path, name), f"nodes have no attribute {name!r}", nearest(name, list(frame))
            )
            continue
        values = values if isinstance(values, list) else [values]
        known = _text(frame[name])
        words = {str(value) for value in values}
        for word in sorted(words - set(known)):
            hint = nearest(word, sorted(set(known)))
            findings.add((*path, name), f"no node has {name} {word!r}", hint)
        chosen &= known.isin(words).to_numpy()
    if not chosen.any() and not findings.errors():
        findings.add(path, "selects no node", "loosen the selection")
    return chosen


def classify(
    frame: pd.DataFrame, chosen: np.ndarray, attributes: dict[str, KeyPath], findings: Findings
) -> Classes:
    """Groups chosen nodes by all attributes together.

    Args:
        frame: One row per node.
        chosen: bool [nodes].
        attributes: Attribute name to the key path that names it.
        findings: Receives attributes that do not exist.
    """
    names = []
    for name, path in attributes.items():
        if name in frame:
            names.append(name)
        else:
            findings.add(path, f"nodes have no attribute {name!r}", nearest(name, list(frame)))
    codes = np.full(len(frame), -1, np.int64)
    if not names:
        codes[chosen] = 0
        return Classes(codes, pd.DataFrame(index=range(1)))
    rows = frame.loc[chosen, names].apply(_text)
    codes[chosen] = rows.groupby(names, sort=True).ngroup().to_numpy()
    labels = rows.drop_duplicates().sort_values(names, ignore_index=True)
    return Classes(codes, labels)


@dataclass(frozen=True)
class _Cell:
    value: str | float
    line: int = 0


class PairValues:
    """Turns values of the config into matrices over classes of one rule."""

    def __init__(self, source: Classes, target: Classes, findings: Findings):
        self.source, self.target, self.findings = source, target, findings
        self.shape = (len(source), len(target))

    def numbers(
        self,
        value: float | PairTable,
        path: KeyPath,
        low: float = -np.inf,
        high: float = np.inf,
        *,
        open_low: bool = False,
    ) -> np.ndarray:
        """Returns float64 [source classes, target classes]; NaN where nothing is given.

        Args:
            value: A number or a table.
            path: Its key path.
            low: Smallest allowed value.
            high: Largest allowed value.
            open_low: ``low`` itself is not allowed.
        """
        scale = value.scale if isinstance(value, PairTable) else 1.0
        file = self._file(value, path)

        def parse(cell: _Cell | None) -> float:
            if cell is None or cell.value == "":
                return np.nan
            try:
                number = float(cell.value) * scale
            except ValueError:
                self._complain(path, file, cell.line, f"{cell.value!r} is no number")
                return np.nan
            if np.isnan(number):
                return np.nan
            if number > high:
                self._complain(path, file, cell.line, f"{number:g} is above {high:g}")
            elif number < low or (open_low and number == low):
                least = f"{'not above' if open_low else 'below'} {low:g}"
                self._complain(path, file, cell.line, f"{number:g} is {least}")
            return number

        return self._matrix(value, path, parse, np.float64)

    def texts(self, value: object, path: KeyPath) -> np.ndarray:
        """Returns objects [source classes, target classes]; None where nothing is given."""

        def parse(cell: _Cell | None) -> object:
            return None if cell is None or cell.value == "" else cell.value

        return self._matrix(value, path, parse, object)

    def _file(self, value: object, path: KeyPath) -> Path | None:
        if not isinstance(value, PairTable) or value.table is None:
            return None
        try:
            return self.findings.folder(value.table)
        except ConfigError as error:
            self.findings.add(path, error.problems[0].message, error.problems[0].hint)
            return None

    def _complain(self, path: KeyPath, file: Path | None, line: int, message: str) -> None:
        if file is not None and line:
            self.findings.add_line(file, line, message, "correct the table")
        else:
            self.findings.add(path, message)

    def _matrix(self, value, path, parse, dtype) -> np.ndarray:
        if not isinstance(value, PairTable):
            # Plain values were checked by the schema already, except for the bounds given here.
            return np.full(self.shape, parse(_Cell(value)), dtype)
        if isinstance(value.column, dict):
            return self._by_column(value, path, parse, dtype)
        rows = self.source.labels.get(value.source_by)
        columns = self.target.labels.get(value.target_by)
        result = np.full(self.shape, parse(None), dtype)
        cells = self._cells(value, path)
        if rows is None or columns is None or cells is None:
            return result
        default = None if value.default is None else _Cell(value.default)
        memory: dict[tuple[str, str], object] = {}
        for i, source in enumerate(rows):
            for j, target in enumerate(columns):
                if (source, target) not in memory:
                    memory[source, target] = parse(self._look_up(cells, source, target, default))
                result[i, j] = memory[source, target]
        if default is None:
            self._report_unlisted(path, cells, set(rows), set(columns))
        return result

    def _by_column(self, value: PairTable, path: KeyPath, parse, dtype) -> np.ndarray:
        """The matrix of a table whose column depends on the target."""
        result = np.full(self.shape, parse(None), dtype)
        groups = self.target.labels.get(value.column_by)
        for group in () if groups is None else groups.unique():
            if group not in value.column:
                message = f"no column for {value.column_by} {group!r}"
                self.findings.add((*path, "column"), message, nearest(group, list(value.column)))
                continue
            plain = {"column": value.column[group], "column_by": None}
            own = (groups == group).to_numpy()
            matrix = self._matrix(value.model_copy(update=plain), path, parse, dtype)
            result[:, own] = matrix[:, own]
        return result

    @staticmethod
    def _look_up(cells, source: str, target: str, default: _Cell | None) -> _Cell | None:
        found = [
            cells[key]
            for key in ((source, target), (source, ANY), (ANY, target), (ANY, ANY))
            if key in cells
        ]
        # Later lines win; the order of a dict of values is its order in the file.
        return max(found, key=lambda cell: cell.line) if found else default

    def _report_unlisted(self, path: KeyPath, cells, rows: set[str], columns: set[str]) -> None:
        for side, known, used in (("source", 0, rows), ("target", 1, columns)):
            listed = {key[known] for key in cells}
            missing = sorted(used - listed) if ANY not in listed else []
            if missing:
                names = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
                hint = "add them, or give a default"
                self.findings.add(path, f"{side} classes {names} are not in the table", hint)

    def _cells(self, value: PairTable, path: KeyPath) -> dict[tuple[str, str], _Cell] | None:
        if value.values is not None:
            return {
                (str(source), str(target)): _Cell(cell)
                for source, row in value.values.items()
                for target, cell in row.items()
            }
        file = self._file(value, path)
        if file is None:
            return None
        if not file.is_file():
            self.findings.add(path, f"no such file: {value.table!r}", f"looked for {file}")
            return None
        try:
            frame = read_csv(file)
        except ConfigError as error:
            self.findings.problems.extend(error.problems)
            return None
        if value.column is None:
            names = list(frame.columns[1:])
            return {
                (row[0], name): _Cell(cell, line)
                for line, row in enumerate(frame.itertuples(index=False, name=None), 2)
                for name, cell in zip(names, row[1:], strict=True)
            }
        missing = [c for c in ("source", "target", value.column) if c not in frame]
        if missing:
            self.findings.add_line(file, 1, f"no columns {missing}", f"found {list(frame)}")
            return None
        columns = (frame["source"], frame["target"], frame[value.column])
        lines = enumerate(zip(*columns, strict=True), 2)
        return {(source, target): _Cell(cell, line) for line, (source, target, cell) in lines}
