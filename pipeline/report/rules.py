"""Figures, counts and captions of circuits made by rules and of cells without morphologies."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipeline.config.placement import PlacedNodes, Tiles
from pipeline.config.rule_labels import near_radius
from pipeline.config.rules import RuleEdges
from pipeline.report import rule_plots
from pipeline.report.figures import Tables
from pipeline.report.style import OURS, Figure

_TYPE_ATTRIBUTES = ("cell_type", "pop_name")


def rule_figures(tables: Tables) -> list[Figure]:
    """Places of the cells, then matrices, profiles, degrees and synapse numbers of rule edges."""
    found = []
    for population in tables.resolved.model.nodes:
        if len(tables[f"places_{population}"]):
            found.append(_places(tables, population))
    for name, edges in tables.resolved.model.edges.items():
        if isinstance(edges, RuleEdges) and len(tables["rule_pairs"]):
            found += _edges(tables, name, edges)
    if len(tables["rule_synapses"]):
        found.append(
            Figure(
                "rule-synapses", "Synapses of a connected pair",
                rule_plots.draw_synapses(tables["rule_synapses"], _dpi(tables)),
                "Bar charts of connected pairs by number of synapses, with the rule's expectation",
                "Every edge is one connected pair and carries a number of synapses; crosses are "
                "what the rule's law expects.",
                (tables.link("rule_synapses"),), tables.command("analyse"),
            )
        )  # fmt: skip
    return found


def _dpi(tables: Tables) -> int:
    return tables.resolved.model.report.dpi


def _places(tables: Tables, population: str) -> Figure:
    table = tables[f"places_{population}"].astype({"class": str})
    colours = rule_plots.class_colours(sorted(table["class"].unique()))
    nodes = tables.resolved.model.nodes[population]
    field = isinstance(nodes, PlacedNodes) and all(
        isinstance(region, Tiles) for region in nodes.regions.values()
    )
    total = tables.metric(f"nodes.{population}.cells") or len(table)
    every = f"{len(table):,} of {total:,.0f} cells, evenly thinned" if len(table) < total else (
        f"All {len(table):,} cells"
    )  # fmt: skip
    where = "places in the visual field" if field else "soma places; depth runs down, pia at y = 0"
    return Figure(
        f"places-{population}", f"Cells of {population} in space",
        rule_plots.draw_places(table, "degrees" if field else "µm", colours, max(150, _dpi(tables))),
        f"Scatter plot of cell places of population {population}, coloured by class",
        f"{every}, coloured by class: {where}.",
        (tables.link(f"places_{population}"), tables.link("populations")),
        tables.command("analyse"),
    )  # fmt: skip


def _edges(tables: Tables, name: str, edges: RuleEdges) -> list[Figure]:
    pairs = _of(tables, "rule_pairs", name)
    profile, degrees = _of(tables, "rule_profile", name), _of(tables, "rule_degrees", name)
    options, found = tables.resolved.model.report, []
    command = f"{tables.command('edges')} && {tables.command('analyse')}"
    if len(pairs) > 4:
        found.append(
            Figure(
                f"rule-pairs-{name}", f"{name}: class by class",
                rule_plots.draw_matrices(pairs, options.colours, options.dpi),
                "Matrices of connection probability, expected and measured, their ratio, and "
                "synapses per cell, by class of source and target",
                _pairs_caption(pairs, near_radius(edges)),
                (tables.link("rule_pairs"), tables.link(f"plan_{name}")), command,
            )
        )  # fmt: skip
    if len(profile):
        found.append(
            Figure(
                f"rule-profile-{name}", f"{name}: probability by distance",
                rule_plots.draw_profiles(profile, options.dpi),
                "Connection probability against lateral distance, measured and by the rule",
                "Class pairs that share a distance law are taken together; possible pairs and the "
                "line are the rule summed over the actual places (a sample of targets in large "
                "circuits), so the rim of the column and the mix of classes are in both. Bars: one "
                f"standard error of a proportion. {_more(profile)}",
                (tables.link("rule_profile"), tables.link(f"plan_{name}_profile")), command,
            )
        )  # fmt: skip
    if len(pairs) > 4 and len(degrees):
        colours = rule_plots.class_colours(sorted({*pairs["source"], *pairs["target"]}))
        found.append(
            Figure(
                f"rule-degrees-{name}", f"{name}: degrees by class",
                rule_plots.draw_degrees(degrees, colours, options.dpi),
                "In- and out-degrees by class: range, median, mean and the rule's mean",
                "Bars reach from the 5th to the 95th percentile of the cells of a class (their "
                "number in brackets). The rule's mean counts the partners that are there: near "
                "the rim of the column a cell has fewer.",
                (tables.link("rule_degrees"), tables.link("rule_degree_distribution")), command,
            )
        )  # fmt: skip
    return found


def _of(tables: Tables, table: str, name: str) -> pd.DataFrame:
    frame = tables[table]
    return frame[frame["edges"] == name] if len(frame) else frame


def _more(profile: pd.DataFrame) -> str:
    n = profile["kernel"].nunique()
    most = rule_plots.MOST_PANELS
    return f"Of {n} laws the {most} with most pairs are shown." if n > most else ""


def _pairs_caption(pairs: pd.DataFrame, radius: float) -> str:
    if pairs["probability"].isna().all():
        return (
            "Rows send, columns receive; both sides share no space in um, so there is no distance."
        )
    known = pairs[pairs["expected_probability"] > 0]
    p = known["expected_probability"].clip(0, 1)
    error = (p * (1 - p) / known["possible_near"].clip(lower=1)).pow(0.5)
    share = 100 * float(((known["probability"] - p).abs() <= 2 * error + 1e-12).mean())
    return (
        f"Rows send, columns receive. Probability of pairs nearer than {radius:g} µm laterally: what "
        "the rule gives, averaged over the pairs that are there, beside connected over possible "
        f"pairs of the built circuit. {share:.0f} % of the {len(known)} connected class pairs lie "
        "within two standard errors; few possible pairs make the ratio scatter. Empty: the rule "
        "does not connect them, or no pair was drawn."
    )


def population_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per plain population: cells, types, depth range."""
    table = tables["populations"]
    rows = []
    for name, frame in table.groupby("population", sort=False) if len(table) else ():
        whole = frame[frame["attribute"].isna()].iloc[0]
        nodes = tables.resolved.model.nodes[name]
        kinds = next((a for a in _type_names(nodes) if (frame["attribute"] == a).any()), None)
        rows.append({
            "name": name, "kind": getattr(nodes, "model_type", "virtual").replace("_", " "),
            "cells": float(whole["cells"]),
            "types": int((frame["attribute"] == kinds).sum()) if kinds else None,
        })  # fmt: skip
    return rows


