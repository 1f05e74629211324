"""What the verbs that build circuits, check and explain them do."""

from __future__ import annotations

import argparse
import json
import logging

from pipeline.commands import cache_folder, chosen, open_stage
from pipeline.errors import ConfigError, PipelineError, Problem

log = logging.getLogger(__name__)


def compile_mechanisms(options: argparse.Namespace) -> None:
    """Compile the mechanisms of a model, or one mechanism set, into the cache."""
    from pipeline.config.places import list_models, project_roots
    from pipeline.config.stages import mechanism_folders
    from pipeline.mechanisms import compile_sets, find_set
    from pipeline.runtime import write_json

    is_model = options.model in list_models() or options.model.endswith((".yaml", ".yml"))
    cache = cache_folder(options.cache)
    if not is_model:
        folder = find_set(options.model, [root / "mechanisms" for root in project_roots()])
        library = compile_sets([folder], cache, coreneuron=options.coreneuron)
        print(f"{library.path}  ({len(library.mechanisms)} mechanisms, {library.seconds:.1f} s)")
        return
    from pipeline.model_check import check_mechanisms
    from pipeline.simulation.engines.neurodamus import DEFINES, mechanism_sets

    resolved, paths = open_stage(options)
    extra = mechanism_sets(resolved)
    folders = mechanism_folders(resolved) + extra
    runs = resolved.model.simulation.values()
    coreneuron = options.coreneuron or any(run.coreneuron for run in runs)
    problems = check_mechanisms(resolved)
    if problems:
        raise ConfigError(problems)
    entry: dict[str, object] = {"library": "", "coreneuron": "", "hash": "", "mechanisms": []}
    if folders:
        flags = resolved.model.compiler
        library = compile_sets(
            folders, cache, coreneuron=coreneuron, flags=flags,
            defines=DEFINES if extra else (),
        )  # fmt: skip
        entry = {
            "library": str(library.path.resolve()),
            "coreneuron": str(library.coreneuron or ""),
            "hash": library.hash,
            "mechanisms": sorted(library.mechanisms),
            "flags": flags,
        }
        log.info("compiled %d mechanisms in %.1f s", len(library.mechanisms), library.seconds)
    write_json(paths.mechanisms, entry)
    print(paths.mechanisms)


def cells(options: argparse.Namespace) -> None:
    """Run the single-cell clamp protocols of a model."""
    from pipeline.cells.stage import run_clamps
    from pipeline.config.stages import mechanism_folders
    from pipeline.simulation.stage import compiled_library

    resolved, paths = open_stage(options)
    library = compiled_library(paths, needed=bool(mechanism_folders(resolved)))
    for name in run_clamps(resolved, paths, library):
        print(paths.analysis(f"clamp_{name}"))


def morphologies(options: argparse.Namespace) -> None:
    """Grow or check the morphologies of a model, and write them with their catalogue."""
    from pipeline.morphologies.stage import run_morphologies
    from pipeline.nodes.types import shape_types

    resolved, paths = open_stage(options)
    if resolved.model.morphologies is None:
        message = "the model has no key morphologies"
        raise ConfigError(Problem(resolved.model.name, message, "add it, or leave this stage out"))
    cache = cache_folder(options.cache, "morphologies")
    count = run_morphologies(resolved, paths, options.workers, shape_types(resolved), cache)
    print(f"{paths.morphology_table}  {count} morphologies")


def nodes(options: argparse.Namespace) -> None:
    """Write the node populations and the components of their cells."""
    from pipeline.nodes.build import run_nodes

    resolved, paths = open_stage(options)
    for name, count in run_nodes(resolved, paths).items():
        print(f"{paths.nodes(name)}  {count} cells")


def edges(options: argparse.Namespace) -> None:
    """Place the contacts, or draw the rules' connections, and write the edge populations."""
    from pipeline.edges.build import run_edges

    resolved, paths = open_stage(options)
    names = chosen(options.name, list(resolved.model.edges), "edges")
    # Edges that take others off come after these.
    names.sort(key=lambda name: getattr(resolved.model.edges[name], "less", None) is not None)
    if options.part or options.merge:
        _edges_in_parts(options, resolved, paths, names)
        return
    for name in names:
        for population, count in run_edges(resolved, name, paths).items():
            print(f"{paths.edges(population)}  {count} edges")


def _edges_in_parts(options: argparse.Namespace, resolved, paths, names: list[str]) -> None:
    """Builds one part of a population of rules, or joins its parts."""
    from pipeline.config.rules import RuleEdges
    from pipeline.edges.rules.stage import run_merge, run_part

    if len(names) != 1 or not isinstance(resolved.model.edges[names[0]], RuleEdges):
        message = "parts are for one edge config of kind rules"
        raise ConfigError(Problem("--part", message, "name it with --name"))
    if options.part:
        part, parts = options.part
        run_part(resolved, names[0], paths, part - 1, parts)
        print(f"part {part} of {parts}")
        return
    for population, count in run_merge(resolved, names[0], paths, options.merge).items():
        print(f"{paths.edges(population)}  {count} edges")


