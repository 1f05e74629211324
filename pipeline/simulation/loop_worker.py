"""One behaviour in a closed loop: the neurons on every rank, the body on rank 0."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from time import perf_counter

from pipeline.worker import serve


def behave(job: dict) -> dict[str, float]:
    """Runs the job's behaviour; rank 0 returns its figures."""
    from bmtk.simulator.core.io_tools import IOUtils

    IOUtils._logger = logging.getLogger("bmtk")  # BMTK's own handler writes to stdout
    IOUtils._logger.setLevel(logging.ERROR)
    from pipeline.config.behaviour import Behaviour
    from pipeline.simulation.closed_loop import loop_plan, run_loop
    from pipeline.simulation.handle import Handle
    from pipeline.sonata.layout import CircuitPaths

    drive = Behaviour.model_validate(job["behaviour"]).drive
    library = Path(job["library"]) if job["library"] else None
    start = perf_counter()
    plan = loop_plan(CircuitPaths(Path(job["root"])), job["name"], library, drive, job["seed"])
    handle = Handle(plan)
    built = perf_counter() - start
    if handle.rank:
        handle.follow()
        return {}
    figures = run_loop(job, handle)
    handle.close()
    return figures | {"build_s": built, "segments": handle.segments}


if __name__ == "__main__":
    serve(sys.argv[1], behave)
