TITLE Persistent component of the potassium current

COMMENT
The slowly inactivating component of nucleated patches of layer 5 pyramidal cells, shifted by -10
mV (junction potential). The two branches of mtau meet at -60 mV to within 1e-5.

    ik = gK_Pstbar m^2 h (v - ek)                q = 2.3^((34 - 21) / 10)
    minf = 1 / (1 + exp(-(v + 11) / 12))         hinf = 1 / (1 + exp((v + 64) / 11))
    mtau = (1.25 + 175.03 exp(0.026 (v + 10))) / q  for v < -60,  (1.25 + 13 exp(-0.026 (v + 10))) / q  above
    htau = (360 + (1010 + 24 (v + 65)) exp(-((v + 85) / 48)^2)) / q

Kinetics:  Korngreen & Sakmann 2000, J Physiol 525:621, doi 10.1111/j.1469-7793.2000.00621.x
Constants: as used by Hay et al. 2011, PLoS Comput Biol 7:e1002107, doi
           10.1371/journal.pcbi.1002107, and kept by Markram et al. 2015, Cell 163:456, doi
           10.1016/j.cell.2015.09.029; temperature set to 34 degC (q10 2.3 from 21 degC), as
           published: celsius does not enter.
Units:     ms, mV, mA/cm2; gK_Pstbar in S/cm2.
Deviations: the published file adds 10 mV to v (junction potential) and takes it off again; the
           shift stands in the half-voltages here.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX K_Pst
    USEION k READ ek WRITE ik
    RANGE gK_Pstbar, gK_Pst, ik, hinf, htau, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gK_Pstbar = 0 (S/cm2)
    vhm = -11 (mV)
    km = 12 (mV)
    vsplit = -60 (mV)
    tm0 = 1.25 (ms)
    tlow = 175.03 (ms)
    thigh = 13 (ms)
    vtm = -10 (mV)
    ktm = 0.026 (/mV)
    vhh = -64 (mV)
    kh = 11 (mV)
    th0 = 360 (ms)
    th1 = 1010 (ms)
    th2 = 24 (ms/mV)
    vth2 = -65 (mV)
    vth = -85 (mV)
    kth = 48 (mV)
    q10 = 2.3
    t0 = 21 (degC)
    tset = 34 (degC)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    gK_Pst (S/cm2)
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
    gK_Pst = gK_Pstbar * m * m * h
    ik = gK_Pst * (v - ek)
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
    IF (v < vsplit) {
        mtau = (tm0 + tlow * exp(ktm * (v - vtm))) / qt
    } ELSE {
        mtau = (tm0 + thigh * exp(-ktm * (v - vtm))) / qt
    }
    hinf = sig(-(v - vhh) / kh)
    z = (v - vth) / kth
    htau = (th0 + (th1 + th2 * (v - vth2)) * exp(-z * z)) / qt
UNITSON
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