def calibrate(options: argparse.Namespace) -> None:
    """Measure touches in a sample of cells and solve the pruning parameters of every pathway."""
    from pipeline.config.touches import TouchEdges
    from pipeline.edges.touch.stage import run_calibration
    from pipeline.runtime import write_text

    resolved, paths = open_stage(options)
    edges = resolved.model.edges
    known = [name for name in edges if isinstance(edges[name], TouchEdges)]
    for name in chosen(options.name, known, "edges of kind touches"):
        text, lines = run_calibration(resolved, name, paths)
        print("\n".join(lines))
        written = paths.analysis(f"calibrated_{name}")
        if options.save:
            written = resolved.path(edges[name].pruning.pathways or "tables/pathways.csv")
        write_text(written, text)
        print(f"wrote {written}")


def why(options: argparse.Namespace) -> None:
    """Explain an edge made from touches: distances, rules, parameters and draws."""
    from pipeline.config.load import load_model
    from pipeline.edges.touch.why import circuit_model, touch_config, why_edge, why_pair
    from pipeline.sonata.layout import CircuitPaths

    if (options.edge is None) == (options.pair is None):
        raise ConfigError(Problem("EDGE", "give an edge id, or --pair PRE POST", "one of both"))
    model, variant = circuit_model(options.circuit)
    folder = options.circuit
    root = folder.parent if folder.suffix == ".json" else folder
    resolved = load_model(options.model or model, variant)
    name = touch_config(resolved, options.name)
    paths = CircuitPaths(root)
    if options.pair:
        lines = why_pair(resolved, name, paths, *options.pair)
    else:
        lines = why_edge(resolved, name, paths, options.edge)
    print("\n".join(lines))


def stimulus(options: argparse.Namespace) -> None:
    """Compute what thalamic units answer to a movie, and write their spikes."""
    from time import perf_counter

    from pipeline.stimulus.stage import run_stimulus

    resolved, paths = open_stage(options)
    cache = cache_folder(options.cache, "filternet")
    for name in chosen(options.name, list(resolved.model.stimuli), "stimuli"):
        start = perf_counter()
        figures = run_stimulus(resolved, name, paths, cache, options.workers)
        print(
            f"{paths.stimulus_spikes(name)}  {figures['units']:.0f} units, "
            f"{figures['conditions']:.0f} conditions, {figures['spikes']:.0f} spikes, "
            f"mean {figures['mean_rate']:.2f} Hz, {perf_counter() - start:.1f} s"
        )


def circuit(options: argparse.Namespace) -> None:
    """Join nodes and edges under one circuit config and check it."""
    from pipeline.circuit import run_circuit

    resolved, paths = open_stage(options)
    for problem in run_circuit(resolved, paths):
        log.warning("warning: %s", problem)
    print(paths.circuit_config)


def check(options: argparse.Namespace) -> None:
    """Check any SONATA circuit, made here or elsewhere."""
    from pipeline.sonata.validate import check_circuit

    problems = check_circuit(options.circuit)
    if any(problem.level == "error" for problem in problems):
        raise PipelineError(problems)
    for problem in problems:
        print(f"warning: {problem}")
    print(f"{options.circuit}: {len(problems)} warnings, no errors")


def diff(options: argparse.Namespace) -> int:
    """Compare two circuits: exit code 0 when equal, 1 when different."""
    from pipeline.analysis.diff import compare_circuits, diff_lines

    found = compare_circuits(options.first, options.second, options.most)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for line in diff_lines(found):
            print(line)
    return 0 if found["equal"] else 1


def import_source(options: argparse.Namespace) -> None:
    """Convert an outside package's data into the tables of a model."""
    from pipeline.config.tables import read_csv
    from pipeline.sources import c302, cect, glif_pool

    if options.source == "glif":
        for path in glif_pool.convert_folder(options.wheel, options.folder):
            print(f"wrote {path}")
        return
    if options.source == "tmd":
        from pipeline.morphologies.extract import convert_library

        for path in convert_library(options.wheel, options.folder):
            print(f"wrote {path}")
        return
    table = options.folder / "tables" / "neurons.csv"
    if not table.is_file():
        raise ConfigError(Problem(str(table), "no such table", "give a model folder such as worm"))
    names = read_csv(table)["name"].tolist()
    if options.source == "c302":
        written = c302.convert_wheel(options.wheel, names, options.folder / "morphologies")
    else:
        written = cect.convert_wheel(options.wheel, names, options.folder / "tables/connectomes")
        written.append(cect.convert_junctions(options.wheel, names, options.folder / "tables"))
    print(f"{len(written)} files written")