def _type_names(nodes: object) -> tuple[str, ...]:
    """Attributes that may hold the type of a cell, the best first."""
    choice = getattr(nodes, "morphologies", None)
    return (choice.by, *_TYPE_ATTRIBUTES) if choice else _TYPE_ATTRIBUTES


def type_rows(tables: Tables) -> list[dict[str, Any]]:
    """Cells by type of the first population that is not virtual, for the bars beside the model."""
    table = tables["populations"]
    if table.empty:
        return []
    for name, nodes in tables.resolved.model.nodes.items():
        frame = table[table["population"] == name]
        kinds = next((a for a in _type_names(nodes) if (frame["attribute"] == a).any()), None)
        if kinds is None or getattr(nodes, "model_type", "virtual") == "virtual":
            continue
        rows = frame[frame["attribute"] == kinds]
        most = int(rows["cells"].max())
        return [
            {"name": str(row.value), "count": int(row.cells), "colour": OURS,
             "share": round(100 * int(row.cells) / most, 1)}
            for row in rows.itertuples(index=False)
        ]  # fmt: skip
    return []


def rule_counts(tables: Tables) -> list[dict[str, Any]]:
    """One row per rule edge config: pairs and synapses, expected and made."""
    rows = []
    for name, edges in tables.resolved.model.edges.items():
        if isinstance(edges, RuleEdges) and tables.metric(f"{name}.pairs") is not None:
            row: dict[str, Any] = {"name": f"{name}: {edges.source} to {edges.target}"}
            for key in ("expected_pairs", "pairs", "expected_synapses", "synapses"):
                value = tables.metric(f"{name}.{key}")
                row[key] = None if value is None else float(round(value))
            rows.append(row)
    return rows


def rule_facts(tables: Tables) -> list[tuple[float, str]]:
    """Numbers under the headline: real cells, virtual sources, connected pairs, synapses."""
    rows, edges = population_rows(tables), rule_counts(tables)
    real = sum(row["cells"] for row in rows if row["kind"] != "virtual")
    virtual = sum(row["cells"] for row in rows if row["kind"] == "virtual")
    found = [
        (real, "cells"), (virtual, "virtual sources"),
        (sum(row["pairs"] for row in edges), "connected pairs"),
        (sum(row["synapses"] for row in edges), "synapses"),
    ]  # fmt: skip
    return [(value, label) for value, label in found if value]
