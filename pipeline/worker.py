"""What every worker process does around its job: read it, tell errors, end all ranks together."""

from __future__ import annotations

import faulthandler
import json
import math
import multiprocessing
import os
import platform
import resource
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import TypeVar

from pipeline.errors import PipelineError, Problem, SimulationError, ToolError
from pipeline.runtime import (
    full_disk,
    launched_ranks,
    progress,
    rank,
    setup_logging,
    write_json,
)

Item, Result = TypeVar("Item"), TypeVar("Result")
PATIENCE = 30.0
"""Wall time over processor time that an item may take."""


class Late(str):
    """Why there is no result: the limit of processor time."""

    __slots__ = ()


def map_in_order(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, label: str,
    cost: Callable[[Item], float] = lambda item: 0.0,
) -> list[Result]:  # fmt: skip
    """Applies a function to all items in some processes.

    Args:
        function: Of a module, so that another process finds it.
        items: What it is applied to; pure data.
        workers: Processes; results do not depend on it.
        label: Of the progress bar.
        cost: What an item takes, in any unit; workers begin with the most, so that none ends alone.

    Returns:
        Results in the order of the items.

    Raises:
        PipelineError: With the problems of all items that had one.
        SimulationError: If a worker died.
    """
    guarded = partial(_guarded, function)
    if workers <= 1 or len(items) < 2:
        done = [guarded(item) for item in progress(items, label=label)]
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool:
            try:
                order = sorted(range(len(items)), key=lambda i: -cost(items[i]))
                found = pool.map(guarded, [items[i] for i in order])
                by_place = dict(
                    zip(order, progress(found, total=len(items), label=label), strict=True)
                )
                done = [by_place[i] for i in range(len(items))]
            except BrokenProcessPool as error:
                hint = "give fewer --workers if memory ran out"
                raise SimulationError(Problem(label, f"a worker died ({error})", hint)) from None
    if problems := [problem for _, found in done for problem in found]:
        raise PipelineError(problems)
    return [result for result, _ in done]


def map_surviving(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    label: str,
    *,
    limit: float,
    recycle: int = 20,
    patience: float = PATIENCE,
) -> list[Result | str | Late]:
    """Applies a function in worker processes that may hang or die; none of it ends the others.

    The limit counts processor time, so that a busy machine changes no result; what sleeps is ended
    by the clock.

    Args:
        function: Of a module, so that another process finds it.
        items: What it is applied to; pure data.
        workers: Processes; results do not depend on it.
        label: Of the progress bar.
        limit: s of processor time per item.
        recycle: Items after which a worker is replaced, so that memory does not grow.
        patience: Wall time over processor time that an item may take.

    Returns:
        Results in the order of the items; a text where there is none, which says why (``Late`` where
        the limit ended it).

    Raises:
        ToolError: If pebble is not installed.
    """
    if not items:
        return []
    try:
        from pebble import ProcessPool
    except ImportError:
        hint = "pip install 'sonatina[optimise]'"
        raise ToolError(Problem("pebble", "not installed", hint)) from None
    context = multiprocessing.get_context("spawn")
    with ProcessPool(
        workers, max_tasks=recycle, initializer=end_with_parent, context=context
    ) as pool:
        job = partial(limited, function, limit)
        waiting = [pool.schedule(job, args=[item], timeout=patience * limit) for item in items]
        shown = progress(waiting, total=len(items), label=label)
        return [_survived(future, limit, patience) for future in shown]


def _survived(future, limit: float, patience: float) -> object:
    try:
        return future.result()
    except TimeoutError:
        return f"took longer than {patience * limit:g} s"
    except PipelineError as error:
        return str(error.problems[0])
    except Exception as error:  # a worker that died; pebble has no common base for its errors
        if getattr(error, "exitcode", None) == -signal.SIGXCPU:
            return Late(f"took longer than {limit:g} s of processor time")
        return f"{type(error).__name__}: {error}"


def limited(function: Callable[[Item], Result], limit: float, item: Item) -> Result:
    """Applies a function in a worker that ends with SIGXCPU after ``limit`` s of processor time.

    The system ends it, wherever it is: a simulator heeds no Python signal.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime + limit)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    return function(item)


def _guarded(function: Callable[[Item], Result], item: Item) -> tuple[Result | None, list[Problem]]:
    """Problems pass between processes whole, exceptions do not."""
    try:
        return function(item), []
    except PipelineError as error:
        return None, error.problems


def end_with_parent() -> None:
    """Ends this worker when the command is gone, however it went."""

    def watch() -> None:
        wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def serve(job_file: str, work: Callable[[dict], dict]) -> None:
    """Runs ``work`` on the job of a file; leaves ``result.json`` or ``error-<rank>.json`` beside it.

    Args:
        job_file: JSON written by ``mpi.run_ranks``.
        work: Function from job to result; called on every rank.
    """
    setup_logging()
    job = json.loads(Path(job_file).read_text())
    exchange = Path(job["exchange"])
    # Its name tells whose process this is; it stays empty unless the process crashes.
    crash = open(exchange / f"crash-{rank()}-{os.getpid()}.txt", "w")
    faulthandler.enable(crash, all_threads=False)
    _guard(*job["parent"])
    try:
        result = work(job)
    except BaseException as error:
        # Whatever it is: the other ranks would wait for this one for ever.
        try:
            _tell(exchange, error)
        finally:
            _abort()
    if rank() == 0:
        write_json(exchange / "result.json", result)
    _leave()


def _guard(host: str, parent: int) -> None:
    """Has rank 0 killed when the command is gone; the launcher then ends the other ranks."""
    if rank() == 0 and host == platform.node():
        script = str(Path(__file__).with_name("guard.py"))
        subprocess.Popen(
            [sys.executable, "-I", "-S", script, str(parent), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _tell(exchange: Path, error: BaseException) -> None:
    if isinstance(error, PipelineError):
        problems, code = error.problems, error.exit_code
    elif problem := full_disk(error):
        problems, code = [problem], 1
    else:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"rank {rank()}, {Path(last.filename).name}:{last.lineno}"
        problems, code = [Problem(where, f"{type(error).__name__}: {error}")], 1
        traceback.print_exc()
    fields = [vars(problem) for problem in problems]
    write_json(exchange / f"error-{rank()}.json", {"problems": fields, "exit_code": code})


def _abort() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    if launched_ranks() > 1:
        from mpi4py import MPI

        MPI.COMM_WORLD.Abort(1)
    os._exit(1)


def _leave() -> None:
    """Leaves NEURON in step with the other ranks; its own exit would kill them."""
    if launched_ranks() > 1:
        from neuron import h

        pc = h.ParallelContext()
        pc.barrier()
        h.quit()
