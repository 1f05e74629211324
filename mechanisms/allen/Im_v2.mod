TITLE M-type potassium current, second form

COMMENT
Slow, non-inactivating; six elementary charges move with an asymmetry of 0.4.

    ik = gbar m (v - ek)                         q = 2.3^((T - 30) / 10)
    a = 0.007 exp(6 * 0.4 (v + 48) / 26.12)      b = 0.007 exp(-6 * 0.6 (v + 48) / 26.12)
    minf = a / (a + b)                           mtau = (15 + 1 / (a + b)) / q

Kinetics:  Vervaeke et al. 2006, Neuron 49:257, doi 10.1016/j.neuron.2005.12.022
Constants: as in the parameter conventions of the perisomatic models of Gouwens et al. 2018, Nat
           Commun 9:710, doi 10.1038/s41467-017-02718-3; q10 2.3 from 30 degC.
Units:     ms, mV, mA/cm2; gbar in S/cm2.
Deviations: none.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Im_v2
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
    rate = 0.007 (/ms)
    charge = 6
    asym = 0.4
    vh = -48 (mV)
    kt = 26.12 (mV)
    tau0 = 15 (ms)
    q10 = 2.3
    t0 = 30 (degC)
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
    a = rate * exp(charge * asym * (v - vh) / kt)
    b = rate * exp(-charge * (1 - asym) * (v - vh) / kt)
    minf = a / (a + b)
    mtau = (tau0 + 1 / (a + b)) / qt
UNITSON
}
