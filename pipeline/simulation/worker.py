"""One simulation, on every MPI rank."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path

from pipeline.worker import serve


def simulate(job: dict) -> dict[str, float]:
    """Runs the job's simulation on this rank; returns its figures."""
    from bmtk.simulator.core.io_tools import IOUtils

    IOUtils._logger = logging.getLogger("bmtk")  # BMTK's own handler writes to stdout
    IOUtils._logger.setLevel(logging.ERROR)
    from pipeline.simulation.checkpoint import Saving
    from pipeline.simulation.engines import engine
    from pipeline.simulation.plan import read_plan
    from pipeline.sonata.layout import CircuitPaths

    library = Path(job["library"]) if job["library"] else None
    plan = read_plan(CircuitPaths(Path(job["root"])), job["simulation"], library)
    if job["dealt"]:
        plan = replace(plan, dealt=Path(job["dealt"]))
    if job["saving"]:
        plan = replace(plan, saving=Saving(*job["saving"]))
    return engine(plan.config.get("engine", "bionet")).module.run(plan)


if __name__ == "__main__":
    serve(sys.argv[1], simulate)
