"""What the stage ``morphologies`` will cost, before it runs."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config.load import Resolved
from pipeline.config.morphologies import GrownMorphologies
from pipeline.morphologies.grow import growth_step
from pipeline.morphologies.make import Task
from pipeline.morphologies.stage import check_morphologies, grown_tasks

_STEP_SECONDS = 31e-6
"""s of one core per step of a growing tip, from the processor time of 14 and of 65 shapes (19.4 and
62.8 s: ``column`` ``tiny`` and ``alive``, December 2026, a quick virtual machine that did other work;
single cells 24 to 46). A slow one took 2.2 to 2.7 times as long."""
_BYTES_PER_UM = 12.2
"""Of an SWC file per um of neurite at the default tolerance (measured)."""
_SHAPE_SECONDS, _SHAPE_BYTES = 0.25, 100_000.0
"""s of one core to read, check, fit and write a reconstruction, and its bytes (measured)."""
_START, _GROW_START = 4.0, 5.4
"""s until two worker processes stand: 1.2 of the command and 2.8 of each worker (same runs); growing for the
first time compiles, 1.4 more."""
_REDRAWN = {True: 0.9, False: 0.07}
"""Axons grown anew per exemplar, by whether its row asks for a width; at the default of three redraws
(measured: 111 for the 275 shapes of ``column``)."""
_MEMORY = 450 * 2.0**20
"""Bytes of command and two workers with NeuroTS or NeuroM (measured)."""


def plan_morphologies(resolved: Resolved, placed: Sequence[str]) -> dict[str, float]:
    """Expects disk and memory (bytes) and time (s on 2 cores) of the stage.

    Args:
        resolved: The model; has the key ``morphologies``.
        placed: M-types of which the circuit has cells, for ``m_types: placed``.

    Raises:
        ConfigError: If tables, distributions or catalogue are wrong.
    """
    if isinstance(resolved.model.morphologies, GrownMorphologies):
        tasks = grown_tasks(resolved, placed)
        seconds = _STEP_SECONDS * sum(growth_steps(task) for task in tasks)
        disk = _BYTES_PER_UM * sum(expected_length(task) for task in tasks)
        start = _GROW_START
    else:
        start = _START
        count = check_morphologies(resolved, placed)
        seconds, disk = count * _SHAPE_SECONDS, count * _SHAPE_BYTES
    return {"disk": disk, "memory": _MEMORY, "seconds": start + seconds / 2}


def growth_steps(task: Task) -> float:
    """Returns the steps of all tips in all attempts at one exemplar, those of redrawn axons included."""
    again = _REDRAWN[bool(task.exemplar.axon_width)] * min(task.redraws, 3) / 3
    times = {"basal_dendrite": 1, "axon": task.tries * (1 + again)}
    return sum(
        length / growth_step(tree) * times.get(tree["type"], task.tries)
        for tree, length in _trees(task)
    )


def expected_length(task: Task) -> float:
    """Returns the length of the real cells' neurites, um, with the axon as long as it may be."""
    total = {"axon": 0.0, "dendrites": 0.0}
    for tree, length in _trees(task):
        total["axon" if tree["type"] == "axon" else "dendrites"] += length
    most = task.exemplar.axon_length
    return total["dendrites"] + min(total["axon"], most or total["axon"])


def _trees(task: Task) -> list[tuple[dict, float]]:
    """Trees that are grown, with the sum of their bars, um."""
    parts = (
        (task.dendrites, ("basal_dendrite", "apical_dendrite")),
        (task.axon, ("axon",)),
    )
    return [
        (tree, sum(bar[0] - bar[1] for bar in tree["bars"]))
        for donor, kinds in parts
        for tree in donor.body["trees"]
        if tree["type"] in kinds
    ]
