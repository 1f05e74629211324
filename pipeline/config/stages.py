"""What each stage depends on: its slice of the config and the files it reads.

The workflow takes a slice as ``params`` and the files as ``input``, so that a change of a plot option
rebuilds no edges, and a change of an edge law rebuilds no nodes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.config.afferents import AfferentEdges
from pipeline.config.cell_models import model_files
from pipeline.config.load import Resolved
from pipeline.config.morphologies import GrownMorphologies, MorphologySet
from pipeline.config.placement import ImportedNodes, PlacedNodes, PointNodes, Voxels
from pipeline.config.places import project_roots
from pipeline.config.rules import RuleEdges
from pipeline.config.schema import Model, TableNodes
from pipeline.config.simulation import FileCurrent, SpikeInput, TableCurrent
from pipeline.config.stimuli import MovieFile
from pipeline.config.tables import read_csv
from pipeline.config.touches import TouchEdges, touch_files
from pipeline.errors import ConfigError, Problem

OWN_MECHANISMS = "mechanisms"
"""A folder of this name in a model is a set of it, named or not."""


def stage_slice(resolved: Resolved, stage: str, name: str = "") -> dict[str, Any]:
    """Returns the part of the resolved config that a stage uses.

    Args:
        resolved: The model.
        stage: compile, cells, extract, generalise, morphologies, nodes, edges, stimulus, circuit,
            simulate, psp, perturb, behave, damage, premotor, analyse or report.
        name: Which edge config, stimulus, run or protocol, for stages that have several.
    """
    tree = resolved.tree
    cells = {k: value for k, value in (tree["cells"] or {}).items() if k != "protocols"}
    slices: dict[str, Any] = {
        "compile": {key: tree[key] for key in ("mechanisms", "compiler")} | _asked(resolved.model),
        "cells": {"cells": tree["cells"]},
        "morphologies": {
            # What the grown cells are held against changes none of them.
            "morphologies": {k: v for k, v in (tree["morphologies"] or {}).items() if k != "real"},
            "seed": tree["seed"],
        },
        "nodes": {"nodes": tree["nodes"], "cells": cells},
        "edges": {"edges": tree["edges"].get(name), "seed": tree["seed"]},
        "circuit": {
            "nodes": sorted(tree["nodes"]),
            "edges": sorted(tree["edges"]),
            "synapse_models": tree["synapse_models"],
        },
        "generalise": _generalise_slice(tree),
        "extract": {"extract": tree["extract"].get(name)},
        "optimise": {"fit": tree["fits"].get(name)},
        "stimulus": {"stimulus": tree["stimuli"].get(name), "seed": tree["seed"]},
        "simulate": {"simulation": tree["simulation"].get(name), "seed": tree["seed"]},
        "perturb": {"perturb": tree["perturb"], "seed": tree["seed"]},
        "psp": {"psp": _psp_slice(tree), "seed": tree["seed"]},
        "behave": _behave_slice(tree, name),
        "damage": _damage_slice(tree, name),
        "premotor": {"premotor": tree["premotor"], "seed": tree["seed"]},
        "analyse": {key: tree[key] for key in _ANALYSED},
        "report": tree,
    }
    if _grows_placed(resolved.model):
        drawn = {name: tree["nodes"][name] for name in drawn_shapes(resolved.model)}
        slices["morphologies"]["nodes"] = {
            name: {key: nodes[key] for key in _COUNTED} | {"by": nodes["morphologies"]["by"]}
            for name, nodes in drawn.items()
        }
        slices["morphologies"]["fitted"] = fitted_types(resolved.model)
    if any(isinstance(nodes, PlacedNodes) for nodes in resolved.model.nodes.values()):
        slices["nodes"]["seed"] = tree["seed"]
    rules = slices["edges"]["edges"]
    if rules and rules["kind"] == "rules":
        # Memory and parts change the way, not the edges.
        free = ("memory", "parts")
        slices["edges"]["edges"] = {key: v for key, v in rules.items() if key not in free}
    if rules and rules["kind"] == "touches":
        free = ("memory", "block")
        slices["edges"]["edges"] = {key: v for key, v in rules.items() if key not in free}
    if slices["simulate"]["simulation"]:
        # Results do not depend on ranks; neither may the decision to run again.
        run = dict(slices["simulate"]["simulation"])
        for free in ("ranks", "threads"):
            run.pop(free)
        slices["simulate"]["simulation"] = run
    return slices[stage]


def mechanism_folders(resolved: Resolved) -> list[Path]:
    """Returns the folders of the model's mechanism sets: those it names, and its own.

    Raises:
        ConfigError: If a set is nowhere, with the line that names it.
    """
    folders, problems = [], []
    roots = [root / "mechanisms" for root in project_roots()]
    for index, name in enumerate(resolved.model.mechanisms):
        candidates = [resolved.folder / name, *(root / name for root in roots)]
        found = next((c for c in candidates if c.is_dir() and any(c.glob("*.mod"))), None)
        if found is None:
            known = sorted({p.name for root in roots if root.is_dir() for p in root.iterdir()})
            where = resolved.origin(("mechanisms", index))
            hint = f"known: {', '.join(known)}"
            problems.append(Problem(where, f"no mechanism set {name!r}", hint))
        else:
            folders.append(found.resolve())
    if problems:
        raise ConfigError(problems)
    own = (resolved.folder / OWN_MECHANISMS).resolve()
    if own not in folders and any(own.glob("*.mod")):
        folders.append(own)
    return folders


def _asked(model: Model) -> dict[str, list[str]]:
    """What runs ask of compiled mechanisms besides NEURON's library; empty if nothing."""
    runs = model.simulation.values()
    asked = ["coreneuron"] if any(run.coreneuron for run in runs) else []
    asked += ["neurodamus"] if any(run.engine == "neurodamus" for run in runs) else []
    return {"asked": asked} if asked else {}


