TITLE EGL-2, EAG-type potassium channel

COMMENT
Very slow, non-inactivating K current (time constant always above 1.5 s).

Kinetics:  Weinshenker et al. 1999;
           Nicoletti et al. 2019, PLoS ONE 14:e0218738, doi 10.1371/journal.pone.0218738
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
    SUFFIX egl2
    NONSPECIFIC_CURRENT i
    RANGE gbar, erev, i, minf, taum
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0 (S/cm2)
    erev = -80 (mV)
    vhm = -6.9 (mV)
    ka = 14.9 (mV)
    atm = 1845.8 (ms)
    btm = -122.6 (mV)
    ctm = 13.8 (mV)
    dtm = 1517.74 (ms)
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
    minf
    taum (ms)
}

STATE {
    m
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = gbar * m * (v - erev)
}

INITIAL {
    rates(v)
    m = minf
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m) / taum
}

PROCEDURE rates(v (mV)) {
    minf = sig((v - vhm) / ka)
    taum = atm * sig(-(v - btm) / ctm) + dtm
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
