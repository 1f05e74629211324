"""What damage does to the worm, over seeds. Usage: python bench/worm_perturb.py [seeds] [loop seeds]

The circuit of the variant ``alive`` must be built. First the correlations: the trained circuit as arrays
(d_lambda at 10 Hz, 2 ms, docs/training.md) under its trained inputs, with contacts changed by the functions of
``pipeline/perturb/contacts.py`` (a variant names them as edges.wiring.perturb). Then, with loop seeds, the
behaviour forage in NEURON at ``coarse``, a circuit per change. 95 % intervals of Student over seeds; published
values as recomputed from the source data of Zhao et al. 2024.
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from pipeline.analysis.starts import interval
from pipeline.body.gait import measure_gait
from pipeline.body.record import read_record
from pipeline.cli import main
from pipeline.config.load import load_model
from pipeline.perturb import contacts as laws
from pipeline.perturb.contacts import Contacts
from pipeline.simulation.targets import select_targets
from pipeline.sonata.layout import CircuitPaths
from pipeline.training.network import build_net, run
from pipeline.training.problem import correlation_loss, interpolation
from pipeline.training.stage import flatten_circuit, read_target

CHEMICAL, ELECTRICAL = 0, 1
CELLS = {
    "AVA": ["AVAL", "AVAR"],
    "AVB": ["AVBL", "AVBR"],
    "RIM": ["RIML", "RIMR"],
    "DB, VB": [f"DB{k:02d}" for k in range(1, 8)] + [f"VB{k:02d}" for k in range(1, 12)],
}
STEPS = {
    "control": [],
    "no neurites": [{"kind": "to_soma"}],
    "places shuffled": [{"kind": "shuffle_places"}],
    "synaptic weights shuffled": [{"kind": "shuffle_weights", "of": ["chemical"]}],
    "junction weights shuffled": [{"kind": "shuffle_weights", "of": ["electrical"]}],
    "no synapses": [{"kind": "remove", "of": ["chemical"]}],
    "no junctions": [{"kind": "remove", "of": ["electrical"]}],
    **{f"without {name}": [{"kind": "ablate", "cells": cells}] for name, cells in CELLS.items()},
}
PUBLISHED = {
    "control": "0.075", "no neurites": "0.102; -27 %", "places shuffled": "0.073; -80 %",
    "synaptic weights shuffled": "0.142; -75 %", "junction weights shuffled": "0.129; -79 %",
    "no synapses": "0.159; -77 %", "no junctions": "0.136; -81 %",
}  # fmt: skip
DRUGS = {"EGL-19": "egl19", "UNC-2": "unc2", "SLO-1": "slo1", "SHK-1": "shk1", "NCA": "nca"}


def random(name: str) -> bool:
    """Whether a change draws."""
    return any(step["kind"].startswith("shuffle") for step in STEPS.get(name, []))


class Arrays:
    """The trained circuit as arrays, ready to be changed and run."""

    def __init__(self, folder: Path):
        resolved = load_model("worm", "alive")
        config = resolved.model.training["weights"]
        paths = CircuitPaths("circuits/worm/alive")
        flatten_circuit(resolved, config, paths, folder / "arrays.npz")
        with np.load(folder / "arrays.npz") as file:
            self.arrays = dict(file)
        self.names = list(self.arrays["names"])
        self.inputs = np.array(select_targets(paths, config.inputs).node_ids)
        self.target = read_target(resolved.path(config.target), self.names, 0.0)
        table = pd.read_csv(resolved.path(config.currents)).iloc[:, 1:].to_numpy()
        self.current = interpolation(round(config.duration / config.dt), len(table)) @ table
        self.dt = config.dt
        a = self.arrays
        sign = np.where(a["syn_inhibitory"], -1.0, 1.0)
        kind = np.repeat([CHEMICAL, ELECTRICAL], [len(a["syn_pre"]), len(a["gap_a"])])
        both = [("syn_source", "gap_source"), ("syn_target", "gap_target"), ("syn_pre", "gap_a")]
        columns = [np.concatenate([a[x], a[y]]) for x, y in [*both, ("syn_post", "gap_b")]]
        weight = np.concatenate([sign * a["syn_weight"], a["gap_weight"]])
        self.contacts = Contacts(kind, *columns, weight, np.arange(len(kind)))

    def changed(self, steps: list[dict], seed: int) -> Contacts:
        """Applies steps of a config."""
        found, rng = self.contacts, np.random.default_rng(seed)
        for step in steps:
            kinds = [("chemical", "electrical").index(name) for name in step.get("of", [])]
            kinds = kinds or [CHEMICAL, ELECTRICAL]
            if step["kind"] == "ablate":
                found = laws.ablate(found, [self.names.index(name) for name in step["cells"]])
            elif step["kind"] == "to_soma":
                found = laws.to_soma(found, self.arrays["soma"])
            elif step["kind"] == "remove":
                found = laws.remove(found, kinds)
            else:
                found = getattr(laws, step["kind"])(found, kinds, rng)
        return found

    def error(self, contacts: Contacts, block: str = "") -> float:
        """Returns the mean squared error of all correlations; ``block`` takes channels away."""
        of = [contacts.take(contacts.kind == kind) for kind in (CHEMICAL, ELECTRICAL)]
        arrays = self.arrays | {
            "syn_pre": of[0].pre, "syn_post": of[0].post, "gap_a": of[1].pre, "gap_b": of[1].post
        }  # fmt: skip
        if block:
            hit = np.char.startswith(arrays["channel_kind"].astype(str), block)
            arrays["channel_g"] = np.where(hit, 0.0, arrays["channel_g"])
        net = build_net(arrays, self.dt, self.inputs)
        voltage = run(net, of[0].weight, of[1].weight, self.current).voltage
        return correlation_loss(voltage[:, net.soma[self.target.cells]], self.target)[0]


def spread(values: list[float]) -> str:
    """Mean and, where there are several, the ends of its 95 % interval."""
    found = [value for _, value, _ in interval("", np.array(values), "")]
    return f"{found[0]:.3f}" + (f" ({found[1]:.3f} to {found[2]:.3f})" if len(values) > 1 else "")


def correlations(seeds: int) -> None:
    """Prints a row for every change."""
    with TemporaryDirectory() as folder:
        worm = Arrays(Path(folder))
    print(
        "\n| change | seeds | error of correlations | published error; displacement |\n|---|---|---|---|"
    )
    for name, steps in STEPS.items():
        used = range(1, seeds + 1) if random(name) else [1]
        errors = [worm.error(worm.changed(steps, seed)) for seed in used]
        print(
            f"| {name} | {len(errors)} | {spread(errors)} | {PUBLISHED.get(name, '')} |", flush=True
        )
    for name, kind in DRUGS.items():
        print(f"| {name} blocked | 1 | {worm.error(worm.contacts, kind):.3f} | |", flush=True)


def forage(name: str, seed: int, folder: Path) -> tuple[float, float, float]:
    """Builds a circuit with a change and lets it forage: displacement (mm), frequency, wavelength."""
    steps = [step | ({"seed": seed} if random(name) else {}) for step in STEPS[name]]
    path = folder / "changed.yaml"
    alive = Path("models/worm/variants/alive.yaml").resolve()
    path.write_text(
        f"extends: {alive}\nname: changed\nset:\n  edges.wiring.perturb: {steps}\n".replace("'", "")
    )
    root = folder / "worm/changed"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(
        "circuits/worm/alive", root, ignore=shutil.ignore_patterns("training", "behaviour", "sim")
    )
    for verb, *more in (["edges"], ["circuit"], ["behave", "--name", "forage"]):
        if main([verb, str(path), "--out", str(folder), *more]):
            raise SystemExit(f"{verb} failed")
    record = read_record(CircuitPaths(root).behaviour("forage"))
    kept, centre = record.time >= 3000, record.positions.mean(1)
    gait = measure_gait(record.curvature[kept], centre[kept], 20.0)
    return np.linalg.norm(centre[-1] - centre[0]) / 1000, gait.frequency, gait.wavelength


def loops(seeds: int) -> None:
    """Prints displacement and gait in the closed loop for every change."""
    print(
        "\n| change | seeds | displacement in 10 s (mm) | of control | frequency (Hz) | wavelength (L) |"
        "\n|---|---|---|---|---|---|"
    )
    control = None
    for name in STEPS:
        used = range(1, seeds + 1) if random(name) else [1]
        with TemporaryDirectory() as folder:
            rows = np.array([forage(name, seed, Path(folder)) for seed in used])
        control = control or rows[:, 0].mean()
        figures = [spread(list(column)) for column in rows.T]
        change = f"{rows[:, 0].mean() / control - 1:+.0%}"
        print(
            f"| {name} | {len(rows)} | {figures[0]} | {change} | {figures[1]} | {figures[2]} |",
            flush=True,
        )


if __name__ == "__main__":
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    if seeds:
        correlations(seeds)
    if loop_seeds := int(sys.argv[2]) if len(sys.argv) > 2 else 3:
        loops(loop_seeds)
