TITLE Shaw-type (Kv3.1) potassium current

COMMENT
Fast, high-voltage-activated, non-inactivating.

    ik = gbar m (v - ek)
    minf = 1 / (1 + exp(-(v - 18.7) / 9.7))      mtau = 4 / (1 + exp(-(v + 46.56) / 44.14))

Kinetics:  Rettig et al. 1992, EMBO J 11:2473
Constants: as used by Hay et al. 2011, PLoS Comput Biol 7:e1002107, doi
           10.1371/journal.pcbi.1002107, and kept by Gouwens et al. 2018, Nat Commun 9:710, doi
           10.1038/s41467-017-02718-3.
Units:     ms, mV, mA/cm2; gbar in S/cm2. No temperature dependence.
Deviations: the shift of all voltages (0 in all fits) is left out.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Kv3_1
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
    vh = 18.7 (mV)
    km = 9.7 (mV)
    taumax = 4 (ms)
    vt = -46.56 (mV)
    kt = 44.14 (mV)
}

ASSIGNED {
    v (mV)
    ek (mV)
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
UNITSOFF
    minf = sig((v - vh) / km)
    mtau = taumax * sig((v - vt) / kt)
UNITSON
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
