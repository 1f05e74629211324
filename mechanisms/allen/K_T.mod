TITLE Transient component of the potassium current

COMMENT
The fast inactivating component of nucleated patches of layer 5 pyramidal cells.

    ik = gbar m^4 h (v - ek)                     q = 2.3^((T - 21) / 10)
    minf = 1 / (1 + exp(-(v + 47) / 29))         mtau = (0.34 + 0.92 exp(-((v + 71) / 59)^2)) / q
    hinf = 1 / (1 + exp((v + 66) / 10))          htau = (8 + 49 exp(-((v + 73) / 23)^2)) / q

Kinetics:  Korngreen & Sakmann 2000, J Physiol 525:621, doi 10.1111/j.1469-7793.2000.00621.x
Constants: as in the parameter conventions of the perisomatic models of Gouwens et al. 2018, Nat
           Commun 9:710, doi 10.1038/s41467-017-02718-3; q10 2.3 from 21 degC.
Units:     ms, mV, mA/cm2; gbar in S/cm2.
Deviations: the shift of all voltages (0) and the scales of the time constants (1 in all fits) are
           left out.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX K_T
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
    vhm = -47 (mV)
    km = 29 (mV)
    tm0 = 0.34 (ms)
    tm1 = 0.92 (ms)
    vtm = -71 (mV)
    ktm = 59 (mV)
    vhh = -66 (mV)
    kh = 10 (mV)
    th0 = 8 (ms)
    th1 = 49 (ms)
    vth = -73 (mV)
    kth = 23 (mV)
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
    g = gbar * m * m * m * m * h
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
    z = (v - vtm) / ktm
    mtau = (tm0 + tm1 * exp(-z * z)) / qt
    hinf = sig(-(v - vhh) / kh)
    z = (v - vth) / kth
    htau = (th0 + th1 * exp(-z * z)) / qt
UNITSON
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
