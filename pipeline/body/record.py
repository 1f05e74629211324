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
START_UNITS = {
    "heading": "degrees", "smelling": "1", "head": "um", "centre": "um", "frequency": "Hz",
    "wavelength": "body lengths", "speed": "um/s",
}  # fmt: skip


@dataclass(frozen=True)
class Starts:
    """The same behaviour from several headings; the first is that of the record itself.

    Attributes:
        heading: float64 [starts], degrees.
        smelling: bool [starts]. False: a control without sensing.
        head, centre: float32 [starts, frames, 2], um.
        frequency, wavelength, speed: float64 [starts]; Hz, body lengths, um/s; after ``settle``.
    """

    heading: np.ndarray
    smelling: np.ndarray
    head: np.ndarray
    centre: np.ndarray
    frequency: np.ndarray
    wavelength: np.ndarray
    speed: np.ndarray


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
        starts: Of a behaviour with several.
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
    starts: Starts | None = None


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
        if record.starts:
            for name, unit in START_UNITS.items():
                data = getattr(record.starts, name)
                file.create_dataset(f"starts/{name}", data=data, track_times=False)
                file[f"starts/{name}"].attrs["units"] = unit


def read_record(path: Path) -> Record:
    """Reads a record.

    Raises:
        CircuitError: If the file is missing or holds something else.
    """
    try:
        with h5py.File(path) as file:
            optional = {"voltage", "neurons", "starts"} - set(file)
            wanted = [f.name for f in fields(Record) if f.name not in optional]
            starts = "starts" in wanted
            found = {name: file[name][()] for name in wanted if name != "starts"}
            if starts:
                found["starts"] = Starts(**{key: file["starts"][key][()] for key in START_UNITS})
            if "neurons" in found:
                found["neurons"] = tuple(name.decode() for name in found["neurons"])
            return Record(**found)
    except (OSError, KeyError) as error:
        hint = "run 'sonatina behave' again"
        raise CircuitError(Problem(str(path), f"no record of a behaviour: {error}", hint)) from None
