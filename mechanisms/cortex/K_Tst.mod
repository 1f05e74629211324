TITLE Transient component of the potassium current

COMMENT
The fast inactivating component of nucleated patches of layer 5 pyramidal cells, shifted by -10 mV
(junction potential).

    ik = gK_Tstbar m^4 h (v - ek)                q = 2.3^((34 - 21) / 10)
    minf = 1 / (1 + exp(-(v + 10) / 19))         mtau = (0.34 + 0.92 exp(-((v + 81) / 59)^2)) / q
    hinf = 1 / (1 + exp((v + 76) / 10))          htau = (8 + 49 exp(-((v + 83) / 23)^2)) / q

Kinetics:  Korngreen & Sakmann 2000, J Physiol 525:621, doi 10.1111/j.1469-7793.2000.00621.x
Constants: as used by Hay et al. 2011, PLoS Comput Biol 7:e1002107, doi
           10.1371/journal.pcbi.1002107, and kept by Markram et al. 2015, Cell 163:456, doi
           10.1016/j.cell.2015.09.029; temperature set to 34 degC (q10 2.3 from 21 degC), as
           published: celsius does not enter.
Units:     ms, mV, mA/cm2; gK_Tstbar in S/cm2.
Deviations: the published file adds 10 mV to v (junction potential) and takes it off again; the
           shift stands in the half-voltages here.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX K_Tst
    USEION k READ ek WRITE ik
    RANGE gK_Tstbar, gK_Tst, ik, hinf, htau, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gK_Tstbar = 0 (S/cm2)
    vhm = -10 (mV)
    km = 19 (mV)
    tm0 = 0.34 (ms)
    tm1 = 0.92 (ms)
    vtm = -81 (mV)
    ktm = 59 (mV)
    vhh = -76 (mV)
    kh = 10 (mV)
    th0 = 8 (ms)
    th1 = 49 (ms)
    vth = -83 (mV)
    kth = 23 (mV)
    q10 = 2.3
    t0 = 21 (degC)
    tset = 34 (degC)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    gK_Tst (S/cm2)
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
    gK_Tst = gK_Tstbar * m * m * m * m * h
    ik = gK_Tst * (v - ek)
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
    qt = q10 ^ ((tset - t0) / 10)
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
