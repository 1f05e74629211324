TITLE Inhibitory synapse: GABA-A and GABA-B receptors, stochastic release, short-term plasticity

COMMENT
    i = g_gabaa (v - e_gabaa) + g_gabab (v - e_gabab)
    g = factor (fall - rise) of either receptor, a difference of exponentials whose peak factor scales to 1
    both states step by weight g_max released / N; those of GABA-B times gabab_ratio

As AmpaNmdaRelease (release, weight, events, time steps: see there and release.inc). GABA-B is linear in
release; its cooperativity and G-protein cascade are left out, as in the circuit the defaults are from.

Source:   dual exponential: Roth & van Rossum 2009, in De Schutter (ed.), Computational Modeling Methods for
          Neuroscientists, ISBN 0-262-01327-4, section 6.2. Release: release.inc.
Defaults: kinetics, reversals and depressing U, D, F as in the neocortical microcircuit of Markram et al.
          2015, Cell 163:456, doi 10.1016/j.cell.2015.09.029, and its published cell packages; g_max 1 nS:
          assumed, for users set it.
Units:    ms, mV, uS, nA, Hz (mini_rate).
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS GabaABRelease
    NONSPECIFIC_CURRENT i
    RANGE g_max, gabab_ratio, e_gabaa, e_gabab
    RANGE tau_r_gabaa, tau_d_gabaa, tau_r_gabab, tau_d_gabab
    RANGE U, D, F, N, mini_rate, stochastic
    RANGE i, g_gabaa, g_gabab, u, full, last
    RANGE rise_gabaa, fall_gabaa, rise_gabab, fall_gabab, factor_gabaa, factor_gabab, h
    RANGE fade_r_gabaa, fade_d_gabaa, fade_r_gabab, fade_d_gabab
    RANDOM release_stream, mini_stream
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
}

PARAMETER {
    g_max = 0.001 (uS)
    gabab_ratio = 0
    e_gabaa = -80 (mV)
    e_gabab = -75.8 (mV)
    tau_r_gabaa = 0.2 (ms)
    tau_d_gabaa = 8.3 (ms)
    tau_r_gabab = 3.5 (ms)
    tau_d_gabab = 260.9 (ms)
    U = 0.25
    D = 706 (ms)
    F = 21 (ms)
    N = 1
    mini_rate = 0 (/s)
    stochastic = 1
}

ASSIGNED {
    v (mV)
    dt (ms)
    i (nA)
    g_gabaa (uS)
    g_gabab (uS)
    u
    full
    last (ms)
    rise_gabaa (uS)
    fall_gabaa (uS)
    rise_gabab (uS)
    fall_gabab (uS)
    factor_gabaa
    factor_gabab
    fade_r_gabaa
    fade_d_gabaa
    fade_r_gabab
    fade_d_gabab
    h (ms)
}

INCLUDE "release.inc"

INITIAL {
    factor_gabaa = peak_factor(tau_r_gabaa, tau_d_gabaa)
    factor_gabab = peak_factor(tau_r_gabab, tau_d_gabab)
    rise_gabaa = 0
    fall_gabaa = 0
    rise_gabab = 0
    fall_gabab = 0
    g_gabaa = 0
    g_gabab = 0
    h = 0
    start_release()
    IF (mini_rate > 0) {
        net_send(random_negexp(mini_stream) * 1000 / mini_rate, 1)
    }
}

BREAKPOINT {
    SOLVE advance
    g_gabaa = fall_gabaa - rise_gabaa
    g_gabab = fall_gabab - rise_gabab
    i = g_gabaa * (v - e_gabaa) + g_gabab * (v - e_gabab)
}

PROCEDURE advance() {
    IF (dt != h) {
        h = dt
        fade_r_gabaa = exp(-h / tau_r_gabaa)
        fade_d_gabaa = exp(-h / tau_d_gabaa)
        fade_r_gabab = exp(-h / tau_r_gabab)
        fade_d_gabab = exp(-h / tau_d_gabab)
    }
    rise_gabaa = rise_gabaa * fade_r_gabaa
    fall_gabaa = fall_gabaa * fade_d_gabaa
    rise_gabab = rise_gabab * fade_r_gabab
    fall_gabab = fall_gabab * fade_d_gabab
}

PROCEDURE deliver(weight) {
    LOCAL g
    g = weight * g_max * release()
    rise_gabaa = rise_gabaa + factor_gabaa * g
    fall_gabaa = fall_gabaa + factor_gabaa * g
    g = g * gabab_ratio
    rise_gabab = rise_gabab + factor_gabab * g
    fall_gabab = fall_gabab + factor_gabab * g
}

NET_RECEIVE (weight) {
    IF (flag == 1) {
        deliver(1)
        net_send(random_negexp(mini_stream) * 1000 / mini_rate, 1)
    } ELSE {
        IF (weight > 0) {
            deliver(weight)
        }
    }
}
