"""Muscle readouts by ridge regression: what the neurons do while a teacher moves the body.

The neurons feel the body (smell, stretch) but do not move it; voltages and the teacher's drive of the same
window are regressed. Three controls tell what the network adds: the felt currents in place of voltages (no
network), voltages shifted in time by half the lesson (what any oscillation explains), and, by variants with
shuffled weights, another network.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.body.interface import MUSCLES
from pipeline.body.readout import CEILING, OFFSET
from pipeline.config.load import Resolved
from pipeline.errors import ConfigError, Problem
from pipeline.runtime import make_folder, write_text
from pipeline.simulation.closed_loop import run_closed_loop
from pipeline.simulation.targets import select_targets
from pipeline.sonata.layout import CircuitPaths


def train_readout(resolved: Resolved, name: str, paths: CircuitPaths) -> dict[str, float]:
    """Gives the lesson of one entry of ``training`` and fits its readout.

    Files below ``training/<name>``: lesson.npz (and lesson_2.npz, ... of further media), readout.csv,
    scores.csv (by penalty).

    Returns:
        alpha; r2 on training data; r2_cv, r2_currents, r2_shifted by cross-validation.

    Raises:
        ConfigError: If the behaviour has no circuit.
    """
    config, folder = resolved.model.training[name], paths.training(name)
    make_folder(folder)
    behaviour = resolved.model.behaviours[config.behaviour]
    if behaviour.drive.kind != "circuit":
        message = f"behaviour {config.behaviour!r} has no circuit to read"
        raise ConfigError(Problem(f"training.{name}", message, "give it drive kind circuit"))
    data = _lessons(resolved, name, paths)
    rows = select_targets(paths, config.set).node_ids
    voltage, drive = data["voltage"][:, rows], data["drive"]
    scores = [cross_validate(voltage, drive, alpha, config.folds) for alpha in config.alphas]
    best = int(np.argmax(scores))
    alpha = config.alphas[best]
    weights, offset = ridge(voltage, drive, alpha)
    names, ceiling = data["names"][rows].tolist(), drive.max(0)
    middle = ceiling / 2 + config.gain * (offset - drive.mean(0))
    _write(folder / "readout.csv", names, config.gain * weights, middle, ceiling)
    table = pd.DataFrame({"alpha": config.alphas, "r2_cv": scores})
    write_text(folder / "scores.csv", table.to_csv(index=False, lineterminator="\n"))
    currents = data["current"]
    # Currents are of the order of 0.01 nA; by this factor a penalty weighs as for voltages.
    currents = currents / max(currents.std(), 1e-12) * voltage.std()
    shifted = np.roll(voltage, len(voltage) // 2, axis=0)
    return {
        "alpha": alpha,
        "windows": float(len(voltage)),
        "r2": explained(drive, voltage @ weights.T + offset),
        "r2_cv": scores[best],
        "r2_currents": max(cross_validate(currents, drive, a, config.folds) for a in config.alphas),
        "r2_shifted": max(cross_validate(shifted, drive, a, config.folds) for a in config.alphas),
    }


def _lessons(resolved: Resolved, name: str, paths: CircuitPaths) -> dict[str, np.ndarray]:
    """Gives one lesson per medium and returns their notes in a row, each without its start."""
    config, folder = resolved.model.training[name], paths.training(name)
    behaviour = resolved.model.behaviours[config.behaviour]
    settled, found = round(config.settle / behaviour.drive.window), []
    for number, medium in enumerate(config.media or [behaviour.environment.medium]):
        place = behaviour.environment.model_copy(update={"medium": medium})
        lesson = behaviour.model_copy(update={"duration": config.duration, "environment": place})
        notes = folder / (f"lesson_{number + 1}.npz" if number else "lesson.npz")
        run_closed_loop(
            resolved, config.behaviour, paths, config=lesson, taught=notes,
            disturbance=config.disturbance,
        )  # fmt: skip
        with np.load(notes) as file:
            found.append(dict(file))
    keys = ("voltage", "drive", "current")
    joined = {key: np.concatenate([notes[key][settled:] for notes in found]) for key in keys}
    return joined | {"names": found[0]["names"]}


def ridge(x: np.ndarray, y: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Fits y = weights x + offset with a penalty on the weights, not on the offset.

    Args:
        x: float64 [rows, inputs].
        y: float64 [rows, outputs].
        alpha: Penalty per row: added to the mean square of each input.

    Returns:
        float64 [outputs, inputs] and float64 [outputs].
    """
    middle, level = x.mean(0), y.mean(0)
    centred = x - middle
    square = centred.T @ centred / len(x) + alpha * np.eye(x.shape[1])
    weights = np.linalg.solve(square, centred.T @ (y - level) / len(x)).T
    return weights, level - weights @ middle


def cross_validate(x: np.ndarray, y: np.ndarray, alpha: float, folds: int) -> float:
    """Returns the share of variance explained in blocks of time that the fit has not seen."""
    found = np.empty_like(y)
    for block in np.array_split(np.arange(len(x)), folds):
        seen = np.ones(len(x), bool)
        seen[block] = False
        weights, offset = ridge(x[seen], y[seen], alpha)
        found[block] = x[block] @ weights.T + offset
    return explained(y, found)


def explained(y: np.ndarray, found: np.ndarray) -> float:
    """Returns 1 - residual / variance over all outputs, after cutting to 0..1 as muscles do."""
    residual = ((y - np.clip(found, 0, 1)) ** 2).sum()
    return float(1 - residual / max(((y - y.mean(0)) ** 2).sum(), 1e-300))


def _write(path, names: Sequence[str], weights, offset, ceiling) -> None:
    lines = [",".join(["neuron", *MUSCLES])]
    for name, column in zip([*names, OFFSET, CEILING], [*weights.T, offset, ceiling], strict=True):
        lines.append(",".join([name, *(f"{value:.6g}" for value in column)]))
    write_text(path, "\n".join(lines) + "\n")
