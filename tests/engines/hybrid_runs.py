"""NEURON runs of ``test_hybrid`` that need a process of their own; arguments: function, folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

TRAIN = [(1.0, 0.001), (1.0, 0.0004), (3.0, 0.002), (7.5, 0.0005), (7.6, 0.003)]  # ms, uS


def synapse(library: str, mechanism: str, tau1: float, tau2: float, e: float) -> list[float]:
    """A passive compartment with one point process of a mechanism; returns its voltage."""
    from neuron import h

    assert h.nrn_load_dll(library)
    h.load_file("stdrun.hoc")
    soma = h.Section(name="soma")
    soma.L = soma.diam = 15.0
    soma.insert("pas")
    soma.e_pas = -60
    process = getattr(h, mechanism)(soma(0.5))
    process.tau1, process.tau2, process.e = tau1, tau2, e
    stimuli = []
    for time, weight in TRAIN:
        source = h.NetStim()
        source.start, source.number, source.interval = time, 1, 1
        netcon = h.NetCon(source, process)
        netcon.delay, netcon.weight[0] = 0.5, weight
        stimuli.append((source, netcon))
    trace = h.Vector().record(soma(0.5)._ref_v)
    h.dt, h.steps_per_ms = 0.1, 10
    h.finitialize(-60)
    h.ParallelContext().set_maxstep(10)
    h.ParallelContext().psolve(30)
    return list(trace)


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    result = globals()[sys.argv[1]](**json.loads((folder / "in.json").read_text()))
    (folder / "out.json").write_text(json.dumps(result))
