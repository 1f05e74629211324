"""What is trained: contacts and inputs, held against a matrix of correlations of soma voltages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.runtime import rng_for
from pipeline.training.network import Net, adjoint, run

WEIGHT, GAP, CURRENT = 1.0, 1e-4, 0.05
"""Units in which the search moves: of weights, of junctions (uS), of currents (nA)."""


@dataclass(frozen=True)
class Bounds:
    """Largest |weight|, smallest and largest junction (uS), largest |current| (nA)."""

    weight: float = 4.0
    gap: tuple[float, float] = (1e-9, 1e-3)
    current: float = 0.2


@dataclass(frozen=True)
class Target:
    """Correlations of pairs of cells.

    Attributes:
        cells: int64 [n]. Rows of the network's cells that occur.
        a, b: int64 [pairs]. Rows of ``cells``.
        r: float64 [pairs].
        held_out: bool [pairs]. Not trained on.
    """

    cells: np.ndarray
    a: np.ndarray
    b: np.ndarray
    r: np.ndarray
    held_out: np.ndarray


@dataclass(frozen=True)
class Parameters:
    """One point of the search.

    Attributes:
        weights: float64 [synapses]; below 0 inhibitory.
        gaps: float64 [junctions], uS; both halves of a junction have the same.
        knots: float64 [knots, inputs], nA; the current runs in straight lines between them.
    """

    weights: np.ndarray
    gaps: np.ndarray
    knots: np.ndarray

    def vector(self) -> np.ndarray:
        """Returns all numbers in units of the search."""
        parts = self.weights / WEIGHT, self.gaps / GAP, self.knots.ravel() / CURRENT
        return np.concatenate(parts)

    def like(self, vector: np.ndarray) -> Parameters:
        """Returns the point of a vector."""
        n, m = len(self.weights), len(self.gaps)
        knots = vector[n + m :].reshape(self.knots.shape) * CURRENT
        return Parameters(vector[:n] * WEIGHT, vector[n : n + m] * GAP, knots)

    def bounded(self, bounds: Bounds) -> Parameters:
        """Returns the nearest point within bounds."""
        return Parameters(
            np.clip(self.weights, -bounds.weight, bounds.weight),
            np.clip(self.gaps, *bounds.gap),
            np.clip(self.knots, -bounds.current, bounds.current),
        )


def hold_out(seed: int, pairs: int, share: float) -> np.ndarray:
    """Chooses the pairs that are not trained on: bool [pairs]."""
    chosen = np.zeros(pairs, bool)
    order = rng_for(seed, "training/held_out").permutation(pairs)
    chosen[order[: round(share * pairs)]] = True
    return chosen


def interpolation(steps: int, knots: int) -> np.ndarray:
    """Returns the matrix float64 [steps, knots] from knots to the current of every step's middle."""
    place = (np.arange(steps) + 0.5) / steps * (knots - 1)
    left = np.minimum(place.astype(int), knots - 2)
    share = place - left
    matrix = np.zeros((steps, knots))
    matrix[np.arange(steps), left] = 1 - share
    matrix[np.arange(steps), left + 1] = share
    return matrix


def pair_correlations(voltage: np.ndarray, target: Target) -> np.ndarray:
    """Returns float64 [pairs]: correlations of float64 [times, cells of the target] voltages."""
    unit, _ = _unit(voltage)
    return np.einsum("tp,tp->p", unit[:, target.a], unit[:, target.b])


def _unit(voltage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Traces without mean, of length one, and their lengths before."""
    centred = voltage - voltage.mean(0)
    size = np.maximum(np.linalg.norm(centred, axis=0), 1e-9)
    return centred / size, size


def correlation_loss(voltage: np.ndarray, target: Target) -> tuple[float, float, np.ndarray]:
    """Mean squared error of correlations, and the slope of half of it.

    Args:
        voltage: float64 [times, cells of the target], mV.
        target: Pairs.

    Returns:
        Error of trained pairs, of held-out pairs (NaN when there are none), and float64
        [times, cells]: half the trained error by voltage, 1/mV.
    """
    unit, size = _unit(voltage)
    error = np.einsum("tp,tp->p", unit[:, target.a], unit[:, target.b]) - target.r
    trained = ~target.held_out
    held = float((error[~trained] ** 2).mean()) if (~trained).any() else float("nan")
    slope = np.zeros((len(target.cells), len(target.cells)))
    np.add.at(slope, (target.a, target.b), np.where(trained, error, 0.0) / trained.sum())
    by_unit = unit @ (slope + slope.T)
    by_voltage = (by_unit - unit * (unit * by_unit).sum(0)) / size
    return float((error[trained] ** 2).mean()), held, by_voltage - by_voltage.mean(0)


def evaluate(
    net: Net, target: Target, point: Parameters, steps: int
) -> tuple[float, float, np.ndarray]:
    """Runs the network at a point.

    Returns:
        Error of trained and of held-out pairs, and the gradient of half the trained error in units
        of the search.
    """
    matrix = interpolation(steps, len(point.knots))
    trace = run(net, point.weights, point.gaps, matrix @ point.knots)
    voltage = np.ascontiguousarray(trace.voltage[:, net.soma[target.cells]])
    trained, held, slope = correlation_loss(voltage, target)
    by_weight, by_gap, by_current = adjoint(
        net, point.weights, point.gaps, trace, target.cells, slope
    )
    parts = by_weight * WEIGHT, by_gap * GAP, (matrix.T @ by_current).ravel() * CURRENT
    return trained, held, np.concatenate(parts)
