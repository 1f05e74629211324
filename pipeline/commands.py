"""What each verb of the command line does: load the model, call the stage, say what was written."""

from __future__ import annotations

import argparse
import json
import logging
import os
from pathlib import Path

from pipeline.errors import ConfigError, PipelineError, Problem

log = logging.getLogger(__name__)


def _open(options: argparse.Namespace):
    """Returns the resolved model and the paths of its circuit."""
    from pipeline.config.load import load_model
    from pipeline.sonata.layout import CircuitPaths

    resolved = load_model(options.model, options.variant)
    model = resolved.model
    return resolved, CircuitPaths(options.out / model.name / model.variant)


def _open_stage(options: argparse.Namespace):
    """Opens a model for a stage that writes: first removes what killed processes left behind."""
    from pipeline.runtime import remove_leftovers

    resolved, paths = _open(options)
    remove_leftovers(paths.root)
    return resolved, paths


def cache_folder(named: Path | None = None, kind: str = "mechanisms") -> Path:
    """Returns a cache's folder: named, or its kind below SONATINA_CACHE or ``.cache`` here."""
    return named or Path(os.environ.get("SONATINA_CACHE", ".cache")) / kind


def list_all(options: argparse.Namespace) -> None:
    """List the models with their variants and titles."""
    from pipeline.config.places import list_models, list_variants
    from pipeline.config.yaml_lines import read_yaml

    for name, path in list_models().items():
        data = read_yaml(path).data
        title = data.get("title", "") if isinstance(data, dict) else ""
        print(f"{name:<20} {title}")
        for variant in ["default", *list_variants(path)]:
            print(f"  {variant}")


def list_engines(options: argparse.Namespace) -> None:
    """List the engines: what they run, their versions, and what is missing here."""
    from pipeline.simulation.engines import describe, engine_lines, engines

    if options.json:
        print(json.dumps([describe(engine) for engine in engines().values()], indent=2))
        return
    for line in engine_lines():
        print(line)


def show(options: argparse.Namespace) -> None:
    """Print the resolved config, each value with the file and line it comes from."""
    from pipeline.config.show import lines

    resolved, _ = _open(options)
    for line in lines(resolved, options.path):
        print(line)


def validate(options: argparse.Namespace) -> None:
    """Check a model completely and list all problems at once."""
    from pipeline.config.load import load_model
    from pipeline.model_check import check_model

    resolved = load_model(options.model, options.variant)
    problems = check_model(resolved)
    if problems:
        raise ConfigError(problems)
    print(f"{resolved.model.name}/{resolved.model.variant}: no problems")


def plan(options: argparse.Namespace) -> None:
    """Tell how large a model will be and how long it takes to build, before anything is built."""
    from pipeline.model_plan import plan_model, table_lines

    resolved, _ = _open(options)
    planned = plan_model(resolved)
    if options.json:
        print(json.dumps(planned, indent=2))
        return
    for line in table_lines(planned):
        print(line)


def new(options: argparse.Namespace) -> None:
    """Make a commented starter model that runs."""
    from pipeline.config.starter import write_starter

    folder = write_starter(options.model, Path.cwd() / "models")
    print(f"{folder}/model.yaml: edit it, then run 'sonatina run {options.model}'")


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

    resolved, paths = _open_stage(options)
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

    resolved, paths = _open_stage(options)
    library = compiled_library(paths, needed=bool(mechanism_folders(resolved)))
    for name in run_clamps(resolved, paths, library):
        print(paths.analysis(f"clamp_{name}"))


def morphologies(options: argparse.Namespace) -> None:
    """Grow or check the morphologies of a model, and write them with their catalogue."""
    from pipeline.morphologies.stage import run_morphologies
    from pipeline.nodes.populations import shape_types

    resolved, paths = _open_stage(options)
    if resolved.model.morphologies is None:
        message = "the model has no key morphologies"
        raise ConfigError(Problem(resolved.model.name, message, "add it, or leave this stage out"))
    cache = cache_folder(options.cache, "morphologies")
    count = run_morphologies(resolved, paths, options.workers, shape_types(resolved), cache)
    print(f"{paths.morphology_table}  {count} morphologies")


def nodes(options: argparse.Namespace) -> None:
    """Write the node populations and the components of their cells."""
    from pipeline.nodes.build import run_nodes

    resolved, paths = _open_stage(options)
    for name, count in run_nodes(resolved, paths).items():
        print(f"{paths.nodes(name)}  {count} cells")


def edges(options: argparse.Namespace) -> None:
    """Place the contacts, or draw the rules' connections, and write the edge populations."""
    from pipeline.edges.build import run_edges

    resolved, paths = _open_stage(options)
    names = _chosen(options.name, list(resolved.model.edges), "edges")
    # Edges that take others off come after these.
    names.sort(key=lambda name: getattr(resolved.model.edges[name], "less", None) is not None)
    if options.part or options.merge:
        _edges_in_parts(options, resolved, paths, names)
        return
    for name in names:
        for population, count in run_edges(resolved, name, paths).items():
            print(f"{paths.edges(population)}  {count} edges")


