TITLE Persistent sodium current

COMMENT
Steady states of Magistretti & Alonso; activation six times slower than that of NaTa_t.

    ina = gNap_Et2bar m^3 h (v - ena)           q = 2.3^((34 - 21) / 10)
    minf = 1 / (1 + exp(-(v + 52.6) / 4.6))      hinf = 1 / (1 + exp((v + 48.8) / 10))
    mtau = 6 / ((am + bm) q) with am, bm of NaTa_t
    ah = 2.88e-6 vtrap(v + 17, 4.63)    bh = 6.94e-6 vtrap(-(v + 64.4), 2.63)    htau = 1 / ((ah + bh) q)
    vtrap(x, k) = x / (exp(x / k) - 1)

Kinetics:  Magistretti & Alonso 1999, J Gen Physiol 114:491, doi 10.1085/jgp.114.4.491
Constants: as used by Hay et al. 2011, PLoS Comput Biol 7:e1002107, doi
           10.1371/journal.pcbi.1002107, and kept by Markram et al. 2015, Cell 163:456, doi
           10.1016/j.cell.2015.09.029; temperature set to 34 degC (q10 2.3 from 21 degC), as
           published: celsius does not enter.
Units:     ms, mV, mA/cm2; gNap_Et2bar in S/cm2.
Deviations: series take the place of the rates where a denominator is near 0 (the published file
           moves v by 1e-4 mV).
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Nap_Et2
    USEION na READ ena WRITE ina
    RANGE gNap_Et2bar, gNap_Et2, ina, hinf, htau, minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gNap_Et2bar = 0 (S/cm2)
    vhm = -52.6 (mV)
    kmi = 4.6 (mV)
    slow = 6
    arm = 0.182 (/ms)
    brm = 0.124 (/ms)
    vm = -38 (mV)
    km = 6 (mV)
    vhh = -48.8 (mV)
    khi = 10 (mV)
    arh = 2.88e-06 (/ms)
    vah = -17 (mV)
    kah = 4.63 (mV)
    brh = 6.94e-06 (/ms)
    vbh = -64.4 (mV)
    kbh = 2.63 (mV)
    q10 = 2.3
    t0 = 21 (degC)
    tset = 34 (degC)
}

ASSIGNED {
    v (mV)
    ena (mV)
    ina (mA/cm2)
    gNap_Et2 (S/cm2)
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
    gNap_Et2 = gNap_Et2bar * m * m * m * h
    ina = gNap_Et2 * (v - ena)
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
    LOCAL qt, a, b
UNITSOFF
    qt = q10 ^ ((tset - t0) / 10)
    minf = sig((v - vhm) / kmi)
    a = arm * vtrap(vm - v, km)
    b = brm * vtrap(v - vm, km)
    mtau = slow / ((a + b) * qt)
    hinf = sig(-(v - vhh) / khi)
    a = arh * vtrap(v - vah, kah)
    b = brh * vtrap(vbh - v, kbh)
    htau = 1 / ((a + b) * qt)
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
