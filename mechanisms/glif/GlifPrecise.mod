TITLE GLIF cell, levels 1 to 5, with alpha or double-alpha currents and spikes off the grid

COMMENT
The equations, parameters, ports and NetCon weights of GlifPsc (see there), without a grid for spikes.

Within a step the current i_e is constant, so that the membrane has a closed form over any part of the
step: leak, each after-spike current (an exponential) and each port (alpha functions). Where V meets the
threshold is found on that form by a bracketed secant search; reset rules act there, with V- the voltage
at the crossing, and t_ref begins there. The rest of the step, or of the step in which t_ref ends, goes
on in closed form. A crossing that comes and goes within one step is found where V - threshold has a
maximum between the ends. Only Th_v (level 5) is an integral: three Gauss nodes per step, whose error
at 0.1 ms is below rounding.

Events count from their own time on, not from a step's: they are carried to the start of the step in
closed form, from before it (half a step at most) or from after it. The one thing this cannot do is
move a spike of the step before: a crossing that such an event causes before the step it comes to is
told at that step's start, half a step late at most. Each part of the carried event is rounded to 2^-48
(nA/ms, nA, mV), so that sums do not depend on the order of arrival.

Time: NEURON sends nothing into the past, and a spike is known at its step's end. It is sent one step
later than it happened, exactly: who records takes dt off its time, who connects takes dt off the delay
(which must be two steps at least). Targets that are no GlifPrecise get it at the step next to its time.
Up to NFIRE spikes per step; a cell with a shorter t_ref is refused where cells are made.

Source: Teeter et al. 2018, Nat Commun 9:709, doi 10.1038/s41467-017-02717-4.
Units:  ms, mV, nA, uS, nF. Fixed time steps only. Defaults are no published cell.
No two routines have locals or arguments of one name: CoreNEURON's compiler writes routines into their
callers, where such names hide each other.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS GlifPrecise
    NONSPECIFIC_CURRENT i
    RANGE level, C, g, E_L, V_th, V_reset, v0, t_ref, n_asc, asc_amps, asc_decay, asc_r, asc_init
    RANGE th_spike_add, th_spike_decay, th_voltage_index, th_voltage_decay
    RANGE voltage_reset_fraction, voltage_reset_add, i_e, follow, unit
    RANGE i, drive, vm, u, theta, th_spike, th_voltage, asc, lost
    RANGE n_port, tau, tau_slow, amp_slow, rise, current, rise_slow, current_slow
    RANGE add_u, add_rise, add_current, add_rise_slow, add_current_slow
    RANGE now, wait, since, parity, n_fired, stamp, reached, gap, slope, near, far
    RANGE span, leak, gain, asc_fade, asc_near, th_spike_fade, th_voltage_fade
    RANGE fade, from_rise, from_current, fade_slow, from_rise_slow, from_current_slow
    RANGE th_u, th_drive, th_asc, th_rise, th_current, th_rise_slow, th_current_slow
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
    (nF) = (nanofarad)
}

DEFINE NASC 4
DEFINE NPORT 12
DEFINE NFIRE 8

INCLUDE "glif_parameters.inc"

PARAMETER {
    n_port = 0
    tau[NPORT] (ms)
    tau_slow[NPORT] (ms)
    amp_slow[NPORT]
}

