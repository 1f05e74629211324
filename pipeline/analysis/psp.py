"""Paired recordings in silico beside published ones: metrics and verdicts from the stage's tables."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from pipeline.analysis.reference import COLUMNS, FAIL, INFORMATION, NOT_MEASURED, PASS
from pipeline.analysis.structure import Metric
from pipeline.config.psp import PSP_FEATURES
from pipeline.sonata.layout import CircuitPaths

_TITLES = {
    "psp": "mean potential", "synapses": "synapses per connection",
    "cv": "variation between trials", "failures": "share of failures", "latency": "latency",
    "rise": "rise time (20 to 80 %)", "decay": "decay time constant",
}  # fmt: skip


def read_pathways(paths: CircuitPaths) -> pd.DataFrame:
    """Reads the table of pathways; empty if the stage has not run."""
    path = paths.psp("pathways")
    return pd.read_csv(path) if path.is_file() else pd.DataFrame()


def analyse_psp(paths: CircuitPaths) -> tuple[list[Metric], pd.DataFrame]:
    """Judges every published number of every pathway.

    A mean over connections passes within one published sd. Without an sd it is shown only.

    Returns:
        Metrics ``psp.<pathway>.<feature>``, and verdicts with the columns of ``COLUMNS``.
    """
    table = read_pathways(paths)
    metrics: list[Metric] = []
    rows = []
    for row in table.to_dict("records"):
        for feature, unit in PSP_FEATURES.items():
            name, ours = f"psp.{row['pathway']}.{feature}", float(row[feature])
            if math.isfinite(ours):
                metrics.append((name, ours, unit))
            if math.isfinite(row[f"published_{feature}"]):
                rows.append(_verdict(name, row, feature, unit))
        metrics.append((f"psp.{row['pathway']}.pairs", int(row["pairs"]), ""))
    judged = pd.DataFrame(rows, columns=list(COLUMNS))
    if len(judged):
        for verdict in (PASS, FAIL):
            count = int((judged["verdict"] == verdict).sum())
            metrics.append((f"psp.{verdict}", count, ""))
    return metrics, judged


def _verdict(name: str, row: dict[str, Any], feature: str, unit: str) -> dict[str, Any]:
    mean, sd, ours = (
        float(row[key]) for key in (f"published_{feature}", f"published_{feature}_sd", feature)
    )
    if not row["pairs"]:
        verdict = NOT_MEASURED
        failed = f"{row['failed']} could not be recorded." if row["failed"] else ""
        note = failed or "No such connection in this circuit."
    else:
        note = f"{row['pairs']} connections."
        verdict = INFORMATION
        if math.isfinite(sd):
            verdict = PASS if abs(ours - mean) <= sd * (1 + 1e-9) else FAIL
    more = row.get("note")
    return {
        "metric": name, "title": f"{row['pathway']}: {_TITLES[feature]}", "published": mean,
        "ours": ours, "unit": unit,
        "tolerance": f"± {sd:g} {unit}".rstrip() if math.isfinite(sd) else "",
        "verdict": verdict, "source": row["source"],
        "note": f"{note} {more}".strip() if isinstance(more, str) else note,
    }  # fmt: skip
