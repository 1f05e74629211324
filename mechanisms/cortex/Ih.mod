TITLE Hyperpolarisation-activated cation current

COMMENT
HCN channels; a nonspecific current with its own reversal.

    ihcn = gIhbar m (v + 45)
    a = 0.00643 (v + 154.9) / (exp((v + 154.9) / 11.9) - 1)    b = 0.193 exp(v / 33.1)

Kinetics:  Kole, Hallermann & Stuart 2006, J Neurosci 26:1677, doi 10.1523/JNEUROSCI.3664-05.2006
Constants: as used by Hay et al. 2011, PLoS Comput Biol 7:e1002107, doi
           10.1371/journal.pcbi.1002107, and kept by Markram et al. 2015, Cell 163:456, doi
           10.1016/j.cell.2015.09.029.
Units:     ms, mV, mA/cm2; gIhbar in S/cm2. No temperature dependence.
Deviations: a series takes the place of a where its denominator is near 0.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Ih
    NONSPECIFIC_CURRENT ihcn
    RANGE gIhbar, gIh, ihcn, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gIhbar = 0 (S/cm2)
    ehcn = -45 (mV)
    ra = 0.00643 (/ms)
    va = -154.9 (mV)
    ka = 11.9 (mV)
    rb = 0.193 (/ms)
    kb = 33.1 (mV)
}

ASSIGNED {
    v (mV)
    ihcn (mA/cm2)
    gIh (S/cm2)
    minf
    mtau (ms)
}

STATE {
    m
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    gIh = gIhbar * m
    ihcn = gIh * (v - ehcn)
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
    LOCAL a, b
UNITSOFF
    a = ra * vtrap(v - va, ka)
    b = rb * exp(v / kb)
    minf = a / (a + b)
    mtau = 1 / (a + b)
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
