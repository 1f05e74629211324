TITLE KVS-1, fast inactivating potassium channel

COMMENT
K current that activates and inactivates at depolarised voltages.

Kinetics:  Nicoletti et al. 2019, PLoS ONE 14:e0218738, doi 10.1371/journal.pone.0218738
Constants: as used by Zhao et al. 2024, Nat Comput Sci 4:978-990, doi 10.1038/s43588-024-00738-w
           (somatic channels of the reduced worm cells).
Units:     ms, mV, mA/cm2; gbar in S/cm2. Published files label the densities nS/um2, but the
           numbers act as S/cm2 in the simulator, and that is how they are read here.
           No temperature dependence.
Deviations: none.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX kvs1
    NONSPECIFIC_CURRENT i
    RANGE gbar, erev, i, minf, hinf, taum, tauh
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0 (S/cm2)
    erev = -80 (mV)
    vhm = 57.1 (mV)
    ka = 25.0 (mV)
    vhh = 47.3 (mV)
    ki = 11.1 (mV)
    atm = 30.0 (ms)
    btm = 18.1 (mV)
    ctm = 20.0 (mV)
    dtm = 1.0 (ms)
    ath = 88.5 (ms)
    bth = 50.0 (mV)
    cth = 15.0 (mV)
    dth = 53.4 (ms)
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
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
    taum = atm * sig(-(v - btm) / ctm) + dtm
    tauh = ath * sig(-(v - bth) / cth) + dth
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
