TITLE GLIF cell, levels 1 to 5, with alpha conductances

COMMENT
As GlifPsc (equations, time, NetCon, units: see there), with conductances instead of currents:

    C dV/dt = i_e + sum_j I_j + sum_k G_k (E_rev_k - V) - g (V - E_L)
    G_k = w (e/tau) t exp(-t/tau) for each event at port k

weight[0] is the peak conductance in `unit` uS (not negative). Conductances at the start, middle and end of a
step are exact; the voltage is advanced by the classical Runge-Kutta method of fourth order, whose
error at 0.1 ms is far below the 1e-3 mV per step that NEST's glif_cond allows its adaptive method.

As in NEST's glif_cond the voltage of a step is driven by the after-spike current of the step before
(there the voltage comes first, then the currents), and Th_v sees i_e and after-spike currents only.
Both are first order in the time step; GlifPsc has no such lag.

Source: Teeter et al. 2018, Nat Commun 9:709, doi 10.1038/s41467-017-02717-4; grid rules: NEST 3,
        model glif_cond. Defaults are no published cell.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS GlifCond
    NONSPECIFIC_CURRENT i
    RANGE level, C, g, E_L, V_th, V_reset, v0, t_ref, n_asc, asc_amps, asc_decay, asc_r, asc_init
    RANGE th_spike_add, th_spike_decay, th_voltage_index, th_voltage_decay
    RANGE voltage_reset_fraction, voltage_reset_add, i_e, follow, unit, pending
    RANGE i, drive, vm, u, theta, th_spike, th_voltage, asc, asc_mean, asc_step, asc_share, asc_rest
    RANGE th_spike_step, th_spike_rest, th_voltage_step, leak_step, gain, h, left, hold, fired, lost
    RANGE n_port, tau, E_rev, rise, conductance, fade, fade_half
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
    E_rev[NPORT] (mV)
}

ASSIGNED {
    rise[NPORT] (uS/ms)
    conductance[NPORT] (uS)
    fade[NPORT]
    fade_half[NPORT]
}

INITIAL {
    start()
    ports()
    FROM k = 0 TO NPORT - 1 {
        pending[k] = 0
        rise[k] = 0
        conductance[k] = 0
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
        FROM k = 0 TO NPORT - 1 {
            IF (k < n_port) {
                conductance[k] = (conductance[k] + h * rise[k]) * fade[k]
                rise[k] = rise[k] * fade[k]
            }
        }
    } ELSE {
        before = u
        advance_voltage()
        advance_asc()
        advance_threshold(before)
        IF (u + E_L > theta) {
            spike(before)
        }
    }
    vm = u + E_L
}

: Runge-Kutta of u' = (supply - load u) / C with supply and load at start, middle and end of the step.
PROCEDURE advance_voltage() {
    LOCAL load0, load1, load2, supply0, supply1, supply2, middle, k1, k2, k3, k4
    load0 = g
    supply0 = drive + asc_mean
    load1 = load0
    load2 = load0
    supply1 = supply0
    supply2 = supply0
    FROM k = 0 TO NPORT - 1 {
        IF (k < n_port) {
            load0 = load0 + conductance[k]
            supply0 = supply0 + conductance[k] * (E_rev[k] - E_L)
            middle = (conductance[k] + h / 2 * rise[k]) * fade_half[k]
            load1 = load1 + middle
            supply1 = supply1 + middle * (E_rev[k] - E_L)
            conductance[k] = (conductance[k] + h * rise[k]) * fade[k]
            rise[k] = rise[k] * fade[k]
            load2 = load2 + conductance[k]
            supply2 = supply2 + conductance[k] * (E_rev[k] - E_L)
        }
    }
    k1 = (supply0 - load0 * u) / C
    k2 = (supply1 - load1 * (u + h / 2 * k1)) / C
    k3 = (supply1 - load1 * (u + h / 2 * k2)) / C
    k4 = (supply2 - load2 * (u + h * k3)) / C
    u = u + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
}

: As in GlifPsc: the events of this step, all at once.
PROCEDURE receive() {
    FROM k = 0 TO NPORT - 1 {
        IF (pending[k] != 0) {
            rise[k] = rise[k] + unit * pending[k] * exp(1) / tau[k]
            pending[k] = 0
        }
    }
}

PROCEDURE ports() {
    FROM k = 0 TO NPORT - 1 {
        IF (k < n_port) {
            fade[k] = exp(-h / tau[k])
            fade_half[k] = exp(-h / 2 / tau[k])
        }
    }
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
