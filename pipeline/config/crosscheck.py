"""Checks that the parts of a model fit together: names that point at names, files that exist."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.config.cell_models import model_files
from pipeline.config.celltypes import TypeSpec, resolve_types
from pipeline.config.check_edges import check_edges
from pipeline.config.check_studies import (
    check_damage,
    check_every,
    check_gains,
    check_lfp,
    check_network,
    check_perturb,
    check_psp,
)
from pipeline.config.checking import Check, is_virtual
from pipeline.config.morphologies import GrownMorphologies
from pipeline.config.placement import ImportedNodes, PlacedNodes, Voxels
from pipeline.config.placement_rules import read_rules
from pipeline.config.problems import where_is
from pipeline.config.schema import Model, TableNodes, VirtualNodes
from pipeline.config.simulation import (
    FileCurrent,
    PoissonInput,
    SpikeInput,
    TableCurrent,
    VolleyInput,
)
from pipeline.config.stimuli import MovieFile
from pipeline.config.touches import TouchEdges
from pipeline.config.yaml_lines import Document, KeyPath
from pipeline.errors import ConfigError, Problem


def check_references(model: Model, folder: Path, document: Document) -> list[Problem]:
    """Finds names that point nowhere and files that are missing.

    Args:
        model: A model that already fits the schema.
        folder: Folder of its ``model.yaml``.
        document: Written values with lines.

    Returns:
        All problems found.
    """
    check = Check(model, folder, document)
    _check_variant(check)
    _check_cells(check)
    _check_morphologies(check)
    _check_nodes(check)
    check_edges(check)
    _check_stimuli(check)
    _check_simulations(check)
    check_perturb(check)
    check_psp(check)
    _check_tuning(check)
    _check_extract(check)
    _check_generalise(check)
    _check_behaviours(check)
    check_damage(check)
    _check_analysis(check)
    for index, name in enumerate(check.model.report.fits):
        check.one_of(("report", "fits", index), name, list(check.model.fits), "fit")
    return check.problems


def _check_cells(check: Check) -> None:
    cells = check.model.cells
    if cells is None:
        for name, nodes in check.model.nodes.items():
            if isinstance(nodes, TableNodes):
                message = f"key 'cells' is missing; nodes {name!r} of kind table need it"
                check.report(("nodes", name), message, "add it")
        return
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


def _check_morphologies(check: Check) -> None:
    config = check.model.morphologies
    if config is None:
        return
    path = ("morphologies",)
    drawn = any(getattr(n, "morphologies", None) for n in check.model.nodes.values())
    if config.m_types == "placed" and not drawn:
        message = "m_types is placed, but no nodes draw morphologies"
        check.report(
            (*path, "m_types"), message, "name m-types, or give nodes the key morphologies"
        )
    if isinstance(config, GrownMorphologies):
        check.file((*path, "distributions"), config.distributions, folder=True)
        if config.real:
            check.file((*path, "real"), config.real)
    else:
        check.file((*path, "folder"), config.folder, folder=True)
        check.file((*path, "catalogue"), config.catalogue)
    if config.exemplars:
        check.file((*path, "exemplars"), config.exemplars)
        if not config.layers:
            message = "exemplars need layers, from which it follows how far neurites reach"
            check.report((*path, "layers"), message, "give the thickness of every layer")


def _check_extract(check: Check) -> None:
    for name, config in check.model.extract.items():
        check.file(("extract", name, "sweeps"), config.sweeps)


def _check_generalise(check: Check) -> None:
    config = check.model.generalise
    if config is None:
        return
    path: KeyPath = ("generalise",)
    drawn = [name for name, n in check.model.nodes.items() if getattr(n, "morphologies", None)]
    check.one_of((*path, "nodes"), config.nodes, drawn, "population with morphologies")
    if getattr(check.model.nodes.get(config.nodes), "cell_models", None):
        message = f"nodes {config.nodes!r} have cell_models, which give e-models, too"
        check.report((*path, "nodes"), message, "keep one of both")
    check.file((*path, "table"), config.table)
    check.file((*path, "emodels"), config.emodels, folder=True)


def _check_variant(check: Check) -> None:
    if check.model.default_variant:
        variants = [p.stem for p in (check.folder / "variants").glob("*.yaml")]
        name = check.model.default_variant
        check.one_of(("default_variant",), name, ["default", *variants], "variant")


def _check_nodes(check: Check) -> None:
    for name, nodes in check.model.nodes.items():
        path: KeyPath = ("nodes", name)
        if isinstance(nodes, VirtualNodes):
            tables = [k for k, n in check.model.nodes.items() if isinstance(n, TableNodes)]
            check.one_of((*path, "feeds"), nodes.feeds, tables, "node population")
            fed = check.model.nodes.get(nodes.feeds)
            if isinstance(fed, TableNodes):
                check.one_of((*path, "set"), nodes.set, fed.sets, f"node set of {nodes.feeds}")
        elif isinstance(nodes, PlacedNodes):
            _check_placed(check, name, nodes)
        elif isinstance(nodes, ImportedNodes):
            check.file((*path, "file"), nodes.file)
            if nodes.types:
                check.file((*path, "types"), nodes.types)
        else:
            table = check.file((*path, "table"), nodes.table)
            if isinstance(nodes, TableNodes):
                check.node_sets += nodes.sets
            if table and isinstance(nodes, TableNodes):
                _check_columns(check, path, nodes, table)


def _check_placed(check: Check, name: str, nodes: PlacedNodes) -> None:
    """Checks files and types; collects the node sets that the population will have."""
    path: KeyPath = ("nodes", name)
    table = check.file((*path, "table"), nodes.table) if nodes.table else None
    for key, region in nodes.regions.items():
        if isinstance(region, Voxels):
            check.file((*path, "regions", key, "file"), region.file)
    for key, model in nodes.cell_models.items():
        at = (*path, "cell_models", key)
        for field in model_files(model):
            folder = field in ("folder", "emodels")
            check.file((*at, field), getattr(model, field), folder=folder)
    if nodes.table and table is None:
        return
    try:
        specs = resolve_types(nodes, table, lambda p: where_is((*path, *p), check.document))
    except ConfigError as error:
        check.problems += error.problems
        return
    for key in nodes.sets:
        values = _values(specs, key)
        for value in sorted(values & set(check.node_sets)):
            message = f"{key} {value!r} is the name of another node set"
            check.report((*path, "sets"), message, "rename one of them")
        check.node_sets += sorted(values)
        check.virtual += sorted(values) if is_virtual(nodes) else []
    for key, wanted in nodes.node_sets.items():
        at = (*path, "node_sets", key)
        if key in check.node_sets:
            check.report(at, f"{key!r} is the name of another node set", "rename one of them")
        for label, value in wanted.items():
            check.one_of((*at, label), value, sorted(_values(specs, label)), label)
        check.node_sets.append(key)
        check.virtual += [key] if is_virtual(nodes) else []
    if nodes.morphologies:
        rules = check.file((*path, "morphologies", "rules"), nodes.morphologies.rules)
        by = nodes.morphologies.by
        try:
            if rules:
                read_rules(rules, by, sorted(_values(specs, by)), nodes.layers)
        except ConfigError as error:
            check.problems += error.problems


def _values(specs: list[TypeSpec], key: str) -> set[str]:
    """The values of cell type, region or a label over all node types."""
    own = {"cell_type": "name", "region": "region"}.get(key)
    return {getattr(s, own) if own else s.labels.get(key, "") for s in specs} - {""}


def _check_columns(check: Check, path: KeyPath, nodes: TableNodes, table: Path) -> None:
    with open(table, newline="", encoding="utf-8-sig", errors="replace") as handle:
        columns = next(csv.reader(handle), [])
    if not columns:
        return  # whoever reads the table says so, once
    for key in ("id_column", "morphology_column", "emodel_column"):
        check.one_of((*path, key), getattr(nodes, key), columns, f"column of {table.name}")
    if nodes.subset != "all":
        check.one_of((*path, "subset"), nodes.subset, columns, f"column of {table.name}")
    for key in ("properties", "sets"):
        for index, column in enumerate(getattr(nodes, key)):
            check.one_of((*path, key, index), column, columns, f"column of {table.name}")


def _check_stimuli(check: Check) -> None:
    virtual = [k for k, n in check.model.nodes.items() if is_virtual(n)]
    for name, stimulus in check.model.stimuli.items():
        path: KeyPath = ("stimuli", name)
        check.one_of((*path, "nodes"), stimulus.nodes, virtual, "virtual node population")
        check.file((*path, "filters"), stimulus.filters)
        if isinstance(stimulus.movie, MovieFile):
            check.file((*path, "movie", "file"), stimulus.movie.file)


def _check_simulations(check: Check) -> None:
    known = check.node_sets
    virtual = [k for k, n in check.model.nodes.items() if is_virtual(n)]
    for name, simulation in check.model.simulation.items():
        path: KeyPath = ("simulation", name)
        for key, stimulus in simulation.inputs.items():
            at = (*path, "inputs", key)
            if isinstance(stimulus, SpikeInput | PoissonInput | VolleyInput):
                sets = check.virtual if isinstance(stimulus, PoissonInput) else virtual
                check.one_of((*at, "nodes"), stimulus.nodes, sets, "virtual node population")
            else:
                check.one_of((*at, "nodes"), stimulus.nodes, known, "node population or set")
            if getattr(stimulus, "stimulus", None):
                shown = list(check.model.stimuli)
                check.one_of((*at, "stimulus"), stimulus.stimulus, shown, "stimulus")
            if isinstance(stimulus, TableCurrent):
                check.file((*at, "table"), stimulus.table)
            if isinstance(stimulus, FileCurrent | SpikeInput) and stimulus.file:
                check.file((*at, "file"), stimulus.file)
        check_gains(check, path, simulation)
        for key, record in simulation.record.items():
            at = (*path, "record", key)
            reachable = [k for k in known if k not in check.virtual]
            check.one_of((*at, "nodes"), record.nodes, reachable, "node population or set")
            check_every(check, at, record.every or simulation.dt, simulation.dt)
        if simulation.lfp:
            check_lfp(check, path, simulation, [k for k in known if k not in check.virtual])
        steps = simulation.duration / simulation.dt
        if abs(steps - round(steps)) > 1e-6:
            message = f"{simulation.duration:g} ms is no multiple of dt {simulation.dt:g} ms"
            check.report((*path, "duration"), message, "choose a multiple")


def _check_tuning(check: Check) -> None:
    model = check.model
    for name, tuning in model.tuning.items():
        path: KeyPath = ("tuning", name)
        known = list(model.simulation)
        check.one_of((*path, "simulation"), tuning.simulation, known, "simulation")
        check.file((*path, "targets"), tuning.targets)
        for index, knob in enumerate(tuning.knobs):
            at: KeyPath = (*path, "knobs", index)
            check.one_of((*at, "edges"), knob.edges, list(model.edges), "edges")
            for key in ("sources", "classes"):
                for place, value in enumerate(getattr(knob, key)):
                    check.one_of((*at, key, place), value, check.node_sets, "node set")
        if model.analysis.responses is None:
            check.report(path, "analysis.responses is missing", "it names the windows and classes")
            continue
        run = model.simulation.get(tuning.simulation)
        if run and not any(getattr(i, "stimulus", None) for i in run.inputs.values()):
            message = f"run {tuning.simulation!r} has no input from a stimulus, so no trials"
            check.report((*path, "simulation"), message, "name a run with kind: spikes, stimulus")


def _check_behaviours(check: Check) -> None:
    for name, behaviour in check.model.behaviours.items():
        path: KeyPath = ("behaviours", name)
        if mesh := getattr(behaviour.body, "mesh", None):
            check.file((*path, "body", "mesh"), mesh)
        drive = behaviour.drive
        if drive.kind != "circuit":
            continue
        if not check.model.nodes:
            message = "a circuit drives the body, but the model has no nodes"
            check.report((*path, "drive"), message, "choose kind stretch, or add nodes")
        check.file((*path, "drive", "readout", "table"), drive.readout.table)
        if drive.proprioception:
            check.file((*path, "drive", "proprioception", "table"), drive.proprioception.table)
        for node_set in drive.tonic:
            check.one_of((*path, "drive", "tonic"), node_set, check.node_sets, "node set")
        for key, sensing in behaviour.environment.sensing.items():
            where = (*path, "environment", "sensing", key, "set")
            check.one_of(where, sensing.set, check.node_sets, "node set")


def _check_analysis(check: Check) -> None:
    model = check.model
    if model.reference:
        check.file(("reference",), model.reference)
    _check_responses(check)
    check_network(check, [n for n, c in check.model.nodes.items() if not is_virtual(c)])
    if touches := model.analysis.touches:
        for key in ("pathways", "recorded"):
            if (file := getattr(touches, key)) is not None:
                check.file(("analysis", "touches", key), file)
        known = [name for name, edges in model.edges.items() if isinstance(edges, TouchEdges)]
        check.one_of(
            ("analysis", "touches", "edges"), touches.edges, known, "edges of kind touches"
        )
    correlation = model.analysis.correlation
    if correlation is None:
        return
    path: KeyPath = ("analysis", "correlation")
    check.file((*path, "reference"), correlation.reference)
    check.one_of(
        (*path, "simulation"), correlation.simulation, list(model.simulation), "simulation"
    )
    simulation = model.simulation.get(correlation.simulation)
    if simulation:
        check.one_of((*path, "record"), correlation.record, list(simulation.record), "record")


def _check_responses(check: Check) -> None:
    responses, path = check.model.analysis.responses, ("analysis", "responses")
    if responses is None:
        return
    for key in ("recorded", "published_model", "units", "seeds"):
        if file := getattr(responses, key):
            check.file((*path, key), file)
    check.one_of((*path, "nodes"), responses.nodes, check.node_sets, "node population or set")
    if is_virtual(check.model.nodes.get(responses.nodes)):
        message = f"{responses.nodes!r} are virtual nodes, which do not respond"
        check.report((*path, "nodes"), message, "name a population with cells")
    known = list(check.model.simulation)
    check.one_of((*path, "simulation"), responses.simulation, known, "simulation")
    run = check.model.simulation.get(responses.simulation)
    if run and responses.stimulus is None:
        shown = [i for i in run.inputs.values() if isinstance(i, SpikeInput) and i.stimulus]
        if len(shown) != 1:
            message = f"{len(shown)} inputs of run {responses.simulation!r} show a stimulus"
            check.report((*path, "simulation"), message, "say which: key stimulus")
