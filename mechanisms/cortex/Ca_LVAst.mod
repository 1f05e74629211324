TITLE Low-voltage-activated calcium current

COMMENT
Steady states of Avery & Johnston, time constants read off the plots of Randall & Tsien, both
shifted by -10 mV (junction potential).

    ica = gCa_LVAstbar m^2 h (v - eca)           q = 2.3^((34 - 21) / 10)
    minf = 1 / (1 + exp(-(v + 40) / 6))          mtau = (5 + 20 / (1 + exp((v + 35) / 5))) / q
    hinf = 1 / (1 + exp((v + 90) / 6.4))         htau = (20 + 50 / (1 + exp((v + 50) / 7))) / q

Kinetics:  Avery & Johnston 1996, J Neurosci 16:5567; Randall & Tsien 1997, Neuropharmacology
           36:879
Constants: as used by Hay et al. 2011, PLoS Comput Biol 7:e1002107, doi
           10.1371/journal.pcbi.1002107, and kept by Markram et al. 2015, Cell 163:456, doi
           10.1016/j.cell.2015.09.029; temperature set to 34 degC (q10 2.3 from 21 degC), as
           published: celsius does not enter.
Units:     ms, mV, mA/cm2; gCa_LVAstbar in S/cm2.
Deviations: the published file adds 10 mV to v (junction potential) and takes it off again; the
           shift stands in the half-voltages here.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Ca_LVAst
    USEION ca READ eca WRITE ica
    RANGE gCa_LVAstbar, gCa_LVAst, ica, hinf, htau, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gCa_LVAstbar = 0 (S/cm2)
    vhm = -40 (mV)
    km = 6 (mV)
    tm0 = 5 (ms)
    tm1 = 20 (ms)
    vtm = -35 (mV)
    ktm = 5 (mV)
    vhh = -90 (mV)
    kh = 6.4 (mV)
    th0 = 20 (ms)
    th1 = 50 (ms)
    vth = -50 (mV)
    kth = 7 (mV)
    q10 = 2.3
    t0 = 21 (degC)
    tset = 34 (degC)
}

ASSIGNED {
    v (mV)
    eca (mV)
    ica (mA/cm2)
    gCa_LVAst (S/cm2)
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
    gCa_LVAst = gCa_LVAstbar * m * m * h
    ica = gCa_LVAst * (v - eca)
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
    LOCAL qt
UNITSOFF
    qt = q10 ^ ((tset - t0) / 10)
    minf = sig((v - vhm) / km)
    mtau = (tm0 + tm1 * sig(-(v - vtm) / ktm)) / qt
    hinf = sig(-(v - vhh) / kh)
    htau = (th0 + th1 * sig(-(v - vth) / kth)) / qt
UNITSON
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
