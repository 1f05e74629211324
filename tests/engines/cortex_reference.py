"""The currents of mechanisms/cortex in NumPy, from the papers' equations; closed at constant voltage.

Written in the papers' own form (shifted voltages, L helper of Markram et al.), not that of the files.
"""

from __future__ import annotations

import numpy as np
from allen_reference import boltzmann, linoid

EREV = {"k": -107.0, "na": 53.0, "ca": 120.0}
OWN_REVERSAL = {"Ih": -45.0, "KdShu2007": -100.0}
FARADAY = 96485.33212331
Q = 2.3**1.3  # 34 degC, whatever the simulation's temperature


def _gate(a, b, q=1.0):
    return a / (a + b), 1 / ((a + b) * q)


def _sodium(m_half, h_half, m_slope=6.0):
    def gates(v, _):
        m = _gate(0.182 * linoid(m_half - v, m_slope), 0.124 * linoid(v - m_half, m_slope), Q)
        return {"m": m, "h": _gate(0.015 * linoid(v - h_half, 6), 0.015 * linoid(h_half - v, 6), Q)}

    return gates


def _nap(v, _):
    am, bm = 0.182 * linoid(-38 - v, 6), 0.124 * linoid(v + 38, 6)
    h = _gate(2.88e-6 * linoid(v + 17, 4.63), 6.94e-6 * linoid(-64.4 - v, 2.63), Q)
    return {
        "m": (boltzmann(v, -52.6, 4.6), 6 / ((am + bm) * Q)),
        "h": (boltzmann(v, -48.8, -10), h[1]),
    }


def _k_t(v, _):
    w = v + 10
    m = boltzmann(w, 0, 19), (0.34 + 0.92 * np.exp(-(((w + 71) / 59) ** 2))) / Q
    return {"m": m, "h": (boltzmann(w, -66, -10), (8 + 49 * np.exp(-(((w + 73) / 23) ** 2))) / Q)}


def _k_p(v, _):
    w = v + 10
    low, high = 1.25 + 175.03 * np.exp(0.026 * w), 1.25 + 13 * np.exp(-0.026 * w)
    h = 360 + (1010 + 24 * (w + 55)) * np.exp(-(((w + 75) / 48) ** 2))
    return {
        "m": (boltzmann(w, -1, 12), np.where(w < -50, low, high) / Q),
        "h": (boltzmann(w, -54, -11), h / Q),
    }


def _kv2(v, celsius):
    q = 2.3 ** ((celsius - 21) / 10)
    minf, mtau = _gate(0.12 * linoid(43 - v, 11), 0.02 * np.exp(-(v + 1.27) / 120), q)
    first = (360 + (1010 + 23.7 * (v + 54)) * np.exp(-(((v + 75) / 48) ** 2))) / q
    second = (2350 + 1380 * np.exp(-0.011 * v) - 210 * np.exp(-0.03 * v)) / q
    hinf = boltzmann(v, -58, -11)
    return {"m": (minf, 2.5 * mtau), "h1": (hinf, first), "h2": (hinf, np.maximum(second, 1.0))}


def _ca(shift):
    def gates(v, _):
        w = v + shift
        m = _gate(0.055 * linoid(-27 - v, 3.8), 0.94 * np.exp((-75 - v) / 17))
        h = _gate(0.000457 * np.exp((-13 - w) / 50), 0.0065 / (np.exp((-15 - w) / 28) + 1))
        return {"m": m, "h": h}

    return gates


def _ca_lva(v, _):
    w = v + 10
    m = boltzmann(w, -30, 6), (5 + 20 / (1 + np.exp((w + 25) / 5))) / Q
    return {"m": m, "h": (boltzmann(w, -80, -6.4), (20 + 50 / (1 + np.exp((w + 40) / 7))) / Q)}


def _stochkv3(v, _):
    w = v + 10
    return {
        "l": (boltzmann(w, -30, 10), 0.346 * np.exp(-w / 18.272) + 2.09),
        "n": (1 / (1 + np.exp(0.0878 * (w + 55.1))), 2.1 * np.exp(-w / 21.2) + 4.627),
    }


def tadj(celsius):
    """Temperature factor of StochKv, on rates and conductance."""
    return 2.3 ** ((celsius - 23) / 10)


def stochkv(v, celsius):
    """Gate of StochKv."""
    return {"n": _gate(0.02 * linoid(-40 - v, 9), 0.002 * linoid(v + 40, 9), tadj(celsius))}


def _m3h(g, _):
    return g["m"] ** 3 * g["h"]


def _m2h(g, _):
    return g["m"] ** 2 * g["h"]


def _m(g, _):
    return g["m"]


