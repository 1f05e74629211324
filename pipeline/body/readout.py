"""From voltages to muscles, and from muscles back: readouts and proprioception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from pipeline.body.interface import MUSCLES
from pipeline.errors import ConfigError, Problem

OFFSET, CEILING = "offset", "ceiling"


class Readout(Protocol):
    """Drives muscles."""

    def drive(self, voltage: np.ndarray) -> np.ndarray:
        """Returns float64 [96] in 0..1 for float64 [cells] mean voltages (mV) of a window."""


@dataclass(frozen=True)
class JunctionReadout:
    """Muscles driven by signed release, averaged over the junctions of each.

    Attributes:
        share: float64 [96, cells]. sign x count over the muscle's sum of counts.
        gain, bias: Of the drive.
        threshold, slope: mV, of release.
    """

    share: np.ndarray
    gain: float = 1.0
    bias: float = 0.0
    threshold: float = -20.0
    slope: float = 5.0

    def drive(self, voltage: np.ndarray) -> np.ndarray:
        """See ``Readout``."""
        x = np.clip((self.threshold - voltage) / self.slope, -300, 300)
        return np.clip(self.bias + self.gain * (self.share @ (1 / (1 + np.exp(x)))), 0, 1)


@dataclass(frozen=True)
class LinearReadout:
    """Muscles as weighted sums.

    Attributes:
        weights: float64 [96, cells], 1/mV.
        offset: float64 [96].
        ceiling: float64 [96]. Largest drive.
    """

    weights: np.ndarray
    offset: np.ndarray
    ceiling: np.ndarray | float = 1.0

    def drive(self, voltage: np.ndarray) -> np.ndarray:
        """See ``Readout``."""
        return np.clip(self.weights @ voltage + self.offset, 0, self.ceiling)


def junction_shares(table: pd.DataFrame, names: list[str], path: str) -> np.ndarray:
    """Builds the map of neuromuscular junctions.

    Args:
        table: neuron, muscle, count, sign.
        names: Cells of the circuit; junctions of others are left out.
        path: For messages.

    Returns:
        float64 [96, cells]; a muscle without junctions has zeros.

    Raises:
        ConfigError: If columns, muscles or numbers are wrong, or no junction is of these cells.
    """
    _require_columns(table, ["neuron", "muscle", "count", "sign"], path)
    muscles = {name: i for i, name in enumerate(MUSCLES)}
    cells = {name: i for i, name in enumerate(names)}
    count, sign = (pd.to_numeric(table[c], errors="coerce") for c in ("count", "sign"))
    problems = []
    for i, row in enumerate(table.itertuples()):
        if row.muscle not in muscles:
            problems.append((i, f"no muscle {row.muscle!r}", "DR01 to VL24"))
        if not (np.isfinite(count.iloc[i]) and count.iloc[i] > 0 and abs(sign.iloc[i]) == 1):
            found = f"count {row.count!r}, sign {row.sign!r}"
            problems.append((i, found, "write a positive count and 1 or -1"))
    if problems:
        raise ConfigError([Problem(f"{path}:{i + 2}", *text) for i, *text in problems[:20]])
    share, total = np.zeros((len(MUSCLES), len(names))), np.zeros((len(MUSCLES), 1))
    for i, row in enumerate(table.itertuples()):
        if row.neuron in cells:
            share[muscles[row.muscle], cells[row.neuron]] += sign.iloc[i] * count.iloc[i]
            total[muscles[row.muscle]] += count.iloc[i]
    if not total.any():
        raise ConfigError(Problem(path, "no junction is of a cell of this circuit"))
    return share / np.maximum(total, 1e-9)


def linear_weights(
    table: pd.DataFrame, names: list[str], path: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reads a linear readout.

    Args:
        table: neuron, then one column per muscle; the row ``offset`` is added, the row ``ceiling`` is
            the largest drive (default 1).
        names: Cells of the circuit.
        path: For messages.

    Returns:
        float64 [96, cells], float64 [96] and float64 [96].

    Raises:
        ConfigError: If columns are missing, numbers are none, or the table names unknown cells.
    """
    _require_columns(table, ["neuron", *MUSCLES], path)
    numbers = table[list(MUSCLES)].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        row, column = bad[0]
        found = f"{MUSCLES[column]} is {table[MUSCLES[column]].iloc[row]!r}"
        raise ConfigError(Problem(f"{path}:{row + 2}", found, "write a number"))
    cells = {name: i for i, name in enumerate(names)}
    weights, offset = np.zeros((len(MUSCLES), len(names))), np.zeros(len(MUSCLES))
    ceiling = np.ones(len(MUSCLES))
    for i, name in enumerate(table["neuron"]):
        if name == OFFSET:
            offset += numbers[i]
        elif name == CEILING:
            ceiling = numbers[i]
        elif name in cells:
            weights[:, cells[name]] += numbers[i]
        else:
            hint = "a readout holds for the circuit it was trained on"
            raise ConfigError(Problem(f"{path}:{i + 2}", f"no cell {name!r} in the circuit", hint))
    return weights, offset, ceiling


def proprioception_shares(table: pd.DataFrame, names: list[str], path: str) -> np.ndarray:
    """Builds the map from muscles to the neurons that feel them.

    Args:
        table: muscle, neuron.
        names: Cells of the circuit; others are left out.
        path: For messages.

    Returns:
        float64 [cells, 96]; the rows of feeling cells sum to 1.

    Raises:
        ConfigError: If a column or muscle is wrong.
    """
    _require_columns(table, ["muscle", "neuron"], path)
    muscles = {name: i for i, name in enumerate(MUSCLES)}
    cells = {name: i for i, name in enumerate(names)}
    share = np.zeros((len(names), len(MUSCLES)))
    for i, row in enumerate(table.itertuples()):
        if row.muscle not in muscles:
            where = f"{path}:{i + 2}"
            raise ConfigError(Problem(where, f"no muscle {row.muscle!r}", "DR01 to VL24"))
        if row.neuron in cells:
            share[cells[row.neuron], muscles[row.muscle]] += 1
    return share / np.maximum(share.sum(1, keepdims=True), 1)


def _require_columns(table: pd.DataFrame, columns: list[str], path: str) -> None:
    missing = [name for name in columns if name not in table]
    if missing:
        found = f"no column {missing[0]!r}"
        raise ConfigError(Problem(f"{path}:1", found, f"write {', '.join(columns[:5])}"))
