TITLE Slow, inactivating potassium current (Kv2)

COMMENT
Form of the slow current of layer 5 pyramidal cells with two inactivation times, set to the
guangxitoxin-sensitive current. Not in the set of 2015 or 2023.

    ik = gKv2bar m^2 (h1 + h2) / 2 (v - ek)      q = 2.3^((T - 21) / 10)
    a = 0.12 vtrap(43 - v, 11)    b = 0.02 exp(-(v + 1.27) / 120)    mtau = 2.5 / ((a + b) q)
    hinf = 1 / (1 + exp((v + 58) / 11))
    h1tau = (360 + (1010 + 23.7 (v + 54)) exp(-((v + 75) / 48)^2)) / q
    h2tau = (2350 + 1380 exp(-0.011 v) - 210 exp(-0.03 v)) / q, at least 1 ms

Kinetics:  Keren, Peled & Korngreen 2005, J Neurophysiol 94:3730 (rat layer 5); Liu & Bean
           2014, J Neurosci 34:4991
Constants: as in the Kv2-like current of Gouwens et al. 2018, Nat Commun 9:710, doi
           10.1038/s41467-017-02718-3 (mechanisms/allen/Kv2like.mod); q10 2.3 from 21 degC, with
           celsius.
Units:     ms, mV, mA/cm2; gKv2bar in S/cm2.
Deviations: h2tau turns negative below -119 mV and is held at 1 ms; a series takes the place of a
           where its denominator is near 0.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Kv2
    USEION k READ ek WRITE ik
    RANGE gKv2bar, gKv2, ik, h1tau, h2tau, hinf, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gKv2bar = 0 (S/cm2)
    ar = 0.12 (/ms)
    va = 43 (mV)
    ka = 11 (mV)
    br = 0.02 (/ms)
    vb = -1.27 (mV)
    kb = 120 (mV)
    mscale = 2.5
    vhh = -58 (mV)
    kh = 11 (mV)
    ta0 = 360 (ms)
    ta1 = 1010 (ms)
    ta2 = 23.7 (ms/mV)
    vta2 = -54 (mV)
    vta = -75 (mV)
    kta = 48 (mV)
    tb0 = 2350 (ms)
    tb1 = 1380 (ms)
    ktb1 = 0.011 (/mV)
    tb2 = 210 (ms)
    ktb2 = 0.03 (/mV)
    share = 0.5
    taumin = 1 (ms)
    q10 = 2.3
    t0 = 21 (degC)
}

ASSIGNED {
    v (mV)
    ek (mV)
    celsius (degC)
    ik (mA/cm2)
    gKv2 (S/cm2)
    h1tau (ms)
    h2tau (ms)
    hinf
    minf
    mtau (ms)
}

STATE {
    m
    h1
    h2
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    gKv2 = gKv2bar * m * m * (share * h1 + (1 - share) * h2)
    ik = gKv2 * (v - ek)
}

INITIAL {
    rates(v)
    m = minf
    h1 = hinf
    h2 = hinf
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m) / mtau
    h1' = (hinf - h1) / h1tau
    h2' = (hinf - h2) / h2tau
}

PROCEDURE rates(v (mV)) {
    LOCAL qt, a, b, z
UNITSOFF
    qt = q10 ^ ((celsius - t0) / 10)
    a = ar * vtrap(va - v, ka)
    b = br * exp(-(v - vb) / kb)
    minf = a / (a + b)
    mtau = mscale / ((a + b) * qt)
    hinf = sig(-(v - vhh) / kh)
    z = (v - vta) / kta
    h1tau = (ta0 + (ta1 + ta2 * (v - vta2)) * exp(-z * z)) / qt
    h2tau = (tb0 + tb1 * exp(-ktb1 * v) - tb2 * exp(-ktb2 * v)) / qt
    IF (h2tau < taumin) {
        h2tau = taumin
    }
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
