"""Runs a simulation config made elsewhere on an engine, and puts its outputs in place."""

from __future__ import annotations

import logging
import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import PipelineError, Problem
from pipeline.mechanisms import compile_sets
from pipeline.mpi import find_mpi, run_ranks
from pipeline.runtime import make_folder
from pipeline.simulation.elsewhere.order import order_file
from pipeline.simulation.elsewhere.read import BBP, Elsewhere, read_elsewhere
from pipeline.simulation.elsewhere.vocabulary import SIMULATORS, check
from pipeline.simulation.engines.neurodamus import DEFINES, INSTALL, package_folder

ENGINE_OF = {BBP: "neurodamus", "NEST": "pointnet"}
log = logging.getLogger(__name__)


def run_elsewhere(
    path: Path,
    engine: str | None,
    out: Path | None,
    cache: Path,
    *,
    ranks: int = 1,
    launcher: str | None = None,
    mechanisms: Sequence[Path] = (),
) -> tuple[Path, dict[str, float]]:
    """Runs a config unchanged.

    Args:
        path: SONATA simulation config.
        engine: bionet, pointnet or neurodamus; None means by its dialect and ``target_simulator``.
        out: Folder of the outputs; None means the config's own ``output_dir``.
        cache: Folder of compiled mechanisms.
        ranks: MPI ranks, of engines on NEURON.
        launcher: MPI launch command; None means as found.
        mechanisms: Folders of .mod files beside those that the config names.

    Returns:
        The folder of the outputs and figures of the run: build and run seconds, peak memory.

    Raises:
        PipelineError: If the engine cannot express the config, or the run fails.
    """
    found = read_elsewhere(path)
    engine = engine or ENGINE_OF.get(
        found.dialect if found.dialect == BBP else found.simulator, "bionet"
    )
    if engine not in SIMULATORS:
        message = f"engine {engine} does not take configs made elsewhere"
        raise PipelineError(Problem(str(path), message, f"use {', '.join(SIMULATORS)}"))
    problems = check(found, engine)
    if engine == "neurodamus" and package_folder() is None:
        problems.append(Problem(str(path), "engine neurodamus is not installed", INSTALL))
    if errors := [problem for problem in problems if problem.level == "error"]:
        raise PipelineError(errors)
    for problem in problems:
        log.warning("warning: %s", problem)
    ranks = 1 if engine == "pointnet" else ranks
    if ranks > 1:
        find_mpi(launcher)
    folder = make_folder(out or found.output_dir)
    library = None if engine == "pointnet" else _mechanisms(found, engine, mechanisms, cache)
    work = folder / f".run.{platform.node()}-{os.getpid()}"
    make_folder(work)
    job = {
        "config": found.config, "folder": str(found.path.parent), "engine": engine,
        "output": str(work.resolve()), "library": str(library or ""), "config_file": str(found.path),
        "hoc": str(package_folder() / "hoc") if engine == "neurodamus" else "",
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


def _mechanisms(found: Elsewhere, engine: str, more: Sequence[Path], cache: Path) -> Path | None:
    """Compiles the config's ``mechanisms_dir`` and further folders; sources lie in them or below."""
    folders = [_sources("--mechanisms", folder) for folder in more]
    for name in _named(found):
        place = f"{found.path}  components.mechanisms_dir"
        folders.append(_sources(place, found.path.parent / name))
    defines: tuple[str, ...] = ()
    if engine == "neurodamus":
        folders.append(package_folder() / "mod")
        defines = DEFINES
    folders = list(dict.fromkeys(folder.resolve() for folder in folders))
    return compile_sets(folders, cache, defines=defines).path if folders else None


def _named(found: Elsewhere) -> list[str]:
    """Folders of mechanisms that the circuit and its populations of nodes name."""
    places = [found.config.get("components", {})]
    for entry in found.config["networks"].get("nodes", []):
        places += [p for p in entry.get("populations", {}).values() if isinstance(p, dict)]
    names: list[str] = []
    for place in places:
        named = place.get("mechanisms_dir") or []
        names += named if isinstance(named, list) else [named]
    return list(dict.fromkeys(names))


def _sources(where: str, folder: Path) -> Path:
    """The folder of .mod files: the one named, or the two below it that BMTK knows."""
    for place in (folder / inner for inner in ("", "modfiles", "mechanisms")):
        if any(place.glob("*.mod")):
            return place
    message = f"{folder} holds no .mod file"
    raise PipelineError(Problem(where, message, "name the folder of the sources"))
