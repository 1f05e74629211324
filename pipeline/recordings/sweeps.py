"""Recorded sweeps: files in, current and voltage in our units out."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.recordings import Extraction, StepSweeps
from pipeline.config.tables import read_csv
from pipeline.config.yaml_lines import nearest
from pipeline.errors import ConfigError, PipelineError, Problem, ToolError

COLUMNS = ("cell", "protocol", "current", "voltage")
_SCALES = {"current": {"A": 1e9, "nA": 1.0, "pA": 1e-3}, "voltage": {"V": 1e3, "mV": 1.0}}
_UNITS = {"current": "nA", "voltage": "mV"}


@dataclass(frozen=True)
class Sweep:
    """One response to a current step.

    Attributes:
        cell: The recorded cell.
        protocol: Its protocol.
        time: float64 [n], ms, from 0.
        voltage: float64 [n], mV, corrected for the junction potential.
        start: ms, start of the step.
        stop: ms, its end.
        holding: nA, mean current before the step.
        amplitude: nA, median current of the step above holding.
        where: File and line of its row, for messages.
    """

    cell: str
    protocol: str
    time: np.ndarray
    voltage: np.ndarray
    start: float
    stop: float
    holding: float
    amplitude: float
    where: str


def read_sweeps(table: Path, folder: Path, config: Extraction) -> list[Sweep]:
    """Reads the sweeps that a table names; rows of protocols that the config lacks are left out.

    Args:
        table: CSV with cell, protocol, current, voltage.
        folder: Of the files.
        config: Timing and junction potential.

    Raises:
        ConfigError: For missing columns, or if no row has a protocol of the config.
        PipelineError: With every sweep that cannot be read or is too short for its step.
    """
    rows = read_csv(table)
    if missing := [name for name in COLUMNS if name not in rows]:
        hint = nearest(missing[0], list(rows.columns))
        raise ConfigError(Problem(f"{table}:1", f"no column {missing[0]!r}", hint))
    sweeps: list[Sweep] = []
    problems: list[Problem] = []
    for line, row in enumerate(rows.to_dict("records"), start=2):
        step = config.protocols.get(row["protocol"])
        if step is None:
            continue
        where = f"{table}:{line}"
        try:
            sweeps.append(_sweep(row, folder, step, config.junction_potential, where))
        except PipelineError as error:
            problems += error.problems
    if problems:
        raise PipelineError(problems)
    if not sweeps:
        message = f"no sweep of {', '.join(config.protocols)}"
        raise ConfigError(Problem(str(table), message, "correct the column protocol"))
    return sweeps


def _sweep(row: dict[str, str], folder: Path, step: StepSweeps, ljp: float, where: str) -> Sweep:
    (dt, current), (other, voltage) = (
        read_wave(folder / row[kind], kind, where) for kind in _SCALES
    )
    if len(current) != len(voltage) or not np.isclose(dt, other, rtol=1e-6):
        message = f"current has {len(current)} samples of {dt:g} ms, voltage {len(voltage)} of {other:g} ms"
        raise ConfigError(Problem(where, message, "name two files of one sweep"))
    time = np.arange(len(current)) * dt
    stop = step.delay + step.duration
    before, inside = time < step.delay, (time >= step.delay) & (time < stop)
    if time[-1] < stop or not before.any():
        message = f"{time[-1]:g} ms long; the step runs from {step.delay:g} to {stop:g} ms"
        raise ConfigError(Problem(where, message, "correct delay and duration of the protocol"))
    # Mean where it is flat and long; the median of the step is blind to switching artefacts.
    holding = float(current[before].mean())
    amplitude = float(np.median(current[inside])) - holding
    return Sweep(
        row["cell"], row["protocol"], time, voltage - ljp, step.delay, stop, holding, amplitude, where
    )  # fmt: skip


def read_wave(path: Path, kind: str, where: str) -> tuple[float, np.ndarray]:
    """Reads one channel of one sweep.

    Args:
        path: ``.ibw`` (Igor binary wave, units in its header) or ``.csv`` (columns time, ms, and
            value, nA or mV; evenly sampled).
        kind: ``current`` or ``voltage``.
        where: The row that names it, for messages.

    Returns:
        Step of time in ms, and float64 [n] in nA or mV.

    Raises:
        ConfigError: If the file is missing, damaged, of another unit or of unknown kind.
        ToolError: If igor2 is not installed.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        message = f"{path.name}: unknown kind of file"
        raise ConfigError(Problem(where, message, f"known: {', '.join(_READERS)}"))
    if not path.is_file():
        raise ConfigError(Problem(where, f"no file {path}", "correct the row, or folder"))
    dt, values = reader(path, kind, where)
    if len(values) < 2 or not dt > 0 or not np.isfinite(values).all():
        message = f"{path.name}: no even series of finite numbers"
        raise ConfigError(Problem(where, message, "export it anew, or drop the row"))
    return dt, values


