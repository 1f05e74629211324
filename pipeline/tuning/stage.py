"""Stage ``tune``: evaluates gains by simulation, logs every evaluation, resumes, writes the best."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.analysis.responses import response_table
from pipeline.analysis.spike_counts import count_spikes, read_trials, spike_blocks
from pipeline.config.load import Resolved
from pipeline.config.simulation import Gain, Simulation
from pipeline.config.tables import read_csv
from pipeline.config.tuning import Tuning
from pipeline.errors import ConfigError, PipelineError, Problem
from pipeline.runtime import file_hash, progress, value_hash, write_text
from pipeline.simulation.stage import run_simulation
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.node_sets import read_set
from pipeline.tuning.controller import Controller, Goal

log = logging.getLogger(__name__)
RATES = ("spontaneous", "evoked")


@dataclasses.dataclass(frozen=True)
class Judge:
    """Turns spikes into rates by class.

    Attributes:
        population: Node population whose spikes count.
        classes: Names, in the order of the targets.
        rows: int64 [nodes]. Row of a node among the judged cells; -1: not judged.
        codes: int64 [cells]. Class of each judged cell.
        boxes: float64 [2, classes, 2]. Recorded quartiles of the spontaneous and evoked rates.
    """

    population: str
    classes: list[str]
    rows: np.ndarray
    codes: np.ndarray
    boxes: np.ndarray


def run_tuning(resolved: Resolved, name: str, paths: CircuitPaths) -> dict[str, float]:
    """Searches gains; a killed search goes on after its last finished evaluation.

    Args:
        resolved: The model.
        name: Key under ``tuning``.
        paths: The circuit; edges and the stimulus exist.

    Returns:
        evaluations, inside (classes within both recorded quartile ranges), score (sum of squares of
        log rate errors) of the best one.

    Raises:
        ConfigError: If targets do not fit the classes.
        PipelineError: If a simulation fails for another reason than runaway.
    """
    config = resolved.model.tuning[name]
    targets = read_targets(resolved, config)
    judge = _judge(resolved, paths, targets)
    goal = Goal(*(targets[key].to_numpy() for key in RATES), config.floor)
    controller = Controller(goal, config.step, config.largest)
    book = _Book(paths.tuning(name), _key(resolved, name), judge.classes)
    with progress(range(config.evaluations), label=f"tune {name}", unit="run") as bar:
        for index in bar:
            unknowns = controller.unknowns.copy()
            rates = book.rates(index, unknowns)
            if rates is None:
                trials = config.screening_trials if index < config.screening else config.trials
                rates = _evaluate(resolved, name, paths, judge, targets, unknowns, trials)
            score = np.inf
            if np.isfinite(rates).all():
                score = controller.told(*rates[2:])
            else:
                controller.ran_away()
            full = index >= config.screening or config.evaluations <= config.screening
            inside = count_inside(judge.boxes, rates[:2])
            book.add(index, unknowns, rates, score, inside, full)
            log.info("evaluation %d: %d classes inside, score %.2f", index + 1, inside, score)
    best = book.best()
    write_text(paths.tuning(name) / "gains.csv", gain_table(resolved, name, targets, best))
    return {"evaluations": config.evaluations, "inside": best.inside, "score": best.score}


def read_targets(resolved: Resolved, config: Tuning) -> pd.DataFrame:
    """Reads target rates: class, spontaneous, evoked, start; float64 but class.

    Raises:
        ConfigError: For missing columns or values that are no numbers, with their lines.
    """
    path = resolved.path(config.targets)
    text = read_csv(path)
    names = ("class", *RATES, "start")
    if missing := [key for key in names if key not in text]:
        hint = f"write columns {', '.join(names)}"
        raise ConfigError(Problem(f"{path}:1", f"no column {missing[0]!r}", hint))
    table = text[["class"]].copy()
    problems = []
    for key in names[1:]:
        table[key] = pd.to_numeric(text[key], errors="coerce")
        for row in np.flatnonzero(~(table[key] > 0)):
            message = f"{key} is {text[key][row]!r}"
            problems.append(Problem(f"{path}:{row + 2}", message, "write a number above 0"))
    if problems:
        raise ConfigError(problems)
    return table


def count_inside(boxes: np.ndarray, medians: np.ndarray) -> int:
    """Counts classes whose median rates (float64 [2, classes], Hz) lie in both quartile ranges."""
    low, high = boxes[..., 0], boxes[..., 1]
    return int(((medians >= low) & (medians <= high)).all(axis=0).sum())


def _judge(resolved: Resolved, paths: CircuitPaths, targets: pd.DataFrame) -> Judge:
    responses = resolved.model.analysis.responses
    population, nodes, chosen = read_set(paths, responses.nodes)
    names = nodes[responses.by].astype(str)[chosen]
    rows = np.full(len(nodes), -1, np.int64)
    rows[chosen] = np.arange(chosen.sum())
    classes = targets["class"].tolist()
    if unknown := sorted(set(names) - set(classes)):
        message = f"no target for classes {unknown}"
        raise ConfigError(Problem("targets of the tuning", message, "add a row for each"))
    codes = names.map({key: index for index, key in enumerate(classes)}).to_numpy(np.int64)
    boxes = np.tile([0.0, np.inf], (2, len(classes), 1))
    if responses.recorded:
        table = read_csv(resolved.path(responses.recorded)).set_index(["quantity", "class"])
        for index, key in enumerate((q, c) for q in RATES for c in classes):
            if key in table.index:
                row = table.loc[key]
                boxes[divmod(index, len(classes))] = float(row["p25"]), float(row["p75"])
    return Judge(population, classes, rows, codes, boxes)


def _evaluate(resolved, name, paths, judge, targets, unknowns, trials) -> np.ndarray:
    """Runs the simulation with some gains.

    Returns:
        float64 [4, classes]: medians and centres (mean of median and mean) of the spontaneous and
        evoked rates, Hz; NaN everywhere when the network runs away.
    """
    config = resolved.model.tuning[name]
    responses = resolved.model.analysis.responses
    run: Simulation = resolved.model.simulation[config.simulation]
    shown = read_trials(paths.stimulus_trials(_stimulus(run)), responses, run.duration)
    duration = float(shown.stop[trials - 1]) if trials else run.duration
    gains = [
        *run.gains,
        *(Gain(**gain) for gain in gains_of(config, judge.classes, targets, unknowns)),
    ]
    changed = run.model_copy(
        update={"gains": gains, "gain_tables": _other_tables(resolved, name), "record": {},
                "duration": duration, "rate_limit": config.rate_limit}
    )  # fmt: skip
    key = f"tune-{name}"
    model = resolved.model.model_copy(
        update={"simulation": resolved.model.simulation | {key: changed}}
    )
    try:
        run_simulation(dataclasses.replace(resolved, model=model), key, paths)
    except PipelineError as error:
        if any("runaway" in problem.message for problem in error.problems):
            return np.full((4, len(judge.classes)), np.nan)
        raise
    kept = read_trials(paths.stimulus_trials(_stimulus(run)), responses, duration)
    blocks = spike_blocks(paths.spikes(key), judge.population)
    counts = count_spikes(blocks, judge.rows, judge.codes, kept, responses)
    seconds = [np.diff(getattr(responses, key))[0] / 1000.0 for key in RATES]
    spontaneous = counts.spontaneous / (seconds[0] * len(kept.start))
    shows = np.bincount(kept.condition, minlength=len(kept.conditions))
    table = response_table(spontaneous, counts.evoked / (seconds[1] * shows), kept.directions)
    groups = [table[judge.codes == code] for code in range(len(judge.classes))]
    medians = [[group[key].median() for group in groups] for key in RATES]
    means = [[group[key].mean() for group in groups] for key in RATES]
    return np.nan_to_num(np.vstack([medians, (np.array(medians) + np.array(means)) / 2]))


def _other_tables(resolved: Resolved, name: str) -> list[str]:
    """The gain tables of the run but the one that this tuning writes."""
    tuning = resolved.model.tuning[name]
    tables = resolved.model.simulation[tuning.simulation].gain_tables
    return [table for table in tables if table != tuning.table]


def _stimulus(run: Simulation) -> str:
    return next(i.stimulus for i in run.inputs.values() if getattr(i, "stimulus", None))


def gains_of(config: Tuning, classes: list[str], targets: pd.DataFrame, unknowns) -> list[dict]:
    """Returns the gains that some unknowns (float64 [2, classes]) mean."""
    start = dict(zip(targets["class"], targets["start"], strict=True))
    gains = []
    for knob in config.knobs:
        row = unknowns[0 if knob.follows == "spontaneous" else 1]
        for name, value in zip(classes, row, strict=True):
            if knob.classes and name not in knob.classes:
                continue
            first = start[name] if knob.follows == "spontaneous" else 1.0
            factor = float(f"{first * np.exp(knob.share * value):.6g}")
            for source in knob.sources or [None]:
                gains.append(
                    {"edges": knob.edges, "source": source, "target": name, "factor": factor}
                )
    return gains


def gain_table(resolved: Resolved, name: str, targets: pd.DataFrame, best: _Entry) -> str:
    """Returns the table of the best gains as CSV text, each row with where it comes from."""
    config = resolved.model.tuning[name]
    model = resolved.model
    origin = (
        f"sonatina tune {model.name} {model.variant} --name {name}: evaluation {best.index + 1} of "
        f"{config.evaluations}, seed {model.seed}, {best.inside} classes within both quartile ranges"
    )
    gains = gains_of(config, targets["class"].tolist(), targets, best.unknowns)
    table = pd.DataFrame(gains).fillna("").assign(origin=origin)
    return table.to_csv(index=False, lineterminator="\n")


def _key(resolved: Resolved, name: str) -> str:
    """Names what the evaluations depend on; another key starts a new search."""
    tree = resolved.tree
    parts = [tree["seed"], tree["nodes"], tree["edges"], tree["stimuli"], tree["tuning"][name]]
    run = dict(tree["simulation"][resolved.model.tuning[name].simulation])
    for free in ("gain_tables", "record", "threads", "ranks"):
        run.pop(free)
    parts += [file_hash(resolved.path(table)) for table in _other_tables(resolved, name)]
    return value_hash([*parts, run, resolved.tree["analysis"]["responses"]])[:16]


@dataclasses.dataclass(frozen=True)
class _Entry:
    """One evaluation."""

    index: int
    unknowns: np.ndarray
    score: float
    inside: int
    full: bool


class _Book:
    """The log of a search: one row per evaluation and class, written after each evaluation."""

    def __init__(self, folder: Path, key: str, classes: list[str]):
        self._path, self._key, self._classes = folder / "log.csv", key, classes
        self._old = self._read()
        self._rows: list[dict] = []
        self._entries: list[_Entry] = []

    def _read(self) -> pd.DataFrame | None:
        if not self._path.is_file():
            return None
        table = pd.read_csv(self._path, dtype={"class": str, "key": str})
        if "key" not in table or set(table["key"]) != {self._key}:
            log.warning("%s is of another configuration; the search starts anew", self._path)
            return None
        return table

    def rates(self, index: int, unknowns: np.ndarray) -> np.ndarray | None:
        """Returns the rates of an evaluation that was finished before with the same unknowns."""
        if self._old is None:
            return None
        rows = self._old[self._old["evaluation"] == index]
        if len(rows) != len(self._classes):
            return None
        same = np.allclose(rows[["u_spontaneous", "u_ratio"]].to_numpy().T, unknowns, atol=1e-9)
        columns = ["spontaneous", "evoked", "spontaneous_centre", "evoked_centre"]
        return rows[columns].to_numpy(np.float64).T if same else None

    def add(self, index, unknowns, rates, score, inside, full) -> None:
        """Adds an evaluation and writes the log."""
        self._entries.append(_Entry(index, unknowns, score, inside, full))
        for k, name in enumerate(self._classes):
            self._rows.append({
                "evaluation": index, "class": name, "spontaneous": rates[0, k],
                "evoked": rates[1, k], "spontaneous_centre": rates[2, k],
                "evoked_centre": rates[3, k], "u_spontaneous": unknowns[0, k],
                "u_ratio": unknowns[1, k], "inside": inside, "score": score, "key": self._key,
            })  # fmt: skip
        text = pd.DataFrame(self._rows).to_csv(
            index=False, float_format="%.17g", lineterminator="\n"
        )
        if self._old is not None:
            later = self._old[self._old["evaluation"] > index]
            text += later.to_csv(
                index=False, header=False, float_format="%.17g", lineterminator="\n"
            )
        write_text(self._path, text)

    def best(self) -> _Entry:
        """The evaluation with the most classes inside, then the smallest error; full ones only."""
        full = [entry for entry in self._entries if entry.full]
        return max(full, key=lambda entry: (entry.inside, -entry.score))
