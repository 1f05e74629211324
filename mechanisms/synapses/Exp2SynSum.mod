TITLE Two-exponential synaptic conductance that sums simultaneous events before it scales

COMMENT
    g = w factor (exp(-t/tau2) - exp(-t/tau1)) after an event of weight w (uS);  i = g (v - e)
    factor: the peak of g is w; it comes tau1 tau2 / (tau2 - tau1) ln(tau2 / tau1) after the event

g is the sum over events and linear in them, so that one point process stands for all synapses of equal
kinetics on a segment. Events of a step gather in `pending`; weights that lie on a binary grid add
exactly in any order, and only the sum is scaled. Otherwise the last bits would depend on the order in
which NEURON delivers simultaneous events, and that order on the number of MPI ranks.

At the event g is 0 still; adding it when the states advance, after the currents of the step, is
therefore the same as adding it at delivery. States advance by their exact propagators. Fixed time
steps only.

Source: the dual exponential of textbooks: Dayan & Abbott 2001, Theoretical Neuroscience, ISBN
        0-262-04199-5, eq. 5.32; Roth & van Rossum 2009, in De Schutter (ed.), Computational Modeling
        Methods for Neuroscientists, ISBN 0-262-01327-4, section 6.2. Defaults are no published synapse.
Units:  ms, mV, uS, nA.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS Exp2SynSum
    NONSPECIFIC_CURRENT i
    RANGE tau1, tau2, e, i, g, pending, rising, falling, factor, fade1, fade2, h
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
}

PARAMETER {
    tau1 = 1 (ms)
    tau2 = 3 (ms)
    e = 0 (mV)
}

ASSIGNED {
    v (mV)
    dt (ms)
    i (nA)
    g (uS)
    pending (uS)
    rising (uS)
    falling (uS)
    factor
    fade1
    fade2
    h (ms)
}

INITIAL {
    LOCAL peak
    peak = tau1 * tau2 / (tau2 - tau1) * log(tau2 / tau1)
    factor = 1 / (exp(-peak / tau2) - exp(-peak / tau1))
    pending = 0
    rising = 0
    falling = 0
    g = 0
    h = 0
}

BREAKPOINT {
    SOLVE advance
    i = g * (v - e)
}

PROCEDURE advance() {
    IF (dt != h) {
        h = dt
        fade1 = exp(-h / tau1)
        fade2 = exp(-h / tau2)
    }
    rising = (rising + factor * pending) * fade1
    falling = (falling + factor * pending) * fade2
    pending = 0
    g = falling - rising
}

NET_RECEIVE (weight (uS)) {
    pending = pending + weight
}
