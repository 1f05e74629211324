TITLE SHK-1, delayed rectifier (Kv1) potassium channel

COMMENT
Delayed rectifier K current with slow inactivation of fixed time constant.

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
    SUFFIX shk1
    NONSPECIFIC_CURRENT i
    RANGE gbar, erev, i, minf, hinf, taum
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0 (S/cm2)
    erev = -80 (mV)
    vhm = 20.4 (mV)
    ka = 7.7 (mV)
    vhh = -7.0 (mV)
    ki = 5.8 (mV)
    atm = 26.6 (ms)
    btm = -33.7 (mV)
    ctm = 15.8 (mV)
    dtm = -33.7 (mV)
    etm = 15.4 (mV)
    ftm = 2.0 (ms)
    tauh = 1400 (ms)
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
    minf
    hinf
    taum (ms)
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
    taum = atm / (exp(-(v - btm) / ctm) + exp((v - dtm) / etm)) + ftm
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
