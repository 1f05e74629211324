"""Evaluations per second of a fit: ours beside BluePyOpt's own cell model and protocols.

Same cell (sections, membrane), same protocols, same features, one process each. The plain way makes
the cell anew for every sweep, halves its way to holding and threshold current with whole sweeps, and
counts spikes with eFEL, as SSCxEModelExamples (Reva et al. 2023) does; BluePyOpt's default integration.

python bench/optimise.py [MODEL.yaml VARIANT FIT EMODEL.yaml]
    default: a stand-in cell of 30 dendrites with the protocols, targets and start of cSTUT
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from rows import tell

from pipeline import mechanisms
from pipeline.cells.distances import section_starts
from pipeline.cells.morphology import Morphology, read_morphology, segment_counts
from pipeline.config.emodel import EModel, read_emodel
from pipeline.config.load import load_model
from pipeline.config.schema import OddLength
from pipeline.fitting.evaluate import Task, currents_of, evaluate_emodel
from pipeline.fitting.experiment import ATTACH, Experiment
from pipeline.fitting.tables import Protocol

HALVINGS = 7
"""Of the plain search of the holding current, as published."""
LOOSE = 0.1
"""A tolerance ten times NEURON's default, to see what it buys and costs."""
ARRAYS = {
    "soma": "somatic",
    "dend": "basal",
    "apic": "apical",
    "axon": "axonal",
    "myelin": "myelinated",
}


def bush(path: Path) -> Path:
    """Writes a soma with an axon and 30 forked dendrites."""
    rows = ["1 1 0 0 0 7 -1", "2 2 0 -7 0 0.6 1", "3 2 0 -80 0 0.5 2"]
    for k in range(10):
        x, z = math.cos(k), math.sin(k)
        n = len(rows) + 1
        rows += [
            f"{n} 3 {7 * x} 3 {7 * z} 0.8 1", f"{n + 1} 3 {60 * x} 20 {60 * z} 0.6 {n}",
            f"{n + 2} 3 {140 * x} 60 {120 * z} 0.4 {n + 1}", f"{n + 3} 3 {120 * x} -40 {140 * z} 0.4 {n + 1}",
        ]  # fmt: skip
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


