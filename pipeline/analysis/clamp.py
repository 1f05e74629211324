"""Clamp protocols against recordings: how far our steady states lie from the measured ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.analysis.structure import Metric
from pipeline.config.load import Resolved
from pipeline.errors import CircuitError
from pipeline.sonata.layout import CircuitPaths

COLUMNS = ("level", "steady", "reference", "published_model")


def agreement(ours: np.ndarray, reference: np.ndarray) -> tuple[float, float, int]:
    """Root mean square difference and Pearson correlation over levels known on both sides.

    Args:
        ours: float [levels].
        reference: float [levels]; NaN where unknown.

    Returns:
        RMSE in the data's unit, r (NaN below two levels or when one side is constant), and the
        number of levels used.
    """
    ours, reference = np.asarray(ours, np.float64), np.asarray(reference, np.float64)
    both = np.isfinite(ours) & np.isfinite(reference)
    a, b = ours[both], reference[both]
    if not len(a):
        return np.nan, np.nan, 0
    rmse = float(np.sqrt(np.mean((a - b) ** 2)))
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return rmse, np.nan, len(a)
    return rmse, float(np.corrcoef(a, b)[0, 1]), len(a)


def read_clamp(paths: CircuitPaths, protocol: str) -> pd.DataFrame | None:
    """Reads ``analysis/clamp_<protocol>.csv``; None when the clamp stage has not run.

    Returns:
        level (nA or mV), steady, reference, published_model (mV or nA; NaN where empty).

    Raises:
        CircuitError: If columns are missing.
    """
    path = paths.analysis(f"clamp_{protocol}")
    if not path.is_file():
        return None
    table = pd.read_csv(path)
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise CircuitError(f"{path}: no column {missing[0]!r}; run the clamps again")
    return table[list(COLUMNS)].astype(np.float64)


def clamp_metrics(resolved: Resolved, paths: CircuitPaths) -> list[Metric]:
    """``clamp.<protocol>.rmse``, ``.r`` and ``.levels`` of every protocol with a recording.

    ``.published_rmse`` is the same for the published model, as a yardstick.
    """
    found: list[Metric] = []
    protocols = resolved.model.cells.protocols if resolved.model.cells else {}
    for name, protocol in protocols.items():
        table = read_clamp(paths, name)
        if table is None:
            continue
        unit = "mV" if protocol.kind == "current_clamp" else "nA"
        rmse, r, levels = agreement(table["steady"], table["reference"])
        if levels:
            head = f"clamp.{name}"
            found += [(f"{head}.rmse", rmse, unit), (f"{head}.r", r, "")]
            found.append((f"{head}.levels", levels, ""))
        theirs, _, known = agreement(table["published_model"], table["reference"])
        if known:
            found.append((f"clamp.{name}.published_rmse", theirs, unit))
        between, _, known = agreement(table["steady"], table["published_model"])
        if known:
            found.append((f"clamp.{name}.rmse_to_published", between, unit))
    return found
