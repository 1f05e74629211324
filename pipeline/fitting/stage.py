"""Stage ``optimise``: one search per e-model and seed, and the best of them as an e-model file."""

from __future__ import annotations

import csv
import importlib.metadata
import json
import pickle
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import yaml

from pipeline.cells.morphology import read_morphology
from pipeline.config.emodel import read_emodel
from pipeline.config.fits import Fit, Passive
from pipeline.config.load import Resolved
from pipeline.errors import CircuitError, ConfigError, Problem
from pipeline.fitting.currents import COLUMNS, spike_currents
from pipeline.fitting.evaluate import Outcome, Task
from pipeline.fitting.experiment import place_of
from pipeline.fitting.parameters import emodel_of, free, vector_of
from pipeline.fitting.passive import moved, passive_numbers, passive_task
from pipeline.fitting.pool import Pool
from pipeline.fitting.search import Found, ScoreLog, search
from pipeline.fitting.tables import (
    Parameter,
    read_parameters,
    read_protocols,
    read_recordings,
    read_targets,
)
from pipeline.runtime import make_folder, progress, value_hash, write_json, write_text
from pipeline.sonata.layout import CircuitPaths

TRACE_STEP = 0.5
"""ms between the points of shipped traces."""


def make_task(resolved: Resolved, name: str, paths: CircuitPaths) -> Task:
    """Reads all that a fit needs.

    Raises:
        ConfigError: With all problems of its tables.
        CircuitError: If its morphology was not made yet.
    """
    fit = resolved.model.fits[name]
    problems: list[Problem] = []

    def take(read, *args):
        try:
            return read(*args)
        except ConfigError as error:
            problems.extend(error.problems)
            return None

    parameters = take(read_parameters, resolved.path(fit.bounds))
    protocols = take(read_protocols, resolved.path(fit.protocols))
    targets = take(read_targets, resolved.path(fit.targets), protocols) if protocols else None
    recordings = take(read_recordings, resolved.path(fit.recordings)) if fit.recordings else []
    problems += _unknown_laws(resolved, name, fit, parameters or [])
    if problems:
        raise ConfigError(problems)
    morphology = read_morphology(_morphology(resolved, fit, paths), fit.axon)
    task = Task(
        name, morphology, fit.segment, tuple(parameters), dict(fit.distributions), protocols,
        tuple(targets), tuple(recordings), fit.evaluation,
    )  # fmt: skip
    for recording in task.recordings:
        take(place_of, morphology, recording)
    if problems:
        raise ConfigError(problems)
    return task


def _unknown_laws(
    resolved: Resolved, name: str, fit: Fit, parameters: list[Parameter]
) -> list[Problem]:
    where = resolved.origin(("fits", name, "distributions"))
    used = {p.distribution for p in parameters if p.distribution}
    used |= {p.name.split(".")[0] for p in parameters if p.mechanism == "distributions"}
    return [
        Problem(where, f"{fit.bounds} names the law {law!r}, which is not here", "add it")
        for law in sorted(used - set(fit.distributions))
    ]


def _morphology(resolved: Resolved, fit: Fit, paths: CircuitPaths) -> Path:
    if fit.morphology is not None:
        return resolved.path(fit.morphology)
    table = paths.morphology_table
    if not table.is_file():
        raise CircuitError(Problem(str(table), "does not exist", "run 'sonatina morphologies'"))
    rows = pd.read_csv(table)
    own = rows["name"][rows["m_type"] == fit.m_type]
    if len(own) < fit.shape:
        message = (
            f"{len(own)} morphologies of m-type {fit.m_type!r}, number {fit.shape} is asked for"
        )
        raise ConfigError(Problem(str(table), message, "choose another m_type or shape"))
    name = own.iloc[fit.shape - 1]
    found = sorted(paths.morphologies.glob(f"{name}.*"))
    if not found:
        raise CircuitError(Problem(str(paths.morphologies), f"no file {name}", "run again"))
    return found[0]


