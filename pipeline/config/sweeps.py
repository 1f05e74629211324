"""Grids of runs: every sweep becomes entries under ``simulation`` before the model is read."""

from __future__ import annotations

import copy
from itertools import product
from typing import Any

from pipeline.config.problems import where_is
from pipeline.config.simulation import Sweep
from pipeline.config.yaml_lines import Document, KeyPath, nearest
from pipeline.errors import ConfigError, Problem


def grid(name: str, sweep: Sweep) -> list[tuple[str, tuple[float | str, ...]]]:
    """Returns the runs of a sweep with the values of its axes, the last axis fastest."""
    values = list(sweep.axes.values())
    indices = product(*(range(len(v)) for v in values))
    return [
        (
            "-".join([name, *(str(k + 1) for k in at)]),
            tuple(v[k] for v, k in zip(values, at, strict=True)),
        )
        for at in indices
    ]


def expand(document: Document, sweeps: dict[str, Sweep]) -> None:
    """Writes the runs of all sweeps into a document.

    Args:
        document: Of a model that fits the schema; changed.
        sweeps: Its sweeps.

    Raises:
        ConfigError: For an unknown run, a path that leads nowhere or a name that is taken.
    """
    runs, problems = document.data.get("simulation") or {}, []
    made: dict[str, Any] = {}
    for name, sweep in sweeps.items():
        path: KeyPath = ("sweeps", name)
        if sweep.simulation not in runs:
            where = where_is((*path, "simulation"), document)
            hint = nearest(sweep.simulation, list(runs))
            problems.append(Problem(where, f"no simulation {sweep.simulation!r}", hint))
            continue
        paths = [("set", key) for key in sweep.set] + [("axes", key) for key in sweep.axes]
        bad = [at for at in paths if not _leads(runs[sweep.simulation], at[1])]
        for kind, axis in bad:
            where = where_is((*path, kind, axis), document)
            message = f"run {sweep.simulation!r} has no {axis.rpartition('.')[0]!r}"
            problems.append(Problem(where, message, "write the path as the run has it"))
        for run, values in [] if bad else grid(name, sweep):
            if run in runs or run in made:
                where = where_is(path, document)
                problems.append(Problem(where, f"a run is called {run!r} already", "rename one"))
                continue
            made[run] = copy.deepcopy(runs[sweep.simulation])
            base = ("simulation", sweep.simulation)
            for key, origin in list(document.origins.items()):
                if key[:2] == base:
                    document.origins[("simulation", run, *key[2:])] = origin
            own = [*sweep.set.values(), *values]
            for (kind, axis), value in zip(paths, own, strict=True):
                _put(made[run], axis, value)
                origin = document.origins.get((*path, kind, axis))
                if origin is not None:
                    document.origins[("simulation", run, *axis.split("."))] = origin
    if problems:
        raise ConfigError(problems)
    if made:
        document.data["simulation"] = runs | made


def _leads(run: dict[str, Any], axis: str) -> bool:
    """Whether all but the last part of a path is written in the run."""
    holder: Any = run
    for key in axis.split(".")[:-1]:
        if not isinstance(holder, dict) or key not in holder:
            return False
        holder = holder[key]
    return isinstance(holder, dict)


def _put(run: dict[str, Any], axis: str, value: bool | float | str) -> None:
    *above, last = axis.split(".")
    for key in above:
        run = run[key]
    run[last] = value
