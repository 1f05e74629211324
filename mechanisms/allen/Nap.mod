TITLE Persistent sodium current

COMMENT
Activation is instantaneous, inactivation slow.

    ina = gbar minf(v) h (v - ena)               q = 2.3^((T - 21) / 10)
    minf = 1 / (1 + exp(-(v + 52.6) / 4.6))      hinf = 1 / (1 + exp((v + 48.8) / 10))
    a = 2.88e-6 vtrap(v + 17, 4.63)    b = 6.94e-6 vtrap(-(v + 64.4), 2.63)    htau = 1 / ((a + b) q)
    vtrap(x, k) = x / (exp(x / k) - 1)

Kinetics:  Magistretti & Alonso 1999, J Gen Physiol 114:491, doi 10.1085/jgp.114.4.491
Constants: as used by Hay et al. 2011, PLoS Comput Biol 7:e1002107, doi
           10.1371/journal.pcbi.1002107, and kept by Gouwens et al. 2018, Nat Commun 9:710, doi
           10.1038/s41467-017-02718-3; q10 2.3 from 21 degC.
Units:     ms, mV, mA/cm2; gbar in S/cm2.
Deviations: series take the place of the rates where a denominator is near 0.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Nap
    USEION na READ ena WRITE ina
    RANGE gbar, g, ina, hinf, htau, minf
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0 (S/cm2)
    vhm = -52.6 (mV)
    km = 4.6 (mV)
    vhh = -48.8 (mV)
    kh = 10 (mV)
    ar = 2.88e-06 (/ms)
    va = -17 (mV)
    ka = 4.63 (mV)
    br = 6.94e-06 (/ms)
    vb = -64.4 (mV)
    kb = 2.63 (mV)
    q10 = 2.3
    t0 = 21 (degC)
}

ASSIGNED {
    v (mV)
    ena (mV)
    celsius (degC)
    ina (mA/cm2)
    g (S/cm2)
    hinf
    htau (ms)
    minf
}

STATE {
    h
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    rates(v)
    g = gbar * minf * h
    ina = g * (v - ena)
}

INITIAL {
    rates(v)
    h = hinf
}

DERIVATIVE states {
    rates(v)
    h' = (hinf - h) / htau
}

PROCEDURE rates(v (mV)) {
    LOCAL qt, a, b
UNITSOFF
    qt = q10 ^ ((celsius - t0) / 10)
    minf = sig((v - vhm) / km)
    hinf = sig(-(v - vhh) / kh)
    a = ar * vtrap(v - va, ka)
    b = br * vtrap(vb - v, kb)
    htau = 1 / ((a + b) * qt)
UNITSON
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}

FUNCTION vtrap(x, y) {
    LOCAL z
    z = x / y
    IF (fabs(z) < 1e-4) {
        vtrap = y * (1 - z / 2 + z * z / 12)
    } ELSE {
        vtrap = x / (exp(z) - 1)
    }
}
