"""The currents of the perisomatic models in NumPy, written from the papers' equations.

Independent of the ``.mod`` files: closed solutions at constant voltage, and for the sodium current of
twelve states the implicit Euler steps that NEURON takes. The papers are named in mechanisms/allen.
"""

from __future__ import annotations

import numpy as np

EREV = {"k": -107.0, "na": 53.0, "ca": 120.0}


def linoid(x, k):
    """x / (exp(x / k) - 1), and k at 0."""
    z = np.asarray(x, float) / k
    safe = np.where(np.abs(z) < 1e-9, 1.0, z)
    return k * np.where(np.abs(z) < 1e-9, 1 - z / 2, safe / np.expm1(safe))


def boltzmann(v, half, slope):
    return 1 / (1 + np.exp(-(v - half) / slope))


def _rates(a, b, q=1.0, extra=0.0):
    return a / (a + b), (extra + 1 / (a + b)) / q


def _q(celsius, base):
    return 2.3 ** ((celsius - base) / 10)


def ca_hva(v, _):
    m = _rates(0.055 * linoid(-27 - v, 3.8), 0.94 * np.exp((-75 - v) / 17))
    h = _rates(0.000457 * np.exp((-13 - v) / 50), 0.0065 / (np.exp((-v - 15) / 28) + 1))
    return {"m": m, "h": h}


def ca_lva(v, celsius):
    q = _q(celsius, 21)
    m = boltzmann(v, -40, 6), (5 + 20 * boltzmann(v, -35, -5)) / q
    return {"m": m, "h": (boltzmann(v, -90, -6.4), (20 + 50 * boltzmann(v, -50, -7)) / q)}


def ih(v, _):
    return {"m": _rates(0.001 * 6.43 * linoid(v + 154.9, 11.9), 0.001 * 193 * np.exp(v / 33.1))}


def im(v, celsius):
    a, b = (3.3e-3 * np.exp(sign * 2.5 * 0.04 * (v + 35)) for sign in (1, -1))
    return {"m": _rates(a, b, _q(celsius, 21))}


def im_v2(v, celsius):
    a = 0.007 * np.exp(6 * 0.4 * (v + 48) / 26.12)
    b = 0.007 * np.exp(-6 * 0.6 * (v + 48) / 26.12)
    return {"m": _rates(a, b, _q(celsius, 30), 15.0)}


def k_p(v, celsius):
    q = _q(celsius, 21)
    low, high = 1.25 + 175.03 * np.exp(0.026 * v), 1.25 + 13 * np.exp(-0.026 * v)
    h = 360 + (1010 + 24 * (v + 55)) * np.exp(-(((v + 75) / 48) ** 2))
    m = boltzmann(v, -14.3, 14.6), np.where(v < -50, low, high) / q
    return {"m": m, "h": (boltzmann(v, -54, -11), h / q)}


def k_t(v, celsius):
    q = _q(celsius, 21)
    m = boltzmann(v, -47, 29), (0.34 + 0.92 * np.exp(-(((v + 71) / 59) ** 2))) / q
    return {"m": m, "h": (boltzmann(v, -66, -10), (8 + 49 * np.exp(-(((v + 73) / 23) ** 2))) / q)}


def kd(v, _):
    return {"m": (boltzmann(v, -43, 8), 1.0), "h": (boltzmann(v, -67, -7.3), 1500.0)}


def kv2like(v, celsius):
    q = _q(celsius, 21)
    minf, mtau = _rates(0.12 * linoid(43 - v, 11), 0.02 * np.exp(-(v + 1.27) / 120), q)
    hinf = boltzmann(v, -58, -11)
    first = (360 + (1010 + 23.7 * (v + 54)) * np.exp(-(((v + 75) / 48) ** 2))) / q
    second = (2350 + 1380 * np.exp(-0.011 * v) - 210 * np.exp(-0.03 * v)) / q
    return {"m": (minf, 2.5 * mtau), "h1": (hinf, first), "h2": (hinf, np.maximum(second, 1.0))}


def kv3_1(v, _):
    return {"m": (boltzmann(v, 18.7, 9.7), 0.2 * 20 * boltzmann(v, -46.56, 44.14))}


def _sodium(m_half, h_half):
    def gates(v, celsius):
        q = _q(celsius, 23)
        m = _rates(0.182 * linoid(m_half - v, 6), 0.124 * linoid(v - m_half, 6), q)
        h = _rates(0.015 * linoid(v - h_half, 6), 0.015 * linoid(h_half - v, 6), q)
        return {"m": m, "h": h}

    return gates


