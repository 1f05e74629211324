"""How large a circuit will be, computed from its description alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.cells.morphology import read_morphology, segment_counts
from pipeline.config.crosscheck import is_virtual
from pipeline.config.emodel import read_emodels
from pipeline.config.load import Resolved
from pipeline.config.placement import PlacedNodes
from pipeline.config.schema import ContactEdges
from pipeline.edges.connectome import read_connectome
from pipeline.edges.contacts import contact_count
from pipeline.nodes.build import read_tables, source_morphology
from pipeline.nodes.populations import population_counts
from pipeline.nodes.table import NodeTable


def circuit_size(resolved: Resolved) -> dict[str, int]:
    """Counts cells, sections, compartments and contacts before anything is built.

    Contacts are those the law asks for; some may find no place within its tolerance.

    Raises:
        PipelineError: If a table, e-model or morphology is wrong.
    """
    cells = resolved.model.cells
    emodels = read_emodels(resolved.path(cells.emodels)) if cells else {}
    size = {"cells": 0, "sections": 0, "segments": 0, "chemical": 0, "gap_halves": 0}
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
    for edges in resolved.model.edges.values():
        if not isinstance(edges, ContactEdges):
            continue
        chemical, gap_halves = contact_sizes(resolved, edges, tables)
        size["chemical"] += chemical
        size["gap_halves"] += gap_halves
    return size


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
