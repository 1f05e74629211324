TITLE Inactivating potassium current of four-state channels, deterministic or channel by channel

COMMENT
For irregular and stuttering firing of the set of 2023. With deterministic 0 each segment holds N whole
channels with two independent gates, l (activation) and n (inactivation); a step moves binomial
numbers of gates with the exact probabilities of a constant voltage.

    ik = gkbar l n (v - ek)
    linf = 1 / (1 + exp(-(v + 40) / 10))             ltau = 2.09 + 0.346 exp(-(v + 10) / 18.272)
    ninf = 1 / (1 + exp(0.0878 (v + 65.1)))          ntau = 4.627 + 2.1 exp(-(v + 10) / 21.2)
    stochastic: N = gkbar surface / gamma; in a step a gate x opens with xinf (1 - exp(-dt / xtau)) and
    shuts with (1 - xinf) (1 - exp(-dt / xtau)); starts with a draw from the steady state

Kinetics:  Mendonca et al. 2016, eLife 5:e16475, doi 10.7554/eLife.16475, all voltages moved by -10 mV
           (junction potential)
Constants: as used by Reva et al. 2023, Patterns 4:100855, doi 10.1016/j.patter.2023.100855; the fits
           set gamma to 30 pS, the default is that of the file they used, 50 pS.
Units:     ms, mV, mA/cm2, pS, um2; gkbar in S/cm2. No temperature dependence.
Deviations: no table of rates; exact probabilities in place of rate times dt; the start is drawn, not
           rounded; deterministic by default. Stochastic channels need a fixed time step.
Random numbers: Random123. The builder sets the stream's ids and surface, the membrane area of the
           segment (pipeline/cells/noise.py): NEURON 9.0 cannot load a mechanism that has both
           RANDOM and area. Stochastic without surface gives a voltage that is not a number.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX StochKv3
    USEION k READ ek WRITE ik
    RANGE gkbar, gamma, deterministic, surface, gk, ik, linf, ltau, ninf, ntau, N, N1, Nl, Nn
    RANDOM rng
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
    (pS) = (picosiemens)
    (um) = (micron)
}

PARAMETER {
    gkbar = 0 (S/cm2)
    gamma = 50 (pS)
    deterministic = 1
    surface = 0 (um2)
    vhl = -40 (mV)
    kl = 10 (mV)
    tl0 = 2.09 (ms)
    tl1 = 0.346 (ms)
    ktl = 18.272 (mV)
    vhn = -65.1 (mV)
    kn = 0.0878 (/mV)
    tn0 = 4.627 (ms)
    tn1 = 2.1 (ms)
    ktn = 21.2 (mV)
    vt = -10 (mV)
}

ASSIGNED {
    v (mV)
    dt (ms)
    ek (mV)
    ik (mA/cm2)
    gk (S/cm2)
    linf
    ltau (ms)
    ninf
    ntau (ms)
    N
    N1
    Nl
    Nn
}

STATE {
    l
    n
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    IF (deterministic) {
        gk = gkbar * l * n
    } ELSE {
        gk = 1e-4 * N1 * gamma / surface
    }
    ik = gk * (v - ek)
}

INITIAL {
    LOCAL active
    rates(v)
    l = linf
    n = ninf
    N = 0
    N1 = 0
    Nl = 0
    Nn = 0
    IF (!deterministic) {
        random_setseq(rng, 0)
        N = floor(1e4 * gkbar * surface / gamma + 0.5)
        active = binomial(N, linf)
        N1 = binomial(active, ninf)
        Nl = active - N1
        Nn = binomial(N - active, ninf)
    }
}

DERIVATIVE states {
    rates(v)
    l' = (linf - l) / ltau
    n' = (ninf - n) / ntau
    move()
}

: N1 has both gates open, Nl and Nn only the one they name.
PROCEDURE move() {
    LOCAL part, up, down, closed
    IF (!deterministic) {
        part = 1 - exp(-dt / ltau)
        closed = N - N1 - Nl - Nn
        up = binomial(Nn, linf * part)
        down = binomial(N1, (1 - linf) * part)
        N1 = N1 + up - down
        Nn = Nn - up + down
        up = binomial(closed, linf * part)
        down = binomial(Nl, (1 - linf) * part)
        Nl = Nl + up - down
        part = 1 - exp(-dt / ntau)
        closed = N - N1 - Nl - Nn
        up = binomial(Nl, ninf * part)
        down = binomial(N1, (1 - ninf) * part)
        N1 = N1 + up - down
        Nl = Nl - up + down
        up = binomial(closed, ninf * part)
        down = binomial(Nn, (1 - ninf) * part)
        Nn = Nn + up - down
    }
}

PROCEDURE rates(v (mV)) {
UNITSOFF
    linf = 1 / (1 + exp(-(v - vhl) / kl))
    ltau = tl0 + tl1 * exp(-(v - vt) / ktl)
    ninf = 1 / (1 + exp(kn * (v - vhn)))
    ntau = tn0 + tn1 * exp(-(v - vt) / ktn)
UNITSON
}

INCLUDE "binomial.inc"
