"""The engines, what each runs on and what of it is missing on this machine."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from types import ModuleType

from pipeline.errors import PipelineError
from pipeline.mpi import find_mpi
from pipeline.simulation import bionet, netpyne, neurodamus, pointnet


@dataclass(frozen=True)
class Engine:
    """One engine of ``simulation.<run>.engine``.

    Attributes:
        name: As the config says.
        module: Has ``check(plan)`` and ``run(plan)``; maybe ``prepare(plan)``, called once before the ranks.
        packages: What it imports, by its name in pip.
        runs: What it runs, in words.
        ranks: Whether it runs on MPI ranks; threads otherwise.
    """

    name: str
    module: ModuleType
    packages: tuple[str, ...]
    runs: str
    ranks: bool


def engines() -> dict[str, Engine]:
    """Returns the engines by name."""
    made = [
        Engine("bionet", bionet, ("neuron", "bmtk"), "cells of all kinds, all kinds of edges", True),
        Engine(
            "neurodamus", neurodamus, ("neuron", "neurodamus"),
            "cells with morphologies, synapses with release", True,
        ),
        Engine(
            "netpyne", netpyne, ("neuron", "netpyne"),
            "cells with morphologies, built by NetPyNE for its analyses", True,
        ),
        Engine("pointnet", pointnet, ("nest-simulator", "bmtk"), "circuits of GLIF cells", False),
    ]  # fmt: skip
    return {engine.name: engine for engine in made}


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
