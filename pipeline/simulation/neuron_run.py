"""What every engine on NEURON does alike once its cells exist: currents, spikes, reports, time.

Cells are given as ``cells``: NEURON's gid to a cell with ``node_id`` and ``hobj``, those of this rank.
"""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import CircuitError, Problem, SimulationError
from pipeline.runtime import progress
from pipeline.simulation.checkpoint import Checkpoint
from pipeline.simulation.events import is_spikes
from pipeline.simulation.lfp import Probe, check_lfp, make_probe
from pipeline.simulation.neuron_cells import is_point, unstable
from pipeline.simulation.plan import Plan
from pipeline.simulation.record import Recorder
from pipeline.simulation.targets import populations, select_targets
from pipeline.sonata.read import read_json
from pipeline.sonata.reports import read_report, write_spikes

SUPPORTED_INPUTS = {("current_clamp", "report"), ("spikes", "h5")}
BLOCK_BYTES = 64 * 1024 * 1024
PIECES, CORENEURON_PIECES = 50, 5
"""Least numbers of blocks; with CoreNEURON each hands over the whole model."""


def check_inputs(plan: Plan) -> list[Problem]:
    """Names inputs and reports that NEURON's engines cannot express."""
    where = str(plan.paths.simulation_config(plan.name))
    problems = []
    for key, entry in plan.config["inputs"].items():
        kind = (entry.get("input_type"), entry.get("module"))
        if kind not in SUPPORTED_INPUTS:
            problems.append(Problem(f"{where}  inputs.{key}", f"input {kind} is not supported"))
    for key, report in plan.config["reports"].items():
        if report["variable_name"] != "v":
            problems.append(Problem(f"{where}  reports.{key}", "only v can be recorded"))
    if plan.coreneuron and not read_json(plan.paths.mechanisms, "compile").get("coreneuron"):
        hint = "run 'sonatina compile' for this model again"
        problems.append(Problem(str(plan.paths.mechanisms), "compiled without CoreNEURON", hint))
    return problems + check_lfp(plan)


def population_of_cells(plan: Plan) -> str:
    """Returns the circuit's population of cells with a membrane.

    Raises:
        SimulationError: If there are several, or none.
    """
    names = [name for name, virtual in populations(plan.paths).items() if not virtual]
    if len(names) != 1:
        raise SimulationError(f"one population of cells is supported, found {names}")
    return names[0]


def peak_memory() -> float:
    """Largest memory of this rank so far, MiB."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return float(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError):  # no Linux; getrusage also counts what the parent had
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclass
class Clamp:
    """A current that is played; keep it while simulating."""

    electrode: Any
    values: Any
    current: Any


def somatic_electrode(h: Any, cell: Any) -> tuple[Any, Any]:
    """Returns what injects current into a cell, and the reference of the variable to play."""
    if is_point(cell.hobj):
        return None, cell.hobj._ref_i_e
    electrode = h.IClamp(cell.hobj.soma[0](0.5))
    electrode.delay, electrode.dur = 0.0, 1e12
    return electrode, electrode._ref_amp


def play_inputs(
    h: Any, plan: Plan, cells: dict[int, Any], electrode_of: Any = somatic_electrode
) -> list[Clamp]:
    """Plays the currents of the plan into cells of this rank.

    Args:
        h: NEURON's interpreter.
        plan: The run.
        cells: Cells of this rank.
        electrode_of: Makes the electrode of a cell, as ``somatic_electrode`` does.

    Raises:
        CircuitError: If a point cell would get two.
    """
    clamps = []
    local = {cell.node_id: cell for cell in cells.values()}
    taken: set[int] = set()
    for key, entry in plan.config["inputs"].items():
        if is_spikes(entry):
            continue
        report = read_report(plan.folder / entry["input_file"], entry["population"])
        dt = float(report.times[1] - report.times[0]) if len(report.times) > 1 else plan.duration
        for column, node in enumerate(report.node_ids):
            if int(node) not in local:
                continue
            electrode, current = electrode_of(h, local[int(node)])
            if electrode is None and int(node) in taken:
                message = f"input {key!r}: point cell {node} has another current already"
                raise CircuitError(Problem(str(plan.folder), message, "join them in one input"))
            taken.add(int(node))
            played = _play(h, current, report.data[:, column], dt, plan.coreneuron)
            clamps.append(Clamp(electrode, played, current))
    return clamps


def _play(h: Any, current: Any, values: np.ndarray, dt: float, corners: bool) -> tuple[Any, Any]:
    """Holds each value for ``dt`` ms; CoreNEURON knows lines only, so corners are given to it.

    A step takes what is due at its middle, so a value due at its start is half a step away from being
    taken by a neighbour, whatever the rounding of t.
    """
    times = np.arange(len(values)) * dt
    if corners:
        values, times = np.repeat(values, 2), np.append(np.repeat(times, 2)[1:], len(values) * dt)
    vectors = h.Vector(values), h.Vector(times)
    vectors[0].play(current, vectors[1], corners)
    return vectors


def watch_spikes(h: Any, pc: Any, cells: dict[int, Any]) -> tuple[Any, Any]:
    """Records spikes of this rank's cells: vectors of times (ms) and gids."""
    times, gids = h.Vector(), h.Vector()
    for gid in cells:
        pc.spike_record(gid, times, gids)
    return times, gids


