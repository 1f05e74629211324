"""The worm's closed loop over wall-clock time, rung by rung. Usage: python bench/worm_loop.py [seconds] [ranks]

Rungs: cubic (fifteen premotor neurons gate the rod's own circuit), point, coarse and full circuits with the
rod, and full with the soft body. Also: soma voltages of coarse against full under the same currents.
Circuits are built below circuits/ where they are missing.
"""

import os
import subprocess
import sys
from time import perf_counter

import numpy as np
from rows import tell

from pipeline.body.media import medium_drag
from pipeline.body.rod import RodBody, RodParameters
from pipeline.body.stretch_circuit import StretchCircuit
from pipeline.config.behaviour import Behaviour
from pipeline.config.load import load_model
from pipeline.premotor.model import build_wiring, simulate
from pipeline.simulation.closed_loop import run_closed_loop
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.reports import read_report

RUNGS = {"point": "point", "coarse": "coarse", "full": None}


def behaviour(seconds: float, body: str) -> Behaviour:
    """The behaviour forage of the variant alive, for a while, with a body."""
    config = load_model("worm", "alive").model.behaviours["forage"].model_dump()
    config |= {"duration": 1000 * seconds, "settle": 0.0}
    if body == "soft":
        config |= {"body": {"kind": "soft"}}
        config["environment"]["medium"] = 0.0
    return Behaviour.model_validate(config)


def build(variant: str | None):
    """Returns model and circuit of a rung; builds it where it is missing."""
    resolved = load_model("worm", variant)
    paths = CircuitPaths(f"circuits/worm/{resolved.model.variant}")
    if not paths.report("noise", "soma").is_file():
        for verb in ("compile", "nodes", "edges", "circuit", "simulate"):
            command = [
                sys.executable,
                "-m",
                "pipeline",
                verb,
                "worm",
                *([variant] if variant else []),
            ]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return resolved, paths


def circuit(variant: str | None, body: str, seconds: float, ranks: int) -> str:
    """Runs one rung."""
    _, paths = build(variant)
    figures = run_closed_loop(
        load_model("worm", "alive"), "forage", paths, ranks=ranks, config=behaviour(seconds, body)
    )
    factor = figures["seconds"] / figures["run_s"]
    what = (
        f"closed loop, {variant or 'full'} neurons and {body} body, {ranks} rank{'s' * (ranks > 1)}"
    )
    tell(what, factor, "x real time")
    share = figures["neurons_s"] / figures["run_s"]
    return f"{factor:.2f} times real time ({figures['segments']:.0f} compartments, neurons {share:.0%})"


def load() -> str:
    """Load of the machine in the last minute: above the number of cores a figure is a lower bound."""
    return f"load {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores"


def cubic(seconds: float) -> str:
    """Fifteen cubic neurons; forward neurons above reversal neurons let the rod's circuit go."""
    resolved = load_model("premotor")
    config = resolved.model.premotor
    from pipeline.config.tables import read_csv

    table = read_csv(resolved.path(config.connectome))
    table["count"] = table["count"].astype(float)
    core = [*config.forward, *config.reversal]
    wiring = build_wiring(table, core)
    rng = np.random.default_rng(0)
    from pipeline.premotor.model import Weights

    weights = Weights(
        np.where(wiring.synapses, rng.normal(0, 0.5, wiring.synapses.shape), 0), np.zeros(len(core))
    )
    along, across = medium_drag(1.0)
    rod = StretchCircuit(RodBody(RodParameters(tangential=along, normal=across)))
    x, frame = np.full(len(core), -0.8), 0.5
    start = perf_counter()
    for _ in range(round(seconds / frame)):
        times = np.array([0.0, frame])
        signals = rng.normal(0, 0.5, (2, len(wiring.signals)))
        x = simulate(wiring, weights, times, signals, x)[-1]
        rod.advance(1000 * frame)
    return f"{seconds / (perf_counter() - start):.2f} times real time (15 neurons)"


def difference() -> str:
    """RMS difference of all somata between coarse and full over the run named noise."""
    both = [
        read_report(build(RUNGS[rung])[1].report("noise", "soma"), "neurons").data
        for rung in ("coarse", "full")
    ]
    error = both[0].astype(float) - both[1]
    return f"{np.sqrt((error**2).mean()):.3f} mV RMS, worst neuron {np.sqrt((error**2).mean(0)).max():.3f}"


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    ranks = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    print(f"cubic + rod: {cubic(seconds)}; {load()}", flush=True)
    for rung, variant in RUNGS.items():
        for count in sorted({1, ranks}):
            figure = circuit(variant, "rod", seconds, count)
            print(f"{rung} + rod, {count} ranks: {figure}; {load()}", flush=True)
    for rung in ("coarse", "full"):
        figure = circuit(RUNGS[rung], "soft", seconds / 5, ranks)
        print(f"{rung} + soft, {ranks} ranks: {figure}; {load()}", flush=True)
    print(f"coarse against full: {difference()}")