def stage_files(resolved: Resolved, stage: str, name: str = "") -> list[Path]:
    """Returns the model's own files that a stage reads, besides outputs of earlier stages."""
    model = resolved.model
    if stage == "compile":
        return [p for folder in mechanism_folders(resolved) for p in sorted(folder.glob("*.mod"))]
    if stage == "cells" and model.cells:
        references = [p.reference for p in model.cells.protocols.values() if p.reference]
        cells = {protocol.cell for protocol in model.cells.protocols.values()}
        return [
            *sorted(resolved.path(model.cells.emodels).glob("*.yaml")),
            *(resolved.path(reference) for reference in references),
            *(_morphology(resolved, cell) for cell in sorted(cells)),
        ]
    if stage == "morphologies" and model.morphologies:
        tables = _morphology_files(resolved, model.morphologies)
        placed = [model.nodes[n] for n in drawn_shapes(model)] if _grows_placed(model) else []
        counted = [f for n in placed for f in node_files(n) if f != n.morphologies.rules]
        return [*tables, *map(resolved.path, counted)]
    if stage == "nodes":
        tables = [path for nodes in model.nodes.values() for path in node_files(nodes)]
        files = [resolved.path(table) for table in tables] + _cell_model_files(resolved)
        if model.cells is None:
            return files
        library = resolved.path(model.cells.morphologies.path)
        return [
            *files,
            *sorted(resolved.path(model.cells.emodels).glob("*.yaml")),
            *sorted(library.glob(f"*.{model.cells.morphologies.format}")),
        ]
    if stage == "edges":
        edges = model.edges[name]
        if isinstance(edges, RuleEdges):
            files = sorted(_tables_of(resolved.tree["edges"][name]))
            return [resolved.path(file) for file in files]
        if isinstance(edges, TouchEdges):
            return [resolved.path(file) for _, file, _ in touch_files(edges)]
        if isinstance(edges, AfferentEdges):
            tables = (edges.pathways, edges.physiology.classes, edges.physiology.rules)
            return [resolved.path(file) for file in tables]
        weights = [resolved.path(edges.weights)] if edges.weights else []
        return [resolved.path(edges.connectome_folder) / f"{edges.connectome}.csv", *weights]
    if stage == "optimise":
        fit = model.fits[name]
        files = [fit.bounds, fit.protocols, fit.targets, fit.recordings, fit.morphology]
        files += fit.search.start
        return [resolved.path(file) for file in files if file]
    if stage == "generalise" and model.generalise:
        return _generalise_files(resolved)
    if stage == "extract":
        return _recordings(resolved, name)
    if stage == "stimulus":
        stimulus = model.stimuli[name]
        movie = [stimulus.movie.file] if isinstance(stimulus.movie, MovieFile) else []
        return [resolved.path(file) for file in (stimulus.filters, *movie)]
    if stage == "simulate":
        run = model.simulation[name]
        inputs = [i.file for i in run.inputs.values() if isinstance(i, FileCurrent | SpikeInput)]
        inputs += [i.table for i in run.inputs.values() if isinstance(i, TableCurrent)]
        return [resolved.path(file) for file in (*filter(None, inputs), *run.gain_tables)]
    if stage == "psp" and model.psp:
        return [resolved.path(file) for file in (model.psp.targets, *model.psp.gain_tables)]
    if stage == "behave":
        return _behave_files(resolved, name)
    if stage == "damage" and model.damage:
        fitted = model.training[model.damage.training]
        files = [resolved.path(file) for file in (fitted.target, fitted.currents)]
        own = stage_files(resolved, "edges", model.damage.edges)
        return [*files, *own, *stage_files(resolved, "behave", model.damage.behaviour)]
    if stage == "premotor" and model.premotor:
        return [resolved.path(f) for f in (model.premotor.connectome, *model.premotor.recordings)]
    if stage == "analyse":
        return _analysed_files(resolved)
    return []


