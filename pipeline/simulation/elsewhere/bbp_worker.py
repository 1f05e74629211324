"""One run of a config in the BBP dialect, on every rank: neurodamus builds it, NEURON runs it.

neurodamus' cells, synapses, replay, stimuli, modifications and its choice of what reports hold stay its own.
Ours: the advance in blocks with a bar and a look at voltages, and the files of spikes and reports.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import CircuitError, Problem, SimulationError
from pipeline.mechanisms import load_library
from pipeline.runtime import progress
from pipeline.simulation.elsewhere.bbp_reports import Frames, Settings, Sum
from pipeline.simulation.neuron_run import BLOCK_BYTES, PIECES, peak_memory
from pipeline.sonata.reports import write_spike_populations


def simulate_bbp(job: dict) -> dict[str, float]:
    """Runs the job; returns its figures.

    Raises:
        CircuitError: If neurodamus does not build it.
        SimulationError: If a voltage is not finite at the end of a block.
    """
    started = time.perf_counter()
    output = Path(job["output"])
    try:
        h, pc, simulation, reports, config = _build(job, output)
    except SystemExit as error:
        message = f"neurodamus ended with code {error.code}"
        raise CircuitError(Problem(job["config_file"], message, "see its lines above")) from None
    built = time.perf_counter()
    _advance(h, pc, simulation, reports, config.run)
    for report in reports:
        report.close()
    _write_spikes(pc, simulation, config, output)
    figures = {"build_s": built - started, "run_s": time.perf_counter() - built}
    return figures | {"ranks": float(pc.nhost()), "memory_mib": pc.allreduce(peak_memory(), 1)}


def _build(job: dict, output: Path) -> tuple[Any, Any, Any, list[Frames], Any]:
    os.environ["HOC_LIBRARY_PATH"] = job["hoc"]
    os.environ.setdefault("NEURON_INIT_MPI", "0")  # neurodamus asks for MPI unless told
    os.chdir(output)  # neurodamus leaves files where it is
    load_library(job["library"])
    import libsonata
    from neurodamus import Neurodamus
    from neurodamus.core import NeuronWrapper
    from neurodamus.core.configuration import ConfigurationError, GlobalConfig, LogLevel
    from neurodamus.report import ReportManager, SummationReport

    GlobalConfig.verbosity = LogLevel.ERROR_ONLY
    NeuronWrapper.init(log_filename=str(output / "neurodamus.log"), log_use_color=False)
    config = libsonata.SimulationConfig.from_file(job["config_file"])
    made_here: dict[str, Frames] = {}
    make = ReportManager.create

    def create(params: Any, **options: Any) -> Any:
        made = make(params=params, **options)
        if made is not None:  # else neurodamus has kept an error
            settings = Settings(params.name, params.unit, params.dt, params.start, params.end)
            made.report = made_here[params.name] = Frames(settings, output, config.run.dt)
        return made

    ReportManager.create = create
    SummationReport.setup_alu_for_summation = lambda self, x: Sum()
    try:
        simulation = Neurodamus(
            config, logging_level=0, lb_mode="RoundRobin", output_path=str(output),
            simulator="NEURON", cleanup_atexit=False,
        )  # fmt: skip
    except ConfigurationError as error:
        raise CircuitError(Problem(job["config_file"], str(error))) from None
    return (
        NeuronWrapper.h,
        NeuronWrapper.pc,
        simulation,
        _everywhere(NeuronWrapper.pc, made_here),
        config,
    )


def _everywhere(pc: Any, made: dict[str, Frames]) -> list[Frames]:
    """The same reports in the same order on all ranks: a rank without cells makes none."""
    known = {
        name: found
        for part in pc.py_allgather({n: made[n].plain for n in made})
        for name, found in part.items()
    }
    return [made.get(name) or Frames(*known[name]) for name in sorted(known)]


def _advance(h: Any, pc: Any, simulation: Any, reports: list[Frames], run: Any) -> None:
    """Runs in blocks of whole steps."""
    steps = round(run.tstop / run.dt)
    width = sum(report.width for report in reports)
    fit = max(1, BLOCK_BYTES // (8 * max(1, width)))
    block = int(pc.allreduce(float(min(fit, max(1, steps // PIECES))), 3))
    with progress(total=run.tstop, label="simulate", unit="ms") as bar:
        for start in range(0, steps, block):
            stop = min(start + block, steps)
            pc.psolve(stop * run.dt)
            _stop_on_nonfinite(simulation, stop * run.dt)
            for report in reports:
                report.flush(pc, stop - start + (start == 0))  # the first is of time 0
            bar.update((stop - start) * run.dt)


def _cells(simulation: Any) -> Iterator[tuple[str, int, Any]]:
    """Population, node and cell of this rank."""
    for manager in simulation.circuits.all_node_managers():
        for gid, cell in getattr(manager, "gid2cell", {}).items():
            yield manager.population_name, int(gid) - manager.local_nodes.offset, cell


def _stop_on_nonfinite(simulation: Any, now: float) -> None:
    for population, node, cell in _cells(simulation):
        for section in getattr(getattr(cell, "CellRef", None), "all", ()):
            if not abs(section(0.5).v) < 1e300:
                message = f"voltage is not finite by {now:g} ms in {section.name()}"
                raise SimulationError(Problem(f"{population} {node}", message, "lower dt"))


def _write_spikes(pc: Any, simulation: Any, config: Any, output: Path) -> None:
    """Spikes of all populations and ranks, node ids as SONATA has them; rank 0 writes."""
    pairs = zip(simulation._spike_populations, simulation._spike_vecs, strict=True)
    own = {  # not the same populations on every rank
        population: (np.array(gids, np.int64) - int(offset), np.array(times))
        for (population, offset), (times, gids) in pairs
    }
    parts = pc.py_gather(own, 0)
    if pc.id() == 0:
        names = sorted({name for part in parts for name in part})
        found = {
            name: tuple(
                np.concatenate(column)
                for column in zip(*(p[name] for p in parts if name in p), strict=True)
            )
            for name in names
        }
        name = Path(config.output.spikes_file or "out.h5").name
        by_id = config.output.spikes_sort_order.name == "by_id"
        write_spike_populations(output / name, found, sorting="by_id" if by_id else "by_time")
