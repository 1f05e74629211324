"""Checks of edges: their ends, their tables, and the columns of these."""

from __future__ import annotations

import csv

from pipeline.config.afferents import AFFERENT_COLUMNS, AfferentEdges
from pipeline.config.checking import Check, is_virtual
from pipeline.config.placement import ImportedNodes, PlacedNodes
from pipeline.config.schema import ContactEdges, TableNodes
from pipeline.config.touches import TouchEdges, physiology_files, touch_files
from pipeline.config.yaml_lines import KeyPath
from pipeline.errors import Problem


def check_edges(check: Check) -> None:
    """Finds populations, tables and columns that edges name and that are not there."""
    for name, edges in check.model.edges.items():
        path: KeyPath = ("edges", name)
        nodes = check.model.nodes.items()
        if isinstance(edges, TouchEdges):
            _check_touches(check, path, edges)
        elif isinstance(edges, AfferentEdges):
            _check_afferents(check, path, edges)
        elif not isinstance(edges, ContactEdges):
            # Rules look at attributes and positions only: anything may feed whatever has a membrane.
            check.one_of((*path, "source"), edges.source, [k for k, _ in nodes], "node population")
            cells = [k for k, n in nodes if not is_virtual(n)]
            check.one_of((*path, "target"), edges.target, cells, "node population with cells")
        else:
            tables = [k for k, n in nodes if isinstance(n, TableNodes)]
            if check.model.cells and check.model.cells.axon != "keep":
                message = "contacts are placed on whole cells, but cells.axon is not keep"
                check.report((*path, "kind"), message, "set cells.axon: keep")
            check.one_of((*path, "source"), edges.source, tables, "node population with cells")
            check.one_of((*path, "target"), edges.target, tables, "node population with cells")
            folder = check.file((*path, "connectome_folder"), edges.connectome_folder, folder=True)
            if folder:
                known = [p.stem for p in folder.glob("*.csv")]
                check.one_of((*path, "connectome"), edges.connectome, known, "connectome")


def _check_touches(check: Check, path: KeyPath, edges: TouchEdges) -> None:
    """Checks population, files and headers; what the tables say is checked by the stage."""
    check.one_of((*path, "source"), edges.source, _placed(check), "population of placed cells")
    for key, name, columns in touch_files(edges):
        _check_header(check, (*path, *key), name, columns)


def _placed(check: Check) -> list[str]:
    kinds = PlacedNodes | ImportedNodes
    return [k for k, n in check.model.nodes.items() if isinstance(n, kinds) and not is_virtual(n)]


def _check_header(check: Check, at: KeyPath, name: str, columns: tuple[str, ...]) -> None:
    if table := check.file(at, name):
        with open(table, newline="", encoding="utf-8-sig", errors="replace") as handle:
            header = next(csv.reader(handle), [])
        if missing := [column for column in columns if column not in header]:
            message = f"columns {', '.join(missing)} are missing"
            expected = f"expected {', '.join(columns)}"
            check.problems.append(Problem(f"{table}:1", message, expected))


def _check_afferents(check: Check, path: KeyPath, edges: AfferentEdges) -> None:
    nodes = check.model.nodes.items()
    virtual = [k for k, n in nodes if is_virtual(n)]
    check.one_of((*path, "source"), edges.source, virtual, "virtual node population")
    check.one_of((*path, "target"), edges.target, _placed(check), "population of placed cells")
    if edges.less is not None:
        into = [k for k, e in check.model.edges.items() if e.target == edges.target and e != edges]
        check.one_of((*path, "less"), edges.less, into, "edges onto the same cells")
    tables = physiology_files(edges.physiology)
    for key, name, columns in [(("pathways",), edges.pathways, AFFERENT_COLUMNS), *tables]:
        _check_header(check, (*path, *key), name, columns)
