"""Evaluations of pairs, kept by the content of what decides them, so that each is made once."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.errors import CircuitError, Problem
from pipeline.generalise.pairs import Pair
from pipeline.runtime import JsonStore, file_hash, progress, value_hash, write_text
from pipeline.worker import Late, map_surviving

log = logging.getLogger(__name__)
RECYCLE = 20
"""Evaluations after which a worker is replaced, so that its memory does not grow."""
LEFT = "not evaluated yet"
"""Reason of a pair that a run with ``at_most`` did not come to."""
VERSION = 1
"""Raised when stored evaluations can no longer be read or would come out otherwise."""


@dataclass(frozen=True)
class Evaluation:
    """What an e-model does on a morphology.

    Attributes:
        scores: Distance from the mean in sd, by ``protocol.location.feature``; NaN for a feature
            without a value.
        holding_current: nA; NaN if not found.
        threshold_current: nA above holding; NaN if not found.
        reason: Why there are no or not all scores; empty if all protocols ran.
        limit: s of processor time that were not enough; 0 if it ended.
    """

    scores: dict[str, float]
    holding_current: float = math.nan
    threshold_current: float = math.nan
    reason: str = ""
    limit: float = 0.0


class Evaluator(Protocol):
    """Runs the protocols of an e-model with fixed parameters on any morphology.

    It goes to other processes, so it must be picklable, and equal input must give equal output.

    Attributes:
        limit: s of processor time per evaluation, each in a worker process; None: in this process,
            without a limit.
    """

    limit: float | None

    def files(self, emodel: str) -> list[Path]:
        """Returns the files that decide an evaluation besides the morphology, in fixed order."""

    def settings(self, emodel: str) -> object:
        """Returns what else decides it, JSON-like: versions, time step, axon rule."""

    def __call__(self, morphology: Path, emodel: str) -> Evaluation:
        """Evaluates; what fails for a reason of the model is told in ``reason``."""


def pair_keys(
    pairs: Sequence[Pair], morphologies: dict[str, Path], evaluator: Evaluator
) -> dict[Pair, str]:
    """Returns the content key of every pair: file names do not matter, bytes do.

    Args:
        pairs: The pairs.
        morphologies: File by name.
        evaluator: Tells what else decides.
    """
    shapes = {name: file_hash(morphologies[name]) for name in {p.morphology for p in pairs}}
    models = {
        name: [[file_hash(path) for path in evaluator.files(name)], evaluator.settings(name)]
        for name in {p.emodel for p in pairs}
    }
    return {p: value_hash([VERSION, shapes[p.morphology], models[p.emodel]]) for p in pairs}


class Store:
    """A folder of evaluations, one file each; killed processes leave whole files or none.

    Args:
        folder: Shared by all models and variants.
        known: A file of evaluations that a model ships, as ``write_known`` makes it; what the folder
            lacks is looked up there.
    """

    def __init__(self, folder: Path, known: Path | None = None):
        self.folder = Path(folder)
        self._kept = JsonStore(self.folder)
        self._known = read_known(known) if known and known.is_file() else {}

    def get(self, key: str) -> Evaluation | None:
        """Returns the evaluation of a key, or None; a damaged file counts as none."""
        data = self._kept.get(key)
        if data is None:
            return self._known.get(key)
        try:
            scores = {name: _number(value) for name, value in data["scores"].items()}
            currents = (_number(data[n]) for n in ("holding_current", "threshold_current"))
            limit = float(data.get("limit", 0))
            return Evaluation(scores, *currents, str(data["reason"]), limit)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s is damaged (%s) and is made anew", self._kept.path(key), error)
            return None

    def put(self, key: str, found: Evaluation) -> None:
        """Keeps an evaluation."""
        data = {
            "scores": {name: _plain(value) for name, value in found.scores.items()},
            "holding_current": _plain(found.holding_current),
            "threshold_current": _plain(found.threshold_current),
            "reason": found.reason,
        }
        # Only where it says something, so that the files of all others stay what they are.
        self._kept.put(key, data | ({"limit": found.limit} if found.limit else {}))


def write_known(path: Path, evaluations: dict[str, Evaluation]) -> None:
    """Writes evaluations by key into one file that a model can ship, what it held before included.

    Failed ones, which the next run tries again, are left out. Features are named once per set.
    """
    kept = (read_known(path) if path.is_file() else {}) | {
        key: found for key, found in evaluations.items() if found.scores or found.limit
    }
    features: dict[str, int] = {}
    rows = {}
    for key, found in sorted(kept.items()):
        names = " ".join(found.scores)
        rows[key] = [
            features.setdefault(names, len(features)), _short(found.holding_current),
            _short(found.threshold_current), found.reason,
            [_short(value) for value in found.scores.values()], *([found.limit] if found.limit else []),
        ]  # fmt: skip
    # A line per evaluation: short, and a change shows as what it is.
    names = ",\n".join(json.dumps(name) for name in features)
    lines = ",\n".join(
        f"{json.dumps(k)}: {json.dumps(r, allow_nan=False)}" for k, r in rows.items()
    )
    head = f'{{"version": {VERSION},\n"features": [\n{names}\n],'
    write_text(path, f'{head}\n"evaluations": {{\n{lines}\n}}}}\n')


def read_known(path: Path) -> dict[str, Evaluation]:
    """Reads what ``write_known`` wrote.

    Raises:
        CircuitError: If the file is not of its form.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != VERSION:
            return {}
        names = [text.split() for text in data["features"]]
        return {
            key: Evaluation(
                dict(zip(names[which], map(_number, scores), strict=True)),
                _number(holding), _number(threshold), str(reason), *map(float, limit),
            )
            for key, (which, holding, threshold, reason, scores, *limit) in data["evaluations"].items()
        }  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        hint = "remove it, or write it anew with 'sonatina generalise MODEL --save'"
        raise CircuitError(Problem(str(path), f"no file of evaluations: {error}", hint)) from None


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _short(value: float) -> float | None:
    """As many digits as the tables have."""
    return float(f"{value:.9g}") if math.isfinite(value) else None


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True)
class _Job:
    evaluator: Evaluator
    store: Path
    key: str
    morphology: Path
    emodel: str


