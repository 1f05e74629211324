TITLE SLO-1, large-conductance calcium-activated potassium channel bound 1:1 to UNC-2

COMMENT
K current gated by voltage and by the calcium nanodomain of one UNC-2 channel. The states m_cav
and h_cav are private copies of that channel's gates, so that the mechanism needs no pointer;
keep the constants below equal to those of unc2.mod. m relaxes to a steady state that depends on
m_cav, so the fixed-step solution of m is first order in dt (the other gates are exact at
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
    SUFFIX slo1_unc2
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
    vhm = -12.2 (mV)
    ka = 4.0 (mV)
    vhh = -52.5 (mV)
    ki = 5.6 (mV)
    atm = 1.5 (ms)
    btm = -8.2 (mV)
    ctm = 9.1 (mV)
    dtm = 15.4 (mV)
    etm = 0.1 (ms)
    ath = 83.8 (ms)
    bth = 52.9 (mV)
    cth = -3.5 (mV)
    dth = 72.1 (ms)
    eth = 23.9 (mV)
    fth = -3.6 (mV)
    wyx = 0.013 (/mV)
    wxy = -0.028 (/mV)
    wom = 3.15 (/ms)
    wop = 0.16 (/ms)
    kxy = 55.73 (uM)
    nxy = 1.3
    kyx = 34.34 (uM)
    nyx = 0.0001
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
    hcavinf = sig(-(v - vhh) / ki)
    taumcav = atm / (exp(-(v - btm) / ctm) + exp((v - btm) / dtm)) + etm
    tauhcav = ath * sig((v - bth) / cth) + dth * sig(-(v - eth) / fth)
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
