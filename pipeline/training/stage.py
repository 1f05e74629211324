"""Stage ``train``: weights and inputs fitted to correlations, seed by seed."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.load import Resolved
from pipeline.config.tables import read_csv
from pipeline.config.training import CorrelationTraining
from pipeline.edges.contacts import draw_values
from pipeline.edges.weights import weight_rows
from pipeline.errors import ConfigError, Problem
from pipeline.mpi import run_ranks
from pipeline.runtime import make_folder, rng_for, value_hash, write_text
from pipeline.simulation.stage import compiled_library
from pipeline.simulation.targets import select_targets
from pipeline.sonata.layout import CircuitPaths
from pipeline.training.descent import Schedule, State, descend, start_state
from pipeline.training.network import Net, build_net
from pipeline.training.problem import Bounds, Parameters, Target, evaluate, hold_out
from pipeline.worker import map_in_order

log = logging.getLogger(__name__)
_KEPT = ("seeds", "contacts", "currents", "figures")
"""Keys that do not change a search: which others run beside it, and where results are kept."""


def train_correlation(
    resolved: Resolved, name: str, paths: CircuitPaths, workers: int = 1
) -> dict[str, float]:
    """Trains every seed of one entry and writes ``training/<name>``.

    Files: arrays.npz (the flattened circuit), seed_<n>.npz and .jsonl (state and log), contacts.csv and
    currents.csv (of the seed with the smallest trained error), history.csv (all seeds).

    Args:
        resolved: The model.
        name: Key under ``training`` of kind correlation.
        paths: The circuit; it is built and its mechanisms are compiled.
        workers: Processes; results do not depend on them.

    Returns:
        trained and held_out mean squared error of the best seed, start (its first), seed, contacts, and
        the errors of every seed.

    Raises:
        ConfigError: If target or node set do not fit.
    """
    config, folder = resolved.model.training[name], paths.training(name)
    make_folder(folder)
    flatten_circuit(resolved, config, paths, folder / "arrays.npz")
    job = {
        "folder": str(folder),
        "config": config.model_dump(mode="json"),
        "edges": resolved.tree["edges"][config.edges],
        "inputs": select_targets(paths, config.inputs).node_ids.tolist(),
        "target": str(resolved.path(config.target)),
    }
    items = [job | {"seed": seed} for seed in config.seeds]
    states = map_in_order(train_seed, items, workers, name)
    errors = [float(np.nanmin(state.history[:, 0])) for state in states]
    best = int(np.argmin(errors))
    _write_tables(job, states[best], folder)
    history = [
        pd.DataFrame(state.history, columns=["trained", "held_out", "slope"]).assign(seed=seed)
        for seed, state in zip(config.seeds, states, strict=True)
    ]
    text = pd.concat(history).rename_axis("epoch").to_csv(lineterminator="\n")
    write_text(folder / "history.csv", text)
    own = [state.history[int(np.nanargmin(state.history[:, 0]))] for state in states]
    figures = {
        "trained": float(own[best][0]),
        "held_out": float(own[best][1]),
        "start": float(states[best].history[0, 0]),
        "seed": float(config.seeds[best]),
        "contacts": float(len(np.load(folder / "arrays.npz")["syn_pre"])),
    }
    for seed, row in zip(config.seeds, own, strict=True):
        figures |= {f"seed_{seed}_trained": float(row[0]), f"seed_{seed}_held_out": float(row[1])}
    return figures


def flatten_circuit(
    resolved: Resolved, config: CorrelationTraining, paths: CircuitPaths, out: Path
) -> None:
    """Writes the circuit's arrays with the compartments that the training takes."""
    library = compiled_library(paths, needed=True)
    job = {
        "root": str(paths.root.resolve()),
        "library": str(library),
        "nodes": resolved.model.edges[config.edges].source,
        "seed": resolved.model.seed,
        "discretisation": {"rule": "d_lambda", "d_lambda": 0.1, "frequency": config.frequency},
        "out": str(out.resolve()),
    }
    run_ranks("pipeline.training.flatten", job, 1)


