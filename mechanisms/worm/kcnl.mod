TITLE KCNL, small-conductance calcium-activated potassium channel

COMMENT
K current gated by the calcium of the somatic pool (mechanism cadyn) and by nothing else.

Kinetics:  Nicoletti et al. 2019, PLoS ONE 14:e0218738, doi 10.1371/journal.pone.0218738
Constants: as used by Zhao et al. 2024, Nat Comput Sci 4:978-990, doi 10.1038/s43588-024-00738-w
           (somatic channels of the reduced worm cells).
Units:     ms, mV, mA/cm2; gbar in S/cm2. Published files label the densities nS/um2, but the
           numbers act as S/cm2 in the simulator, and that is how they are read here.
           No temperature dependence.
Deviations: calcium in mM (half activation 3.3e-4 mM, published as 0.33 uM).
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX kcnl
    USEION ca READ cai VALENCE 2
    NONSPECIFIC_CURRENT i
    RANGE gbar, erev, i, minf
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
    (mM) = (milli/liter)
}

PARAMETER {
    gbar = 0 (S/cm2)
    erev = -80 (mV)
    kca = 0.00033 (mM)
    taum = 6.3 (ms)
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
    cai (mM)
    minf
}

STATE {
    m
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = gbar * m * (v - erev)
}

INITIAL {
    rates(cai)
    m = minf
}

DERIVATIVE states {
    rates(cai)
    m' = (minf - m) / taum
}

PROCEDURE rates(ca (mM)) {
    minf = ca / (kca + ca)
}
