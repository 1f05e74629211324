"""Small NEURON models, each run by the tests as ``python worm_runs.py FUNCTION FOLDER``."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from pipeline import mechanisms

GBAR = 1e-3


def _neuron(sets: list[str], cache: str, coreneuron: bool = False):
    mechanisms.load(mechanisms.compile_sets(sets, cache, coreneuron=coreneuron))
    from neuron import h

    return h


def _clamped(h, name: str | None):
    """Returns a section (10 um sphere-like) and a stiff clamp; GBAR in S/cm2."""
    soma = h.Section(name="soma")
    soma.L = soma.diam = 10
    if name:
        soma.insert(name)
        if name != "cadyn":
            setattr(soma(0.5), f"gbar_{name}", GBAR)
    clamp = h.SEClamp(soma(0.5))
    clamp.rs, clamp.dur1 = 1e-8, 1e12
    return soma, clamp


def clamp_channel(sets, cache, name, gates, pairs, steps, override=None):
    """Steps the voltage of one channel.

    Args:
        gates: States to read.
        pairs: (hold, step) voltages in mV.
        steps: Lengths of the time steps in ms; a list of (dt, count between two readings).
        override: Global parameters of the mechanism to change first.

    Returns:
        One dict per pair: gate names and ``i`` (mA/cm2 divided by GBAR) per reading.
    """
    h = _neuron(sets, cache)
    soma, clamp = _clamped(h, name)
    for key, value in (override or {}).items():
        setattr(h, key, value)
    results = []
    for hold, step in pairs:
        clamp.amp1 = hold
        h.finitialize(hold)
        clamp.amp1 = step
        trace = {key: [] for key in [*gates, "i"]}
        for dt, count in steps:
            h.dt = dt
            for _ in range(count):
                h.fadvance()
            h.fcurrent()
            for gate in gates:
                trace[gate].append(getattr(soma(0.5), f"{gate}_{name}"))
            trace["i"].append(getattr(soma(0.5), f"i_{name}") / GBAR)
        results.append(trace)
    return results


def parameters(sets, cache, name):
    """Returns the global parameters of a mechanism by their names in hoc."""
    h = _neuron(sets, cache)
    listing = h.MechanismStandard(name, -1)  # by the end of the name: slo1_egl19 is in egl19's
    text, found = h.ref(""), {}
    for index in range(int(listing.count())):
        listing.name(text, index)
        if name.startswith("slo") or "_slo" not in text[0]:
            found[text[0]] = getattr(h, text[0])
    return found


def mutations(sets, cache, name, gates, pairs, steps, keys, factor):
    """Runs ``clamp_channel`` once per key with that one parameter multiplied by ``factor``."""
    h = _neuron(sets, cache)
    results = {}
    for key in keys:
        value = getattr(h, key)
        changed = {key: value * factor}
        results[key] = clamp_channel(sets, cache, name, gates, pairs, steps, changed)
        setattr(h, key, value)
    return results


def extreme_voltages(sets, cache, names, voltages):
    """Returns every non-finite (name, voltage, variable) after a start and a step at a voltage."""
    h = _neuron(sets, cache)
    bad = []
    for name in names:
        described = mechanisms.describe_set(sets[0])[name]
        soma, clamp = _clamped(h, name)
        for voltage in voltages:
            clamp.amp1 = voltage
            h.dt = 0.025
            h.finitialize(voltage)
            h.fadvance()
            h.fcurrent()
            for variable in described.ranges:
                if not math.isfinite(getattr(soma(0.5), f"{variable}_{name}")):
                    bad.append((name, voltage, variable))
        del soma, clamp
    return bad


def calcium(sets, cache, protocol, dt, gbar):
    """Drives the pool with EGL-19 under clamp and reads KCNL.

    Args:
        protocol: (voltage in mV, duration in ms) pieces; the first also sets the start.
        dt: ms.
        gbar: S/cm2 of EGL-19.

    Returns:
        t (ms), V (mV), ica (mA/cm2), cai (mM), m and i of kcnl (per GBAR) after each step; ica is
        what the pool uses in the following step.
    """
    h = _neuron(sets, cache)
    soma, clamp = _clamped(h, "kcnl")
    soma.insert("cadyn")
    soma.insert("egl19")
    segment = soma(0.5)
    segment.egl19.gbar = gbar
    clamp.amp1 = protocol[0][0]
    h.dt = dt
    h.finitialize(protocol[0][0])
    rows = []

    def read(time):
        h.fcurrent()
        kcnl = segment.kcnl
        rows.append([time, segment.v, segment.ica, segment.cai, kcnl.m, kcnl.i / GBAR])

    read(0.0)
    for voltage, duration in protocol:
        clamp.amp1 = voltage
        for _ in range(round(duration / dt)):
            h.fadvance()
            read(len(rows) * dt)
    return rows


def graded_synapse(sets, cache, settings, pre, steps, post):
    """Steps vpre of a graded synapse on a clamped cell; returns s and i (nA) per time step."""
    h = _neuron(sets, cache)
    soma, clamp = _clamped(h, None)
    synapse = h.GradedSyn(soma(0.5))
    for key, value in settings.items():
        setattr(synapse, key, value)
    clamp.amp1 = post
    synapse.vpre = pre[0]
    h.finitialize(post)
    trace = {"s": [synapse.s], "i": [synapse.i]}
    for voltage in pre[1:]:
        synapse.vpre = voltage
        for dt in steps:
            h.dt = dt
            h.fadvance()
            h.fcurrent()
            trace["s"].append(synapse.s)
            trace["i"].append(synapse.i)
    return trace


def coupled_pair(sets, cache, forward, backward, inject):
    """Couples two passive cells by half junctions through a transfer; returns the steady state.

    Args:
        forward: uS. Conductance of the half on cell 1 (sees cell 0).
        backward: uS. Conductance of the half on cell 0.
        inject: nA into cell 0.
    """
    h = _neuron(sets, cache)
    context = h.ParallelContext()
    cells = [h.Section(name=f"cell{i}") for i in range(2)]
    for index, cell in enumerate(cells):
        cell.L = cell.diam = 10
        cell.insert("pas")
        cell(0.5).pas.g, cell(0.5).pas.e = 1e-3, -60
        context.source_var(cell(0.5)._ref_v, index, sec=cell)
    halves = [h.GapHalf(cell(0.5)) for cell in cells]
    for index, (half, g) in enumerate(zip(halves, (backward, forward), strict=True)):
        half.g = g
        context.target_var(half, half._ref_vgap, 1 - index)
    stimulus = h.IClamp(cells[0](0.5))
    stimulus.delay, stimulus.dur, stimulus.amp = 0, 1e9, inject
    context.setup_transfer()
    context.set_maxstep(1)
    h.dt = 0.025
    h.finitialize(-60)
    context.psolve(100)
    h.fcurrent()
    leak = 1e-3 * cells[0](0.5).area() * 1e-2  # uS
    return {"v": [c(0.5).v for c in cells], "i": [half.i for half in halves], "leak": leak}


def network(sets, cache, coreneuron, duration):
    """Runs two cells with all channels, graded synapses and a junction.

    Returns:
        t (ms), v (mV, one list per cell), and whether CoreNEURON's library was opened.
    """
    h = _neuron(sets, cache, coreneuron=True)
    names = [n for n, m in mechanisms.describe_set(sets[0]).items() if m.kind == "density"]
    context = h.ParallelContext()
    cells = [h.Section(name=f"cell{i}") for i in range(2)]
    keep = []
    for index, cell in enumerate(cells):
        cell.L = cell.diam = 10
        for name in [*names, "pas"]:
            cell.insert(name)
            if name not in ("cadyn", "pas"):
                setattr(cell(0.5), f"gbar_{name}", 2e-4 * (1 + index))
        cell(0.5).pas.g, cell(0.5).pas.e = 5e-5, -60
        context.set_gid2node(index, context.id())
        context.cell(index, h.NetCon(cell(0.5)._ref_v, None, sec=cell))
        context.source_var(cell(0.5)._ref_v, index, sec=cell)
    for index, cell in enumerate(cells):
        synapse, half = h.GradedSyn(cell(0.5)), h.GapHalf(cell(0.5))
        half.g = 1e-5
        context.target_var(synapse, synapse._ref_vpre, 1 - index)
        context.target_var(half, half._ref_vgap, 1 - index)
        stimulus = h.IClamp(cell(0.5))
        stimulus.delay, stimulus.dur, stimulus.amp = 20, 60, 0.01 * (1 + index)
        keep += [synapse, half, stimulus]
    context.setup_transfer()
    traces = [h.Vector().record(cell(0.5)._ref_v) for cell in cells]
    time = h.Vector().record(h._ref_t)
    h.dt = 0.025
    h.CVode().cache_efficient(True)
    context.set_maxstep(1)
    if coreneuron:
        from neuron import coreneuron as engine

        engine.enable = True
    h.finitialize(-65)
    context.psolve(duration)
    mapped = Path("/proc/self/maps").read_text()  # CoreNEURON's part is opened when it runs
    ran = "libcorenrnmech" in mapped
    return {"t": list(time), "v": [list(trace) for trace in traces], "coreneuron": ran}


def builtins():
    """Returns the mechanism names of a NEURON that loaded nothing."""
    from neuron import h

    found = []
    for kind in (0, 1):
        types = h.MechanismType(kind)
        text = h.ref("")
        for index in range(int(types.count())):
            types.select(index)
            types.selected(text)
            found.append(text[0])
    return found


def load_two(sets, other, cache):
    """Loads a library twice, then another one; returns the error of the latter."""
    from pipeline.errors import MechanismError

    library = mechanisms.compile_sets(sets, cache)
    mechanisms.load(library)
    mechanisms.load(library)
    try:
        mechanisms.load(mechanisms.compile_sets(other, cache))
    except MechanismError as error:
        return str(error)
    return None


def compile_only(sets, cache, coreneuron=False):
    """Compiles and returns the seconds and the library's path."""
    library = mechanisms.compile_sets(sets, cache, coreneuron=coreneuron)
    return {"seconds": library.seconds, "path": str(library.path)}


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    value = globals()[sys.argv[1]](**json.loads((folder / "in.json").read_text()))
    (folder / "out.json").write_text(json.dumps(value))
