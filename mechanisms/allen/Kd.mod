TITLE D-type potassium current

COMMENT
Low-voltage-activated, very slowly inactivating (Kv1).

    ik = gbar m h (v - ek)
    minf = 1 / (1 + exp(-(v + 43) / 8))          mtau = 1 ms
    hinf = 1 / (1 + exp((v + 67) / 7.3))         htau = 1500 ms

Kinetics:  Foust et al. 2011, J Neurosci 31:15490, doi 10.1523/JNEUROSCI.2752-11.2011
Constants: as in the parameter conventions of the perisomatic models of Gouwens et al. 2018, Nat
           Commun 9:710, doi 10.1038/s41467-017-02718-3.
Units:     ms, mV, mA/cm2; gbar in S/cm2. No temperature dependence.
Deviations: none; the convention computes a temperature factor and does not use it.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Kd
    USEION k READ ek WRITE ik
    RANGE gbar, g, ik, hinf, htau, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0 (S/cm2)
    vhm = -43 (mV)
    km = 8 (mV)
    tm = 1 (ms)
    vhh = -67 (mV)
    kh = 7.3 (mV)
    th = 1500 (ms)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
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
    g = gbar * m * h
    ik = g * (v - ek)
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
UNITSOFF
    minf = sig((v - vhm) / km)
    mtau = tm
    hinf = sig(-(v - vhh) / kh)
    htau = th
UNITSON
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
