"""Runs a simulation config made elsewhere on an engine, and puts its outputs in place."""

from __future__ import annotations

import logging
import os
import platform
import shutil
from pathlib import Path

from pipeline.errors import PipelineError, Problem
from pipeline.mechanisms import compile_sets
from pipeline.mpi import find_mpi, run_ranks
from pipeline.runtime import make_folder
from pipeline.simulation.elsewhere.order import order_file
from pipeline.simulation.elsewhere.read import Elsewhere, read_elsewhere
from pipeline.simulation.elsewhere.vocabulary import SIMULATORS, check

log = logging.getLogger(__name__)


def run_elsewhere(
    path: Path,
    engine: str | None,
    out: Path | None,
    cache: Path,
    *,
    ranks: int = 1,
    launcher: str | None = None,
) -> tuple[Path, dict[str, float]]:
    """Runs a config unchanged.

    Args:
        path: SONATA simulation config.
        engine: bionet or pointnet; None means by its ``target_simulator``.
        out: Folder of the outputs; None means the config's own ``output_dir``.
        cache: Folder of compiled mechanisms.
        ranks: MPI ranks, of engines on NEURON.
        launcher: MPI launch command; None means as found.

    Returns:
        The folder of the outputs and figures of the run: build and run seconds, peak memory.

    Raises:
        PipelineError: If the engine cannot express the config, or the run fails.
    """
    found = read_elsewhere(path)
    engine = engine or ("pointnet" if found.simulator == "NEST" else "bionet")
    if engine not in SIMULATORS:
        message = f"engine {engine} does not take configs made elsewhere"
        raise PipelineError(Problem(str(path), message, f"use {', '.join(SIMULATORS)}"))
    problems = check(found, engine)
    if errors := [problem for problem in problems if problem.level == "error"]:
        raise PipelineError(errors)
    for problem in problems:
        log.warning("warning: %s", problem)
    ranks = ranks if engine == "bionet" else 1
    if ranks > 1:
        find_mpi(launcher)
    folder = make_folder(out or found.output_dir)
    library = _mechanisms(found, cache) if engine == "bionet" else None
    work = folder / f".run.{platform.node()}-{os.getpid()}"
    make_folder(work)
    job = {
        "config": found.config, "folder": str(found.path.parent), "engine": engine,
        "output": str(work.resolve()), "library": str(library or ""),
    }  # fmt: skip
    try:
        worker = "pipeline.simulation.elsewhere.worker"
        figures = run_ranks(worker, job, ranks, launcher, folder)
        (work / "config.json").unlink(missing_ok=True)  # BMTK's copy, with our folder in it
        for made in sorted(work.glob("*.h5")):
            order_file(made)
        for made in sorted(work.iterdir()):
            _put(made, folder / made.name)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder, figures


def _put(made: Path, place: Path) -> None:
    """Moves a file or folder of this run into its place; nothing else there is touched."""
    if made.is_dir():
        make_folder(place)
        for inner in sorted(made.iterdir()):
            _put(inner, place / inner.name)
    else:
        os.replace(made, place)


def _mechanisms(found: Elsewhere, cache: Path) -> Path | None:
    """Compiles the config's ``mechanisms_dir``; BMTK takes sources beside or below it."""
    named = found.config.get("components", {}).get("mechanisms_dir")
    folders = []
    for name in named if isinstance(named, list) else [named] if named else []:
        places = [found.path.parent / name / inner for inner in ("", "modfiles", "mechanisms")]
        sources = [place for place in places if any(place.glob("*.mod"))]
        if not sources:
            message = f"{name} holds no .mod file"
            place = f"{found.path}  components.mechanisms_dir"
            raise PipelineError(Problem(place, message, "name the folder of the sources"))
        folders += sources[:1]
    return compile_sets(folders, cache).path if folders else None
