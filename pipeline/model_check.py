"""``sonatina validate``: everything that can be known to be wrong before anything is built.

What only some models need is imported where it is used: imports take longer than the checks.
"""

from __future__ import annotations

from pipeline.config.crosscheck import is_virtual
from pipeline.config.emodel import read_emodel
from pipeline.config.load import Resolved
from pipeline.config.placement import PlacedNodes
from pipeline.config.problems import where_is
from pipeline.config.reference import read_reference
from pipeline.config.schema import ContactEdges, TableNodes
from pipeline.config.stages import mechanism_folders
from pipeline.config.tables import read_rows
from pipeline.config.yaml_lines import Document, KeyPath, nearest
from pipeline.errors import PipelineError, Problem
from pipeline.mechanisms import describe_set, missing
from pipeline.nmodl import BUILTIN_RANGES, Mechanism


def check_model(resolved: Resolved) -> list[Problem]:
    """Reads every file of a model as its stages would.

    Args:
        resolved: A model that fits the schema.

    Returns:
        All problems: tables, e-models, mechanisms, morphologies, connectomes, stimuli, reference
        values.
    """
    problems: list[Problem] = []
    steps = (
        _tables,
        _cell_models,
        check_mechanisms,
        _cells,
        _protocols,
        _morphologies,
        _connectomes,
        _stimuli,
        _reference,
    )
    for step in steps:
        try:
            problems += step(resolved)
        except PipelineError as error:
            problems += error.problems
    return list(dict.fromkeys(problems))


def check_mechanisms(resolved: Resolved) -> list[Problem]:
    """Finds mechanisms that e-models use and no set of the model provides, and wrong parameters."""
    available: dict[str, Mechanism] = {}
    for folder in mechanism_folders(resolved):
        available |= describe_set(folder)
    used: dict[str, list[str]] = {}
    if resolved.model.cells is None:
        return []
    folder = resolved.path(resolved.model.cells.emodels)
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            emodel, document = read_emodel(path)
        except PipelineError as error:
            problems += error.problems
            continue
        for where, entries in emodel.mechanisms.items():
            for name, parameters in entries.items():
                path = ("mechanisms", where, name)
                used.setdefault(name, []).append(where_is(path, document))
                for parameter in parameters:
                    problems += _parameter(available, name, parameter, (*path, parameter), document)
    for name, places in used.items():
        if name in available and available[name].kind != "density":
            message = f"{name!r} is a point process, not a channel of the membrane"
            problems.append(Problem(places[0], message, "name a mechanism with SUFFIX"))
    return problems + missing(used, available)


def _parameter(
    available: dict[str, Mechanism], name: str, parameter: str, path: KeyPath, document: Document
) -> list[Problem]:
    known = available[name].ranges if name in available else BUILTIN_RANGES.get(name)
    if known is None or parameter in known:
        return []
    message = f"mechanism {name!r} has no parameter {parameter!r}"
    return [Problem(where_is(path, document), message, nearest(parameter, list(known)))]


def _tables(resolved: Resolved) -> list[Problem]:
    if resolved.model.cells:  # without it there are no tables of cells
        from pipeline.nodes.cells import read_tables

        read_tables(resolved)
    return []


def _cell_models(resolved: Resolved) -> list[Problem]:
    problems: list[Problem] = []
    for name, nodes in resolved.model.nodes.items():
        if getattr(nodes, "cell_models", None):
            from pipeline.nodes.point_cells import point_cells
            from pipeline.nodes.types import placed_types
            from pipeline.nodes.whole_cells import whole_cells

            try:
                specs = placed_types(resolved, name)[0]
                point_cells(resolved, name, specs)
                whole_cells(resolved, name, specs)
            except PipelineError as error:
                problems += error.problems
    return problems


def _cells(resolved: Resolved) -> list[Problem]:
    problems: list[Problem] = []
    for name, nodes in resolved.model.nodes.items():
        if not isinstance(nodes, TableNodes):
            continue
        from pipeline.nodes.cells import check_cells, read_tables

        try:
            problems += check_cells(resolved, read_tables(resolved)[name])
        except PipelineError:
            # The table's own problems are told already; its morphologies can be read all the same.
            for cell in _column(resolved, nodes, nodes.morphology_column):
                problems += _morphology(resolved, cell)
    return problems


def _morphology(resolved: Resolved, name: str) -> list[Problem]:
    from pipeline.cells.morphology import read_morphology
    from pipeline.nodes.cells import source_morphology

    try:
        read_morphology(source_morphology(resolved, name))
    except PipelineError as error:
        return error.problems
    return []


def _column(resolved: Resolved, nodes: TableNodes, column: str) -> list[str]:
    """The distinct values of a column in the chosen rows, as far as the table can be read."""
    table = read_rows(resolved.path(nodes.table))
    rows = table.records()
    if nodes.subset in table:
        rows = [row for row in rows if row[nodes.subset] == "1"]
    values = [row[column] for row in rows if column in table]
    return [value for value in dict.fromkeys(values) if value.strip()]


def _protocols(resolved: Resolved) -> list[Problem]:
    problems: list[Problem] = []
    cells = resolved.model.cells
    for protocol in cells.protocols.values() if cells else ():
        from pipeline.cells.stage import reference_values

        problems += _morphology(resolved, protocol.cell)
        try:
            reference_values(resolved, protocol)
        except PipelineError as error:
            problems += error.problems
    return problems


def _morphologies(resolved: Resolved) -> list[Problem]:
    if resolved.model.morphologies:
        from pipeline.morphologies.stage import check_morphologies
        from pipeline.nodes.types import shape_types

        check_morphologies(resolved, shape_types(resolved))
    return []


def _connectomes(resolved: Resolved) -> list[Problem]:
    problems: list[Problem] = []
    for edges in resolved.model.edges.values():
        if not isinstance(edges, ContactEdges):
            continue
        from pipeline.edges.connectome import read_connectome

        path = resolved.path(edges.connectome_folder) / f"{edges.connectome}.csv"
        ends = (resolved.model.nodes[edges.source], resolved.model.nodes[edges.target])
        try:
            names = [name for end in ends for name in _column(resolved, end, end.id_column)]
            read_connectome(path, list(dict.fromkeys(names)))
        except PipelineError as error:
            problems += error.problems
    return problems


def _stimuli(resolved: Resolved) -> list[Problem]:
    problems: list[Problem] = []
    for name, stimulus in resolved.model.stimuli.items():
        from pipeline.nodes.types import placed_types
        from pipeline.stimulus.check import check_stimulus

        nodes = resolved.model.nodes[stimulus.nodes]
        try:
            placed = isinstance(nodes, PlacedNodes)
            types = {s.name for s in placed_types(resolved, stimulus.nodes)[0]} if placed else ()
            check_stimulus(resolved, name, types)
        except PipelineError as error:
            problems += error.problems
    return problems


def _reference(resolved: Resolved) -> list[Problem]:
    if resolved.model.reference:
        read_reference(resolved.path(resolved.model.reference))
    nodes = resolved.model.nodes
    if nodes and all(is_virtual(entry) for entry in nodes.values()):
        hint = "add kind: table or placed"
        return [Problem(resolved.origin(("nodes",)), "no population has cells", hint)]
    return []