ASSIGNED {
    v (mV)
    dt (ms)
    i (nA)
    drive (nA)
    vm (mV)
    u (mV)
    theta (mV)
    th_spike (mV)
    th_voltage (mV)
    asc[NASC] (nA)
    rise[NPORT] (nA/ms)
    current[NPORT] (nA)
    rise_slow[NPORT] (nA/ms)
    current_slow[NPORT] (nA)
    add_u (mV)
    add_rise[NPORT] (nA/ms)
    add_current[NPORT] (nA)
    add_rise_slow[NPORT] (nA/ms)
    add_current_slow[NPORT] (nA)
    now (ms)
    wait (ms)
    since (ms)
    parity
    n_fired
    stamp[NFIRE] (ms)
    lost
    reached (mV)
    gap (mV)
    slope (mV/ms)
    near
    far
    span (ms)
    leak
    gain (mV/nA)
    asc_fade[NASC]
    asc_near[NASC]
    th_spike_fade
    th_voltage_fade
    fade[NPORT]
    from_rise[NPORT]
    from_current[NPORT]
    fade_slow[NPORT]
    from_rise_slow[NPORT]
    from_current_slow[NPORT]
    th_u
    th_drive
    th_asc[NASC]
    th_rise[NPORT]
    th_current[NPORT]
    th_rise_slow[NPORT]
    th_current_slow[NPORT]
}

INITIAL {
    vm = v0
    u = v0 - E_L
    th_spike = 0
    th_voltage = 0
    theta = V_th
    FROM a = 0 TO NASC - 1 {
        asc[a] = asc_init[a]
    }
    FROM k = 0 TO NPORT - 1 {
        rise[k] = 0
        current[k] = 0
        rise_slow[k] = 0
        current_slow[k] = 0
        add_rise[k] = 0
        add_current[k] = 0
        add_rise_slow[k] = 0
        add_current_slow[k] = 0
    }
    add_u = 0
    now = t
    wait = 0
    since = 1e9
    parity = 0
    n_fired = 0
    lost = 0
    drive = i_e
    coefficients(dt)
    net_send(0, 1)
}

BREAKPOINT {
    SOLVE advance
    drive = i_e
    i = follow * (v - vm)
}

: One step, in as many pieces as spikes and ends of refractory times make of it.
PROCEDURE advance() {
    LOCAL done, rest, piece
    n_fired = 0
    receive()
    done = 0
    WHILE (dt - done > 1e-9) {
        rest = dt - done
        IF (wait > 0) {
            piece = wait
            IF (piece > rest) {
                piece = rest
            }
            fit(piece)
            fade_ports()
            wait = wait - piece
            IF (wait < 1e-9) {
                wait = 0
                since = 0
            }
        } ELSE {
            piece = crossing(rest)
            IF (piece < 0) {
                piece = rest
                move(piece)
            } ELSE {
                move(piece)
                spike()
                IF (n_fired < NFIRE) {
                    stamp[n_fired] = t + done + piece
                    n_fired = n_fired + 1
                }
            }
        }
        done = done + piece
    }
    IF (n_fired > 0) {
        parity = 1 - parity
    }
    theta = V_th + th_spike + th_voltage
    vm = u + E_L
    now = t
}

: Part of the coming `most` ms after which V meets the threshold; negative if it does not.
FUNCTION crossing(most (ms)) (ms) {
    LOCAL low, high, below, above, middle, before, found
    found = -1
    below = u + E_L - V_th - th_spike - th_voltage
    IF (below > 0) {
        found = 0
    } ELSE {
        rates()
        before = slope
        look(most)
        high = most
        above = gap
        IF (above <= 0 && before > 0 && below + before * most > 0) {
            high = summit(most)
            look(high)
            above = gap
        }
        IF (above > 0) {
            low = 0
            found = high
            FROM n = 1 TO 100 {
                IF (high - low > 1e-10) {
                    : Secant on the bracket; every third time its middle, so that it shrinks for sure.
                    middle = high - above * (high - low) / (above - below)
                    IF (n == 3 * floor(n / 3)) {
                        middle = (low + high) / 2
                    }
                    look(middle)
                    IF (gap > 0) {
                        high = middle
                        above = gap
                    } ELSE {
                        low = middle
                        below = gap
                    }
                    found = high
                    IF (fabs(gap) < 1e-11) {
                        found = middle
                        low = high
                    }
                }
            }
        }
    }
    crossing = found
}

