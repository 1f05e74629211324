"""What the verbs about e-models do: targets from recordings, morphologies judged."""

from __future__ import annotations

import argparse

from pipeline.commands import _chosen, _open_stage, cache_folder
from pipeline.errors import ConfigError, Problem


def extract(options: argparse.Namespace) -> None:
    """Take features from recorded sweeps and write them as targets of an e-type."""
    from pipeline.recordings.stage import run_extract

    resolved, paths = _open_stage(options)
    for name in _chosen(options.name, list(resolved.model.extract), "extract"):
        written, rows = run_extract(resolved, name, paths, options.save)
        print(f"{written}  {rows} targets")


def optimise(options: argparse.Namespace) -> None:
    """Search the free parameters of e-models; the best search becomes an e-model file."""
    from pipeline.fitting.stage import merge, run_search, save
    from pipeline.simulation.stage import compiled_library

    resolved, paths = _open_stage(options)
    library = compiled_library(paths, needed=bool(resolved.model.mechanisms))
    for name in _chosen(options.name, list(resolved.model.fits), "fits"):
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

    resolved, paths = _open_stage(options)
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
    found = stage.run_generalise(resolved, paths, evaluator, store, options.workers, options.save)
    print(
        f"{paths.generalise('pairs')}  {found['accepted']} of {found['pairs']} pairs accepted, "
        f"{found['covered']} of {found['me_types']} me-types covered, "
        f"{found['evaluated']} evaluated now"
    )
