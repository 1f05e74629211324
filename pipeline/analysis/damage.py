"""What changes of a circuit did, over seeds, beside the control of the same seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.analysis.starts import interval
from pipeline.analysis.structure import Metric
from pipeline.config.load import Resolved
from pipeline.sonata.layout import CircuitPaths

UNITS = {
    "error": "", "correlation_change": "", "displacement": "mm", "displacement_change": "%",
    "frequency": "Hz", "wavelength": "body lengths", "speed": "mm/s",
}  # fmt: skip
"""Figures of a change and their units."""


@dataclass(frozen=True)
class Outcome:
    """One change with one seed.

    Attributes:
        figures: Name to value, as the stage ``damage`` wrote them.
        correlations: float64 [pairs].
        track: float32 [points, 2], way of the head, um.
    """

    figures: dict[str, float]
    correlations: np.ndarray
    track: np.ndarray


def read_damage(resolved: Resolved, paths: CircuitPaths) -> dict[str, dict[int, Outcome]]:
    """Reads what has been done: change to seed to outcome."""
    config, found = resolved.model.damage, {}
    for name in config.changes if config else ():
        found[name] = {}
        for seed in config.seeds:
            path = paths.damage(name, seed)
            if path.is_file():
                with np.load(path) as file:
                    figures = dict(
                        zip(file["names"].tolist(), file["values"].tolist(), strict=True)
                    )
                    found[name][seed] = Outcome(figures, file["correlations"], file["track"])
    return found


def analyse_damage(
    resolved: Resolved, paths: CircuitPaths
) -> tuple[dict[str, pd.DataFrame], list[Metric]]:
    """Gives every change its figures over seeds.

    Beside what the stage measured: correlation_change (mean squared difference to the control's
    correlations), displacement_change (percent of the control's displacement); both against the control of
    the same seed.

    Returns:
        Table ``damage`` (change, title, figure, seeds, mean, low, high, unit; the ends of the 95 % interval of
        Student over seeds, NaN for one) and ``damage_seeds`` (change, seed, figures), and metrics
        ``damage.<change>.<figure>`` with ``_low`` and ``_high``.
    """
    outcomes = read_damage(resolved, paths)
    if not any(outcomes.values()):
        return {}, []
    config, rows, metrics, every = resolved.model.damage, [], [], []
    for name, seeds in outcomes.items():
        found = pd.DataFrame(
            [_figures(outcome, outcomes[config.control].get(s)) for s, outcome in seeds.items()]
        )
        every.append(found.assign(change=name, seed=list(seeds)))
        for figure, unit in UNITS.items():
            values = found[figure].dropna().to_numpy() if figure in found else np.empty(0)
            if not len(values):
                continue
            spread = interval(f"damage.{name}.{figure}", values, unit)
            metrics += spread
            ends = [value for _, value, _ in spread] + [np.nan, np.nan]
            title = config.changes[name].title or name
            rows.append((name, title, figure, len(values), *ends[:3], unit))
    columns = ["change", "title", "figure", "seeds", "mean", "low", "high", "unit"]
    table = pd.concat(every, ignore_index=True)
    table = table[["change", "seed", *(c for c in table if c not in ("change", "seed"))]]
    return {"damage": pd.DataFrame(rows, columns=columns), "damage_seeds": table}, metrics


def _figures(outcome: Outcome, control: Outcome | None) -> dict[str, float]:
    found = dict(outcome.figures)
    if control is None or control is outcome:
        return found
    difference = outcome.correlations - control.correlations
    found["correlation_change"] = float((difference**2).mean())
    before = control.figures["displacement"]
    found["displacement_change"] = 100 * (found["displacement"] / before - 1)
    return found
