"""Gradient descent (Adam) with a log; a search that was killed goes on where it was."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.runtime import atomic_path, progress

log = logging.getLogger(__name__)
Score = Callable[[np.ndarray], tuple[float, float, np.ndarray]]


@dataclass(frozen=True)
class Schedule:
    """How the search moves.

    Attributes:
        epochs: Evaluations.
        rate: Largest step of a number in units of the search, at the start; falls to 1 % along a
            cosine.
        save_every: Epochs between checkpoints.
    """

    epochs: int
    rate: float
    save_every: int = 5


@dataclass
class State:
    """Where a search is: its point, Adam's moments, the best point and what was logged."""

    vector: np.ndarray
    first: np.ndarray
    second: np.ndarray
    best: np.ndarray
    history: np.ndarray

    @property
    def epoch(self) -> int:
        """Evaluations so far."""
        return len(self.history)


def start_state(vector: np.ndarray) -> State:
    """Returns the state before the first evaluation."""
    zero = np.zeros_like(vector)
    return State(vector.copy(), zero, zero.copy(), vector.copy(), np.empty((0, 3)))


def descend(
    score: Score, clip: Callable[[np.ndarray], np.ndarray], state: State, schedule: Schedule,
    checkpoint: Path, key: str, label: str,
) -> State:  # fmt: skip
    """Searches until the schedule's end.

    Args:
        score: Vector to trained error, held-out error and gradient.
        clip: Brings a vector within bounds.
        state: Start; a checkpoint of the same key goes before it.
        schedule: Length and rate.
        checkpoint: File of the state; ``.jsonl`` beside it is the log, one line per epoch.
        key: What the scores depend on; a checkpoint with another key is not used.
        label: Of the progress bar.

    Returns:
        The last state; its best point is that of the smallest trained error.
    """
    state = load_state(checkpoint, key) or state
    with progress(total=schedule.epochs, label=label, unit="epoch") as bar:
        bar.update(state.epoch)
        while state.epoch < schedule.epochs:
            trained, held, gradient = score(state.vector)
            if not np.isfinite(gradient).all():
                gradient = np.zeros_like(gradient)
            size = float(np.linalg.norm(gradient))
            known = state.history[:, 0]
            if not len(known) or trained < np.nanmin(known):
                state.best = state.vector.copy()
            usual = np.median(state.history[-20:, 2]) if len(known) else size
            state.history = np.vstack([state.history, (trained, held, size)])
            # A step next to a switch of the network can have a slope thousands of times the usual.
            gradient = gradient * min(1.0, 3 * usual / max(size, 1e-300))
            state.vector = clip(_step(state, gradient, schedule))
            bar.set_postfix_str(f"error {trained:.4f}, held out {held:.4f}")
            bar.update(1)
            if state.epoch % schedule.save_every == 0 or state.epoch == schedule.epochs:
                save_state(checkpoint, key, state)
    return state


def _step(state: State, gradient: np.ndarray, schedule: Schedule) -> np.ndarray:
    n = state.epoch
    state.first = 0.9 * state.first + 0.1 * gradient
    state.second = 0.999 * state.second + 0.001 * gradient**2
    share = 0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * n / schedule.epochs))
    mean = state.first / (1 - 0.9**n)
    spread = np.sqrt(state.second / (1 - 0.999**n))
    return state.vector - schedule.rate * share * mean / (spread + 1e-12)


def save_state(path: Path, key: str, state: State) -> None:
    """Writes a checkpoint and the log beside it."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, key=np.array(key), **vars(state))
    with atomic_path(path.with_suffix(".jsonl")) as temporary:
        lines = [
            json.dumps({"epoch": n, "trained": row[0], "held_out": row[1], "slope": row[2]})
            for n, row in enumerate(state.history.tolist())
        ]
        temporary.write_text("\n".join([json.dumps({"key": key}), *lines]) + "\n")


def load_state(path: Path, key: str) -> State | None:
    """Reads a checkpoint; None when there is none of this key."""
    if not path.is_file():
        return None
    with np.load(path) as file:
        found = {name: file[name] for name in file.files}
    if str(found.pop("key")) != key:
        log.warning("%s belongs to other settings; the search starts anew", path)
        return None
    return State(**found)
