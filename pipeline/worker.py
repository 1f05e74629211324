"""What every worker process does around its job: read it, tell errors, end all ranks together."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import PipelineError, Problem
from pipeline.runtime import launched_ranks, rank, setup_logging, write_json


def serve(job_file: str, work: Callable[[dict], dict]) -> None:
    """Runs ``work`` on the job of a file; leaves ``result.json`` or ``error-<rank>.json`` beside it.

    Args:
        job_file: JSON written by ``mpi.run_ranks``.
        work: Function from job to result; called on every rank.
    """
    setup_logging()
    job = json.loads(Path(job_file).read_text())
    exchange = Path(job["exchange"])
    _guard(*job["parent"])
    try:
        result = work(job)
    except BaseException as error:
        # Whatever it is: the other ranks would wait for this one for ever.
        _tell(exchange, error)
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
