TITLE Small-conductance calcium-activated potassium current

COMMENT
Opened by calcium alone; the gate follows its Hill function with 1 ms.

    ik = gbar z (v - ek)        zinf = 1 / (1 + (0.00043 mM / cai)^4.8)        ztau = 1 ms

Kinetics:  Koehler et al. 1996, Science 273:1709, doi 10.1126/science.273.5282.1709
Constants: as used by Hay et al. 2011, PLoS Comput Biol 7:e1002107, doi
           10.1371/journal.pcbi.1002107, and kept by Gouwens et al. 2018, Nat Commun 9:710, doi
           10.1038/s41467-017-02718-3.
Units:     ms, mV, mM, mA/cm2; gbar in S/cm2. No temperature dependence.
Deviations: below 1e-7 mM the gate's target is taken at 1e-7 mM (1e-18; the convention adds 1e-7).
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SK
    USEION k READ ek WRITE ik
    USEION ca READ cai
    RANGE gbar, g, ik, zinf
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
    (molar) = (1/liter)
    (mM) = (millimolar)
}

PARAMETER {
    gbar = 0 (S/cm2)
    kd = 0.00043 (mM)
    hill = 4.8
    ztau = 1 (ms)
}

ASSIGNED {
    v (mV)
    ek (mV)
    cai (mM)
    ik (mA/cm2)
    g (S/cm2)
    zinf
}

STATE {
    z
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    g = gbar * z
    ik = g * (v - ek)
}

INITIAL {
    rates(cai)
    z = zinf
}

DERIVATIVE states {
    rates(cai)
    z' = (zinf - z) / ztau
}

PROCEDURE rates(c (mM)) {
    LOCAL x
UNITSOFF
    x = c
    IF (x < 1e-7) {
        x = 1e-7
    }
    zinf = 1 / (1 + (kd / x) ^ hill)
UNITSON
}
