"""Single-cell clamp protocols: one cell, a series of current or voltage steps into the soma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.cells.biophysical import build_cell
from pipeline.cells.description import CellDescription
from pipeline.config.schema import CurrentSteps, VoltageSteps
from pipeline.errors import SimulationError


@dataclass(frozen=True)
class ClampResult:
    """Traces of a protocol.

    Attributes:
        times: float64 [steps], ms.
        traces: float64 [levels, steps]; mV (current clamp) or nA (voltage clamp).
        steady: float64 [levels], mean over the protocol's window.
    """

    times: np.ndarray
    traces: np.ndarray
    steady: np.ndarray


def run_clamp(
    cell: CellDescription, protocol: CurrentSteps | VoltageSteps, v_init: float, celsius: float
) -> ClampResult:
    """Runs all levels of a protocol on one cell in this process's NEURON.

    Args:
        cell: The cell.
        protocol: Steps and window.
        v_init: Start voltage, mV.
        celsius: Temperature, degC.

    Returns:
        Traces and steady states.

    Raises:
        SimulationError: If a trace is not finite.
    """
    from neuron import h

    h.load_file("stdrun.hoc")
    built = build_cell(cell, cell.morphology.name)
    soma = built.soma[0](0.5)
    electrode, recorded = _electrode(h, soma, protocol)
    h.celsius, h.dt, h.steps_per_ms = celsius, protocol.dt, 1.0 / protocol.dt
    time = h.Vector().record(h._ref_t)
    trace = h.Vector().record(recorded)
    traces = []
    for level in protocol.levels:
        if isinstance(protocol, CurrentSteps):
            electrode.amp = level
        else:
            electrode.amp2 = level
        h.finitialize(v_init)
        h.continuerun(protocol.delay + protocol.duration + protocol.tail)
        traces.append(np.array(trace))
        if not np.all(np.isfinite(traces[-1])):
            raise SimulationError(
                f"{cell.emodel.name} on {cell.morphology.name}: the trace at level {level:g} is not "
                "finite; lower the time step or check the parameters"
            )
    times, stacked = np.array(time), np.stack(traces)
    start, stop = (protocol.delay + edge for edge in protocol.window)
    window = (times >= start) & (times < stop)
    return ClampResult(times, stacked, stacked[:, window].mean(axis=1))


def _electrode(h, soma, protocol):
    if isinstance(protocol, CurrentSteps):
        clamp = h.IClamp(soma)
        clamp.delay, clamp.dur = protocol.delay, protocol.duration
        return clamp, soma._ref_v
    clamp = h.SEClamp(soma)
    clamp.rs = protocol.series_resistance
    clamp.dur1, clamp.dur2, clamp.dur3 = protocol.delay, protocol.duration, protocol.tail
    clamp.amp1 = clamp.amp3 = protocol.holding
    return clamp, clamp._ref_i
