"""Compiled time steps of ``network`` and their adjoint; every sum runs in a fixed order."""

from __future__ import annotations

import math

import numpy as np

from pipeline.kernels import kernel

LOWEST, PER_MV = -160.0, 4.0
"""The tables' grid, see ``channels.VOLTAGES``."""


@kernel()
def _place(voltage, rows):
    """Returns row and share of a voltage in a table; clamped at both ends."""
    at = (voltage - LOWEST) * PER_MV
    row = int(at) if at > 0.0 else 0
    row = min(row, rows - 2)
    return row, min(max(at - row, 0.0), 1.0)


@kernel()
def _read(table, line, row, share):
    """Returns a table's value and its rise to the next row; no view of the line is made."""
    low = table[line, row]
    rise = table[line, row + 1] - low
    return low + share * rise, rise


@kernel()
def _law(weight):
    """Returns the row of ``laws`` and of the synapses' tables: 0 excitatory, 1 inhibitory."""
    return 0 if weight >= 0.0 else 1


@kernel()
def _open_shares(net, gates, factors):
    """Writes the sum in the brackets of every factor."""
    for f in range(len(net.power)):
        total = 0.0
        for g in range(net.gate_of[f], net.gate_of[f + 1]):
            total += net.gate_weight[g] * gates[g]
        factors[f] = total


@kernel()
def _open(net, channel, factors):
    share = 1.0
    for f in range(net.factor_of[channel], net.factor_of[channel + 1]):
        share *= factors[f] ** net.power[f]
    return share


@kernel()
def _diagonal(net, weights, gaps, opened, factors, diagonal):
    """Writes the matrix's diagonal for the state at the step's start."""
    diagonal[:] = net.diagonal
    for k in range(len(net.pre)):
        peak = abs(weights[k]) * net.laws[_law(weights[k]), 0]
        diagonal[net.post[k]] += peak * opened[k]
    for j in range(len(net.a)):
        diagonal[net.a[j]] += gaps[j]
        diagonal[net.b[j]] += gaps[j]
    for c in range(len(net.peak)):
        diagonal[net.soma[net.channel_cell[c]]] += net.peak[c] * _open(net, c, factors)


@kernel()
def _solve(net, diagonal, right):
    """Solves the trees in place; parents stand before their children."""
    for i in range(len(net.parent) - 1, -1, -1):
        p = net.parent[i]
        if p >= 0:
            factor = net.axial[i] / diagonal[i]
            diagonal[p] -= factor * net.axial[i]
            right[p] += factor * right[i]
    for i in range(len(net.parent)):
        p = net.parent[i]
        if p >= 0:
            right[i] = (right[i] + net.axial[i] * right[p]) / diagonal[i]
        else:
            right[i] = right[i] / diagonal[i]


@kernel()
def _start(net, weights, voltage, gates, opened):
    rows = net.steady.shape[1]
    for g in range(len(net.gate_table)):
        row, share = _place(voltage[net.soma[net.gate_cell[g]]], rows)
        gates[g] = _read(net.steady, net.gate_table[g], row, share)[0]
        if not math.isnan(net.gate_start[g]):
            gates[g] = net.gate_start[g]
    for k in range(len(net.pre)):
        row, share = _place(voltage[net.pre[k]], rows)
        opened[k] = _read(net.release, _law(weights[k]), row, share)[0]


@kernel()
def forward(net, weights, gaps, current, voltage, gates, opened):
    """Fills ``voltage``, ``gates`` and ``opened`` row by row; row 0 of the voltage is given."""
    steps, rows = len(current), net.steady.shape[1]
    diagonal, factors = np.empty(len(net.parent)), np.empty(len(net.power))
    _start(net, weights, voltage[0], gates[0], opened[0])
    for t in range(steps):
        now, new = voltage[t], voltage[t + 1]
        _open_shares(net, gates[t], factors)
        _diagonal(net, weights, gaps, opened[t], factors, diagonal)
        for i in range(len(new)):
            new[i] = net.held[i] * now[i] + net.drive[i]
        for k in range(len(net.pre)):
            law = _law(weights[k])
            peak = abs(weights[k]) * net.laws[law, 0]
            new[net.post[k]] += peak * opened[t, k] * net.laws[law, 1]
        for j in range(len(net.a)):
            new[net.a[j]] += gaps[j] * now[net.b[j]]
            new[net.b[j]] += gaps[j] * now[net.a[j]]
        for c in range(len(net.peak)):
            share = _open(net, c, factors)
            new[net.soma[net.channel_cell[c]]] += net.peak[c] * share * net.reversal[c]
        for n in range(len(net.inputs)):
            new[net.soma[net.inputs[n]]] += current[t, n]
        _solve(net, diagonal, new)
        for g in range(len(net.gate_table)):
            row, share = _place(new[net.soma[net.gate_cell[g]]], rows)
            steady = _read(net.steady, net.gate_table[g], row, share)[0]
            keep = _read(net.keep, net.gate_table[g], row, share)[0]
            gates[t + 1, g] = steady + (gates[t, g] - steady) * keep
        for k in range(len(net.pre)):
            row, share = _place(new[net.pre[k]], rows)
            steady = _read(net.release, _law(weights[k]), row, share)[0]
            keep = _read(net.hold, _law(weights[k]), row, share)[0]
            opened[t + 1, k] = steady + (opened[t, k] - steady) * keep


