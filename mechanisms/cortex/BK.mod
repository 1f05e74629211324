TITLE Large-conductance calcium-activated potassium current

COMMENT
Open probability and half-voltage both follow the calcium near the channel, taken as 100 times that
of the pool. Not in the set of 2015 or 2023.

    ik = gBKbar p (v - ek)                       c = 100 cai
    pinf = P(c) / (1 + exp((V(c) - v) / 17 mV))   ptau = 1 ms
    P(c) = 1 / (1 + 0.002 mM / c)
    V(c) = -46.08 + (155.67 + 46.08) / (1 + (0.002 mM / c)^-0.94208)  mV

Kinetics:  Reetz, Stadler & Strauss 2014, J Neuroinflammation 11:185, doi 10.1186/s12974-014-0185-4
           (rat layer 5 pyramidal cell), after Gong et al. 2001, Womack & Khodakhah 2002 and, in
           these cells, Benhassine & Berger 2005
Constants: as in that model (ModelDB 168148), which has 0.0268 S/cm2 at the soma.
Units:     ms, mV, mM, mA/cm2; gBKbar in S/cm2. No temperature dependence.
Deviations: cai below 1e-12 mM counts as 1e-12 mM (1e-18 there); no cut-off of small pinf, which is
           off there.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX BK
    USEION k READ ek WRITE ik
    USEION ca READ cai
    RANGE gBKbar, gBK, ik, pinf, ptau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
    (molar) = (1/liter)
    (mM) = (millimolar)
}

PARAMETER {
    gBKbar = 0 (S/cm2)
    near = 100
    kd = 0.002 (mM)
    kv = 0.002 (mM)
    hill = 0.94208
    vmax = 155.67 (mV)
    vmin = -46.08 (mV)
    slope = 17 (mV)
    tp = 1 (ms)
}

ASSIGNED {
    v (mV)
    ek (mV)
    cai (mM)
    ik (mA/cm2)
    gBK (S/cm2)
    pinf
    ptau (ms)
}

STATE {
    p
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    gBK = gBKbar * p
    ik = gBK * (v - ek)
}

INITIAL {
    rates(v, cai)
    p = pinf
}

DERIVATIVE states {
    rates(v, cai)
    p' = (pinf - p) / ptau
}

PROCEDURE rates(v (mV), c (mM)) {
    LOCAL x, half
UNITSOFF
    x = c
    IF (x < 1e-12) {
        x = 1e-12
    }
    x = near * x
    half = vmin + (vmax - vmin) / (1 + (x / kv) ^ hill)
    pinf = sig((v - half) / slope) / (1 + kd / x)
    ptau = tp
UNITSON
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