: Where V - threshold is largest within the coming `most` ms, if it rises first and then falls.
FUNCTION summit(upto (ms)) (ms) {
    LOCAL left, right, centre
    left = 0
    right = upto
    FROM n = 1 TO 24 {
        centre = (left + right) / 2
        look(centre)
        ahead(centre)
        IF (slope > 0) {
            left = centre
        } ELSE {
            right = centre
        }
    }
    summit = right
}

: Rate of V - threshold now.
PROCEDURE rates() {
    LOCAL total
    total = drive - g * u
    FROM a = 0 TO NASC - 1 {
        IF (level > 2 && a < n_asc) {
            total = total + asc[a]
        }
    }
    FROM k = 0 TO NPORT - 1 {
        IF (k < n_port) {
            total = total + current[k] + current_slow[k]
        }
    }
    slope = total / C
    IF (level == 2 || level > 3) {
        slope = slope + th_spike_decay * th_spike
    }
    IF (level == 5) {
        slope = slope - th_voltage_index * u + th_voltage_decay * th_voltage
    }
}

: Rate of V - threshold `later` ms from now, for which look(later) has made the coefficients.
PROCEDURE ahead(when (ms)) {
    LOCAL drift
    drift = drive - g * reached
    FROM a = 0 TO NASC - 1 {
        IF (level > 2 && a < n_asc) {
            drift = drift + asc[a] * asc_fade[a]
        }
    }
    FROM k = 0 TO NPORT - 1 {
        IF (k < n_port) {
            drift = drift + (current[k] + when * rise[k]) * fade[k]
            IF (amp_slow[k] != 0) {
                drift = drift + (current_slow[k] + when * rise_slow[k]) * fade_slow[k]
            }
        }
    }
    slope = drift / C
    IF (level == 2 || level > 3) {
        slope = slope + th_spike_decay * th_spike * th_spike_fade
    }
    IF (level == 5) {
        slope = slope - th_voltage_index * reached + th_voltage_decay * (reached + E_L - gap - V_th - th_spike * th_spike_fade)
    }
}

: V - threshold `later` ms from now, if nothing happens until then; `reached` is V - E_L.
PROCEDURE look(later (ms)) {
    fit(later)
    reached = u * leak + drive * gain
    FROM a = 0 TO NASC - 1 {
        IF (level > 2 && a < n_asc) {
            reached = reached + asc[a] * asc_near[a]
        }
    }
    FROM k = 0 TO NPORT - 1 {
        IF (k < n_port) {
            reached = reached + from_rise[k] * rise[k] + from_current[k] * current[k]
            IF (amp_slow[k] != 0) {
                reached = reached + from_rise_slow[k] * rise_slow[k] + from_current_slow[k] * current_slow[k]
            }
        }
    }
    gap = reached + E_L - V_th - th_spike * th_spike_fade - voltage_part()
}

: Th_v `span` ms from now.
FUNCTION voltage_part() (mV) {
    LOCAL sum
    sum = 0
    IF (level == 5) {
        sum = th_voltage * th_voltage_fade + th_u * u + th_drive * drive
        FROM a = 0 TO NASC - 1 {
            IF (a < n_asc) {
                sum = sum + th_asc[a] * asc[a]
            }
        }
        FROM k = 0 TO NPORT - 1 {
            IF (k < n_port) {
                sum = sum + th_rise[k] * rise[k] + th_current[k] * current[k]
                sum = sum + th_rise_slow[k] * rise_slow[k] + th_current_slow[k] * current_slow[k]
            }
        }
    }
    voltage_part = sum
}

: Goes on by `piece` ms.
PROCEDURE move(stretch (ms)) {
    look(stretch)
    th_voltage = voltage_part()
    th_spike = th_spike * th_spike_fade
    u = reached
    FROM a = 0 TO NASC - 1 {
        IF (level > 2 && a < n_asc) {
            asc[a] = asc[a] * asc_fade[a]
        }
    }
    fade_ports()
    since = since + stretch
}

