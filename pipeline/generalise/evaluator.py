"""The evaluator of shipped e-models: the protocols and targets of their fits, parameters fixed."""

from __future__ import annotations

import importlib.metadata
import json
import math
from dataclasses import dataclass
from pathlib import Path

from pipeline.cells.morphology import Morphology, read_morphology
from pipeline.config.emodel import read_emodel
from pipeline.config.fits import Evaluation as Limits
from pipeline.config.fits import Fit
from pipeline.config.load import Resolved
from pipeline.config.yaml_lines import nearest
from pipeline.errors import ConfigError, PipelineError, Problem
from pipeline.fitting.evaluate import Task, evaluate_emodel
from pipeline.fitting.experiment import place_of
from pipeline.fitting.tables import Recording, read_protocols, read_recordings, read_targets
from pipeline.generalise.evaluation import Evaluation

BUILT_IN = {"pas", "hh"}
"""Mechanisms of NEURON itself."""


@dataclass(frozen=True)
class Judged:
    """What one e-model is judged by.

    Attributes:
        emodel: Its file.
        files: Tables of its fit: protocols, targets, recordings.
        axon: Axon rule of the fit.
        segment: um, as in the fit.
        limits: How an evaluation is run.
    """

    emodel: Path
    files: tuple[Path, ...]
    axon: str
    segment: float
    limits: Limits


@dataclass(frozen=True)
class FitEvaluator:
    """Runs the protocols of the fits; plain data until it is called.

    Attributes:
        models: e-model to what it is judged by.
        library: Compiled mechanisms.
        limit: s per evaluation; each runs in a process of its own.
    """

    models: dict[str, Judged]
    library: Path | None
    limit: float | None

    def files(self, emodel: str) -> list[Path]:
        """Returns the e-model and the tables it is judged by."""
        own = self.models[emodel]
        return [own.emodel, *own.files]

    def settings(self, emodel: str) -> object:
        """Returns axon, discretisation, integration, mechanisms and versions."""
        own = self.models[emodel]
        return {
            "axon": own.axon,
            "segment": own.segment,
            "limits": own.limits.decides(),
            "mechanisms": _sources(self.library, own.emodel) if self.library else {},
            "neuron": importlib.metadata.version("neuron"),
            "efel": importlib.metadata.version("efel"),
        }

    def __call__(self, morphology: Path, emodel: str) -> Evaluation:
        """Evaluates with all targets, those held out of the fit included."""
        from pipeline.mechanisms import load_library

        if self.library:
            load_library(self.library)
        task = make_task(
            self.models[emodel], emodel, read_morphology(morphology, self.models[emodel].axon)
        )
        model = read_emodel(self.models[emodel].emodel)[0]
        found = evaluate_emodel(task, model, held_out=True)
        scores = {
            t.label: found.scores[t.label] if t.label in found.values else math.nan
            for t in task.targets
        }
        holding, threshold = found.currents
        return Evaluation(scores, holding, threshold, found.reason)


def _sources(library: Path, emodel: Path) -> dict[str, object]:
    """Compiler options and hashes of the sources an e-model uses; of all where some go by other names.

    Not the compiler's version: what a model ships must be found on other machines, too.
    """
    manifest = json.loads((library.parent.parent / "manifest.json").read_text(encoding="utf-8"))
    used = {name for held in read_emodel(emodel)[0].mechanisms.values() for name in held}
    files = {Path(name).stem: name for name in manifest["sources"]}
    names = [files[name] for name in used if name in files]
    if used - files.keys() - BUILT_IN:
        names = list(files.values())
    hashes = {name: manifest["sources"][name] for name in sorted(names)}
    return {"options": _deciding(manifest["options"]), "sources": hashes}


def _deciding(options: list[str]) -> list[str]:
    """Compiler options without those that change no cell: CoreNEURON's library, defines of engines."""
    kept = [option for option in options if option != "-coreneuron"]
    if "-incflags" not in kept:
        return kept
    words = [word for word in kept[-1].split() if not word.startswith("-D")]
    return ["-incflags", " ".join(words)] if words else []


def make_task(own: Judged, name: str, shape: Morphology) -> Task:
    """Reads what an e-model is judged by on a morphology.

    Recordings of places that the morphology does not have are left out; their features then have
    no value.
    """
    protocols = read_protocols(own.files[0])
    targets = read_targets(own.files[1], protocols)
    recordings = read_recordings(own.files[2]) if len(own.files) > 2 else []
    there = tuple(recording for recording in recordings if _has(shape, recording))
    return Task(
        name, shape, own.segment, (), {}, protocols, tuple(targets), there, own.limits
    )  # fmt: skip


def _has(shape: Morphology, recording: Recording) -> bool:
    try:
        place_of(shape, recording)
    except ConfigError:
        return False
    return True


def fit_evaluator(resolved: Resolved, library: Path | None, emodels: list[str]) -> FitEvaluator:
    """Returns the evaluator of some e-models, each judged by the entry of ``fits`` of its name.

    Raises:
        ConfigError: For e-models without an entry, and with all problems of their files.
    """
    problems: list[Problem] = []
    models = {}
    for name in emodels:
        fit = resolved.model.fits.get(name)
        if fit is None:
            message = f"e-model {name!r} has no entry under fits, so nothing to be judged by"
            hint = nearest(name, list(resolved.model.fits))
            problems.append(Problem(resolved.origin(("generalise",)), message, hint))
            continue
        models[name] = _judged(resolved, name, fit)
        try:
            protocols = read_protocols(models[name].files[0])
            read_targets(models[name].files[1], protocols)
            read_emodel(models[name].emodel)
        except PipelineError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    limit = max((own.limits.time_limit for own in models.values()), default=None)
    return FitEvaluator(models, library, resolved.model.generalise.time_limit or limit)


def _judged(resolved: Resolved, name: str, fit: Fit) -> Judged:
    config = resolved.model.generalise
    tables = [fit.protocols, fit.targets, *filter(None, [fit.recordings])]
    return Judged(
        resolved.path(config.emodels) / f"{name}.yaml",
        tuple(resolved.path(table) for table in tables),
        fit.axon,
        fit.segment,
        _uncut(fit.evaluation),
    )


def _uncut(limits: Limits) -> Limits:
    """Evaluation settings whose scores are not cut short: a table shows how far off a feature is."""
    return limits.model_copy(update={"worst": 1e6})
