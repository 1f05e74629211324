"""Saves a run on NEURON so that a later process goes on with it, spike for spike.

Every rank saves NEURON's state (SaveState: voltages, states, events on their way) and what SaveState leaves
out: places in random streams, currents that are played, voltages handed over, spikes so far. Reports
stream into raw files that are cut back to what the last save holds. Rank 0 writes ``checkpoint.json`` last;
until then the save before it counts. It is good for the same number of ranks, config, circuit and library.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import Problem, SimulationError
from pipeline.runtime import file_hash, make_folder, value_hash, write_json
from pipeline.simulation.neuron_cells import is_point
from pipeline.simulation.plan import Plan
from pipeline.sonata.circuit import load_json

log = logging.getLogger(__name__)

FILE = "checkpoint.json"
MARGIN_S = 60.0
"""Wall time kept for a save before a job's end; as much again as ten of the blocks so far."""


class StoppedError(SimulationError):
    """A run that ended before its time, with a save."""

    exit_code = 75  # the system's code for: try again later


@dataclass(frozen=True)
class Saving:
    """When a run is saved.

    Attributes:
        every: ms of the model between two saves; None for none but the last.
        until: Time of the clock (s since 1970) at which the process must have ended; None for never.
    """

    every: float | None
    until: float | None


@dataclass(frozen=True)
class Live:
    """What a save must hold beside NEURON's own state, of this rank.

    Attributes:
        references: NEURON references of plain numbers.
        streams: RANDOM variables of mechanisms, in an order that the next process makes again.
        patterns: Spikes that are played: the process, its times (ms) and gids, both in order.
    """

    references: list[Any]
    streams: list[Any]
    patterns: list[tuple[Any, np.ndarray, np.ndarray]]


def random_streams(processes: list[Any], cells: list[Any]) -> list[Any]:
    """Returns the RANDOM variables of point processes and of the mechanisms in the cells' sections."""
    names: dict[str, list[str]] = {}
    found = []
    for process in processes:
        kind = process.hname().split("[")[0]
        if kind not in names:
            names[kind] = _streams_of(process)
        found += [getattr(process, name) for name in names[kind]]
    for hobj in cells:
        if is_point(hobj):
            continue
        for mechanism in (m for section in hobj.all for segment in section for m in segment):
            kind = mechanism.name()
            if kind not in names:
                names[kind] = _streams_of(mechanism)
            found += [getattr(mechanism, name) for name in names[kind]]
    return found


def _streams_of(mechanism: Any) -> list[str]:
    public = [name for name in dir(mechanism) if not name.startswith("_")]
    named = ((name, getattr(getattr(mechanism, name, None), "hname", None)) for name in public)
    return [name for name, hname in named if callable(hname) and hname().startswith("NMODLRandom")]


def sent(times: np.ndarray, now: float) -> int:
    """How many spikes a PatternStim has handed over by a time; it hands over a hundred ahead.

    Args:
        times: float [n], ms, ascending.
        now: ms.
    """
    index, due = 0, 0.0
    while index < len(times) and due <= now + 1e-9:
        count = 0
        while index < len(times):
            index += 1
            if index < len(times) and count > 100 and due < times[index]:
                break
            count += 1
        due = times[index] if index < len(times) else np.inf
    return index


