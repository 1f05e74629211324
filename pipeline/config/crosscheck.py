"""Checks that the parts of a model fit together: names that point at names, files that exist."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.config.places import inside
from pipeline.config.problems import where_is
from pipeline.config.rules import RuleEdges
from pipeline.config.schema import ContactEdges, FileCurrent, Model, TableNodes, VirtualNodes
from pipeline.config.yaml_lines import Document, KeyPath, nearest
from pipeline.errors import ConfigError, Problem


class _Check:
    """Collects problems of one model with the line of each key."""

    def __init__(self, model: Model, folder: Path, document: Document):
        self.model, self.folder, self.document = model, folder, document
        self.problems: list[Problem] = []

    def report(self, path: KeyPath, message: str, hint: str = "") -> None:
        self.problems.append(Problem(where_is(path, self.document), message, hint))

    def one_of(self, path: KeyPath, name: str, known: list[str], what: str) -> None:
        if name not in known:
            self.report(path, f"no {what} {name!r}", nearest(name, known))

    def file(self, path: KeyPath, relative: str, *, folder: bool = False) -> Path | None:
        try:
            found = inside(self.folder, relative)
        except ConfigError as error:
            problem = error.problems[0]
            self.report(path, problem.message, problem.hint)
            return None
        if not (found.is_dir() if folder else found.is_file()):
            kind = "folder" if folder else "file"
            self.report(path, f"no such {kind}: {relative!r}", f"looked for {found}")
            return None
        return found


def check_references(model: Model, folder: Path, document: Document) -> list[Problem]:
    """Finds names that point nowhere and files that are missing.

    Args:
        model: A model that already fits the schema.
        folder: Folder of its ``model.yaml``.
        document: Written values with lines.

    Returns:
        All problems found.
    """
    check = _Check(model, folder, document)
    _check_cells(check)
    _check_nodes(check)
    _check_edges(check)
    _check_simulations(check)
    _check_analysis(check)
    return check.problems


def node_set_names(model: Model) -> list[str]:
    """Returns every population and node set a simulation may name."""
    names = list(model.nodes)
    for nodes in model.nodes.values():
        if isinstance(nodes, TableNodes):
            names += nodes.sets
    return names


def _check_cells(check: _Check) -> None:
    cells = check.model.cells
    check.file(("cells", "morphologies", "path"), cells.morphologies.path, folder=True)
    emodels = check.file(("cells", "emodels"), cells.emodels, folder=True)
    known = [path.stem for path in emodels.glob("*.yaml")] if emodels else []
    for name, protocol in cells.protocols.items():
        path: KeyPath = ("cells", "protocols", name)
        if emodels:
            check.one_of((*path, "emodel"), protocol.emodel, known, "e-model")
        if protocol.reference:
            check.file((*path, "reference"), protocol.reference)
        start, stop = protocol.window
        if not start < stop <= protocol.duration:
            message = f"window {start:g} to {stop:g} ms does not lie in the step"
            check.report((*path, "window"), message, f"the step lasts {protocol.duration:g} ms")
    if check.model.default_variant:
        variants = [p.stem for p in (check.folder / "variants").glob("*.yaml")]
        name = check.model.default_variant
        check.one_of(("default_variant",), name, ["default", *variants], "variant")


def _check_nodes(check: _Check) -> None:
    for name, nodes in check.model.nodes.items():
        path: KeyPath = ("nodes", name)
        if isinstance(nodes, VirtualNodes):
            tables = [k for k, n in check.model.nodes.items() if isinstance(n, TableNodes)]
            check.one_of((*path, "feeds"), nodes.feeds, tables, "node population")
            fed = check.model.nodes.get(nodes.feeds)
            if isinstance(fed, TableNodes):
                check.one_of((*path, "set"), nodes.set, fed.sets, f"node set of {nodes.feeds}")
            continue
        table = check.file((*path, "table"), nodes.table)
        if table:
            _check_columns(check, path, nodes, table)


def _check_columns(check: _Check, path: KeyPath, nodes: TableNodes, table: Path) -> None:
    with open(table, newline="", encoding="utf-8", errors="replace") as handle:
        columns = next(csv.reader(handle), [])
    for key in ("id_column", "morphology_column", "emodel_column"):
        check.one_of((*path, key), getattr(nodes, key), columns, f"column of {table.name}")
    if nodes.subset != "all":
        check.one_of((*path, "subset"), nodes.subset, columns, f"column of {table.name}")
    for key in ("properties", "sets"):
        for index, column in enumerate(getattr(nodes, key)):
            check.one_of((*path, key, index), column, columns, f"column of {table.name}")


def _check_edges(check: _Check) -> None:
    for name, edges in check.model.edges.items():
        path: KeyPath = ("edges", name)
        if isinstance(edges, RuleEdges):
            for key in ("source", "target"):
                check.one_of((*path, key), getattr(edges, key), list(check.model.nodes), "nodes")
            continue
        tables = [k for k, n in check.model.nodes.items() if isinstance(n, TableNodes)]
        check.one_of((*path, "source"), edges.source, tables, "node population with cells")
        check.one_of((*path, "target"), edges.target, tables, "node population with cells")
        if isinstance(edges, ContactEdges):
            folder = check.file((*path, "connectome_folder"), edges.connectome_folder, folder=True)
            if folder:
                known = [p.stem for p in folder.glob("*.csv")]
                check.one_of((*path, "connectome"), edges.connectome, known, "connectome")


def _check_simulations(check: _Check) -> None:
    known = node_set_names(check.model)
    virtual = [k for k, n in check.model.nodes.items() if isinstance(n, VirtualNodes)]
    for name, simulation in check.model.simulation.items():
        path: KeyPath = ("simulation", name)
        for key, stimulus in simulation.inputs.items():
            at = (*path, "inputs", key)
            check.one_of((*at, "nodes"), stimulus.nodes, known, "node population or set")
            if isinstance(stimulus, FileCurrent):
                check.file((*at, "file"), stimulus.file)
        for key, record in simulation.record.items():
            at = (*path, "record", key)
            reachable = [k for k in known if k not in virtual]
            check.one_of((*at, "nodes"), record.nodes, reachable, "node population or set")
            every = record.every or simulation.dt
            steps = every / simulation.dt
            if abs(steps - round(steps)) > 1e-9 or steps < 1:
                message = f"{every:g} ms is no multiple of the time step {simulation.dt:g} ms"
                check.report((*at, "every"), message, "choose a multiple")
        steps = simulation.duration / simulation.dt
        if abs(steps - round(steps)) > 1e-6:
            message = f"{simulation.duration:g} ms is no multiple of dt {simulation.dt:g} ms"
            check.report((*path, "duration"), message, "choose a multiple")


def _check_analysis(check: _Check) -> None:
    model = check.model
    if model.reference:
        check.file(("reference",), model.reference)
    correlation = model.analysis.correlation
    if correlation is None:
        return
    path: KeyPath = ("analysis", "correlation")
    check.file((*path, "reference"), correlation.reference)
    check.one_of((*path, "simulation"), correlation.simulation, list(model.simulation), "simulation")
    simulation = model.simulation.get(correlation.simulation)
    if simulation:
        check.one_of((*path, "record"), correlation.record, list(simulation.record), "record")
