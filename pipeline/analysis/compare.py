"""``sonatina compare``: analysed circuits side by side, and whether they changed as expected."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.analysis.reference import FAIL, NOT_MEASURED, PASS
from pipeline.analysis.responses import QUANTITIES
from pipeline.config.tables import read_csv
from pipeline.errors import CircuitError, ConfigError, Problem
from pipeline.sonata.layout import CircuitPaths

RHYTHM = ("gamma_peak", "gamma_share", "gamma_over_poisson", "fano", "isi_cv")
DIRECTIONS = ("up", "down")
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
    """

    label: str
    variant: str
    responses: pd.DataFrame
    rhythm: pd.DataFrame
    spectra: pd.DataFrame


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
        if missing:
            message = f"has no analysis/{missing[0]}.csv"
            hint = "set analysis.responses, simulate, then run 'sonatina analyse'"
            problems.append(Problem(str(folder), message, hint))
            continue
        tables = [
            pd.read_csv(paths.analysis(n), keep_default_na=False, na_values=[""]) for n in names
        ]
        sides.append(Side(label, _variant(paths), *tables))
    if problems:
        raise CircuitError(problems)
    return sides


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
        by (class or layer), name, quantity, one column per label, and over all of them ``mean`` and
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
    known, problems = (*QUANTITIES, *RHYTHM), []
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
