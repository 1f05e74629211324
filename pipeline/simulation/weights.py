"""What one edge does to its target: total weight, delay and synapse model, the same for all engines.

The weight of an edge is nsyns times syn_weight times the gains of the run, rounded to a binary
grid. Sums of such numbers are exact in double precision in any order, so that what a cell receives
depends neither on threads nor on ranks nor on the engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import CircuitError, Problem
from pipeline.simulation.targets import select_nodes
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_json, read_nodes, read_types

COLUMNS = ("syn_weight", "nsyns", "delay")
GRID = 2.0**38
"""Weights are multiples of 2^-38 of their unit: sums up to 2^15 units are exact."""
SYNAPSE_GRID = 2.0**50
"""Of conductances (uS) of single synapses on morphologies: sums up to 8 uS are exact."""


@dataclass(frozen=True)
class EdgeValues:
    """Block of edges as an engine connects them.

    Attributes:
        sources: int64 [n]. Node ids in the source population.
        targets: int64 [n]. Node ids in the target population.
        types: int64 [n]. Edge type ids.
        weights: float64 [n], in the unit of the file (pA, nS or uS by the target's model).
        delays: float64 [n], ms.
        rows: int64 [n]. Where these edges stand in the block; None: all of it in its order.
    """

    sources: np.ndarray
    targets: np.ndarray
    types: np.ndarray
    weights: np.ndarray
    delays: np.ndarray
    rows: np.ndarray | None = None


class EdgeReader:
    """Turns blocks of an edge population into values.

    Args:
        paths: The circuit.
        population: Edge population.
        ends: Its source and target node population.
        gains: Entries of the run's ``gains`` that concern this population.
        dt: Time step, ms; delays go to the nearest step, at least one. None leaves them.
        lags: float64 [source nodes], ms: how much too late spikes leave a source; delays become so
            much shorter, none rounded and none less than one step. None: spikes leave on the grid.

    Raises:
        CircuitError: If types or node sets are missing.
    """

    def __init__(
        self,
        paths: CircuitPaths,
        population: str,
        ends: tuple[str, str],
        gains: list[dict] | None = None,
        dt: float | None = None,
        lags: np.ndarray | None = None,
    ):
        self.types = read_types(paths.edge_types(population))
        self._file = str(paths.edges(population))
        self._codes = [np.zeros(_count(paths, end), np.int64) for end in ends]
        self._factors = np.ones((1, 1))
        self._dt, self._lags = dt, lags
        for gain in gains or []:
            self._add(paths, ends, gain)

    def _add(self, paths: CircuitPaths, ends: tuple[str, str], gain: dict) -> None:
        """Splits the classes of both ends by membership; the new half gets the factor too."""
        member = []
        for side, end in zip(("source", "target"), ends, strict=True):
            inside = np.ones(len(self._codes[len(member)]), bool)
            if gain.get(side):
                population, ids = select_nodes(paths, gain[side])
                if population != end:
                    message = f"gain: node set {gain[side]!r} is in {population!r}, not {end!r}"
                    raise CircuitError(Problem(str(paths.node_sets), message))
                inside = np.zeros_like(inside)
                inside[ids] = True
            member.append(inside)
        rows, columns = self._factors.shape
        self._codes[0] = self._codes[0] + rows * member[0]
        self._codes[1] = self._codes[1] + columns * member[1]
        self._factors = np.tile(self._factors, (2, 2))
        self._factors[rows:, columns:] *= gain["factor"]
        for side in (0, 1):  # classes without nodes go, so that many gains stay a small table
            used, self._codes[side] = np.unique(self._codes[side], return_inverse=True)
            self._factors = np.take(self._factors, used, axis=side)

    @property
    def silent(self) -> bool:
        """Whether the gains leave no edge of the population."""
        return not self._factors.any()

    def values(self, block: dict[str, np.ndarray], grid: float = GRID) -> EdgeValues:
        """Returns the values of a block of ``edge_blocks``; edges of weight 0 by a gain are left out.

        Args:
            block: Columns of edges.
            grid: Weights become multiples of its inverse.

        Raises:
            CircuitError: If an edge has no weight or delay, or its delay is too short for its lag.
        """
        sources = block["source_node_id"].astype(np.int64)
        targets = block["target_node_id"].astype(np.int64)
        types = block["edge_type_id"].astype(np.int64)
        weight = self.column(block, "syn_weight", types) * self.column(block, "nsyns", types, 1.0)
        delays = self.column(block, "delay", types)
        if self._lags is not None:
            delays = self._shortened(delays, self._lags[sources])
        elif self._dt:
            delays = np.maximum(np.floor(delays / self._dt + 0.5), 1.0) * self._dt
        factors = self._factors[self._codes[0][sources], self._codes[1][targets]]
        kept = factors != 0
        weights = round_weights(weight * factors, grid)
        if kept.all():
            return EdgeValues(sources, targets, types, weights, delays)
        parts = (sources, targets, types, weights, delays)
        return EdgeValues(*(part[kept] for part in parts), rows=np.flatnonzero(kept))

    def _shortened(self, delays: np.ndarray, lags: np.ndarray) -> np.ndarray:
        """Delays less the lags of their sources: one step must be left, as between ranks."""
        late = lags > 0
        if (late & (delays < lags + self._dt - 1e-9)).any():
            least = float((lags[late] + self._dt).max())
            message = f"a delay of {delays[late].min():g} ms; precise spikes need {least:g} ms"
            hint = f"dt is {self._dt:g} ms: lower it, or set spike_times: grid"
            raise CircuitError(Problem(self._file, message, hint))
        return np.maximum(delays - lags, self._dt)

    def column(
        self,
        block: dict[str, np.ndarray],
        name: str,
        types: np.ndarray,
        default: float | None = None,
    ) -> np.ndarray:
        """Returns an attribute of each edge, from the block or from its type: float64 [n].

        Raises:
            CircuitError: If there is none and no default.
        """
        if name in block:
            return block[name].astype(np.float64)
        if name in self.types:
            column = self.types[name].astype(float)
            if not column.isna().any():
                return _lookup(column, types)
        if default is None:
            raise CircuitError(Problem(self._file, f"edges have no {name}", "build them again"))
        return np.full(len(types), default)


def round_weights(weights: np.ndarray, grid: float = GRID) -> np.ndarray:
    """Rounds weights to multiples of 1 / grid of their unit."""
    return np.round(weights * grid) / grid


def grid_times(times: np.ndarray, dt: float) -> np.ndarray:
    """Returns spike times on the grid: the end of the step they fall into, at least one step.

    Args:
        times: float64 [n], ms.
        dt: Time step, ms.
    """
    return np.maximum(np.ceil(times / dt - 1e-6), 1.0) * dt


def synapse_models(paths: CircuitPaths, types: pd.DataFrame) -> dict[int, dict]:
    """Returns the parameters of each edge type's synapse model, by type id.

    Raises:
        CircuitError: If a parameter file is missing.
    """
    if "dynamics_params" not in types:
        return {int(key): {} for key in types.index}
    files = {name: read_json(paths.synapses / name, "circuit")
             for name in types["dynamics_params"].dropna().unique()}  # fmt: skip
    return {int(key): files.get(name, {}) for key, name in types["dynamics_params"].items()}


def receptor_ports(paths: CircuitPaths, population: str, types: pd.DataFrame) -> np.ndarray:
    """Returns the receptor port by edge type id: int64 [largest id + 1].

    Raises:
        CircuitError: If a type has no ``receptor_type``.
    """
    models = synapse_models(paths, types)
    missing = [key for key, model in models.items() if "receptor_type" not in model]
    if missing:
        message = f"edge types {missing[:5]} have no receptor_type"
        hint = "name a synapse model with one in the rule's columns: dynamics_params"
        raise CircuitError(Problem(str(paths.edge_types(population)), message, hint))
    ports = np.zeros(max(models, default=0) + 1, np.int64)
    for key, model in models.items():
        ports[key] = int(model["receptor_type"])
    return ports


def _lookup(column: pd.Series, types: np.ndarray) -> np.ndarray:
    table = np.zeros(int(column.index.max()) + 1)
    table[column.index.to_numpy()] = column.to_numpy()
    return table[types]


def _count(paths: CircuitPaths, population: str) -> int:
    return len(read_nodes(paths.nodes(population), population))
