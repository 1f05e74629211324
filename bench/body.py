"""How fast bodies run: simulated over wall-clock time. Usage: python bench/body.py [seconds]"""

import sys
from time import perf_counter

import numpy as np
from rows import tell

from pipeline.body.media import medium_drag
from pipeline.body.rod import RodBody, RodParameters
from pipeline.body.soft import SoftBody
from pipeline.body.stretch_circuit import StretchCircuit


def rod(step: float, seconds: float, medium: float) -> float:
    """Returns the real-time factor of rod and stretch circuit."""
    along, across = medium_drag(medium)
    circuit = StretchCircuit(RodBody(RodParameters(tangential=along, normal=across), step=step))
    circuit.advance(100.0)
    start = perf_counter()
    circuit.advance(1000.0 * seconds)
    assert np.isfinite(circuit.body.q).all()
    return seconds / (perf_counter() - start)


def soft(seconds: float) -> float:
    """Returns the real-time factor of the soft body with a travelling wave of activation."""
    body, unit = SoftBody(), np.arange(96)
    body.advance(np.full(96, 0.1), 1000 / 30)  # compiles, or loads what is compiled
    start = perf_counter()
    for frame in range(round(30 * seconds)):
        phase = 2 * np.pi * (frame / 30 - (unit % 24) / 24) + np.pi * ((unit // 24) % 2)
        body.advance(0.1 * (1 + np.sin(phase)), 1000 / 30)
    assert np.isfinite(body.x).all()
    return seconds / (perf_counter() - start)


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    for medium, name in ((1.0, "agar"), (0.0, "water")):
        for step in (10.0, 5.0, 1.0):
            factor = rod(step, seconds, medium)
            print(f"rod, {name}, step {step:g} ms: {factor:.1f} times real time")
            tell(f"rod body in {name}, step {step:g} ms", factor, "x real time")
    factor = soft(seconds / 5)
    print(f"soft body, step 4.17 ms: {factor:.2f} times real time")
    tell("soft body, step 4.17 ms", factor, "x real time")