CHANNELS = {
    "NaTs2_t": (_sodium(-32, -60), "na", "gNaTs2_tbar", _m3h),
    "NaTa_t": (_sodium(-38, -66), "na", "gNaTa_tbar", _m3h),
    "NaTg": (_sodium(-38, -66), "na", "gNaTgbar", _m3h),
    "Nap_Et2": (_nap, "na", "gNap_Et2bar", _m3h),
    "K_Tst": (_k_t, "k", "gK_Tstbar", lambda g, _: g["m"] ** 4 * g["h"]),
    "K_Pst": (_k_p, "k", "gK_Pstbar", _m2h),
    "SKv3_1": (
        lambda v, _: {"m": (boltzmann(v, 18.7, 9.7), 4 * boltzmann(v, -46.56, 44.14))},
        "k",
        "gSKv3_1bar",
        _m,
    ),
    "KdShu2007": (
        lambda v, _: {"m": (boltzmann(v, -43, 8), 0.6), "h": (boltzmann(v, -67, -7.3), 1500.0)},
        "k",
        "gkbar",
        lambda g, _: g["m"] * g["h"],
    ),
    "Kv2": (_kv2, "k", "gKv2bar", lambda g, _: g["m"] ** 2 * (g["h1"] + g["h2"]) / 2),
    "Im": (
        lambda v, _: {"m": _gate(*(0.0033 * np.exp(s * 0.1 * (v + 35)) for s in (1, -1)), Q)},
        "k",
        "gImbar",
        _m,
    ),
    "Ca": (_ca(0), "ca", "gCabar", _m2h),
    "Ca_HVA": (_ca(0), "ca", "gCa_HVAbar", _m2h),
    "Ca_HVA2": (_ca(12.3), "ca", "gCa_HVAbar", _m2h),
    "Ca_LVAst": (_ca_lva, "ca", "gCa_LVAstbar", _m2h),
    "Ih": (
        lambda v, _: {"m": _gate(0.00643 * linoid(v + 154.9, 11.9), 0.193 * np.exp(v / 33.1))},
        None,
        "gIhbar",
        _m,
    ),
    "StochKv": (stochkv, "k", "gkbar", lambda g, celsius: g["n"] * tadj(celsius)),
    "StochKv3": (_stochkv3, "k", "gkbar", lambda g, _: g["l"] * g["n"]),
}
"""Name: gates (steady state, time constant), ion, conductance parameter, open share."""

SITES = {"soma": (13.0, 15.0, 7.0), "axon": (0.0, 10.0, 9.0), "apical": (6.0, 6.0, 6.0)}
"""NaTg's vshiftm, vshifth (mV) and slopem (mV) where Reva et al. 2023 put it."""


def clamp(name, celsius, hold, step, times, gates=None):
    """Gates and current per unit of conductance after a step, at ``times`` (ms)."""
    own, ion, _, share = CHANNELS[name]
    gates = gates or own
    start, end = gates(hold, celsius), gates(step, celsius)
    values = {
        gate: end[gate][0] + (start[gate][0] - end[gate][0]) * np.exp(-times / end[gate][1])
        for gate in end
    }
    reversal = OWN_REVERSAL.get(name, EREV.get(ion))
    return values | {"i": share(values, celsius) * (step - reversal)}


def natg(site):
    """Gates of NaTg at a site of SITES."""
    vshiftm, vshifth, slopem = SITES[site]
    return _sodium(-38 + vshiftm, -66 + vshifth, slopem)


def open_share(name, calcium, v):
    """Steady state of SK_E2 and BK; ``calcium`` in mM."""
    if name == "SK_E2":
        return 1 / (1 + (0.00043 / calcium) ** 4.8)
    near = 100 * calcium
    half = -46.08 + (155.67 + 46.08) / (1 + (0.002 / near) ** -0.94208)
    return 1 / (1 + 0.002 / near) / (1 + np.exp((half - v) / 17))


def relax(targets, steps):
    """A gate of 1 ms that starts at the first target and follows the others."""
    gate, trace = targets[0], []
    for goal in targets[1:]:
        for dt in steps:
            gate = goal + (gate - goal) * np.exp(-dt)
            trace.append(gate)
    return np.array(trace)


def pool(ica, dt, gamma, decay, rest, depth):
    """Calcium (mM) of a pool: ``ica`` [n] (mA/cm2) held over each step of ``dt`` (ms)."""
    cai, trace = rest, []
    for current in ica:
        goal = rest - decay * 1e4 * gamma * current / (2 * FARADAY * depth)
        cai = goal + (cai - goal) * np.exp(-dt / decay)
        trace.append(cai)
    return np.array(trace)
