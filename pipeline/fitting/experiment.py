"""One cell under currents: NEURON runs, traces come back. One process holds one of these at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.cells.biophysical import build_cell
from pipeline.cells.description import CellDescription
from pipeline.cells.distances import section_starts
from pipeline.cells.morphology import APIC, Morphology
from pipeline.config.emodel import EModel
from pipeline.config.fits import Evaluation
from pipeline.config.schema import OddLength
from pipeline.errors import ConfigError, Problem
from pipeline.fitting.tables import Recording

ATTACH = 0.5
CHANNEL_CURRENTS = ("ina", "ik", "ica", "ihcn")
"""What the channels of mechanisms/cortex call their own currents."""
SOMA = "soma.v"
FALLBACK_DT = 0.025
"""ms; where NEURON's variable step ends with an error."""


@dataclass(frozen=True)
class Current:
    """A current step into the soma: nA, ms."""

    amplitude: float
    start: float
    duration: float


@dataclass(frozen=True)
class Trace:
    """What was recorded at one place: float64 [n], ms and the variable's unit."""

    time: np.ndarray
    value: np.ndarray


class Experiment:
    """A cell in NEURON that takes currents.

    Args:
        morphology: Its shape, the axon already as the fit wants it.
        emodel: Its membrane.
        segment: Longest segment is about this long, um.
        settings: Integration.
    """

    def __init__(
        self, morphology: Morphology, emodel: EModel, segment: float, settings: Evaluation
    ):
        from neuron import h

        h.load_file("stdrun.hoc")
        rule = OddLength(rule="odd_length", length=segment / 2)
        description = CellDescription(morphology, emodel, rule, soma_attach=ATTACH)
        self._h, self._settings = h, settings
        self._cell = build_cell(description, emodel.name)
        self._morphology = morphology
        self._conditions = emodel.conditions

    def fires(self, currents: Sequence[Current], start: float, stop: float) -> bool:
        """Whether the soma fires between two times (ms); the run ends at the first spike."""
        h = self._h
        soma = self._cell.soma[0](0.5)
        clamps = [self._clamp(soma, current) for current in currents if current.amplitude]
        netcon = h.NetCon(soma._ref_v, None, sec=soma.sec)
        netcon.threshold = self._settings.spike_threshold
        spikes: list[float] = []

        def spiked() -> None:
            if h.t >= start:
                spikes.append(h.t)
                h.stoprun = True

        netcon.record(spiked)
        self._advance(stop)
        del clamps, netcon
        return bool(spikes)

    def channels(self, section: int) -> dict[str, Any]:
        """Returns what each channel lets through in the middle of a section, mA/cm2, for ``run``."""
        middle = self._cell.all[section](0.5)
        return {
            mechanism.name(): getattr(mechanism, f"_ref_{name}")
            for mechanism in middle
            for name in CHANNEL_CURRENTS
            if hasattr(mechanism, name) and not mechanism.name().endswith("_ion")
        }

    def run(
        self, currents: Sequence[Current], stop: float, recordings: Sequence[Recording] = (),
        also: Mapping[str, Any] | None = None,
    ) -> dict[str, Trace]:  # fmt: skip
        """Runs from rest.

        Args:
            currents: Steps; they add up.
            stop: End, ms.
            recordings: Places besides the soma.
            also: Further NEURON references by the label they get.

        Returns:
            Traces by ``recording.variable``; ``soma.v`` is the middle of the soma.
        """
        h = self._h
        soma = self._cell.soma[0](0.5)
        clamps = [self._clamp(soma, current) for current in currents if current.amplitude]
        places = {SOMA: soma._ref_v} | {
            r.label: getattr(self._segment(r), f"_ref_{r.variable}") for r in recordings
        }
        places |= also or {}
        time = h.Vector().record(h._ref_t)
        values = {label: h.Vector().record(place) for label, place in places.items()}
        self._advance(stop)
        del clamps
        t = np.array(time)
        return {label: Trace(t, np.array(vector)) for label, vector in values.items()}

    def _advance(self, stop: float) -> None:
        """Runs to a time; where the variable step gives up, again with a fixed one."""
        self._start(self._settings.dt)
        try:
            self._h.continuerun(stop)
        except RuntimeError:
            if self._settings.dt is not None:
                raise
            self._start(FALLBACK_DT)
            self._h.continuerun(stop)

    def _start(self, dt: float | None) -> None:
        h = self._h
        h.celsius = self._conditions.celsius if self._conditions else 34.0
        h.cvode_active(dt is None)
        if dt is None:
            h.cvode.atol(self._settings.absolute_tolerance)
        else:
            h.dt, h.steps_per_ms = dt, 1.0 / dt
        h.stoprun = False
        h.finitialize(self._conditions.v_init if self._conditions else -80.0)

    def _clamp(self, soma: Any, current: Current) -> Any:
        clamp = self._h.IClamp(soma)
        clamp.amp, clamp.delay, clamp.dur = current.amplitude, current.start, current.duration
        return clamp

    def _segment(self, recording: Recording) -> Any:
        index, x = place_of(self._morphology, recording)
        return self._cell.all[index](x)


def place_of(morphology: Morphology, recording: Recording) -> tuple[int, float]:
    """Returns section id and position (0 to 1) of a recording.

    Raises:
        ConfigError: If the cell has no such place.
    """
    starts = section_starts(morphology, ATTACH) - ATTACH * morphology.sections[0].length
    sections = morphology.sections
    own = [i for i, s in enumerate(sections) if s.section_list == recording.section_list]
    if recording.rule == "section":
        if recording.index < len(own):
            return own[recording.index], recording.position
    else:
        if recording.rule == "main_apical_distance":
            own = main_path(morphology, starts)
        for index in own:
            away = recording.distance - starts[index]
            if 0 <= away <= sections[index].length:
                return index, float(away / sections[index].length)
    message = f"{morphology.name} has no place for {recording.label} ({recording.rule})"
    raise ConfigError(Problem(recording.protocol, message, "take a cell that reaches so far"))


def main_path(morphology: Morphology, starts: np.ndarray) -> list[int]:
    """Apical sections from the soma to the apical point that lies farthest along the path."""
    sections = morphology.sections
    ends = {i: starts[i] + s.length for i, s in enumerate(sections) if s.kind == APIC}
    if not ends:
        return []
    index, path = max(ends, key=lambda i: ends[i]), []
    while index > 0 and sections[index].kind == APIC:
        path.append(index)
        index = sections[index].parent
    return path[::-1]
