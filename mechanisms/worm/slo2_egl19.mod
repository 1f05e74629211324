TITLE SLO-2, large-conductance calcium-activated potassium channel bound 1:1 to EGL-19

COMMENT
K current gated by voltage and by the calcium nanodomain of one EGL-19 channel. The states m_cav
and h_cav are private copies of that channel's gates, so that the mechanism needs no pointer;
keep the constants below equal to those of egl19.mod. m relaxes to a steady state that depends
on m_cav, so the fixed-step solution of m is first order in dt (the other gates are exact at
constant voltage).

Kinetics:  Nicoletti et al. 2019, PLoS ONE 14:e0218738, doi 10.1371/journal.pone.0218738
Constants: as used by Zhao et al. 2024, Nat Comput Sci 4:978-990, doi 10.1038/s43588-024-00738-w
           (somatic channels of the reduced worm cells).
Units:     ms, mV, mA/cm2; gbar in S/cm2. Published files label the densities nS/um2, but the
           numbers act as S/cm2 in the simulator, and that is how they are read here.
           No temperature dependence.
Deviations: none; m starts at its steady state for m_cav and h_cav at theirs (the published
           start is not stated). minf is the open fraction given the present m_cav.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX slo2_egl19
    NONSPECIFIC_CURRENT i
    RANGE gbar, erev, i, minf, taum, mcavinf, hcavinf, taumcav, tauhcav
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
    (nS) = (nanosiemens)
    (um) = (micron)
    (uM) = (micro/liter)
}

PARAMETER {
    gbar = 0 (S/cm2)
    erev = -80 (mV)
    vhm = 5.6 (mV)
    ka = 7.5 (mV)
    vhh = 24.9 (mV)
    ki = 12.0 (mV)
    vhhb = -20.5 (mV)
    kib = 8.1 (mV)
    ahinf = 1.43
    bhinf = 0.14
    chinf = 5.96
    dhinf = 0.6
    atm = 2.9 (ms)
    btm = 5.2 (mV)
    ctm = 6.0 (mV)
    dtm = 1.9 (ms)
    etm = 1.4 (mV)
    ftm = 30.0 (mV)
    gtm = 2.3 (ms)
    ath = 0.4
    bth = 44.6 (ms)
    cth = -23.0 (mV)
    dth = 5.0 (mV)
    eth = 36.4 (ms)
    fth = 28.7 (mV)
    gth = 3.7 (mV)
    hth = 43.1 (ms)
    wyx = 0.019 (/mV)
    wxy = -0.024 (/mV)
    wom = 0.9 (/ms)
    wop = 0.027 (/ms)
    kxy = 93.45 (uM)
    nxy = 1.84
    kyx = 3294.55 (uM)
    nyx = 1e-05
    cac = 0.05 (uM)
    ecav = 60 (mV)
    cafloor = 0.0001 (uM)
    gsc = 0.04 (nS)
    r = 0.013 (um)
    dca = 250 (um2/s)
    kb = 500 (/uM/s)
    btot = 30 (uM)
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
    minf
    taum (ms)
    mcavinf
    hcavinf
    taumcav (ms)
    tauhcav (ms)
}

STATE {
    m_cav
    h_cav
    m
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = gbar * m * h_cav * (v - erev)
}

INITIAL {
    : the first call gives the partner's gates, the second minf for them
    rates(v, m_cav)
    m_cav = mcavinf
    h_cav = hcavinf
    rates(v, m_cav)
    m = minf
}

DERIVATIVE states {
    rates(v, m_cav)
    m_cav' = (mcavinf - m_cav) / taumcav
    h_cav' = (hcavinf - h_cav) / tauhcav
    m' = (minf - m) / taum
}

PROCEDURE rates(v (mV), mcav) {
    LOCAL a, b, c, wm, wp, kcm, kom, kop, d
    mcavinf = sig((v - vhm) / ka)
    hcavinf = (ahinf * sig((v - vhh) / ki) + bhinf) * (chinf * sig(-(v - vhhb) / kib) + dhinf)
    taumcav = atm * bell((v - btm) / ctm) + dtm * bell((v - etm) / ftm) + gtm
    tauhcav = ath * (bth * sig(-(v - cth) / dth) + eth * sig(-(v - fth) / gth) + hth)
    a = mcavinf / taumcav
    b = 1 / taumcav - a
    c = nanodomain(v)
    wm = wom * exp(-wyx * v)
    wp = wop * exp(-wxy * v)
    kcm = wm / (1 + (cac / kyx)^nyx)
    kom = wm / (1 + (c / kyx)^nyx)
    kop = wp / (1 + (kxy / c)^nxy)
    d = (kop + kom) * (kcm + a) + b * kcm
    minf = mcav * kop * (a + b + kcm) / d
    taum = (a + b + kcm) / d
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}

FUNCTION bell(x) {
    bell = exp(-x * x)
}

FUNCTION nanodomain(v (mV)) (uM) {
    : Calcium at distance r from one open channel: a point source with one mobile buffer. The
    : single-channel current is gsc * (v - ecav) in pA; 1e9 brings pA/(um * um2/s * C/mol) to uM.
    : Above ecav the flow would be outward; the published model then uses a small constant.
UNITSOFF
    IF (v < ecav) {
        nanodomain = -gsc * (v - ecav) * 1e9 / (8 * 3.141592653589793 * r * dca * 96485) * exp(-r / sqrt(dca / (kb * btot)))
    } ELSE {
        nanodomain = cafloor
    }
UNITSON
}