def _psp_slice(tree: dict[str, Any]) -> dict[str, Any] | None:
    """How long a recording may take changes none."""
    return {k: v for k, v in tree["psp"].items() if k != "time_limit"} if tree["psp"] else None


def _behave_slice(tree: dict[str, Any], name: str) -> dict[str, Any]:
    """Results do not depend on ranks; neither may the decision to run again."""
    behaviour = tree["behaviours"].get(name)
    if not behaviour or behaviour["drive"]["kind"] != "circuit":
        return {"behaviour": behaviour}
    drive = {key: value for key, value in behaviour["drive"].items() if key != "ranks"}
    return {"behaviour": behaviour | {"drive": drive}, "seed": tree["seed"]}


def _analysed_files(resolved: Resolved) -> list[Path]:
    model = resolved.model
    correlation = model.analysis.correlation
    named = [model.reference, correlation.reference if correlation else None]
    if responses := model.analysis.responses:
        named += [responses.recorded, responses.published_model, responses.units]
        named += [responses.seeds]
    named.append(getattr(model.morphologies, "real", None))
    shipped = [t.figures for t in model.training.values() if t.figures]
    named += [path for path in shipped if resolved.path(path).is_file()]
    if model.analysis.touches:
        named += [model.analysis.touches.pathways, model.analysis.touches.recorded]
    return [resolved.path(path) for path in named if path]


def _behave_files(resolved: Resolved, name: str) -> list[Path]:
    behaviour = resolved.model.behaviours[name]
    drive = behaviour.drive
    files = [getattr(behaviour.body, "mesh", None)]
    if drive.kind == "circuit":
        files += [drive.readout.table, getattr(drive.proprioception, "table", None)]
    return [resolved.path(file) for file in files if file]


def _damage_slice(tree: dict[str, Any], name: str) -> dict[str, Any]:
    """One change with what it is held against; neither other changes nor the list of seeds."""
    config = tree["damage"]
    if not config or name not in config["changes"]:
        return {"damage": config}
    own = {key: config[key] for key in ("edges", "behaviour", "training", "noise")}
    used = ("target", "inputs", "duration", "dt", "v_init", "frequency", "currents")
    training = {key: tree["training"][config["training"]][key] for key in used}
    steps = config["changes"][name]["steps"]
    edges = tree["edges"][config["edges"]] if any(s["kind"] != "block" for s in steps) else None
    loop = _behave_slice(tree, config["behaviour"])
    return {"damage": own, "steps": steps, "training": training, "edges": edges} | loop


def _generalise_slice(tree: dict[str, Any]) -> dict[str, Any]:
    """Types and labels come from the nodes, whose places do not matter."""
    config = tree["generalise"]
    nodes = tree["nodes"].get(config["nodes"]) if config else None
    keys = ("table", "types", "labels", "name_column", "layers", "regions")
    if config and config["types"] == "placed":
        keys += tuple(key for key in _COUNTED if key not in keys)
    own = {key: nodes[key] for key in keys if key in nodes} if nodes else None
    # How many jobs share the work does not change the result.
    free = {key: value for key, value in config.items() if key != "parts"} if config else None
    judged_by = ("axon", "segment", "protocols", "targets", "recordings", "evaluation")
    fits = {name: {key: fit[key] for key in judged_by} for name, fit in tree["fits"].items()}
    return {"generalise": free, "nodes": own, "fits": fits if config else None}


