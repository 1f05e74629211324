TITLE KQT-3, KCNQ-type potassium channel

COMMENT
Slow K current with two activation components and two incomplete inactivations (w, s). The fast
and the slow activation start at 0, w and s at their steady state.

Kinetics:  Nicoletti et al. 2019, PLoS ONE 14:e0218738, doi 10.1371/journal.pone.0218738
Constants: as used by Zhao et al. 2024, Nat Comput Sci 4:978-990, doi 10.1038/s43588-024-00738-w
           (somatic channels of the reduced worm cells).
Units:     ms, mV, mA/cm2; gbar in S/cm2. Published files label the densities nS/um2, but the
           numbers act as S/cm2 in the simulator, and that is how they are read here.
           No temperature dependence.
Deviations: the reversal potential is this mechanism's own parameter ek_kqt3 (-80 mV), not the
           ion's.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX kqt3
    NONSPECIFIC_CURRENT i
    RANGE gbar, ek, i, minf, winf, sinf, taumfast, taumslow, tauw
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0 (S/cm2)
    ek = -80 (mV)
    vhm = -12.6726 (mV)
    ka = 15.8008 (mV)
    vhw = -1.084 (mV)
    kiw = 28.78 (mV)
    aw = 0.49
    bw = 0.51
    vhs = -45.3 (mV)
    kis = 12.3 (mV)
    a_s = 0.34
    b_s = 0.66
    atmf = 395.3 (ms)
    btmf = 38.1 (mV)
    ctmf = 33.59 (mV)
    atms = 5503.0 (ms)
    btms = -5345.4 (ms)
    ctms = 0.02827 (/mV)
    dtms = -23.9 (mV)
    etms = -4590.6 (ms)
    ftms = 0.0357 (/mV)
    gtms = 14.15 (mV)
    atw = 0.544 (ms)
    btw = 29.2 (ms)
    ctw = -48.09 (mV)
    dtw = 48.83 (mV)
    taus = 500000 (ms)
    wfast = 0.3
    wslow = 0.7
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
    minf
    winf
    sinf
    taumfast (ms)
    taumslow (ms)
    tauw (ms)
}

STATE {
    mfast
    mslow
    w
    s
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = gbar * (wfast * mfast + wslow * mslow) * w * s * (v - ek)
}

INITIAL {
    rates(v)
    mfast = 0
    mslow = 0
    w = winf
    s = sinf
}

DERIVATIVE states {
    rates(v)
    mfast' = (minf - mfast) / taumfast
    mslow' = (minf - mslow) / taumslow
    w' = (winf - w) / tauw
    s' = (sinf - s) / taus
}

PROCEDURE rates(v (mV)) {
    minf = sig((v - vhm) / ka)
    winf = aw + bw * sig(-(v - vhw) / kiw)
    sinf = a_s + b_s * sig(-(v - vhs) / kis)
    taumfast = atmf / (1 + ((v + btmf) / ctmf) * ((v + btmf) / ctmf))
    taumslow = atms + btms * sig10(ctms * (dtms - v)) + etms * sig10(ftms * (gtms + v))
    tauw = atw + btw / (1 + ((v - ctw) / dtw) * ((v - ctw) / dtw))
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}

FUNCTION sig10(x) {
    : the base-10 sigmoid 1 / (1 + 10^-x)
    sig10 = 1 / (1 + exp(-2.302585092994046 * x))
}
