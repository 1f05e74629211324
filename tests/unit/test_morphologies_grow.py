"""Growing cells with NeuroTS: real distributions in, the wanted lengths, layers and bytes out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.cells.morphology import APIC, AXON, DEND
from pipeline.config.load import load_model
from pipeline.errors import ConfigError
from pipeline.morphologies import kept as kept_module
from pipeline.morphologies.extract import REAL, TABLE, cell_distributions
from pipeline.morphologies.grow import grow_cell, misfit, read_distributions, turned
from pipeline.morphologies.make import make
from pipeline.morphologies.repair import read_shape
from pipeline.morphologies.shape import canonical
from pipeline.morphologies.stage import grown_tasks, run_morphologies
from pipeline.morphologies.swc import swc_text
from pipeline.sonata.layout import CircuitPaths

MODEL = Path(__file__).resolve().parents[2] / "models/column"
DATA = MODEL.parents[2] / "shared/data/blue-brain/morphologies"
neurots = pytest.importorskip(
    "neurots", reason="NeuroTS is not installed (pip install --no-deps -r requirements-neurots.txt)"
)


@pytest.fixture(scope="module")
def resolved(tmp_path_factory):
    """The column's tiny variant with two shapes per type."""
    path = tmp_path_factory.mktemp("two") / "two.yaml"
    path.write_text(
        f"extends: {MODEL}/variants/tiny.yaml\nname: two\nset:\n  morphologies.count: 2\n"
    )
    return load_model(str(path), "default")


@pytest.fixture(scope="module")
def tasks(resolved):
    return grown_tasks(resolved, ["L1_SLAC", "L5_MC", "L4_SS"])


@pytest.fixture(scope="module")
def cell():
    """The smallest Martinotti cell of L5 with its axon and dendrites."""
    cells = read_distributions(MODEL / "synthesis/L5_MC.json")
    return min(cells, key=lambda c: sum(len(t["bars"]) for t in c["trees"]))


def test_every_tree_keeps_its_length_within_a_third_and_has_diameters(cell):
    shape = grow_cell(cell, (AXON, DEND), 1, "test", (0,), 2)
    wanted = {
        kind: sum(b[0] - b[1] for t in cell["trees"] if t["type"] == name for b in t["bars"])
        for kind, name in ((AXON, "axon"), (DEND, "basal_dendrite"))
    }
    for kind, length in wanted.items():
        # Stretching to the real height and width changes it, too.
        assert 0.5 < shape.length(kind) / length < 1.5
    assert not shape.of_kind(APIC)
    assert all(np.all(s.diameters > 0.05) and s.length > 0 for s in shape.sections)
    for index, section in enumerate(shape.sections):
        if section.parent >= 0:
            assert section.parent < index
            assert section.points[0].tolist() == shape.sections[section.parent].points[-1].tolist()


def test_growth_hangs_on_the_seed_and_the_ids_alone(cell):
    def text(seed, ids):
        return swc_text(canonical(grow_cell(cell, (DEND,), seed, "test", ids, 1)))

    first = text(1, (0,))
    np.random.seed(5)
    assert text(1, (0,)) == first
    assert text(1, (1,)) != first and text(2, (0,)) != first


def test_turning_never_makes_an_axon_fit_worse(cell):
    tree = next(t for t in cell["trees"] if t["type"] == "axon")
    grown = grow_cell(cell | {"trees": [tree]}, (AXON,), 1, "test", (0,), 1).of_kind(AXON)
    cost, found = turned(tree, grown)
    assert cost == pytest.approx(misfit(tree, found))
    assert cost <= misfit(tree, grown) + 0.1 * max(1.0, misfit(tree, grown))


class Counted:
    """A function that counts its calls."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, *args):
        self.calls += 1
        return self.function(*args)


def test_one_exemplar_alone_is_the_same_as_among_all(resolved, tasks, tmp_path, monkeypatch):
    few = [task for task in tasks if task.index == 0]
    assert [task.name for task in few] == ["L1_SLAC_1", "L4_SS_1", "L5_MC_1"]
    alone = {task.name: make(task).text for task in few}
    paths = CircuitPaths(tmp_path / "c")
    kept, few_types = tmp_path / "kept", ["L4_SS", "L1_SLAC"]
    assert run_morphologies(resolved, paths, 2, few_types, kept) == 4
    # What was kept gives the same bytes, all tables included; a damaged file is made anew.
    files = sorted(kept.rglob("*.json"))
    assert len(files) == 4
    files[0].write_text(files[0].read_text()[:50])
    again = CircuitPaths(tmp_path / "again")
    with monkeypatch.context() as patch:
        patch.setattr(kept_module, "make", count := Counted(make))
        run_morphologies(resolved, again, 1, few_types, kept)
    assert count.calls == 1
    for path in (p for p in paths.root.rglob("*") if p.is_file()):
        assert (again.root / path.relative_to(paths.root)).read_bytes() == path.read_bytes()
    for name in ("L1_SLAC_1", "L4_SS_1"):
        assert (paths.morphologies / f"{name}.swc").read_text() == alone[name]
        shape, findings = read_shape(paths.morphologies / f"{name}.swc")
        assert swc_text(shape) == alone[name]
        assert not {f.check for f in findings} & {"zero_length", "no_diameter", "order"}
    # A spiny stellate is a pyramidal cell of L4 without its apical dendrite.
    assert not read_shape(paths.morphologies / "L4_SS_1.swc")[0].of_kind(APIC)
    made = make(few[2])
    tops = [r["y_max"] for r in made.measured if r["kind"] == "axon"]
    wanted = few[2].depth - few[2].layers["L1"] / 2
    assert tops[0] == pytest.approx(wanted, abs=12) or any(
        f.check == "reach" for f in made.findings
    )


def test_shipped_distributions_name_their_source_and_licence():
    for path in sorted((MODEL / "synthesis").glob("*.json")):
        for cell in read_distributions(path):
            assert cell["source"] and cell["licence"], path.name
            # Distributions, not reconstructions: no points.
            assert {key for tree in cell["trees"] for key in tree} <= {
                "type", "trunk", "toward", "depth", "width", "diameters", "bars"
            }  # fmt: skip


@pytest.mark.parametrize("text", ["[]", "{", '{"cells": [{"name": "a"}]}'])
def test_a_wrong_file_of_distributions_is_one_error(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ConfigError, match="not a file of distributions"):
        read_distributions(tmp_path / "x.json")
    with pytest.raises(ConfigError, match="cannot read"):
        read_distributions(tmp_path / "y.json")


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no reconstructions in {DATA}")
def test_shipped_distributions_are_those_of_the_reconstructions():
    import csv

    with open(MODEL / TABLE, newline="", encoding="utf-8") as handle:
        row = next(r for r in csv.DictReader(handle) if r["m_type"] == "L1_SLAC")
    shape = read_shape(DATA / row["file"])[0]
    cells = {c["name"]: c for c in read_distributions(MODEL / "synthesis/L1_SLAC.json")}
    shipped = cells[Path(row["file"]).stem]
    found = json.loads(json.dumps(cell_distributions(DATA / row["file"], shape)))
    assert {k: shipped[k] for k in found} == found
    assert row["licence"] == shipped["licence"] and (MODEL / REAL).is_file()
