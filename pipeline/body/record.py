"""The record of a behaviour: what is written of a body, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import h5py
import numpy as np

from pipeline.errors import CircuitError, Problem
from pipeline.runtime import atomic_path

UNITS = {
    "time": "ms", "positions": "um", "velocities": "um/ms", "forces": "nN", "curvature": "1/um",
    "activation": "1", "concentration": "1", "current": "nA", "voltage": "mV",
}  # fmt: skip


@dataclass(frozen=True)
class Record:
    """Frames of one run.

    Attributes:
        time: float64 [frames], ms.
        positions, velocities, forces: float64 [frames, points, 2]; um, um/ms, nN.
        curvature: float64 [frames, segments], 1/um; dorsal bends positive.
        activation: float64 [frames, 2, segments]; dorsal and ventral muscles, 0 to 1.
        concentration: float64 [frames]; sum of all sources at the head.
        current: float64 [frames, sensors], nA.
        voltage: float32 [frames, neurons], mV, mean of the last window; None without neurons.
        neurons: Their names.
    """

    time: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    forces: np.ndarray
    curvature: np.ndarray
    activation: np.ndarray
    concentration: np.ndarray
    current: np.ndarray
    voltage: np.ndarray | None = None
    neurons: tuple[str, ...] = ()


def write_record(path: Path, record: Record) -> None:
    """Writes a record; equal records give equal bytes."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for name, unit in UNITS.items():
            if getattr(record, name) is None:
                continue
            data = file.create_dataset(name, data=getattr(record, name), track_times=False)
            data.attrs["units"] = unit
        if record.neurons:
            names = np.array([name.encode() for name in record.neurons])
            file.create_dataset("neurons", data=names, track_times=False)


def read_record(path: Path) -> Record:
    """Reads a record.

    Raises:
        CircuitError: If the file is missing or holds something else.
    """
    try:
        with h5py.File(path) as file:
            optional = {"voltage", "neurons"} - set(file)
            wanted = [f.name for f in fields(Record) if f.name not in optional]
            found = {name: file[name][()] for name in wanted}
            if "neurons" in found:
                found["neurons"] = tuple(name.decode() for name in found["neurons"])
            return Record(**found)
    except (OSError, KeyError) as error:
        hint = "run 'sonatina behave' again"
        raise CircuitError(Problem(str(path), f"no record of a behaviour: {error}", hint)) from None
