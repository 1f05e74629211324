"""Frame reports and spikes in the SONATA form, written and read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from pipeline.errors import CircuitError
from pipeline.runtime import atomic_path
from pipeline.sonata.read import column, damaged, open_population
from pipeline.sonata.write import set_units, sonata_file

CHUNK_BYTES = 1 << 20
SORTING = {"none": 0, "by_id": 1, "by_time": 2}


@dataclass(frozen=True)
class Report:
    """One population of a frame report.

    Attributes:
        data: float32 or float64 [steps, elements], in ``units``.
        node_ids: int64 [elements]. Node that each element belongs to.
        element_ids: int64 [elements]. Section id of each element.
        element_pos: float32 [elements]. Position along the section, 0 to 1.
        times: float64 [steps], ms.
        units: Unit of the data; empty when the file does not say.
    """

    data: np.ndarray
    node_ids: np.ndarray
    element_ids: np.ndarray
    element_pos: np.ndarray
    times: np.ndarray
    units: str


class ReportWriter:
    """Writes a frame report block by block; the file appears on a clean ``close``.

    Args:
        path: File to write, usually ``CircuitPaths.report``.
        population: Node population the elements belong to.
        node_ids: int [elements], ascending. Node of each element.
        element_ids: int [elements]. Section id of each element.
        element_pos: float [elements]. Position along the section, 0 to 1; None leaves it out.
        dt: Time between two frames, ms.
        t_start: Time of the first frame, ms.
        t_stop: End of the recording, ms; the last frame is at ``t_stop - dt``.
        units: Unit of the data, such as ``"mV"``.
        dtype: Stored number type; SONATA readers expect float32.

    Raises:
        CircuitError: If nodes are not ascending, lengths differ or frames are missing on close.
    """

    def __init__(
        self,
        path: str | Path,
        population: str,
        node_ids: np.ndarray,
        element_ids: np.ndarray,
        element_pos: np.ndarray | None,
        dt: float,
        t_start: float,
        t_stop: float,
        units: str,
        *,
        dtype: str = "float32",
    ):
        nodes = np.asarray(node_ids, np.int64)
        self._where = f"{path}: report of {population!r}"
        positions = {} if element_pos is None else {"element_pos": np.asarray(element_pos, "f4")}
        if any(len(column) != len(nodes) for column in (element_ids, *positions.values())):
            raise CircuitError(f"{self._where}: node_ids and elements differ in length")
        if np.any(np.diff(nodes) < 0):
            raise CircuitError(f"{self._where}: node ids are not ascending")
        self.n_steps = 0
        self._expected = round((t_stop - t_start) / dt)
        ids, counts = np.unique(nodes, return_counts=True)
        mapping = {
            "node_ids": ids.astype(np.uint64),
            "index_pointers": np.concatenate(([0], np.cumsum(counts))).astype(np.uint64),
            "element_ids": np.asarray(element_ids, np.uint32),
            **positions,
            "time": np.array([t_start, t_stop, dt], np.float64),
        }
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(path))
            root = stack.enter_context(sonata_file(temporary)).create_group(f"report/{population}")
            for name, values in mapping.items():
                root.create_dataset(f"mapping/{name}", data=values, track_times=False)
            # BMTK looks for the singular; a second name costs nothing.
            root["mapping/index_pointer"] = root["mapping/index_pointers"]
            set_units(root["mapping/time"], "ms")
            root["mapping/node_ids"].attrs["sorted"] = np.uint8(1)
            width = max(1, len(nodes))
            rows = min(max(1, CHUNK_BYTES // (width * np.dtype(dtype).itemsize)), 4096)
            self._data = root.create_dataset(
                "data", (0, len(nodes)), dtype, maxshape=(None, len(nodes)),
                chunks=(min(rows, max(1, self._expected)), width), track_times=False,
            )  # fmt: skip
            set_units(self._data, units)
            self._stack = stack.pop_all()

    def append(self, block: np.ndarray) -> None:
        """Adds frames.

        Args:
            block: float [steps, elements].
        """
        block = np.atleast_2d(block)
        if block.shape[1] != self._data.shape[1]:
            raise CircuitError(
                f"{self._where}: frames of {block.shape[1]} elements; "
                f"expected {self._data.shape[1]}"
            )
        self._data.resize(self.n_steps + len(block), axis=0)
        self._data[self.n_steps :] = block
        self.n_steps += len(block)

    def close(self) -> None:
        """Checks the number of frames and puts the file in its place."""
        with self._stack:
            if self.n_steps != self._expected:
                raise CircuitError(
                    f"{self._where}: {self.n_steps} frames written; expected {self._expected}"
                )

    def __enter__(self) -> ReportWriter:
        return self

    def __exit__(self, *failure) -> None:
        if failure[0] is None:
            self.close()
        else:
            self._stack.__exit__(*failure)


def read_report(path: str | Path, population: str) -> Report:
    """Reads a whole frame report.

    Raises:
        CircuitError: If the file or the population does not exist.
    """
    with open_population(path, "report", population) as root:
        data, mapping = column(root, "data", axes=2), root["mapping"]
        nodes = column(mapping, "node_ids", kinds="iu")[:].astype(np.int64)
        elements = column(mapping, "element_ids", data.shape[1], "iu")[:].astype(np.int64)
        pointers = column(mapping, "index_pointers", kinds="iu")[:].astype(np.int64)
        positions = None
        if "element_pos" in mapping:
            positions = column(mapping, "element_pos", data.shape[1])[:]
        start, _, dt = column(mapping, "time", 3)[:]
        counts = np.diff(np.append(pointers[: len(nodes)], len(elements)))
        if len(pointers) < len(nodes) or counts.sum() != len(elements) or (counts < 0).any():
            where = f"{path}:/report/{population}/mapping"
            raise damaged(where, f"index_pointers do not share {len(elements)} elements out")
        if not (np.isfinite(start) and np.isfinite(dt) and dt > 0):
            raise damaged(f"{path}:/report/{population}/mapping/time", f"step of {dt:g} ms")
        return Report(
            data=data[:],
            node_ids=np.repeat(nodes, counts),
            element_ids=elements,
            element_pos=np.full(len(elements), 0.5, "f4") if positions is None else positions,
            times=start + dt * np.arange(len(data)),
            units=str(data.attrs.get("units", "")),
        )


def write_spikes(
    path: str | Path, population: str, node_ids: np.ndarray, timestamps: np.ndarray
) -> None:
    """Writes the spikes of one population, sorted by time, then by node id.

    Args:
        path: File to write, usually ``CircuitPaths.spikes``.
        population: Node population that spiked.
        node_ids: int [n].
        timestamps: float [n], ms.

    Raises:
        CircuitError: If ids and times differ in length.
    """
    write_spike_populations(path, {population: (node_ids, timestamps)})


def write_spike_populations(
    path: str | Path,
    spikes: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    sorting: str = "by_time",
) -> None:
    """Writes the spikes of several populations into one file.

    Args:
        path: File to write.
        spikes: Node population to node ids (int [n]) and times (float [n], ms).
        sorting: by_time (then by node id) or by_id (then by time).

    Raises:
        CircuitError: If ids and times differ in length.
    """
    with atomic_path(path) as temporary, sonata_file(temporary) as handle:
        for population, pair in spikes.items():
            ids, times = np.asarray(pair[0], np.uint64), np.asarray(pair[1], np.float64)
            if ids.shape != times.shape:
                message = f"{len(ids)} node ids but {len(times)} times in {population!r}"
                raise CircuitError(f"{path}: {message}")
            order = np.lexsort((ids, times) if sorting == "by_time" else (times, ids))
            group = handle.create_group(f"spikes/{population}")
            enum = h5py.enum_dtype(SORTING, basetype=np.uint8)
            group.attrs.create("sorting", SORTING[sorting], dtype=enum)
            group.create_dataset("node_ids", data=ids[order], track_times=False)
            stamps = group.create_dataset("timestamps", data=times[order], track_times=False)
            set_units(stamps, "ms")


def read_spikes(path: str | Path, population: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads the spikes of one population.

    Returns:
        Node ids int64 [n] and times float64 [n] in ms, in the file's order.

    Raises:
        CircuitError: If the file or the population does not exist.
    """
    with open_population(path, "spikes", population) as root:
        ids, times = spike_columns(root)
        return ids[:].astype(np.int64), times[:].astype(np.float64)


def spike_columns(root: h5py.Group) -> tuple[h5py.Dataset, h5py.Dataset]:
    """Returns node ids and times of a population of spikes, of one length.

    Raises:
        CircuitError: If they are no such columns.
    """
    times = column(root, "timestamps")
    return column(root, "node_ids", len(times), "iu"), times
