"""One connection recorded from in NEURON: the postsynaptic cell held, a presynaptic spike many times.

The cell is built as in a simulation and has the synapses of the connection only. It is clamped to the
holding potential, the clamp's current is then injected in its place, and the state short of the spike is
kept: every trial starts from it with random streams of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from pipeline.psp.features import psp_features
from pipeline.runtime import JsonStore
from pipeline.simulation.neuron_cells import CellShelf
from pipeline.simulation.release_synapses import place_synapse, set_synapse, stream_keys
from pipeline.sonata.layout import CircuitPaths

SETTLE_DT = 0.1
"""ms; time step while the clamp holds, of which only the end counts."""
FREE, BEFORE = 100.0, 5.0
"""ms before the spike: from when on a current holds the cell; when the recording starts."""
SERIES = 1e-3
"""Mohm of the clamp."""
LEAVES = 2.0
"""mV; a cell further from the holding potential than this when the spike comes is not held."""
SPIKES = -20.0
"""mV; a trial that passes it is left out of all means, as in published recordings."""
DIGITS = 7


@dataclass(frozen=True)
class Protocol:
    """How a connection is recorded from; times in ms, potentials in mV."""

    hold: float
    spike: float
    after: float
    dt: float
    every: float
    celsius: float
    trials: int


@dataclass(frozen=True)
class Job:
    """All a worker needs, pure data.

    Attributes:
        key: Under which the result is kept; it stands for all below.
        store: Folder of results.
        library: Compiled mechanisms.
        root: The circuit.
        population: Of the postsynaptic cell.
        node: Its id.
        morphology: Its shape.
        parameters: Content of its ``dynamics_params`` file.
        edges: Name of the edge population.
        synapses: Rows of ``ReleaseReader.parameters``.
        fixed: By edge type, what its synapse model sets.
        seed: Of the run.
        protocol: How.
    """

    key: str
    store: Path
    library: Path | None
    root: Path
    population: str
    node: int
    morphology: str
    parameters: dict[str, Any]
    edges: str
    synapses: list[dict[str, Any]]
    fixed: dict[int, dict[str, float]]
    seed: int
    protocol: Protocol


def record(job: Job) -> dict[str, Any]:
    """Records from one connection and keeps what came of it.

    Returns:
        holding_current (nA), held (mV, at the spike), reversal (mV, of the fast receptor), spikes
        (trials left out), trials (used), the features of ``psp_features``, trace (mV, the mean from
        ``-BEFORE`` on, every ``every`` ms) and reason, which says why there are no features.
    """
    h = _neuron(job.library)
    cell = CellShelf(CircuitPaths(job.root), job.seed).build(
        job.population, job.node, job.morphology, job.parameters
    )
    bench = _Bench(h, job, cell)
    found = bench.hold()
    if not found["reason"]:
        found |= _judge(job.protocol, found["reversal"], *bench.trials())
    JsonStore(job.store).put(job.key, found)
    return found


def _judge(
    protocol: Protocol, reversal: float, silent: np.ndarray, traces: np.ndarray
) -> dict[str, Any]:
    """Features of what the trials add to the trace without a spike."""
    good = traces[(traces < SPIKES).all(axis=1)]
    found: dict[str, Any] = {"spikes": len(traces) - len(good), "trials": len(good)}
    if len(good) < 2:
        return found | {"reason": "the cell fires in all trials"}
    time = np.arange(traces.shape[1]) * protocol.every - BEFORE
    sign = math.copysign(1.0, reversal - protocol.hold)
    features = psp_features(time, good - silent, sign)
    plain = {k: None if math.isnan(v) else v for k, v in features.items()}
    mean = (good - silent).mean(axis=0)
    return found | plain | {"trace": [float(f"{v:.{DIGITS}g}") for v in mean]}


@lru_cache(maxsize=1)
def _neuron(library: Path | None) -> Any:
    """Loads NEURON and the mechanisms into this process, once."""
    from neuron import h

    if library:
        from pipeline.mechanisms import load_library

        load_library(library)
    h.load_file("stdrun.hoc")
    return h


class _Bench:
    """The cell with its synapses and electrodes."""

    def __init__(self, h: Any, job: Job, cell: Any):
        self.h, self.job, self.soma = h, job, cell.soma[0](0.5)
        holder = SimpleNamespace(node_id=job.node, hobj=cell)
        settings = SimpleNamespace(fixed=lambda kind: job.fixed[int(kind)], stochastic=1.0)
        self._rows = [SimpleNamespace(**row) for row in job.synapses]
        self._made = []
        for row in self._rows:
            process = place_synapse(h, holder, row)
            set_synapse(process, settings, row, (0, 0))
            process.mini_rate = 0.0
            netcon = h.NetCon(None, process)
            netcon.weight[0] = 1.0
            self._made.append((process, netcon, row.delay))

    def hold(self) -> dict[str, Any]:
        """Clamps, finds the current, and keeps the state shortly before the spike."""
        h, protocol = self.h, self.job.protocol
        h.celsius = protocol.celsius
        free = max(protocol.spike - FREE, protocol.spike / 2)
        clamp = h.SEClamp(self.soma)
        clamp.rs, clamp.dur1, clamp.amp1 = SERIES, free, protocol.hold
        self._current = h.IClamp(self.soma)
        self._current.delay, self._current.dur, self._current.amp = free, 1e9, 0.0
        self._clamp = clamp
        self._step(SETTLE_DT)
        h.finitialize(protocol.hold)
        self._advance(free - SETTLE_DT)
        self._current.amp = clamp.i
        self._step(protocol.dt)
        self._advance(protocol.spike - BEFORE)
        self._state, self._start = h.SaveState(), h.t
        self._state.save()
        process = self._made[0][0]
        reversal = process.e if hasattr(process, "e") else process.e_gabaa
        found = {"holding_current": float(self._current.amp), "held": float(self.soma.v),
                 "reversal": float(reversal), "reason": ""}  # fmt: skip
        if not abs(self.soma.v - protocol.hold) <= LEAVES:
            found["reason"] = f"not held: {self.soma.v:.4g} mV in place of {protocol.hold:g}"
        return found

    def trials(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the trace without a spike [n] and those of all trials [trials, n], mV."""
        silent = self._trial(0, spike=False)
        count = self.job.protocol.trials
        return silent, np.stack([self._trial(k, spike=True) for k in range(count)])

    def _trial(self, number: int, spike: bool) -> np.ndarray:
        h, job = self.h, self.job
        keys = stream_keys(job.seed, f"{job.edges}/psp/{number}")
        for (process, _, _), row in zip(self._made, self._rows, strict=True):
            process.release_stream.set_ids(int(row.edge_id) & 0xFFFFFFFF, job.node, keys[0])
        # What the state does not hold (vesicles, places in random streams) starts anew.
        h.finitialize(job.protocol.hold)
        self._state.restore()
        for _, netcon, delay in self._made if spike else ():
            netcon.event(job.protocol.spike + delay)
        protocol = job.protocol
        frames = round((BEFORE + protocol.after) / protocol.every) + 1
        each, trace = round(protocol.every / protocol.dt), np.empty(frames)
        trace[0] = self.soma.v
        for frame in range(1, frames):
            for _ in range(each):
                h.fadvance()
            trace[frame] = self.soma.v
        return trace

    def _step(self, dt: float) -> None:
        self.h.dt, self.h.steps_per_ms = dt, 1.0 / dt

    def _advance(self, stop: float) -> None:
        for _ in range(round((stop - self.h.t) / self.h.dt)):
            self.h.fadvance()
