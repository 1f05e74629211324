"""What the verbs about cells do: targets from recordings, e-models, morphologies judged, pairs."""

from __future__ import annotations

import argparse

from pipeline.commands import cache_folder, chosen, open_stage
from pipeline.errors import ConfigError, Problem


def extract(options: argparse.Namespace) -> None:
    """Take features from recorded sweeps and write them as targets of an e-type."""
    from pipeline.recordings.stage import run_extract

    resolved, paths = open_stage(options)
    for name in chosen(options.name, list(resolved.model.extract), "extract"):
        written, rows = run_extract(resolved, name, paths, options.save)
        print(f"{written}  {rows} targets")


def optimise(options: argparse.Namespace) -> None:
    """Search the free parameters of e-models; the best search becomes an e-model file."""
    from pipeline.config.stages import mechanism_folders
    from pipeline.fitting.stage import merge, run_search, save
    from pipeline.simulation.stage import compiled_library

    resolved, paths = open_stage(options)
    library = compiled_library(paths, needed=bool(mechanism_folders(resolved)))
    for name in chosen(options.name, list(resolved.model.fits), "fits"):
        seeds = [options.seed] if options.seed else resolved.model.fits[name].search.seeds
        for seed in [] if options.merge else seeds:
            print(
                run_search(
                    resolved, name, seed, paths, library, options.workers, options.generations
                )
            )
        if not options.seed:
            print(merge(resolved, name, paths, library))
            if options.save:
                print(save(resolved, name, paths))


def generalise(options: argparse.Namespace) -> None:
    """Judge every allowed morphology with every e-model; only what is new is evaluated."""
    from pipeline.generalise import stage
    from pipeline.generalise.evaluation import Store

    resolved, paths = open_stage(options)
    if resolved.model.generalise is None:
        message = "the model has no key generalise"
        raise ConfigError(Problem(resolved.model.name, message, "add it, or leave this stage out"))
    evaluator = stage.evaluator_of(resolved, paths)
    known = resolved.model.generalise.known
    if options.save and known is None:
        message = "nowhere to save evaluations"
        raise ConfigError(Problem(resolved.model.name, message, "name a file: generalise.known"))
    shipped = resolved.path(known) if known else None
    store = Store(cache_folder(options.cache, "generalise"), shipped)
    if options.part:
        part, parts = options.part
        found = stage.run_part(resolved, paths, evaluator, store, part - 1, parts, options.workers)
        print(f"{found[0]}  {found[1]} evaluated")
        return
    found = stage.run_generalise(
        resolved, paths, evaluator, store, options.workers, options.save, options.at_most
    )
    left = f", {found['left']} not evaluated yet" if found["left"] else ""
    print(
        f"{paths.generalise('pairs')}  {found['accepted']} of {found['pairs']} pairs accepted, "
        f"{found['covered']} of {found['me_types']} me-types covered, "
        f"{found['evaluated']} evaluated now{left}"
    )


def psp(options: argparse.Namespace) -> None:
    """Record from pairs of connected cells in silico, and hold potentials beside published ones."""
    from pipeline.psp.stage import Setup, record_all, write_tables
    from pipeline.runtime import JsonStore
    from pipeline.simulation.stage import compiled_library

    resolved, paths = open_stage(options)
    if resolved.model.psp is None:
        message = "the model has no key psp"
        raise ConfigError(Problem(resolved.model.name, message, "add it, or leave this stage out"))
    library = compiled_library(paths, needed=True)
    setup = Setup(resolved, paths, library, options.name)
    store = JsonStore(cache_folder(options.cache, "psp"))
    if options.calibrate:
        _calibrate_psp(options, setup, store)
        return
    recordings, made = record_all(setup, store, options.workers)
    write_tables(setup, recordings, paths)
    good = sum("psp" in r.result for r in recordings)
    print(
        f"{paths.psp('pathways')}  {len(setup.pathways)} pathways, {good} of {len(recordings)} "
        f"connections recorded, {made} now"
    )


def perturb(options: argparse.Namespace) -> None:
    """Make the circuit of a variant from the built circuit of another one, with changes."""
    from pipeline.perturbed import base_paths, run_perturb

    resolved, paths = open_stage(options)
    if resolved.model.perturb is None:
        message = "the variant has no key perturb"
        raise ConfigError(Problem(resolved.model.name, message, "add it, or leave this stage out"))
    for population, count in run_perturb(
        resolved, base_paths(resolved, options.out), paths
    ).items():
        print(f"{paths.edges(population)}  {count} edges")


def _calibrate_psp(options: argparse.Namespace, setup, store) -> None:
    """Searches factors of conductances, and writes them as gains of runs."""
    from pipeline.psp.calibrate import calibrate, calibration_table, gain_table, measure_with
    from pipeline.psp.stage import write_csv

    measure = measure_with(setup, store, options.workers)
    found = calibrate(setup, measure)
    _, final = measure({s.pathway.name: s.factor for s in found})
    table = calibration_table(found, final)
    model, paths = setup.resolved.model, setup.paths
    write_csv(paths.psp("calibration"), table)
    source = f"sonatina psp {model.name} {model.variant} --calibrate, seed {setup.seed}"
    gains = gain_table(setup, table, source)
    write_csv(paths.psp("gains"), gains)
    if options.save:
        write_csv(setup.resolved.path(options.save), gains)
    for row in table.itertuples():
        print(
            f"{row.pathway:<20} x {row.factor:<7.4g} {row.before:.3g} -> {row.after:.3g} mV "
            f"({row.target:.3g})  {row.off}"
        )
    print(paths.psp("gains"))
