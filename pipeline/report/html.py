"""Stage ``report``: one self-contained page, verdicts first, and its provenance."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.analysis.reference import COLUMNS, counts
from pipeline.config.load import Resolved
from pipeline.config.yaml_lines import dotted
from pipeline.report import provenance
from pipeline.report.activity import (
    layer_rows,
    published_side,
    response_figures,
    response_rows,
    source_tables,
)
from pipeline.report.anatomy import viewer_data
from pipeline.report.behaviour import behaviour_figures, player_data
from pipeline.report.column import column_figures
from pipeline.report.damage import damage_figures, damage_rows, training_tables
from pipeline.report.figures import Tables, activity_figures, circuit_figures, clamp_figures
from pipeline.report.fits import fit_figures
from pipeline.report.levels import engine_rows, level_figures
from pipeline.report.morphologies import morphology_section
from pipeline.report.network import afferent_figures, network_figures
from pipeline.report.psp import psp_figures
from pipeline.report.rules import (
    population_rows,
    rule_counts,
    rule_facts,
    rule_figures,
    type_rows,
)
from pipeline.report.style import type_colours
from pipeline.report.touches import touch_facts, touch_figures
from pipeline.runtime import write_json, write_text
from pipeline.sonata.layout import CircuitPaths

STAGE_ORDER = (
    "compile",
    "morphologies",
    "cells",
    "nodes",
    "edges",
    "circuit",
    "simulate",
    "psp",
    "behave",
    "damage",
    "premotor",
    "analyse",
    "report",
)
_LINKED = (
    "metrics", "verdicts", "cells", "populations", "responses", "responses_similarity",
    "responses_rhythm", "damage", "damage_seeds", "engines",
)  # fmt: skip


def run_report(resolved: Resolved, paths: CircuitPaths) -> Path:
    """Writes ``report.html`` and ``provenance.json``.

    The page holds neither date nor absolute path: equal tables and equal software give equal bytes.

    Args:
        resolved: The model.
        paths: The circuit; its analysis has run.

    Returns:
        The page.

    Raises:
        CircuitError: If analysis tables are damaged.
        MorphologyError: If a morphology cannot be drawn.
    """
    origin = provenance.collect(resolved, paths)
    write_text(paths.report_page, render(page_content(resolved, paths, origin)))
    write_json(paths.provenance, origin | provenance.stamp())
    return paths.report_page


def render(content: dict[str, Any], template: str = "template.html.j2") -> str:
    """Fills a template; every value is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    return environment.get_template(template).render(content)


def page_content(resolved: Resolved, paths: CircuitPaths, origin: dict[str, Any]) -> dict[str, Any]:
    """Gathers everything the template shows."""
    tables = Tables(resolved, paths)
    verdicts = tables["verdicts"]
    verdicts = verdicts if len(verdicts) else pd.DataFrame(columns=list(COLUMNS))
    model = resolved.model
    return {
        "model": model,
        "title": model.report.title or model.title or model.name,
        "facts": _facts(tables),
        "verdicts": verdicts.astype(object).where(verdicts.notna(), None).to_dict("records"),
        "counts": {name: n for name, n in counts(verdicts).items() if n},
        "types": _types(tables) or type_rows(tables),
        "circuit": [
            *circuit_figures(tables), *column_figures(tables), *rule_figures(tables),
            *touch_figures(tables),
        ],
        "morphologies": morphology_section(tables),
        "populations": population_rows(tables),
        "rule_counts": rule_counts(tables),
        "viewer": _viewer(tables),
        "circuit_counts": _circuit_counts(tables),
        "clamps": [*clamp_figures(tables), *fit_figures(tables), *psp_figures(tables)],
        "activity": [
            *response_figures(tables), *afferent_figures(tables), *network_figures(tables),
            *level_figures(tables), *activity_figures(tables),
        ],
        "behaviour": behaviour_figures(tables),
        "player": player_data(tables),
        "training": training_tables(tables),
        "damage": damage_rows(tables), "damage_figures": damage_figures(tables),
        "responses": response_rows(tables), "published": published_side(tables),
        "layers": layer_rows(tables),
        "engines": engine_rows(tables),
        "sources": source_tables(tables),
        "costs": costs(paths),
        "runs": _runs(resolved, paths),
        "origin": origin,
        "mechanisms": _json(paths.mechanisms),
        "config": config_rows(resolved),
        "tables": {name: tables.link(name) for name in _LINKED if paths.analysis(name).is_file()},
        "commands": {stage: tables.command(stage) for stage in ("analyse", "report")},
    }  # fmt: skip


