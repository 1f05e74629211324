"""Stage ``simulate``: writes the plan, checks it, runs the engine on its ranks."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np

from pipeline.config.load import Resolved
from pipeline.config.stages import mechanism_folders
from pipeline.errors import CircuitError, PipelineError, Problem
from pipeline.mechanisms import require_neuron
from pipeline.mpi import find_mpi, minutes_left, run_ranks
from pipeline.runtime import only_one, remove_leftovers, write_json
from pipeline.simulation.balance import TABLE, read_balance, write_balance
from pipeline.simulation.checkpoint import folder_of
from pipeline.simulation.engines import engine as engine_of
from pipeline.simulation.ladder import check_level, reduce_circuit
from pipeline.simulation.plan import Plan, read_plan, write_plan
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import not_built, open_population, read_json, read_nodes, read_types

# Measured on two cores of an AMD EPYC: segment updates per second and bytes per segment.
SEGMENT_STEPS_PER_SECOND = 2.8e7
BYTES_PER_SEGMENT = 4500
# The hybrid V1 (docs/performance.md): perisomatic channels and events on both cores at once; a NetCon
# with its share of point processes.
EVENT_SEGMENT_STEPS_PER_SECOND = 1.75e7
BYTES_PER_NETCON = 280
# Cells with e-models (some twelve channels in every compartment of an interneuron), NEURON, one core.
EMODEL_SEGMENT_STEPS_PER_SECOND = 2.0e6
# A synapse with release and its NetCon (docs/synapses.md), in NEURON and in CoreNEURON: s per step, bytes.
RELEASE_SECONDS, RELEASE_BYTES = (25e-9, 17e-9), (1900, 2800)
MIB_PER_RANK, EVENT_MIB_PER_RANK = 150.0, 240.0


def run_simulation(
    resolved: Resolved,
    name: str,
    paths: CircuitPaths,
    *,
    ranks: int | None = None,
    launcher: str | None = None,
    save_every: float | None = None,
    walltime: float | None = None,
) -> dict[str, float]:
    """Simulates one run of a model.

    Args:
        resolved: The model.
        name: Key under ``simulation``.
        paths: The circuit; it is built and its mechanisms are compiled.
        ranks: MPI ranks; None means the config's.
        launcher: MPI launch command; None means as found.
        save_every: ms of the model between two saves, from which a later call goes on; None means the
            config's.
        walltime: min after which the run ends with a save, for engines that can; None means what
            SLURM leaves to this job, if it is one.

    Returns:
        Figures of the run, also in ``figures.json``.

    Raises:
        StoppedError: If the wall time was over before the run.
        PipelineError: If the plan cannot run or a rank fails.
    """
    walltime = walltime or minutes_left()
    until = time.time() + 60 * walltime if walltime else None
    simulation = resolved.model.simulation[name]
    engine = engine_of(simulation.engine)
    save_every = save_every or simulation.save_every
    can = simulation.engine == "bionet"
    if save_every and not can:
        message = f"--save-every: engine {simulation.engine} cannot save its runs"
        raise PipelineError(Problem(name, message, "use bionet"))
    saved = (paths.simulation(name) / "checkpoint" / "checkpoint.json").is_file()
    saving = [save_every, until] if can and (save_every or until or saved) else None
    reduced = simulation.level != "L3"
    needed = (engine.ranks or reduced) and bool(mechanism_folders(resolved))
    library = compiled_library(paths, needed=needed)
    # NEST's wheel knows threads only.
    ranks = (ranks or simulation.ranks) if engine.ranks else 1
    if ranks > 1:
        find_mpi(launcher)
    if engine.ranks:
        require_neuron()
    check_parts(paths)
    with only_one(paths.simulation(name)):
        return _run(resolved, name, paths, library, ranks, launcher, saving)


def _run(resolved, name, paths, library, ranks, launcher, saving) -> dict[str, float]:
    """Plans and runs; arguments as above. No other command writes into the run's folder meanwhile."""
    simulation = resolved.model.simulation[name]
    engine, reduced = engine_of(simulation.engine), simulation.level != "L3"
    write_plan(resolved, name, paths)
    plan = read_plan(paths, name, library)
    problems = check_level(plan, paths) if reduced else []
    if reduced and not problems:
        reduce_circuit(plan, paths)
    problems = problems or engine.module.check(plan)
    if problems:
        raise PipelineError(problems)
    if hasattr(engine.module, "prepare"):
        engine.module.prepare(plan)
    job = {"root": str(paths.root.resolve()), "simulation": name, "library": str(library or "")}
    dealt = _deal(plan, ranks) if simulation.engine == "bionet" else None
    job |= {"saving": saving, "dealt": str(dealt.resolve()) if dealt else ""}
    try:
        worker = "pipeline.simulation.worker"
        figures = run_ranks(worker, job, ranks, launcher, paths.simulation(name))
    except BaseException:
        # Ranks that are ended cannot do it, and may still be ending.
        remove_leftovers(paths.simulation(name), wait=5.0)
        raise
    remove_leftovers(paths.simulation(name))
    figures |= {"balance": read_balance(dealt, ranks)} if dealt else {}
    write_json(paths.simulation(name) / "figures.json", figures)
    shutil.rmtree(folder_of(plan), ignore_errors=True)
    return figures


