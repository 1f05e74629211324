"""The engines: every module of this folder is one; what of it is missing on this machine."""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass
from types import ModuleType

from pipeline.config.places import engine_names
from pipeline.errors import PipelineError
from pipeline.mpi import find_mpi


@dataclass(frozen=True)
class Engine:
    """One engine of ``simulation.<run>.engine``: a module of this folder.

    Attributes:
        name: As the config says; the module's name.
        module: Has ``RUNS``, ``PACKAGES``, ``check(plan)`` and ``run(plan)``; maybe ``RANKS = False`` and
            ``prepare(plan)``, called once before the ranks.
        packages: What it imports, by its name in pip.
        runs: What it runs, in words.
        ranks: Whether it runs on MPI ranks; threads otherwise.
    """

    name: str
    module: ModuleType
    packages: tuple[str, ...]
    runs: str
    ranks: bool


def engine(name: str) -> Engine:
    """Returns one engine; its packages are not loaded."""
    module = importlib.import_module(f"{__name__}.{name}")
    return Engine(name, module, module.PACKAGES, module.RUNS, getattr(module, "RANKS", True))


def engines() -> dict[str, Engine]:
    """Returns all engines by name."""
    return {name: engine(name) for name in engine_names()}


def describe(engine: Engine) -> dict[str, object]:
    """Tells what an engine has and lacks, without loading it.

    Returns:
        name, runs, versions (package to version), missing (what to do about each thing that lacks).
    """
    versions, missing = {}, []
    for package in engine.packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            missing.append(f"pip install {package}")
    if engine.ranks:
        try:
            find_mpi()
        except PipelineError as error:
            missing.append(f"for several ranks: {error.problems[0].hint}")
    return {"name": engine.name, "runs": engine.runs, "versions": versions, "missing": missing}


def engine_lines() -> list[str]:
    """The table of ``sonatina engines``, one line per engine."""
    found = [describe(engine) for engine in engines().values()]
    lines = []
    for entry in found:
        versions = ", ".join(f"{name} {number}" for name, number in entry["versions"].items())
        state = "ready" if not entry["missing"] else f"missing: {'; '.join(entry['missing'])}"
        lines.append(
            f"{entry['name']:<11}{entry['runs']}; {versions or 'nothing installed'}; {state}"
        )
    return lines