def nap(v, celsius):
    a, b = 2.88e-6 * linoid(v + 17, 4.63), 6.94e-6 * linoid(-64.4 - v, 2.63)
    return {"h": (boltzmann(v, -48.8, -10), 1 / ((a + b) * _q(celsius, 21)))}


CHANNELS = {
    "Ca_HVA": (ca_hva, "ca", "ica", lambda g, v: g["m"] ** 2 * g["h"]),
    "Ca_LVA": (ca_lva, "ca", "ica", lambda g, v: g["m"] ** 2 * g["h"]),
    "Ih": (ih, None, "ihcn", lambda g, v: g["m"]),
    "Im": (im, "k", "ik", lambda g, v: g["m"]),
    "Im_v2": (im_v2, "k", "ik", lambda g, v: g["m"]),
    "K_P": (k_p, "k", "ik", lambda g, v: g["m"] ** 2 * g["h"]),
    "K_T": (k_t, "k", "ik", lambda g, v: g["m"] ** 4 * g["h"]),
    "Kd": (kd, "k", "ik", lambda g, v: g["m"] * g["h"]),
    "Kv2like": (kv2like, "k", "ik", lambda g, v: g["m"] ** 2 * (g["h1"] + g["h2"]) / 2),
    "Kv3_1": (kv3_1, "k", "ik", lambda g, v: g["m"]),
    "NaTa": (_sodium(-48, -69), "na", "ina", lambda g, v: g["m"] ** 3 * g["h"]),
    "NaTs": (_sodium(-40, -66), "na", "ina", lambda g, v: g["m"] ** 3 * g["h"]),
    "Nap": (nap, "na", "ina", lambda g, v: boltzmann(v, -52.6, 4.6) * g["h"]),
}
"""Name: gates (steady state, time constant), ion, current, open share."""


def clamp(name, celsius, hold, step, times):
    """Gates and current per unit of conductance after a step, at ``times`` (ms)."""
    gates, ion, _, share = CHANNELS[name]
    start, end = gates(hold, celsius), gates(step, celsius)
    values = {
        gate: end[gate][0] + (start[gate][0] - end[gate][0]) * np.exp(-times / end[gate][1])
        for gate in end
    }
    reversal = EREV[ion] if ion else -45.0
    return values | {"i": share(values, step) * (step - reversal)}


NAV_STATES = ["C1", "C2", "C3", "C4", "C5", "O", "I1", "I2", "I3", "I4", "I5", "I6"]


def nav_matrix(v, celsius):
    """Generator of the twelve states: d(state)/dt = A state; Carter et al. 2012."""
    a, b, alfac, btfac = 400 * np.exp(v / 24), 12 * np.exp(-v / 24), 2.51, 5.32
    matrix = np.zeros((12, 12))

    def path(source, target, forth, back):
        for i, j, rate in ((source, target, forth), (target, source, back)):
            matrix[j, i] += rate
            matrix[i, i] -= rate

    for j in range(4):
        path(j, j + 1, (4 - j) * a, (j + 1) * b)
        path(6 + j, 7 + j, (4 - j) * a * alfac, (j + 1) * b / btfac)
    for j in range(5):
        path(j, 6 + j, 0.01 * alfac**j, 40 / btfac**j)
    path(4, 5, 250, 60)
    path(10, 11, 250, 60)
    path(5, 11, 8, 0.05)
    return 2.3 ** ((celsius - 37) / 10) * matrix


def nav_clamp(celsius, hold, step, steps):
    """States [readings, 12] after implicit Euler steps of the given lengths (ms)."""
    at_rest = nav_matrix(hold, celsius)
    at_rest[-1] = 1.0
    state = np.linalg.solve(at_rest, np.eye(12)[-1])
    matrix, states = nav_matrix(step, celsius), []
    for dt, count in steps:
        for _ in range(count):
            state = np.linalg.solve(np.eye(12) - dt * matrix, state)
        states.append(state)
    return np.array(states)


def sk_gate(levels, steps):
    """SK's gate for calcium levels (mM): it starts at rest at the first one."""
    target = [1 / (1 + (0.00043 / level) ** 4.8) for level in levels]
    gate, trace = target[0], []
    for goal in target[1:]:
        for dt in steps:
            gate = goal + (gate - goal) * np.exp(-dt)
            trace.append(gate)
    return np.array(trace)


def pool(ica, dt, gamma, decay):
    """Calcium (mM) of the shell: ``ica`` [n] (mA/cm2) held over each step of ``dt`` (ms)."""
    cai, trace = 1e-4, []
    for current in ica:
        goal = 1e-4 - decay * 1e4 * gamma * current / (2 * 96485.33212331 * 0.1)
        cai = goal + (cai - goal) * np.exp(-dt / decay)
        trace.append(cai)
    return np.array(trace)
