TITLE CCA-1, T-type calcium channel

COMMENT
Low-threshold transient Ca current.

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
    SUFFIX cca1
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
    vhm = -43.32 (mV)
    ka = 7.6 (mV)
    vhh = -58.0 (mV)
    ki = 7.0 (mV)
    atm = 40.0 (ms)
    btm = -62.5 (mV)
    ctm = -12.6 (mV)
    dtm = 0.7 (ms)
    ath = 280 (ms)
    bth = -60.7 (mV)
    cth = 8.5 (mV)
    dth = 19.8 (ms)
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
    i = gbar * m * m * h * (v - erev)
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
    hinf = sig(-(v - vhh) / ki)
    taum = atm * sig((v - btm) / ctm) + dtm
    tauh = ath * sig(-(v - bth) / cth) + dth
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
