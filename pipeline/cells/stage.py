"""Stage ``cells``: the clamp protocols of a model, each in a process of its own."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pipeline.cells.description import cell_type_to_json
from pipeline.config.emodel import read_emodel
from pipeline.config.load import Resolved
from pipeline.config.schema import CurrentSteps, VoltageSteps
from pipeline.config.tables import number, read_rows
from pipeline.errors import ConfigError, PipelineError, Problem
from pipeline.mpi import run_ranks
from pipeline.runtime import progress
from pipeline.sonata.layout import CircuitPaths

V_INIT, CELSIUS = -65.0, 34.0


def run_clamps(resolved: Resolved, paths: CircuitPaths, library: Path | None) -> list[str]:
    """Runs every clamp protocol of the model.

    Args:
        resolved: The model.
        paths: Where ``analysis/clamp_<name>.csv`` goes.
        library: Compiled mechanisms.

    Returns:
        Names of the protocols.

    Raises:
        PipelineError: With the problems of all protocols.
    """
    protocols = resolved.model.cells.protocols if resolved.model.cells else {}
    jobs = [_job(resolved, name, protocol, paths, library) for name, protocol in protocols.items()]
    problems: list[Problem] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        futures = [pool.submit(run_ranks, "pipeline.cells.worker", job, 1) for job in jobs]
        for future in progress(futures, total=len(futures), label="clamps", unit="cell"):
            try:
                future.result()
            except PipelineError as error:
                problems += error.problems
    if problems:
        raise PipelineError(problems)
    return list(protocols)


def _job(
    resolved: Resolved,
    name: str,
    protocol: CurrentSteps | VoltageSteps,
    paths: CircuitPaths,
    library: Path | None,
) -> dict:
    cells = resolved.model.cells
    emodel, _ = read_emodel(resolved.path(cells.emodels) / f"{protocol.emodel}.yaml")
    morphology = (
        resolved.path(cells.morphologies.path) / f"{protocol.cell}.{cells.morphologies.format}"
    )
    return {
        "library": str(library or ""),
        "morphology": str(morphology),
        "cell": cell_type_to_json(emodel, cells),
        "protocol": protocol.model_dump(mode="json"),
        "reference": reference_values(resolved, protocol),
        "v_init": emodel.conditions.v_init if emodel.conditions else V_INIT,
        "celsius": emodel.conditions.celsius if emodel.conditions else CELSIUS,
        "steady_file": str(paths.analysis(f"clamp_{name}")),
        "traces_file": str(paths.analysis(f"clamp_{name}_traces")),
    }


def reference_values(
    resolved: Resolved, protocol: CurrentSteps | VoltageSteps
) -> dict[str, list[float]]:
    """Recorded values at the protocol's levels; columns besides ``level`` and ``value`` go along."""
    if protocol.reference is None:
        return {}
    path = resolved.path(protocol.reference)
    table = read_rows(path)
    columns = {name: [number(text) for text in table[name]] for name in table.columns}
    unread = any(math.isnan(value) for values in columns.values() for value in values)
    if not {"level", "value"} <= set(columns) or unread:
        hint = "write columns level and value, numbers only"
        raise ConfigError(Problem(str(path), f"columns {table.columns}", hint))
    levels, given = np.array(protocol.levels), columns.pop("level")
    if len(given) != len(levels) or not np.allclose(given, levels):
        found = ", ".join(f"{level:g}" for level in given)
        message = f"levels are {found}, the protocol has {len(levels)} others"
        raise ConfigError(Problem(str(path), message, "list the protocol's levels in its order"))
    return {"reference" if name == "value" else name: v for name, v in columns.items()}
