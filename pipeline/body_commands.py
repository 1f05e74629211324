"""What the verbs about bodies and premotor neurons do."""

from __future__ import annotations

import argparse
import json

from pipeline.commands import chosen, open_stage
from pipeline.errors import ConfigError, Problem
from pipeline.runtime import write_text


def behave(options: argparse.Namespace) -> None:
    """Let a model's bodies move in their environments and write what they did."""
    from pipeline.body.stage import run_behaviour
    from pipeline.simulation.closed_loop import run_closed_loop

    resolved, paths = open_stage(options)
    for name in chosen(options.name, list(resolved.model.behaviours), "behaviours"):
        if resolved.model.behaviours[name].drive.kind == "circuit":
            ranks, launcher = options.ranks, options.mpi or None
            figures = run_closed_loop(resolved, name, paths, ranks=ranks, launcher=launcher)
        else:
            figures = run_behaviour(resolved, name, paths)
        factor = figures["seconds"] / figures["run_s"]
        print(
            f"{paths.behaviour(name)}  {figures['seconds']:g} s in {figures['run_s']:.2f} s "
            f"({factor:.1f} times real time)"
        )


def premotor(options: argparse.Namespace) -> None:
    """Fit the premotor neurons to recordings and run them with the fitted weights."""
    from pipeline.premotor.stage import run_premotor

    resolved, paths = open_stage(options)
    if resolved.model.premotor is None:
        message = "the model has no key premotor"
        raise ConfigError(Problem(resolved.model.name, message, "see docs/premotor.md"))
    for name, value in run_premotor(resolved, paths).items():
        print(f"{name:<32} {value:.4g}")
    print(paths.analysis("premotor"))


def train(options: argparse.Namespace) -> None:
    """Fit weights to correlations, or a muscle readout to a gait."""
    from pipeline.training.readouts import train_readout
    from pipeline.training.stage import train_correlation

    resolved, paths = open_stage(options)
    for name in chosen(options.name, list(resolved.model.training), "training"):
        entry = resolved.model.training[name]
        if entry.kind == "correlation":
            figures = train_correlation(resolved, name, paths, options.workers)
            kept = {"contacts.csv": entry.contacts, "currents.csv": entry.currents}
        else:
            figures = train_readout(resolved, name, paths)
            kept = {"readout.csv": entry.table}
        for key, value in figures.items():
            print(f"{name}.{key:<28} {value:.4g}")
        lines = ["figure,value", *(f"{key},{value:.6g}" for key, value in figures.items())]
        write_text(paths.training(name) / "figures.csv", "\n".join(lines) + "\n")
        if options.save:
            kept["figures.csv"] = entry.figures
            for file, table in ((file, table) for file, table in kept.items() if table):
                text = (paths.training(name) / file).read_text(encoding="utf-8")
                write_text(resolved.path(table), text)
                print(f"wrote {resolved.path(table)}")


def damage(options: argparse.Namespace) -> None:
    """Change the built circuit in one way and see what correlations and behaviour become."""
    from pipeline.damage import plan_damage, run_damage

    resolved, paths = open_stage(options)
    config = resolved.model.damage
    if config is None:
        message = "the variant has no key damage"
        raise ConfigError(Problem(resolved.model.name, message, "see docs/training.md"))
    names = chosen(options.name, list(config.changes), "damage.changes")
    seeds = [options.seed] if options.seed is not None else config.seeds
    if options.dry_run:
        from pipeline.model_size import circuit_size

        segments = circuit_size(resolved, paths.morphologies)["segments"]
        print(json.dumps(plan_damage(resolved, names, seeds, paths, segments), indent=2))
        return
    for name in names:
        for seed in seeds:
            ranks, launcher = options.ranks, options.mpi or None
            figures = run_damage(resolved, name, seed, paths, ranks, launcher)
            text = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
            print(f"{paths.damage(name, seed)}  {text}", flush=True)
