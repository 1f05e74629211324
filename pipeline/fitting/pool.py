"""Evaluations in worker processes that may crash, hang or grow: each has a limit, none ends the search."""

from __future__ import annotations

import logging
import pickle
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType

from pipeline.fitting.evaluate import Outcome, Task, evaluate
from pipeline.worker import PATIENCE, end_with_parent, limited

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tried:
    """Scores of one individual and why they are what they are.

    Attributes:
        scores: In the order of the objectives.
        reason: Why not everything was run; "" otherwise.
        signs: 1 or -1 per score: above or below the mean; empty where nobody knows.
    """

    scores: list[float]
    reason: str
    signs: Sequence[int] = ()

    @property
    def signed(self) -> list[float]:
        """Scores with their signs, positive where these are not known."""
        signs = self.signs or [1] * len(self.scores)
        return [score * sign for score, sign in zip(self.scores, signs, strict=True)]


class Pool:
    """Worker processes; results do not depend on their number.

    Args:
        task_file: Pickle that this command wrote itself: ``(Task, library or None)``.
        objectives: Number of scores.
        workers: Processes.
        limit: s of processor time per evaluation, so that a busy machine changes no result.
        recycle: Evaluations after which a worker is replaced, so that memory does not grow.
        worst: Score of an individual that failed.
        patience: Wall time over processor time that an evaluation may take.
        function: What is called in a worker with the task file and a vector.
    """

    def __init__(
        self,
        task_file: Path,
        objectives: int,
        workers: int,
        limit: float,
        recycle: int,
        worst: float,
        patience: float = PATIENCE,
        function: Callable[[str, list[float]], Tried] | None = None,
    ):
        from pebble import ProcessPool

        self._call = partial(limited, partial(function or try_vector, str(task_file)), limit)
        self._patience = patience
        self._limit, self._worst, self._objectives = limit, [worst] * objectives, objectives
        import multiprocessing

        self._pool = ProcessPool(
            max_workers=workers, max_tasks=recycle, initializer=end_with_parent,
            context=multiprocessing.get_context("spawn"),
        )  # fmt: skip

    def map(self, vectors: Sequence[Sequence[float]]):
        """Yields one Tried per vector, in their order."""
        jobs = [
            self._pool.schedule(
                self._call, args=[list(vector)], timeout=self._patience * self._limit
            )
            for vector in vectors
        ]
        for job in jobs:
            yield self._result(job)

    def _result(self, job) -> Tried:
        from pebble import ProcessExpired

        try:
            found = job.result()
        except Late:
            return Tried(self._worst, f"took longer than {self._patience * self._limit:g} s")
        except ProcessExpired as error:
            if error.exitcode == -signal.SIGXCPU:
                late = f"took longer than {self._limit:g} s of processor time"
                return Tried(self._worst, late)
            return Tried(self._worst, f"the worker died (exit code {error.exitcode})")
        except Exception as error:  # whatever an individual does, the search goes on
            return Tried(self._worst, f"{type(error).__name__}: {error}")
        if len(found.scores) != self._objectives:
            return Tried(self._worst, f"{len(found.scores)} scores came back")
        return found

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._pool.stop() if kind else self._pool.close()
        self._pool.join()


@lru_cache(maxsize=1)
def load_task(task_file: str) -> Task:
    """Reads the task and loads its mechanisms into this process, once."""
    task, library = pickle.loads(Path(task_file).read_bytes())
    if library:
        from pipeline.mechanisms import load_library

        load_library(library)
    return task


def try_vector(task_file: str, vector: list[float]) -> Tried:
    """Evaluates one individual in a worker."""
    task = load_task(task_file)
    outcome: Outcome = evaluate(task, vector)
    return Tried(list(outcome.scores.values()), outcome.reason, outcome.signs)