def make_recorders(plan: Plan, cells: dict[int, Any]) -> list[Recorder | Probe]:
    """Starts the plan's reports and electrodes."""
    made: list[Recorder | Probe] = []
    for key, report in plan.config["reports"].items():
        if report["enabled"]:
            wanted = set(select_targets(plan.paths, report["cells"]).node_ids.tolist())
            chosen = {c.node_id: c.hobj for c in cells.values() if c.node_id in wanted}
            made.append(Recorder(plan, key, chosen, report))
    return made + make_probe(plan, cells)


def advance(
    h: Any, pc: Any, plan: Plan, cells: dict[int, Any], recorders: list[Recorder | Probe], spikes: Any,
    save: Checkpoint | None = None,
) -> None:  # fmt: skip
    """Runs from the start to the end of the plan in blocks, and streams the reports.

    Args:
        h: NEURON's interpreter.
        pc: Its ParallelContext.
        plan: The run.
        cells: Cells of this rank.
        recorders: Reports.
        spikes: Vector of this rank's spike times.
        save: Saves the run and goes on with a save.

    Raises:
        StoppedError: If the wall time is over; the run is saved.
        SimulationError: If a voltage is not finite at the end of a block, or the run is a runaway.
    """
    h.dt, h.steps_per_ms = plan.dt, 1.0 / plan.dt
    h.celsius = plan.config["conditions"]["celsius"]
    pc.set_maxstep(10)
    if plan.coreneuron:
        _enable_coreneuron(h, plan)
    h.finitialize(plan.config["conditions"]["v_init"])
    width = sum(recorder.width for recorder in recorders)
    fit = max(1, BLOCK_BYTES // (8 * max(1, width)))
    pieces = CORENEURON_PIECES if plan.coreneuron and not save else PIECES
    block = int(pc.allreduce(float(min(fit, max(1, plan.steps // pieces))), 3))
    everyone, before = pc.allreduce(float(len(cells)), 1), 0.0
    first = save.resume(partial(_resume, recorders)) if save else 0
    before = pc.allreduce(float(spikes.size()), 1) if first else before
    bar_options = {"total": plan.duration, "initial": first * plan.dt, "unit": "ms"}
    with progress(label="simulate", **bar_options) as bar:
        for start in range(first, plan.steps, block):
            stop = min(start + block, plan.steps)
            pc.psolve(stop * plan.dt)
            _stop_on_nonfinite(cells, stop * plan.dt)
            if plan.config["run"].get("rate_limit"):
                fired = pc.allreduce(float(spikes.size()), 1)
                span = (stop - start) * plan.dt
                plan.stop_runaway((fired - before) / everyone, span, stop * plan.dt)
                before = fired
            for recorder in recorders:
                recorder.flush(pc, last=stop == plan.steps)
            if save:
                save.after(stop, partial(_keep, recorders, stop))
            bar.update((stop - start) * plan.dt)
    for recorder in recorders:
        recorder.close()


def _keep(recorders: list[Recorder], step: int) -> dict[str, int]:
    frames = {recorder.key: recorder.keep() for recorder in recorders}
    return {"step": step, "frames": frames}


def _resume(recorders: list[Recorder], kept: dict[str, Any]) -> None:
    for recorder in recorders:
        recorder.resume(kept["frames"][recorder.key], kept["step"])


def _enable_coreneuron(h: Any, plan: Plan) -> None:
    """Has ``psolve`` hand the model over to CoreNEURON in memory and take the result back."""
    from neuron import coreneuron

    os.environ["CORENEURONLIB"] = read_json(plan.paths.mechanisms, "compile")["coreneuron"]
    h.cvode.cache_efficient(1)
    coreneuron.enable, coreneuron.verbose = True, 0
    coreneuron.cell_permute = plan.config["run"].get("cell_permute", 0)


def _stop_on_nonfinite(cells: dict[int, Any], time: float) -> None:
    bad = [
        f"cell {cell.node_id} {where}" for cell in cells.values() for where in unstable(cell.hobj)
    ]
    if bad:
        raise SimulationError(
            f"voltage is not finite by {time:g} ms in {', '.join(bad[:3])}; lower dt, or check the "
            "conductances of these cells"
        )


def gather_spikes(pc: Any, plan: Plan, cells: dict[int, Any], spikes: tuple[Any, Any]) -> None:
    """Writes the spikes of all ranks; rank 0 writes."""
    times = np.array(spikes[0])
    if plan.precise:  # spikes of point cells leave one step later than they happened
        times = times - plan.dt * np.array(
            [is_point(cells[int(gid)].hobj) for gid in spikes[1]], bool
        )
    nodes = np.array([cells[int(gid)].node_id for gid in spikes[1]], np.int64)
    parts = pc.py_gather((times, nodes), 0)
    if pc.id() == 0:
        times = np.concatenate([part[0] for part in parts])
        grid = 1e-9 if plan.precise else plan.dt
        times = np.round(times / grid) * grid  # NEURON's t gathers rounding
        nodes = np.concatenate([part[1] for part in parts])
        write_spikes(plan.paths.spikes(plan.name), population_of_cells(plan), nodes, times)
