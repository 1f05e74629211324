TITLE GLIF cell, levels 1 to 5, with alpha or double-alpha currents

COMMENT
A generalised leaky integrate-and-fire cell with its own membrane:

    C dV/dt = i_e + sum_j I_j + sum_k S_k - g (V - E_L)        dI_j/dt = -asc_decay_j I_j
    dTh_s/dt = -b_s Th_s                                       dTh_v/dt = a_v (V - E_L) - b_v Th_v
    spike when V > V_th + Th_s + Th_v; then t_ref without integration, then reset:
      levels 1, 3      V <- V_reset
      levels 2, 4, 5   V <- E_L + f_v (V- - E_L) + add;  Th_s <- Th_s exp(-b_s t_ref) + dTh_s
      levels 3, 4, 5   I_j <- r_j I_j exp(-asc_decay_j t_ref) + asc_amps_j
    S_k = w [(e/tau) t exp(-t/tau) + amp_slow (e/tau_slow) t exp(-t/tau_slow)] for each event at port k

With amp_slow = 0 (the default) a port is a plain alpha current of peak w (nA). Th_s is used by levels
2, 4 and 5, Th_v by level 5.

Why a membrane of its own: vm, currents and threshold are advanced once per time step by their exact
propagators, so that the cell equals NEST's glif_psc (level for level, spike for spike) to rounding,
which no cell on NEURON's implicit voltage can. Within a step i_e and the mean of each after-spike
current are constant. Th_v does not see synaptic currents within the step and is held over the
refractory time, both as in NEST. V- is the voltage at the start of the step that crosses.

Time: a spike is found at the end of the step that crosses and carries that time (WATCH and net_event
at the following call, before any step). An event acts from its delivery time on, which is spike time
plus delay, both on the grid: nothing has to be shifted to agree with NEST. i_e is read where currents
are evaluated (mid-step), so that a play vector counts with its own time step.

NetCon: weight[0] in `unit` nA (inhibitory negative), weight[1] port from 1 on. Events for ports that do not
exist are counted in `lost` and have no effect. The section is only a holder: its voltage follows vm
one step later through the conductance `follow`; record vm. Fixed time steps only.

Source: Teeter et al. 2018, Nat Commun 9:709, doi 10.1038/s41467-017-02717-4 (equations, Table 1);
        grid rules and port convention: documentation of NEST 3, models glif_psc and
        glif_psc_double_alpha. Defaults are no published cell.
Units:  ms, mV, nA, uS, nF; voltages absolute except add and the threshold components.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS GlifPsc
    NONSPECIFIC_CURRENT i
    RANGE level, C, g, E_L, V_th, V_reset, v0, t_ref, n_asc, asc_amps, asc_decay, asc_r, asc_init
    RANGE th_spike_add, th_spike_decay, th_voltage_index, th_voltage_decay
    RANGE voltage_reset_fraction, voltage_reset_add, i_e, follow, unit, pending
    RANGE i, drive, vm, u, theta, th_spike, th_voltage, asc, asc_mean, asc_step, asc_share, asc_rest
    RANGE th_spike_step, th_spike_rest, th_voltage_step, leak_step, gain, h, left, hold, fired, lost
    RANGE n_port, tau, tau_slow, amp_slow, rise, current, rise_slow, current_slow
    RANGE fade, from_rise, from_current, fade_slow, from_rise_slow, from_current_slow
    RANGE near, far
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
    (nF) = (nanofarad)
}

DEFINE NASC 4
DEFINE NPORT 12

INCLUDE "glif_parameters.inc"
INCLUDE "glif_membrane.inc"

PARAMETER {
    n_port = 0
    tau[NPORT] (ms)
    tau_slow[NPORT] (ms)
    amp_slow[NPORT]
}

ASSIGNED {
    rise[NPORT] (nA/ms)
    current[NPORT] (nA)
    rise_slow[NPORT] (nA/ms)
    current_slow[NPORT] (nA)
    fade[NPORT]
    from_rise[NPORT]
    from_current[NPORT]
    fade_slow[NPORT]
    from_rise_slow[NPORT]
    from_current_slow[NPORT]
    near
    far
}