: Synaptic currents `span` ms later.
PROCEDURE fade_ports() {
    FROM k = 0 TO NPORT - 1 {
        IF (k < n_port) {
            current[k] = (current[k] + span * rise[k]) * fade[k]
            rise[k] = rise[k] * fade[k]
            IF (amp_slow[k] != 0) {
                current_slow[k] = (current_slow[k] + span * rise_slow[k]) * fade_slow[k]
                rise_slow[k] = rise_slow[k] * fade_slow[k]
            }
        }
    }
}

: Reset, brought forward over the refractory time at once: nothing is integrated until its end.
PROCEDURE spike() {
    wait = t_ref
    IF (level > 2) {
        FROM a = 0 TO NASC - 1 {
            IF (a < n_asc) {
                asc[a] = asc_amps[a] + asc[a] * asc_r[a] * exp(-asc_decay[a] * t_ref)
            }
        }
    }
    IF (level == 1 || level == 3) {
        u = V_reset - E_L
    } ELSE {
        u = voltage_reset_fraction * u + voltage_reset_add
        th_spike = th_spike * exp(-th_spike_decay * t_ref) + th_spike_add
    }
}

: Coefficients of a piece, made again where it differs from the last one.
PROCEDURE fit(asked (ms)) {
    IF (asked != span) {
        coefficients(asked)
    }
}

PROCEDURE coefficients(length (ms)) {
    span = length
    leak = exp(-g * length / C)
    gain = (1 - leak) / g
    th_spike_fade = 0
    IF (level == 2 || level > 3) {
        th_spike_fade = exp(-th_spike_decay * length)
    }
    FROM a = 0 TO NASC - 1 {
        IF (a < n_asc) {
            asc_fade[a] = exp(-asc_decay[a] * length)
            propagate(length, 1 / asc_decay[a])
            asc_near[a] = near
        }
    }
    FROM k = 0 TO NPORT - 1 {
        IF (k < n_port) {
            fade[k] = exp(-length / tau[k])
            propagate(length, tau[k])
            from_current[k] = near
            from_rise[k] = far
            IF (amp_slow[k] != 0) {
                fade_slow[k] = exp(-length / tau_slow[k])
                propagate(length, tau_slow[k])
                from_current_slow[k] = near
                from_rise_slow[k] = far
            }
        }
    }
    IF (level == 5) {
        th_voltage_fade = exp(-th_voltage_decay * length)
        th_u = 0
        th_drive = 0
        FROM a = 0 TO NASC - 1 {
            th_asc[a] = 0
        }
        FROM k = 0 TO NPORT - 1 {
            th_rise[k] = 0
            th_current[k] = 0
            th_rise_slow[k] = 0
            th_current_slow[k] = 0
        }
        quadrature(length, 0.5 - sqrt(0.15), 5 / 18)
        quadrature(length, 0.5, 8 / 18)
        quadrature(length, 0.5 + sqrt(0.15), 5 / 18)
    }
}

: Adds a node of the integral a_v int_0^piece exp(-b_v (piece - x)) (V(x) - E_L) dx.
PROCEDURE quadrature(whole (ms), place, share) {
    LOCAL at, weight_here, leak_here
    at = place * whole
    weight_here = share * whole * th_voltage_index * exp(-th_voltage_decay * (whole - at))
    leak_here = exp(-g * at / C)
    th_u = th_u + weight_here * leak_here
    th_drive = th_drive + weight_here * (1 - leak_here) / g
    FROM a = 0 TO NASC - 1 {
        IF (a < n_asc) {
            propagate(at, 1 / asc_decay[a])
            th_asc[a] = th_asc[a] + weight_here * near
        }
    }
    FROM k = 0 TO NPORT - 1 {
        IF (k < n_port) {
            propagate(at, tau[k])
            th_current[k] = th_current[k] + weight_here * near
            th_rise[k] = th_rise[k] + weight_here * far
            IF (amp_slow[k] != 0) {
                propagate(at, tau_slow[k])
                th_current_slow[k] = th_current_slow[k] + weight_here * near
                th_rise_slow[k] = th_rise_slow[k] + weight_here * far
            }
        }
    }
}