def run_search(
    resolved: Resolved, name: str, seed: int, paths: CircuitPaths, library: Path | None,
    workers: int, generations: int | None = None,
) -> Path:  # fmt: skip
    """Runs one search, or goes on with it.

    Args:
        resolved: The model.
        name: Key under ``fits``.
        seed: Of the search.
        paths: The circuit.
        library: Compiled mechanisms.
        workers: Processes; the result does not depend on them.
        generations: Stop here; None for the config's number.

    Returns:
        The result's path.

    Raises:
        PipelineError: If the fit is not usable.
    """
    task = make_task(resolved, name, paths)
    fit = resolved.model.fits[name]
    space = free(task.parameters)
    starts = [
        vector_of(task.parameters, read_emodel(resolved.path(path))[0]) for path in fit.search.start
    ]
    if fit.search.passive:
        _check_passive(resolved, task)
        scores = ScoreLog(paths.passive_log(name, seed), task_key(passive_task(task), library))
        starts = _moved_starts(fit.search.passive, task, starts, scores, library, workers)
    objectives = [target.label for target in task.targets if not target.held_out]
    key = task_key(task, library)
    config = fit.search
    if generations:
        config = config.model_copy(update={"generations": generations})
    scores = ScoreLog(paths.fit_log(name, seed), key)
    with _pool(task, len(objectives), library, workers) as pool:
        found = search(
            config, seed, space, len(objectives), scores, pool.map, f"{name} seed {seed}", starts
        )
    write_json(paths.fit_result(name, seed), _result(found, space, objectives, key, seed))
    return paths.fit_result(name, seed)


@contextmanager
def _pool(task: Task, objectives: int, library: Path | None, workers: int) -> Iterator[Pool]:
    limits = task.settings
    with tempfile.TemporaryDirectory(prefix="sonatina-fit-") as folder:
        task_file = Path(folder) / "task.pickle"
        task_file.write_bytes(pickle.dumps((task, library)))
        with Pool(
            task_file, objectives, workers, limits.time_limit, limits.recycle, limits.worst
        ) as pool:
            yield pool


def _check_passive(resolved: Resolved, task: Task) -> None:
    """Raises ConfigError where nothing can move or nothing says where to."""
    config = resolved.model.fits[task.name].search.passive
    where = resolved.origin(("fits", task.name, "search", "passive"))
    labels = [parameter.label for parameter in free(task.parameters)]
    problems = []
    if not passive_numbers(config, labels):
        message = f"no free parameter fits {', '.join(config.parameters)}"
        hint = f"name some under passive.parameters, such as {', '.join(labels[:3])}"
        problems.append(Problem(where, message, hint))
    if not passive_task(task).targets:
        message = "the targets have neither rest (RMP) nor input resistance (Rin)"
        problems.append(Problem(where, message, "add them, or leave passive out"))
    if problems:
        raise ConfigError(problems)


def _moved_starts(
    config: Passive, task: Task, starts: list[list[float]], scores: ScoreLog,
    library: Path | None, workers: int,
) -> list[list[float]]:  # fmt: skip
    """Moves the passive numbers of every start until rest and input resistance fit."""
    passive, space = passive_task(task), free(task.parameters)
    with _pool(passive, len(passive.targets), library, workers) as pool:
        return [
            moved(config, space, start, scores, pool.map)
            for start in progress(starts, label=f"{task.name} passive", unit="start")
        ]


def task_key(task: Task, library: Path | None) -> str:
    """Names everything that scores depend on."""
    shape = [(s.kind, s.parent, s.points.tolist(), s.diameters.tolist())
             for s in task.morphology.sections]  # fmt: skip
    limits = task.settings.decides()
    laws = {key: law.model_dump() for key, law in task.laws.items()}
    return value_hash(
        {
            "shape": shape, "segment": task.segment, "laws": laws, "limits": limits,
            "parameters": [repr(p) for p in task.parameters],
            "protocols": [repr(p) for p in task.protocols.values()],
            "targets": [repr(t) for t in task.targets],
            "recordings": [repr(r) for r in task.recordings],
            "library": library.parent.parent.name if library else "",
            "efel": importlib.metadata.version("efel"),
        }
    )  # fmt: skip


def _result(found: Found, space: list[Parameter], objectives: list[str], key: str, seed: int):
    return {
        "seed": seed,
        "key": key,
        "score": sum(found.scores),
        "parameters": dict(zip([p.label for p in space], found.best, strict=True)),
        "scores": dict(zip(objectives, found.scores, strict=True)),
        "evaluations": found.tried,
        "bluepyopt": importlib.metadata.version("bluepyopt"),
    }


