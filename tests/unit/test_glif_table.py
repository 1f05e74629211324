"""The GLIF table of V1: which cells stand behind it, and whether its cells behave like them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.cells.glif import Glif, read_glif
from pipeline.cells.glif_table import read_table
from pipeline.errors import ConfigError
from pipeline.sources import glif_pool

ROOT = Path(__file__).resolve().parents[2]
V1 = ROOT / "models/v1"
FILES = ROOT.parent / "shared/data/billeh-v1"
CLASSES = "e2 e4 e5 e6 i1H i2P i2S i2H i4P i4S i4H i5P i5S i5H i6P i6S i6H".split()
needs_files = pytest.mark.skipif(
    not FILES.is_dir(), reason="the parameter files (no licence, not shipped) are not beside us"
)
DEEP = ("e5ET", "e5IT", "e5NP")
STAND_INS = {"e5Rbp4": DEEP, "e5noRbp4": DEEP}


def expected_members():
    """The rule of glif_sources.csv, from the release's files.

    A cell of the 2020 map with a file counts as often as the map uses it. What the map gives to
    cells without a file goes in equal parts to the successor's cells of the same population (Vip for
    Htr3a; all of layer 5 for both of its populations) that the map does not name itself.
    """
    here = {path.name.split("_")[0] for path in FILES.glob("glif3_cells/*.json")}
    by_population: dict[str, list[str]] = {}
    with open(FILES / "biorealistic/Rheobase_slope.csv", newline="") as handle:
        for row in csv.DictReader(handle):
            by_population.setdefault(row["pop_name"], []).append(row["node_type_id"])
    models = json.loads((FILES / "billeh2020/glif_props/v1_node_models.json").read_text())
    members: dict[tuple[str, str], float] = {}
    for populations in models["locations"].values():
        for name, population in populations.items():
            label = name[:2] if name[0] == "e" else name[:2] + name[2:].lstrip("3")[0]
            counts = {str(m["node_type_id"]): m["N"] for m in population["models"]}
            missing = sum(n for cell, n in counts.items() if cell not in here)
            own = name if name in by_population else name.replace("Htr3a", "Vip")
            others = [c for p in STAND_INS.get(name, (own,)) for c in by_population[p]]
            others = [cell for cell in others if cell not in counts]
            for cell, n in counts.items():
                if cell in here:
                    key = (label, cell)
                    members[key] = members.get(key, 0) + n
            for cell in others if missing else ():
                members[label, cell] = members.get((label, cell), 0) + missing / len(others)
    return members


@needs_files
def test_the_cells_behind_the_table():
    shipped = glif_pool.read_members(V1 / glif_pool.MEMBERS)
    assert sorted(shipped) == sorted(CLASSES)
    flat = {(label, cell): w for label, rows in shipped.items() for cell, w in rows.items()}
    expected = expected_members()
    assert set(flat) == set(expected)
    assert all(abs(flat[key] - expected[key]) < 0.051 for key in flat)


@needs_files
def test_pooled_cells_behave_like_their_class():
    """Rheobase, f-I slope, time constant and rate within the interquartile range of the cells."""
    table = read_table(V1 / glif_pool.TABLE, "cell_class", 3)
    members = glif_pool.read_members(V1 / glif_pool.MEMBERS)
    outside = []
    for label in CLASSES:
        files = [next(FILES.glob(f"glif3_cells/{cell}_*.json")) for cell in members[label]]
        cells, weights = (
            [read_glif(file) for file in files],
            np.array(list(members[label].values())),
        )
        found, ours = glif_pool.behaviour(cells), glif_pool.behaviour([table[label]])[0]
        values = {
            name: ([getattr(b, name) for b in found], getattr(ours, name))
            for name in ("rheobase", "slope", "rate", "tau_m", "distance")
        }
        for name, (theirs, own) in values.items():
            theirs = np.asarray(theirs)
            low, high = (glif_pool.weighted_quantile(theirs, weights, q) for q in (0.25, 0.75))
            slack = 1e-3 * abs(own)
            if not low - slack <= own <= high + slack:
                outside.append((label, name, round(low, 4), round(own, 4), round(high, 4)))
    assert outside == []


@needs_files
def test_the_shipped_table_is_what_the_tool_makes(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / glif_pool.MEMBERS).write_text((V1 / glif_pool.MEMBERS).read_text())
    (path,) = glif_pool.convert_folder(FILES / "glif3_cells", tmp_path)
    assert path.read_text() == (V1 / glif_pool.TABLE).read_text()


def test_the_shipped_table_reads():
    table = read_table(V1 / glif_pool.TABLE, "cell_class", 3)
    assert list(table) == CLASSES
    with pytest.raises(ConfigError, match="th_spike_decay"):
        read_table(V1 / glif_pool.TABLE, "cell_class", 4)


def test_pooling_equal_cells_gives_that_cell():
    cell = Glif(
        3, 0.1, 0.005, -70.0, -50.0, -70.0, 3.0, (-0.02, -0.1), (0.01, 0.1), (1.0, 1.0), (0.0, 0.0)
    )
    pooled = glif_pool.pool([cell] * 3, [1, 2, 3])
    assert pooled.rheobase == pytest.approx(cell.rheobase)
    assert pooled.tau_m == pytest.approx(cell.tau_m)
    assert pooled.asc_amps == pytest.approx(cell.asc_amps)


def test_quantiles_of_weights():
    values, ones = np.array([3.0, 1.0, 2.0]), np.ones(3)
    assert glif_pool.weighted_quantile(values, ones, 0.5) == 2.0
    assert glif_pool.weighted_quantile(values, np.array([98, 1, 1]), 0.5) > 2.4


def test_steady_rate_of_a_plain_cell():
    """Level 1: T = t_ref + tau ln(I / (I - rheobase)) from a reset at rest, up to one step late."""
    cell = Glif(1, 0.1, 0.005, -70.0, -50.0, -70.0, 3.0)
    expected = 1e3 / (3.0 + cell.tau_m * np.log(2.0 / (2.0 - 1.0)))
    (rate,) = glif_pool.steady_rates([cell], (2.0,))[0]
    assert abs(rate - expected) < 1.0
