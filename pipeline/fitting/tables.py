"""The tables of a fit: parameters with bounds, protocols, targets, places of recordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.tables import read_csv
from pipeline.errors import ConfigError, Problem

LISTS = ("soma", "axon", "dend", "apic", "myelin")
KINDS = ("step", "step_percent", "holding_search", "threshold_search")
UNTIL = ("", "last", "total")
"""End of a window of features: of the last pulse, its start, or of the run."""
RULES = ("main_apical_distance", "path_distance", "section")
HOLDING, THRESHOLD = "HoldingSearch", "ThresholdSearch"


@dataclass(frozen=True)
class Parameter:
    """One row of the bounds: a mechanism put in, a fixed number, or a free one.

    Attributes:
        lists: Section lists it holds for; empty for conditions and distributions.
        mechanism: Mechanism, or passive, reversal, conditions, distributions.
        name: Parameter; "" where the row puts the mechanism in.
        distribution: Law of distance, or "".
        bounds: Lower and upper, or None where it is fixed.
        value: The fixed number; NaN where it is free.
    """

    lists: tuple[str, ...]
    mechanism: str
    name: str
    distribution: str
    bounds: tuple[float, float] | None
    value: float

    @property
    def label(self) -> str:
        """Name in results, such as ``gNaTgbar.NaTg.axon``."""
        return ".".join(part for part in (self.name, self.mechanism, "_".join(self.lists)) if part)


@dataclass(frozen=True)
class Pulse:
    """One current pulse: nA, or percent of the threshold current; ms."""

    amplitude: float
    percent: float
    delay: float
    duration: float


@dataclass(frozen=True)
class Protocol:
    """A stimulus.

    Attributes:
        kind: One of KINDS.
        pulses: Its pulses.
        total: End of the run, ms.
        holding: Whether the holding current runs from 0 to the end.
        strict: Whether only spikes within the window count.
        until: Where the window of features ends, one of UNTIL.
    """

    name: str
    kind: str
    pulses: tuple[Pulse, ...]
    total: float
    holding: bool
    strict: bool
    until: str = ""

    @property
    def window(self) -> tuple[float, float]:
        """Start of the first pulse, and what ``until`` says, ms."""
        last = self.pulses[-1]
        ends = {"": last.delay + last.duration, "last": last.delay, "total": self.total}
        return self.pulses[0].delay, ends[self.until]


@dataclass(frozen=True)
class Target:
    """A feature and what was recorded of it."""

    protocol: str
    location: str
    feature: str
    mean: float
    sd: float
    held_out: bool

    @property
    def label(self) -> str:
        """Name in results."""
        return f"{self.protocol}.{self.location}.{self.feature}"


@dataclass(frozen=True)
class Recording:
    """A place besides the soma: see models/column/tables/TARGETS.md."""

    protocol: str
    name: str
    variable: str
    section_list: str
    rule: str
    distance: float
    index: int
    position: float

    @property
    def label(self) -> str:
        """As targets name it."""
        return f"{self.name}.{self.variable}"


class _Table:
    """A CSV with checked cells; collects all problems."""

    def __init__(self, path: Path, columns: tuple[str, ...]):
        self.path, self.problems = path, []
        self.rows = read_csv(path)
        if missing := [c for c in columns if c not in self.rows]:
            hint = f"columns: {', '.join(columns)}"
            raise ConfigError(Problem(f"{path}:1", f"no column {', '.join(missing)}", hint))

    def fail(self, row: int, message: str, hint: str) -> None:
        self.problems.append(Problem(f"{self.path}:{row + 2}", message, hint))

    def number(self, row: int, column: str) -> float:
        """NaN where the cell is empty."""
        text = str(self.rows[column][row]).strip()
        if not text:
            return float("nan")
        value = pd.to_numeric(text, errors="coerce")
        if not np.isfinite(value):
            self.fail(row, f"{column} is {text!r}", "write a number")
        return float(value)

    def choice(self, row: int, column: str, known: tuple[str, ...]) -> str:
        text = str(self.rows[column][row])
        if text not in known:
            self.fail(row, f"{column} is {text!r}", f"one of {', '.join(known)}")
        return text

    def stop(self) -> None:
        if self.problems:
            raise ConfigError(self.problems)


def read_parameters(path: Path) -> list[Parameter]:
    """Reads the bounds of stage 1; what a second stage frees keeps the value of its mechanism file.

    Raises:
        ConfigError: With all problems of the table.
    """
    columns = ("section_list", "mechanism", "parameter", "distribution", "lower", "upper", "value")
    table = _Table(path, columns)
    found = []
    for row in range(len(table.rows)):
        if "stage" in table.rows and str(table.rows["stage"][row]) == "2":
            continue
        text = lambda column: str(table.rows[column][row]).strip()  # noqa: B023, E731
        low, high, value = (table.number(row, c) for c in ("lower", "upper", "value"))
        free = not (np.isnan(low) and np.isnan(high))
        if text("parameter") and free == (not np.isnan(value)):
            table.fail(row, "needs either value, or lower and upper", "fill one of them")
        if free and not low < high:
            table.fail(row, f"lower {low:g} is not below upper {high:g}", "turn them round")
        lists = LISTS if text("section_list") == "all" else tuple(text("section_list").split())
        if wrong := [name for name in lists if name not in LISTS]:
            table.fail(row, f"no section list {', '.join(wrong)}", f"use all, {', '.join(LISTS)}")
        found.append(
            Parameter(
                lists, text("mechanism"), text("parameter"), text("distribution"),
                (low, high) if free else None, value,
            )
        )  # fmt: skip
    if not any(p.bounds for p in found):
        table.fail(0, "no row has bounds", "give lower and upper to what shall be found")
    table.stop()
    return found


def read_protocols(path: Path) -> dict[str, Protocol]:
    """Reads the protocols that a deterministic model answers (stage 1).

    Raises:
        ConfigError: With all problems of the table.
    """
    columns = ("protocol", "kind", "amplitude_percent", "amplitude", "delay", "duration", "total",
               "holding")  # fmt: skip
    table = _Table(path, columns)
    found: dict[str, Protocol] = {}
    for row in range(len(table.rows)):
        if str(table.rows.get("stage", pd.Series(["1"] * len(table.rows)))[row]) == "2":
            continue
        name, kind = str(table.rows["protocol"][row]), table.choice(row, "kind", KINDS)
        number: Callable[[str], float] = lambda c: table.number(row, c)  # noqa: B023, E731
        pulse = Pulse(number("amplitude"), number("amplitude_percent"), number("delay"),
                      number("duration"))  # fmt: skip
        wanted = {"step": pulse.amplitude, "step_percent": pulse.percent}.get(kind, 0.0)
        if np.isnan(wanted):
            table.fail(row, f"{kind} without an amplitude", "fill amplitude or amplitude_percent")
        total = number("total")
        if (
            kind != "holding_search"
            and not 0 <= pulse.delay < pulse.delay + pulse.duration <= total
        ):
            table.fail(row, "the pulse does not lie within 0 and total", "correct delay, duration")
        before = found[name].pulses if name in found else ()
        strict = str(table.rows["strict"][row]) != "0" if "strict" in table.rows else True
        until = table.choice(row, "until", UNTIL) if "until" in table.rows else ""
        found[name] = Protocol(
            name, kind, (*before, pulse), total, str(table.rows["holding"][row]) == "yes", strict,
            until,
        )  # fmt: skip
    for kind in ("holding_search", "threshold_search"):
        if sum(p.kind == kind for p in found.values()) > 1:
            table.fail(0, f"more than one {kind}", "keep one")
    table.stop()
    return found


def read_targets(path: Path, protocols: dict[str, Protocol]) -> list[Target]:
    """Reads the targets of the protocols that are run.

    Raises:
        ConfigError: With all problems of the table.
    """
    table = _Table(path, ("protocol", "location", "feature", "mean", "sd"))
    found = []
    for row in range(len(table.rows)):
        mean, sd = table.number(row, "mean"), table.number(row, "sd")
        if not sd > 0:
            table.fail(row, f"sd is {sd:g}", "write a number above 0")
        held = "held_out" in table.rows and str(table.rows["held_out"][row]) == "1"
        name = str(table.rows["protocol"][row])
        if name in protocols:
            found.append(
                Target(name, str(table.rows["location"][row]), str(table.rows["feature"][row]),
                       mean, sd, held)
            )  # fmt: skip
    if not found:
        table.fail(0, "no target belongs to a protocol", f"protocols: {', '.join(protocols)}")
    table.stop()
    return found


def read_recordings(path: Path) -> list[Recording]:
    """Reads places besides the soma.

    Raises:
        ConfigError: With all problems of the table.
    """
    columns = ("protocol", "recording", "variable", "section_list", "rule", "distance", "index",
               "position")  # fmt: skip
    table = _Table(path, columns)
    found = []
    for row in range(len(table.rows)):
        rule = table.choice(row, "rule", RULES)
        distance, index, position = (
            table.number(row, column) for column in ("distance", "index", "position")
        )
        if rule == "section" and (np.isnan(index) or np.isnan(position)):
            table.fail(row, "rule section needs index and position", "fill both")
        if rule != "section" and not distance >= 0:
            table.fail(row, f"rule {rule} needs distance, 0 or more", "fill it")
        if rule == "section" and (index < 0 or not 0 <= position <= 1):
            table.fail(row, f"index {index:g}, position {position:g}", "from 0; 0 to 1")
        found.append(
            Recording(
                str(table.rows["protocol"][row]), str(table.rows["recording"][row]),
                str(table.rows["variable"][row]), table.choice(row, "section_list", LISTS), rule,
                distance, 0 if np.isnan(index) else int(index), position,
            )
        )  # fmt: skip
    table.stop()
    return found
