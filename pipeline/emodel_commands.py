"""What the verbs about e-models do: targets from recordings, morphologies judged."""

from __future__ import annotations

import argparse

from pipeline.commands import _chosen, _open_stage


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
