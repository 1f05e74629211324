"""Stage ``analyse``: tables of structure, activity and verdicts from a built circuit."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.analysis import activity, structure
from pipeline.analysis.behaviour import analyse_behaviours
from pipeline.analysis.circuit import read_cells, read_edge_sets
from pipeline.analysis.clamp import clamp_metrics
from pipeline.analysis.damage import analyse_damage
from pipeline.analysis.engines import analyse_engines
from pipeline.analysis.levels import analyse_levels
from pipeline.analysis.morphologies import (
    beside_real,
    comparison_metrics,
    morphology_metrics,
)
from pipeline.analysis.network_tables import analyse_network
from pipeline.analysis.populations import analyse_populations
from pipeline.analysis.psp import analyse_psp
from pipeline.analysis.reference import COLUMNS, verdict_table
from pipeline.analysis.response_tables import analyse_responses
from pipeline.analysis.rules import analyse_rules
from pipeline.analysis.sources import input_rates
from pipeline.analysis.structure import Metric
from pipeline.analysis.touches import analyse_touches, touch_edges
from pipeline.config.load import Resolved
from pipeline.config.reference import read_reference
from pipeline.config.rules import RuleEdges
from pipeline.config.simulation import PoissonInput, Simulation, SpikeInput, VolleyInput
from pipeline.config.tables import read_csv
from pipeline.runtime import write_text
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.reports import read_report

logger = logging.getLogger(__name__)
Cells = dict[str, pd.DataFrame]


def run_analysis(resolved: Resolved, paths: CircuitPaths) -> pd.DataFrame:
    """Writes all analysis tables; equal inputs give equal bytes.

    What has not been made (a simulation, the clamps) is left out and its targets are not measured.

    Args:
        resolved: The model.
        paths: The circuit; nodes and edges exist.

    Returns:
        The verdict table (empty without a reference).

    Raises:
        CircuitError: If nodes, edges or reports are missing or damaged.
        ConfigError: If the reference or a table of the model is wrong.
    """
    cells = read_cells(resolved, paths)
    metrics: list[Metric] = []
    table = structure.compartments(resolved, paths, cells)
    metrics += structure.cell_metrics(table)
    metrics += _edges(resolved, paths, cells)
    metrics += _plain(resolved, paths)
    metrics += _morphologies(resolved, paths)
    metrics += clamp_metrics(resolved, paths)
    for name, simulation in resolved.model.simulation.items():
        found, columns = _simulation(resolved, paths, name, simulation, cells)
        metrics += found
        if len(columns) and len(table):
            table = table.merge(columns, "left", ["population", "node_id"])
    metrics += _correlation(resolved, paths, cells)
    tracks, found = analyse_behaviours(resolved, paths)
    metrics += found
    damaged, found = analyse_damage(resolved, paths)
    metrics += found
    for key, track in (tracks | damaged).items():
        _write(paths.analysis(key), track)
    metrics += _premotor(paths)
    metrics += _training(resolved, paths)
    found, pairs = analyse_psp(paths) if resolved.model.psp else ([], pd.DataFrame())
    metrics += found
    activities, found = analyse_network(resolved, paths)
    metrics += found
    levels, found = analyse_levels(resolved, paths)
    metrics += found
    engines, found = analyse_engines(resolved, paths)
    metrics += found
    for key, frame in (activities | levels | engines).items():
        _write(paths.analysis(key), frame)
    responses = analyse_responses(resolved, paths)
    metrics += responses.metrics
    for key, found in responses.tables.items():
        _write(paths.analysis(key), found)
    if len(table.columns):
        _write(paths.analysis("cells"), table)
    frame = pd.DataFrame(metrics, columns=["metric", "value", "unit"])
    _write(paths.analysis("metrics"), frame)
    verdicts = pd.DataFrame(columns=list(COLUMNS))
    if resolved.model.reference:
        reference, _ = read_reference(resolved.path(resolved.model.reference))
        values = {name: value for name, value, _ in metrics}
        verdicts = verdict_table(reference, values, resolved.tree)
    judged = [frame for frame in (verdicts, pairs, responses.verdicts) if len(frame)]
    if len(judged) > 1 or not len(verdicts):
        verdicts = pd.concat(judged, ignore_index=True) if judged else verdicts
    _write(paths.analysis("verdicts"), verdicts)
    return verdicts


def _premotor(paths: CircuitPaths) -> list[Metric]:
    if not paths.analysis("premotor").is_file():
        return []
    table = pd.read_csv(paths.analysis("premotor"))
    return [(f"premotor.{figure}", value, "") for figure, value in table.to_numpy()]


def _training(resolved: Resolved, paths: CircuitPaths) -> list[Metric]:
    """What training came to: of this circuit where it has run, else as the model ships it."""
    found: list[Metric] = []
    for name, entry in resolved.model.training.items():
        shipped = resolved.path(entry.figures) if entry.figures else None
        for path in (paths.training(name) / "figures.csv", shipped):
            if path and path.is_file():
                rows = read_csv(path).to_numpy()
                found += [(f"training.{name}.{figure}", float(value), "") for figure, value in rows]
                break
    return found


def _write(path: Path, table: pd.DataFrame) -> None:
    """Nine digits keep every number a reader needs and hide the last bits of sums."""
    write_text(path, table.to_csv(index=False, float_format="%.9g", lineterminator="\n"))


def _edges(resolved: Resolved, paths: CircuitPaths, cells: Cells) -> list[Metric]:
    sets = read_edge_sets(resolved, paths, cells)
    if not sets:
        return []
    for name, build in (
        ("degrees", structure.degrees),
        ("type_matrix", structure.type_matrix),
        ("contact_distances", structure.contact_distances),
    ):
        frames = [build(edges, cells) for edges in sets]
        _write(paths.analysis(name), pd.concat(frames, ignore_index=True))
    return structure.edge_metrics(sets)


def _plain(resolved: Resolved, paths: CircuitPaths) -> list[Metric]:
    """Tables and metrics of cells without morphologies and of edges made by rules."""
    tables, metrics = analyse_populations(resolved, paths)
    joined: dict[str, list[pd.DataFrame]] = {}
    for name, edges in resolved.model.edges.items():
        if isinstance(edges, RuleEdges):
            found, more = analyse_rules(resolved, name, paths)
            metrics += more
            for key, table in found.items():
                joined.setdefault(key, []).append(table)
    tables |= {key: pd.concat(frames, ignore_index=True) for key, frames in joined.items()}
    for name in touch_edges(resolved):
        found, more = analyse_touches(resolved, name, paths)
        metrics += more
        tables |= found
    for key, table in tables.items():
        _write(paths.analysis(key), table)
    return metrics


def _morphologies(resolved: Resolved, paths: CircuitPaths) -> list[Metric]:
    """Layers that neurites reach, and grown cells beside real ones."""
    metrics = morphology_metrics(paths)
    if real := getattr(resolved.model.morphologies, "real", None):
        tables = beside_real(paths, resolved.path(real))
        for key, table in tables.items():
            _write(paths.analysis(key), table)
        if tables:
            metrics += comparison_metrics(tables["morphology_comparison"])
    return metrics


def _names(cells: Cells, population: str, node_ids: np.ndarray) -> list[str]:
    """Names of cells; their ids where a population has no names."""
    if population not in cells:
        return [str(node) for node in node_ids]
    return cells[population]["name"].loc[node_ids].tolist()


def _simulation(
    resolved: Resolved, paths: CircuitPaths, name: str, simulation: Simulation, cells: Cells
) -> tuple[list[Metric], pd.DataFrame]:
    """Voltage tables and metrics of one run, and its columns of the cell table."""
    metrics: list[Metric] = []
    columns = pd.DataFrame()
    for record in simulation.record:
        voltage = activity.read_voltage(resolved, paths, name, record)
        if voltage is None:
            logger.warning("%s: no report %s; its analysis is left out", name, record)
            continue
        head = f"{name}.{record}"
        names = _names(cells, voltage.population, voltage.node_ids)
        summary = activity.summarise(voltage.data)
        metrics += [
            (f"{head}.cells", len(names), ""),
            (f"{head}.mean_voltage", float(summary["mean_mV"].mean()), "mV"),
            (f"{head}.mean_sd", float(summary["sd_mV"].mean()), "mV"),
            (f"{head}.not_finite", int((~np.isfinite(voltage.data)).sum()), ""),
        ]
        keys = {"population": voltage.population, "node_id": voltage.node_ids}
        found = pd.DataFrame(keys).join(summary.add_prefix(f"{head}."))
        columns = columns.merge(found, "outer", list(keys)) if len(columns) else found
        thinned = activity.thin(voltage.times, voltage.data, names)
        _write(paths.analysis(f"voltage_{name}_{record}"), thinned)
    for key, stimulus in simulation.inputs.items():
        path = paths.simulation(name) / f"input_{key}.h5"
        if isinstance(stimulus, SpikeInput | PoissonInput | VolleyInput):
            rates = input_rates(resolved, paths, name, key)
            if rates is not None:
                _write(paths.analysis(f"sources_{name}_{key}"), rates)
        elif path.is_file():
            population = activity.population_of(resolved, paths, stimulus.nodes)
            report = read_report(path, population)
            names = _names(cells, population, report.node_ids)
            thinned = activity.thin(report.times, report.data, names)
            _write(paths.analysis(f"input_{name}_{key}"), thinned)
    return metrics, columns


def _correlation(resolved: Resolved, paths: CircuitPaths, cells: Cells) -> list[Metric]:
    wanted = resolved.model.analysis.correlation
    if wanted is None:
        return []
    voltage = activity.read_voltage(resolved, paths, wanted.simulation, wanted.record)
    if voltage is None:
        return []
    names = _names(cells, voltage.population, voltage.node_ids)
    window = voltage.data[voltage.times >= wanted.skip]
    target = activity.read_target(resolved.path(wanted.reference))
    result = activity.compare(window, names, target)
    _write(paths.analysis(f"correlation_{wanted.simulation}"), result.pairs)
    if result.missing:
        logger.warning("cells of the published matrix not recorded: %s", ", ".join(result.missing))
    metrics: list[Metric] = [
        ("correlation.pairs", result.used, ""),
        ("correlation.cells_missing", len(result.missing), ""),
        ("correlation.constant_traces", len(result.flat), ""),
    ]
    if math.isfinite(result.mse):
        metrics.append(("correlation.mse", result.mse, ""))
    return metrics
