"""CoreNEURON in the place of NEURON's own time loop; cells, edges and recordings stay bionet's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import Problem, SimulationError
from pipeline.simulation.plan import Plan
from pipeline.sonata.read import read_json


def is_wanted(plan: Plan) -> bool:
    """Whether a run asks for CoreNEURON."""
    return plan.config["target_simulator"] == "CORENEURON"


def check(plan: Plan) -> list[Problem]:
    """Names what keeps a run from CoreNEURON: a library that was not built for it."""
    if not is_wanted(plan) or plan.library is None or _library(plan) is not None:
        return []
    hint = "run 'sonatina compile' for this model again"
    return [Problem(str(plan.paths.mechanisms), "has no library for CoreNEURON", hint)]


def start(plan: Plan, h: Any) -> None:
    """Makes ``psolve`` of this process hand the model to CoreNEURON.

    Raises:
        SimulationError: If this NEURON was built without it.
    """
    library = _library(plan)
    if library is not None:
        os.environ["CORENEURONLIB"] = str(library)
    try:
        from neuron import coreneuron
    except ImportError:
        message = "this NEURON was built without CoreNEURON"
        raise SimulationError(Problem(plan.name, message, "use solver: neuron")) from None
    coreneuron.enable, coreneuron.verbose = True, 0
    h.cvode.cache_efficient(1)


def held(values: np.ndarray, every: int, steps: int, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """A step function as points of a line that CoreNEURON interpolates at the middle of each step.

    CoreNEURON plays lines only. A point at the middle of a step gives that step its value exactly;
    of equal values in a row only the first and the last point stay.

    Args:
        values: float64 (n,); value k holds for ``every`` steps.
        every: Steps per value.
        steps: Steps of the run.
        dt: Time step, ms.

    Returns:
        Times (ms) and values, float64 of equal length.
    """
    index = np.minimum(np.arange(steps) // every, len(values) - 1)
    line = values[index]
    same = line[1:] == line[:-1]
    inner = np.concatenate([[False], same]) & np.concatenate([same, [False]])
    keep = np.flatnonzero(~inner)
    return (keep + 0.5) * dt, line[keep]


def is_loaded() -> bool:
    """Whether this process has CoreNEURON in memory: what a run says of itself (Linux only)."""
    maps = Path("/proc/self/maps")
    return maps.is_file() and "corenrn" in maps.read_text()


def _library(plan: Plan) -> Path | None:
    path = Path(read_json(plan.paths.mechanisms, "compile").get("coreneuron") or "")
    return path if path.is_file() else None
