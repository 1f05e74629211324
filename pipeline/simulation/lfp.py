"""Extracellular potential along a line of electrodes: every segment is a line source (LFPykit)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import Problem, ToolError
from pipeline.runtime import write_text
from pipeline.simulation.neuron_cells import is_point
from pipeline.simulation.plan import Plan
from pipeline.simulation.record import drain
from pipeline.simulation.targets import select_targets
from pipeline.sonata.read import read_nodes


class Probe:
    """The electrodes of a run; a recorder like ``Recorder``, whose frames stay in memory.

    The potential is that of an unbounded, even, ohmic medium: cells do not feel it, and what is far
    from them has no current. Contributions of cells are added in the order of node ids, so the
    numbers do not depend on ranks.

    Args:
        plan: The run; its config has ``lfp``.
        cells: Node id to cell, of this rank's cells that count.
        nodes: x, y, z (um) and, where cells are turned, orientation_w to _z; index = node id.

    Raises:
        ToolError: If LFPykit is not installed.
    """

    key = "lfp"

    def __init__(self, plan: Plan, cells: dict[int, Any], nodes: pd.DataFrame):
        from neuron import h

        h.cvode.use_fast_imem(1)
        self._plan, self._report = plan, plan.config["lfp"]
        self._every = round(self._report["dt"] / plan.dt)
        self._skip = 0
        self._blocks: list[np.ndarray] = []
        self._vectors: list[Any] = []
        self._parts: list[tuple[int, int, np.ndarray]] = []
        for node in sorted(cells):
            first = len(self._vectors)
            segments = [segment for section in cells[node].all for segment in section]
            self._vectors += [h.Vector().record(s._ref_i_membrane_) for s in segments]
            ends, diameters = placed_segments(cells[node], nodes.loc[node])
            self._parts.append((node, first, transfer(ends, diameters, self._report)))

    @property
    def width(self) -> int:
        """Number of recorded segments on this rank."""
        return len(self._vectors)

    def flush(self, pc: Any, *, last: bool) -> None:
        """Turns what was recorded since the last call into potentials; rank 0 keeps them."""
        block = drain(self._vectors)
        rows = np.arange(self._skip, len(block), self._every)
        self._skip = (self._skip - len(block)) % self._every
        own = [
            (node, block[rows, first : first + matrix.shape[1]] @ matrix.T)
            for node, first, matrix in self._parts
        ]
        found = pc.py_gather(own, 0)
        if pc.id() == 0:
            parts = sorted((part for rank in found for part in rank), key=lambda part: part[0])
            self._blocks.append(sum(potential for _, potential in parts))

    def close(self) -> None:
        """Writes the table on rank 0: time (ms) and the potential (mV) at every electrode."""
        if not self._blocks:
            return
        data = np.concatenate(self._blocks)
        names = [f"y{y:g}" for y in self._report["y"]]
        table = pd.DataFrame(data, columns=names)
        table.insert(0, "time", np.arange(len(data)) * self._report["dt"])
        table = table[table["time"] < self._plan.duration - self._report["dt"] / 2]
        text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        write_text(self._plan.paths.lfp(self._plan.name), text)


def make_probe(plan: Plan, cells: dict[int, Any]) -> list[Probe]:
    """Starts the electrodes of a run, if it has some."""
    report = plan.config.get("lfp")
    if not report:
        return []
    targets = select_targets(plan.paths, report["cells"])
    nodes = read_nodes(plan.paths.nodes(targets.population), targets.population)
    wanted = set(targets.node_ids.tolist())
    chosen = {
        c.node_id: c.hobj
        for c in cells.values()
        if c.node_id in wanted and not is_point(c.hobj)
    }  # fmt: skip
    return [Probe(plan, chosen, nodes)]


def check_lfp(plan: Plan) -> list[Problem]:
    """Names what electrodes cannot go with."""
    if not plan.config.get("lfp"):
        return []
    where = f"{plan.paths.simulation_config(plan.name)}  lfp"
    found = []
    if plan.coreneuron:
        found.append(Problem(where, "CoreNEURON hands out no membrane currents", "leave it out"))
    if plan.saving is not None:
        found.append(Problem(where, "potentials are not saved with a run", "run it in one go"))
    return found


def placed_segments(cell: Any, place: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ends of all segments of a NEURON cell where it stands.

    Args:
        cell: With ``all``, sections with 3d points, the soma about the origin.
        place: x, y, z (um) and, where it is turned, orientation_w to _z (unit quaternion).

    Returns:
        float64 [segments, 2, 3] and diameters float64 [segments], um; sections in order.
    """
    ends, diameters = [], []
    for section in cell.all:
        count = section.n3d()
        arc = np.array([section.arc3d(i) for i in range(count)])
        at = np.linspace(0.0, arc[-1], section.nseg + 1)
        axes = (section.x3d, section.y3d, section.z3d)
        points = [np.interp(at, arc, [axis(i) for i in range(count)]) for axis in axes]
        borders = np.stack(points, axis=1)
        ends.append(np.stack([borders[:-1], borders[1:]], axis=1))
        diameters += [segment.diam for segment in section]
    local = np.concatenate(ends)
    if "orientation_w" in place:
        w, *axis = (float(place[f"orientation_{name}"]) for name in "wxyz")
        twice = 2.0 * np.cross(axis, local)
        local = local + w * twice + np.cross(axis, twice)
    return local + place[["x", "y", "z"]].to_numpy(np.float64), np.array(diameters)


def transfer(ends: np.ndarray, diameters: np.ndarray, report: dict[str, Any]) -> np.ndarray:
    """Potentials that unit currents of line sources make.

    Args:
        ends: float64 [segments, 2, 3], um.
        diameters: float64 [segments], um; nearer than half of it counts as that far.
        report: ``x``, ``z`` (um), ``y`` (list, um), ``conductivity`` (S/m).

    Returns:
        float64 [electrodes, segments], mV/nA.

    Raises:
        ToolError: If LFPykit is not installed.
    """
    try:
        from lfpykit import CellGeometry, LineSourcePotential
    except ImportError:
        raise ToolError(
            Problem("lfpykit", "not installed", "pip install 'sonatina[lfp]'")
        ) from None
    geometry = CellGeometry(*(ends[:, :, k] for k in range(3)), d=diameters)
    y = np.array(report["y"], np.float64)
    x, z = (np.full(len(y), float(report[name])) for name in "xz")
    return LineSourcePotential(
        geometry, x=x, y=y, z=z, sigma=report["conductivity"]
    ).get_transformation_matrix()
