"""Figures, counts and captions of circuits connected by touch."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.cells.morphology import AXON, Morphology, read_morphology
from pipeline.config.touches import TouchEdges
from pipeline.report import touch_plots
from pipeline.report.column_plots import rotated
from pipeline.report.figures import Tables
from pipeline.report.style import Figure


def touch_figures(tables: Tables) -> list[Figure]:
    """Pathways beside published ones, boutons, depth and degrees, and one pair of cells."""
    found = []
    for name, edges in tables.resolved.model.edges.items():
        if isinstance(edges, TouchEdges) and len(tables[f"touches_{name}_mtypes"]):
            found += _figures(tables, name, edges)
    return found


def touch_facts(tables: Tables) -> list[tuple[float, str]]:
    """Numbers under the headline."""
    found = []
    for name, edges in tables.resolved.model.edges.items():
        if isinstance(edges, TouchEdges):
            for key, label in (("connections", "connections"), ("synapses", "synapses")):
                value = tables.metric(f"{name}.{key}")
                found += [(value, label)] if value else []
    return found


def _figures(tables: Tables, name: str, edges: TouchEdges) -> list[Figure]:
    options = tables.resolved.model.report
    mtypes, published = tables[f"touches_{name}_mtypes"], tables[f"touches_{name}_published"]
    command = f"{tables.command('edges')} && {tables.command('analyse')}"
    found = []
    if len(published):
        signs = _signs(tables, edges.source)
        link = (tables.link(f"touches_{name}_published"), tables.link(f"touches_{name}_pathways"))
        found.append(
            Figure(
                f"touch-pathways-{name}", f"{name}: pathway by pathway",
                touch_plots.draw_pathways(published, list(mtypes["mtype"]), options.colours,
                                          options.dpi),
                "Matrices of connection probability and synapses per connection by m-type: ours, "
                "published, ratio",
                _pathway_caption(tables, name, published), link, command,
            )
        )  # fmt: skip
        if published["judged"].any():
            found.append(
                Figure(
                    f"touch-scatter-{name}", f"{name}: ours against published",
                    touch_plots.draw_scatter(published, signs, options.dpi),
                    "Scatter plots of synapses per connection and connection probability",
                    "One point per judged pathway; the line is equality, the band a factor of two.",
                    link, command,
                )
            )  # fmt: skip
    density = edges.pruning.bouton_density
    found.append(
        Figure(
            f"touch-mtypes-{name}", f"{name}: boutons and their targets",
            touch_plots.draw_mtypes(mtypes, density, options.dpi),
            "Bars by m-type: boutons per µm of axon, and share of synapses on soma, initial "
            "segment, basal and apical dendrites",
            "Synapses made over axon length and synapses per bouton. Axon beyond the rim of the "
            "circuit meets no dendrite, so a narrow circuit has fewer boutons per µm than a wide "
            f"one. The line is the recorded mean, {density:g} per µm.",
            (tables.link(f"touches_{name}_mtypes"),), command,
        )
    )  # fmt: skip
    depth, degrees = tables[f"touches_{name}_depth"], tables[f"touches_{name}_degrees"]
    if len(depth) and len(degrees):
        found.append(
            Figure(
                f"touch-depth-{name}", f"{name}: depth and degrees",
                touch_plots.draw_depth(depth, degrees, options.dpi),
                "Profiles of excitatory and inhibitory synapses over depth; histograms of degrees",
                "Synapses are counted where they lie and coloured by the class of the source cell.",
                (tables.link(f"touches_{name}_depth"), tables.link(f"touches_{name}_degrees")),
                command,
            )
        )  # fmt: skip
    if len(tables[f"touches_{name}_pair"]):
        found.append(_pair(tables, name, command))
    return found


def _pathway_caption(tables: Tables, name: str, published: pd.DataFrame) -> str:
    judged = tables.metric(f"{name}.pathways.judged") or 0
    return (
        "Rows send, columns receive, pia first. Probabilities are of all pairs of the column, ours "
        "and the published alike; in a circuit narrower than the published column pairs lie nearer "
        f"and ours is higher. Of {len(published)} published pathways {judged:.0f} have enough pairs "
        "here to be judged in the verdict table. Grey: no connection."
    )


def _signs(tables: Tables, population: str) -> dict[str, bool]:
    """m-type to whether it excites, from the table of cells placed."""
    table = tables[f"placement_{population}"]
    if table.empty or "synapse_class" not in table:
        return {}
    return dict(zip(table["mtype"], table["synapse_class"] == "EXC", strict=True))


def _pair(tables: Tables, name: str, command: str) -> Figure:
    table = tables[f"touches_{name}_pair"]
    ends = [table[table["role"] == role].iloc[0] for role in ("source", "target")]
    points = table.loc[table["role"] == "synapse", ["x", "y", "z"]].to_numpy()
    lines = [list(_lines(tables, end, axon=role == 0)) for role, end in enumerate(ends)]
    names = tuple(f"{end['mtype']} {end['node_id']:.0f}" for end in ends)
    return Figure(
        f"touch-pair-{name}", f"{name}: two cells and their synapses",
        touch_plots.draw_pair(lines[0], lines[1], points, names, tables.resolved.model.report.dpi),
        f"Axon of {names[0]}, dendrites of {names[1]} and the synapses between them",
        "The connection with most synapses among those onto the first cells of the circuit.",
        (tables.link(f"touches_{name}_pair"),), command,
    )  # fmt: skip


def _lines(tables: Tables, cell: pd.Series, axon: bool):
    shape: Morphology = read_morphology(tables.paths.morphologies / f"{cell['morphology']}.swc")
    place = cell[["x", "y", "z"]].to_numpy(np.float64)
    turn = cell[[f"orientation_{axis}" for axis in "wxyz"]].to_numpy(np.float64)
    for section in shape.sections:
        if (section.kind == AXON) == axon:
            yield rotated(section.points, turn) + place
