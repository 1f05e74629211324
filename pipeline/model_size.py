"""How large a circuit will be, computed from its description alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.cells.morphology import read_morphology, segment_counts
from pipeline.config.afferents import AfferentEdges
from pipeline.config.cell_models import model_of
from pipeline.config.crosscheck import is_virtual
from pipeline.config.emodel import read_emodels
from pipeline.config.load import Resolved
from pipeline.config.placement import PlacedNodes
from pipeline.config.rules import RuleEdges
from pipeline.config.schema import ContactEdges, OddLength
from pipeline.config.touches import TouchEdges
from pipeline.edges.connectome import read_connectome
from pipeline.edges.contacts import contact_count
from pipeline.nodes.cells import read_tables, source_morphology
from pipeline.nodes.populations import node_frame
from pipeline.nodes.table import NodeTable
from pipeline.nodes.types import placed_types, population_counts
from pipeline.nodes.whole_cells import cell_size, whole_cells

MEAN_SECTIONS, MEAN_SEGMENTS = 93.0, 315.0
"""Of a cell of the column with its axon replaced (275 shapes, weighted by the published numbers)."""


def circuit_size(resolved: Resolved, shapes: Path | None = None) -> dict[str, int]:
    """Counts cells, sections, compartments and contacts before anything is built.

    Contacts are those the law asks for; some may find no place within its tolerance. ``netcons`` are
    the expected connections of rules: one per edge onto a point cell, one per synapse onto a
    morphology, of which a run joins those of one source on one segment. ``releases`` are the expected
    synapses with release of cells that take e-models from ``generalise``.

    Args:
        resolved: The model.
        shapes: Folder of the stage ``morphologies``; such cells have the mean compartments of their
            m-type's shapes. Without it, the mean of the whole column.

    Raises:
        PipelineError: If a table, e-model or morphology is wrong.
    """
    cells = resolved.model.cells
    emodels = read_emodels(resolved.path(cells.emodels)) if cells else {}
    size = {"cells": 0, "sections": 0, "segments": 0, "chemical": 0, "gap_halves": 0}
    size |= {"netcons": 0, "releases": 0}
    tables = read_tables(resolved)
    for table in tables.values():
        size["cells"] += len(table.frame)
        for name, emodel in zip(table.frame["morphology"], table.frame["emodel"], strict=True):
            morphology = read_morphology(source_morphology(resolved, name))
            counts = segment_counts(morphology, cells.discretisation, emodels[emodel])
            single = cells.level == "single_compartment"
            size["sections"] += 1 if single else len(counts)
            size["segments"] += 1 if single else int(counts.sum())
    for name, nodes in resolved.model.nodes.items():
        if isinstance(nodes, PlacedNodes) and not is_virtual(nodes):
            size["cells"] += sum(population_counts(resolved, name).values())
            if resolved.model.generalise and resolved.model.generalise.nodes == name:
                _add_judged(resolved, name, size, shapes)
            else:
                _add_placed(resolved, name, size)
    for name, edges in resolved.model.edges.items():
        if isinstance(edges, AfferentEdges):
            size["releases"] += _afferent_synapses(resolved, edges)
            continue
        if not isinstance(edges, ContactEdges):
            size["netcons"] += _netcons(resolved, edges, name)
            if resolved.model.generalise and isinstance(edges, TouchEdges) and edges.physiology:
                size["releases"] += _touch_synapses(resolved, edges)
            continue
        chemical, gap_halves = contact_sizes(resolved, edges, tables)
        size["chemical"] += chemical
        size["gap_halves"] += gap_halves
    return size


def _add_placed(resolved: Resolved, name: str, size: dict[str, int]) -> None:
    """Adds sections and compartments of a placed population; point cells have one each."""
    nodes = resolved.model.nodes[name]
    specs = placed_types(resolved, name)[0]
    found, counts = whole_cells(resolved, name, specs), population_counts(resolved, name)
    known: dict[str, tuple[int, int]] = {}
    for index, spec in enumerate(specs):
        candidates = found.get(index)
        if candidates is None:
            pair = (1, 1)
        else:
            # Which candidates the somata draw is not known yet: their mean.
            model = model_of(nodes.cell_models, spec.region)[1]
            for cell in candidates:
                if cell.name not in known:
                    known[cell.name] = cell_size(cell, model)
            pair = np.mean([known[cell.name] for cell in candidates], axis=0)
        for key, number in zip(("sections", "segments"), pair, strict=True):
            size[key] += round(counts[spec.name, spec.region] * float(number))


def _netcons(resolved: Resolved, edges: RuleEdges | TouchEdges, name: str) -> int:
    nodes = resolved.model.nodes[edges.target]
    if not isinstance(nodes, PlacedNodes) or not nodes.cell_models:
        return 0
    if isinstance(edges, TouchEdges):
        return _touch_synapses(resolved, edges)
    from pipeline.edges.rules.stage import plan_population

    frames = [
        node_frame(resolved, end)
        for end in (edges.source, edges.target)
        if isinstance(resolved.model.nodes[end], PlacedNodes)
    ]
    if len(frames) < 2:
        return 0
    plan = plan_population(resolved, name, *frames)
    whole = float((frames[1]["model_type"] == "biophysical").mean())
    return round(plan.synapses * whole + plan.edges * (1 - whole))


def _touch_synapses(resolved: Resolved, edges: TouchEdges) -> int:
    from pipeline.edges.touch.plan import plan_touches

    frame = node_frame(resolved, edges.source)
    return round(plan_touches(edges, frame, resolved.model.seed).synapses)


def _afferent_synapses(resolved: Resolved, edges: AfferentEdges) -> int:
    from pipeline.edges.afferents import plan_afferents

    ends = (edges.source, edges.target)
    if not all(isinstance(resolved.model.nodes[end], PlacedNodes) for end in ends):
        return 0  # imported nodes are counted where they are built
    frames = [node_frame(resolved, end) for end in ends]
    return round(plan_afferents(*frames, resolved.path(edges.pathways))[1])


def _add_judged(resolved: Resolved, name: str, size: dict[str, int], shapes: Path | None) -> None:
    """Adds sections and compartments of cells whose e-models are judged on grown morphologies."""
    by = resolved.model.nodes[name].morphologies.by
    specs = {spec.name: spec for spec in placed_types(resolved, name)[0]}
    fits = list(resolved.model.fits.values())
    rule = OddLength(rule="odd_length", length=(fits[0].segment if fits else 40.0) / 2)
    axon = fits[0].axon if fits else "stub_myelin"
    known: dict[str, tuple[float, float]] = {}
    for (kind, _), number in population_counts(resolved, name).items():
        mtype = specs[kind].labels[by]
        if number and mtype not in known:
            known[mtype] = _mean_size(shapes, mtype, axon, rule)
        for key, mean in zip(("sections", "segments"), known.get(mtype, (0, 0)), strict=True):
            size[key] += round(number * mean)


def _mean_size(shapes: Path | None, mtype: str, axon: str, rule: OddLength) -> tuple[float, float]:
    files = sorted(shapes.glob(f"{mtype}_[0-9]*.swc")) if shapes else []
    if not files:
        return MEAN_SECTIONS, MEAN_SEGMENTS
    read = [read_morphology(path, axon) for path in files]
    sizes = [(len(m.sections), int(segment_counts(m, rule, None).sum())) for m in read]
    return tuple(np.mean(sizes, axis=0))


def contact_sizes(
    resolved: Resolved, edges: ContactEdges, tables: Mapping[str, NodeTable]
) -> tuple[int, int]:
    """Counts the chemical contacts and the halves of gap junctions that one edge config asks for."""
    path = resolved.path(edges.connectome_folder) / f"{edges.connectome}.csv"
    names = list(tables[edges.source].frame["name"])
    counts = read_connectome(path, names)
    off_diagonal = 1 - np.eye(len(names)) * (not edges.autapses)
    chemical = contact_count(counts["chemical"] * off_diagonal, edges.chemical.count)
    gaps = contact_count(counts["electrical"] * (1 - np.eye(len(names))), edges.electrical.count)
    return int(chemical.sum()), int(gaps.sum())
