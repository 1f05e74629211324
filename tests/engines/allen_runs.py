"""NEURON side of the tests of the perisomatic mechanisms: ``python allen_runs.py FUNCTION FOLDER``."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from pipeline import mechanisms

EREV = {"k": -107.0, "na": 53.0, "ca": 120.0}
GBAR = 1e-3


def _neuron(sets, cache, coreneuron=False):
    mechanisms.load(mechanisms.compile_sets(sets, cache, coreneuron=coreneuron))
    from neuron import h

    h.load_file("stdrun.hoc")
    return h


def _clamped(h, *names):
    soma = h.Section(name="soma")
    soma.L = soma.diam = 10
    for name in names:
        soma.insert(name)
        if name != "CaDynamics":
            setattr(soma(0.5), f"gbar_{name}", GBAR)
    for ion, value in EREV.items():
        if hasattr(soma(0.5), f"e{ion}"):
            setattr(soma, f"e{ion}", value)
    clamp = h.SEClamp(soma(0.5))
    clamp.rs, clamp.dur1 = 1e-9, 1e12
    return soma, clamp


def clamps(sets, cache, coreneuron, channels, pairs, steps, temperatures, override=None):
    """Steps of voltage; returns {name: {celsius: [one dict of traces per pair]}}.

    Args:
        channels: {name: [variables to read; the last one is the current]}.
        pairs: (hold, step), mV.
        steps: (dt, count) between two readings, ms.
        temperatures: degC.
        override: Global parameters to change first.
    """
    h = _neuron(sets, cache, coreneuron)
    for key, value in (override or {}).items():
        setattr(h, key, value)
    return {
        name: {
            str(celsius): [_step(h, name, names, celsius, *pair, steps) for pair in pairs]
            for celsius in temperatures
        }
        for name, names in channels.items()
    }


def _step(h, name, names, celsius, hold, step, steps):
    soma, clamp = _clamped(h, name)
    h.celsius = celsius
    clamp.amp1 = hold
    h.finitialize(hold)
    clamp.amp1 = step
    trace = {key: [] for key in [*names[:-1], "i"]}
    for dt, count in steps:
        h.dt = dt
        for _ in range(count):
            h.fadvance()
        h.fcurrent()
        mechanism = getattr(soma(0.5), name)
        for key in names[:-1]:
            trace[key].append(getattr(mechanism, key))
        whole = mechanism if names[-1] == "ihcn" else soma(0.5)  # the ion's current, alone here
        trace["i"].append(getattr(whole, names[-1]) / GBAR)
    return trace


def parameters(sets, cache, coreneuron, names):
    """Returns the global parameters of each mechanism."""
    h = _neuron(sets, cache, coreneuron)
    found = {}
    for name in names:
        listing, text = h.MechanismStandard(name, -1), h.ref("")
        found[name] = []
        for index in range(int(listing.count())):
            listing.name(text, index)
            found[name].append(text[0])
    return found


def mutations(sets, cache, coreneuron, channels, keys, factor, **arguments):
    """``clamps`` once per global parameter with it multiplied by ``factor``."""
    h = _neuron(sets, cache, coreneuron)
    results = {}
    for name, listed in keys.items():
        for key in listed:
            value = getattr(h, key)
            one = {name: channels[name]}
            changed = clamps(
                sets, cache, coreneuron, one, override={key: value * factor}, **arguments
            )
            results[key] = changed[name]
            setattr(h, key, value)
    return results


def calcium_steps(sets, cache, coreneuron, levels, steps, voltage):
    """SK in voltage clamp while calcium jumps; returns the gate and the current per conductance."""
    h = _neuron(sets, cache, coreneuron)
    soma, clamp = _clamped(h, "SK")
    clamp.amp1 = voltage
    soma(0.5).cai = levels[0]
    h.finitialize(voltage)
    gate, current = [], []
    for level in levels[1:]:
        soma(0.5).cai = level
        for dt in steps:
            h.dt = dt
            h.fadvance()
            h.fcurrent()
            gate.append(soma(0.5).SK.z)
            current.append(soma(0.5).SK.ik / GBAR)
    return {"z": gate, "i": current}


def pool(sets, cache, coreneuron, protocol, dt, gamma, decay):
    """A calcium current fills the shell; returns ica and cai before and after every step."""
    h = _neuron(sets, cache, coreneuron)
    soma, clamp = _clamped(h, "Ca_HVA", "CaDynamics")
    soma(0.5).CaDynamics.gamma, soma(0.5).CaDynamics.decay = gamma, decay
    h.celsius, h.dt = 34.0, dt
    clamp.amp1 = protocol[0][0]
    h.finitialize(protocol[0][0])
    ica, cai = [], []
    for voltage, duration in protocol:
        clamp.amp1 = voltage
        for _ in range(round(duration / dt)):
            h.fadvance()
            ica.append(soma(0.5).ica)
            cai.append(soma(0.5).cai)
    return {"ica": ica, "cai": cai}


def extreme_voltages(sets, cache, coreneuron, channels, voltages):
    """Returns every non-finite (name, voltage, variable) after a start and a step."""
    h = _neuron(sets, cache, coreneuron)
    bad = []
    for name, names in channels.items():
        for voltage in voltages:
            trace = _step(h, name, names, 34.0, voltage, voltage, [(0.025, 1)])
            bad += [(name, voltage, k) for k, x in trace.items() if not math.isfinite(x[0])]
    return bad


if __name__ == "__main__":
    function, folder = sys.argv[1], Path(sys.argv[2])
    arguments = json.loads((folder / "in.json").read_text())
    (folder / "out.json").write_text(json.dumps(globals()[function](**arguments)))
