"""A running circuit that others steer: advance, inject, read. They see no engine behind it.

Every rank holds one handle. Rank 0 has ``exchange`` called; the others ``follow`` until it is closed. Within
a window NEURON runs alone: currents are constant, voltages are recorded by NEURON and read once.
"""

from __future__ import annotations

from math import isfinite

import numpy as np

from pipeline.errors import SimulationError
from pipeline.simulation.engines.bionet import build_network, start_neuron
from pipeline.simulation.neuron_cells import segment_count
from pipeline.simulation.neuron_run import population_of_cells
from pipeline.simulation.plan import Plan
from pipeline.sonata.read import read_nodes


class Handle:
    """A circuit of cells with a membrane in NEURON.

    Args:
        plan: Only its circuit, ``run`` and ``conditions`` are used; inputs and reports are the caller's.

    Attributes:
        names: Of all cells, in the order of node ids; cells without names are numbered.
        segments: Compartments on all ranks.
    """

    def __init__(self, plan: Plan):
        self._h, self._pc = start_neuron(plan)
        h, pc = self._h, self._pc
        # Kept: NEURON frees what nobody holds.
        self._network, self._wired = build_network(plan)
        self._cells = {c.node_id: c.hobj for c in self._network.get_local_cells().values()}
        population = population_of_cells(plan)
        nodes = read_nodes(plan.paths.nodes(population), population)
        named = nodes["name"].astype(str) if "name" in nodes else nodes.index.astype(str)
        self.names = list(named)
        self._row = {int(node): row for row, node in enumerate(nodes.index)}
        self._electrodes, self._recorded = {}, {}
        for node, cell in self._cells.items():
            electrode = h.IClamp(cell.soma[0](0.5))
            electrode.delay, electrode.dur = 0.0, 1e12
            self._electrodes[node] = electrode
            self._recorded[node] = h.Vector().record(cell.soma[0](0.5)._ref_v)
        self.segments = pc.allreduce(float(sum(map(segment_count, self._cells.values()))), 1)
        pc.setup_transfer()
        h.dt, h.steps_per_ms = plan.dt, 1.0 / plan.dt
        h.celsius = plan.config["conditions"]["celsius"]
        self._dt, self._v_init = plan.dt, plan.config["conditions"]["v_init"]
        pc.set_maxstep(10)
        self._begin()

    @property
    def rank(self) -> int:
        """This process's rank."""
        return int(self._pc.id())

    def exchange(self, current: np.ndarray, until: float) -> np.ndarray:
        """Injects constant currents, advances, and reads; call it on rank 0 only.

        Args:
            current: float64 [cells], nA into somata.
            until: ms.

        Returns:
            float64 [cells]: mean soma voltage of the steps since the last call, mV.

        Raises:
            SimulationError: If a voltage is not finite.
        """
        self._pc.py_broadcast((current, until), 0)
        return self._window(current, until)

    def restart(self) -> None:
        """Goes back to time 0 and the first voltages; call it on rank 0 only."""
        self._pc.py_broadcast((None, 0.0), 0)
        self._begin()

    def follow(self) -> None:
        """Takes part in the exchanges of rank 0 until it closes."""
        while (job := self._pc.py_broadcast(None, 0)) is not None:
            self._begin() if job[0] is None else self._window(*job)

    def _begin(self) -> None:
        for electrode in self._electrodes.values():
            electrode.amp = 0.0
        self._h.finitialize(self._v_init)

    def close(self) -> None:
        """Lets the other ranks go; call it on rank 0."""
        self._pc.py_broadcast(None, 0)

    def _window(self, current: np.ndarray, until: float) -> np.ndarray:
        for node, electrode in self._electrodes.items():
            electrode.amp = float(current[self._row[node]])
        # A whole number of steps, so that rounding of t neither adds nor loses one.
        self._pc.psolve(round(until / self._dt) * self._dt)
        means: list[tuple[int, float]] = []
        for node, vector in self._recorded.items():
            means.append((self._row[node], vector.mean()))
            vector.resize(0)
        # All sections of a cell are solved at once: what is not finite in one is so in the soma.
        bad = [row for row, mean in means if not isfinite(mean)]
        parts = self._pc.py_allgather((means, bad))
        bad = sorted(row for _, found in parts for row in found)
        if bad:
            names = ", ".join(self.names[row] for row in bad[:3])
            raise SimulationError(f"voltage is not finite by {until:g} ms in {names}; lower dt")
        voltage = np.zeros(len(self.names))
        for rows, _ in parts:
            for row, mean in rows:
                voltage[row] = mean
        return voltage
