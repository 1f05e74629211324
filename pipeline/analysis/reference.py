"""Holds our numbers beside the published ones and says pass or fail."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.config.reference import Reference, Target

PASS, FAIL = "pass", "fail"
NOT_APPLICABLE, NOT_MEASURED, INFORMATION = "not applicable", "not measured", "information"
VERDICTS = (PASS, FAIL, NOT_APPLICABLE, NOT_MEASURED, INFORMATION)
COLUMNS = (
    "metric", "title", "published", "ours", "unit", "tolerance", "verdict", "source", "note"
)  # fmt: skip
_SLACK = 1e-9
_MISSING = object()


def verdict_table(
    reference: Reference, metrics: Mapping[str, float], tree: Mapping[str, Any]
) -> pd.DataFrame:
    """Judges every target.

    Args:
        reference: The published values.
        metrics: Metric name to our value, in the target's unit.
        tree: The resolved model, for the targets' conditions.

    Returns:
        One row per target in the file's order; columns as in ``COLUMNS``. ``ours`` is NaN when it
        was not measured or the target does not apply to this model.
    """
    rows = [_row(target, metrics, tree) for target in reference.targets]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def counts(table: pd.DataFrame) -> dict[str, int]:
    """Returns how many targets got each verdict, in the order of ``VERDICTS``."""
    found = table["verdict"].value_counts()
    return {verdict: int(found.get(verdict, 0)) for verdict in VERDICTS}


def _row(target: Target, metrics: Mapping[str, float], tree: Mapping[str, Any]) -> dict[str, Any]:
    ours, verdict, remark = _judge(target, metrics, tree)
    return {
        "metric": target.metric,
        "title": target.title,
        "published": target.value,
        "ours": ours,
        "unit": target.unit,
        "tolerance": tolerance_text(target),
        "verdict": verdict,
        "source": target.source,
        "note": " ".join(text for text in (remark, target.note) if text),
    }


def _judge(
    target: Target, metrics: Mapping[str, float], tree: Mapping[str, Any]
) -> tuple[float, str, str]:
    unmet = unmet_condition(target, tree)
    if unmet:
        return math.nan, NOT_APPLICABLE, unmet
    if target.metric not in metrics:
        return math.nan, NOT_MEASURED, ""
    ours = float(metrics[target.metric])
    if target.kind == "information":
        return ours, INFORMATION, ""
    if not math.isfinite(ours):
        return ours, FAIL, "Our value is not a finite number."
    return ours, PASS if accepts(target, ours) else FAIL, ""


def accepts(target: Target, ours: float) -> bool:
    """Whether a finite value meets a target; rounding in the last digits does not decide."""
    margin = target.margin + _SLACK * abs(target.value)
    below, above = ours >= target.value - margin, ours <= target.value + margin
    return {"at_most": above, "at_least": below}.get(target.kind, below and above)


def unmet_condition(target: Target, tree: Mapping[str, Any]) -> str:
    """Returns the first condition the model does not meet, as a sentence; empty when all hold."""
    for path, wanted in target.when.items():
        allowed = wanted if isinstance(wanted, list) else [wanted]
        found = _lookup(tree, path)
        if found is _MISSING:
            return f"This model has no {path}."
        if found not in allowed:
            return f"Needs {path} = {' or '.join(map(str, allowed))}; it is {found} here."
    return ""


def _lookup(tree: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(tree, Mapping) or key not in tree:
            return _MISSING
        tree = tree[key]
    return tree


def tolerance_text(target: Target) -> str:
    """Returns the tolerance as a reader wants it: ``exact``, ``± 5 %``, ``at most +10 %``."""
    if target.kind == "information":
        return ""
    if target.tolerance_fraction is not None:
        size = f"{100 * target.tolerance_fraction:g} %"
    else:
        size = f"{target.margin:g} {target.unit}".rstrip()
    if target.kind == "within":
        return f"± {size}" if target.margin else "exact"
    words, sign = ("at most", "+") if target.kind == "at_most" else ("at least", "−")
    return f"{words} {sign}{size}" if target.margin else f"{words} the value"
