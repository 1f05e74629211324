"""Recorded rates and tuning, another model's, and the verdict on ours."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.analysis.reference import COLUMNS, FAIL, NOT_APPLICABLE, NOT_MEASURED, PASS
from pipeline.analysis.responses import (
    LEAST_DIRECTIONS,
    PERCENTS,
    QUANTITIES,
    UNITS,
    similarity,
    similarity_bounds,
)
from pipeline.config.tables import read_csv
from pipeline.errors import ConfigError, Problem

JUDGED = ("spontaneous", "evoked")
"""Rates whose median must lie between the recorded quartiles."""
TUNING = ("osi", "dsi")
WORDS = {"spontaneous": "spontaneous rate", "evoked": "evoked rate", "peak": "peak rate",
         "osi": "OSI", "dsi": "DSI"}  # fmt: skip
_PERCENT_COLUMNS = [f"p{percent}" for percent in PERCENTS]
_UNIT_COLUMNS = {"spontaneous": "Spont_Rate(Hz)", "evoked": "Ave_Rate(Hz)",
                 "peak": "max_mean_rate(Hz)", "osi": "OSI", "dsi": "DSI"}  # fmt: skip
_SLACK = 1e-9


@dataclass(frozen=True)
class Targets:
    """What ours are held beside.

    Attributes:
        recorded: class, quantity, n, mean, p0 ... p100, source; empty when the config names none.
        model: The same of another model, with ``similarity`` to the recorded units.
        units: class and the columns of ``QUANTITIES``, one row per recorded unit; None without.
        model_name: What the other model is called: the name of its file.
    """

    recorded: pd.DataFrame
    model: pd.DataFrame
    units: pd.DataFrame | None
    model_name: str = "published model"


def read_quantiles(path: Path) -> pd.DataFrame:
    """Reads a table of distributions.

    Returns:
        Its columns, numbers as float64 (NaN where empty); one row per class and quantity.

    Raises:
        ConfigError: For missing columns, unknown quantities, texts or falling quantiles, with lines.
    """
    table = read_csv(path)
    wanted = ["class", "quantity", "n", "mean", *_PERCENT_COLUMNS, "source"]
    missing = [name for name in wanted if name not in table]
    if missing:
        columns = "class,quantity,n,mean,p0,p5,...,p100,source"
        raise ConfigError(Problem(f"{path}:1", f"no column {missing[0]!r}", f"write {columns}"))
    numbers = [name for name in ("n", "mean", *_PERCENT_COLUMNS, "similarity") if name in table]
    read = table.assign(**{k: pd.to_numeric(table[k], errors="coerce") for k in numbers})
    problems = []
    for row in range(len(table)):
        where = f"{path}:{row + 2}"
        if table["quantity"][row] not in QUANTITIES:
            message = f"quantity {table['quantity'][row]!r}"
            problems.append(Problem(where, message, f"one of {', '.join(QUANTITIES)}"))
        if read["n"][row] < 0:
            problems.append(Problem(where, f"n is {table['n'][row]!r}", "write a number of units"))
        words = [k for k in numbers if table[k][row].strip() and not math.isfinite(read[k][row])]
        problems += [Problem(where, f"{k} is {table[k][row]!r}", "write a number") for k in words]
        given = read.loc[row, _PERCENT_COLUMNS].to_numpy(np.float64)
        if np.any(np.diff(given) < 0):
            problems.append(Problem(where, "the quantiles p0 to p100 fall", "they must rise"))
        if not table["source"][row].strip():
            problems.append(Problem(where, "no source", "say where the numbers come from"))
    doubled = table.duplicated(["class", "quantity"])
    problems += [
        Problem(f"{path}:{row + 2}", "class and quantity stand twice", "remove one")
        for row in np.flatnonzero(doubled)
    ]
    if problems:
        raise ConfigError(problems)
    return read


def read_units(path: Path, recorded: pd.DataFrame) -> pd.DataFrame:
    """Reads recorded units one by one, as the Allen Institute's workflow ships them.

    Args:
        path: Separated by spaces or commas: cell_type, Spont_Rate(Hz), Ave_Rate(Hz),
            max_mean_rate(Hz), OSI, DSI.
        recorded: Its column ``recorded_as`` names the cell type of each class.

    Returns:
        class and ``QUANTITIES`` (float64, NaN where undefined); units of other types are left out.

    Raises:
        ConfigError: If a column is missing.
    """
    try:
        with open(path, encoding="utf-8") as handle:
            separator = "," if "," in handle.readline() else " "
        table = pd.read_csv(path, sep=separator)
    except (OSError, ValueError) as error:
        text = " ".join(str(error).split())
        hint = "use OSI_DSI_neuropixels_v4.csv or a file with its columns"
        raise ConfigError(Problem(str(path), f"no table of units: {text}", hint)) from None
    missing = [name for name in ("cell_type", *_UNIT_COLUMNS.values()) if name not in table]
    if missing:
        hint = "use OSI_DSI_neuropixels_v4.csv or a file with its columns"
        raise ConfigError(Problem(f"{path}:1", f"no column {missing[0]!r}", hint))
    if not isinstance(table.index, pd.RangeIndex):  # pandas then takes the first column as names
        raise ConfigError(
            Problem(str(path), "rows have more fields than the header", "check the separators")
        )
    if "recorded_as" not in recorded:
        message = "analysis.responses.recorded has no column recorded_as"
        raise ConfigError(Problem(str(path), message, "it says which cell_type is which class"))
    names = dict(zip(recorded["recorded_as"], recorded["class"], strict=True))
    columns = {
        key: pd.to_numeric(table[name], errors="coerce") for key, name in _UNIT_COLUMNS.items()
    }
    problems = [
        Problem(
            f"{path}:{row + 2}", f"{name} is {table[name][row]!r}", "write a number, or nothing"
        )
        for key, name in _UNIT_COLUMNS.items()
        for row in np.flatnonzero(
            (columns[key].isna() & table[name].notna()) | np.isinf(columns[key])
        )
    ]
    if problems:
        raise ConfigError(problems)
    units = pd.DataFrame({"class": table["cell_type"].map(names)} | columns)
    units = units.dropna(subset="class").reset_index(drop=True)
    if units.empty:
        known = ", ".join(dict.fromkeys(recorded["recorded_as"]))
        raise ConfigError(Problem(str(path), "no cell_type is known", f"known: {known}"))
    return units


def similarities(cells: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """How near the distribution of ours is to the recorded one.

    Args:
        cells: class and ``QUANTITIES``; one row per cell.
        targets: The recorded ones.

    Returns:
        class, quantity, n, recorded_n, least, largest (bounds from the quantiles; equal when the
        units are known) and published_model; one row per recorded class and quantity that we have.
    """
    model = _by_key(targets.model)
    values = dict(list(cells.groupby("class", sort=False, observed=True)))
    rows = []
    for row in targets.recorded.to_dict("records"):
        name, quantity = row["class"], row["quantity"]
        if name not in values:
            continue
        ours = values[name][quantity].to_numpy()
        if targets.units is not None:
            units = targets.units.loc[targets.units["class"] == name, quantity]
            least = largest = similarity(ours, units.to_numpy())
        else:
            known = [row[column] for column in _PERCENT_COLUMNS]
            least, largest = similarity_bounds(ours, known, int(row["n"]))
        rows.append(
            {"class": name, "quantity": quantity, "n": int(np.isfinite(ours).sum()),
             "recorded_n": int(row["n"]), "least": least, "largest": largest,
             "published_model": model.get((name, quantity), {}).get("similarity", math.nan)}
        )  # fmt: skip
    columns = ["class", "quantity", "n", "recorded_n", "least", "largest", "published_model"]
    return pd.DataFrame(rows, columns=columns)


def _by_key(table: pd.DataFrame) -> dict[tuple[str, str], dict]:
    return {(row["class"], row["quantity"]): row for row in table.to_dict("records")}


def response_verdicts(
    summary: pd.DataFrame | None,
    near: pd.DataFrame | None,
    targets: Targets,
    similar: Iterable[str],
) -> pd.DataFrame:
    """Judges the rates of every recorded class and the tuning of some.

    Args:
        summary: Ours by class and quantity, as from ``summarise``; None before the run.
        near: As from ``similarities``; None before the run.
        targets: The recorded ones and another model's.
        similar: Classes whose OSI and DSI must be as near as that model's.

    Returns:
        Rows of the verdict table, columns as in ``reference.COLUMNS``.
    """
    ours = None if summary is None else _by_key(summary)
    close = None if near is None else _by_key(near)
    model, rows = _by_key(targets.model), []
    wanted = set(similar)
    for row in targets.recorded.to_dict("records"):
        key = (row["class"], row["quantity"])
        if key[1] in JUDGED:
            rows.append(_rate_row(row, ours, model.get(key), targets.model_name))
        elif key[1] in TUNING and key[0] in wanted and key in model:
            rows.append(_similarity_row(row, ours, close, model[key], targets))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rate_row(row: dict, ours: dict | None, model: dict | None, model_name: str) -> dict:
    name, quantity = row["class"], row["quantity"]
    low, high = row["p25"], row["p75"]
    found, verdict, remark = _ours(ours, (name, quantity))
    if not verdict:
        slack = _SLACK * max(abs(low), abs(high))
        verdict = PASS if low - slack <= found <= high + slack else FAIL
    notes = [remark, f"{row['n']:.0f} recorded units."]
    notes += [f"{model_name}: {model['p50']:.3g} Hz."] if model else []
    return {
        "metric": f"responses.{name}.{quantity}.median",
        "title": f"{name}: median {WORDS[quantity]}",
        "published": row["p50"],
        "ours": found,
        "unit": UNITS[quantity],
        "tolerance": f"{low:.3g} to {high:.3g} Hz, the recorded quartiles",
        "verdict": verdict,
        "source": row["source"],
        "note": " ".join(filter(None, notes)),
    }


def _ours(ours: dict | None, key: tuple[str, str]) -> tuple[float, str, str]:
    """Our median, or a verdict and a remark when there is none."""
    if ours is None:
        return math.nan, NOT_MEASURED, "The run has not been made."
    if key not in ours:
        return math.nan, NOT_APPLICABLE, "No cell of this class is judged here."
    if not ours[key]["n"]:
        return math.nan, NOT_MEASURED, "No cell has a value."
    return float(ours[key]["p50"]), "", ""


def _similarity_row(
    row: dict, ours: dict | None, close: dict | None, model: dict, targets: Targets
) -> dict:
    name, quantity = row["class"], row["quantity"]
    _, verdict, remark = _ours(ours, (name, quantity))
    found, goal = math.nan, float(model["similarity"])
    if verdict == NOT_MEASURED and ours is not None:
        remark = f"Needs {LEAST_DIRECTIONS} directions evenly round the circle, and spikes."
    if not verdict:
        least, largest = (close[name, quantity][key] for key in ("least", "largest"))
        if least >= goal - _SLACK:
            found, verdict, remark = (
                least,
                PASS,
                "Ours is at least this." if largest > least else "",
            )
        elif largest < goal - _SLACK:
            found, verdict, remark = (
                largest,
                FAIL,
                "Ours is at most this." if largest > least else "",
            )
        else:
            verdict = NOT_MEASURED
            remark = (
                f"Between {least:.3g} and {largest:.3g} by the recorded quantiles; only the units "
                "file decides (analysis.responses.units)."
            )
    return {
        "metric": f"responses.{name}.{quantity}.similarity",
        "title": f"{name}: similarity of {WORDS[quantity]} to the recorded units (1 - KS distance)",
        "published": goal,
        "ours": found,
        "unit": "",
        "tolerance": f"at least that of {targets.model_name}",
        "verdict": verdict,
        "source": f"{row['source']} Compared with: {model['source']}",
        "note": " ".join(filter(None, [remark, f"{row['n']:.0f} recorded units have an index."])),
    }


def within_quartiles(verdicts: pd.DataFrame) -> tuple[int, int]:
    """Counts the classes judged in both rates, and those whose both medians pass."""
    rates = verdicts[verdicts["metric"].str.endswith(".median")]
    name = rates["metric"].str.split(".").str[1]
    judged = rates["verdict"].isin([PASS, FAIL]).groupby(name).all()
    passed = rates["verdict"].eq(PASS).groupby(name).all()
    return int(judged.sum()), int(passed.sum())
