TITLE Transient sodium current of the soma

COMMENT
The somatic half-voltages; otherwise as its sibling.

    ina = gbar m^3 h (v - ena)                   q = 2.3^((T - 23) / 10)
    am = 0.182 vtrap(-40 - v, 6)    bm = 0.124 vtrap(v + 40, 6)    vtrap(x, k) = x / (exp(x / k) - 1)
    ah = 0.015 vtrap(v + 66, 6)    bh = 0.015 vtrap(-66 - v, 6)    tau = 1 / ((a + b) q)

Kinetics:  Colbert & Pan 2002, Nat Neurosci 5:533, doi 10.1038/nn0602-857
Constants: as in the parameter conventions of the perisomatic models of Gouwens et al. 2018, Nat
           Commun 9:710, doi 10.1038/s41467-017-02718-3; q10 2.3 from 23 degC.
Units:     ms, mV, mA/cm2; gbar in S/cm2.
Deviations: series take the place of the rates where a denominator is near 0.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX NaTs
    USEION na READ ena WRITE ina
    RANGE gbar, g, ina, hinf, htau, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0 (S/cm2)
    ar = 0.182 (/ms)
    br = 0.124 (/ms)
    vm = -40 (mV)
    km = 6 (mV)
    arh = 0.015 (/ms)
    brh = 0.015 (/ms)
    vh = -66 (mV)
    kh = 6 (mV)
    q10 = 2.3
    t0 = 23 (degC)
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
    mtau (ms)
}

STATE {
    m
    h
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    g = gbar * m * m * m * h
    ina = g * (v - ena)
}

INITIAL {
    rates(v)
    m = minf
    h = hinf
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m) / mtau
    h' = (hinf - h) / htau
}

PROCEDURE rates(v (mV)) {
    LOCAL qt, a, b
UNITSOFF
    qt = q10 ^ ((celsius - t0) / 10)
    a = ar * vtrap(vm - v, km)
    b = br * vtrap(v - vm, km)
    minf = a / (a + b)
    mtau = 1 / ((a + b) * qt)
    a = arh * vtrap(v - vh, kh)
    b = brh * vtrap(vh - v, kh)
    hinf = a / (a + b)
    htau = 1 / ((a + b) * qt)
UNITSON
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
