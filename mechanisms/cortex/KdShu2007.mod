TITLE D-type potassium current (Kv1)

COMMENT
Low-voltage-activated, very slowly inactivating; delays the first spike.

    ik = gkbar m h (v - ek)
    minf = 1 / (1 + exp(-(v + 43) / 8))          mtau = tm
    hinf = 1 / (1 + exp((v + 67) / 7.3))         htau = 1500 ms

Kinetics:  Shu, Yu, Yang & McCormick 2007, PNAS 104:11453, doi 10.1073/pnas.0702041104
Constants: as kept by Markram et al. 2015, Cell 163:456, doi 10.1016/j.cell.2015.09.029 and Reva et
           al. 2023, Patterns 4:100855, doi 10.1016/j.patter.2023.100855; tm 0.6 ms is that of
           2023, 2015 may have used 1 ms.
Units:     ms, mV, mA/cm2; gkbar in S/cm2. No temperature dependence.
Deviations: none. The reversal is the mechanism's own, -100 mV unless set, as in the files the cells of
           2015 and 2023 were fitted with; the ion's ek does not enter.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX KdShu2007
    USEION k WRITE ik
    RANGE gkbar, ek, gk, ik, tm, hinf, htau, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gkbar = 0 (S/cm2)
    ek = -100 (mV)
    tm = 0.6 (ms)
    vhalfm = -43 (mV)
    km = 8 (mV)
    vhalfh = -67 (mV)
    kh = 7.3 (mV)
    th = 1500 (ms)
}

ASSIGNED {
    v (mV)
    ik (mA/cm2)
    gk (S/cm2)
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
    gk = gkbar * m * h
    ik = gk * (v - ek)
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
    minf = sig((v - vhalfm) / km)
    mtau = tm
    hinf = sig(-(v - vhalfh) / kh)
    htau = th
UNITSON
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