class Plain:
    """A fit in BluePyOpt's own classes.

    Args:
        task: Morphology, protocols, targets.
        emodel: Fixed parameters.
    """

    def __init__(self, task: Task, emodel: EModel):
        from bluepyopt import ephys

        self._ephys, self._task, self._emodel = ephys, task, emodel
        self._sim = ephys.simulators.NrnSimulator()
        self._soma = ephys.locations.NrnSeclistCompLocation(
            "soma", seclist_name="somatic", sec_index=0, comp_x=0.5
        )
        self._cell = ephys.models.CellModel(
            "cell",
            morph=_morphology(task, emodel),
            mechs=self._mechanisms(),
            params=self._parameters(),
        )

    def scores(self) -> dict[str, float]:
        """Runs all stages; scores by target label."""
        task, found = self._task, {}
        target = {(t.protocol, t.feature): t for t in task.targets}
        protocols = task.protocols
        found |= self._score(protocols["RMP"], 0.0, math.nan)
        self.holding = self._hold(protocols["Rin"], target["Rin", "voltage_base"].mean)
        found |= self._score(protocols["Rin"], self.holding, math.nan)
        search = next(p for p in protocols.values() if p.kind == "threshold_search")
        self.threshold = self._threshold(search, self.holding)
        for protocol in protocols.values():
            own = any(t.protocol == protocol.name and not t.held_out for t in task.targets)
            if protocol.kind == "step_percent" and own:
                found |= self._score(protocol, self.holding, self.threshold)
        for name, value in (
            ("holding_current", self.holding),
            ("threshold_current", self.threshold),
        ):
            for t in task.targets:
                if t.feature == name:
                    found[t.label] = abs(value - t.mean) / t.sd
        return found

    def _sweep(self, name: str, currents: list[tuple[float, float, float]], total: float) -> dict:
        ephys = self._ephys
        stimuli = [
            ephys.stimuli.NrnSquarePulse(amplitude, delay, duration, total, location=self._soma)
            for amplitude, delay, duration in currents
        ]
        recording = ephys.recordings.CompRecording(
            f"{name}.soma.v", location=self._soma, variable="v"
        )
        sweep = ephys.protocols.SweepProtocol(name, stimuli, [recording], cvode_active=True)
        return sweep.run(self._cell, {}, sim=self._sim, isolate=False)

    def _hold(self, protocol: Protocol, wanted: float) -> float:
        low, high, stop = -0.5, 0.2, protocol.window[0]
        for _ in range(HALVINGS + 3):
            middle = (low + high) / 2
            trace = self._sweep("hold", [(middle, 0.0, stop)], stop)["hold.soma.v"]
            voltage = float(trace["voltage"].iloc[-1])
            low, high = (middle, high) if voltage < wanted else (low, middle)
        return (low + high) / 2

    def _threshold(self, protocol: Protocol, holding: float) -> float:
        start, stop = protocol.window
        name = "threshold"
        count = self._ephys.efeatures.eFELFeature(
            name, efel_feature_name="Spikecount", recording_names={"": f"{name}.soma.v"}, stim_start=start,
            stim_end=stop, exp_mean=1, exp_std=1, threshold=self._task.settings.spike_threshold,
        )  # fmt: skip
        low, high = 0.0, 0.5
        while high - low > self._task.settings.threshold_precision:
            middle = (low + high) / 2
            currents = [(holding, 0.0, protocol.total), (middle, start, stop - start)]
            fired = count.calculate_feature(self._sweep(name, currents, protocol.total))
            low, high = (low, middle) if fired else (middle, high)
        return high

    def _score(self, protocol: Protocol, holding: float, threshold: float) -> dict[str, float]:
        currents = [(holding if protocol.holding else 0.0, 0.0, protocol.total)]
        for pulse in protocol.pulses:
            percent = protocol.kind == "step_percent"
            amplitude = pulse.percent / 100 * threshold if percent else pulse.amplitude
            currents.append((amplitude, pulse.delay, pulse.duration))
        responses = self._sweep(protocol.name, currents, protocol.total)
        start, stop = protocol.window
        found = {}
        for t in self._task.targets:
            if t.protocol != protocol.name or t.held_out or t.location != "soma.v":
                continue
            feature = self._ephys.efeatures.eFELFeature(
                t.label, efel_feature_name=t.feature, recording_names={"": f"{t.protocol}.soma.v"},
                stim_start=start, stim_end=stop, exp_mean=t.mean, exp_std=t.sd,
                threshold=self._task.settings.spike_threshold, stimulus_current=currents[1][0],
                int_settings={"strict_stiminterval": protocol.strict},
            )  # fmt: skip
            found[t.label] = feature.calculate_score(responses)
        return found

    def _places(self, where: str) -> list:
        lists = self._ephys.locations.NrnSeclistLocation
        names = list(ARRAYS) if where == "all" else [where]
        return [lists(ARRAYS[name], seclist_name=ARRAYS[name]) for name in names]

    def _mechanisms(self) -> list:
        made = self._ephys.mechanisms.NrnMODMechanism
        used = [("all", "pas")] + [
            (w, m) for w, entries in self._emodel.mechanisms.items() for m in entries
        ]
        return [made(f"{m}_{w}", suffix=m, locations=self._places(w)) for w, m in used]

    def _parameters(self) -> list:
        ephys, emodel = self._ephys, self._emodel
        section, spread = ephys.parameters.NrnSectionParameter, ephys.parameters.NrnRangeParameter
        found = [
            section(
                f"{key}_{w}",
                value=getattr(m, key),
                param_name=key,
                locations=self._places(w),
                frozen=True,
            )
            for w, m in emodel.passive.items()
            for key in ("Ra", "cm", "g_pas", "e_pas")
        ]
        for where, ions in (emodel.reversal or {}).items():
            found += [
                section(
                    f"{key}_{where}",
                    value=value,
                    param_name=key,
                    locations=self._places(where),
                    frozen=True,
                )
                for key, value in ions
                if value is not None
            ]
        for where, entries in emodel.mechanisms.items():
            for mechanism, values in entries.items():
                for name, value in values.items():
                    kind, scaler, number = section, None, value
                    if not isinstance(value, (int, float)):
                        kind, number = spread, value.value
                        law = emodel.distributions[value.distribution]
                        text = f"({law.offset} + {law.scale} * math.exp({law.rate} * {{distance}})) * {{value}}"
                        scaler = ephys.parameterscalers.NrnSegmentSomaDistanceScaler(
                            distribution=text
                        )
                    found.append(
                        kind(f"{name}_{mechanism}_{where}", value=number, param_name=f"{name}_{mechanism}",
                             value_scaler=scaler, locations=self._places(where), frozen=True)
                    )  # fmt: skip
        for key, value in emodel.conditions:
            if value is not None:
                found.append(
                    ephys.parameters.NrnGlobalParameter(
                        key, value=value, frozen=True, param_name=key
                    )
                )
        return found


def _morphology(task: Task, emodel: EModel):
    """BluePyOpt's morphology with our sections in it, so that both run the same cell."""
    from bluepyopt import ephys

    shape: Morphology = task.morphology
    rule = OddLength(rule="odd_length", length=task.segment / 2)
    counts = segment_counts(shape, rule, emodel)

    class Given(ephys.morphologies.Morphology):
        """Sections from arrays."""

        def __init__(self):
            super().__init__("given")
            self.do_replace_axon = False

        def instantiate(self, sim=None, icell=None):
            kinds = [s.section_list for s in shape.sections]
            for kind in dict.fromkeys(kinds):
                sim.neuron.h.execute(f"create {kind}[{kinds.count(kind)}]", icell)
            made = []
            for index, (section, nseg) in enumerate(zip(shape.sections, counts, strict=True)):
                kind = section.section_list
                sec = getattr(icell, kind)[kinds[:index].count(kind)]
                sim.neuron.h.pt3dclear(sec=sec)
                for point in np.column_stack([section.points, section.diameters]).tolist():
                    sim.neuron.h.pt3dadd(*point, sec=sec)
                sec.nseg = int(nseg)
                if section.parent >= 0:
                    sec.connect(made[section.parent](ATTACH if section.parent == 0 else 1.0), 0)
                made.append(sec)
                getattr(icell, ARRAYS[kind]).append(sec=sec)
                icell.all.append(sec=sec)

        def destroy(self, sim=None):
            pass

    return Given()


