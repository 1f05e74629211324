"""What touch detection will find, before morphologies exist: an estimate by mean fields.

Two tangles of isotropic fibres of lengths La and Ld approach each other (pi/2) R La Ld <rho> times
within R (a crossing counts when a target's axis lies in the tube of an axon). The axon and the
dendrites of a cell are taken as Gaussian clouds about its soma; sums run over a keyed sample of
sources and all targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config.touches import TouchEdges
from pipeline.runtime import rng_for

AXON, DENDRITE = 10_270.0, 5_810.0
"""Length per cell, um (means over the cells of ``column full``)."""
POINTS = 1_900.0
"""Dendritic segments per cell (measured on ``column full``)."""
REACH = 2.34
"""um. How near two fibres come in a touch, fitted with the spreads below to the touches of ``column``
``tiny``, ``small`` and ``full``: all three within 4 %."""
SPREAD_ACROSS, SPREAD_ALONG = 140.0, 260.0
"""sd of the distance between axon and dendrite of two cells at one place, um: across and along the
depth."""
TOUCHES_PER_UM = 2.9
"""Touches per um of axon where there are cells (measured on ``column``)."""
SAMPLE = 300
TOUCHES_PER_SECOND = 1.3e6
"""Detection and pruning on two cores (measured on ``column``)."""
EDGES_PER_SECOND = 1.2e6
_BASE_MEMORY = 600 * 2**20
_SEGMENT_BYTES, _EDGE_BYTES = 36.0, 160.0


@dataclass(frozen=True)
class TouchPlan:
    """Expectation of one edge config.

    Attributes:
        touches: Number of touches.
        synapses: Number of edges.
        disk: Bytes of the edges file.
        memory: Peak bytes.
        seconds: Time on two cores.
    """

    touches: float
    synapses: float
    disk: float
    memory: float
    seconds: float


def expected_touches(position: np.ndarray, seed: int = 0) -> float:
    """Estimates the number of touches among cells.

    Args:
        position: float64 [cells, 3], um; y is the depth axis.
        seed: Of the sample of sources.
    """
    n = len(position)
    if n < 2:
        return 0.0
    chosen = np.sort(rng_for(seed, "touch-plan").permutation(n)[:SAMPLE])
    spread = np.array([SPREAD_ACROSS, SPREAD_ALONG, SPREAD_ACROSS])
    total = 0.0
    for source in chosen:
        square = (((position - position[source]) / spread) ** 2).sum(axis=1)
        total += np.exp(-square / 2).sum() - 1.0
    density = total * n / len(chosen) / ((2 * np.pi) ** 1.5 * spread.prod())
    return float(np.pi / 2 * REACH * AXON * DENDRITE * density)


def plan_touches(config: TouchEdges, nodes: pd.DataFrame, seed: int) -> TouchPlan:
    """Expects edges, disk, memory and time of one edge config.

    Synapses follow from the bouton density on that part of the axons that finds targets: touches lie
    about 0.4 um of axon apart in full tissue.
    """
    position = nodes[["x", "y", "z"]].to_numpy(np.float64)
    touches = expected_touches(position, seed)
    pruning = config.pruning
    # Axon where there are cells, from the density of touches in full tissue.
    inside = min(touches / TOUCHES_PER_UM, AXON * len(nodes))
    synapses = min(inside * pruning.bouton_density * pruning.synapses_per_bouton, touches)
    seconds = 15.0 + touches / TOUCHES_PER_SECOND + synapses / EDGES_PER_SECOND
    memory = _BASE_MEMORY + len(nodes) * POINTS * _SEGMENT_BYTES + config.memory * 2**30
    return TouchPlan(touches, synapses, 50_000 + synapses * _EDGE_BYTES, memory, seconds)
