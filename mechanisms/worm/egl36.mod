TITLE EGL-36, Shaw-type (Kv3) potassium channel

COMMENT
Non-inactivating K current; three activation components share one steady state. The published
weights add up to 1.08, not 1.

Kinetics:  Johnstone et al. 1997;
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
    SUFFIX egl36
    NONSPECIFIC_CURRENT i
    RANGE gbar, erev, i, minf
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0 (S/cm2)
    erev = -80 (mV)
    vhm = 63.0 (mV)
    ka = 28.5 (mV)
    taufast = 13.0 (ms)
    taumid = 63.0 (ms)
    tauslow = 355.0 (ms)
    wfast = 0.33
    wmid = 0.36
    wslow = 0.39
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
    minf
}

STATE {
    mfast
    mmid
    mslow
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = gbar * (wfast * mfast + wmid * mmid + wslow * mslow) * (v - erev)
}

INITIAL {
    rates(v)
    mfast = minf
    mmid = minf
    mslow = minf
}

DERIVATIVE states {
    rates(v)
    mfast' = (minf - mfast) / taufast
    mmid' = (minf - mmid) / taumid
    mslow' = (minf - mslow) / tauslow
}

PROCEDURE rates(v (mV)) {
    minf = sig((v - vhm) / ka)
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