def sweeps_alone(task: Task, emodel: EModel, holding: float, threshold: float) -> float:
    """Processor time of the sweeps that features are taken from, s: what no search of currents can save."""
    start = time.process_time()
    cell = Experiment(task.morphology, emodel, task.segment, task.settings)
    for protocol in task.protocols.values():
        if any(t.protocol == protocol.name and not t.held_out for t in task.targets):
            if protocol.kind.startswith("step"):
                places = [r for r in task.recordings if r.protocol == protocol.name]
                cell.run(currents_of(protocol, holding, threshold), protocol.total, places)
    return time.process_time() - start


def default_case(folder: Path) -> tuple[Task, EModel]:
    """The stand-in cell with the shipped start of cSTUT."""
    from pipeline.fitting.tables import read_protocols, read_targets

    resolved = load_model("column", "full")
    fit = resolved.model.fits["cSTUT"]
    protocols = read_protocols(resolved.path(fit.protocols))
    shape = read_morphology(bush(folder / "bush.swc"), fit.axon)
    targets = tuple(read_targets(resolved.path(fit.targets), protocols))
    task = Task("cSTUT", shape, fit.segment, (), {}, protocols, targets, (), fit.evaluation)
    return task, read_emodel(resolved.path(fit.search.start[0]))[0]


def given_case(model: str, variant: str, name: str, emodel: str) -> tuple[Task, EModel]:
    """A fit of a model whose morphologies are made."""
    from pipeline.commands import cache_folder  # noqa: F401  the default folders
    from pipeline.fitting.stage import make_task
    from pipeline.sonata.layout import CircuitPaths

    resolved = load_model(model, variant)
    task = make_task(resolved, name, CircuitPaths(Path("circuits") / resolved.model.name / variant))
    return task, read_emodel(emodel)[0]


def main(arguments: list[str]) -> None:
    """Runs both and prints the ratio."""
    mechanisms.load(
        mechanisms.compile_sets([mechanisms.find_set("cortex", ["mechanisms"])], ".cache/bench")
    )
    with tempfile.TemporaryDirectory() as folder:
        task, emodel = given_case(*arguments) if arguments else default_case(Path(folder))
    limits = task.settings.model_copy(update={"first_limit": 1e9})
    task = replace(task, settings=limits)
    # Without conductance here; BluePyOpt wants a hoc function for whatever is called Stoch.
    held = {
        where: {name: own for name, own in entries.items() if not name.startswith("Stoch")}
        for where, entries in emodel.mechanisms.items()
    }
    emodel = emodel.model_copy(update={"mechanisms": held})
    start = time.process_time()
    ours = evaluate_emodel(task, emodel)
    own = time.process_time() - start
    loose = task.settings.model_copy(update={"absolute_tolerance": LOOSE})
    start = time.process_time()
    coarse = evaluate_emodel(replace(task, settings=loose), emodel)
    quick = time.process_time() - start
    plain = Plain(task, emodel)
    start = time.process_time()
    theirs = plain.scores()
    other = time.process_time() - start
    same = [k for k in ours.scores if k in theirs]
    gaps = {k: abs(ours.scores[k] - theirs[k]) for k in same}
    worst = max(gaps, key=gaps.get)
    lengths = section_starts(task.morphology, ATTACH)
    size = f"{len(task.morphology.sections)} sections to {lengths.max():.0f} um"
    print(f"{emodel.name}: {size}, {len(same)} scores")
    rows = (("ours", own, *ours.currents), ("plain", other, plain.holding, plain.threshold))
    for name, seconds, holding, threshold in rows:
        speed = f"{name:6} {seconds:7.2f} s  {1 / seconds:6.3f} evaluations/s"
        print(f"{speed}  holding {holding:.4f} nA, threshold {threshold:.4f} nA")
    print(
        f"ratio  {other / own:.2f}   largest difference of a score {gaps[worst]:.3f} sd ({worst})"
    )
    tell(f"one individual of {len(same)} features", own, "s", other, "plain BluePyOpt")
    alone = sweeps_alone(task, emodel, *ours.currents)
    print(
        f"sweeps of the features alone {alone:.2f} s: no more than {other / alone:.2f} is to be had on them"
    )
    shift = max(abs(ours.scores[k] - coarse.scores[k]) for k in same)
    text = f"{quick:.2f} s, ratio {other / quick:.2f}, scores move by {shift:.3f} sd at most"
    print(f"ours with a tolerance of {LOOSE}: {text}")


if __name__ == "__main__":
    main(sys.argv[1:])
