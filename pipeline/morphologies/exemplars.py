"""Which cells stand for an m-type, what they borrow, and how far their neurites must reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.tables import read_rows
from pipeline.errors import ConfigError, Problem

COLUMNS = (
    "m_type",
    "dendrite_from",
    "apical",
    "axon_from",
    "axon_top",
    "axon_bottom",
    "axon_width",
    "axon_length",
    "apical_top",
    "reason",
    "source",
)
APICALS = ("keep", "none", "basal")


@dataclass(frozen=True)
class Origin:
    """Cells that something is taken from.

    Attributes:
        m_type: Their type.
        cells: Beginnings of their names; empty for all of the type.
    """

    m_type: str
    cells: tuple[str, ...] = ()

    def chosen(self, names: list[str]) -> list[int]:
        """Returns which of some cells are meant."""
        return [i for i, name in enumerate(names) if not self.cells or name.startswith(self.cells)]


@dataclass(frozen=True)
class Exemplar:
    """One row of the table: how the cells of an m-type are made.

    Attributes:
        m_type: Name such as ``L5_MC``; begins with its layer.
        dendrites: Where soma and dendrites come from.
        axon: Where the axon comes from.
        apical: keep; none: left out; basal: counted as basal (interneurons).
        axon_top, axon_bottom, apical_top: A layer, whose middle is to be reached, or um from the
            soma; empty where the cells stay as they are.
        axon_width: um from the soma's axis that 90 % of the axon keep; None to leave it.
        axon_length: um; longer axons are thinned; None to leave them.
        reason: Why.
        source: What the choice rests on.
    """

    m_type: str
    dendrites: Origin
    axon: Origin
    apical: str = "keep"
    axon_top: str = ""
    axon_bottom: str = ""
    apical_top: str = ""
    axon_width: float | None = None
    axon_length: float | None = None
    reason: str = ""
    source: str = ""

    @property
    def layer(self) -> str:
        """Layer of the soma."""
        return self.m_type.split("_")[0]


def read_exemplars(path: Path, layers: dict[str, float]) -> dict[str, Exemplar]:
    """Reads the table of exemplars.

    Args:
        path: CSV with the columns of ``COLUMNS``.
        layers: Thickness of every layer, um, from the pia down.

    Returns:
        Rows by m-type, in the order of the table.

    Raises:
        ConfigError: With every wrong cell of the table.
    """
    table = read_rows(path)
    if missing := [name for name in COLUMNS if name not in table.columns]:
        hint = f"columns: {', '.join(COLUMNS)}"
        raise ConfigError(Problem(f"{path}:1", f"no column {', '.join(missing)}", hint))
    rows: dict[str, Exemplar] = {}
    problems: list[Problem] = []
    for line, row in enumerate(table.records(), start=2):
        where = f"{path}:{line}"
        found = _row_problems(where, row, layers)
        if row["m_type"] in rows:
            found.append(Problem(where, f"{row['m_type']} stands twice", "keep one row"))
        problems += found
        if not found:
            rows[row["m_type"]] = _exemplar(row)
    if problems:
        raise ConfigError(problems)
    return rows


def _row_problems(where: str, row: dict[str, str], layers: dict[str, float]) -> list[Problem]:
    problems = []
    layer = row["m_type"].split("_")[0]
    known = ", ".join(layers)
    if layer not in layers:
        message = f"m_type {row['m_type']!r} does not begin with a layer"
        problems.append(Problem(where, message, f"layers: {known}"))
    for column in ("dendrite_from", "axon_from"):
        if not row[column]:
            problems.append(Problem(where, f"{column} is empty", "name an m-type, or its own"))
    if row["apical"] not in APICALS:
        message = f"apical is {row['apical']!r}"
        problems.append(Problem(where, message, f"one of {', '.join(APICALS)}"))
    for column in ("axon_top", "axon_bottom", "apical_top"):
        if row[column] and row[column] not in layers and not _is_number(row[column]):
            message = f"{column} is {row[column]!r}"
            problems.append(Problem(where, message, f"a layer ({known}), um, or empty"))
    for column in ("axon_width", "axon_length"):
        if row[column] and not (_is_number(row[column]) and float(row[column]) > 0):
            message = f"{column} is {row[column]!r}"
            problems.append(Problem(where, message, "um above 0, or empty"))
    return problems


def _exemplar(row: dict[str, str]) -> Exemplar:
    return Exemplar(
        row["m_type"],
        _origin(row["dendrite_from"]),
        _origin(row["axon_from"]),
        row["apical"],
        row["axon_top"],
        row["axon_bottom"],
        row["apical_top"],
        float(row["axon_width"]) if row["axon_width"] else None,
        float(row["axon_length"]) if row["axon_length"] else None,
        row["reason"],
        row["source"],
    )


def _origin(text: str) -> Origin:
    m_type, _, cells = text.partition(":")
    return Origin(m_type.strip(), tuple(cells.split()))


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def soma_depth(layer: str, layers: dict[str, float], index: int, count: int) -> float:
    """Depth of exemplar ``index`` of ``count``: spread evenly over its layer, um below the pia."""
    top = 0.0
    for name, thickness in layers.items():
        if name == layer:
            return top + thickness * (index + 0.5) / count
        top += thickness
    raise KeyError(layer)


def reach(target: str, layers: dict[str, float], depth: float) -> float | None:
    """Height above the soma that a target asks for, um; None for an empty target."""
    if not target:
        return None
    if target in layers:
        return depth - soma_depth(target, layers, 0, 1)
    return float(target)
