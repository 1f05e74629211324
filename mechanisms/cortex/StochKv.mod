TITLE Potassium current of two-state channels, deterministic or channel by channel

COMMENT
For stuttering and irregular firing. With deterministic 0 each segment holds N whole channels, each a
two-state Markov chain; a step moves binomial numbers of them with the exact probabilities of a
constant voltage, so that mean, variance and memory do not depend on dt.

    ik = gkbar n tadj (v - ek)                   tadj = 2.3^((T - 23) / 10)
    a = 0.02 vtrap(-40 - v, 9)    b = 0.002 vtrap(v + 40, 9)    vtrap(x, k) = x / (exp(x / k) - 1)
    ninf = a / (a + b)            ntau = 1 / ((a + b) tadj)
    stochastic: N = gkbar surface / gamma, n = open / N, P(open) = ninf (1 - exp(-dt / ntau)) and
    P(close) = (1 - ninf) (1 - exp(-dt / ntau)) in a step; starts with a draw from the steady state

Kinetics:  Mainen, Joerges, Huguenard & Sejnowski 1995, Neuron 15:1427, doi
           10.1016/0896-6273(95)90020-9; Markov version as in Manwani, Steinmetz & Koch
           1999, NIPS 12:143
Constants: half-voltage -40 mV, gamma 30 pS as used by Markram et al. 2015, Cell 163:456, doi
           10.1016/j.cell.2015.09.029; q10 2.3 from 23 degC.
Units:     ms, mV, mA/cm2, pS, um2; gkbar in S/cm2.
Deviations: no table of rates; exact probabilities in place of a dt and b dt; the start is drawn, not
           rounded; deterministic by default. One mechanism for StochKv and StochKv_deterministic.
           Stochastic channels need a fixed time step.
Random numbers: Random123. The builder sets the stream's ids and surface, the membrane area of the
           segment (pipeline/cells/noise.py): NEURON 9.0 cannot load a mechanism that has both
           RANDOM and area. Stochastic without surface gives a voltage that is not a number.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX StochKv
    USEION k READ ek WRITE ik
    RANGE gkbar, gamma, deterministic, surface, gk, ik, ninf, ntau, N, N1
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
    gamma = 30 (pS)
    deterministic = 1
    surface = 0 (um2)
    tha = -40 (mV)
    qa = 9 (mV)
    Ra = 0.02 (/ms)
    Rb = 0.002 (/ms)
    q10 = 2.3
    temp = 23 (degC)
}

ASSIGNED {
    v (mV)
    dt (ms)
    celsius (degC)
    ek (mV)
    ik (mA/cm2)
    gk (S/cm2)
    ninf
    ntau (ms)
    tadj
    N
    N1
}

STATE {
    n
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    IF (deterministic) {
        gk = gkbar * n * tadj
    } ELSE {
        gk = 1e-4 * N1 * gamma / surface * tadj
    }
    ik = gk * (v - ek)
}

INITIAL {
    rates(v)
    n = ninf
    N = 0
    N1 = 0
    IF (!deterministic) {
        random_setseq(rng, 0)
        N = floor(1e4 * gkbar * surface / gamma + 0.5)
        N1 = binomial(N, ninf)
    }
}

DERIVATIVE states {
    rates(v)
    n' = (ninf - n) / ntau
    move()
}

PROCEDURE move() {
    LOCAL part, up, down
    IF (!deterministic) {
        part = 1 - exp(-dt / ntau)
        up = binomial(N - N1, ninf * part)
        down = binomial(N1, (1 - ninf) * part)
        N1 = N1 + up - down
    }
}

PROCEDURE rates(v (mV)) {
    LOCAL a, b
UNITSOFF
    tadj = q10 ^ ((celsius - temp) / 10)
    a = Ra * vtrap(tha - v, qa)
    b = Rb * vtrap(v - tha, qa)
    ninf = a / (a + b)
    ntau = 1 / ((a + b) * tadj)
UNITSON
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

INCLUDE "binomial.inc"
