"""Section of the report about morphologies: gallery, what was borrowed, grown beside real, findings."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipeline.cells.morphology import read_morphology
from pipeline.report import morphology_plots
from pipeline.report.figures import Tables
from pipeline.report.morphology_plots import MEASURE_NAMES, SHORT_NAMES
from pipeline.report.style import Figure

MOST_FINDINGS = 40
"""Rows of the table of findings; the file has all."""


def morphology_section(tables: Tables) -> dict[str, Any] | None:
    """Returns what the page shows of the morphologies; None for models without the stage.

    Returns:
        figures; origins (m_type, shapes, dendrites, axon, own, reason, licence); ratios (rows of
        kind and one number per measure) with measures (their names); findings (check, found,
        action, count, example), more (number of rows left out) and links.
    """
    config, path = tables.resolved.model.morphologies, tables.paths.morphology_table
    if config is None or not path.is_file():
        return None
    catalogue = pd.read_csv(path, keep_default_na=False, na_values=[""])
    findings = _findings(tables["morphology_findings"])
    return {
        "figures": [*_gallery(tables, catalogue), *_compared(tables)],
        "origins": _origins(tables, catalogue),
        "measures": list(SHORT_NAMES),
        "ratios": _ratios(tables["morphology_comparison"]),
        "findings": findings[:MOST_FINDINGS],
        "more": max(0, len(findings) - MOST_FINDINGS),
        "links": {
            name: tables.link(name)
            for name in ("morphology_findings", "morphometrics", "morphology_comparison")
        },
    }


def _gallery(tables: Tables, catalogue: pd.DataFrame) -> list[Figure]:
    """The exemplar in the middle of the layer, of every m-type."""
    known = catalogue[catalogue["soma_depth"].notna()]
    if known.empty:
        return []
    groups = known.groupby("m_type", sort=False)
    cells = groups.nth(0) if groups.size().max() == 1 else known[_middle(known)]
    files = {name: tables.paths.morphologies / f"{name}.swc" for name in cells["name"]}
    if not all(file.is_file() for file in files.values()):
        return []
    shapes = {name: read_morphology(file) for name, file in files.items()}
    resolved = tables.resolved
    layers = resolved.model.morphologies.layers
    uri = morphology_plots.draw_gallery(cells, shapes, layers, resolved.model.report.dpi)
    return [
        Figure(
            "morphology-gallery", f"One of the {len(catalogue)} morphologies of each m-type", uri,
            "One cell per m-type at its depth, axon and dendrites in different colours, with the "
            "borders of the layers",
            "The exemplar in the middle of its layer; axon orange, dendrites blue, soma white. They "
            "stand 560 µm apart, so wide axons overlap. "
            "Lines: borders of the layers. One row per layer of the soma, one scale.",
            (tables.link("morphometrics"),), tables.command("morphologies"),
        )
    ]  # fmt: skip


def _middle(catalogue: pd.DataFrame) -> pd.Series:
    groups = catalogue.groupby("m_type", sort=False)["name"]
    return groups.cumcount() == (groups.transform("size") - 1) // 2


def _compared(tables: Tables) -> list[Figure]:
    table, sholl = tables["morphology_comparison"], tables["morphology_sholl"]
    if table.empty:
        return []
    dpi = tables.resolved.model.report.dpi
    link, command = (tables.link("morphology_comparison"),), tables.command("analyse")
    return [
        Figure(
            "morphology-measures", "Grown cells beside the real ones they are grown from",
            morphology_plots.draw_comparison(table, dpi),
            "Scatter plots of morphometrics, real against grown, by kind of neurite",
            "One point per m-type and kind of neurite; bars: standard deviation over cells. Only "
            "m-types whose cells of that kind are their own. The line is equality. Extents of axon "
            "and apical dendrite differ on purpose where the table of exemplars names a layer.",
            link, command,
        ),
        Figure(
            "morphology-sholl", "Sholl curves, grown and real",
            morphology_plots.draw_sholl(sholl, dpi),
            "Crossings of neurites with spheres about the soma, grown and real, by m-type",
            "Mean crossings with spheres every 50 µm (Sholl 1953). Solid: grown; dotted: real.",
            (tables.link("morphology_sholl"),), command,
        ),
    ]  # fmt: skip


def _origins(tables: Tables, catalogue: pd.DataFrame) -> list[dict[str, Any]]:
    reasons = _reasons(tables)
    rows = []
    for m_type, cells in catalogue.groupby("m_type", sort=False):
        lent = {
            part: ", ".join(sorted(set(cells[f"{part}_from"].dropna().astype(str))))
            for part in ("dendrite", "axon")
        }
        donors = {part: cells[f"{part}_cell"].nunique() for part in ("dendrite", "axon")}
        rows.append({
            "m_type": m_type, "shapes": len(cells), "own": not any(lent.values()),
            "dendrites": f"{lent['dendrite'] or 'own'} ({donors['dendrite']})",
            "axon": f"{lent['axon'] or 'own'} ({donors['axon']})",
            "reason": reasons.get(m_type, ""),
            "licence": "; ".join(sorted(set("; ".join(cells["licence"].dropna()).split("; ")))),
        })  # fmt: skip
    return rows


def _reasons(tables: Tables) -> dict[str, str]:
    from pipeline.morphologies.exemplars import read_exemplars

    config = tables.resolved.model.morphologies
    if config.exemplars is None:
        return {}
    found = read_exemplars(tables.resolved.path(config.exemplars), config.layers)
    return {m_type: row.reason for m_type, row in found.items()}


def _ratios(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Median over m-types of ours / real, one row per kind."""
    if table.empty:
        return []
    ratio = table["ours"] / table["real"].where(table["real"].abs() > 1e-9)
    wide = table.assign(ratio=ratio).pivot_table("ratio", "kind", "measure", "median", sort=False)
    types = table.groupby("kind", sort=False)["m_type"].nunique()
    return [
        {"kind": kind, "types": int(types[kind]),
         "values": [float(row.get(measure, float("nan"))) for measure in MEASURE_NAMES]}
        for kind, row in wide.iterrows()
    ]  # fmt: skip


def _findings(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Findings by check and action: how many, in how many cells, and one of them."""
    if table.empty:
        return []
    rows = []
    for (check, action), found in table.groupby(["check", "action"], sort=True):
        first = found.iloc[0]
        example = ": ".join(str(v) for v in (first["name"], first["found"]) if pd.notna(v))
        rows.append({"check": check, "action": action, "count": len(found),
                     "cells": found["name"].nunique(), "example": example})  # fmt: skip
    return sorted(rows, key=lambda row: -row["count"])