class Checkpoint:
    """Saves and restores the run of one plan on this rank.

    Args:
        h: NEURON's interpreter.
        pc: Its ParallelContext.
        plan: The run.
        saving: When to save.
        live: What a save must hold.
        spikes: Vectors of times and gids.
    """

    def __init__(self, h: Any, pc: Any, plan: Plan, saving: Saving, live: Live, spikes: tuple):
        self._h, self._pc, self._saving, self._live = h, pc, saving, live
        self._plan, self._spikes = plan, spikes
        self._played: list[tuple] = []  # NEURON reads them while the run lasts
        self.folder = make_folder(folder_of(plan))
        self._began, self._start = time.time(), 0
        self._saved = 0.0
        self._mark = _mark(plan, int(pc.nhost()))

    @property
    def start(self) -> float:
        """Time the run went on at, ms; 0 without a save."""
        return self._start * self._plan.dt

    def resume(self, restore_reports: Callable[[dict], None]) -> int:
        """Goes on with a save if there is one that fits; returns the step it was made at.

        Args:
            restore_reports: Takes what ``save`` was given for the reports.
        """
        entry, _ = load_json(self.folder / FILE)
        fits = isinstance(entry, dict) and entry.get("mark") == self._mark
        step = int(self._pc.allreduce(float(entry["step"] if fits else 0), 3))
        if step == 0:
            return 0
        state = self._h.SaveState()
        state.fread(self._h.File(str(self._path(step, "state"))))
        state.restore()
        with np.load(self._path(step, "npz")) as kept:
            for reference, value in zip(self._live.references, kept["values"], strict=True):
                reference[0] = value
            for stream, place in zip(self._live.streams, kept["places"], strict=True):
                stream.set_seq(float(place))
            for vector, name in zip(self._spikes, ("times", "gids"), strict=True):
                vector.from_python(kept[name])
        now = step * self._plan.dt
        for stimulus, times, gids in self._live.patterns:
            rest = sent(times, now)
            vectors = self._h.Vector(times[rest:]), self._h.Vector(gids[rest:])
            stimulus.play(*vectors)
            stimulus.initps()  # from the first of them on
            self._played.append(vectors)
        restore_reports(entry["reports"])
        if self._pc.id() == 0:
            log.info("going on at %g of %g ms", now, self._plan.duration)
        self._start, self._saved = step, now
        return step

    def after(self, step: int, reports: Callable[[], dict]) -> None:
        """Saves after a block if it is time, and ends the run if the clock demands it.

        Args:
            step: Steps done.
            reports: Makes the reports safe on disk; returns what ``resume`` hands back.

        Raises:
            StoppedError: After the save, if the time given has come.
        """
        now = step * self._plan.dt
        spent = time.time() - self._began
        left = spent / max(1, step - self._start) * (self._plan.steps - step)
        due = self._saving.every is not None and now - self._saved >= self._saving.every - 1e-9
        reserve = MARGIN_S + 0.2 * spent * self._plan.steps / max(1, step - self._start) / 50
        stop = self._saving.until is not None and time.time() + reserve > self._saving.until
        stop = bool(self._pc.allreduce(float(stop), 2))
        if step >= self._plan.steps or not (due or stop):
            return
        self._save(step, reports())
        if self._pc.id() == 0:
            log.info("saved at %g of %g ms; %s left", now, self._plan.duration, _span(left))
        if stop:
            message = f"the wall time is over at {now:g} of {self._plan.duration:g} ms"
            hint = f"run it again: it goes on there; {_span(left)} left"
            raise StoppedError(Problem(self._plan.name, message, hint))

    def _save(self, step: int, reports: dict) -> None:
        self._saved = step * self._plan.dt
        state = self._h.SaveState()
        state.save()
        state.fwrite(self._h.File(str(self._path(step, "state"))))
        values = np.array([reference[0] for reference in self._live.references], float)
        times, gids = (np.array(vector) for vector in self._spikes)
        places = np.array([stream.get_seq() for stream in self._live.streams], float)
        arrays = {"values": values, "places": places, "times": times, "gids": gids}
        np.savez(self._path(step, "npz"), **arrays)
        self._pc.barrier()
        if self._pc.id() == 0:
            entry = {"step": step, "mark": self._mark, "reports": reports}
            write_json(self.folder / FILE, entry)
        self._pc.barrier()
        for path in self.folder.glob(f"rank-{int(self._pc.id())}.*"):
            if f".{step}." not in path.name:
                path.unlink()

    def _path(self, step: int, kind: str) -> Path:
        return self.folder / f"rank-{int(self._pc.id())}.{step}.{kind}"


def folder_of(plan: Plan) -> Path:
    """Where a run's saves lie."""
    return plan.folder / "checkpoint"


def _mark(plan: Plan, ranks: int) -> str:
    """What a save depends on: config, inputs, circuit, library, ranks and the cells of each."""
    files = [*sorted(plan.paths.network.glob("*")), *sorted(plan.paths.components.rglob("*.json"))]
    inputs = [entry["input_file"] for entry in plan.config["inputs"].values()]
    stated = {str(path): [path.stat().st_size, path.stat().st_mtime_ns] for path in files}
    hashes = [file_hash(plan.folder / name) for name in inputs]
    dealt = file_hash(plan.dealt) if plan.dealt else ""
    return value_hash([plan.config, stated, hashes, str(plan.library), ranks, dealt])


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class FrameLog:
    """Frames of a report in a raw file that can be cut back; becomes the report at the end.

    Args:
        path: The raw file.
        frames: How many of its frames count; more are cut off.
        width: Elements per frame.
        dtype: Number type.
        open_report: Opens the report's writer.
    """

    def __init__(self, path: Path, frames: int, width: int, dtype: str, open_report: Callable):
        self._width, self._dtype, self._open_report = width, np.dtype(dtype), open_report
        self._path = path
        self._handle = open(path, "r+b" if frames else "wb")
        self._handle.truncate(frames * width * self._dtype.itemsize)
        self._handle.seek(0, os.SEEK_END)

    def append(self, block: np.ndarray) -> None:
        """Adds frames: float [steps, elements]."""
        self._handle.write(np.ascontiguousarray(block, self._dtype).tobytes())

    def sync(self) -> None:
        """Returns when the frames are on disk."""
        self._handle.flush()
        os.fsync(self._handle.fileno())

    def close(self) -> None:
        """Writes the report, block by block, and removes the raw file."""
        self._handle.close()
        rows = max(1, (1 << 25) // (self._width * self._dtype.itemsize))
        with self._open_report() as writer:
            data = np.memmap(self._path, self._dtype, "r").reshape(-1, self._width)
            for start in range(0, len(data), rows):
                writer.append(data[start : start + rows])
        self._path.unlink()