def train_seed(job: dict) -> State:
    """Trains one seed from its own start, or goes on with it."""
    config = CorrelationTraining.model_validate(job["config"])
    net, target, start = prepare(job, config)
    steps = round(config.duration / config.dt)
    limits = config.bounds
    bounds = Bounds(limits.weight, (limits.gap_low, limits.gap_high), limits.current)
    free = np.concatenate(
        [
            np.full(size, part in config.free)
            for part, size in (
                ("weights", len(start.weights)),
                ("gaps", len(start.gaps)),
                ("currents", start.knots.size),
            )
        ]
    )

    def score(vector: np.ndarray) -> tuple[float, float, np.ndarray]:
        trained, held, gradient = evaluate(net, target, start.like(vector), steps)
        return trained, held, np.where(free, gradient, 0.0)

    used = {k: v for k, v in job["config"].items() if k not in _KEPT}
    key = value_hash([used, job["edges"], job["inputs"], job["seed"], len(net.parent)])
    return descend(
        score, lambda vector: start.like(vector).bounded(bounds).vector(),
        start_state(start.vector()), Schedule(config.epochs, config.rate),
        Path(job["folder"]) / f"seed_{job['seed']}.npz", key, f"seed {job['seed']}",
    )  # fmt: skip


def prepare(job: dict, config: CorrelationTraining) -> tuple[Net, Target, Parameters]:
    """Returns network, target and the start of a seed."""
    with np.load(Path(job["folder"]) / "arrays.npz") as file:
        arrays = dict(file)
    net = build_net(arrays, config.dt, np.array(job["inputs"]))
    target = read_target(Path(job["target"]), list(arrays["names"]), config.held_out)
    return net, target, draw_start(job["seed"], config, job["edges"], arrays, len(job["inputs"]))


def draw_start(
    seed: int, config: CorrelationTraining, edges: dict, arrays: dict[str, np.ndarray], inputs: int
) -> Parameters:
    """Draws weights by the laws of the edges, and currents, for one seed."""
    from pipeline.config.schema import Chemical, Electrical

    chemical = Chemical.model_validate(edges["chemical"])
    electrical = Electrical.model_validate(edges["electrical"])
    size = len(arrays["syn_pre"])
    rng = {key: rng_for(seed, f"training/{key}") for key in ("weight", "sign", "gap", "current")}
    weights = draw_values(chemical.weight, rng["weight"], size)
    weights[rng["sign"].random(size) < chemical.inhibitory_probability] *= -1
    gaps = draw_values(electrical.conductance, rng["gap"], len(arrays["gap_a"]))
    knots = round(config.duration / config.knots) + 1
    noise = rng["current"].standard_normal((knots, inputs))
    return Parameters(weights, gaps, config.mean + config.sd * noise)


def read_target(path: Path, names: list[str], share: float) -> Target:
    """Reads the correlations of pairs of the network's cells.

    Raises:
        ConfigError: If columns or numbers are wrong, or no pair is of these cells.
    """
    table = read_csv(path)
    if not {"a", "b", "r"} <= set(table):
        raise ConfigError(Problem(f"{path}:1", f"columns {list(table)}", "write a, b, r"))
    table = table[table["a"].isin(names) & table["b"].isin(names)]
    r = pd.to_numeric(table["r"], errors="coerce").to_numpy(float)
    if not len(r):
        raise ConfigError(Problem(str(path), "no pair of these cells", "see docs/training.md"))
    wrong = np.flatnonzero(~(np.abs(r) <= 1))
    if len(wrong):
        row = table.index[wrong[0]]
        message = f"r is {table['r'][row]!r}, no number from -1 to 1"
        raise ConfigError(Problem(f"{path}:{row + 2}", message, "see docs/training.md"))
    used = sorted({names.index(name) for side in "ab" for name in table[side]})
    place = {names[cell]: row for row, cell in enumerate(used)}
    a, b = (table[side].map(place).to_numpy(np.int64) for side in "ab")
    # The same pairs are held out whatever the seed of the start, so that seeds can be compared.
    return Target(np.array(used), a, b, r, hold_out(0, len(r), share))


def _write_tables(job: dict, state: State, folder: Path) -> None:
    config = CorrelationTraining.model_validate(job["config"])
    with np.load(folder / "arrays.npz") as file:
        arrays = dict(file)
    names = list(arrays["names"])
    start = draw_start(config.seeds[0], config, job["edges"], arrays, len(job["inputs"]))
    best = start.like(state.best)
    rows = pd.concat(
        [
            weight_rows(
                names, arrays["syn_source"], arrays["syn_target"], "chemical", best.weights
            ),
            weight_rows(names, arrays["gap_source"], arrays["gap_target"], "electrical", best.gaps),
        ]
    )
    rows["weight"] = [f"{value:.6g}" for value in rows["weight"]]
    write_text(folder / "contacts.csv", rows.to_csv(index=False, lineterminator="\n"))
    columns = [names[row] for row in job["inputs"]]
    currents = pd.DataFrame(best.knots, columns=columns).map(lambda value: f"{value:.6f}")
    times = np.arange(len(currents)) * config.knots
    currents.insert(0, "time_ms", [f"{time:g}" for time in times])
    write_text(folder / "currents.csv", currents.to_csv(index=False, lineterminator="\n"))
