TITLE Small-conductance calcium-activated potassium current

COMMENT
Opened by calcium alone; the gate follows its Hill function with 1 ms.

    ik = gSK_E2bar z (v - ek)        zinf = 1 / (1 + (0.00043 mM / cai)^4.8)        ztau = 1 ms

Kinetics:  Koehler et al. 1996, Science 273:1709, doi 10.1126/science.273.5282.1709
Constants: as used by Hay et al. 2011, PLoS Comput Biol 7:e1002107, doi
           10.1371/journal.pcbi.1002107, and kept by Markram et al. 2015, Cell 163:456, doi
           10.1016/j.cell.2015.09.029.
Units:     ms, mV, mM, mA/cm2; gSK_E2bar in S/cm2. No temperature dependence.
Deviations: below 1e-7 mM the gate's target is taken at 1e-7 mM (1e-18; the published file adds
           1e-7).
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SK_E2
    USEION k READ ek WRITE ik
    USEION ca READ cai
    RANGE gSK_E2bar, gSK_E2, ik, zinf, ztau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
    (molar) = (1/liter)
    (mM) = (millimolar)
}

PARAMETER {
    gSK_E2bar = 0 (S/cm2)
    kd = 0.00043 (mM)
    hill = 4.8
    tz = 1 (ms)
}

ASSIGNED {
    v (mV)
    ek (mV)
    cai (mM)
    ik (mA/cm2)
    gSK_E2 (S/cm2)
    zinf
    ztau (ms)
}

STATE {
    z
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    gSK_E2 = gSK_E2bar * z
    ik = gSK_E2 * (v - ek)
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
    ztau = tz
UNITSON
}
