TITLE M-type potassium current

COMMENT
Slow, non-inactivating.

    ik = gbar m (v - ek)                         q = 2.3^((T - 21) / 10)
    a = 0.0033 exp(0.1 (v + 35))    b = 0.0033 exp(-0.1 (v + 35))    mtau = 1 / ((a + b) q)

Kinetics:  Adams, Brown & Constanti 1982, J Physiol 330:537
Constants: as used by Hay et al. 2011, PLoS Comput Biol 7:e1002107, doi
           10.1371/journal.pcbi.1002107, and kept by Gouwens et al. 2018, Nat Commun 9:710, doi
           10.1038/s41467-017-02718-3; q10 2.3 from 21 degC.
Units:     ms, mV, mA/cm2; gbar in S/cm2.
Deviations: none.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Im
    USEION k READ ek WRITE ik
    RANGE gbar, g, ik, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0 (S/cm2)
    rate = 0.0033 (/ms)
    slope = 0.1 (/mV)
    vh = -35 (mV)
    q10 = 2.3
    t0 = 21 (degC)
}

ASSIGNED {
    v (mV)
    ek (mV)
    celsius (degC)
    ik (mA/cm2)
    g (S/cm2)
    minf
    mtau (ms)
}

STATE {
    m
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    g = gbar * m
    ik = g * (v - ek)
}

INITIAL {
    rates(v)
    m = minf
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m) / mtau
}

PROCEDURE rates(v (mV)) {
    LOCAL qt, a, b
UNITSOFF
    qt = q10 ^ ((celsius - t0) / 10)
    a = rate * exp(slope * (v - vh))
    b = rate * exp(-slope * (v - vh))
    minf = a / (a + b)
    mtau = 1 / ((a + b) * qt)
UNITSON
}
