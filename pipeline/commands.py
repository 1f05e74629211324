"""The verbs about models, and what all verbs share: load the model, call the stage, say what was written."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from pipeline.errors import ConfigError, Problem
from pipeline.runtime import quick_imports


def open_model(options: argparse.Namespace):
    """Returns the resolved model and the paths of its circuit."""
    from pipeline.config.load import load_model
    from pipeline.sonata.layout import CircuitPaths

    resolved = load_model(options.model, options.variant)
    model = resolved.model
    return resolved, CircuitPaths(options.out / model.name / model.variant)


def open_stage(options: argparse.Namespace):
    """Opens a model for a stage that writes: first removes what killed processes left behind."""
    from pipeline.runtime import remove_leftovers

    resolved, paths = open_model(options)
    remove_leftovers(paths.root)
    return resolved, paths


def cache_folder(named: Path | None = None, kind: str = "mechanisms") -> Path:
    """Returns a cache's folder: named, or its kind below SONATINA_CACHE or ``.cache`` here."""
    return named or Path(os.environ.get("SONATINA_CACHE", ".cache")) / kind


def chosen(name: str | None, known: list[str], key: str) -> list[str]:
    from pipeline.config.yaml_lines import nearest

    if name is None:
        return known
    if name not in known:
        raise ConfigError(
            Problem(f"--name {name}", f"no such key under {key}", nearest(name, known))
        )
    return [name]


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

    resolved, _ = open_model(options)
    for line in lines(resolved, options.path):
        print(line)


def validate(options: argparse.Namespace) -> None:
    """Check a model completely and list all problems at once."""
    with quick_imports():
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

    resolved, _ = open_model(options)
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


def run_workflow(options: argparse.Namespace) -> int:
    """Run the whole workflow to the report with Snakemake."""
    from pipeline.model_check import check_model
    from pipeline.workflow import run_snakemake

    resolved, paths = open_model(options)
    if problems := check_model(resolved):  # before any job starts, not one by one in theirs
        raise ConfigError(problems)
    return run_snakemake(options, resolved, paths)


def completion(options: argparse.Namespace) -> None:
    """Print what makes a shell complete verbs, options, models and variants."""
    from pipeline.completion import script

    print(script(options.parser, options.shell))