def calibrate(options: argparse.Namespace) -> None:
    """Measure touches in a sample of cells and solve the pruning parameters of every pathway."""
    from pipeline.config.touches import TouchEdges
    from pipeline.edges.touch.stage import run_calibration
    from pipeline.runtime import write_text

    resolved, paths = _open_stage(options)
    edges = resolved.model.edges
    known = [name for name in edges if isinstance(edges[name], TouchEdges)]
    for name in _chosen(options.name, known, "edges of kind touches"):
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


def stimulus(options: argparse.Namespace) -> None:
    """Compute what thalamic units answer to a movie, and write their spikes."""
    from time import perf_counter

    from pipeline.stimulus.stage import run_stimulus

    resolved, paths = _open_stage(options)
    cache = cache_folder(options.cache, "filternet")
    for name in _chosen(options.name, list(resolved.model.stimuli), "stimuli"):
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

    resolved, paths = _open_stage(options)
    for problem in run_circuit(resolved, paths):
        log.warning("warning: %s", problem)
    print(paths.circuit_config)


def simulate(options: argparse.Namespace) -> None:
    """Simulate the circuit on MPI ranks and write spikes and reports."""
    if options.model.endswith(".json"):
        _simulate_elsewhere(options)
        return
    options.out = options.out or Path(os.environ.get("SONATINA_CIRCUITS", "circuits"))
    if options.engine:
        hint = "set simulation.<run>.engine in a variant"
        raise ConfigError(Problem("--engine", "is for configs made elsewhere (JSON)", hint))
    from pipeline.simulation.stage import estimate, run_simulation

    resolved, paths = _open_stage(options)
    for name in _chosen(options.name, list(resolved.model.simulation), "simulation"):
        if options.dry_run:
            from pipeline.model_size import circuit_size

            size = circuit_size(resolved, paths.morphologies)
            cost = estimate(resolved, name, size["segments"], size["netcons"], size["releases"])
            print(json.dumps(size | cost, indent=2))
            continue
        figures = run_simulation(
            resolved, name, paths, ranks=options.ranks, launcher=options.mpi,
            save_every=options.save_every, walltime=options.walltime,
        )  # fmt: skip
        seconds = resolved.model.simulation[name].duration / 1000
        kind = "ranks" if "ranks" in figures else "threads"
        workers = f"{figures[kind]:.0f} {kind}"
        resumed = f", from the save at {figures['from_ms']:g} ms" if "from_ms" in figures else ""
        seconds -= figures.get("from_ms", 0.0) / 1000
        print(
            f"{paths.simulation(name)}  {figures['run_s']:.1f} s for {seconds:g} s on "
            f"{workers} ({figures['run_s'] / seconds:.2f} s per simulated second){resumed}"
        )


def _simulate_elsewhere(options: argparse.Namespace) -> None:
    """Runs a SONATA simulation config that was made elsewhere."""
    from pipeline.simulation.elsewhere.stage import run_elsewhere

    folder, figures = run_elsewhere(
        Path(options.model), options.engine, options.out, cache_folder(),
        ranks=options.ranks or 1, launcher=options.mpi, mechanisms=options.mechanisms,
    )  # fmt: skip
    print(
        f"{folder}  built in {figures['build_s']:.1f} s, run in {figures['run_s']:.1f} s, "
        f"{figures['memory_mib']:.0f} MiB"
    )


def tune(options: argparse.Namespace) -> None:
    """Search gains of weights that bring classes to their target rates."""
    from pipeline.runtime import write_text
    from pipeline.tuning.stage import run_tuning

    resolved, paths = _open_stage(options)
    for name in _chosen(options.name, list(resolved.model.tuning), "tuning"):
        figures = run_tuning(resolved, name, paths)
        written = paths.tuning(name) / "gains.csv"
        print(
            f"{written}  {figures['inside']:.0f} classes within both quartile ranges, "
            f"score {figures['score']:.2f}, after {figures['evaluations']:.0f} simulations"
        )
        if options.save:
            table = resolved.path(resolved.model.tuning[name].table)
            write_text(table, written.read_text(encoding="utf-8"))
            print(f"wrote {table}")


def analyse(options: argparse.Namespace) -> None:
    """Compute structure, activity and the comparison with published values."""
    from pipeline.analysis.build import run_analysis

    resolved, paths = _open_stage(options)
    run_analysis(resolved, paths)
    print(paths.analysis("verdicts"))


def report(options: argparse.Namespace) -> None:
    """Write the report page."""
    from pipeline.report.html import run_report

    resolved, paths = _open_stage(options)
    print(run_report(resolved, paths))


def run_workflow(options: argparse.Namespace) -> int:
    """Run the whole workflow to the report with Snakemake."""
    from pipeline.workflow import run_snakemake

    resolved, paths = _open(options)
    return run_snakemake(options, resolved, paths)


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


def compare(options: argparse.Namespace) -> None:
    """Put the activity of several analysed circuits side by side on one page."""
    from pipeline.report.compare import run_compare

    print(run_compare(options.folders, options.out, seeds=options.seeds, expected=options.expected))


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


def _chosen(name: str | None, known: list[str], key: str) -> list[str]:
    from pipeline.config.yaml_lines import nearest

    if name is None:
        return known
    if name not in known:
        raise ConfigError(
            Problem(f"--name {name}", f"no such key under {key}", nearest(name, known))
        )
    return [name]
