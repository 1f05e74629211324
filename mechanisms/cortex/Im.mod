TITLE M-type potassium current (Kv7)

COMMENT
Slow, non-inactivating.

    ik = gImbar m (v - ek)                       q = 2.3^((34 - 21) / 10)
    a = 0.0033 exp(0.1 (v + 35))    b = 0.0033 exp(-0.1 (v + 35))    mtau = 1 / ((a + b) q)

Kinetics:  Adams, Brown & Constanti 1982, J Physiol 330:537
Constants: as used by Hay et al. 2011, PLoS Comput Biol 7:e1002107, doi
           10.1371/journal.pcbi.1002107, and kept by Markram et al. 2015, Cell 163:456, doi
           10.1016/j.cell.2015.09.029; temperature set to 34 degC (q10 2.3 from 21 degC), as
           published: celsius does not enter.
Units:     ms, mV, mA/cm2; gImbar in S/cm2.
Deviations: none.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Im
    USEION k READ ek WRITE ik
    RANGE gImbar, gIm, ik, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gImbar = 0 (S/cm2)
    rate = 0.0033 (/ms)
    slope = 0.1 (/mV)
    vh = -35 (mV)
    q10 = 2.3
    t0 = 21 (degC)
    tset = 34 (degC)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    gIm (S/cm2)
    minf
    mtau (ms)
}

STATE {
    m
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    gIm = gImbar * m
    ik = gIm * (v - ek)
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
    qt = q10 ^ ((tset - t0) / 10)
    a = rate * exp(slope * (v - vh))
    b = rate * exp(-slope * (v - vh))
    minf = a / (a + b)
    mtau = 1 / ((a + b) * qt)
UNITSON
}
