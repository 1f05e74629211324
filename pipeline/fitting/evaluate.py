"""One individual tried: rest, holding, input resistance, threshold, protocols, features, scores.

The order and the early stop follow Reva et al. 2023, doi:10.1016/j.patter.2023.100855.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.cells.morphology import Morphology
from pipeline.config.distributions import Distribution
from pipeline.config.emodel import EModel
from pipeline.config.fits import Evaluation
from pipeline.fitting.experiment import SOMA, Current, Experiment, Trace
from pipeline.fitting.parameters import emodel_of
from pipeline.fitting.tables import HOLDING, THRESHOLD, Parameter, Protocol, Recording, Target

HOLDING_STEPS, THRESHOLD_STEPS = 12, 40
FIRST_LIMIT_AT = ("RMP", "Rin")


@dataclass(frozen=True)
class Task:
    """All that a worker needs to try an individual; pure data."""

    name: str
    morphology: Morphology
    segment: float
    parameters: tuple[Parameter, ...]
    laws: dict[str, Distribution]
    protocols: dict[str, Protocol]
    targets: tuple[Target, ...]
    recordings: tuple[Recording, ...]
    settings: Evaluation


@dataclass
class Outcome:
    """What came of an individual.

    Attributes:
        scores: |value - mean| / sd by target label; the worst score where there is no value.
        values: Features by target label.
        traces: By protocol and place; only where asked for.
        reason: Why not everything was run; "" otherwise.
        currents: Holding (0 unless it was found) and threshold current, nA.
        signs: -1 where a value is below its mean, else 1; in the order of the scores.
    """

    scores: dict[str, float] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    traces: dict[str, dict[str, Trace]] = field(default_factory=dict)
    reason: str = ""
    currents: tuple[float, float] = (0.0, float("nan"))
    signs: list[int] = field(default_factory=list)


def evaluate(task: Task, vector: Sequence[float], *, held_out: bool = False, keep: bool = False):
    """Tries one individual.

    Args:
        task: The fit.
        vector: Free parameters.
        held_out: Whether held-out targets are computed, too.
        keep: Whether traces come back.

    Returns:
        Outcome: Scores of all targets asked for, in the order of the table.
    """
    emodel = emodel_of(task.name, task.parameters, task.laws, vector, "search")
    return evaluate_emodel(task, emodel, held_out=held_out, keep=keep)


def evaluate_emodel(
    task: Task, emodel: EModel, *, held_out: bool = False, keep: bool = False
) -> Outcome:
    """Tries an e-model with the protocols of a fit; as ``evaluate``."""
    wanted = [t for t in task.targets if held_out or not t.held_out]
    outcome = Outcome()
    cell = Experiment(task.morphology, emodel, task.segment, task.settings)
    run = _Run(task, wanted, outcome, keep)
    run.all(cell)
    outcome.currents = run.holding, run.threshold
    worst = task.settings.worst
    for target in wanted:
        value = outcome.values.get(target.label)
        score = worst if value is None else min(abs(value - target.mean) / target.sd, worst)
        outcome.scores[target.label] = score if np.isfinite(score) else worst
        outcome.signs.append(-1 if value is not None and value < target.mean else 1)
    return outcome


class _Run:
    """The stages of one evaluation."""

    def __init__(self, task: Task, wanted: list[Target], outcome: Outcome, keep: bool):
        self.task, self.wanted, self.outcome, self.keep = task, wanted, outcome, keep
        self.holding, self.threshold = 0.0, float("nan")

    def all(self, cell: Experiment) -> None:
        protocols = self.task.protocols
        searches = {p.kind: p for p in protocols.values()}
        if "RMP" in protocols and not self._passes(cell, protocols["RMP"]):
            return
        if "holding_search" in searches and "Rin" in protocols and not self._hold(cell):
            return
        if "Rin" in protocols and not self._passes(cell, protocols["Rin"]):
            return
        others = [
            p
            for name, p in protocols.items()
            if name not in FIRST_LIMIT_AT
            and p.kind.startswith("step")
            and any(t.protocol == name for t in self.wanted)
        ]
        if "threshold_search" in searches:
            self._find_threshold(cell, searches["threshold_search"])
        for protocol in others:
            if protocol.kind == "step_percent" and np.isnan(self.threshold):
                continue
            self._answer(cell, protocol)

    def _passes(self, cell: Experiment, protocol: Protocol) -> bool:
        """Runs a first protocol; False where a score beyond the limit ends the evaluation."""
        self._answer(cell, protocol)
        for target in self.wanted:
            if target.protocol == protocol.name:
                value = self.outcome.values.get(target.label, np.inf)
                if not abs(value - target.mean) / target.sd <= self.task.settings.first_limit:
                    self.outcome.reason = f"{target.label} is {value:.4g}"
                    return False
        return True

    def _hold(self, cell: Experiment) -> bool:
        """Finds the current that holds the soma where the input resistance was measured."""
        target = next(
            (t for t in self.task.targets if (t.protocol, t.feature) == ("Rin", "voltage_base")),
            None,
        )
        if target is None:
            return True
        protocol, settings = self.task.protocols["Rin"], self.task.settings
        stop = protocol.window[0]

        def voltage(current: float) -> float:
            return cell.run([Current(current, 0.0, stop)], stop)[SOMA].value[-1]

        low, high = 0.0, -0.05
        v_low, v_high = voltage(low), voltage(high)
        for _ in range(HOLDING_STEPS):
            if abs(v_high - target.mean) <= settings.holding_precision:
                self.holding = high
                self._note(HOLDING, "holding_current", high)
                return True
            if v_high == v_low or not np.isfinite(v_high):
                break
            # The curve is nearly straight, so a secant needs fewer runs than halving.
            slope = (high - low) / (v_high - v_low)
            low, v_low = high, v_high
            high = float(np.clip(high + (target.mean - v_high) * slope, -2.0, 2.0))
            v_high = voltage(high)
        self.outcome.reason = f"no holding current for {target.mean:.4g} mV"
        return False

    def _find_threshold(self, cell: Experiment, protocol: Protocol) -> None:
        """Bisects the least step that fires; each run ends at its first spike."""
        start, stop = protocol.window
        settings = self.task.settings

        def fires(amplitude: float) -> bool:
            currents = [
                Current(self.holding if protocol.holding else 0.0, 0.0, protocol.total),
                Current(amplitude, start, stop - start),
            ]
            return cell.fires(currents, start, stop)

        low, high = 0.0, self._guess()
        while not fires(high):
            low, high = high, 2 * high
            if high > settings.threshold_limit:
                self.outcome.reason = f"no spike at {low:.3g} nA"
                return
        while high - low > settings.threshold_precision:
            middle = (low + high) / 2
            low, high = (low, middle) if fires(middle) else (middle, high)
        self.threshold = high
        self._note(THRESHOLD, "threshold_current", high)

    def _guess(self) -> float:
        """Where the search starts: the recorded threshold."""
        known = [t.mean for t in self.task.targets if t.feature == "threshold_current"]
        return max(known[0], 0.01) if known else 0.1

    def _answer(self, cell: Experiment, protocol: Protocol) -> None:
        """Runs a protocol and takes its features."""
        currents = currents_of(protocol, self.holding, self.threshold)
        places = [r for r in self.task.recordings if r.protocol == protocol.name]
        traces = cell.run(currents, protocol.total, places)
        if self.keep:
            self.outcome.traces[protocol.name] = traces
        for location, trace in traces.items():
            own = [t for t in self.wanted if (t.protocol, t.location) == (protocol.name, location)]
            found = features(trace, protocol, currents[1].amplitude, [t.feature for t in own],
                             self.task.settings)  # fmt: skip
            self.outcome.values |= {t.label: found[t.feature] for t in own if t.feature in found}

    def _note(self, protocol: str, feature: str, value: float) -> None:
        for target in self.wanted:
            if (target.protocol, target.feature) == (protocol, feature):
                self.outcome.values[target.label] = value


def currents_of(protocol: Protocol, holding: float, threshold: float) -> list[Current]:
    """Returns the steps of a protocol for an individual's two currents (nA); the holding one first."""
    currents = [Current(holding if protocol.holding else 0.0, 0.0, protocol.total)]
    for pulse in protocol.pulses:
        percent = protocol.kind == "step_percent"
        amplitude = pulse.percent / 100 * threshold if percent else pulse.amplitude
        currents.append(Current(amplitude, pulse.delay, pulse.duration))
    return currents


def features(
    trace: Trace, protocol: Protocol, amplitude: float, names: Sequence[str], settings: Evaluation
) -> dict[str, float]:
    """Returns eFEL's features, means where eFEL gives several; without a value left out."""
    import efel

    if not names:
        return {}
    efel.reset()
    efel.set_setting("Threshold", settings.spike_threshold)
    efel.set_setting("interp_step", settings.interp_step)
    efel.set_setting("strict_stiminterval", protocol.strict)
    efel.set_setting("stimulus_current", amplitude)
    start, stop = protocol.window
    entry = {"T": trace.time, "V": trace.value, "stim_start": [start], "stim_end": [stop]}
    found = efel.get_feature_values([entry], list(dict.fromkeys(names)), raise_warnings=False)[0]
    efel.reset()
    means = {n: float(np.mean(v)) for n, v in found.items() if v is not None and len(v)}
    return {name: value for name, value in means.items() if np.isfinite(value)}
