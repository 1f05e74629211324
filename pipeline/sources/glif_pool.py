"""One GLIF cell per class from the parameter files of many cells.

The files are those of the Allen Cell Types Database (its terms of use; not shipped). Pooled are the
quantities that decide what a cell does, not its parameters one by one: medians of C, g and of the
after-spike currents taken apart can make a cell that behaves like none of its class.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.cells.glif import Glif, read_glif
from pipeline.config.tables import read_csv
from pipeline.errors import ConfigError, Problem
from pipeline.kernels import kernel
from pipeline.runtime import write_text

MEMBERS, TABLE = "tables/glif_sources.csv", "tables/glif.csv"
_STEP, _DURATION, _SETTLED = 0.1, 2000.0, 500.0  # ms
_SCALES = np.array([1.0, 0.7, 0.8, 0.9, 1.1, 1.25, 1.5])


@dataclass(frozen=True)
class Behaviour:
    """What is pooled of one cell.

    Attributes:
        rheobase: nA.
        slope: Hz/nA. Gain of the steady rate from 1.5 to 2.5 times the rheobase.
        rate: Hz. Steady rate at twice the rheobase.
        tau_m: ms.
        distance: mV. Threshold above rest.
    """

    rheobase: float
    slope: float
    rate: float
    tau_m: float
    distance: float


def convert_folder(folder: str | Path, model: str | Path) -> list[Path]:
    """Writes a model's GLIF table from parameter files.

    Args:
        folder: Holds one file per cell, named ``<cell>*.json`` (Allen or NEST).
        model: Model folder; ``tables/glif_sources.csv`` says which cell counts how much in which
            class (columns cell_class, cell, weight).

    Returns:
        The file written, ``tables/glif.csv``.

    Raises:
        ConfigError: For cells without a file, and for unusable files; all at once.
    """
    members = read_members(Path(model) / MEMBERS)
    cells = _read_cells(Path(folder), sorted({cell for rows in members.values() for cell in rows}))
    names = ["cell_class", *_COLUMNS, "n_cells", "source"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    for label, rows in members.items():
        pooled = pool([cells[cell] for cell in rows], list(rows.values()))
        values = [f"{value:.6g}" for value in _row(pooled)]
        source = f"pooled by glif_pool.py from {len(rows)} cells of glif_sources.csv"
        writer.writerow([label, *values, len(rows), source])
    path = Path(model) / TABLE
    write_text(path, buffer.getvalue())
    return [path]


def read_members(path: Path) -> dict[str, dict[str, float]]:
    """Returns the weight of each cell by class.

    Raises:
        ConfigError: If a column is missing or a weight is not above 0; with the line.
    """
    frame = read_csv(path)
    problems = [
        Problem(f"{path}:1", f"no column {name!r}", "expected cell_class, cell, weight")
        for name in ("cell_class", "cell", "weight")
        if name not in frame
    ]
    if problems:
        raise ConfigError(problems)
    members: dict[str, dict[str, float]] = {}
    for index, row in enumerate(frame.to_dict("records")):
        try:
            weight = float(row["weight"])
        except ValueError:
            weight = 0.0
        if not 0 < weight < np.inf:
            message = f"weight is {row['weight']!r}"
            problems.append(Problem(f"{path}:{index + 2}", message, "write a number above 0"))
        members.setdefault(row["cell_class"], {})[row["cell"]] = weight
    if problems:
        raise ConfigError(problems)
    return members


def pool(cells: Sequence[Glif], weights: Sequence[float]) -> Glif:
    """Pools cells of one class into one of level 3.

    Rest, threshold distance, rheobase, membrane time constant, reset and refractory time are weighted
    medians; g = rheobase / distance, C = g tau. After-spike currents of opposite sign and unlike rates
    have no meaningful median: they are those of one member, in units of the rheobase and times one
    factor, chosen so that gain and rate of the pooled cell lie within the interquartile range of the
    cells, if any choice does that, and come nearest to their weighted medians.

    Args:
        cells: Cells with after-spike currents.
        weights: What each counts.

    Returns:
        The pooled cell.
    """
    weights = np.asarray(weights, float)
    found = behaviour(cells)

    def middle(values: Sequence[float]) -> float:
        return weighted_quantile(np.asarray(values, float), weights, 0.5)

    distance, rest = middle([b.distance for b in found]), middle([c.E_L for c in cells])
    g = middle([b.rheobase for b in found]) / distance
    membrane = Glif(
        level=1,
        C=g * middle([b.tau_m for b in found]),
        g=g,
        E_L=rest,
        threshold=rest + distance,
        V_reset=rest + middle([c.V_reset - c.E_L for c in cells]),
        t_ref=round(middle([c.t_ref for c in cells]), 2),
    )
    candidates = [
        replace(
            membrane,
            level=3,
            asc_amps=tuple(s * a * membrane.rheobase / c.rheobase for a in c.asc_amps),
            asc_decay=c.asc_decay,
            asc_r=c.asc_r,
            asc_init=(0.0,) * len(c.asc_amps),
        )
        for c in cells
        for s in _SCALES
    ]
    misses = np.zeros(len(candidates))
    measured = behaviour(candidates)
    for name in ("slope", "rate"):
        theirs = np.array([getattr(b, name) for b in found])
        own = np.array([getattr(b, name) for b in measured])
        low, at, high = (weighted_quantile(theirs, weights, q) for q in (0.25, 0.5, 0.75))
        misses += np.abs(np.log((own + 1e-9) / at)) + ((own < low) | (own > high))
    # Where several do as well, the least changed member.
    changed = np.tile(np.abs(np.log(_SCALES)), len(cells))
    return candidates[int(np.argmin(np.round(misses, 2) + 0.02 * changed))]


def behaviour(cells: Sequence[Glif]) -> list[Behaviour]:
    """Measures cells (levels 1 and 3)."""
    rates = steady_rates(cells, (1.5, 2.0, 2.5))
    return [
        Behaviour(
            c.rheobase, float((high - low) / c.rheobase), float(at), c.tau_m, c.threshold - c.E_L
        )
        for c, (low, at, high) in zip(cells, rates, strict=True)
    ]


def steady_rates(cells: Sequence[Glif], multiples: Sequence[float]) -> np.ndarray:
    """Returns the steady rate under constant current, in steps of 0.1 ms.

    Args:
        cells: Cells of level 1 or 3.
        multiples: Currents in units of each cell's rheobase.

    Returns:
        Hz, float64 [n_cells, n_multiples].
    """
    return np.array([[_rate(cell, multiple) for multiple in multiples] for cell in cells])


def _rate(cell: Glif, multiple: float) -> float:
    used = cell.after_spike_currents
    amps = np.array(cell.asc_amps if used else [0.0])
    decay = np.array(cell.asc_decay if used else [1.0])
    kept = np.array(cell.asc_r if used else [1.0])
    height, reset = cell.threshold - cell.E_L, cell.V_reset - cell.E_L
    current = multiple * cell.rheobase
    count = _count(
        cell.C, cell.g, height, reset, cell.t_ref, amps, decay, kept, current,
        _STEP, round(_SETTLED / _STEP), round(_DURATION / _STEP),
    )  # fmt: skip
    return count / (_DURATION - _SETTLED) * 1e3


@kernel()
def _count(c, g, height, reset, t_ref, amps, decay, kept, current, h, settled, steps):
    """Counts the spikes after the first ``settled`` steps; voltages relative to rest."""
    leak, fade = math.exp(-g * h / c), np.exp(-decay * h)
    share, rest = (1 - fade) / (decay * h), kept * np.exp(-decay * t_ref)
    hold = math.ceil(t_ref / h - 1e-6)
    u, left, count = 0.0, 0, 0
    asc = np.zeros(len(amps))
    for n in range(steps):
        if left > 0:
            left -= 1
            continue
        drive = current
        for j in range(len(asc)):
            drive += share[j] * asc[j]
            asc[j] *= fade[j]
        u = u * leak + drive * (1 - leak) / g
        if u > height:
            u, left = reset, hold
            for j in range(len(asc)):
                asc[j] = asc[j] * rest[j] + amps[j]
            count += n >= settled
    return count


def weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Returns a quantile of weighted values; with equal weights 0.5 gives the median."""
    order = np.argsort(values, kind="stable")
    values, weights = values[order], weights[order]
    centre = (np.cumsum(weights) - weights / 2) / weights.sum()
    return float(np.interp(share, centre, values))


_COLUMNS = (
    "C", "g", "E_L", "threshold", "V_reset", "t_ref",
    "asc_amps_1", "asc_amps_2", "asc_decay_1", "asc_decay_2",
)  # fmt: skip


def _row(cell: Glif) -> list[float]:
    plain = [getattr(cell, name) for name in _COLUMNS[:6]]
    return [*plain, *cell.asc_amps, *cell.asc_decay]


def _read_cells(folder: Path, names: Sequence[str]) -> dict[str, Glif]:
    cells: dict[str, Glif] = {}
    problems: list[Problem] = []
    for name in names:
        files = sorted(folder.glob(f"{name}*.json"))
        if len(files) != 1:
            found = f"{len(files)} files named {name}*.json"
            problems.append(Problem(str(folder), found, "put one parameter file per cell there"))
            continue
        try:
            cells[name] = read_glif(files[0])
        except ConfigError as error:
            problems += error.problems
            continue
        if len(cells[name].asc_amps) != 2:
            message = f"{len(cells[name].asc_amps)} after-spike currents"
            problems.append(Problem(str(files[0]), message, "expected two"))
    if problems:
        raise ConfigError(problems)
    return cells
