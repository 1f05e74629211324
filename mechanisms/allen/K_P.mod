TITLE Persistent component of the potassium current

COMMENT
The slowly inactivating component of nucleated patches of layer 5 pyramidal cells. The two
branches of mtau meet at -50 mV to within 1e-5.

    ik = gbar m^2 h (v - ek)                     q = 2.3^((T - 21) / 10)
    minf = 1 / (1 + exp(-(v + 14.3) / 14.6))     hinf = 1 / (1 + exp((v + 54) / 11))
    mtau = (1.25 + 175.03 exp(0.026 v)) / q  for v < -50,  (1.25 + 13 exp(-0.026 v)) / q  above
    htau = (360 + (1010 + 24 (v + 55)) exp(-((v + 75) / 48)^2)) / q

Kinetics:  Korngreen & Sakmann 2000, J Physiol 525:621, doi 10.1111/j.1469-7793.2000.00621.x
Constants: as in the parameter conventions of the perisomatic models of Gouwens et al. 2018, Nat
           Commun 9:710, doi 10.1038/s41467-017-02718-3; q10 2.3 from 21 degC.
Units:     ms, mV, mA/cm2; gbar in S/cm2.
Deviations: the shift of all voltages (0 in all fits) is left out.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX K_P
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
    vhm = -14.3 (mV)
    km = 14.6 (mV)
    vsplit = -50 (mV)
    tm0 = 1.25 (ms)
    tlow = 175.03 (ms)
    thigh = 13 (ms)
    ktm = 0.026 (/mV)
    vhh = -54 (mV)
    kh = 11 (mV)
    th0 = 360 (ms)
    th1 = 1010 (ms)
    th2 = 24 (ms/mV)
    vth2 = -55 (mV)
    vth = -75 (mV)
    kth = 48 (mV)
    q10 = 2.3
    t0 = 21 (degC)
}

ASSIGNED {
    v (mV)
    ek (mV)
    celsius (degC)
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
    g = gbar * m * m * h
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
    LOCAL qt, z
UNITSOFF
    qt = q10 ^ ((celsius - t0) / 10)
    minf = sig((v - vhm) / km)
    IF (v < vsplit) {
        mtau = (tm0 + tlow * exp(ktm * v)) / qt
    } ELSE {
        mtau = (tm0 + thigh * exp(-ktm * v)) / qt
    }
    hinf = sig(-(v - vhh) / kh)
    z = (v - vth) / kth
    htau = (th0 + (th1 + th2 * (v - vth2)) * exp(-z * z)) / qt
UNITSON
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
