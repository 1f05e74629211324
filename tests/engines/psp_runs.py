"""One trial of a paired recording from start to end, run as ``python psp_runs.py FOLDER``."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

import numpy as np

from pipeline.psp import record as ours
from pipeline.simulation.neuron_cells import CellShelf
from pipeline.simulation.release_synapses import stream_keys
from pipeline.sonata.layout import CircuitPaths


def whole(job, number: int) -> np.ndarray:
    """The trial in one go: no state is kept, the clamp stands at the start of the same run."""
    h = ours._neuron(job.library)
    protocol = job.protocol
    cell = CellShelf(CircuitPaths(job.root), job.seed).build(
        job.population, job.node, job.morphology, job.parameters
    )
    soma, keep = cell.soma[0](0.5), []
    key = stream_keys(job.seed, f"{job.edges}/psp/{number}")[0]
    for row in job.synapses:
        section = cell.all[int(row["section"])]
        process = getattr(h, row["template"])(section(row["position"]))
        process.g_max, process.U, process.N = row["conductance"], row["U"], row["N"]
        process.D, process.F = row["D"], row["F"]
        inhibits = row["template"] == "GabaABRelease"
        setattr(process, "tau_d_gabaa" if inhibits else "tau_d_ampa", row["decay"])
        setattr(process, "gabab_ratio" if inhibits else "nmda_ratio", row["ratio"])
        process.release_stream.set_ids(int(row["edge_id"]), job.node, key)
        netcon = h.NetCon(None, process)
        netcon.weight[0] = 1
        keep.append((process, netcon, row["delay"]))
    clamp, current = h.SEClamp(soma), h.IClamp(soma)
    free = protocol.spike - ours.FREE
    clamp.rs, clamp.dur1, clamp.amp1 = ours.SERIES, free, protocol.hold
    current.delay, current.dur = free, 1e9
    h.celsius = protocol.celsius
    h.dt = ours.SETTLE_DT
    h.finitialize(protocol.hold)
    while h.t < free - 1.5 * h.dt:
        h.fadvance()
    current.amp = clamp.i
    h.dt = protocol.dt
    for _, netcon, delay in keep:
        netcon.event(protocol.spike + delay)
    trace = []
    while h.t < protocol.spike + protocol.after + 0.5 * h.dt:
        h.fadvance()
        trace.append((h.t, soma.v))
    times, values = np.array(trace).T
    frames = np.arange(round((ours.BEFORE + protocol.after) / protocol.every) + 1)
    return np.interp(frames * protocol.every + protocol.spike - ours.BEFORE, times, values)


def main(folder: Path) -> None:
    job = pickle.loads((folder / "job.pickle").read_bytes())
    h = ours._neuron(job.library)
    cell = CellShelf(CircuitPaths(job.root), job.seed).build(
        job.population, job.node, job.morphology, job.parameters
    )
    bench = ours._Bench(h, job, cell)
    held = bench.hold()
    silent, traces = bench.trials()
    whole_traces = [whole(job, number).tolist() for number in (0, 3)]
    has_hh = any("hh" in seg.__dict__ or hasattr(seg, "hh") for sec in cell.all for seg in sec)
    (folder / "out.json").write_text(
        json.dumps({"held": held, "silent": silent.tolist(), "traces": traces.tolist(),
                    "whole": whole_traces, "has_hh": has_hh})
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
