"""NEURON runs of ``test_hybrid`` that need a process of their own; arguments: function, folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

DRIVE, STRONG = 2.0**-9, 2.0**-8  # uS, exact in single precision
CURRENT, PUSH = 128.0, 256.0  # pA
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


def trio(library: str, model: str, train: list[float], glif: dict, dt: float) -> dict:
    """Two cells with morphologies and a GLIF cell wired by hand with NEURON's own synapses.

    Returns the somatic voltages of the first two and the spike times of all three.
    """
    from neuron import h

    from pipeline.cells.biophysical import build_cell
    from pipeline.cells.glif import Glif
    from pipeline.cells.glif_neuron import GlifCell
    from pipeline.cells.glif_synapses import Port
    from pipeline.cells.library import class_cell

    assert h.nrn_load_dll(library)
    h.load_file("stdrun.hoc")
    whole = [build_cell(class_cell(model, name, "."), name) for name in ("i4P", "i2P")]
    cell = {k: tuple(v) if isinstance(v, list) else v for k, v in glif.items()}
    point = GlifCell(Glif(**cell), "psc", [Port(5.5)])
    stimuli, synapses, times = [], [], [h.Vector() for _ in range(3)]
    for time in train:
        stimulus = h.NetStim()
        stimulus.start, stimulus.number, stimulus.interval = time, 1, 1
        stimuli.append(stimulus)
    somata = [cell.soma[0] for cell in whole]

    def onto(source, target, weight, delay, sec=None):
        """A NetCon from a stimulus, a soma or the GLIF cell."""
        if target == 2:
            end = point.point
        else:
            end = h.Exp2Syn(somata[target](0.5))
            end.tau1, end.tau2, end.e = 1.0, 3.0, 0.0
            synapses.append(end)
        netcon = h.NetCon(source, end, sec=sec) if sec else h.NetCon(source, end)
        if sec:
            netcon.threshold = -15.0
        netcon.delay, netcon.weight[0] = delay, weight
        if target == 2:
            netcon.weight[1] = 1
        synapses.append(netcon)

    for stimulus in stimuli:
        for target, weight in ((0, 3 * DRIVE), (2, 1e-3 * 3 * CURRENT)):
            onto(stimulus, target, weight, 1.0)
    onto(somata[0](0.5)._ref_v, 1, 5 * STRONG, 1.5, somata[0])
    onto(somata[0](0.5)._ref_v, 2, 1e-3 * 4 * PUSH, 1.2, somata[0])
    onto(point.point, 1, 2 * STRONG, 0.9)
    watch = [h.NetCon(s(0.5)._ref_v, None, sec=s) for s in somata] + [h.NetCon(point.point, None)]
    for netcon, vector in zip(watch, times, strict=True):
        if netcon is not watch[2]:
            netcon.threshold = -15.0
        netcon.record(vector)
    traces = [h.Vector().record(s(0.5)._ref_v) for s in somata]
    h.dt, h.steps_per_ms, h.celsius = dt, 1 / dt, 34
    h.ParallelContext().set_maxstep(10)
    h.finitialize(-80)
    h.ParallelContext().psolve(80)
    return {"traces": [list(t) for t in traces], "spikes": [list(t) for t in times]}


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    result = globals()[sys.argv[1]](**json.loads((folder / "in.json").read_text()))
    (folder / "out.json").write_text(json.dumps(result))
