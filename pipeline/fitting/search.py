"""BluePyOpt searches; what they ask to evaluate stands in a log, so that any run can be repeated.

A search is a pure function of its seed and of the scores. Scores are appended to a log as they come; a
search that was killed starts again from the beginning, takes what the log has, and ends with the same
population as one that was never disturbed. No checkpoint can be cut short, and none is a pickle.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.fits import Search
from pipeline.errors import Problem, ToolError
from pipeline.fitting.pool import Tried
from pipeline.fitting.tables import Parameter
from pipeline.runtime import make_folder, progress

log = logging.getLogger(__name__)
EVALUATE = "init_simulator_and_evaluate_with_lists"
"""What BluePyOpt calls for one individual."""
POLISH_MOVE = 0.02
"""Step of the slopes, in parts of the bounds; features count spikes, so a small one would be noise."""
POLISH_KEEP = 2
"""Steps that slopes are brought up to date by what came out, before they are measured again."""
POLISH_CLIP = 20.0
"""sd. A feature without a value counts so much."""
Map = Callable[[Sequence[Sequence[float]]], Iterable[Tried]]


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        best: Vector with the smallest sum of scores among all that were tried.
        scores: Its scores.
        population: Last population, float64 (individuals, parameters).
        tried: Evaluations, those of the log included.
    """

    best: list[float]
    scores: list[float]
    population: np.ndarray
    tried: int


class ScoreLog:
    """Evaluations on disk: one JSON line each, written as they come.

    Args:
        path: The file; a last line that was cut short is dropped.
        key: What the scores depend on; a file with another key is refused.
    """

    def __init__(self, path: Path, key: str):
        self.path, self.known, self.order = path, {}, []
        make_folder(path.parent)
        lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
        if lines and not lines[-1].endswith(b"\n"):
            os.truncate(path, sum(map(len, lines[:-1])))
            lines = lines[:-1]
        if lines and json.loads(lines[0]).get("key") != key:
            old = path.with_suffix(f".{int(time.time())}.jsonl")
            path.rename(old)
            log.warning("%s belongs to other settings; kept as %s", path, old.name)
            lines = []
        if not lines:
            self._append({"key": key})
        for line in lines[1:]:
            entry = json.loads(line)
            found = Tried(entry["scores"], entry["reason"], entry.get("signs", ()))
            self._keep(tuple(entry["x"]), found)

    def _keep(self, vector: tuple[float, ...], tried: Tried) -> None:
        if vector not in self.known:
            self.order.append(vector)
        self.known[vector] = tried

    def add(self, vector: tuple[float, ...], tried: Tried) -> None:
        """Notes one evaluation, on disk before anything goes on."""
        self._keep(vector, tried)
        entry = {"x": vector, "scores": tried.scores, "reason": tried.reason}
        self._append(entry | ({"signs": list(tried.signs)} if tried.signs else {}))

    def _append(self, entry: dict) -> None:
        with open(self.path, "a", encoding="utf-8") as handle:
            handle.write(json.dumps(entry) + "\n")
            handle.flush()
            os.fsync(handle.fileno())


def search(
    config: Search, seed: int, space: Sequence[Parameter], objectives: int, scores: ScoreLog,
    evaluate: Map, label: str, starts: Sequence[Sequence[float]] = (),
) -> Found:  # fmt: skip
    """Runs one search to its last generation, then polishes its best individual.

    Args:
        config: Algorithm and sizes.
        seed: Of its random numbers.
        space: Free parameters.
        objectives: Number of scores.
        scores: What was tried before, and where new evaluations go.
        evaluate: Called with vectors that the log does not have.
        label: Of the progress bar.
        starts: Individuals that the first generation is made of; none: a random one.

    Returns:
        The best individual and the last population.

    Raises:
        ToolError: If BluePyOpt is not installed.
    """
    total = config.offspring * config.generations + config.polish * (1 + len(space) // 3)
    with progress(total=total, label=label, unit="evaluation") as bar:
        asked: dict[tuple[float, ...], None] = {}

        def score(individuals: Sequence) -> list[list[float]]:
            vectors = [tuple(float(v) for v in individual) for individual in individuals]
            asked.update(dict.fromkeys(vectors))
            new = list(dict.fromkeys(v for v in vectors if v not in scores.known))
            for vector, tried in zip(new, evaluate(new), strict=True):
                scores.add(vector, tried)
                if tried.reason:
                    log.info("%s: %s", label, tried.reason)
            bar.update(len(vectors))
            best = min(sum(tried.scores) for tried in scores.known.values())
            bar.set_postfix_str(f"best {best:.4g}")
            return [scores.known[vector].scores for vector in vectors]

        def signed(individuals: Sequence) -> list[list[float]]:
            score(individuals)
            return [scores.known[tuple(map(float, one))].signed for one in individuals]

        def ask(function: Callable, individuals: Sequence) -> list:
            if getattr(getattr(function, "func", function), "__name__", "") != EVALUATE:
                return list(map(function, individuals))  # CMA maps its own bookkeeping, too
            return score(individuals)

        first = first_generation(config, seed, space, starts)
        population = _optimise(config, seed, space, objectives, ask, first)
        if config.polish:  # of what was asked for by now: the log of a killed run knows more
            best = min(asked, key=lambda vector: sum(scores.known[vector].scores))
            polish(config.polish, space, best, signed)
    best = min(scores.order, key=lambda vector: sum(scores.known[vector].scores))
    return Found(
        list(best), scores.known[best].scores, np.array(population, float), len(scores.known)
    )


def first_generation(
    config: Search, seed: int, space: Sequence[Parameter], starts: Sequence[Sequence[float]]
) -> list[list[float]] | None:
    """Returns the individuals a search starts with: the given ones, then copies moved at random.

    Args:
        config: Its ``offspring`` and ``spread``.
        seed: Draws are keyed by seed, individual and parameter.
        space: Free parameters.
        starts: Given individuals; those beyond ``offspring`` are left out.

    Returns:
        float lists [offspring][parameters], or None without starts.
    """
    if not starts:
        return None
    bounds = np.array([parameter.bounds for parameter in space], float)
    made = [list(map(float, start)) for start in starts[: config.offspring]]
    for number in range(len(made), config.offspring):
        rng = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, number]))
        move = config.spread * rng.standard_normal(len(space)) * np.ptp(bounds, axis=1)
        copy = np.asarray(starts[number % len(starts)]) + move
        made.append(np.clip(copy, bounds[:, 0], bounds[:, 1]).tolist())
    return made


