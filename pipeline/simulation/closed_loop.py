"""Behaviours whose body is driven by the model's own circuit: from the config to the loop's parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from pipeline.body.build import build_body
from pipeline.body.environment import Surroundings
from pipeline.body.gait import measure_gait
from pipeline.body.interface import to_units
from pipeline.body.loop import Disturbance, Felt, Loop, Nerves, TaughtLoop
from pipeline.body.readout import (
    JunctionReadout,
    LinearReadout,
    Readout,
    junction_shares,
    linear_weights,
    proprioception_shares,
)
from pipeline.body.record import Record, Starts, write_record
from pipeline.body.rod import RodBody
from pipeline.body.stretch_circuit import StretchCircuit
from pipeline.config.behaviour import Behaviour
from pipeline.config.load import Resolved
from pipeline.config.nerves import CircuitDrive
from pipeline.config.stages import mechanism_folders
from pipeline.config.tables import read_csv
from pipeline.errors import ConfigError, Problem
from pipeline.mpi import find_mpi, run_ranks
from pipeline.runtime import progress, rng_for
from pipeline.simulation.plan import Plan
from pipeline.simulation.stage import check_parts, compiled_library
from pipeline.simulation.targets import select_targets
from pipeline.sonata.layout import CircuitPaths

DISTURBANCE_TIME = 200.0
"""ms. Assumed: about twice the time constant of a muscle, so that muscles follow it."""


def run_closed_loop(
    resolved: Resolved,
    name: str,
    paths: CircuitPaths,
    *,
    ranks: int | None = None,
    launcher: str | None = None,
    config: Behaviour | None = None,
    taught: Path | None = None,
    disturbance: float = 0.0,
) -> dict[str, float]:
    """Runs one behaviour and writes ``behaviour/<name>.h5``.

    Args:
        resolved: The model.
        name: Key under ``behaviours``; its drive is a circuit.
        paths: The circuit; it is built and its mechanisms are compiled.
        ranks: MPI ranks of the neurons; None means the config's.
        launcher: MPI launch command; None means as found.
        config: Other settings than the model's.
        taught: Instead, the stretch circuit drives the body, and what neurons and muscles did in every
            window goes to this file (npz: voltage, drive, current, names).
        disturbance: With ``taught``: sd of the noise that is added to the drive of the muscles.

    Returns:
        frames, seconds (simulated), build_s, run_s (wall clock), neurons_s (of it, in the neurons), cpu_s
        (processor time of rank 0 in that time).

    Raises:
        PipelineError: If a table does not fit the circuit, or a rank fails.
    """
    config = config or resolved.model.behaviours[name]
    library = compiled_library(paths, needed=bool(mechanism_folders(resolved)))
    ranks = ranks or config.drive.ranks
    if ranks > 1:
        find_mpi(launcher)
    check_parts(paths)
    job = {
        "root": str(paths.root.resolve()),
        "library": str(library or ""),
        "name": name,
        "seed": resolved.model.seed,
        "behaviour": config.model_dump(mode="json"),
        "tables": {key: str(path) for key, path in drive_tables(resolved, name).items()},
        "disturbance": disturbance,
        "taught": str(taught.resolve()) if taught else "",
    }
    return run_ranks("pipeline.simulation.loop_worker", job, ranks, launcher)


def drive_tables(resolved: Resolved, name: str) -> dict[str, Path]:
    """Returns the files that a behaviour reads: readout, proprioception, mesh."""
    config = resolved.model.behaviours[name]
    found = {}
    if getattr(config.body, "mesh", None):
        found["mesh"] = resolved.path(config.body.mesh)
    if config.drive.kind == "circuit":
        found["readout"] = resolved.path(config.drive.readout.table)
        if config.drive.proprioception:
            found["proprioception"] = resolved.path(config.drive.proprioception.table)
    return found


def loop_plan(paths: CircuitPaths, name: str, library: Path | None, drive: CircuitDrive, seed: int):
    """Returns the plan of the neurons of a behaviour; the loop has its inputs and reports."""
    config: dict[str, Any] = {
        "run": {"dt": drive.dt, "tstop": 0.0, "random_seed": seed, "spike_threshold": 0.0},
        "conditions": {"v_init": drive.v_init, "celsius": 34.0},
        "inputs": {},
        "gains": [],
        "reports": {},
    }
    return Plan(config, paths, f"behaviour_{name}", library)


def build_loop(
    config: Behaviour, nerves: Nerves, paths: CircuitPaths, tables: dict[str, str], taught: bool
) -> Loop:
    """Joins body, nerves and surroundings.

    Args:
        config: The behaviour.
        nerves: The running circuit.
        paths: Its files, for node sets.
        tables: As ``drive_tables``.
        taught: Whether the stretch circuit drives the body.

    Raises:
        ConfigError: If a table does not fit.
    """
    drive = config.drive
    mesh = Path(tables["mesh"]) if "mesh" in tables else None
    body, surroundings = build_body(config, mesh), Surroundings(config.environment)
    felt = build_felt(config, nerves.names, paths, tables)
    if not taught:
        readout = build_readout(drive, nerves.names, tables["readout"])
        return Loop(body, nerves, readout, surroundings, felt, drive.window)
    if not isinstance(body, RodBody):
        raise ConfigError(Problem("readout", "the teacher moves a rod", "choose body kind rod"))
    teacher = StretchTeacher(body)
    return TaughtLoop(body, nerves, teacher, surroundings, felt, drive.window)


class StretchTeacher:
    """The stretch circuit in place of a readout: it drives the body and looks at no voltage.

    Args:
        body: The rod it drives.
    """

    def __init__(self, body: RodBody):
        self._circuit = StretchCircuit(body)
        self._mean = body.side_weights / body.side_weights.sum(0)

    def drive(self, voltage: np.ndarray) -> np.ndarray:
        """See ``Readout``."""
        return to_units(np.clip(self._circuit.update(), 0, 1) @ self._mean)


def build_readout(drive: CircuitDrive, names: list[str], path: str) -> Readout:
    """Reads the muscle readout of a drive for the cells of a circuit."""
    table, config = read_csv(Path(path)), drive.readout
    if config.kind == "linear":
        return LinearReadout(*linear_weights(table, names, path))
    shares = junction_shares(table, names, path)
    return JunctionReadout(shares, config.gain, config.bias, config.threshold, config.slope)


def build_felt(
    config: Behaviour, names: list[str], paths: CircuitPaths, tables: dict[str, str]
) -> Felt:
    """Looks up which cells get which currents.

    Raises:
        ConfigError: If a touch is felt by no cell of the circuit.
        CircuitError: If a node set is unknown.
    """
    drive, rows = config.drive, {name: row for row, name in enumerate(names)}
    tonic = np.zeros(len(names))
    for node_set, current in drive.tonic.items():
        tonic[select_targets(paths, node_set).node_ids] += current
    sensors = {
        name: select_targets(paths, sensing.set).node_ids
        for name, sensing in config.environment.sensing.items()
    }
    for name, touch in config.environment.touches.items():
        if not set(touch.felt_by) & set(rows):
            message = (
                f"touch {name!r} is felt by {', '.join(touch.felt_by)}: none is in the circuit"
            )
            raise ConfigError(Problem("behaviours", message, "name other neurons"))
    felt = drive.proprioception
    shares = None
    if felt:
        path = tables["proprioception"]
        shares = proprioception_shares(read_csv(Path(path)), names, path) * felt.gain
    return Felt(tonic, sensors, rows, shares, felt.signal if felt else "stretch")


class TimedNerves:
    """Nerves that tell how long they took.

    Args:
        nerves: The circuit.
    """

    def __init__(self, nerves: Nerves):
        self._nerves, self.names, self.seconds = nerves, nerves.names, 0.0

    def exchange(self, current: np.ndarray, until: float) -> np.ndarray:
        """See ``Nerves``."""
        start = perf_counter()
        voltage = self._nerves.exchange(current, until)
        self.seconds += perf_counter() - start
        return voltage

    def restart(self) -> None:
        """See ``Nerves``."""
        self._nerves.restart()


def run_loop(job: dict, nerves: Nerves) -> dict[str, float]:
    """Runs the loop of a job on rank 0 and writes its record."""
    config = Behaviour.model_validate(job["behaviour"])
    paths, timed = CircuitPaths(Path(job["root"])), TimedNerves(nerves)
    loop = build_loop(config, timed, paths, job["tables"], bool(job["taught"]))
    if isinstance(loop, TaughtLoop) and job["disturbance"]:
        rng = rng_for(job["seed"], "lesson/disturbance")
        loop.disturbance = Disturbance(job["disturbance"], DISTURBANCE_TIME, rng)
    voltage = loop.warm_up(config.drive.warm_up)
    timed.seconds, start, cpu = 0.0, perf_counter(), process_time()
    record = loop.run(config.duration, config.interval, voltage, job["name"])
    seconds, cpu, nerves_seconds = perf_counter() - start, process_time() - cpu, timed.seconds
    if isinstance(loop, TaughtLoop):
        with open(job["taught"], "wb") as file:
            np.savez(
                file, voltage=np.array(loop.voltages), drive=np.array(loop.drives),
                current=np.array(loop.currents), names=np.array(nerves.names),
                curvature=record.curvature, positions=record.positions,
            )  # fmt: skip
    else:
        starts = run_starts(config, record, timed, paths, job) if config.starts else None
        write_record(paths.behaviour(job["name"]), replace(record, starts=starts))
    return {
        "cpu_s": cpu,
        "frames": float(len(record.time)),
        "seconds": config.duration / 1000,
        "run_s": seconds,
        "neurons_s": nerves_seconds,
    }


def run_starts(
    config: Behaviour, first: Record, nerves: Nerves, paths: CircuitPaths, job: dict
) -> Starts:
    """Runs a behaviour from its other headings, and from all of them without senses as a control.

    Every start has its own body and surroundings; the neurons begin anew.
    """
    count = config.starts.count
    headings = (config.heading + 360.0 * np.arange(count) / count + 180) % 360 - 180
    planned = [(heading, True) for heading in headings]
    planned += [(heading, False) for heading in headings if config.starts.control]
    rows = []
    for heading, smelling in progress(planned, label=f"{job['name']} starts", unit="start"):
        record = first
        if rows:
            tree = config.model_dump() | {"heading": heading, "starts": None}
            if not smelling:
                tree["environment"]["sensing"] = {}
            again = Behaviour.model_validate(tree)
            nerves.restart()
            loop = build_loop(again, nerves, paths, job["tables"], False)
            record = loop.run(config.duration, config.interval, loop.warm_up(config.drive.warm_up))
        head, centre = record.positions[:, 0], record.positions.mean(1)
        kept = record.time >= config.settle
        gait = measure_gait(record.curvature[kept], centre[kept], config.interval)
        rows.append(
            (heading, smelling, head.astype(np.float32), centre.astype(np.float32),
             gait.frequency, gait.wavelength, gait.speed)
        )  # fmt: skip
    return Starts(*map(np.array, zip(*rows, strict=True)))
