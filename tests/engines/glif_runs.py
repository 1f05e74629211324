"""GLIF cells in NEURON or NEST, run by the tests as ``python glif_runs.py FUNCTION FOLDER``."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from pipeline import mechanisms
from pipeline.cells.glif import Glif
from pipeline.cells.glif_synapses import Port

SHIFT = 5  # steps by which NEST runs later: its currents need one step to arrive


def _cell(job):
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in job["cell"].items()}
    return Glif(**values), job["synapse"], [Port(**port) for port in job["ports"]]


def in_neuron(jobs, sets, cache):
    """Runs single cells.

    Args:
        jobs: Mappings with cell, synapse, ports, dt, current (nA per step of 0.1 ms) and trains
            (port, weight, delay, times).

    Returns:
        Spike times (ms) and voltages (mV, after every step) per job.
    """
    mechanisms.load(mechanisms.compile_sets(sets, cache, coreneuron=True))
    from neuron import h

    from pipeline.cells.glif_neuron import GlifCell

    results = []
    for dt, group in groupby(jobs, key=lambda job: job["dt"]):
        cells, keep, events, out = [], [], [], []
        duration = 0.0
        for job in group:
            cell = GlifCell(*_cell(job), precise=dt if job.get("precise") else None)
            current = np.array(job["current"])
            duration = len(current) * 0.1
            values, times = h.Vector(current), h.Vector(np.arange(len(current)) * 0.1)
            values.play(cell.point._ref_i_e, times)
            for port, weight, delay, when in job["trains"]:
                netcon = cell.connect(None, weight=weight, delay=delay, port=port)
                events += [(netcon, time + delay) for time in when]
                keep.append(netcon)
            spikes, voltage = h.Vector(), h.Vector()
            netcon = cell.spikes()
            netcon.record(spikes)
            voltage.record(cell.vm)
            keep += [values, times, netcon]
            cells.append(cell)
            out.append((cell.lag, spikes, voltage))
        handler = h.FInitializeHandler(lambda e=events: [c.event(t) for c, t in e])
        h.dt = dt
        h.finitialize(-65)
        for _ in range(round(duration / dt) + 1):  # the last step's spikes leave in the next
            h.fadvance()
        assert handler and all(cell.point.lost == 0 for cell in cells)
        steps = round(duration / dt)
        results += [((np.array(s) - lag).tolist(), list(v)[1 : steps + 1]) for lag, s, v in out]
    return results


def in_nest(jobs):
    """As ``in_neuron``, in NEST."""
    import nest

    from pipeline.cells.glif_nest import connect, create

    nest.set_verbosity("M_ERROR")
    results = []
    for dt, group in groupby(jobs, key=lambda job: job["dt"]):
        nest.ResetKernel()
        nest.resolution = dt
        shift, out, duration = SHIFT * dt, [], 0.0
        for job in group:
            glif, synapse, ports = _cell(job)
            cell = create(nest, glif, 1, synapse, ports)
            current = np.array(job["current"])
            duration = len(current) * 0.1
            times = np.round((np.arange(len(current)) * 0.1 + shift - dt) / dt) * dt
            source = nest.Create("step_current_generator")
            source.set(amplitude_times=times, amplitude_values=current * 1e3)
            nest.Connect(source, cell, syn_spec={"delay": dt})
            for port, weight, delay, when in job["trains"]:
                train = np.round((np.array(when) + shift) / dt) * dt
                spikes = nest.Create("spike_generator", params={"spike_times": train})
                connect(nest, spikes, cell, weight=weight, delay=delay, port=port)
            recorder = nest.Create("spike_recorder")
            meter = nest.Create("multimeter", params={"interval": dt, "record_from": ["V_m"]})
            nest.Connect(cell, recorder)
            nest.Connect(meter, cell)
            out.append((recorder, meter))
        nest.Simulate(duration + shift + dt)
        steps = round(duration / dt)
        for recorder, meter in out:
            spikes = recorder.events["times"] - shift
            times, voltage = meter.events["times"], meter.events["V_m"]
            first = int(np.searchsorted(times, shift + 0.5 * dt))
            kept = spikes[spikes < duration + dt / 2]
            results.append((kept.tolist(), voltage[first : first + steps].tolist()))
    return results


def details(job, sets, cache):
    """Returns what a wrong port says and counts, and how far the section is from vm a step ago."""
    mechanisms.load(mechanisms.compile_sets(sets, cache, coreneuron=True))
    from neuron import h

    from pipeline.cells.glif_neuron import GlifCell
    from pipeline.errors import SimulationError

    cell = GlifCell(*_cell(job))
    said = ""
    try:
        cell.connect(None, weight=1.0, delay=1.0, port=9)
    except SimulationError as error:
        said = str(error)
    unset = h.NetCon(None, cell.point)  # a NetCon nobody gave a port
    unset.weight[0] = 1.0
    handler = h.FInitializeHandler(lambda: unset.event(1.0))
    cell.point.i_e = job["current"]
    own, section = h.Vector(), h.Vector()
    own.record(cell.vm)
    section.record(cell.section(0.5)._ref_v)
    h.dt = job["dt"]
    h.finitialize(-65)
    for _ in range(1000):
        h.fadvance()
    assert handler
    return {
        "said": said,
        "lost": cell.point.lost,
        "apart": float(np.abs(np.array(section)[1:] - np.array(own)[:-1]).max()),
        "range": float(np.ptp(own)),
    }


def refusals(job, sets, cache):
    """Returns what is said of cells that cannot have precise spikes."""
    mechanisms.load(mechanisms.compile_sets(sets, cache, coreneuron=True))
    from pipeline.cells.glif_neuron import GlifCell
    from pipeline.errors import ConfigError, SimulationError

    glif, synapse, ports = _cell(job)

    def said(error, make):
        try:
            make()
        except error as found:
            return str(found)
        return ""

    cond = [Port(5.0, E_rev=0.0)]
    short = replace(glif, t_ref=0.01)
    made = GlifCell(glif, synapse, ports, precise=job["dt"])
    return {
        "cond": said(ConfigError, lambda: GlifCell(glif, "cond", cond, precise=job["dt"])),
        "short": said(ConfigError, lambda: GlifCell(short, synapse, ports, precise=job["dt"])),
        "delay": said(
            SimulationError, lambda: made.connect(made, weight=0.1, delay=job["dt"], port=1)
        ),
    }


def network_in_neuron(cells, edges, dt, duration, sets, cache, coreneuron=False):
    """Runs cells under constant currents that excite and inhibit each other.

    Args:
        cells: Jobs as above whose ``current`` is one number (nA).
        edges: (source, target, weight, delay, port).

    Returns:
        Spike times per cell, and whether CoreNEURON ran.
    """
    mechanisms.load(mechanisms.compile_sets(sets, cache, coreneuron=True))
    from neuron import coreneuron as core
    from neuron import h

    from pipeline.cells.glif_neuron import GlifCell, shorter

    pc = h.ParallelContext()
    built, keep = [], []
    times, ids = h.Vector(), h.Vector()
    for gid, job in enumerate(cells):
        precise = dt if job.get("precise") else None
        cell = GlifCell(*_cell(job), name=f"glif{gid}", precise=precise)
        cell.point.i_e = job["current"]
        pc.set_gid2node(gid, pc.id())
        pc.cell(gid, cell.spikes())
        pc.spike_record(gid, times, ids)
        built.append(cell)
    for source, target, weight, delay, port in edges:
        netcon = pc.gid_connect(source, built[target].point)
        delay = shorter(delay, built[source].lag, built[source].name)
        keep.append(built[target].attach(netcon, weight=weight, delay=delay, port=port))
    core.enable, core.verbose = coreneuron, 0
    h.CVode().cache_efficient(1)
    h.dt = dt
    pc.set_maxstep(10)
    h.finitialize(-65)
    pc.psolve(duration + dt)  # the last step's spikes leave in the next
    spikes = [
        sorted(t - built[n].lag for t, i in zip(times, ids, strict=True) if i == n)
        for n in range(len(built))
    ]
    return {"coreneuron": bool(core.enable), "spikes": spikes}


def network_in_nest(cells, edges, dt, duration):
    """As ``network_in_neuron``, in NEST; currents are part of the cells (I acts from 0 on)."""
    import nest

    from pipeline.cells.glif_nest import connect, create

    nest.set_verbosity("M_ERROR")
    nest.ResetKernel()
    nest.resolution = dt
    shift = SHIFT * dt
    built, recorders = [], []
    for job in cells:
        glif, synapse, ports = _cell(job)
        cell = create(nest, glif, 1, synapse, ports)
        source = nest.Create("step_current_generator")
        start = round((shift - dt) / dt) * dt
        source.set(amplitude_times=[start], amplitude_values=[job["current"] * 1e3])
        nest.Connect(source, cell, syn_spec={"delay": dt})
        recorder = nest.Create("spike_recorder")
        nest.Connect(cell, recorder)
        built.append(cell)
        recorders.append(recorder)
    for source, target, weight, delay, port in edges:
        connect(nest, built[source], built[target], weight=weight, delay=delay, port=port)
    nest.Simulate(duration + shift + dt)
    found = [np.sort(r.events["times"]) - shift for r in recorders]
    return {"spikes": [t[t < duration + dt / 2].tolist() for t in found]}


if __name__ == "__main__":
    function, folder = sys.argv[1], Path(sys.argv[2])
    arguments = json.loads((folder / "in.json").read_text())
    result = globals()[function](**arguments)
    (folder / "out.json").write_text(json.dumps(result))
