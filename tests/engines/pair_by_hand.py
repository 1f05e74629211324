"""The pair of ``two_cells`` built by hand in NEURON on one rank; argument: folder of ``in.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
import two_cells as pair  # noqa: E402


def run(library: str, dt: float) -> list[list[float]]:
    """Returns the voltages of both cells at every step, the start included."""
    from neuron import h

    assert h.nrn_load_dll(library)
    h.load_file("stdrun.hoc")
    pc = h.ParallelContext()
    a, b = h.Section(name="a"), h.Section(name="b")
    for number, sec in enumerate((a, b)):
        sec.L, sec.diam, sec.nseg = pair.SIDE, pair.SIDE, 1
        sec.Ra, sec.cm = pair.RA, pair.CM
        sec.insert("pas")
        sec.g_pas, sec.e_pas = pair.G_PAS, pair.E_PAS
        pc.source_var(sec(0.5)._ref_v, number, sec=sec)
    synapse = h.GradedSyn(b(0.5))
    synapse.w, synapse.g, synapse.E = pair.WEIGHT, pair.G, pair.E
    synapse.k, synapse.vth, synapse.delta = pair.K, pair.VTH, pair.DELTA
    pc.target_var(synapse, synapse._ref_vpre, 0)
    halves = [h.GapHalf(sec(0.5)) for sec in (a, b)]
    for half, other in zip(halves, (1, 0), strict=True):
        half.g = pair.GAP
        pc.target_var(half, half._ref_vgap, other)
    pc.setup_transfer()
    clamp = h.IClamp(a(0.5))
    clamp.delay, clamp.dur, clamp.amp = pair.START, pair.STOP - pair.START, pair.CURRENT
    traces = [h.Vector().record(sec(0.5)._ref_v) for sec in (a, b)]
    h.dt, h.steps_per_ms = dt, 1 / dt
    pc.set_maxstep(10)
    h.finitialize(pair.V_INIT)
    pc.psolve(pair.DURATION)
    return [list(trace) for trace in traces]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "out.json").write_text(
        json.dumps(run(**json.loads((folder / "in.json").read_text())))
    )
