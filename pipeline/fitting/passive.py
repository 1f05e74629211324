"""Starts with the passive numbers moved first.

An individual that misses rest or input resistance runs nothing else (``Evaluation.first_limit``), so a
search that starts there sees the same scores wherever it turns. Both are cheap and nearly linear in a
few numbers: least squares of these alone brings a start into the range where the other protocols run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from pipeline.config.fits import Passive
from pipeline.fitting.evaluate import FIRST_LIMIT_AT, Task
from pipeline.fitting.search import Map, ScoreLog, polish
from pipeline.fitting.tables import Parameter

NO_LIMIT = 1e9
"""sd: an individual far from rest still tells its input resistance."""


def passive_task(task: Task) -> Task:
    """Returns the fit with rest and input resistance as its only targets, none of them a limit."""
    own = tuple(t for t in task.targets if t.protocol in FIRST_LIMIT_AT and not t.held_out)
    settings = task.settings.model_copy(update={"first_limit": NO_LIMIT})
    return replace(task, targets=own, settings=settings)


def passive_numbers(config: Passive, labels: Sequence[str]) -> list[int]:
    """Returns the places of the free parameters that move."""
    return [
        place
        for place, label in enumerate(labels)
        if any(fnmatchcase(label, pattern) for pattern in config.parameters)
    ]


def moved(
    config: Passive, space: Sequence[Parameter], start: Sequence[float], scores: ScoreLog,
    evaluate: Map,
) -> list[float]:  # fmt: skip
    """Moves the passive numbers of a start down its scores; the others stay.

    Args:
        config: Steps, and which numbers.
        space: Free parameters.
        start: Values of all of them.
        scores: What was tried before, and where new evaluations go.
        evaluate: Called with vectors that the log does not have.

    Returns:
        Values of all free parameters; the start itself where nothing was better.
    """
    own = passive_numbers(config, [parameter.label for parameter in space])

    def whole(part: Sequence[float]) -> tuple[float, ...]:
        vector = list(map(float, start))
        for place, value in zip(own, part, strict=True):
            vector[place] = float(value)
        return tuple(vector)

    tried: dict[tuple[float, ...], float] = {}

    def signed(parts: Sequence[Sequence[float]]) -> list[list[float]]:
        vectors = [whole(part) for part in parts]
        new = list(dict.fromkeys(v for v in vectors if v not in scores.known))
        for vector, one in zip(new, evaluate(new), strict=True):
            scores.add(vector, one)
        tried.update({v: sum(s * s for s in scores.known[v].scores) for v in vectors})
        return [scores.known[vector].signed for vector in vectors]

    first = [start[place] for place in own]
    signed([first])
    # Unclipped: a start may rest further off than a polished individual ever is.
    polish(config.steps, [space[place] for place in own], first, signed, math.inf)
    return list(min(tried, key=tried.__getitem__))
