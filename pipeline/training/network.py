"""A network of branched cells as arrays, its time steps compiled, and their exact adjoint.

One step is NEURON's fixed step: backward Euler for the voltage with gates and synapses at the step's start,
the other side of gap junctions at its start too, then gates and synapses by their exact exponentials.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.training.channels import VOLTAGES, worm_channels
from pipeline.training.kernels import backward, forward


class Net(NamedTuple):
    """Arrays of the kernels; conductances in uS, capacitance over the step in uS.

    Compartments: parent (int64, -1 at roots), axial, held (capacitance / dt), diagonal (all that does
    not change), drive (leak conductance times its reversal). Cells: soma (compartment). Channels:
    peak, reversal, cell, and ranges of factors; factors: power and ranges of gates; gates: table row,
    cell, weight, start. Tables: steady and keep (decay over a step) float64 [rows, voltages].
    Synapses: pre, post (compartments); gap junctions: a, b. laws: float64 [2, 5], excitatory and
    inhibitory (g, reversal, k, threshold, slope), and tables of both, float64 [2, voltages]: release (steady
    activation) and hold (decay over a step). inputs: cells that get current.
    """

    dt: float
    parent: np.ndarray
    axial: np.ndarray
    held: np.ndarray
    diagonal: np.ndarray
    drive: np.ndarray
    soma: np.ndarray
    peak: np.ndarray
    reversal: np.ndarray
    channel_cell: np.ndarray
    factor_of: np.ndarray
    gate_of: np.ndarray
    power: np.ndarray
    gate_table: np.ndarray
    gate_cell: np.ndarray
    gate_weight: np.ndarray
    gate_start: np.ndarray
    steady: np.ndarray
    keep: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    a: np.ndarray
    b: np.ndarray
    laws: np.ndarray
    release: np.ndarray
    hold: np.ndarray
    inputs: np.ndarray


def build_net(arrays: dict[str, np.ndarray], dt: float, inputs: np.ndarray) -> Net:
    """Prepares flattened arrays for a time step.

    Args:
        arrays: As ``flatten`` writes them.
        dt: ms.
        inputs: int64 [n]. Rows of the cells that get current.
    """
    axial, parent = arrays["axial"], arrays["parent"]
    held = arrays["capacity"] / dt
    diagonal = held + arrays["leak"] + axial
    np.add.at(diagonal, parent[parent >= 0], axial[parent >= 0])
    gates = _gates(arrays, dt)
    drive = arrays["leak"] * arrays["rest"]
    laws = np.stack([arrays["law_excitatory"], arrays["law_inhibitory"]])
    x = np.clip((laws[:, 3:4] - VOLTAGES) / laws[:, 4:5], -300, 300)
    release, hold = 1 / (1 + np.exp(x)), np.exp(-dt * laws[:, 2:3] * (1 + np.exp(-x)))
    return Net(
        float(dt), parent, axial, held, diagonal, drive, arrays["soma"], gates.peak,
        arrays["channel_e"], arrays["channel_cell"], gates.factor_of, gates.gate_of, gates.power,
        gates.table, gates.cell, gates.weight, gates.start, gates.steady, gates.keep,
        arrays["syn_pre"], arrays["syn_post"], arrays["gap_a"], arrays["gap_b"], laws,
        release, hold,
        np.asarray(inputs, np.int64),
    )  # fmt: skip


@dataclass(frozen=True)
class _Gates:
    peak: np.ndarray
    factor_of: np.ndarray
    gate_of: np.ndarray
    power: np.ndarray
    table: np.ndarray
    cell: np.ndarray
    weight: np.ndarray
    start: np.ndarray
    steady: np.ndarray
    keep: np.ndarray


def _gates(arrays: dict[str, np.ndarray], dt: float) -> _Gates:
    """Lays out factors and gates of all channels in a row."""
    known, rows = worm_channels(), {}
    steady, keep = [], []
    factor_of, gate_of, power = [0], [0], []
    table, cell, weight, start = [], [], [], []
    peak = arrays["channel_g"].copy()
    for index, kind in enumerate(arrays["channel_kind"]):
        if kind == "kcnl":
            peak[index] *= arrays["table.kcnl.m"][0]
        for factor in known[str(kind)]:
            power.append(factor.power)
            for gate in factor.gates:
                key = (str(kind), gate.steady, gate.tau)
                if key not in rows:
                    rows[key] = len(rows)
                    steady.append(arrays[f"table.{kind}.{gate.steady}"])
                    keep.append(np.exp(-dt / arrays[f"table.{kind}.{gate.tau}"]))
                table.append(rows[key])
                cell.append(arrays["channel_cell"][index])
                weight.append(gate.weight)
                start.append(np.nan if gate.start is None else gate.start)
            gate_of.append(len(table))
        factor_of.append(len(power))
    whole = [np.array(column, np.int64) for column in (factor_of, gate_of, power, table, cell)]
    none = np.empty((0, len(VOLTAGES)))
    return _Gates(
        peak, *whole, np.array(weight, float), np.array(start, float),
        np.array(steady) if steady else none, np.array(keep) if keep else none,
    )  # fmt: skip


@dataclass(frozen=True)
class Trace:
    """What a run leaves behind; the adjoint needs all of it.

    Attributes:
        voltage: float64 [steps + 1, compartments], mV.
        gates: float64 [steps + 1, gates].
        open: float64 [steps + 1, synapses]; activation of synapses.
    """

    voltage: np.ndarray
    gates: np.ndarray
    open: np.ndarray


def run(
    net: Net, weights: np.ndarray, gaps: np.ndarray, current: np.ndarray, v_init: float = -65.0
) -> Trace:
    """Runs the network.

    Args:
        net: Arrays.
        weights: float64 [synapses]; below 0 inhibitory.
        gaps: float64 [junctions], uS.
        current: float64 [steps, inputs], nA.
        v_init: mV.
    """
    steps = len(current)
    voltage = np.empty((steps + 1, len(net.parent)))
    gates = np.empty((steps + 1, len(net.gate_table)))
    opened = np.empty((steps + 1, len(net.pre)))
    voltage[0] = v_init
    forward(net, weights, gaps, current, voltage, gates, opened)
    return Trace(voltage, gates, opened)


def adjoint(
    net: Net,
    weights: np.ndarray,
    gaps: np.ndarray,
    trace: Trace,
    cells: np.ndarray,
    sensitivity: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the gradient of a loss of soma voltages.

    Args:
        net, weights, gaps: As run.
        trace: Of that run.
        cells: int64 [n]. Cells in the loss.
        sensitivity: float64 [steps + 1, n]. Loss by their soma voltage, 1/mV.

    Returns:
        By weights, by junctions (1/uS), by currents float64 [steps, inputs] (1/nA).
    """
    steps = len(sensitivity) - 1
    by_weight, by_gap = np.zeros(len(net.pre)), np.zeros(len(net.a))
    by_current = np.zeros((steps, len(net.inputs)))
    backward(
        net, weights, gaps, trace.voltage, trace.gates, trace.open, net.soma[cells],
        np.ascontiguousarray(sensitivity), by_weight, by_gap, by_current,
    )  # fmt: skip
    return by_weight, by_gap, by_current
