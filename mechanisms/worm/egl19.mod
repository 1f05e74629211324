TITLE EGL-19, L-type calcium channel

COMMENT
Ca current with incomplete, partly recovering inactivation.

Kinetics:  Nicoletti et al. 2019, PLoS ONE 14:e0218738, doi 10.1371/journal.pone.0218738
Constants: as used by Zhao et al. 2024, Nat Comput Sci 4:978-990, doi 10.1038/s43588-024-00738-w
           (somatic channels of the reduced worm cells).
Units:     ms, mV, mA/cm2; gbar in S/cm2. Published files label the densities nS/um2, but the
           numbers act as S/cm2 in the simulator, and that is how they are read here.
           No temperature dependence.
Deviations: the reversal potential is this mechanism's own parameter; ica is written for the
           calcium pool.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX egl19
    USEION ca WRITE ica VALENCE 2
    RANGE gbar, erev, i, minf, hinf, taum, tauh
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0 (S/cm2)
    erev = 60 (mV)
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
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
    ica (mA/cm2)
    minf
    hinf
    taum (ms)
    tauh (ms)
}

STATE {
    m
    h
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = gbar * m * h * (v - erev)
    ica = i
}

INITIAL {
    rates(v)
    m = minf
    h = hinf
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m) / taum
    h' = (hinf - h) / tauh
}

PROCEDURE rates(v (mV)) {
    minf = sig((v - vhm) / ka)
    hinf = (ahinf * sig((v - vhh) / ki) + bhinf) * (chinf * sig(-(v - vhhb) / kib) + dhinf)
    taum = atm * bell((v - btm) / ctm) + dtm * bell((v - etm) / ftm) + gtm
    tauh = ath * (bth * sig(-(v - cth) / dth) + eth * sig(-(v - fth) / gth) + hth)
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}

FUNCTION bell(x) {
    bell = exp(-x * x)
}