INITIAL {
    start()
    ports()
    FROM k = 0 TO NPORT - 1 {
        pending[k] = 0
        rise[k] = 0
        current[k] = 0
        rise_slow[k] = 0
        current_slow[k] = 0
    }
    net_send(0, 1)
}

BREAKPOINT {
    SOLVE advance
    drive = i_e
    i = follow * (v - vm)
}

PROCEDURE advance() {
    LOCAL before
    IF (dt != h) {
        coefficients()
        ports()
    }
    fired = 0
    receive()
    IF (left > 0) {
        left = left - 1
        theta = V_th + th_spike + th_voltage
    } ELSE {
        before = u
        advance_asc()
        u = before * leak_step + (drive + asc_mean) * gain
        FROM k = 0 TO NPORT - 1 {
            IF (k < n_port) {
                u = u + from_rise[k] * rise[k] + from_current[k] * current[k]
                IF (amp_slow[k] != 0) {
                    u = u + from_rise_slow[k] * rise_slow[k] + from_current_slow[k] * current_slow[k]
                }
            }
        }
        advance_threshold(before)
        IF (u + E_L > theta) {
            spike(before)
        }
    }
    FROM k = 0 TO NPORT - 1 {
        IF (k < n_port) {
            current[k] = (current[k] + h * rise[k]) * fade[k]
            rise[k] = rise[k] * fade[k]
            IF (amp_slow[k] != 0) {
                current_slow[k] = (current_slow[k] + h * rise_slow[k]) * fade_slow[k]
                rise_slow[k] = rise_slow[k] * fade_slow[k]
            }
        }
    }
    vm = u + E_L
}

: The events of this step, all at once: they are summed as they are, so that weights on a binary grid
: add exactly in whatever order ranks deliver them.
PROCEDURE receive() {
    FROM k = 0 TO NPORT - 1 {
        IF (pending[k] != 0) {
            rise[k] = rise[k] + unit * pending[k] * exp(1) / tau[k]
            IF (amp_slow[k] != 0) {
                rise_slow[k] = rise_slow[k] + unit * pending[k] * amp_slow[k] * exp(1) / tau_slow[k]
            }
            pending[k] = 0
        }
    }
}

: What a port's rise (nA/ms) and current (nA) at the start of a step add to V at its end.
PROCEDURE ports() {
    FROM k = 0 TO NPORT - 1 {
        IF (k < n_port) {
            fade[k] = exp(-h / tau[k])
            propagate(tau[k])
            from_current[k] = near
            from_rise[k] = far
            IF (amp_slow[k] != 0) {
                fade_slow[k] = exp(-h / tau_slow[k])
                propagate(tau_slow[k])
                from_current_slow[k] = near
                from_rise_slow[k] = far
            }
        }
    }
}

: near = 1/C exp(-g h/C) int_0^h exp(x s/h) ds and far = the same with s in the integrand, where
: x = h (g/C - 1/time). Both forms lose digits near x = 0; a series stands in there.
PROCEDURE propagate(time (ms)) {
    LOCAL x, first, second
    x = h * (g / C - 1 / time)
    IF (fabs(x) < 0.1) {
        first = 1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5 * (1 + x / 6 * (1 + x / 7 * (1 + x / 8 * (1 + x / 9)))))))
        second = 1 / 2 + x * (1 / 3 + x * (1 / 8 + x * (1 / 30 + x * (1 / 144 + x * (1 / 840 + x * (1 / 5760 + x * (1 / 45360 + x / 403200)))))))
    } ELSE {
        first = (exp(x) - 1) / x
        second = (exp(x) - first) / x
    }
    near = leak_step * h * first / C
    far = leak_step * h * h * second / C
}

NET_RECEIVE (weight, port) {
    LOCAL k
    INITIAL {
    }
    IF (flag == 1) {
        WATCH (fired > 0.5) 2
    } ELSE {
        IF (flag == 2) {
            net_event(t)
        } ELSE {
            IF (port < 1 || port > n_port) {
                lost = lost + 1
            } ELSE {
                k = port - 1
                pending[k] = pending[k] + weight
            }
        }
    }
}