def _deal(plan: Plan, ranks: int) -> Path | None:
    """Deals the cells; a table of a run before, on more ranks, would say what is no longer so."""
    (plan.folder / TABLE).unlink(missing_ok=True)
    return write_balance(plan, ranks) if ranks > 1 else None


def check_parts(paths: CircuitPaths) -> None:
    """Opens every file the ranks will read, so that what is missing is told before they start.

    Raises:
        CircuitError: If a file is missing or damaged.
    """
    read_json(paths.node_sets, "nodes")
    networks = read_json(paths.circuit_config, "circuit").get("networks", {})
    for entry in networks.get("edges", []):
        for name in entry["populations"]:
            read_types(paths.edge_types(name))
            with open_population(paths.edges(name), "edges", name):
                pass
    morphologies = {path.stem for path in paths.morphologies.glob("*")}
    for entry in networks.get("nodes", []):
        for name in entry["populations"]:
            types, nodes = read_types(paths.node_types(name)), read_nodes(paths.nodes(name), name)
            for row in types.itertuples():
                file = getattr(row, "dynamics_params", None)
                if isinstance(file, str):
                    folder = (
                        paths.emodels if row.model_type == "biophysical" else paths.point_neurons
                    )
                    read_json(folder / file, "nodes")
            absent = sorted(set(nodes.get("morphology", ())) - morphologies)
            if absent:
                raise not_built(paths.morphologies / f"{absent[0]}.swc", "nodes")


def compiled_library(paths: CircuitPaths, *, needed: bool = False) -> Path | None:
    """Returns the mechanism library of a circuit, or None when it needs none.

    Args:
        paths: The circuit.
        needed: Whether the model names mechanism sets, so that there must be one.

    Raises:
        CircuitError: If it was not compiled, or is no longer there.
    """
    if not needed and not paths.mechanisms.is_file():
        return None
    entry = read_json(paths.mechanisms, "compile")
    if not entry.get("library"):
        return None
    library = Path(entry["library"])
    if not library.is_file():
        hint = "run 'sonatina compile' for this model again"
        raise CircuitError(Problem(str(paths.mechanisms), f"library {library} is gone", hint))
    return library


def estimate(
    resolved: Resolved, name: str, segments: int, netcons: int = 0, releases: int = 0
) -> dict[str, float]:
    """Predicts the cost of a run before it starts.

    Args:
        resolved: The model.
        name: Key under ``simulation``.
        segments: Compartments of the circuit.
        netcons: Connections driven by events.
        releases: Synapses with release.

    Returns:
        Steps, seconds on the configured ranks, memory in MiB over all ranks.
    """
    simulation = resolved.model.simulation[name]
    steps = simulation.duration / simulation.dt
    driven = netcons or releases
    rate = EVENT_SEGMENT_STEPS_PER_SECOND if driven else SEGMENT_STEPS_PER_SECOND
    rate = EMODEL_SEGMENT_STEPS_PER_SECOND if resolved.model.generalise else rate
    per_step = segments / rate + releases * RELEASE_SECONDS[simulation.coreneuron]
    bytes_held = segments * BYTES_PER_SEGMENT + netcons * BYTES_PER_NETCON
    bytes_held += releases * RELEASE_BYTES[simulation.coreneuron]
    return {
        "steps": steps,
        "seconds": float(np.ceil(steps * per_step / simulation.ranks)),
        "memory_mib": (EVENT_MIB_PER_RANK if driven else MIB_PER_RANK) * simulation.ranks
        + bytes_held / 2**20,
    }
