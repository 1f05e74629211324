TITLE Sodium current of mouse neurons, twelve states

COMMENT
Allosteric model: five closed states and one open one (C1 to C5, O) and their inactivated partners
(I1 to I5, I6). Inactivation favours activation by the factor alfac per step and slows the way
back by btfac. Rates at 37 degC, times q = 2.3^((T - 37) / 10):

    C1 <-> ... <-> C5    n alpha exp(v / x1), n = 4 3 2 1      n beta exp(v / x2), n = 1 2 3 4
    I1 <-> ... <-> I5    the same times alfac                  the same over btfac
    C5 <-> O, I5 <-> I6  gamma                                 delta
    Cj <-> Ij            Con alfac^(j-1)                       Coff / btfac^(j-1)
    O  <-> I6            Oon                                   Ooff

Kinetics:  Carter, Giessel, Sabatini & Bean 2012, Neuron 75:1081, doi 10.1016/j.neuron.2012.08.033
Constants: as in the parameter conventions of the perisomatic models of Gouwens et al. 2018, Nat
           Commun 9:710, doi 10.1038/s41467-017-02718-3; q10 2.3 from 37 degC.
Units:     ms, mV, mA/cm2; gbar in S/cm2.
Deviations: starts at the steady state of its own reactions. The file that goes with the convention
           has one wrong coefficient in its start (the return from I4 to I3): at 34 degC and -80 mV
           it starts with 6 % of the channels inactivated instead of 0.14 %, at -60 mV 45 % instead
           of 12 %. From -80 mV that lowers the first peak of a step by up to 7 %.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX NaV
    USEION na READ ena WRITE ina
    RANGE gbar, g, ina
    RANGE up, down, open, close, qt, con1, con2, con3, con4, con5, coff1, coff2, coff3, coff4, coff5
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0 (S/cm2)
    alpha = 400 (/ms)
    beta = 12 (/ms)
    x1 = 24 (mV)
    x2 = -24 (mV)
    gamma = 250 (/ms)
    delta = 60 (/ms)
    Con = 0.01 (/ms)
    Coff = 40 (/ms)
    Oon = 8 (/ms)
    Ooff = 0.05 (/ms)
    alfac = 2.51
    btfac = 5.32
    q10 = 2.3
    t0 = 37 (degC)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    ena (mV)
    ina (mA/cm2)
    g (S/cm2)
    qt
    up (/ms)
    down (/ms)
    open (/ms)
    close (/ms)
    con1 (/ms)
    con2 (/ms)
    con3 (/ms)
    con4 (/ms)
    con5 (/ms)
    coff1 (/ms)
    coff2 (/ms)
    coff3 (/ms)
    coff4 (/ms)
    coff5 (/ms)
}

STATE {
    C1
    C2
    C3
    C4
    C5
    O
    I1
    I2
    I3
    I4
    I5
    I6
}

BREAKPOINT {
    SOLVE activation METHOD sparse
    g = gbar * O
    ina = g * (v - ena)
}

INITIAL {
    SOLVE activation STEADYSTATE sparse
}

KINETIC activation {
    rates(v)
    ~ C1 <-> C2 (4 * up, down)
    ~ C2 <-> C3 (3 * up, 2 * down)
    ~ C3 <-> C4 (2 * up, 3 * down)
    ~ C4 <-> C5 (up, 4 * down)
    ~ C5 <-> O (open, close)
    ~ I1 <-> I2 (4 * up * alfac, down / btfac)
    ~ I2 <-> I3 (3 * up * alfac, 2 * down / btfac)
    ~ I3 <-> I4 (2 * up * alfac, 3 * down / btfac)
    ~ I4 <-> I5 (up * alfac, 4 * down / btfac)
    ~ I5 <-> I6 (open, close)
    ~ C1 <-> I1 (con1, coff1)
    ~ C2 <-> I2 (con2, coff2)
    ~ C3 <-> I3 (con3, coff3)
    ~ C4 <-> I4 (con4, coff4)
    ~ C5 <-> I5 (con5, coff5)
    ~ O <-> I6 (qt * Oon, qt * Ooff)
    CONSERVE C1 + C2 + C3 + C4 + C5 + O + I1 + I2 + I3 + I4 + I5 + I6 = 1
}

PROCEDURE rates(v (mV)) {
UNITSOFF
    qt = q10 ^ ((celsius - t0) / 10)
    up = qt * alpha * exp(v / x1)
    down = qt * beta * exp(v / x2)
    open = qt * gamma
    close = qt * delta
    con1 = qt * Con
    con2 = con1 * alfac
    con3 = con2 * alfac
    con4 = con3 * alfac
    con5 = con4 * alfac
    coff1 = qt * Coff
    coff2 = coff1 / btfac
    coff3 = coff2 / btfac
    coff4 = coff3 / btfac
    coff5 = coff4 / btfac
UNITSON
}
