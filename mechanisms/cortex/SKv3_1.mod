TITLE Shaw-type (Kv3.1) potassium current

COMMENT
Fast, high-voltage-activated, non-inactivating.

    ik = gSKv3_1bar m (v - ek)
    minf = 1 / (1 + exp(-(v - 18.7) / 9.7))      mtau = 4 / (1 + exp(-(v + 46.56) / 44.14))

Kinetics:  Rettig et al. 1992, EMBO J 11:2473
Constants: as used by Hay et al. 2011, PLoS Comput Biol 7:e1002107, doi
           10.1371/journal.pcbi.1002107, and kept by Markram et al. 2015, Cell 163:456, doi
           10.1016/j.cell.2015.09.029.
Units:     ms, mV, mA/cm2; gSKv3_1bar in S/cm2. No temperature dependence.
Deviations: none.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SKv3_1
    USEION k READ ek WRITE ik
    RANGE gSKv3_1bar, gSKv3_1, ik, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gSKv3_1bar = 0 (S/cm2)
    vhm = 18.7 (mV)
    km = 9.7 (mV)
    taumax = 4 (ms)
    vt = -46.56 (mV)
    kt = 44.14 (mV)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    gSKv3_1 (S/cm2)
    minf
    mtau (ms)
}

STATE {
    m
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    gSKv3_1 = gSKv3_1bar * m
    ik = gSKv3_1 * (v - ek)
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
UNITSOFF
    minf = sig((v - vhm) / km)
    mtau = taumax * sig((v - vt) / kt)
UNITSON
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
