"""Stage ``behave``: runs bodies in their environments and writes what they did."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from pipeline.body.build import build_rod
from pipeline.body.environment import Surroundings
from pipeline.body.record import Record, write_record
from pipeline.body.rod import RodBody
from pipeline.body.stretch_circuit import CircuitParameters, StretchCircuit
from pipeline.config.behaviour import Behaviour
from pipeline.config.load import Resolved
from pipeline.runtime import progress
from pipeline.sonata.layout import CircuitPaths


def run_behaviour(resolved: Resolved, name: str, paths: CircuitPaths) -> dict[str, float]:
    """Runs one behaviour and writes ``behaviour/<name>.h5``.

    Returns:
        frames, seconds (simulated), run_s (wall clock).

    Raises:
        SimulationError: If the body is torn.
    """
    config = resolved.model.behaviours[name]
    start = perf_counter()
    record = simulate(config, name)
    seconds = perf_counter() - start
    write_record(paths.behaviour(name), record)
    return {"frames": len(record.time), "seconds": config.duration / 1000, "run_s": seconds}


def simulate(config: Behaviour, label: str = "") -> Record:
    """Runs a behaviour in memory.

    Returns:
        Frames at 0, interval, 2 interval, ... up to the duration.
    """
    body = build_rod(config)
    circuit = StretchCircuit(body, CircuitParameters(drive=config.drive.drive))
    surroundings = Surroundings(config.environment)
    frames = [_frame(body, surroundings)]
    count = int(config.duration / config.interval + 1e-9)
    for _ in progress(range(count), label=label, unit="frame"):
        circuit.advance(config.interval)
        frames.append(_frame(body, surroundings))
    return Record(*(np.array(column) for column in zip(*frames, strict=True)))


def _frame(body: RodBody, surroundings: Surroundings) -> tuple:
    state = body.state()
    head = state.positions[0]
    return (
        state.time, state.positions, state.velocities, state.forces, body.curvature(),
        np.clip(body.activation, 0, 1),
        surroundings.concentration(head, state.time),
        np.array(list(surroundings.sense(head, state.time).values())),
    )  # fmt: skip
