"""What rules take from files: tables of edges, curves over distance; and one-to-one rules."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from pipeline.config.tables import read_csv
from pipeline.config.yaml_lines import KeyPath
from pipeline.edges.rules.tables import Classes, Findings
from pipeline.errors import ConfigError

VALUES = ("nsyns", "weight", "delay")


@dataclass(frozen=True)
class Listed:
    """Pairs sorted by (target, source, order of the file).

    Attributes:
        sources: int64 [n].
        targets: int64 [n].
        values: Any of nsyns, weight, delay to float64 [n], in place of the synapse law.
    """

    sources: np.ndarray
    targets: np.ndarray
    values: dict[str, np.ndarray]

    def take(self, rows: np.ndarray) -> Listed:
        """Returns some of the pairs."""
        values = {name: column[rows] for name, column in self.values.items()}
        return Listed(self.sources[rows], self.targets[rows], values)

    def within(self, source_codes: np.ndarray, target_codes: np.ndarray) -> Listed:
        """Returns the pairs whose nodes are both selected (class codes not -1)."""
        chosen = (source_codes[self.sources] >= 0) & (target_codes[self.targets] >= 0)
        return self.take(np.flatnonzero(chosen))

    def block(self, low: int, high: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Counts int64 [high - low], sources, and the first row of targets low to high."""
        first, last = np.searchsorted(self.targets, (low, high))
        counts = np.bincount(self.targets[first:last] - low, minlength=high - low)
        return counts.astype(np.int64), self.sources[first:last], int(first)


def sorted_pairs(sources: np.ndarray, targets: np.ndarray, values: dict) -> Listed:
    """Sorts pairs by (target, source), stably."""
    pairs = Listed(np.asarray(sources, np.int64), np.asarray(targets, np.int64), values)
    return pairs.take(np.lexsort((pairs.sources, pairs.targets)))


def one_to_one(
    source: Classes, target: Classes, path: KeyPath, findings: Findings
) -> Listed | None:
    """Pairs the first selected source with the first selected target, and so on."""
    pre, post = np.flatnonzero(source.codes >= 0), np.flatnonzero(target.codes >= 0)
    if len(pre) != len(post):
        message = f"one_to_one over {len(pre)} sources and {len(post)} targets"
        findings.add(path, message, "select equally many")
        return None
    return sorted_pairs(pre, post, {})


def read_listed(
    name: str, sizes: tuple[int, int], path: KeyPath, findings: Findings
) -> Listed | None:
    """Reads a table of pairs; None with problems in ``findings`` when it cannot be used.

    Args:
        name: File of the config: ``.csv``, ``.parquet`` or ``.npz``.
        sizes: Number of nodes in the source and the target population.
        path: Key path of the rule's law.
        findings: Receives problems.
    """
    at = (*path, "file")
    try:
        file = findings.folder(name)
        if not file.is_file():
            findings.add(at, f"no such file: {name!r}", f"looked for {file}")
            return None
        if file.suffix == ".npz":
            return _from_sparse(file, sizes, at, findings)
        frame = _frame(file, at, findings)
    except ConfigError as error:
        findings.problems.extend(error.problems)
        return None
    return None if frame is None else _from_frame(frame, file, sizes, findings)


def _frame(file: Path, path: KeyPath, findings: Findings) -> pd.DataFrame | None:
    if file.suffix == ".csv":
        return read_csv(file).apply(pd.to_numeric, errors="coerce")
    if file.suffix in (".parquet", ".pq"):
        try:
            return pd.read_parquet(file).apply(pd.to_numeric, errors="coerce")
        except ImportError:
            findings.add(
                path, "Parquet needs pyarrow", "pip install 'sonatina[parquet]', or write CSV"
            )
        except (OSError, ValueError) as error:
            text = " ".join(f"{file}: {error}".split())
            findings.add(path, f"cannot be read as Parquet ({text})", "write it anew, or as CSV")
        return None
    findings.add(path, f"unknown table format {file.suffix!r}", "write .csv, .parquet or .npz")
    return None


