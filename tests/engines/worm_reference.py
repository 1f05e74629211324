"""Worm channels in NumPy, typed from the published equations and independent of the NMODL files.

Gates are (steady state, time constant in ms) at a voltage in mV; under a voltage step each relaxes
as an exponential, which the tests compare with NEURON. Kinetics: Nicoletti et al. 2019, doi
10.1371/journal.pone.0218738; constants: Zhao et al. 2024, doi 10.1038/s43588-024-00738-w.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import expit as S

CONSTANTS: dict[str, dict[str, float]] = {
    "SHL-1": dict(
        E=-80, vhm=11.2, ka=14.1, vhh=-33.1, ki=8.3, atm=13.8, btm=-17.5, ctm=12.9, dtm=-3.7,
        etm=6.5, ftm=1.9, athf=539.2, bthf=-28.2, cthf=4.9, dthf=27.3, aths=8422.0, bths=-37.7,
        cths=6.4, dths=118.9, scale_tm=0.4, scale_thf=0.08, scale_ths=0.3, frac_fast=0.7,
        frac_slow=0.3,
    ),
    "SHK-1": dict(
        E=-80, vhm=20.4, ka=7.7, vhh=-7.0, ki=5.8, atm=26.6, btm=-33.7, ctm=15.8, dtm=-33.7,
        etm=15.4, ftm=2.0, th=1400,
    ),
    "KVS-1": dict(
        E=-80, vhm=57.1, ka=25.0, vhh=47.3, ki=11.1, atm=30.0, btm=18.1, ctm=20.0, dtm=1.0,
        ath=88.5, bth=50.0, cth=15.0, dth=53.4,
    ),
    "EGL-2": dict(E=-80, vhm=-6.9, ka=14.9, atm=1845.8, btm=-122.6, ctm=13.8, dtm=1517.74),
    "EGL-36": dict(
        E=-80, vhm=63.0, ka=28.5, tm_fast=13.0, tm_mid=63.0, tm_slow=355.0, w_fast=0.33,
        w_mid=0.36, w_slow=0.39,
    ),
    "KQT-3": dict(
        vhm=-12.6726, ka=15.8008, vhw=-1.084, kiw=28.78, aw=0.49, bw=0.51, vhs=-45.3, kis=12.3,
        a_s=0.34, b_s=0.66, atmf=395.3, btmf=38.1, ctmf=33.59, atms=5503.0, btms=-5345.4,
        ctms=0.02827, dtms=-23.9, etms=-4590.6, ftms=0.0357, gtms=14.15, atw=0.544, btw=29.2,
        ctw=-48.09, dtw=48.83, ts=500000, frac_fast=0.3, frac_slow=0.7,
    ),
    "IRK": dict(
        E=-80, vhm=-82, ka=13, atm=17.1, btm=-17.8, ctm=20.3, dtm=-43.4, etm=11.2, ftm=3.8
    ),
    "EGL-19": dict(
        E=60, vhm=5.6, ka=7.5, vhh=24.9, ki=12.0, vhhb=-20.5, kib=8.1, ahinf=1.43, bhinf=0.14,
        chinf=5.96, dhinf=0.6, atm=2.9, btm=5.2, ctm=6.0, dtm=1.9, etm=1.4, ftm=30.0, gtm=2.3,
        ath=0.4, bth=44.6, cth=-23.0, dth=5.0, eth=36.4, fth=28.7, gth=3.7, hth=43.1,
    ),
    "UNC-2": dict(
        E=60, vhm=-12.2, ka=4.0, vhh=-52.5, ki=5.6, atm=1.5, btm=-8.2, ctm=9.1, dtm=15.4, etm=0.1,
        ath=83.8, bth=52.9, cth=-3.5, dth=72.1, eth=23.9, fth=-3.6,
    ),
    "CCA-1": dict(
        E=60, vhm=-43.32, ka=7.6, vhh=-58.0, ki=7.0, atm=40.0, btm=-62.5, ctm=-12.6, dtm=0.7,
        ath=280, bth=-60.7, cth=8.5, dth=19.8,
    ),
    "SLO-1": dict(
        E=-80, wyx=0.013, wxy=-0.028, wom=3.15, wop=0.16, kxy=55.73, nxy=1.3, kyx=34.34,
        nyx=0.0001, cac=0.05,
    ),
    "SLO-2": dict(
        E=-80, wyx=0.019, wxy=-0.024, wom=0.9, wop=0.027, kxy=93.45, nxy=1.84, kyx=3294.55,
        nyx=1e-05, cac=0.05,
    ),
    "nanodomain_Ca": dict(
        gsc_nS=0.04, r_um=0.013, D_um2_per_s=250, kB_per_uM_s=500, Btot_uM=30,
        cain_above_60mV=0.0001,
    ),
    "KCNL": dict(E=-80, kca=0.33, tm=6.3),
    "NCA": dict(E=30),
    "Ca_pool": dict(f=0.001, vcell_um3=31.16, tau_ms=50, ca_eq_uM=0.05),
    "synapse_exc": dict(g_uS=0.00049, E=30, delta=5, k_per_ms=0.5, Vth=-20),
    "synapse_inh": dict(g_uS=0.0002, E=-70, delta=5, k_per_ms=0.015, Vth=-20),
}  # fmt: skip
KQT3_E = -80.0
FARADAY = 96485.0


class Get:
    """Attribute access to the constants of one mechanism."""

    def __init__(self, name: str):
        self.__dict__.update(CONSTANTS[name])


def shl1(V):
    p = Get("SHL-1")
    m = S((V - p.vhm) / p.ka)
    h = S(-(V - p.vhh) / p.ki)
    tm = p.atm / (np.exp(-(V - p.btm) / p.ctm) + np.exp((V - p.dtm) / p.etm)) + p.ftm
    tf = p.athf * S(-(V - p.bthf) / p.cthf) + p.dthf
    ts = p.aths * S(-(V - p.bths) / p.cths) + p.dths
    return {
        "m": (m, tm * p.scale_tm),
        "hfast": (h, tf * p.scale_thf),
        "hslow": (h, ts * p.scale_ths),
    }


def shk1(V):
    p = Get("SHK-1")
    tm = p.atm / (np.exp(-(V - p.btm) / p.ctm) + np.exp((V - p.dtm) / p.etm)) + p.ftm
    return {"m": (S((V - p.vhm) / p.ka), tm), "h": (S(-(V - p.vhh) / p.ki), p.th)}


def kvs1(V):
    p = Get("KVS-1")
    tm = p.atm * S(-(V - p.btm) / p.ctm) + p.dtm
    th = p.ath * S(-(V - p.bth) / p.cth) + p.dth
    return {"m": (S((V - p.vhm) / p.ka), tm), "h": (S(-(V - p.vhh) / p.ki), th)}


def egl2(V):
    p = Get("EGL-2")
    return {"m": (S((V - p.vhm) / p.ka), p.atm * S(-(V - p.btm) / p.ctm) + p.dtm)}


def egl36(V):
    p = Get("EGL-36")
    m = S((V - p.vhm) / p.ka)
    return {"mfast": (m, p.tm_fast), "mmid": (m, p.tm_mid), "mslow": (m, p.tm_slow)}


def kqt3(V):
    p = Get("KQT-3")
    m = S((V - p.vhm) / p.ka)
    tf = p.atmf / (1 + ((V + p.btmf) / p.ctmf) ** 2)
    ts = (
        p.atms
        + p.btms / (1 + 10 ** (-p.ctms * (p.dtms - V)))
        + p.etms / (1 + 10 ** (-p.ftms * (p.gtms + V)))
    )
    w = p.aw + p.bw * S(-(V - p.vhw) / p.kiw)
    s = p.a_s + p.b_s * S(-(V - p.vhs) / p.kis)
    tw = p.atw + p.btw / (1 + ((V - p.ctw) / p.dtw) ** 2)
    return {"mfast": (m, tf), "mslow": (m, ts), "w": (w, tw), "s": (s, p.ts)}


def irk(V):
    p = Get("IRK")
    tm = p.atm / (np.exp(-(V - p.btm) / p.ctm) + np.exp((V - p.dtm) / p.etm)) + p.ftm
    return {"m": (S(-(V - p.vhm) / p.ka), tm)}


def egl19(V):
    p = Get("EGL-19")
    left = p.ahinf * S((V - p.vhh) / p.ki) + p.bhinf
    right = p.chinf * S(-(V - p.vhhb) / p.kib) + p.dhinf
    tm = (
        p.atm * np.exp(-(((V - p.btm) / p.ctm) ** 2))
        + p.dtm * np.exp(-(((V - p.etm) / p.ftm) ** 2))
        + p.gtm
    )
    th = p.ath * (p.bth * S(-(V - p.cth) / p.dth) + p.eth * S(-(V - p.fth) / p.gth) + p.hth)
    return {"m": (S((V - p.vhm) / p.ka), tm), "h": (left * right, th)}


def unc2(V):
    p = Get("UNC-2")
    tm = p.atm / (np.exp(-(V - p.btm) / p.ctm) + np.exp((V - p.btm) / p.dtm)) + p.etm
    th = p.ath * S((V - p.bth) / p.cth) + p.dth * S(-(V - p.eth) / p.fth)
    return {"m": (S((V - p.vhm) / p.ka), tm), "h": (S(-(V - p.vhh) / p.ki), th)}


def cca1(V):
    p = Get("CCA-1")
    tm = p.atm * S((V - p.btm) / p.ctm) + p.dtm
    th = p.ath * S(-(V - p.bth) / p.cth) + p.dth
    return {"m": (S((V - p.vhm) / p.ka), tm), "h": (S(-(V - p.vhh) / p.ki), th)}


def nca(V):
    return {}


# name: (gates, open fraction from gates, reversal in mV)
CHANNELS = {
    "shl1": (shl1, lambda x: x["m"] ** 3 * (0.7 * x["hfast"] + 0.3 * x["hslow"]), -80.0),
    "shk1": (shk1, lambda x: x["m"] * x["h"], -80.0),
    "kvs1": (kvs1, lambda x: x["m"] * x["h"], -80.0),
    "egl2": (egl2, lambda x: x["m"], -80.0),
    "egl36": (egl36, lambda x: 0.33 * x["mfast"] + 0.36 * x["mmid"] + 0.39 * x["mslow"], -80.0),
    "kqt3": (kqt3, lambda x: (0.3 * x["mfast"] + 0.7 * x["mslow"]) * x["w"] * x["s"], KQT3_E),
    "irk": (irk, lambda x: x["m"], -80.0),
    "egl19": (egl19, lambda x: x["m"] * x["h"], 60.0),
    "unc2": (unc2, lambda x: x["m"] * x["h"], 60.0),
    "cca1": (cca1, lambda x: x["m"] ** 2 * x["h"], 60.0),
    "nca": (nca, lambda x: 1.0, 30.0),
}
SLO = {
    "slo1_egl19": ("SLO-1", egl19),
    "slo1_unc2": ("SLO-1", unc2),
    "slo2_egl19": ("SLO-2", egl19),
    "slo2_unc2": ("SLO-2", unc2),
}


def clamp(name: str, hold: float, step: float, t: np.ndarray) -> tuple[dict, np.ndarray]:
    """Returns gates and current per gbar (mV) at times ``t`` (ms) after a step from ``hold``."""
    gates, opened, reversal = CHANNELS[name]
    before, after = gates(hold), gates(step)
    trace = {}
    for gate, (target, tau) in after.items():
        start = before[gate][0]
        if name == "kqt3" and gate in ("mfast", "mslow"):
            start = 0.0
        trace[gate] = target + (start - target) * np.exp(-t / tau)
    return trace, opened(trace) * (step - reversal) * np.ones_like(t)


def nanodomain(V: float) -> float:
    """Returns the calcium near one open calcium channel, uM."""
    p = Get("nanodomain_Ca")
    if V >= 60:
        return p.cain_above_60mV
    spread = 8 * np.pi * p.r_um * p.D_um2_per_s * FARADAY
    reach = np.sqrt(p.D_um2_per_s / (p.kB_per_uM_s * p.Btot_uM))
    return -p.gsc_nS * (V - 60) * 1e9 / spread * np.exp(-p.r_um / reach)


def slo_gate(name: str, V: float, m_cav: float) -> tuple[float, float]:
    """Returns m_inf and tau_m (ms) of a SLO channel at V (mV) for its partner's activation."""
    kind, partner = SLO[name]
    p = Get(kind)
    cav_inf, cav_tau = partner(V)["m"]
    a = cav_inf / cav_tau
    b = 1 / cav_tau - a
    c = nanodomain(V)
    w_minus, w_plus = p.wom * np.exp(-p.wyx * V), p.wop * np.exp(-p.wxy * V)
    f_minus, f_plus = 1 / (1 + (c / p.kyx) ** p.nyx), 1 / (1 + (p.kxy / c) ** p.nxy)
    open_minus, open_plus = w_minus * f_minus, w_plus * f_plus
    closed_minus = w_minus / (1 + (p.cac / p.kyx) ** p.nyx)
    D = (open_plus + open_minus) * (closed_minus + a) + b * closed_minus
    top = a + b + closed_minus
    return m_cav * open_plus * top / D, top / D


