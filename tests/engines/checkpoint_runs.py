"""One part of a run that saves itself, in a process of its own."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from pipeline.simulation import checkpoint
from pipeline.simulation.engines import bionet
from pipeline.simulation.plan import read_plan
from pipeline.sonata.layout import CircuitPaths


class _Cut(Exception):
    pass


def part(root: str, name: str, library: str, every: float, cut: float | None) -> dict:
    """Runs a plan that saves itself every some ms, up to a cut (ms) that comes without a warning."""
    plan = read_plan(CircuitPaths(Path(root)), name, Path(library))
    plan = replace(plan, saving=checkpoint.Saving(every, None))
    after = checkpoint.Checkpoint.after
    started = []

    def counted(self, step, reports):
        started.append(step)
        after(self, step, reports)
        if cut is not None and step * plan.dt >= cut:
            raise _Cut

    checkpoint.Checkpoint.after = counted
    try:
        bionet.run(plan)
    except _Cut:
        pass
    return {"first": started[0] * plan.dt, "last": started[-1] * plan.dt}


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    arguments = json.loads((folder / "in.json").read_text())
    (folder / "out.json").write_text(json.dumps(globals()[sys.argv[1]](**arguments)))
