"""Stage ``damage``: a change of a built circuit, and what it does to correlations and to a behaviour."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pydantic import TypeAdapter

from pipeline.analysis.behaviour import figures as behaviour_figures
from pipeline.body.record import read_record
from pipeline.config.damage import Change
from pipeline.config.load import Resolved
from pipeline.config.perturb import Perturbation
from pipeline.config.perturbed import Block
from pipeline.config.tables import read_csv
from pipeline.edges.build import run_edges
from pipeline.errors import ConfigError, Problem
from pipeline.perturbed import block_channel
from pipeline.runtime import atomic_path, make_folder, rng_for
from pipeline.simulation.closed_loop import run_closed_loop
from pipeline.simulation.stage import SEGMENT_STEPS_PER_SECOND
from pipeline.simulation.targets import select_targets
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import not_built
from pipeline.training.network import build_net, run
from pipeline.training.problem import interpolation, pair_correlations
from pipeline.training.stage import flatten_circuit, read_target

TRACK_STEP = 100.0
"""ms between the points of a kept track."""
SETUP_SECONDS = 20.0
"""Of a job, beside the behaviour: edges, arrays, starting NEURON twice (worm, one core)."""


def run_damage(
    resolved: Resolved, name: str, seed: int, paths: CircuitPaths,
    ranks: int | None = None, launcher: str | None = None,
) -> dict[str, float]:  # fmt: skip
    """Makes one change with one seed, runs the circuit twice and writes ``damage/<change>/seed_<n>.npz``.

    First the circuit as arrays under the trained inputs, for correlations; then the behaviour in NEURON. The
    changed circuit is thrown away. The file holds figures and their names, the correlations of the
    target's pairs, and the track of the head (um).

    Args:
        resolved: The model with its ``damage``.
        name: Key under ``damage.changes``.
        seed: Of shuffles, heading and noise.
        paths: The built circuit.
        ranks, launcher: As ``run_closed_loop``.

    Returns:
        The figures.

    Raises:
        CircuitError: If the circuit is not built.
        ConfigError: If a step names a cell or channel that is not there.
    """
    if not paths.circuit_config.is_file():
        raise not_built(paths.circuit_config, "circuit")
    out = paths.damage(name, seed)
    make_folder(out.parent)
    with TemporaryDirectory(prefix="sonatina-damage-") as folder:
        changed = CircuitPaths(Path(folder))
        make_changed(resolved, resolved.model.damage.changes[name], seed, paths, changed)
        found, pairs = correlations(resolved, seed, changed)
        figures, track = behave(resolved, seed, changed, ranks, launcher)
    found |= figures
    with atomic_path(out) as temporary, open(temporary, "wb") as file:
        np.savez(
            file, names=np.array(list(found)), values=np.array(list(found.values())),
            correlations=pairs, track=track,
        )  # fmt: skip
    return found


def plan_damage(
    resolved: Resolved, names: list[str], seeds: list[int], paths: CircuitPaths, segments: int
) -> dict[str, float]:
    """Predicts the cost of what is left to do.

    Args:
        resolved: The model with its ``damage``.
        names: Changes.
        seeds: Seeds.
        paths: The circuit; what stands in its ``damage`` is done.
        segments: Compartments of the circuit.

    Returns:
        jobs, left (of them), simulated_s (in NEURON), seconds (on one core, about).
    """
    jobs = [paths.damage(name, seed) for name in names for seed in seeds]
    left = sum(not path.is_file() for path in jobs)
    behaviour = resolved.model.behaviours[resolved.model.damage.behaviour]
    simulated = behaviour.duration + behaviour.drive.warm_up
    steps = simulated / behaviour.drive.dt
    each = SETUP_SECONDS + steps * segments / SEGMENT_STEPS_PER_SECOND
    return {
        "jobs": len(jobs),
        "left": left,
        "simulated_s": left * simulated / 1000,
        "seconds": float(np.ceil(left * each)),
    }


def make_changed(
    resolved: Resolved, change: Change, seed: int, base: CircuitPaths, paths: CircuitPaths
) -> None:
    """Copies a built circuit and applies the steps of a change."""
    for file in (base.node_sets, base.circuit_config):
        shutil.copyfile(file, paths.root / file.name)
    for folder in (base.network, base.components):
        shutil.copytree(folder, paths.root / folder.name)
    steps = [step.model_dump() for step in change.steps if step.kind != "block"]
    if steps:
        name = resolved.model.damage.edges
        steps = [step | ({"seed": seed} if "seed" in step else {}) for step in steps]
        edges = resolved.model.edges[name]
        made = TypeAdapter(list[Perturbation]).validate_python(steps)
        edges = edges.model_copy(update={"perturb": [*edges.perturb, *made]})
        every = resolved.model.edges | {name: edges}
        model = resolved.model.model_copy(update={"edges": every})
        run_edges(replace(resolved, model=model), name, paths)
    for step in change.steps:
        if step.kind == "block":
            block_channel(paths, Block(**step.model_dump()))


def correlations(
    resolved: Resolved, seed: int, paths: CircuitPaths
) -> tuple[dict[str, float], np.ndarray]:
    """Runs the circuit as arrays under its trained inputs with noise.

    Returns:
        error (mean squared, against the target), and float64 [pairs], the correlations of its pairs.
    """
    config = resolved.model.training[resolved.model.damage.training]
    with TemporaryDirectory(prefix="sonatina-damage-") as folder:
        flatten_circuit(resolved, config, paths, Path(folder) / "arrays.npz")
        with np.load(Path(folder) / "arrays.npz") as file:
            arrays = dict(file)
    names = arrays["names"].tolist()
    inputs = np.array(select_targets(paths, config.inputs).node_ids)
    table = read_csv(resolved.path(config.currents))
    missing = [names[row] for row in inputs if names[row] not in table]
    if missing:
        where = str(resolved.path(config.currents))
        raise ConfigError(Problem(f"{where}:1", f"no column {missing[0]!r}", "train again"))
    knots = table[[names[row] for row in inputs]].astype(float).to_numpy()
    current = interpolation(round(config.duration / config.dt), len(knots)) @ knots
    noise = rng_for(seed, "damage/noise").standard_normal(current.shape)
    current = current + resolved.model.damage.noise * noise
    target = read_target(resolved.path(config.target), names, 0.0)
    weights = np.where(arrays["syn_inhibitory"], -1.0, 1.0) * arrays["syn_weight"]
    net = build_net(arrays, config.dt, inputs)
    voltage = run(net, weights, arrays["gap_weight"], current, config.v_init).voltage
    pairs = pair_correlations(voltage[:, net.soma[target.cells]], target)
    return {"error": float(((pairs - target.r) ** 2).mean())}, pairs


def behave(
    resolved: Resolved, seed: int, paths: CircuitPaths, ranks: int | None, launcher: str | None
) -> tuple[dict[str, float], np.ndarray]:
    """Runs the behaviour from the heading of a seed.

    Returns:
        Its gait, with ``displacement`` (mm, of the head between first and last frame), and float32
        [points, 2], the way of the head (um).
    """
    name = resolved.model.damage.behaviour
    config = resolved.model.behaviours[name]
    turn = 360.0 * rng_for(seed, "damage/heading").random()
    heading = (config.heading + turn + 180.0) % 360.0 - 180.0
    config = config.model_copy(update={"heading": heading, "starts": None})
    run_closed_loop(resolved, name, paths, ranks=ranks, launcher=launcher, config=config)
    record = read_record(paths.behaviour(name))
    wanted = ("frequency", "wavelength", "speed")
    found = {key: value for key, value, _ in behaviour_figures(config, record) if key in wanted}
    head = record.positions[:, 0]
    found["displacement"] = float(np.linalg.norm(head[-1] - head[0])) / 1000
    every = max(1, round(TRACK_STEP / config.interval))
    return found | {"heading": heading}, head[::every].astype(np.float32)
