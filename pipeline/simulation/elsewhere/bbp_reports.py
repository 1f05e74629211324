"""Reports of neurodamus, written by us: it says which numbers, libsonatareport would have written them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.runtime import atomic_path
from pipeline.simulation.record import drain
from pipeline.sonata.reports import ReportWriter


class Sum:
    """In place of neurodamus' ALU: a weighted sum of numbers of the model; ``_ref_output`` is itself."""

    def __init__(self) -> None:
        self.parts: list[tuple[Any, float]] = []
        self._ref_output = self

    def addvar(self, reference: Any, factor: float) -> None:
        """Adds a number."""
        self.parts.append((reference, factor))


@dataclass(frozen=True)
class Settings:
    """Of a report: name of its file, unit, and times in ms."""

    name: str
    unit: str
    dt: float
    start: float
    end: float


class Frames:
    """In place of neurodamus' SonataReport: holds one block of frames, rank 0 streams them to disk.

    Args:
        settings: Of the report.
        folder: Folder of the file.
        dt: Time step of the run, ms.
    """

    def __init__(self, settings: Settings, folder: Path, dt: float):
        self.plain = (settings, folder, dt)
        self._settings, name = settings, settings.name
        self._path = folder / (name if name.endswith(".h5") else f"{name}.h5")
        self._every = max(1, round(settings.dt / dt))
        self._skip = round(settings.start / dt)
        self._left = round((settings.end - settings.start) / settings.dt)
        self._elements: list[tuple[str, int, int]] = []  # population, node, element
        self._vectors: list[Any] = []
        self._factors: list[float] = []
        self._firsts: list[int] = []
        self._offsets: dict[int, int] = {}
        self._writers: dict[str, tuple[ReportWriter, np.ndarray]] = {}

    def AddNode(self, gid: int, population: str, offset: int) -> None:
        """Starts a cell; neurodamus calls it."""
        self._offsets[int(gid)] = int(offset)

    def AddVar(self, reference: Any, element: int, gid: int, population: str) -> None:
        """Adds an element of a cell; neurodamus calls it."""
        from neuron import h

        parts = reference.parts if isinstance(reference, Sum) else [(reference, 1.0)]
        node = int(gid) - self._offsets[int(gid)]
        self._elements.append((population, node, int(element)))
        self._firsts.append(len(self._vectors))
        self._vectors += [h.Vector().record(part) for part, _ in parts]
        self._factors += [factor for _, factor in parts]

    @property
    def width(self) -> int:
        """Numbers that this rank records per step."""
        return len(self._vectors)

    def flush(self, pc: Any, steps: int) -> None:
        """Moves what was recorded since the last call into the file.

        Args:
            pc: NEURON's ParallelContext.
            steps: How many values there are since then; a rank may record nothing.
        """
        block = drain(self._vectors)
        rows = np.arange(self._skip, steps, self._every)
        self._skip = (self._skip + self._every * len(rows)) - steps
        data = self._sums(block[rows] if self._vectors else np.empty((len(rows), 0)))
        parts = pc.py_gather((self._elements, data), 0)
        if pc.id() == 0:
            self._append([part for part in parts if part[0]])

    def _sums(self, block: np.ndarray) -> np.ndarray:
        """Elements out of their addends: float64 [frames, elements]; nothing to add gives 0."""
        sums = np.zeros((len(block), len(self._elements)))
        ends = [*self._firsts, len(self._vectors)][1:]
        for column, (first, end) in enumerate(zip(self._firsts, ends, strict=True)):
            sums[:, column] = block[:, first:end] @ np.array(self._factors[first:end])
        return sums

    def _append(self, parts: list[tuple[list, np.ndarray]]) -> None:
        if not parts:
            return
        elements = [element for part, _ in parts for element in part]
        data = np.concatenate([values for _, values in parts], axis=1)[: self._left]
        self._left -= len(data)
        if not self._writers:
            for population in dict.fromkeys(name for name, _, _ in elements):
                own = [i for i, element in enumerate(elements) if element[0] == population]
                own.sort(key=lambda i: elements[i][1])
                self._writers[population] = self._open(population, [elements[i] for i in own], own)
        for writer, columns in self._writers.values():
            writer.append(data[:, columns])

    def _open(self, population: str, elements: list, own: list[int]) -> tuple:
        path = self._path.with_name(f"{self._path.name}.{population}")
        _, nodes, ids = zip(*elements, strict=True)
        writer = ReportWriter(
            path, population, np.array(nodes), np.array(ids), None, self._settings.dt,
            self._settings.start, self._settings.end, self._settings.unit,
        )  # fmt: skip
        return writer, np.array(own)

    def close(self) -> None:
        """Joins the populations in one file, on rank 0."""
        if not self._writers:
            return
        with atomic_path(self._path) as temporary, h5py.File(temporary, "w") as whole:
            for population, (writer, _) in self._writers.items():
                writer.close()
                part = self._path.with_name(f"{self._path.name}.{population}")
                with h5py.File(part) as made:
                    for key, value in made.attrs.items():
                        whole.attrs[key] = value
                    made.copy(f"report/{population}", whole.require_group("report"))
                part.unlink()