@kernel()
def _gates_back(net, new, before, slope_v, slope_g):
    """Takes the update of the gates back: adds to the voltage's slope, shrinks the gates'."""
    rows = net.steady.shape[1]
    for g in range(len(net.gate_table)):
        node = net.soma[net.gate_cell[g]]
        row, share = _place(new[node], rows)
        steady, rise = _read(net.steady, net.gate_table[g], row, share)
        keep, fall = _read(net.keep, net.gate_table[g], row, share)
        if 0.0 < share < 1.0:
            change = rise * (1.0 - keep) + (before[g] - steady) * fall
            slope_v[node] += slope_g[g] * change * PER_MV
        slope_g[g] *= keep


@kernel()
def _synapses_back(net, weights, new, before, slope_v, slope_s):
    rows = net.release.shape[1]
    for k in range(len(net.pre)):
        row, share = _place(new[net.pre[k]], rows)
        steady, rise = _read(net.release, _law(weights[k]), row, share)
        keep, fall = _read(net.hold, _law(weights[k]), row, share)
        if 0.0 < share < 1.0:
            change = rise * (1.0 - keep) + (before[k] - steady) * fall
            slope_v[net.pre[k]] += slope_s[k] * change * PER_MV
        slope_s[k] *= keep


@kernel()
def _channels_back(net, new, factors, solved, slope_g):
    for c in range(len(net.peak)):
        node = net.soma[net.channel_cell[c]]
        push = net.peak[c] * solved[node] * (net.reversal[c] - new[node])
        for f in range(net.factor_of[c], net.factor_of[c + 1]):
            others = net.power[f] * factors[f] ** (net.power[f] - 1)
            for e in range(net.factor_of[c], net.factor_of[c + 1]):
                if e != f:
                    others *= factors[e] ** net.power[e]
            for g in range(net.gate_of[f], net.gate_of[f + 1]):
                slope_g[g] += push * others * net.gate_weight[g]


@kernel()
def backward(
    net, weights, gaps, voltage, gates, opened, nodes, sensitivity, by_weight, by_gap, by_current
):
    """Runs the steps backwards and adds to the three gradients."""
    steps, size = len(by_current), len(net.parent)
    diagonal, factors = np.empty(size), np.empty(len(net.power))
    slope_v, slope_g = np.zeros(size), np.zeros(len(net.gate_table))
    slope_s = np.zeros(len(net.pre))
    for n in range(len(nodes)):
        slope_v[nodes[n]] += sensitivity[steps, n]
    for t in range(steps - 1, -1, -1):
        new, now = voltage[t + 1], voltage[t]
        _gates_back(net, new, gates[t], slope_v, slope_g)
        _synapses_back(net, weights, new, opened[t], slope_v, slope_s)
        _open_shares(net, gates[t], factors)
        _diagonal(net, weights, gaps, opened[t], factors, diagonal)
        _solve(net, diagonal, slope_v)  # the matrix is symmetric
        solved = slope_v
        for k in range(len(net.pre)):
            law = _law(weights[k])
            push = net.laws[law, 1] - new[net.post[k]]
            push *= solved[net.post[k]] * net.laws[law, 0]
            by_weight[k] += (1.0 if weights[k] >= 0.0 else -1.0) * push * opened[t, k]
            slope_s[k] += abs(weights[k]) * push
        _channels_back(net, new, factors, solved, slope_g)
        for n in range(len(net.inputs)):
            by_current[t, n] += solved[net.soma[net.inputs[n]]]
        slope_v = net.held * solved
        for j in range(len(net.a)):
            a, b = net.a[j], net.b[j]
            by_gap[j] += solved[a] * (now[b] - new[a]) + solved[b] * (now[a] - new[b])
            slope_v[b] += gaps[j] * solved[a]
            slope_v[a] += gaps[j] * solved[b]
        for n in range(len(nodes)):
            slope_v[nodes[n]] += sensitivity[t, n]