def evaluate_missing(
    keys: dict[Pair, str],
    morphologies: dict[str, Path],
    evaluator: Evaluator,
    store: Store,
    workers: int = 1,
    at_most: int | None = None,
) -> tuple[dict[Pair, Evaluation], int]:
    """Evaluates the pairs that the store lacks.

    Args:
        keys: Key of every pair.
        morphologies: File by name.
        evaluator: Runs one pair.
        store: Where evaluations stay.
        workers: Processes; results do not depend on it.
        at_most: Evaluations made now, the first of ``keys``; the rest have the reason ``LEFT``.

    Returns:
        The evaluation of every pair, and how many were made now. What an evaluator raised is in
        ``reason`` and is not kept: the next run tries again. What the limit ended is kept, and tried
        again only with a higher limit.
    """  # fmt: skip
    found = {pair: _enough(store.get(key), evaluator.limit) for pair, key in keys.items()}
    # Pairs of equal content share a key; one evaluation serves them all.
    jobs = {
        keys[pair]: _Job(
            evaluator, store.folder, keys[pair], morphologies[pair.morphology], pair.emodel
        )
        for pair in keys
        if found[pair] is None
    }
    jobs = dict(list(jobs.items())[:at_most])
    made = _run_all(list(jobs.values()), evaluator.limit, workers)
    new = dict(zip(jobs, made, strict=True))
    left = Evaluation({}, reason=LEFT)
    return {pair: old or new.get(keys[pair], left) for pair, old in found.items()}, len(jobs)


def _enough(found: Evaluation | None, limit: float | None) -> Evaluation | None:
    """None where an evaluation ended at a lower limit than this one."""
    return None if found and found.limit and (limit is None or limit > found.limit) else found


def _run_all(jobs: list[_Job], limit: float | None, workers: int) -> list[Evaluation]:
    """Runs jobs, in processes that may hang or die where there is a limit."""
    if limit is None or not jobs:
        return [_run(job) for job in progress(jobs, label="generalise", unit="pair")]
    found = map_surviving(_run, jobs, workers, "generalise", limit=limit, recycle=RECYCLE)
    return [_told(job, result) for job, result in zip(jobs, found, strict=True)]


def _told(job: _Job, found: Evaluation | str) -> Evaluation:
    if isinstance(found, Evaluation):
        return found
    log.warning("%s with %s: failed: %s", job.morphology.name, job.emodel, found)
    if isinstance(found, Late):
        late = Evaluation({}, reason=str(found), limit=job.evaluator.limit)
        Store(job.store).put(job.key, late)
        return late
    return Evaluation({}, reason=f"failed: {found}")


def _run(job: _Job) -> Evaluation:
    try:
        found = job.evaluator(job.morphology, job.emodel)
    except Exception as error:  # one pair must not cost the others, whatever a simulator raises
        log.warning("%s with %s: %s", job.morphology.name, job.emodel, error)
        return Evaluation({}, reason=f"failed: {type(error).__name__}: {error}")
    Store(job.store).put(job.key, found)
    # Read back, so that new and kept evaluations are the same to the last bit.
    return Store(job.store).get(job.key) or found
