"""NEURON side of the tests of mechanisms/cortex: ``python cortex_runs.py FUNCTION FOLDER``."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np

from pipeline import mechanisms

EREV = {"k": -107.0, "na": 53.0, "ca": 120.0}
GBAR = 1e-3
CURRENT = {"k": "ik", "na": "ina", "ca": "ica"}


def _neuron(sets, cache):
    mechanisms.load(mechanisms.compile_sets(sets, cache, coreneuron=True))
    from neuron import h

    h.load_file("stdrun.hoc")
    return h


def _clamped(h, *names, diameter=10.0):
    soma = h.Section(name="soma")
    soma.L = soma.diam = diameter
    for name in names:
        soma.insert(name)
    for ion, value in EREV.items():
        if hasattr(soma(0.5), f"e{ion}"):
            setattr(soma, f"e{ion}", value)
    clamp = h.SEClamp(soma(0.5))
    clamp.rs, clamp.dur1 = 1e-9, 1e12
    return soma, clamp


def _clamps(h, channels, pairs, steps, temperatures):
    return {
        label: {
            str(celsius): [_step(h, one, celsius, *pair, steps) for pair in pairs]
            for celsius in temperatures
        }
        for label, one in channels.items()
    }


def _step(h, channel, celsius, hold, step, steps):
    soma, clamp = _clamped(h, channel["name"])
    mechanism = getattr(soma(0.5), channel["name"])
    for key, value in ({channel["gbar"]: GBAR} | channel.get("settings", {})).items():
        setattr(mechanism, key, value)
    h.celsius, clamp.amp1 = celsius, hold
    h.finitialize(hold)
    clamp.amp1 = step
    trace = {key: [] for key in [*channel["gates"], "i"]}
    for dt in steps:
        h.dt = dt
        h.fadvance()
        h.fcurrent()
        for key in channel["gates"]:
            trace[key].append(getattr(mechanism, key))
        ion = channel["ion"]
        current = getattr(soma(0.5), CURRENT[ion]) if ion else mechanism.ihcn
        trace["i"].append(current / GBAR)
    return trace


def clamps(sets, cache, **arguments):
    """Steps of voltage; returns {label: {celsius: [one dict of traces per pair]}}."""
    return _clamps(_neuron(sets, cache), **arguments)


def mutations(sets, cache, channels, factor, **arguments):
    """``clamps`` once per global parameter of a channel with it multiplied by ``factor``."""
    h = _neuron(sets, cache)
    results = {}
    for label, channel in channels.items():
        listing, text = h.MechanismStandard(channel["name"], -1), h.ref("")
        for index in range(int(listing.count())):
            listing.name(text, index)
            key, value = text[0], getattr(h, text[0])
            setattr(h, key, value * factor)
            results[key] = label, _clamps(h, {label: channel}, **arguments)[label]
            setattr(h, key, value)
    return results


def extreme_voltages(sets, cache, channels, voltages):
    """Returns every non-finite (label, voltage, variable) after a start and a step."""
    h = _neuron(sets, cache)
    return [
        (label, voltage, key)
        for label, channel in channels.items()
        for voltage in voltages
        for key, x in _step(h, channel, 34.0, voltage, voltage, [0.025]).items()
        if not math.isfinite(x[0])
    ]


def calcium_steps(sets, cache, name, gbar, gate, levels, voltages, steps):
    """A calcium-gated channel while calcium and voltage jump; returns gate and current."""
    h = _neuron(sets, cache)
    soma, clamp = _clamped(h, name)
    mechanism = getattr(soma(0.5), name)
    setattr(mechanism, gbar, GBAR)
    soma(0.5).cai, clamp.amp1 = levels[0], voltages[0]
    h.finitialize(voltages[0])
    trace = {"gate": [], "i": []}
    for level, voltage in zip(levels[1:], voltages[1:], strict=True):
        soma(0.5).cai, clamp.amp1 = level, voltage
        for dt in steps:
            h.dt = dt
            h.fadvance()
            h.fcurrent()
            trace["gate"].append(getattr(mechanism, gate))
            trace["i"].append(mechanism.ik / GBAR)
    return trace


def pool(sets, cache, name, diameter, gamma, decay, protocol, dt):
    """A calcium current fills a pool; returns ica and cai after every step."""
    h = _neuron(sets, cache)
    soma, clamp = _clamped(h, "Ca_HVA", name, diameter=diameter)
    soma(0.5).Ca_HVA.gCa_HVAbar = GBAR
    mechanism = getattr(soma(0.5), name)
    mechanism.gamma, mechanism.decay = gamma, decay
    h.celsius, h.dt, clamp.amp1 = 34.0, dt, protocol[0][0]
    h.finitialize(protocol[0][0])
    ica, cai = [], []
    for voltage, duration in protocol:
        clamp.amp1 = voltage
        for _ in range(round(duration / dt)):
            h.fadvance()
            ica.append(soma(0.5).ica)
            cai.append(soma(0.5).cai)
    return {"ica": ica, "cai": cai}


def open_counts(sets, cache, name, gbar, voltage, dt, duration, cells, gamma=30.0):
    """Open channels in voltage clamp: [cells, steps]; also N, and N for one segment by hand."""
    from pipeline.cells.noise import NoiseKey, key_channels

    h = _neuron(sets, cache)
    kept, records = [], []
    for cell in range(cells):
        soma, clamp = _clamped(h, name, diameter=15.0)
        mechanism = getattr(soma(0.5), name)
        mechanism.gkbar, mechanism.gamma, mechanism.deterministic = gbar, gamma, 0
        clamp.amp1 = voltage
        key_channels([soma], [name], NoiseKey(7, "test", cell))
        kept.append((soma, clamp, mechanism))
        records.append(h.Vector().record(mechanism._ref_N1))
    h.celsius, h.dt, h.steps_per_ms = 34.0, dt, 1 / dt
    h.finitialize(voltage)
    h.continuerun(duration)
    return {
        "open": [np.array(record).tolist() for record in records],
        "N": kept[0][2].N,
        "area": kept[0][0](0.5).area(),
        "gk": kept[0][2].gk,
    }


EMODEL = {
    "schema": 1,
    "name": "all",
    "source": "assumed: every mechanism somewhere, numbers near those of the 2015 cells",
    "passive": {
        "all": {"Ra": 100, "cm": 1, "g_pas": 3e-5, "e_pas": -75},
        "myelin": {"Ra": 100, "cm": 0.02, "g_pas": 3e-5, "e_pas": -75},
    },
    "distributions": {
        "ih": {
            "law": "exponential",
            "offset": -0.8696,
            "scale": 2.087,
            "rate": 0.0031,
            "source": "Kole et al. 2006",
        },
        "fade": {"law": "decay", "rate": 0.01, "source": "assumed"},
    },
    "mechanisms": {
        "soma": {
            "NaTs2_t": {"gNaTs2_tbar": 0.9},
            "SKv3_1": {"gSKv3_1bar": 0.3},
            "SK_E2": {"gSK_E2bar": 0.008},
            "BK": {"gBKbar": 0.001},
            "Ca_HVA": {"gCa_HVAbar": 0.001},
            "Ca_LVAst": {"gCa_LVAstbar": 0.0003},
            "CaDynamics_E2": {"gamma": 0.0006, "decay": 210},
            "StochKv": {"gkbar": 0.002, "deterministic": 0},
            "KdShu2007": {"gkbar": 0.0001},
            "Kv2": {"gKv2bar": 0.0001},
            "Ih": {"gIhbar": 8e-5},
        },
        "axon": {
            "NaTa_t": {"gNaTa_tbar": 3.0},
            "Nap_Et2": {"gNap_Et2bar": 0.006},
            "K_Pst": {"gK_Pstbar": 0.9},
            "K_Tst": {"gK_Tstbar": 0.09},
            "SKv3_1": {"gSKv3_1bar": 1.0},
            "Ca": {"gCabar": 0.0001},
            "CaDynamics_DC0": {},
        },
        "dend": {
            "Ih": {"gIhbar": {"value": 8e-5, "distribution": "ih"}},
            "NaTg": {"gNaTgbar": {"value": 0.02, "distribution": "fade"}, "vshiftm": 6},
            "Im": {"gImbar": 0.0001},
            "Ca_HVA2": {"gCa_HVAbar": 1e-5},
            "CaDynamics_DC0": {"gamma": 0.01},
            "StochKv3": {"gkbar": 0.001, "gamma": 30, "deterministic": 0},
        },
    },
    "reversal": {"all": {"ena": 50, "ek": -85}},
}


def _cells(h, ids, swc):
    from pipeline.cells.biophysical import build_cell
    from pipeline.cells.description import CellDescription
    from pipeline.cells.morphology import read_morphology
    from pipeline.cells.noise import NoiseKey
    from pipeline.config.emodel import EModel
    from pipeline.config.schema import OddLength

    shape = read_morphology(swc, "stub_myelin")
    rule = OddLength(rule="odd_length", length=40.0)
    description = CellDescription(shape, EModel.model_validate(EMODEL), rule)
    return {i: build_cell(description, f"c{i}", NoiseKey(1, "cells", i)) for i in ids}


def network(sets, cache, ids, swc, duration, coreneuron=False, mpi=False):
    """Stochastic cells under a step of current; returns voltages and spikes by cell id."""
    h = _neuron(sets, cache)
    if mpi:
        h.nrnmpi_init()
    pc = h.ParallelContext()
    cells = _cells(h, ids[int(pc.id()) :: int(pc.nhost())], swc)
    h.celsius, h.dt = 34.0, 0.025
    kept, records = [], {}
    for i, cell in cells.items():
        clamp = h.IClamp(cell.soma[0](0.5))
        clamp.delay, clamp.dur, clamp.amp = 5, 1e9, 1.0
        kept.append(clamp)
        records[i] = [
            h.Vector().record(cell.soma[0](0.5)._ref_v),
            h.Vector().record(cell.dend[0](0.5)._ref_v),
            h.Vector().record(cell.soma[0](0.5).StochKv._ref_N1),
        ]
    if coreneuron:
        from neuron import coreneuron as core

        h.cvode.cache_efficient(1)
        core.enable, core.verbose = True, 0
    pc.set_maxstep(10)
    h.finitialize(-75)
    pc.psolve(duration)
    found = {i: [np.array(x).tolist() for x in traces] for i, traces in records.items()}
    gathered = pc.py_gather(found, 0) if mpi else [found]
    if gathered is None:
        return None
    traces = {str(i): x for part in gathered for i, x in part.items()}
    return {"ranks": len(gathered), "cells": traces}


def densities(sets, cache, swc):
    """Distance by NEURON and densities of the distributed parameters in every dendritic segment."""
    h = _neuron(sets, cache)
    cell = _cells(h, [0], swc)[0]
    rows = []
    for sec in cell.dend:
        for seg in sec:
            away = h.distance(cell.soma[0](0), seg)
            rows.append([away, seg.Ih.gIhbar, seg.NaTg.gNaTgbar, seg.NaTg.vshiftm])
    myelin = cell.myelin[0]
    return {
        "rows": rows,
        "myelin": [myelin.L, myelin.diam, myelin.cm, myelin.nseg],
        "channels": [m.name() for m in myelin(0.5) if not m.is_ion()],
        "axon": [[sec.L, sec.diam] for sec in cell.axon],
    }


if __name__ == "__main__":
    function, folder = sys.argv[1], Path(sys.argv[2])
    arguments = json.loads((folder / "in.json").read_text())
    result = globals()[function](**arguments)
    if result is not None:  # only the first rank has the whole
        (folder / "out.json").write_text(json.dumps(result))
