"""Recording of voltages in blocks: NEURON vectors on every rank, one SONATA report on rank 0."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from pipeline.simulation.checkpoint import FrameLog, folder_of
from pipeline.simulation.neuron_cells import voltages
from pipeline.simulation.plan import Plan
from pipeline.simulation.targets import select_targets
from pipeline.sonata.reports import ReportWriter


def drain(vectors: list[Any]) -> np.ndarray:
    """Empties NEURON vectors of equal length into float64 [steps, vectors]."""
    block = np.empty((len(vectors[0]) if vectors else 0, len(vectors)))
    for column, vector in enumerate(vectors):
        block[:, column] = vector.as_numpy()
        vector.resize(0)
    return block


class Recorder:
    """One report of a run; memory holds one block of frames.

    Frame k is the value at time ``k * dt`` of the report; the end point is not written, as SONATA has it.

    Args:
        plan: The run.
        key: Name of the report.
        cells: Node id to cell, of the recorded cells on this rank.
        report: The report's entry of the simulation config.
    """

    def __init__(self, plan: Plan, key: str, cells: dict[int, Any], report: dict[str, Any]):
        from neuron import h

        self._plan, self.key, self._report = plan, key, report
        self._dtype = "float64" if report.get("precision") == "double" else "float32"
        self._every = round(report["dt"] / plan.dt)
        self._vectors: list[Any] = []
        self._elements: list[tuple[int, int, float]] = []
        self._frames = 0
        self._skip = 0
        self._writer: ReportWriter | FrameLog | None = None
        self._kept = 0
        for node in sorted(cells):
            for index, x, voltage in voltages(cells[node], report["sections"]):
                self._vectors.append(h.Vector().record(voltage))
                self._elements.append((node, index, x))

    @property
    def width(self) -> int:
        """Number of recorded elements on this rank."""
        return len(self._vectors)

    def flush(self, pc, *, last: bool) -> None:
        """Moves what was recorded since the last call into the report.

        Args:
            pc: NEURON's ParallelContext.
            last: Whether the run has ended: the frame at the end point is dropped.
        """
        block = drain(self._vectors)
        rows = np.arange(self._skip, len(block), self._every)
        self._skip = (self._skip - len(block)) % self._every
        if last and len(rows) and (self._frames + len(rows)) > self._total:
            rows = rows[:-1]
        self._frames += len(rows)
        parts = pc.py_gather((self._elements, block[rows].astype(self._dtype)), 0)
        if pc.id() == 0:
            self._append(parts)

    @property
    def _total(self) -> int:
        return round((self._report["end_time"] - self._report["start_time"]) / self._report["dt"])

    def _append(self, parts) -> None:
        elements = [element for part, _ in parts for element in part]
        order = sorted(range(len(elements)), key=lambda i: elements[i])
        data = np.concatenate([values for part, values in parts if part], axis=1)[:, order]
        if self._writer is None:
            self._writer = self._open([elements[i] for i in order])
        self._writer.append(data)

    def keep(self) -> int:
        """Has what was flushed on disk, where the run is saved; returns the number of frames."""
        if isinstance(self._writer, FrameLog):
            self._writer.sync()
        return self._frames

    def resume(self, frames: int, step: int) -> None:
        """Goes on after a save.

        Args:
            frames: What ``keep`` returned.
            step: Steps done.
        """
        for vector in self._vectors:
            vector.resize(0)
        # The value after step s is sample s: the next one to come is step + 1.
        self._skip = -(step + 1) % self._every
        self._frames = self._kept = frames

    def _open(self, elements: list[tuple[int, int, float]]) -> ReportWriter | FrameLog:
        if self._plan.saving is None:
            return self._report_writer(elements)
        path = folder_of(self._plan) / f"{self.key}.frames"
        later = partial(self._report_writer, elements)
        return FrameLog(path, self._kept, len(elements), self._dtype, later)

    def _report_writer(self, elements: list[tuple[int, int, float]]) -> ReportWriter:
        nodes, sections, positions = (np.array(column) for column in zip(*elements, strict=True))
        report = self._report
        return ReportWriter(
            self._plan.paths.report(self._plan.name, self.key),
            select_targets(self._plan.paths, report["cells"]).population,
            nodes, sections, positions,
            report["dt"], report["start_time"], report["end_time"], "mV", dtype=self._dtype,
        )  # fmt: skip

    def close(self) -> None:
        """Finishes the file on rank 0."""
        if self._writer is not None:
            self._writer.close()