def _from_frame(
    frame: pd.DataFrame, file: Path, sizes: tuple[int, int], findings: Findings
) -> Listed | None:
    missing = [name for name in ("source", "target") if name not in frame]
    unknown = [name for name in frame if name not in ("source", "target", *VALUES)]
    if missing or unknown:
        hint = f"write source,target and any of {', '.join(VALUES)}"
        findings.add_line(file, 1, f"columns are {list(frame)}", hint)
        return None
    bad = ~np.isfinite(frame.to_numpy(np.float64)).all(axis=1)
    for name in {"nsyns", "delay"} & set(frame):
        bad |= ~(frame[name].to_numpy(np.float64) >= 0)
    for name, size in zip(("source", "target"), sizes, strict=True):
        ids = frame[name].to_numpy(np.float64)
        with np.errstate(invalid="ignore"):
            bad |= ~((ids >= 0) & (ids < size) & (ids == np.floor(ids)))
    for row in np.flatnonzero(bad)[:20]:
        found = ",".join(str(value) for value in frame.iloc[row])
        hint = f"ids run to {sizes[0] - 1} and {sizes[1] - 1}; all cells are numbers"
        line = int(row) + (2 if file.suffix == ".csv" else 1)  # Parquet has rows, no title line
        findings.add_line(file, line, f"not a pair: {found}", hint)
    if bad.any():
        return None
    values = {name: frame[name].to_numpy(np.float64) for name in VALUES if name in frame}
    return sorted_pairs(frame["source"].to_numpy(), frame["target"].to_numpy(), values)


def _from_sparse(
    file: Path, sizes: tuple[int, int], path: KeyPath, findings: Findings
) -> Listed | None:
    try:
        matrix = sparse.load_npz(file).tocoo()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        text = " ".join(f"{file}: {error}".split())
        hint = "write it with scipy.sparse.save_npz"
        findings.add(path, f"cannot be read as a sparse matrix ({text})", hint)
        return None
    if matrix.shape != sizes:
        message = f"matrix is {matrix.shape[0]} x {matrix.shape[1]}"
        findings.add(path, message, f"the populations have {sizes[0]} and {sizes[1]} nodes")
        return None
    counts = matrix.data.astype(np.float64)
    if (counts < 0).any() or (counts != np.floor(counts)).any():
        findings.add(path, "entries are no counts", "list weights in a table instead")
        return None
    kept = np.flatnonzero(counts > 0)
    return sorted_pairs(matrix.row[kept], matrix.col[kept], {"nsyns": counts[kept]})


def read_profile(name: str, path: KeyPath, findings: Findings) -> np.ndarray:
    """Reads a curve over distance, columns ``distance`` (um) and ``factor``.

    Args:
        name: CSV of the config.
        path: Key path of the rule's law.
        findings: Receives problems.

    Returns:
        float64 [n, 2]; a flat curve where there are problems.
    """
    flat = np.array([[0.0, 1.0]])
    try:
        file = findings.folder(name)
        frame = read_csv(file)
    except ConfigError as error:
        findings.problems.extend(error.problems)
        return flat
    if sorted(frame) != ["distance", "factor"] or not len(frame):
        found = f"columns are {list(frame)}, {len(frame)} rows"
        findings.add_line(file, 1, found, "write distance,factor and a row per knot")
        return flat
    curve = frame[["distance", "factor"]].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    bad = ~np.isfinite(curve).all(axis=1) | ~(curve >= 0).all(axis=1)
    bad[1:] |= ~(np.diff(curve[:, 0]) > 0)
    for row in np.flatnonzero(bad)[:20]:
        found = ",".join(frame.iloc[row])
        hint = "distances in um ascend from 0 or more; a factor is a number of 0 or more"
        findings.add_line(file, int(row) + 2, f"not a knot of a curve: {found}", hint)
    return flat if bad.any() else curve