def merge(resolved: Resolved, name: str, paths: CircuitPaths, library: Path | None) -> Path:
    """Takes the best search, tries it once more with the held-out targets, writes the e-model.

    Returns:
        The e-model file.

    Raises:
        CircuitError: If a search has no result yet.
    """
    from pipeline.fitting.evaluate import evaluate
    from pipeline.mechanisms import load_library

    seeds = resolved.model.fits[name].search.seeds
    results = [_read_result(paths.fit_result(name, seed)) for seed in seeds]
    best = min(results, key=lambda result: result["score"])
    task = make_task(resolved, name, paths)
    vector = [best["parameters"][parameter.label] for parameter in free(task.parameters)]
    if library:
        load_library(library)
    outcome = evaluate(task, vector, held_out=True, keep=True)
    source = (
        f"found by 'sonatina optimise' with BluePyOpt {best['bluepyopt']}, seed {best['seed']} of "
        f"{len(seeds)}, {best['evaluations']} evaluations; settings {best['key'][:16]}"
    )
    emodel = emodel_of(name, task.parameters, task.laws, vector, source)
    data = emodel.model_dump(mode="json", by_alias=True, exclude_none=True)
    write_text(paths.fit_emodel(name), yaml.safe_dump(data, sort_keys=False, width=110))
    _write_tables(task, outcome, results, name, paths)
    rows = spike_currents(task, emodel, *outcome.currents)
    _csv(paths.fit_table(name, "currents"), rows, COLUMNS)
    return paths.fit_emodel(name)


def _read_result(path: Path) -> dict:
    if not path.is_file():
        raise CircuitError(Problem(str(path), "does not exist", "run 'sonatina optimise'"))
    return json.loads(path.read_text(encoding="utf-8"))


def _write_tables(
    task: Task, outcome: Outcome, results: list[dict], name: str, paths: CircuitPaths
) -> None:
    make_folder(paths.fit_table(name, "features").parent)
    rows = [
        {
            "protocol": t.protocol, "location": t.location, "feature": t.feature,
            "value": outcome.values.get(t.label), "mean": t.mean, "sd": t.sd,
            "score": outcome.scores[t.label], "held_out": int(t.held_out),
        }
        for t in task.targets
    ]  # fmt: skip
    _csv(paths.fit_table(name, "features"), rows)
    spread = [
        {"parameter": p.label, "lower": p.bounds[0], "upper": p.bounds[1],
         "seed": result["seed"], "value": result["parameters"][p.label],
         "score": result["score"]}
        for result in results
        for p in free(task.parameters)
    ]  # fmt: skip
    _csv(paths.fit_table(name, "parameters"), spread)
    history = []
    for result in results:
        lines = paths.fit_log(name, result["seed"]).read_text(encoding="utf-8").splitlines()[1:]
        best = float("inf")
        for number, line in enumerate(lines, start=1):
            best = min(best, sum(json.loads(line)["scores"]))
            history.append({"seed": result["seed"], "evaluation": number, "best": best})
    _csv(paths.fit_table(name, "history"), history)
    traces = []
    for protocol, places in outcome.traces.items():
        for place, trace in places.items():
            last = float("-inf")
            for time, value in zip(trace.time, trace.value, strict=True):
                if time - last >= TRACE_STEP or value > task.settings.spike_threshold:
                    traces.append({"protocol": protocol, "place": place,
                                   "time": round(float(time), 4), "value": float(value)})  # fmt: skip
                    last = time
    _csv(paths.fit_table(name, "traces"), traces)


def _csv(path: Path, rows: list[dict], columns: Sequence[str] | None = None) -> None:
    text = pd.DataFrame(rows, columns=columns).to_csv(
        index=False, float_format="%.8g", quoting=csv.QUOTE_MINIMAL, lineterminator="\n"
    )
    write_text(path, text)


def save(resolved: Resolved, name: str, paths: CircuitPaths) -> Path:
    """Copies a found e-model and its feature table into the model's own folder.

    Returns:
        The e-model file in the model.
    """
    target = resolved.path(f"emodels/{name}.yaml")
    write_text(target, paths.fit_emodel(name).read_text(encoding="utf-8"))
    table = paths.fit_table(name, "features").read_text(encoding="utf-8")
    write_text(resolved.path(f"tables/fitted/{name}.csv"), table)
    return target