def number(value: Any) -> str:
    """Writes a number for readers: four digits, thin spaces in large numbers, a dash for none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\u202f" if abs(value) >= 10000 else "")
    return f"{value:.4g}".replace("-", "−")


def _json(path: Path) -> dict[str, Any]:
    """Reads a JSON file another stage may have left; empty when it did not."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _facts(tables: Tables) -> list[tuple[str, str]]:
    """The few numbers under the headline."""
    model = tables.resolved.model
    found = []
    for metric, label in (("cells.count", "neurons"), ("cells.segments", "compartments"),
                          ("cells.neurite_length", "mm of neurite")):  # fmt: skip
        value = tables.metric(metric)
        if value is not None:
            shown = f"{value:.1f}" if metric.endswith("length") else number(value)
            found.append((shown, label))
    kinds = (("chemical", "chemical contacts", 1), ("electrical", "gap junctions", 2))
    for kind, label, share in kinds:
        values = [tables.metric(f"{name}.{kind}.contacts") for name in model.edges]
        known = [value for value in values if value is not None]
        if known:
            found.append((number(sum(known) / share), label))
    return found + [
        (number(value), label) for value, label in (*rule_facts(tables), *touch_facts(tables))
    ]


def _types(tables: Tables) -> list[dict[str, Any]]:
    cells = tables["cells"]
    if cells.empty:
        return []
    kinds = cells["type"].astype(str)
    palette = type_colours(kinds)
    sizes = kinds.value_counts()
    return [
        {"name": kind, "count": int(sizes[kind]), "colour": palette[kind],
         "share": round(100 * int(sizes[kind]) / int(sizes.max()), 1)}
        for kind in palette
    ]  # fmt: skip


def _viewer(tables: Tables) -> dict[str, Any] | None:
    if tables.shapes is None:
        return None
    return viewer_data(tables.shapes, tables["cells"]["type"].astype(str))


def _circuit_counts(tables: Tables) -> list[dict[str, Any]]:
    """One row per edge config and kind: connectome, cells of the circuit, contacts."""
    rows = []
    for config in tables.resolved.model.edges:
        for kind in ("chemical", "electrical"):
            head = f"{config}.{kind}"
            row = {name: tables.metric(f"{head}.{key}") for name, key in (
                ("table", "connectome.pairs"), ("among", "among_cells.pairs"),
                ("pairs", "pairs"), ("contacts", "contacts"), ("distance", "distance_median"),
            )}  # fmt: skip
            if row["contacts"] is not None:
                rows.append({"name": f"{config}: {kind}"} | row)
    return rows


def costs(paths: CircuitPaths) -> list[dict[str, Any]]:
    """Time and memory of every stage that left a benchmark, in the order of the pipeline.

    Returns:
        stage, seconds, cpu (s), memory (MB), share (percent of the slowest); None where unknown.
    """
    folder = paths.benchmark("any").parent
    rows = []
    for path in sorted(folder.glob("*.tsv")):
        table = pd.read_csv(path, sep="\t", na_values=["-"])
        last = table.iloc[-1] if len(table) else pd.Series(dtype=float)
        rows.append(
            {"stage": path.stem}
            | {
                key: float(last[column]) if pd.notna(last.get(column)) else None
                for key, column in (("seconds", "s"), ("cpu", "cpu_time"), ("memory", "max_rss"))
            }
        )
    rows.sort(key=lambda row: (_stage_rank(row["stage"]), row["stage"]))
    slowest = max((row["seconds"] or 0.0 for row in rows), default=0.0)
    for row in rows:
        row["share"] = round(100 * (row["seconds"] or 0.0) / slowest, 1) if slowest else 0.0
    return rows


def _stage_rank(stage: str) -> int:
    head = next((s for s in STAGE_ORDER if stage.startswith(s)), "")
    return STAGE_ORDER.index(head) if head else len(STAGE_ORDER)


def _runs(resolved: Resolved, paths: CircuitPaths) -> list[dict[str, Any]]:
    """What each simulation said about its own run."""
    found = []
    for name, simulation in resolved.model.simulation.items():
        figures = _json(paths.simulation(name) / "figures.json")
        if figures:
            found.append({"name": name, "duration": simulation.duration} | {
                key: figures.get(key) for key in
                ("build_s", "run_s", "ranks", "balance", "cells", "segments", "continuous", "clamps")
            })  # fmt: skip
    return found


def config_rows(resolved: Resolved) -> list[dict[str, str]]:
    """Every value of the resolved model with the file and line it comes from, and its source.

    Returns:
        key (dotted path), value, origin (``model.yaml:12`` or ``default``), source.
    """
    rows = []
    for path, value in _leaves(resolved.tree, ()):
        written = resolved.document.origins.get(path)
        where, source = "default", ""
        if written is not None:
            file = provenance.short(Path(written.file), resolved.folder)
            where = f"{file}:{written.line}"
            source = "; ".join(text for text in (written.source, written.note) if text)
        shown = "–" if value is None else str(value)
        rows.append({"key": dotted(path), "value": shown, "origin": where, "source": source})
    return rows


def _leaves(value: Any, path: tuple):
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    elif isinstance(value, list) and any(isinstance(child, dict | list) for child in value):
        for index, child in enumerate(value):
            yield from _leaves(child, (*path, index))
    elif isinstance(value, list):
        yield path, ", ".join(map(str, value)) or "[]"
    else:
        yield path, value if value != {} else "{}"
