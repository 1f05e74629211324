TITLE SHL-1, A-type (Kv4) potassium channel

COMMENT
Fast transient K current: cubic activation, a fast and a slow inactivating part (70 : 30).

Kinetics:  Nicoletti et al. 2019, PLoS ONE 14:e0218738, doi 10.1371/journal.pone.0218738
Constants: as used by Zhao et al. 2024, Nat Comput Sci 4:978-990, doi 10.1038/s43588-024-00738-w
           (somatic channels of the reduced worm cells).
Units:     ms, mV, mA/cm2; gbar in S/cm2. Published files label the densities nS/um2, but the
           numbers act as S/cm2 in the simulator, and that is how they are read here.
           No temperature dependence.
Deviations: none; the published scale factors on the three time constants are kept as
           parameters.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX shl1
    NONSPECIFIC_CURRENT i
    RANGE gbar, erev, i, minf, hinf, taum, tauhfast, tauhslow
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0 (S/cm2)
    erev = -80 (mV)
    vhm = 11.2 (mV)
    ka = 14.1 (mV)
    vhh = -33.1 (mV)
    ki = 8.3 (mV)
    atm = 13.8 (ms)
    btm = -17.5 (mV)
    ctm = 12.9 (mV)
    dtm = -3.7 (mV)
    etm = 6.5 (mV)
    ftm = 1.9 (ms)
    athf = 539.2 (ms)
    bthf = -28.2 (mV)
    cthf = 4.9 (mV)
    dthf = 27.3 (ms)
    aths = 8422.0 (ms)
    bths = -37.7 (mV)
    cths = 6.4 (mV)
    dths = 118.9 (ms)
    scalem = 0.4
    scalefast = 0.08
    scaleslow = 0.3
    wfast = 0.7
    wslow = 0.3
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
    minf
    hinf
    taum (ms)
    tauhfast (ms)
    tauhslow (ms)
}

STATE {
    m
    hfast
    hslow
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = gbar * m * m * m * (wfast * hfast + wslow * hslow) * (v - erev)
}

INITIAL {
    rates(v)
    m = minf
    hfast = hinf
    hslow = hinf
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m) / taum
    hfast' = (hinf - hfast) / tauhfast
    hslow' = (hinf - hslow) / tauhslow
}

PROCEDURE rates(v (mV)) {
    minf = sig((v - vhm) / ka)
    hinf = sig(-(v - vhh) / ki)
    taum = scalem * (atm / (exp(-(v - btm) / ctm) + exp((v - dtm) / etm)) + ftm)
    tauhfast = scalefast * (athf * sig(-(v - bthf) / cthf) + dthf)
    tauhslow = scaleslow * (aths * sig(-(v - bths) / cths) + dths)
}

FUNCTION sig(x) {
    sig = 1 / (1 + exp(-x))
}
