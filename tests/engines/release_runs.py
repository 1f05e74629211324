"""Synapses with stochastic release in NEURON, run as ``python release_runs.py FUNCTION FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from pipeline import mechanisms


def _neuron(sets, cache):
    mechanisms.load(mechanisms.compile_sets(sets, cache, coreneuron=True))
    from neuron import h

    h.load_file("stdrun.hoc")
    return h


def _set(process, parameters, ids):
    """Parameters and the ids of both streams of a synapse."""
    for key, value in parameters.items():
        setattr(process, key, value)
    process.release_stream.set_ids(*ids)
    process.mini_stream.set_ids(*ids[:2], ids[2] + 1)
    return process


def clamped(sets, cache, jobs, v, dt, duration, record, samples=None):
    """Synapses side by side on a clamped cell.

    Args:
        jobs: Mappings with mechanism, parameters, ids and spikes (ms, arriving).
        v: mV.
        record: Variables to record.
        samples: Numbers of the time steps after which to read; traces of every step when None.

    Returns:
        One list of traces per variable, in the order of the jobs.
    """
    h = _neuron(sets, cache)
    soma = h.Section(name="soma")
    soma.L = soma.diam = 10
    clamp = h.SEClamp(soma(0.5))
    clamp.rs, clamp.dur1, clamp.amp1 = 1e-8, 1e12, v
    made = [_set(getattr(h, j["mechanism"])(soma(0.5)), j["parameters"], j["ids"]) for j in jobs]
    events = []
    for process, job in zip(made, jobs, strict=True):
        netcon = h.NetCon(None, process)
        netcon.weight[0] = job.get("weight", 1.0)
        events += [(netcon, time) for time in job["spikes"]]
    handler = h.FInitializeHandler(lambda: [netcon.event(time) for netcon, time in events])
    traces: dict = {key: [[] for _ in made] for key in record}
    if samples is None:
        for key in record:
            traces[key] = [h.Vector().record(getattr(p, f"_ref_{key}")) for p in made]
    h.dt, h.steps_per_ms = dt, 1 / dt
    pc = h.ParallelContext()
    pc.set_maxstep(10)
    h.finitialize(v)
    for step in samples or [round(duration / dt)]:
        pc.psolve(step * dt)
        for key in record if samples else ():
            for trace, process in zip(traces[key], made, strict=True):
                trace.append(getattr(process, key))
    del handler
    return {key: [list(trace) for trace in found] for key, found in traces.items()}


def magnesium(sets, cache, voltages, settings):
    """Returns i (nA) minus its AMPA part, over g_nmda, per block setting and voltage: mV."""
    h = _neuron(sets, cache)
    soma = h.Section(name="soma")
    synapse = h.AmpaNmdaRelease(soma(0.5))
    synapse.stochastic = 0
    netcon = h.NetCon(None, synapse)
    netcon.weight[0] = 1
    found = []
    for setting in settings:
        for key, value in setting.items():
            setattr(synapse, key, value)
        h.dt = 0.1
        h.finitialize(-70)
        netcon.event(0.2)
        for _ in range(50):
            h.fadvance()
        row = []
        for v in voltages:
            soma.v = v
            h.fcurrent()
            row.append((synapse.i - synapse.g_ampa * (v - synapse.e)) / synapse.g_nmda)
        found.append(row)
    return found


def network(sets, cache, coreneuron, duration):
    """Spiking cells, each with both kinds of synapses from the others, minis and a noisy drive.

    Returns:
        Spike times and gids, voltages and one conductance per cell, whether CoreNEURON ran.
    """
    h = _neuron(sets, cache)
    pc = h.ParallelContext()
    cells = [h.Section(name=f"cell{k}") for k in range(5)]
    keep = []
    for k, cell in enumerate(cells):
        cell.L = cell.diam = 20
        cell.insert("hh")
        pc.set_gid2node(k, pc.id())
        pc.cell(k, h.NetCon(cell(0.5)._ref_v, None, sec=cell))
    traces, spikes, gids = [], h.Vector(), h.Vector()
    for k, cell in enumerate(cells):
        drive = h.NetStim()
        drive.interval, drive.number, drive.start, drive.noise = 8, 1e9, 0, 1
        drive.noiseFromRandom123(k, 7, 7)
        for source in [*range(len(cells)), drive]:
            inhibits = source in (3, 4)
            parameters = {"g_max": 0.02 if source is drive else 4e-3, "mini_rate": 20, "N": 1 + k}
            kind = h.GabaABRelease if inhibits else h.AmpaNmdaRelease
            number = len(cells) if source is drive else source
            synapse = _set(kind(cell(0.5)), parameters, [number, k, 11])
            netcon = (
                h.NetCon(drive, synapse) if source is drive else pc.gid_connect(source, synapse)
            )
            netcon.weight[0], netcon.delay = 1, 1 + 0.3 * k
            keep += [synapse, netcon, drive]
        traces += [h.Vector().record(cell(0.5)._ref_v), h.Vector().record(synapse._ref_g_nmda)]
    for k in range(len(cells)):
        pc.spike_record(k, spikes, gids)
    if coreneuron:
        from neuron import coreneuron as engine

        engine.enable = True
    h.CVode().cache_efficient(True)
    h.dt, h.celsius = 0.025, 6.3
    pc.set_maxstep(1)
    h.finitialize(-65)
    pc.psolve(duration)
    ran = "libcorenrnmech" in Path("/proc/self/maps").read_text()
    order = np.lexsort((np.array(gids), np.array(spikes)))
    return {
        "spikes": np.array(spikes)[order].tolist(),
        "gids": np.array(gids)[order].tolist(),
        "traces": [list(trace) for trace in traces],
        "coreneuron": ran,
    }


def by_hand(library, folder, edges, keys, outer, slow, train, duration, calcium, stochastic):
    """Three cells, a train and one synapse per edge, straight from the tables of the model.

    Returns:
        Spike times per cell and somatic voltages.
    """
    from neuron import h

    from pipeline.cells.biophysical import build_cell
    from pipeline.cells.description import cell_from_json
    from pipeline.cells.morphology import read_morphology

    assert h.nrn_load_dll(library)
    h.load_file("stdrun.hoc")
    stored = json.loads((Path(folder) / "emodels" / "hh.json").read_text())
    shape = read_morphology(Path(folder) / "morphologies" / "a.swc", "keep")
    cells = [build_cell(cell_from_json(stored, shape), name) for name in "abc"]
    keep, events = [], []
    for population, table in edges.items():
        for number, row in enumerate(
            dict(zip(table, r, strict=True)) for r in zip(*table.values(), strict=True)
        ):
            source, target = row["source_node_id"], row["target_node_id"]
            inhibits = row["edge_type_id"] == 1
            sec = cells[target].all[row["afferent_section_id"]]
            synapse = (h.GabaABRelease if inhibits else h.AmpaNmdaRelease)(
                sec(row["afferent_section_pos"])
            )
            for key, value in (slow if inhibits else {}).items():
                setattr(synapse, key, value)
            half = row["u_hill_coefficient"] ** 4
            hill = calcium**4 / (half + calcium**4) / (16 / (half + 16)) if half else 1.0
            synapse.U = min(1.0, row["u_syn"] * hill)
            synapse.D, synapse.F = row["depression_time"], row["facilitation_time"]
            synapse.N, synapse.g_max = row["n_rrp_vesicles"], 1e-3 * row["conductance"]
            setattr(synapse, "tau_d_gabaa" if inhibits else "tau_d_ampa", row["decay_time"])
            ratio = "gabab_ratio" if inhibits else "nmda_ratio"
            setattr(synapse, ratio, row["conductance_scale_factor"])
            synapse.stochastic = stochastic
            synapse.release_stream.set_ids(number, target, keys[population][0])
            if population == outer:
                netcon = h.NetCon(None, synapse)
                events += [(netcon, time + row["delay"]) for time in train]
            else:
                soma = cells[source].soma[0]
                netcon = h.NetCon(soma(0.5)._ref_v, synapse, sec=soma)
                netcon.threshold = -20
            netcon.delay, netcon.weight[0] = row["delay"], 1
            keep += [synapse, netcon]
    spikes = [h.Vector() for _ in cells]
    for cell, vector in zip(cells, spikes, strict=True):
        watch = h.NetCon(cell.soma[0](0.5)._ref_v, None, sec=cell.soma[0])
        watch.threshold = -20
        watch.record(vector)
        keep.append(watch)
    traces = [h.Vector().record(cell.soma[0](0.5)._ref_v) for cell in cells]
    handler = h.FInitializeHandler(lambda: [netcon.event(time) for netcon, time in events])
    h.dt, h.steps_per_ms, h.celsius = 0.1, 10, 6.3
    pc = h.ParallelContext()
    pc.set_maxstep(10)
    h.finitialize(-65)
    pc.psolve(duration)
    del handler
    return {"traces": [list(trace) for trace in traces], "spikes": [list(v) for v in spikes]}


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    result = globals()[sys.argv[1]](**json.loads((folder / "in.json").read_text()))
    (folder / "out.json").write_text(json.dumps(result))
