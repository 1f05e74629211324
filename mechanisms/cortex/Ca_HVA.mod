TITLE High-voltage-activated calcium current

COMMENT
Of the pyramidal cells; the reversal is the calcium ion's (Nernst).

    ica = gCa_HVAbar m^2 h (v - eca)
    am = 0.055 (-27 - v) / (exp((-27 - v) / 3.8) - 1)   bm = 0.94 exp((-75 - v) / 17)
    ah = 0.000457 exp((-13 - v) / 50)                   bh = 0.0065 / (exp((-15 - v) / 28) + 1)

Kinetics:  Reuveni et al. 1993, J Neurosci 13:4609, doi 10.1523/JNEUROSCI.13-11-04609.1993
Constants: as used by Hay et al. 2011, PLoS Comput Biol 7:e1002107, doi
           10.1371/journal.pcbi.1002107, and kept by Markram et al. 2015, Cell 163:456, doi
           10.1016/j.cell.2015.09.029.
Units:     ms, mV, mA/cm2; gCa_HVAbar in S/cm2. No temperature dependence.
Deviations: a series takes the place of am where its denominator is near 0.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Ca_HVA
    USEION ca READ eca WRITE ica
    RANGE gCa_HVAbar, gCa_HVA, ica, hinf, htau, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gCa_HVAbar = 0 (S/cm2)
    arm = 0.055 (/ms)
    vam = -27 (mV)
    kam = 3.8 (mV)
    brm = 0.94 (/ms)
    vbm = -75 (mV)
    kbm = 17 (mV)
    arh = 0.000457 (/ms)
    vah = -13 (mV)
    kah = 50 (mV)
    brh = 0.0065 (/ms)
    vbh = -15 (mV)
    kbh = 28 (mV)
}

ASSIGNED {
    v (mV)
    eca (mV)
    ica (mA/cm2)
    gCa_HVA (S/cm2)
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
    gCa_HVA = gCa_HVAbar * m * m * h
    ica = gCa_HVA * (v - eca)
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
    LOCAL a, b
UNITSOFF
    a = arm * vtrap(vam - v, kam)
    b = brm * exp((vbm - v) / kbm)
    minf = a / (a + b)
    mtau = 1 / (a + b)
    a = arh * exp((vah - v) / kah)
    b = brh * sig((v - vbh) / kbh)
    hinf = a / (a + b)
    htau = 1 / (a + b)
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
