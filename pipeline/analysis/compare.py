"""``sonatina compare``: analysed circuits side by side, and whether they changed as expected."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.analysis.reference import FAIL, NOT_MEASURED, PASS
from pipeline.analysis.responses import QUANTITIES
from pipeline.config.tables import read_csv
from pipeline.errors import CircuitError, ConfigError, Problem
from pipeline.sonata.layout import CircuitPaths

RHYTHM = ("gamma_peak", "gamma_share", "gamma_over_poisson", "fano", "isi_cv")
NETWORK = ("synchrony", "active", "peak_frequency", "peak_power", "choristers")
DIRECTIONS = ("up", "down")
_EMPTY = {
    "responses": ["of", "class", "quantity", "p25", "p50", "p75"],
    "responses_rhythm": ["by", "name", *RHYTHM],
    "responses_spectra": ["layer", "frequency", "power"],
}
_EXPECTED = ("variant", "metric", "class", "direction", "source")


@dataclass(frozen=True)
class Side:
    """One analysed circuit.

    Attributes:
        label: Shortest end of the folder's path that tells it from the others.
        variant: Variant that was built; the folder's name where its report does not say.
        responses: analysis/responses.csv.
        rhythm: analysis/responses_rhythm.csv.
        spectra: analysis/responses_spectra.csv.
        activity: What ``analysis.network`` found: name (run, or run and type), quantity, value.
    """

    label: str
    variant: str
    responses: pd.DataFrame
    rhythm: pd.DataFrame
    spectra: pd.DataFrame
    activity: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["name", "quantity", "value"])
    )


def read_sides(folders: Sequence[Path]) -> list[Side]:
    """Reads the analysis of circuits.

    Raises:
        CircuitError: If there are fewer than two, one stands twice or has not been analysed.
    """
    problems = []
    if len(folders) < 2:
        problems.append(Problem("compare", f"{len(folders)} circuit; expected two or more"))
    whole = [Path(folder).resolve() for folder in folders]
    problems += [
        Problem(str(folder), "stands twice", "name each circuit once")
        for index, folder in enumerate(whole)
        if folder in whole[:index]
    ]
    names, sides = ("responses", "responses_rhythm", "responses_spectra"), []
    for folder, label in zip(whole, labels(whole), strict=True):
        paths = CircuitPaths(folder)
        missing = [n for n in names if not paths.analysis(n).is_file()]
        activity = read_activity(paths)
        if missing and activity.empty:
            message = f"has no analysis/{missing[0]}.csv"
            hint = "set analysis.responses or network, simulate, then run 'sonatina analyse'"
            problems.append(Problem(str(folder), message, hint))
            continue
        tables = [
            pd.DataFrame(columns=_EMPTY[n])
            if missing
            else pd.read_csv(paths.analysis(n), keep_default_na=False, na_values=[""])
            for n in names
        ]
        sides.append(Side(label, _variant(paths), *tables, activity))
    if problems:
        raise CircuitError(problems)
    return sides


def read_activity(paths: CircuitPaths) -> pd.DataFrame:
    """Reads what ``analysis.network`` found: name, quantity, value; empty if there is none."""
    rows: list[tuple[str, str, float]] = []
    known = paths.analysis("metrics")
    metrics = pd.read_csv(known).set_index("metric")["value"] if known.is_file() else pd.Series()
    for file in sorted(known.parent.glob("network_*_rates.csv")):
        run = file.stem.removeprefix("network_").removesuffix("_rates")
        rates = pd.read_csv(file, keep_default_na=False, na_values=[""])
        for row in rates.to_dict("records"):
            parts = (run, row["attribute"], row["value"])
            rows.append((" ".join(str(p) for p in parts if str(p) != "nan"), "rate", row["mean"]))
        rows += [
            (run, name, float(metrics[f"{run}.{name}"]))
            for name in NETWORK
            if f"{run}.{name}" in metrics.index
        ]
    return pd.DataFrame(rows, columns=["name", "quantity", "value"])


def labels(folders: Sequence[Path]) -> list[str]:
    """Shortest ends of paths that tell them apart."""
    parts = [folder.parts for folder in folders]
    for depth in range(1, max(map(len, parts), default=1) + 1):
        ends = ["/".join(p[-depth:]) for p in parts]
        if len(set(ends)) == len(ends):
            return ends
    return [str(folder) for folder in folders]


def _variant(paths: CircuitPaths) -> str:
    try:
        return str(json.loads(paths.provenance.read_text(encoding="utf-8"))["variant"])
    except (OSError, ValueError, KeyError, TypeError):
        return paths.root.name


def compare_sides(sides: Sequence[Side]) -> pd.DataFrame:
    """Medians of every class and rhythm of every layer, side by side.

    Returns:
        by (class, layer or run), name, quantity, one column per label, and over all of them ``mean`` and
        ``sd`` (n - 1; NaN where fewer than two have a value). Names in the order of the first.
    """
    columns = {}
    for side in sides:
        ours = side.responses[side.responses["of"] == "ours"]
        values = {
            ("class", str(row["class"]), row["quantity"]): float(row["p50"])
            for row in ours.to_dict("records")
        }
        for row in side.rhythm[side.rhythm["by"] == "layer"].to_dict("records"):
            values |= {("layer", str(row["name"]), key): float(row[key]) for key in RHYTHM}
        for row in side.activity.to_dict("records"):
            values["run", str(row["name"]), row["quantity"]] = float(row["value"])
        columns[side.label] = values
    keys = list(dict.fromkeys(key for values in columns.values() for key in values))
    table = pd.DataFrame(keys, columns=["by", "name", "quantity"])
    for label, values in columns.items():
        table[label] = [values.get(key, math.nan) for key in keys]
    numbers = table[list(columns)]
    return table.assign(mean=numbers.mean(axis=1), sd=numbers.std(axis=1, ddof=1))


def ratios(table: pd.DataFrame, first: str, label: str) -> np.ndarray:
    """float64 [rows]: a side over the first; NaN where the first is 0 or either is missing."""
    base = table[first].to_numpy(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(base != 0, table[label].to_numpy(np.float64) / base, np.nan)


def read_expected(path: Path) -> pd.DataFrame:
    """Reads expected directions of change: variant, metric, class, direction, source.

    Raises:
        ConfigError: For missing columns, unknown metrics or directions, or no source; with lines.
    """
    table = read_csv(path)
    missing = [name for name in _EXPECTED if name not in table]
    if missing:
        hint = f"write {','.join(_EXPECTED)}"
        raise ConfigError(Problem(f"{path}:1", f"no column {missing[0]!r}", hint))
    known, problems = (*QUANTITIES, *RHYTHM, *NETWORK, "rate"), []
    for row in table.to_dict("records"):
        where = f"{path}:{len(problems) + 2}"
        problems.append([])
        if row["metric"] not in known:
            message = f"metric {row['metric']!r}"
            problems[-1].append(Problem(where, message, f"one of {', '.join(known)}"))
        if row["direction"] not in DIRECTIONS:
            message = f"direction {row['direction']!r}"
            problems[-1].append(Problem(where, message, "write up or down"))
        if not row["source"].strip():
            problems[-1].append(Problem(where, "no source", "say who published it, or assumed"))
    found = [problem for row in problems for problem in row]
    if found:
        raise ConfigError(found)
    return table[list(_EXPECTED)]


def check_changes(
    sides: Sequence[Side], table: pd.DataFrame, expected: pd.DataFrame
) -> pd.DataFrame:
    """Whether each variant moved as expected, against the first side.

    A row applies to a side whose variant has its name, or ends in ``-`` or ``_`` and its name.

    Returns:
        variant (label), metric, class, expected, first, ours, verdict, source; rows of variants that
        are not compared are left out.
    """
    values = table.set_index(["name", "quantity"])
    rows = []
    for row in expected.to_dict("records"):
        ends = (f"-{row['variant']}", f"_{row['variant']}")
        for side in sides[1:]:
            if side.variant != row["variant"] and not side.variant.endswith(ends):
                continue
            key = (row["class"], row["metric"])
            known = key in values.index
            before, after = (
                float(values.loc[key, label]) if known else math.nan
                for label in (sides[0].label, side.label)
            )
            rows.append(
                {"variant": side.label, "metric": row["metric"], "class": row["class"],
                 "expected": row["direction"], "first": before, "ours": after,
                 "verdict": _moved(before, after, row["direction"]), "source": row["source"]}
            )  # fmt: skip
    columns = ["variant", "metric", "class", "expected", "first", "ours", "verdict", "source"]
    return pd.DataFrame(rows, columns=columns)


def _moved(before: float, after: float, direction: str) -> str:
    if not (math.isfinite(before) and math.isfinite(after)):
        return NOT_MEASURED
    return PASS if (after > before if direction == "up" else after < before) else FAIL
