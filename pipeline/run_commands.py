"""What the verbs from the simulation to the report do."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from pipeline.commands import cache_folder, chosen, open_stage
from pipeline.errors import ConfigError, Problem


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

    resolved, paths = open_stage(options)
    for name in chosen(options.name, list(resolved.model.simulation), "simulation"):
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

    resolved, paths = open_stage(options)
    for name in chosen(options.name, list(resolved.model.tuning), "tuning"):
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

    resolved, paths = open_stage(options)
    run_analysis(resolved, paths)
    print(paths.analysis("verdicts"))


def report(options: argparse.Namespace) -> None:
    """Write the report page."""
    from pipeline.report.html import run_report

    resolved, paths = open_stage(options)
    print(run_report(resolved, paths))


def crate(options: argparse.Namespace) -> None:
    """Describe a circuit with its runs and report as an RO-Crate, to archive or to hand on."""
    from pipeline.report.crate import run_crate, zip_crate

    resolved, paths = open_stage(options)
    print(run_crate(resolved, paths))
    if options.zip:
        print(zip_crate(paths))


def compare(options: argparse.Namespace) -> None:
    """Put the activity of several analysed circuits side by side on one page."""
    from pipeline.report.compare import run_compare

    print(run_compare(options.folders, options.out, seeds=options.seeds, expected=options.expected))


def verdicts(options: argparse.Namespace) -> None:
    """Show what passes and what fails in several circuits as one table."""
    from pipeline.analysis.overview import read_verdicts, verdict_lines, verdict_page
    from pipeline.runtime import write_text

    rows = read_verdicts(options.folders)
    lines = verdict_lines(rows)
    print("\n".join(lines))
    if options.page:
        write_text(options.page, verdict_page(lines))
        print(f"wrote {options.page}")
    if options.csv:
        write_text(options.csv, rows.to_csv(index=False, lineterminator="\n"))
        print(f"wrote {options.csv}")