def _generalise_files(resolved: Resolved) -> list[Path]:
    config = resolved.model.generalise
    tables = [config.table, *node_files(resolved.model.nodes[config.nodes])]
    for fit in resolved.model.fits.values():
        tables += [fit.protocols, fit.targets, *filter(None, [fit.recordings])]
    emodels = sorted(resolved.path(config.emodels).glob("*.yaml"))
    known = [config.known] if config.known and resolved.path(config.known).is_file() else []
    fitted = sorted(resolved.path(config.fitted).glob("*.csv")) if config.fitted else []
    return [*(resolved.path(table) for table in [*tables, *known]), *emodels, *fitted]


def _recordings(resolved: Resolved, name: str) -> list[Path]:
    """The table of sweeps and the files it names, as far as it can be read."""
    config = resolved.model.extract[name]
    table, folder = resolved.path(config.sweeps), resolved.path(config.folder)
    if not table.is_file():
        return [table]
    rows = read_csv(table)
    named = [name for column in ("current", "voltage") if column in rows for name in rows[column]]
    return [table, *(folder / name for name in sorted(set(named)))]


def _morphology_files(resolved: Resolved, config: MorphologySet) -> list[Path]:
    """Tables and distributions; of a library only the catalogue, which names the files."""
    if isinstance(config, GrownMorphologies):
        folder = resolved.path(config.distributions)
        return [resolved.path(config.exemplars), *sorted(folder.glob("*.json"))]
    named = [config.catalogue, config.exemplars]
    return [resolved.path(path) for path in named if path]


def node_files(nodes: object) -> list[str]:
    """Returns the files one population is made from."""
    if isinstance(nodes, TableNodes | PointNodes):
        return [nodes.table]
    if isinstance(nodes, ImportedNodes):
        return [path for path in (nodes.file, nodes.types) if path]
    if isinstance(nodes, PlacedNodes):
        voxels = [r.file for r in nodes.regions.values() if isinstance(r, Voxels)]
        rules = [nodes.morphologies.rules] if nodes.morphologies else []
        return [*([nodes.table] if nodes.table else []), *voxels, *rules]
    return []


def has_cell_models(model: Model, kind: str) -> bool:
    """Says whether any population has cells of a kind of ``cell_models``."""
    return any(
        entry.kind == kind
        for nodes in model.nodes.values()
        for entry in getattr(nodes, "cell_models", {}).values()
    )


def drawn_shapes(model: Model) -> list[str]:
    """Returns the populations whose cells draw what the stage ``morphologies`` has made."""
    return [name for name, n in model.nodes.items() if getattr(n, "morphologies", None)]


def fitted_types(model: Model) -> list[str]:
    """Returns the m-types of the cells of ``report.fits``, sorted."""
    fits = (model.fits[name] for name in model.report.fits)
    return sorted({fit.m_type for fit in fits if fit.m_type})


_COUNTED = ("table", "types", "labels", "layers", "regions", "scale", "slab", "balance", "at_least")
"""Keys of placed nodes that decide how many cells a type has."""


def _grows_placed(model: Model) -> bool:
    return model.morphologies is not None and model.morphologies.m_types == "placed"


def has_point_cells(model: Model) -> bool:
    """Says whether any population writes ``components/point_neurons``."""
    return has_cell_models(model, "glif")


def _cell_model_files(resolved: Resolved) -> list[Path]:
    """Returns the parameter and port files of all cell models; a folder hides the table."""
    files: dict[Path, None] = {}
    for nodes in resolved.model.nodes.values():
        for model in getattr(nodes, "cell_models", {}).values():
            for field in model_files(model):
                path = resolved.path(getattr(model, field))
                wanted = _FILES_OF.get(field)
                found = (
                    [path] if wanted is None else sorted(p for w in wanted for p in path.glob(w))
                )
                files |= dict.fromkeys(found)
    return list(files)


_ANALYSED = (
    "analysis",
    "reference",
    "psp",
    "nodes",
    "edges",
    "cells",
    "morphologies",
    "behaviours",
    "damage",
    "training",
)
_FILES_OF = {"folder": ("*.json", "*.swc"), "emodels": ("*.yaml",)}
"""What is read from the folders a cell model names."""


def _tables_of(tree: object) -> set[str]:
    """Returns the files that rules read: every ``table`` or ``file`` at any depth."""
    if isinstance(tree, list):
        return set().union(*(_tables_of(entry) for entry in tree))
    if not isinstance(tree, dict):
        return set()
    own = {value for key, value in tree.items() if key in ("table", "file") and value}
    return own.union(*(_tables_of(value) for value in tree.values()))


def _morphology(resolved: Resolved, cell: str) -> Path:
    library = resolved.model.cells.morphologies
    return resolved.path(library.path) / f"{cell}.{library.format}"
