"""Tables and metrics of behaviours: gait, track, and the way to sources."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.analysis.starts import start_figures, starts_table, touch_figures
from pipeline.analysis.structure import Metric
from pipeline.body.gait import measure_gait
from pipeline.body.record import Record, read_record
from pipeline.config.behaviour import Behaviour
from pipeline.config.load import Resolved
from pipeline.sonata.layout import CircuitPaths


def analyse_behaviours(
    resolved: Resolved, paths: CircuitPaths
) -> tuple[dict[str, pd.DataFrame], list[Metric]]:
    """Measures every behaviour that has run.

    Returns:
        Tables by name (``track_<name>``: time, head, centre, concentration), and metrics
        ``behaviour.<name>.<figure>``.

    Raises:
        CircuitError: If a record is damaged.
    """
    tables, metrics = {}, []
    for name, config in resolved.model.behaviours.items():
        if not paths.behaviour(name).is_file():
            continue
        record = read_record(paths.behaviour(name))
        tables[f"track_{name}"] = track_table(record)
        if record.starts:
            tables[f"starts_{name}"] = starts_table(config, record)
        metrics += [
            (f"behaviour.{name}.{figure}", value, unit)
            for figure, value, unit in figures(config, record)
        ]
    return tables, metrics


def track_table(record: Record) -> pd.DataFrame:
    """Returns one row per frame: head and centre (um), concentration at the head."""
    head, centre = record.positions[:, 0], record.positions.mean(1)
    return pd.DataFrame(
        {
            "time_ms": record.time,
            "head_x_um": head[:, 0],
            "head_y_um": head[:, 1],
            "centre_x_um": centre[:, 0],
            "centre_y_um": centre[:, 1],
            "concentration": record.concentration,
        }
    )


def figures(config: Behaviour, record: Record) -> list[tuple[str, float, str]]:
    """Returns name, value and unit of every figure of one behaviour."""
    kept = record.time >= config.settle
    centre = record.positions.mean(1)
    gait = measure_gait(record.curvature[kept], centre[kept], config.interval)
    found = [
        ("frequency", gait.frequency, "Hz"),
        ("wavelength", gait.wavelength, "body lengths"),
        ("curvature", gait.amplitude, "1/mm"),
        ("speed", gait.speed / 1000, "mm/s"),
        ("displacement", float(np.linalg.norm(centre[-1] - centre[0])) / 1000, "mm"),
    ]
    for name, source in config.environment.sources.items():
        distance = np.linalg.norm(record.positions[:, 0] - source.place, axis=1)
        index = (distance[0] - distance[-1]) / max(distance[0], 1e-9)
        found.append((f"{name}.approach", float(index), ""))
        near = np.flatnonzero(distance <= config.arrived)
        if len(near):
            found.append((f"{name}.time_to_source", float(record.time[near[0]]) / 1000, "s"))
    found += touch_figures(config, record)
    return found + (start_figures(config, record) if record.starts else [])
