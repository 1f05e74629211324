TITLE Excitatory synapse: AMPA and NMDA receptors, stochastic release, short-term plasticity

COMMENT
    i = g_ampa (v - e) + g_nmda B(v) (v - e)         B(v) = 1 / (1 + mg / mg_scale exp(-mg_slope v))
    g = factor (fall - rise) of either receptor, a difference of exponentials whose peak factor scales to 1
    both states step by weight g_max released / N; those of NMDA times nmda_ratio

released: see release.inc. The NetCon's weight is a factor: 1 for an intact synapse; an event of weight 0 or
less releases nothing. States advance by their exact propagators; an event acts at the step it falls into,
as NEURON delivers it (within half a step). Fixed time steps only.

Source:   dual exponential: Roth & van Rossum 2009, in De Schutter (ed.), Computational Modeling Methods for
          Neuroscientists, ISBN 0-262-01327-4, section 6.2. Magnesium: Jahr & Stevens 1990, J Neurosci
          10:3178, doi 10.1523/JNEUROSCI.10-09-03178.1990. Release: release.inc.
Defaults: kinetics and magnesium as in the neocortical microcircuit of Markram et al. 2015, Cell 163:456,
          doi 10.1016/j.cell.2015.09.029, and its published cell packages; U, D, F depressing synapses
          between pyramidal cells there; g_max 1 nS: assumed, for users set it.
Units:    ms, mV, uS, nA, mM, Hz (mini_rate).
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS AmpaNmdaRelease
    NONSPECIFIC_CURRENT i
    RANGE g_max, nmda_ratio, e, mg, mg_scale, mg_slope
    RANGE tau_r_ampa, tau_d_ampa, tau_r_nmda, tau_d_nmda
    RANGE U, D, F, N, mini_rate, stochastic
    RANGE i, g_ampa, g_nmda, u, full, last
    RANGE rise_ampa, fall_ampa, rise_nmda, fall_nmda, factor_ampa, factor_nmda, h
    RANGE fade_r_ampa, fade_d_ampa, fade_r_nmda, fade_d_nmda
    RANDOM release_stream, mini_stream
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
    (mM) = (milli/liter)
}

PARAMETER {
    g_max = 0.001 (uS)
    nmda_ratio = 0.4
    e = 0 (mV)
    mg = 1 (mM)
    mg_scale = 3.57 (mM)
    mg_slope = 0.062 (/mV)
    tau_r_ampa = 0.2 (ms)
    tau_d_ampa = 1.74 (ms)
    tau_r_nmda = 0.29 (ms)
    tau_d_nmda = 43 (ms)
    U = 0.5
    D = 671 (ms)
    F = 17 (ms)
    N = 1
    mini_rate = 0 (/s)
    stochastic = 1
}

ASSIGNED {
    v (mV)
    dt (ms)
    i (nA)
    g_ampa (uS)
    g_nmda (uS)
    u
    full
    last (ms)
    rise_ampa (uS)
    fall_ampa (uS)
    rise_nmda (uS)
    fall_nmda (uS)
    factor_ampa
    factor_nmda
    fade_r_ampa
    fade_d_ampa
    fade_r_nmda
    fade_d_nmda
    h (ms)
}

INCLUDE "release.inc"

INITIAL {
    factor_ampa = peak_factor(tau_r_ampa, tau_d_ampa)
    factor_nmda = peak_factor(tau_r_nmda, tau_d_nmda)
    rise_ampa = 0
    fall_ampa = 0
    rise_nmda = 0
    fall_nmda = 0
    g_ampa = 0
    g_nmda = 0
    h = 0
    start_release()
    IF (mini_rate > 0) {
        net_send(random_negexp(mini_stream) * 1000 / mini_rate, 1)
    }
}

BREAKPOINT {
    SOLVE advance
    g_ampa = fall_ampa - rise_ampa
    g_nmda = fall_nmda - rise_nmda
    i = (g_ampa + g_nmda * block(v)) * (v - e)
}

PROCEDURE advance() {
    IF (dt != h) {
        h = dt
        fade_r_ampa = exp(-h / tau_r_ampa)
        fade_d_ampa = exp(-h / tau_d_ampa)
        fade_r_nmda = exp(-h / tau_r_nmda)
        fade_d_nmda = exp(-h / tau_d_nmda)
    }
    rise_ampa = rise_ampa * fade_r_ampa
    fall_ampa = fall_ampa * fade_d_ampa
    rise_nmda = rise_nmda * fade_r_nmda
    fall_nmda = fall_nmda * fade_d_nmda
}

: Share of NMDA channels that magnesium leaves open.
FUNCTION block(v (mV)) {
    block = 1 / (1 + mg / mg_scale * exp(-mg_slope * v))
}

PROCEDURE deliver(weight) {
    LOCAL g
    g = weight * g_max * release()
    rise_ampa = rise_ampa + factor_ampa * g
    fall_ampa = fall_ampa + factor_ampa * g
    g = g * nmda_ratio
    rise_nmda = rise_nmda + factor_nmda * g
    fall_nmda = fall_nmda + factor_nmda * g
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