: near = 1/C exp(-g s/C) int_0^s exp(x y/s) dy and far = the same with y in the integrand, where
: x = s (g/C - 1/time); s may be negative. Both forms lose digits near x = 0; a series stands in there.
PROCEDURE propagate(s (ms), time (ms)) {
    LOCAL x, first, second, leaked
    x = s * (g / C - 1 / time)
    IF (fabs(x) < 0.1) {
        first = 1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5 * (1 + x / 6 * (1 + x / 7 * (1 + x / 8 * (1 + x / 9)))))))
        second = 1 / 2 + x * (1 / 3 + x * (1 / 8 + x * (1 / 30 + x * (1 / 144 + x * (1 / 840 + x * (1 / 5760 + x * (1 / 45360 + x / 403200)))))))
    } ELSE {
        first = (exp(x) - 1) / x
        second = (exp(x) - first) / x
    }
    leaked = exp(-g * s / C)
    near = leaked * s * first / C
    far = leaked * s * s * second / C
}

: What came since the last step.
PROCEDURE receive() {
    u = u + add_u
    add_u = 0
    FROM k = 0 TO NPORT - 1 {
        IF (k < n_port) {
            rise[k] = rise[k] + add_rise[k]
            current[k] = current[k] + add_current[k]
            rise_slow[k] = rise_slow[k] + add_rise_slow[k]
            current_slow[k] = current_slow[k] + add_current_slow[k]
            add_rise[k] = 0
            add_current[k] = 0
            add_rise_slow[k] = 0
            add_current_slow[k] = 0
        }
    }
}

: An alpha current of slope `begin` that began `ago` ms before the step's start (after it if negative).
: Sets near, far to its current and slope there, and adds what the membrane gained.
PROCEDURE carry(begin (nA/ms), ago (ms), constant (ms)) {
    LOCAL from, slope_then, current_then, gained
    IF (wait <= 0) {
        from = ago
        IF (from > since) {
            from = since
        }
        slope_then = begin * exp(-(ago - from) / constant)
        current_then = slope_then * (ago - from)
        propagate(from, constant)
        gained = near * current_then + far * slope_then
        add_u = add_u + binary(gained)
    }
    far = begin * exp(-ago / constant)
    near = far * ago
}

: Multiple of 2^-48 next to a number: sums are the same in any order. (As an integer CoreNEURON reads 2^48 as 0.)
FUNCTION binary(exact) {
    binary = floor(exact * 2.81474976710656e14 + 0.5) / 2.81474976710656e14
}

NET_RECEIVE (weight, port) {
    LOCAL k
    INITIAL {
    }
    IF (flag == 1) {
        : One of the two becomes true whenever a step had spikes, also in the step after another.
        WATCH (parity > 0.5) 2
        WATCH (parity < 0.5) 3
    } ELSE {
        IF (flag == 2 || flag == 3) {
            FROM n = 0 TO NFIRE - 1 {
                IF (n < n_fired) {
                    net_event(stamp[n])
                }
            }
        } ELSE {
            IF (port < 1 || port > n_port) {
                lost = lost + 1
            } ELSE {
                k = port - 1
                carry(unit * weight * exp(1) / tau[k], now - t, tau[k])
                add_rise[k] = add_rise[k] + binary(far)
                add_current[k] = add_current[k] + binary(near)
                IF (amp_slow[k] != 0) {
                    carry(unit * weight * amp_slow[k] * exp(1) / tau_slow[k], now - t, tau_slow[k])
                    add_rise_slow[k] = add_rise_slow[k] + binary(far)
                    add_current_slow[k] = add_current_slow[k] + binary(near)
                }
            }
        }
    }
}