def polish(
    steps: int, space: Sequence[Parameter], start: Sequence[float],
    signed: Callable[[Sequence[Sequence[float]]], list[list[float]]], clip: float = POLISH_CLIP,
) -> None:  # fmt: skip
    """Moves an individual down the sum of its squared scores (SciPy's trust region).

    With their signs, (value - mean) / sd: the slope of |value - mean| would be wrong wherever a step
    passes the mean. All trials go through ``signed``, so they stand in the log.

    Args:
        steps: At most so many trials of a step; every third needs an evaluation per parameter more,
            for the slopes.
        space: Free parameters.
        start: Where it begins.
        signed: Scores of individuals with their signs.
        clip: sd beyond which all scores are alike.
    """
    from scipy.optimize import least_squares

    low, high = np.array([parameter.bounds for parameter in space], float).T

    def residuals(points: np.ndarray) -> np.ndarray:
        vectors = low + np.clip(points, 0.0, 1.0) * (high - low)
        return np.clip(np.array(signed(vectors.tolist())), -clip, clip)

    last: list = [POLISH_KEEP, None, None, None]  # age of the slopes, slopes, point, residuals

    def slopes(point: np.ndarray) -> np.ndarray:
        here = residuals(point[None])[0]
        age, old, before, there = last
        if age < POLISH_KEEP:
            move = point - before
            change = here - there - old @ move  # what the old slopes did not foresee (Broyden)
            last[:] = [age + 1, old + np.outer(change, move) / (move @ move), point, here]
        else:
            last[:] = [0, measured(point), point, here]
        return last[1]

    def measured(point: np.ndarray) -> np.ndarray:
        moves = np.where(point + POLISH_MOVE <= 1.0, POLISH_MOVE, -POLISH_MOVE)
        found = residuals(np.vstack([point, point + np.diag(moves)]))
        here, moved = found[0], found[1:]
        # Over a cliff (a cell that fires at rest has no other feature) there is no slope: look the
        # other way, and where that falls, too, leave the parameter alone for now.
        lost = _worst(here, clip) + len(here) // 2
        fell = np.flatnonzero(_worst(moved, clip) > lost)
        back = fell[np.abs(point[fell] - moves[fell] - 0.5) <= 0.5]
        moves[back] *= -1.0
        moved[fell] = here
        if len(back):
            again = residuals(point + np.diag(moves)[back])
            stands = _worst(again, clip) <= lost
            moved[back[stands]] = again[stands]
        return (moved - here).T / moves

    inside = np.clip((np.asarray(start) - low) / (high - low), 1e-6, 1 - 1e-6)
    least_squares(
        lambda point: residuals(point[None])[0], inside, jac=slopes, bounds=(0.0, 1.0),
        method="trf", max_nfev=steps + 1,
    )  # fmt: skip


def _worst(found: np.ndarray, clip: float) -> np.ndarray:
    """How many residuals are as bad as can be."""
    return (np.abs(found) >= clip).sum(axis=-1)


def _optimise(
    config: Search, seed: int, space: Sequence[Parameter], objectives: int, ask, first=None
):
    """Hands the problem to BluePyOpt; returns the last population."""
    try:
        import bluepyopt as bpop
        from bluepyopt import deapext
    except ImportError:
        hint = "pip install 'sonatina[optimise]'"
        raise ToolError(Problem("BluePyOpt", "not installed", hint)) from None
    evaluator = _evaluator(bpop, space, objectives)
    if config.algorithm == "ibea":
        optimisation = deapext.optimisations.IBEADEAPOptimisation(
            evaluator=evaluator, seed=seed, offspring_size=config.offspring, eta=config.eta,
            mutpb=config.mutation, cxpb=config.crossover, map_function=ask,
        )  # fmt: skip
    else:
        from bluepyopt.deapext.optimisationsCMA import DEAPOptimisationCMA

        optimisation = DEAPOptimisationCMA(
            evaluator=evaluator, seed=seed, offspring_size=config.offspring, map_function=ask,
            centroids=first[:1] if first else None, sigma=config.sigma,
            selector_name=config.algorithm.removeprefix("cma_")
            .replace("single", "single_objective").replace("multi", "multi_objective"),
        )  # fmt: skip
        return optimisation.run(max_ngen=config.generations)[0]
    return optimisation.run(max_ngen=config.generations, parent_population=first)[0]


def _evaluator(bpop, space: Sequence[Parameter], objectives: int):
    class Evaluator(bpop.evaluators.Evaluator):
        """Names and bounds; the evaluations themselves go through ``ask``."""

        def init_simulator_and_evaluate_with_lists(self, parameters=None, target="scores"):
            raise NotImplementedError("evaluations go through the pool")

    made = Evaluator(
        objectives=[bpop.objectives.Objective(str(i)) for i in range(objectives)],
        params=[
            bpop.parameters.Parameter(parameter.label, bounds=list(parameter.bounds or ()))
            for parameter in space
        ],
    )
    made.param_names = [parameter.label for parameter in space]
    return made
