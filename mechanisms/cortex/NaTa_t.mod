TITLE Transient sodium current of the axon

COMMENT
Half-voltages of the axon.

    ina = gNaTa_tbar m^3 h (v - ena)          q = 2.3^((34 - 21) / 10)
    am = 0.182 vtrap(-38 - v, 6)    bm = 0.124 vtrap(v + 38, 6)    vtrap(x, k) = x / (exp(x / k) - 1)
    ah = 0.015 vtrap(v + 66, 6)    bh = 0.015 vtrap(-66 - v, 6)    tau = 1 / ((a + b) q)

Kinetics:  Colbert & Pan 2002, Nat Neurosci 5:533, doi 10.1038/nn0602-857
Constants: as used by Hay et al. 2011, PLoS Comput Biol 7:e1002107, doi
           10.1371/journal.pcbi.1002107, and kept by Markram et al. 2015, Cell 163:456, doi
           10.1016/j.cell.2015.09.029; temperature set to 34 degC (q10 2.3 from 21 degC), as
           published: celsius does not enter.
Units:     ms, mV, mA/cm2; gNaTa_tbar in S/cm2.
Deviations: series take the place of the rates where a denominator is near 0 (the published file
           moves v by 1e-4 mV).
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX NaTa_t
    USEION na READ ena WRITE ina
    RANGE gNaTa_tbar, gNaTa_t, ina, hinf, htau, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gNaTa_tbar = 0 (S/cm2)
    arm = 0.182 (/ms)
    brm = 0.124 (/ms)
    vm = -38 (mV)
    km = 6 (mV)
    arh = 0.015 (/ms)
    brh = 0.015 (/ms)
    vh = -66 (mV)
    kh = 6 (mV)
    q10 = 2.3
    t0 = 21 (degC)
    tset = 34 (degC)
}

ASSIGNED {
    v (mV)
    ena (mV)
    ina (mA/cm2)
    gNaTa_t (S/cm2)
    minf
    mtau (ms)
    hinf
    htau (ms)
}

STATE {
    m
    h
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    gNaTa_t = gNaTa_tbar * m * m * m * h
    ina = gNaTa_t * (v - ena)
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
    qt = q10 ^ ((tset - t0) / 10)
    a = arm * vtrap(vm - v, km)
    b = brm * vtrap(v - vm, km)
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
