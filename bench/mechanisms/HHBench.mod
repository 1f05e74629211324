COMMENT
Sodium, potassium and leak of the squid axon, for benches: NEURON's own hh lies in a library that no
compiler flag of ours reaches.

Source: Hodgkin & Huxley 1952, J Physiol 117:500, doi 10.1113/jphysiol.1952.sp004764, shifted to a rest of
        -65 mV; rates in 1/ms at 6.3 degC, Q10 of 3.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    SUFFIX HHBench
    USEION na READ ena WRITE ina
    USEION k READ ek WRITE ik
    NONSPECIFIC_CURRENT il
    RANGE gnabar, gkbar, gl, el
    RANGE m_inf, m_tau, h_inf, h_tau, n_inf, n_tau
    THREADSAFE
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gnabar = 0.12 (S/cm2)
    gkbar = 0.036 (S/cm2)
    gl = 0.0003 (S/cm2)
    el = -54.3 (mV)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    ena (mV)
    ek (mV)
    ina (mA/cm2)
    ik (mA/cm2)
    il (mA/cm2)
    m_inf
    h_inf
    n_inf
    m_tau (ms)
    h_tau (ms)
    n_tau (ms)
}

STATE { m h n }

INITIAL {
    rates(v)
    m = m_inf
    h = h_inf
    n = n_inf
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    ina = gnabar * m * m * m * h * (v - ena)
    ik = gkbar * n * n * n * n * (v - ek)
    il = gl * (v - el)
}

DERIVATIVE gates {
    rates(v)
    m' = (m_inf - m) / m_tau
    h' = (h_inf - h) / h_tau
    n' = (n_inf - n) / n_tau
}

PROCEDURE rates(v (mV)) {
    LOCAL open, close, warm
    UNITSOFF
    warm = 3 ^ ((celsius - 6.3) / 10)
    open = linoid(-(v + 40) / 10)
    close = 4 * exp(-(v + 65) / 18)
    m_tau = 1 / (warm * (open + close))
    m_inf = open / (open + close)
    open = 0.07 * exp(-(v + 65) / 20)
    close = 1 / (exp(-(v + 35) / 10) + 1)
    h_tau = 1 / (warm * (open + close))
    h_inf = open / (open + close)
    open = 0.1 * linoid(-(v + 55) / 10)
    close = 0.125 * exp(-(v + 65) / 80)
    n_tau = 1 / (warm * (open + close))
    n_inf = open / (open + close)
    UNITSON
}

: x / (exp(x) - 1), continued where it is 0 / 0.
FUNCTION linoid(x) {
    IF (fabs(x) < 1e-6) {
        linoid = 1 - x / 2
    } ELSE {
        linoid = x / (exp(x) - 1)
    }
}
