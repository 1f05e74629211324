TITLE Graded chemical synapse

COMMENT
A synapse without spikes: its activation s follows the presynaptic voltage.

    i = w * g * s * (v - E)                        sinf = 1 / (1 + exp((vth - vpre) / delta))
    ds/dt = (sinf - s) / tau                       tau = (1 - sinf) / k

vpre is the target of a continuous transfer (ParallelContext.target_var), not of a NetCon. Within
a time step vpre is constant and s is advanced by the exact exponential. The rate is written as
1/tau = k * (1 + exp(-x)), x = (vth - vpre) / delta, which equals k / (1 - sinf) without the
division by zero at high vpre; x is held within -300..300, where sinf is 1 or 0 to the last bit
that matters and every intermediate number is finite.

Source:    Zhao et al. 2024, Nat Comput Sci 4:978-990, doi 10.1038/s43588-024-00738-w
Constants: excitatory g = 4.9e-4 uS, E = 30 mV, k = 0.5 /ms (the defaults); inhibitory
           g = 2e-4 uS, E = -70 mV, k = 0.015 /ms; delta = 5 mV and vth = -20 mV for both.
Units:     ms, mV, nA; g in uS per unit of the number w (w >= 0; the sign of a published weight
           selects the set of constants).
Deviations: s starts at sinf(vpre) unless s0 is set to a value >= 0 (the published start is not
           stated).
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS GradedSyn
    NONSPECIFIC_CURRENT i
    RANGE w, g, E, k, delta, vth, vpre, s0, i, sinf, rate
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
}

PARAMETER {
    w = 1
    g = 4.9e-4 (uS)
    E = 30 (mV)
    k = 0.5 (/ms)
    delta = 5 (mV)
    vth = -20 (mV)
    vpre = -65 (mV)
    s0 = -1
}

ASSIGNED {
    v (mV)
    i (nA)
    sinf
    rate (/ms)
}

STATE {
    s
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = w * g * s * (v - E)
}

INITIAL {
    rates(vpre)
    IF (s0 < 0) {
        s = sinf
    } ELSE {
        s = s0
    }
}

DERIVATIVE states {
    rates(vpre)
    s' = (sinf - s) * rate
}

PROCEDURE rates(u (mV)) {
    LOCAL x
    x = (vth - u) / delta
    IF (x < -300) {
        x = -300
    }
    IF (x > 300) {
        x = 300
    }
    sinf = 1 / (1 + exp(x))
    rate = k * (1 + exp(-x))
}