def _igor(path: Path, kind: str, where: str) -> tuple[float, np.ndarray]:
    try:
        from igor2.binarywave import load
    except ImportError:
        hint = "pip install igor2, or convert the recordings to CSV"
        raise ToolError(Problem(where, "Igor files need igor2", hint)) from None
    if not _whole(path.read_bytes()):
        message = f"{path.name}: no Igor binary wave, or one that breaks off"
        raise ConfigError(Problem(where, message, "export it anew, or drop the row"))
    try:
        wave = load(str(path))["wave"]
    except Exception as error:  # igor2 raises bare exceptions of many kinds on damaged files
        raise ConfigError(Problem(where, f"{path.name}: {error}", "a damaged Igor file")) from None
    header = wave["wave_header"]
    # Version 2 keeps the step in hsA, version 5 one per dimension in sfA; both in seconds.
    step = header["hsA"] if "hsA" in header else header["sfA"][0]
    unit = b"".join(np.atleast_1d(header["dataUnits"]).tolist()).decode("ascii", "replace")
    scale = _SCALES[kind].get(unit.strip("\0 "))
    if scale is None:
        message = f"{path.name}: {kind} in {unit!r}"
        raise ConfigError(Problem(where, message, f"expected {' or '.join(_SCALES[kind])}"))
    # Igor holds 0.00025 s as a double; float noise must not reach the bins of time.
    try:
        values = np.asarray(wave["wData"], np.float64)
    except (TypeError, ValueError):
        message = f"{path.name}: a wave of something else than numbers"
        raise ConfigError(Problem(where, message, "a damaged Igor file")) from None
    return round(float(step) * 1e3, 9), values * scale


def _whole(data: bytes) -> bool:
    """Whether the parts that an Igor header announces lie inside the file; igor2 waits for them."""
    for order in "<>":
        version = struct.unpack_from(f"{order}h", data.ljust(2, b"\0"))[0]
        names = _IGOR_HEADERS.get(version)
        if names is None or len(data) < struct.calcsize(f"{order}h{names}"):
            continue
        sizes = struct.unpack_from(f"{order}{names}", data, 2)
        sizes = sizes[1:] if version == 5 else sizes[:-1]  # without the checksum
        # Older versions count 16 bytes of padding that need not be there.
        limit = len(data) - struct.calcsize(f"{order}h{names}") + (0 if version == 5 else 16)
        return min(sizes) >= 0 and 0 < sum(sizes) <= limit
    return False


_IGOR_HEADERS = {1: "ih", 2: "iiih", 3: "iiiih", 5: "h15i"}
"""Version to what follows it: sizes of parts, and a checksum (Igor's technical note 3)."""


def _text(path: Path, kind: str, where: str) -> tuple[float, np.ndarray]:
    table = read_csv(path)
    if missing := [name for name in ("time", "value") if name not in table]:
        hint = f"columns time (ms), value ({_UNITS[kind]})"
        raise ConfigError(Problem(f"{path}:1", f"no column {missing[0]!r}", hint))
    numbers = table[["time", "value"]].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    steps = np.diff(numbers[:, 0])
    if len(steps) < 1 or not np.allclose(steps, steps[0], rtol=1e-6):
        raise ConfigError(Problem(where, f"{path.name}: time is uneven", "resample it"))
    return float(steps.mean()), numbers[:, 1]


_READERS = {".ibw": _igor, ".csv": _text}
