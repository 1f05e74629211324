"""Point cells that stand for cells with compartments: measured in NEURON, in a process of its own.

Formulas and what is assumed: docs/ladder.md.
"""

from __future__ import annotations

import gc
import math
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cells.biophysical import build_cell
from pipeline.cells.description import CellDescription, cell_from_json
from pipeline.cells.glif import Glif
from pipeline.cells.morphology import read_morphology
from pipeline.errors import Problem, SimulationError
from pipeline.mechanisms import load_library
from pipeline.runtime import progress
from pipeline.worker import serve

SETTLE, STEP = 200.0, 500.0
"""ms before the step of current, and of it."""
PROBE, DEFLECTION = 0.01, 1.0
"""nA of the first hyperpolarising step; mV that the second aims at."""
FIRST_PUSH, DOUBLINGS, PRECISION = 5.0, 8, 0.01
"""mV over the resistance where the search of the rheobase starts; its doublings; its relative error."""
PUSHES = (2.0, 3.0, 5.0)
"""Multiples of the rheobase that are tried for the period."""
LEAST_REFRACTORY, ASSUMED_REFRACTORY = 1.0, 2.0
"""ms. The least that is taken, and what is taken for cells that fire no three spikes."""


@dataclass(frozen=True)
class Probe:
    """What a cell shows at its soma.

    Attributes:
        rest: mV.
        resistance: Steady, of a small hyperpolarising step, MOhm.
        tau: When the response to that step has come to 1 - 1/e of its largest deflection, ms.
        rheobase: Least step of 500 ms that makes a spike, nA.
        push: Multiple of the rheobase at which the period was taken.
        period: Mean interval there, ms; nan if no multiple tried makes three spikes.
    """

    rest: float
    resistance: float
    tau: float
    rheobase: float
    push: float
    period: float


def to_point(probe: Probe) -> Glif:
    """The leaky integrate-and-fire cell with the same rest, resistance, time constant, rheobase and period.

    At m times the rheobase a LIF cell that is reset to rest reaches its threshold after
    ``tau ln(m / (m - 1))``.
    """
    refractory = probe.period - probe.tau * math.log(probe.push / (probe.push - 1))
    if math.isnan(refractory):
        refractory = ASSUMED_REFRACTORY
    return Glif(
        level=1,
        C=probe.tau / probe.resistance,
        g=1.0 / probe.resistance,
        E_L=probe.rest,
        threshold=probe.rest + probe.resistance * probe.rheobase,
        V_reset=probe.rest,
        t_ref=max(refractory, LEAST_REFRACTORY),
    )


def measure(
    cell: CellDescription, dt: float, v_init: float, celsius: float, threshold: float
) -> Probe:
    """Probes a cell with steps of current into its soma.

    Args:
        cell: The cell.
        dt: Time step of the run, ms.
        v_init: mV.
        celsius: degC.
        threshold: Voltage whose crossing is a spike, mV.

    Raises:
        SimulationError: If it does not rest or fires no spike.
    """
    name = f"{cell.emodel.name} on {cell.morphology.name}"
    respond = _clamp(cell, dt, v_init, celsius)
    first, last = round(SETTLE / dt), round((SETTLE + STEP) / dt)
    steady = slice(last - round(50.0 / dt), last)

    def spikes(amplitude: float) -> np.ndarray:
        trace = respond(amplitude)[first : last + 1]
        return np.flatnonzero((trace[1:] >= threshold) & (trace[:-1] < threshold)) * dt

    quiet = respond(0.0)
    rest = float(quiet[first])
    if quiet.max() >= threshold or not np.isfinite(rest):
        raise SimulationError(Problem(name, "fires without input", "levels need cells that rest"))
    step = -PROBE * DEFLECTION / max(1e-6, rest - respond(-PROBE)[steady].mean())
    trace = respond(step)
    deflection = trace[steady].mean() - rest
    resistance = deflection / step
    fallen = rest - trace[first:last]  # a sag, where a cell has one, counts for the resistance only
    tau = float(np.argmax(fallen >= (1.0 - math.exp(-1.0)) * fallen.max()) * dt)
    low, high = 0.0, FIRST_PUSH / resistance
    for _ in range(DOUBLINGS):
        if len(spikes(high)):
            break
        low, high = high, 2 * high
    else:
        message = f"fires no spike up to {high / 2:.3g} nA"
        raise SimulationError(Problem(name, message, "levels L1 and L2 need cells that spike"))
    while high - low > PRECISION * high:
        middle = (low + high) / 2
        low, high = (low, middle) if len(spikes(middle)) else (middle, high)
    for push in PUSHES:
        times = spikes(push * high)
        if len(times) > 2:
            break
    period = float(np.diff(times).mean()) if len(times) > 2 else math.nan
    return Probe(rest, resistance, tau, high, push, period)


def _clamp(cell: CellDescription, dt: float, v_init: float, celsius: float) -> Any:
    """Returns a function from a step's amplitude (nA) to the voltage of the soma, every step."""
    from neuron import h

    h.load_file("stdrun.hoc")
    built = build_cell(cell, cell.morphology.name)
    electrode = h.IClamp(built.soma[0](0.5))
    electrode.delay, electrode.dur = SETTLE, STEP
    trace = h.Vector().record(built.soma[0](0.5)._ref_v)

    def respond(amplitude: float) -> np.ndarray:
        h.dt, h.steps_per_ms, h.celsius = dt, 1.0 / dt, celsius
        electrode.amp = amplitude
        h.finitialize(v_init)
        h.continuerun(SETTLE + STEP)
        return np.array(trace)

    respond.held = (built, electrode)
    return respond


def probe_cells(job: dict) -> dict[str, Any]:
    """Probes all kinds of cells of a job; returns their probes by label."""
    if job["library"]:
        load_library(job["library"])
    found = {}
    for label, entry in progress(list(job["cells"].items()), label="points"):
        shape = read_morphology(Path(entry["morphology"]), entry["parameters"].get("axon", "keep"))
        cell = cell_from_json(entry["parameters"], shape)
        found[label] = asdict(measure(cell, **job["settings"]))
        gc.collect()  # NEURON advances every section that is still there
    return found


if __name__ == "__main__":
    serve(sys.argv[1], probe_cells)