def slo_clamp(name: str, hold: float, step: float, t: np.ndarray) -> tuple[dict, np.ndarray]:
    """As ``clamp`` for a SLO channel, whose m follows the relaxing m_cav (solved numerically)."""
    partner = SLO[name][1]
    before, after = partner(hold), partner(step)
    trace = {}
    for gate, state in (("m", "m_cav"), ("h", "h_cav")):
        (start, _), (target, tau) = before[gate], after[gate]
        trace[state] = target + (start - target) * np.exp(-t / tau)
    start_m, target_m, tau_m = before["m"][0], after["m"][0], after["m"][1]
    gain, tau = slo_gate(name, step, 1.0)

    def slope(time, m):
        return (gain * (target_m + (start_m - target_m) * np.exp(-time / tau_m)) - m) / tau

    first = slo_gate(name, hold, start_m)[0]
    span = (0.0, float(t[-1]))
    solution = solve_ivp(slope, span, [first], "LSODA", t_eval=t, rtol=1e-11, atol=1e-16)
    trace["m"] = solution.y[0]
    return trace, trace["m"] * trace["h_cav"] * (step + 80.0)


def pool(current: np.ndarray, times: np.ndarray, V: np.ndarray, start: float) -> np.ndarray:
    """Returns the published calcium pool in uM for a current density in mA/cm2 at ``times`` (ms).

    The current and the voltage (mV) hold from one time to the next; each piece is exact.
    """
    p = Get("Ca_pool")
    calcium = [start]
    for i, dt in enumerate(np.diff(times)):
        scale = p.f * 1e6 / (2 * FARADAY * p.vcell_um3) if V[i] <= 60 else 0.0
        target = p.ca_eq_uM - current[i] * scale * p.tau_ms
        calcium.append(target + (calcium[-1] - target) * np.exp(-dt / p.tau_ms))
    return np.array(calcium)


def graded(kind: str, v_pre: float, start: float, t: np.ndarray) -> np.ndarray:
    """Returns the activation of a graded synapse at times ``t`` (ms) for a constant v_pre (mV)."""
    p = Get(kind)
    closed = S((p.Vth - v_pre) / p.delta)  # 1 - s_inf without cancellation
    target = 1 / (1 + np.exp((p.Vth - v_pre) / p.delta))
    return target + (start - target) * np.exp(-t * p.k_per_ms / closed)
