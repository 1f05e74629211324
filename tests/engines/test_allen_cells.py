"""Whole perisomatic cells: against BMTK's own build, on CoreNEURON, and the shipped stand-ins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pipeline.cells.allen import read_cell
from pipeline.cells.morphology import APIC, DEND
from pipeline.cells.places import candidates, path_distances, place

pytest.importorskip("neuron")
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DATA = os.environ.get("SONATINA_DATA", ROOT.parent / "shared/data")
FOLDER = Path(DATA) / "billeh-v1/components"
PAIRS = {
    "E2/3": ("487661754", "Cux2-CreERT2_Ai14-211772.05.02.01_496085150_m"),
    "E4": ("314642645", "Rorb-IRES2-Cre-D_Ai14-168052.03.02.01_491770140_m"),
    "E5": ("480351780", "Rorb-IRES2-Cre-D_Ai14-197851.04.01.01_491770985_m"),
    "E6": ("471819401", "Ntsr1-Cre_Ai14-181184.02.02.01_491771181_m"),
    "Pvalb": ("471087830", "Pvalb-IRES-Cre_Ai14-180634.04.01.01_495335480_m"),
    "Sst": ("313862167", "Sst-IRES-Cre_Ai14-167638.05.02.01_501934125_m"),
    "Htr3a": ("474626527", "Htr3a-Cre_NO152_Ai14-182004.05.02.01_491120373_m"),
}
LEVELS = [-0.02, 0.25]


@pytest.fixture(scope="module")
def run(tmp_path_factory, mechanism_cache):
    """Runs a function of allen_cells.py in a process of its own."""

    def call(function, **arguments):
        place = tmp_path_factory.mktemp("cells")
        arguments |= {"sets": [str(ROOT / "mechanisms/allen")], "cache": str(mechanism_cache)}
        (place / "in.json").write_text(json.dumps(arguments))
        command = [sys.executable, str(HERE / "allen_cells.py"), function, str(place)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads((place / "out.json").read_text())

    return call


@pytest.fixture(scope="module")
def files():
    if not (FOLDER / "morphologies").is_dir():
        pytest.skip("the V1 components are not beside this checkout (SONATINA_DATA names them)")
    fits, shapes = FOLDER / "biophysical_neuron_templates", FOLDER / "morphologies"
    return [(str(fits / f"{a}_fit.json"), str(shapes / f"{b}.swc")) for a, b in PAIRS.values()]


def test_cells_equal_bmtks_build(run, files):
    pytest.importorskip("bmtk")
    mine = run("ours", pairs=files, levels=LEVELS)
    other = run("theirs", pairs=files, levels=LEVELS)
    total = 0
    for name, a, b in zip(PAIRS, mine, other, strict=True):
        assert (a["sections"], a["segments"]) == (b["sections"], b["segments"]), name
        assert a["area"] == pytest.approx(b["area"], rel=1e-5), name
        assert a["runs"][0]["rin"] == pytest.approx(b["runs"][0]["rin"], rel=1e-4), name
        for one, two in zip(a["runs"], b["runs"], strict=True):
            assert len(one["spikes"]) == len(two["spikes"]), name
            assert np.allclose(one["spikes"], two["spikes"], rtol=0, atol=0.05), name
            total += len(one["spikes"])
    assert total > 15  # silent cells would prove nothing


def test_coreneuron_gives_the_same_spikes(run, files):
    fit = files[1][0]
    spikes = [run("one_cell", fit=fit, coreneuron=flag) for flag in (False, True)]
    assert len(spikes[0]) > 3
    assert np.allclose(spikes[0], spikes[1], rtol=0, atol=1e-6)


def test_places_beside_bmtks_choice(run, files):
    """BMTK weighs segments by length; weighed by area, its segments are where our places are."""
    pytest.importorskip("bmtk")
    swc = files[2][1]
    shape = read_cell(files[2][0], swc).morphology
    # BMTK counts distance from the end of the soma, we from where the neurite leaves it.
    shift = shape.sections[0].length / 2
    ranges = [shift, 200 + shift]
    theirs = run("segment_choice", swc=swc, labels=["dend", "apic"], distances=ranges, dl=1.0)
    theirs = {key: np.array(value) for key, value in theirs.items()}
    n = 4000
    ids, x = place(candidates(shape, "dend+apic", 0, 200), np.random.default_rng(1).random(n))
    kind = np.array([shape.sections[i].kind for i in ids])
    mine = path_distances(shape)[ids] + x * [shape.sections[i].length for i in ids]
    cells = [(code, low) for code in (DEND, APIC) for low in (0, 50, 100, 150)]

    def shares(kinds, distances, weights):
        bins = [(kinds == code) & (distances // 50 * 50 == low) for code, low in cells]
        return np.array([weights[here].sum() for here in bins]) / weights.sum()

    found = shares(kind, np.clip(mine, 0, 199), np.ones(n))
    away = np.clip(theirs["distance"] - shift, 0, 199)
    by_area, by_length = (shares(theirs["kind"], away, theirs[k]) for k in ("area", "probability"))
    print("ours", found.round(3), "area", by_area.round(3), "length", by_length.round(3))
    used = by_area > 0
    assert found[~used].sum() == 0
    assert stats.chisquare(found[used] * n, by_area[used] * n).pvalue > 1e-3
    assert stats.chisquare(found[used] * n, by_length[used] * n).pvalue < 1e-4


def test_shipped_cells_rest_and_fire(run, tmp_path):
    found = run("shipped", model=str(ROOT / "models/v1"), shapes=str(tmp_path), level=0.3)
    assert len(found) == 17
    for name, cell in found.items():
        assert cell["idle"] == 0, name
        assert -100 < cell["rest"] < -70, (name, cell)
        assert abs(cell["drift"]) < 0.2, (name, cell)
        assert 1 <= cell["spikes"] <= 40, (name, cell)  # 7 to 270 Hz
