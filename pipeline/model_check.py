"""``sonatina validate``: everything that can be known to be wrong before anything is built."""

from __future__ import annotations

from pipeline.cells.morphology import read_morphology
from pipeline.config.crosscheck import is_virtual
from pipeline.config.emodel import read_emodel
from pipeline.config.load import Resolved
from pipeline.config.problems import where_is
from pipeline.config.reference import read_reference
from pipeline.config.schema import ContactEdges
from pipeline.config.stages import mechanism_folders
from pipeline.edges.connectome import read_connectome
from pipeline.errors import PipelineError, Problem
from pipeline.mechanisms import describe_set, missing
from pipeline.nodes.build import read_tables, source_morphology


def check_model(resolved: Resolved) -> list[Problem]:
    """Reads every file of a model as its stages would.

    Args:
        resolved: A model that fits the schema.

    Returns:
        All problems: tables, e-models, mechanisms, morphologies, connectomes, reference values.
    """
    problems: list[Problem] = []
    for step in (_tables, check_mechanisms, _morphologies, _connectomes, _reference):
        try:
            problems += step(resolved)
        except PipelineError as error:
            problems += error.problems
    return list(dict.fromkeys(problems))


def check_mechanisms(resolved: Resolved) -> list[Problem]:
    """Finds mechanisms that e-models use and no set of the model provides, and wrong parameters."""
    available: dict[str, object] = {}
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
            for name in entries:
                place = where_is(("mechanisms", where, name), document)
                used.setdefault(name, []).append(place)
    return problems + missing(used, available)


def _tables(resolved: Resolved) -> list[Problem]:
    read_tables(resolved)
    return []


def _morphologies(resolved: Resolved) -> list[Problem]:
    problems: list[Problem] = []
    for table in read_tables(resolved).values():
        for name in table.frame["morphology"].unique():
            try:
                read_morphology(source_morphology(resolved, name))
            except PipelineError as error:
                problems += error.problems
    return problems


def _connectomes(resolved: Resolved) -> list[Problem]:
    tables = read_tables(resolved)
    for edges in resolved.model.edges.values():
        if not isinstance(edges, ContactEdges):
            continue
        path = resolved.path(edges.connectome_folder) / f"{edges.connectome}.csv"
        names = [*tables[edges.source].frame["name"], *tables[edges.target].frame["name"]]
        read_connectome(path, list(dict.fromkeys(names)))
    return []


def _reference(resolved: Resolved) -> list[Problem]:
    if resolved.model.reference:
        read_reference(resolved.path(resolved.model.reference))
    if all(is_virtual(entry) for entry in resolved.model.nodes.values()):
        hint = "add kind: table or placed"
        return [Problem(resolved.origin(("nodes",)), "no population has cells", hint)]
    return []
