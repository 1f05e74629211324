"""Thalamic input of the V1 model against the law in closed form and a plain simulation of it.

Neither uses the product's draws or kernels: numbers come straight from the tables.
"""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pipeline.config.load import load_model
from pipeline.edges.rules import retinotopic
from pipeline.edges.rules.build import compile_network
from pipeline.edges.rules.tables import Findings
from pipeline.nodes.populations import node_frame
from pipeline.nodes.types import population_counts

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "models/v1/tables/lgn_rule.csv"
FREQUENCIES = {"sON": [1, 2, 4, 8], "sOFF": [1, 2, 4, 8, 15], "tOFF": [4, 8, 15]}
TILE = 16 * 12  # square degrees: 240 x 120 in 15 x 10 tiles
PER_CLASS, SIMULATED = 1500, 200


def numbers():
    with open(TABLE, newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    return {
        row["cell_class"]: {
            k: float(v) for k, v in row.items() if k not in ("cell_class", "source")
        }
        for row in rows
    }


def chances(group, wanted):
    """Probability of keeping a unit of each frequency of a group, [wanted, frequency]."""
    own = np.array(FREQUENCIES[group], float)
    gap = np.abs(np.atleast_1d(wanted)[:, None] - own)
    return (1 - gap / gap.sum(axis=1, keepdims=True)) / (len(own) - 1)


def closed_form(row, per_tile):
    """Mean number of inputs: areas of the ellipses times densities times mean chances."""
    wanted = np.arange(1, 60)
    weight = stats.poisson.pmf(wanted, row["frequency_mean"])
    weight /= weight.sum()

    def kept(group):
        count = [per_tile[f"{group}_TF{f}"] for f in FREQUENCIES[group]]
        return (weight @ chances(group, wanted)) @ count / TILE

    low, high = row["width_min"] / 2, row["width_max"] / 2
    square = (low**2 + low * high + high**2) / 3  # mean square of the minor half-axis
    area = math.pi * square * (row["aspect_min"] + row["aspect_max"]) / 2
    on = row["sustained_on"]
    units = on * kept("sON") + (1 - on) * kept("sOFF") + kept("tOFF")
    gap = (row["distance_min"] + row["distance_max"]) / 4 / 2
    dual = (per_tile["sONsOFF"] + per_tile["sONtOFF"]) / TILE * 30 / 180
    return row["probability"] * (area * units + math.pi * (low + high) / 2 * gap * dual)


def simulated(row, units, cell, rng):
    """Number of inputs of one cell in one trial, over all units."""
    if rng.random() >= row["probability"]:
        return 0
    half = rng.uniform(row["distance_min"], row["distance_max"]) / 2
    minor = rng.uniform(row["width_min"], row["width_max"]) / 2
    major = minor * rng.uniform(row["aspect_min"], row["aspect_max"])
    wanted = 0
    while not wanted:
        wanted = rng.poisson(row["frequency_mean"])
    sign = "sON" if rng.random() < row["sustained_on"] else "sOFF"
    x, z, angle = cell
    axis = np.exp(1j * np.radians(angle))
    away = np.tan(np.radians(0.07 * x)) + 1j * np.tan(np.radians(0.04 * z))
    centre = 120 + 60j + 180 / np.pi * away
    count = 0
    for group, shift, across in (
        (sign, -half, minor),
        ("tOFF", half, minor),
        ("dual", 0, half / 2),
    ):
        # In the frame of the cell the real part runs along its tuning angle, across the ellipse.
        place = (units["place"][group] - centre - shift * axis) / axis
        long = minor if group == "dual" else major
        inside = (place.imag / long) ** 2 + (place.real / across) ** 2 <= 1
        if group == "dual":
            orientation = units["angle"] - angle
            count += (inside & (np.cos(2 * np.radians(orientation)) > np.cos(np.radians(30)))).sum()
        else:
            table = dict(zip(FREQUENCIES[group], chances(group, wanted)[0], strict=True))
            chance = np.array([table[f] for f in units["frequency"][group][inside]])
            count += (rng.random(len(chance)) < chance).sum()
    return int(count)


@pytest.fixture(scope="module")
def built():
    """Drawn in-degrees: up to PER_CLASS cells of each class of the full model, all units."""
    resolved = load_model(str(ROOT / "models/v1"), "full")
    cells, units = node_frame(resolved, "v1"), node_frame(resolved, "lgn")
    rng = np.random.default_rng(1)
    classes = cells["cell_class"].astype(str).to_numpy()
    chosen = [
        rng.permutation(np.flatnonzero(classes == name))[:PER_CLASS]
        for name in sorted(set(classes))
    ]
    cells = cells.iloc[np.sort(np.concatenate(chosen))].reset_index(drop=True)
    findings = Findings(resolved.document, ("edges", "lgn"), resolved.path)
    network = compile_network(resolved.model.edges["lgn"], 1, units, cells, findings)
    counts, _ = retinotopic.draw(network.rules[0], network.target.points, 0, len(cells))
    return resolved, cells, units, counts


def per_tile(resolved):
    return {name: n / 150 for (name, _), n in population_counts(resolved, "lgn").items()}


def test_mean_inputs_by_class_are_those_of_the_law(built):
    resolved, cells, _, counts = built
    classes, total = cells["cell_class"].astype(str).to_numpy(), 0.0
    everyone = population_counts(resolved, "v1")
    with open(ROOT / "models/v1/tables/populations.csv", newline="") as handle:
        class_of = {row["name"]: row["cell_class"] for row in csv.DictReader(handle)}
    for name, row in numbers().items():
        expected = closed_form(row, per_tile(resolved))
        mine = counts[classes == name]
        total += expected * sum(n for (pop, _), n in everyone.items() if class_of[pop] == name)
        if not row["probability"]:
            assert expected == 0 and not mine.any()
            continue
        # Units have fixed places, which cells share: 2 per cent beside the spread of the cells.
        error = mine.std() / len(mine) ** 0.5
        assert abs(mine.mean() - expected) < 4 * error + 0.02 * expected, name
    assert total == pytest.approx(3.5e6, rel=0.01)


def test_inputs_are_distributed_as_in_a_plain_simulation(built):
    _, cells, frame, counts = built
    rng = np.random.default_rng(2)
    kind = frame["subclass"].astype(str).to_numpy()
    place = frame["x"].to_numpy(float) + 1j * frame["y"].to_numpy(float)
    dual = np.isin(kind, ["sONsOFF", "sONtOFF"])
    units = {
        "place": {group: place[kind == group] for group in FREQUENCIES} | {"dual": place[dual]},
        "frequency": {
            group: frame["temporal_frequency"][kind == group].to_numpy(float)
            for group in FREQUENCIES
        },
        "angle": frame["tuning_angle"].to_numpy(float)[dual],
    }
    classes = cells["cell_class"].astype(str).to_numpy()
    for name, row in numbers().items():
        if not row["probability"]:
            continue
        ids = np.flatnonzero(classes == name)
        some = rng.permutation(ids)[:SIMULATED]
        trials = [
            simulated(row, units, cells.loc[i, ["x", "z", "tuning_angle"]].astype(float), rng)
            for i in some
        ]
        assert stats.ks_2samp(trials, counts[ids]).pvalue > 1e-4, name
        spread = (np.var(trials) / len(trials) + counts[ids].var() / len(ids)) ** 0.5
        assert abs(np.mean(trials) - counts[ids].mean()) < 4 * spread, name
