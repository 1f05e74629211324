"""Stage ``simulate``: writes the plan, checks it, runs the engine on its ranks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pipeline.config.load import Resolved
from pipeline.errors import CircuitError, PipelineError, Problem
from pipeline.mpi import run_ranks
from pipeline.runtime import write_json
from pipeline.simulation import bionet
from pipeline.simulation.plan import read_plan, write_plan
from pipeline.sonata.layout import CircuitPaths

# Measured on two cores of an AMD EPYC: segment updates per second and bytes per segment.
SEGMENT_STEPS_PER_SECOND = 2.8e7
BYTES_PER_SEGMENT = 4500


def run_simulation(
    resolved: Resolved,
    name: str,
    paths: CircuitPaths,
    *,
    ranks: int | None = None,
    launcher: str | None = None,
) -> dict[str, float]:
    """Simulates one run of a model.

    Args:
        resolved: The model.
        name: Key under ``simulation``.
        paths: The circuit; it is built and its mechanisms are compiled.
        ranks: MPI ranks; None means the config's.
        launcher: MPI launch command; None means as found.

    Returns:
        Figures of the run, also in ``figures.json``.

    Raises:
        PipelineError: If the plan cannot run or a rank fails.
    """
    library = compiled_library(paths)
    write_plan(resolved, name, paths)
    plan = read_plan(paths, name, library)
    problems = bionet.check(plan)
    if problems:
        raise PipelineError(problems)
    job = {"root": str(paths.root.resolve()), "simulation": name, "library": str(library or "")}
    ranks = ranks or resolved.model.simulation[name].ranks
    figures = run_ranks("pipeline.simulation.worker", job, ranks, launcher)
    write_json(paths.simulation(name) / "figures.json", figures)
    return figures


def compiled_library(paths: CircuitPaths) -> Path | None:
    """Returns the mechanism library of a circuit, or None when it needs none.

    Raises:
        CircuitError: If it was compiled but is no longer there.
    """
    if not paths.mechanisms.is_file():
        return None
    entry = json.loads(paths.mechanisms.read_text(encoding="utf-8"))
    if not entry["library"]:
        return None
    library = Path(entry["library"])
    if not library.is_file():
        hint = "run 'sonatina compile' for this model again"
        raise CircuitError(Problem(str(paths.mechanisms), f"library {library} is gone", hint))
    return library


def estimate(resolved: Resolved, name: str, segments: int) -> dict[str, float]:
    """Predicts the cost of a run before it starts.

    Args:
        resolved: The model.
        name: Key under ``simulation``.
        segments: Compartments of the circuit.

    Returns:
        Steps, seconds on the configured ranks, memory in MiB over all ranks.
    """
    simulation = resolved.model.simulation[name]
    steps = simulation.duration / simulation.dt
    return {
        "steps": steps,
        "seconds": float(np.ceil(steps * segments / SEGMENT_STEPS_PER_SECOND / simulation.ranks)),
        "memory_mib": 150.0 * simulation.ranks + segments * BYTES_PER_SEGMENT / 2**20,
    }
