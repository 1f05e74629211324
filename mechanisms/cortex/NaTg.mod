TITLE Transient sodium current with shifts

COMMENT
NaTa_t with parameters for where it sits: shifts and slopes of its two gates.

    ina = gNaTgbar m^3 h (v - ena)             q = 2.3^((34 - 21) / 10)
    m of NaTa_t at -38 + vshiftm with slope slopem, h at -66 + vshifth with slope slopeh:
    am = 0.182 vtrap(-38 + vshiftm - v, slopem)    bm = 0.124 vtrap(v + 38 - vshiftm, slopem)
    ah = 0.015 vtrap(v + 66 - vshifth, slopeh)     bh = 0.015 vtrap(-66 + vshifth - v, slopeh)

Kinetics:  Colbert & Pan 2002, Nat Neurosci 5:533, doi 10.1038/nn0602-857
Constants: temperature set to 34 degC (q10 2.3 from 21 degC), as published: celsius does not enter.
           Used values (vshiftm, vshifth, slopem): soma 13, 15, 7; axon 0, 10, 9; apical 6, 6, 6
           (Reva et al. 2023, Patterns 4:100855, doi 10.1016/j.patter.2023.100855).
Units:     ms, mV, mA/cm2; gNaTgbar in S/cm2. Shifts and slopes in mV.
Deviations: series take the place of the rates where a denominator is near 0 (the published file
           moves v by 1e-4 mV). The published file moves v only at the unshifted half-voltages, so
           that its rates are undefined at shifted ones.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX NaTg
    USEION na READ ena WRITE ina
    RANGE gNaTgbar, gNaTg, ina, vshiftm, vshifth, slopem, slopeh, hinf, htau, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gNaTgbar = 0 (S/cm2)
    vshiftm = 0 (mV)
    vshifth = 0 (mV)
    slopem = 6 (mV)
    slopeh = 6 (mV)
    arm = 0.182 (/ms)
    brm = 0.124 (/ms)
    vm = -38 (mV)
    arh = 0.015 (/ms)
    brh = 0.015 (/ms)
    vh = -66 (mV)
    q10 = 2.3
    t0 = 21 (degC)
    tset = 34 (degC)
}

ASSIGNED {
    v (mV)
    ena (mV)
    ina (mA/cm2)
    gNaTg (S/cm2)
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
    gNaTg = gNaTgbar * m * m * m * h
    ina = gNaTg * (v - ena)
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
    LOCAL qt, a, b, x
UNITSOFF
    qt = q10 ^ ((tset - t0) / 10)
    x = v - vm - vshiftm
    a = arm * vtrap(-x, slopem)
    b = brm * vtrap(x, slopem)
    minf = a / (a + b)
    mtau = 1 / ((a + b) * qt)
    x = v - vh - vshifth
    a = arh * vtrap(x, slopeh)
    b = brh * vtrap(-x, slopeh)
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
