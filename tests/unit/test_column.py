"""The column: published numbers at every size, places, nodes that other tools read, its pictures."""

from __future__ import annotations

import csv
import json
import math
import re
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import cKDTree

from pipeline.analysis.build import run_analysis
from pipeline.circuit import run_circuit
from pipeline.config.load import load_model
from pipeline.config.stages import drawn_shapes, stage_files
from pipeline.errors import ConfigError
from pipeline.model_plan import plan_model
from pipeline.nodes.apportion import apportion_nested
from pipeline.nodes.build import run_nodes
from pipeline.nodes.counts import plan_counts
from pipeline.nodes.place import place
from pipeline.nodes.types import placed_types
from pipeline.report.column import column_figures, family
from pipeline.report.column_plots import pick_cells
from pipeline.report.figures import Tables
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_nodes, read_typed_nodes

ROOT = Path(__file__).resolve().parents[2]
MODEL = str(ROOT / "models/column")
TABLES = ROOT / "models/column/tables"
FILES = ROOT.parent / "shared/data/blue-brain/composition"
needs_files = pytest.mark.skipif(
    not FILES.is_dir(), reason="the published tables (not shipped) are not beside us"
)
LAYERS = {"L1": 338, "L23": 7524, "L4": 4656, "L5": 6114, "L6": 12714}
P_MIN = 1e-4  # fixed seeds
LEVELS = ("layer", "synapse_class", "mtype")


def rows(name):
    with open(TABLES / name, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def types():
    return rows("me_types.csv")


# Numbers


def test_published_numbers(types):
    assert len(types) == 207 and sum(int(r["n_cells"]) for r in types) == 31_346
    assert len({r["mtype"] for r in types}) == 55 and len({r["etype"] for r in types}) == 11
    layers = Counter()
    for row in types:
        layers[row["layer"]] += int(row["n_cells"])
    assert layers == LAYERS
    assert all(row["mtype"].split("_")[0] == row["layer"] for row in types)
    assert {
        r["mtype"] for r in types if r["synapse_class"] == "EXC" and r["morph_class"] == "INT"
    } == {"L4_SS"}


@needs_files
def test_tables_agree_with_the_published_ones(types):
    with open(FILES / "me_types_2015.csv", newline="", encoding="utf-8") as handle:
        published = {r["me_type"]: r for r in csv.DictReader(handle)}
    assert published.keys() == {r["name"] for r in types}
    for row in types:
        other = published[row["name"]]
        ours = (row["layer"], row["mtype"], row["etype"], row["synapse_class"], row["n_cells"])
        assert ours == tuple(
            other[k] for k in ("layer", "m_type", "e_type", "synapse_class", "n_cells")
        )
    text = (FILES / "sscx2018_placement_rules.xml").read_text()
    named = set(re.findall(r'<mtype_rule_set mtype="([^"]+)"', text))
    mapped = {name for row in rows("placement_rules.csv") for name in row["rule_2018"].split()}
    # L5_TPC and L6_TPC stand for their subtypes; L2 and L3 rules are written once.
    assert {n.split(":")[0] for n in named} == {n.split(":")[0] for n in mapped - {"all"}}
    thick = {r["layer"]: float(r["thickness_um"]) for r in _csv(FILES / "layers_2015.csv")}
    layers = load_model(MODEL, "full").model.nodes["cells"].layers
    for name, (top, bottom) in layers.items():
        if name in thick:
            assert bottom - top == thick[name]


def _csv(path):
    with open(path, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@given(st.floats(1e-4, 1.0))
@settings(max_examples=40, deadline=None)
def test_every_total_is_its_share_rounded_at_every_scale(types, scale):
    sizes = [int(r["n_cells"]) for r in types]
    counts = apportion_nested(sizes, [[r[key] for key in LEVELS] for r in types], scale)
    factor = Fraction(repr(scale))
    assert sum(counts) == math.floor(31_346 * factor + Fraction(1, 2))
    for depth in range(len(LEVELS) + 1):
        share, got = Counter(), Counter()
        for row, size, count in zip(types, sizes, counts, strict=True):
            key = (*(row[k] for k in LEVELS[:depth]), row["name"] if depth == 3 else "")
            share[key] += size * factor
            got[key] += count
        for key in share:
            assert math.floor(share[key]) <= got[key] <= math.ceil(share[key])


@given(
    st.lists(st.tuples(st.integers(0, 900), st.sampled_from("ab"), st.sampled_from("xyz")),
             min_size=1, max_size=20),
    st.floats(1e-3, 1.0),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_nested_shares_of_any_tree(entries, scale):
    sizes = [size for size, *_ in entries]
    counts = apportion_nested(sizes, [groups for _, *groups in entries], scale)
    factor = Fraction(repr(scale))
    for low in range(3):
        share, got = Counter(), Counter()
        for (size, *groups), count in zip(entries, counts, strict=True):
            share[tuple(groups[:low])] += size * factor
            got[tuple(groups[:low])] += count
        assert all(math.floor(share[k]) <= got[k] <= math.ceil(share[k]) for k in share)
    if scale == 1:
        assert counts == sizes


def test_nested_shares_by_hand():
    groups = [["a"], ["a"], ["b"]]
    assert apportion_nested([3, 3, 4], groups, 0.5) == [2, 1, 2]
    # Flat rounding would give the third one nothing: 0.4, 0.4 and 0.7 of 1.5 cells.
    assert apportion_nested([4, 4, 7], groups, 0.1) == [1, 0, 1]
    assert apportion_nested([], [], 0.5) == []


# Places


def placed(variant):
    resolved = load_model(MODEL, variant)
    specs, voxels = placed_types(resolved, "cells")
    nodes = resolved.model.nodes["cells"]
    return nodes, place(nodes, specs, "cells", resolved.model.seed, voxels)


@pytest.mark.parametrize(("variant", "cells"), [("tiny", 50), ("small", 1500), ("full", 31_346)])
def test_places_of_every_size(variant, cells):
    nodes, placement = placed(variant)
    columns = placement.columns
    points = np.column_stack([columns[axis].astype(float) for axis in "xyz"])
    assert len(points) == cells == sum(placement.counts)
    near = cKDTree(points).query(points, k=2)[0][:, 1]
    assert near.min() >= 12
    side = 231.5 * math.sqrt(nodes.scale)
    for angle in np.deg2rad([30, 90, 150]):
        across = points[:, 0] * math.cos(angle) + points[:, 2] * math.sin(angle)
        assert np.abs(across).max() <= side * math.sqrt(3) / 2 + 1e-3
    for name in np.unique(columns["layer"].astype(str)):
        top, bottom = nodes.layers[name]
        depth = -points[columns["layer"] == name, 1]
        assert top <= depth.min() and depth.max() <= bottom
    if variant == "full":
        assert Counter(columns["layer"]) == LAYERS
        assert placement.counts == [int(r["n_cells"]) for r in rows("me_types.csv")]


def test_a_slab_keeps_the_density_of_its_layers():
    nodes, placement = placed("tiny")
    depth = -placement.columns["y"]
    assert 800 <= depth.min() and depth.max() <= 1050
    share = {"L4": 4656 * 57 / 190, "L5": 6114 * 193 / 525}
    for layer, cells in Counter(placement.columns["layer"]).items():
        assert abs(cells - share[layer] * nodes.scale) < 1
    with pytest.raises(ConfigError, match="slab runs"):
        changed(nodes, slab=[900, 800])


def changed(nodes, **keys):
    data = nodes.model_dump(mode="json") | keys
    try:
        return type(nodes).model_validate(data)
    except ValueError as error:
        raise ConfigError(str(error)) from None


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"at_least": 1}, "exclude each other"),
        ({"balance": ["depth"]}, "balance names depth"),
        ({"model_type": "point_neuron"}, "biophysical"),
        ({"layers": {}}, "give layers"),
        ({"node_sets": {"A": {"colour": "x"}}}, "node_sets names colour"),
        ({"regions": {"r": {"shape": "nowhere", "count": "n_cells"}}}, "no depth"),
    ],
)
def test_keys_that_do_not_go_together(keys, message):
    nodes = load_model(MODEL, "full").model.nodes["cells"]
    with pytest.raises(ConfigError, match=message):
        changed(nodes, **keys)


def test_seven_columns_share_their_sides():
    resolved = load_model(MODEL, "seven")
    regions = resolved.model.nodes["cells"].regions
    assert len(regions) == 7
    around = [np.array(region.centre) for region in list(regions.values())[1:]]
    for a, b in pairwise([*around, around[0]]):
        assert np.linalg.norm(a) == pytest.approx(231.5 * math.sqrt(3), abs=0.01)
        assert np.linalg.norm(a - b) == pytest.approx(231.5 * math.sqrt(3), abs=0.01)
    specs, _ = placed_types(resolved, "cells")
    assert sum(plan_counts(resolved.model.nodes["cells"], specs, {})) == 7 * 31_346
    assert drawn_shapes(resolved.model) == ["cells"]
    assert TABLES / "placement_rules.csv" in stage_files(resolved, "nodes")


def test_plans_need_no_morphologies():
    grown, row = plan_model(load_model(MODEL, "full"))["populations"][:2]
    assert (grown["name"], row["name"]) == ("morphologies", "cells")
    assert row["cells"] == 31_346 and 5e6 < row["disk"] < 2e7 and 1 < row["seconds"] < 10


# Nodes


def cells_alone(variant):
    """The model without its other stages, which have tests of their own."""
    resolved = load_model(MODEL, variant)
    changes = {"edges": {}, "morphologies": None, "generalise": None, "simulation": {}}
    return replace(resolved, model=resolved.model.model_copy(update=changes))


def library(paths, shapes=3):
    """A table of morphologies, and their files: a bent axon and two dendrites."""
    paths.morphologies.mkdir(parents=True)
    lines = ["name,m_type,axon_y_min,axon_y_max,dendrite_y_min,dendrite_y_max"]
    for mtype in dict.fromkeys(row["mtype"] for row in rows("me_types.csv")):
        for k in range(shapes):
            name, top = f"{mtype}_{k}", 60.0 + 250 * k
            lines.append(f"{name},{mtype},{-200 - k},{top},-80,{top}")
            (paths.morphologies / f"{name}.swc").write_text(
                f"1 1 0 0 0 8 -1\n2 2 0 -9 0 0.5 1\n3 2 20 {-200 - k} 30 0.3 2\n"
                f"4 3 9 0 0 0.7 1\n5 3 70 -80 -20 0.5 4\n6 4 0 9 0 1 1\n7 4 5 {top} 8 1 6\n"
            )
    paths.morphology_table.write_text("\n".join(lines) + "\n")
    return paths


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    paths = library(CircuitPaths(tmp_path_factory.mktemp("column") / "c"))
    resolved = cells_alone("tiny")
    run_nodes(resolved, paths)
    run_circuit(resolved, paths)
    return resolved, paths


def test_nodes_hold_what_both_dialects_ask_for(built):
    _, paths = built
    nodes = read_nodes(paths.nodes("cells"), "cells")
    for text in ("morphology", "mtype", "etype", "layer", "region", "synapse_class", "morph_class"):
        assert nodes[text].astype(str).str.len().min() > 0
    assert set(nodes["model_type"]) == {"biophysical"}
    assert all(
        m.startswith(f"{t}_") for m, t in zip(nodes["morphology"], nodes["mtype"], strict=True)
    )
    quaternion = nodes[[f"orientation_{axis}" for axis in "wxyz"]].to_numpy()
    np.testing.assert_allclose(np.linalg.norm(quaternion, axis=1), 1, rtol=1e-6)
    half = nodes["rotation_angle_yaxis"].to_numpy(np.float64) / 2
    np.testing.assert_allclose(quaternion[:, 0], np.cos(half), atol=1e-6)
    np.testing.assert_allclose(quaternion[:, 2], np.sin(half), atol=1e-6)
    sets = json.loads(paths.node_sets.read_text())
    assert sets["Excitatory"] == {"population": "cells", "synapse_class": "EXC"}
    assert sets["Mosaic"] == {"population": "cells"} and "L5_TTPC1" in sets and "cADpyr" in sets


def test_libsonata_and_snap_read_cells_in_place(built):
    libsonata = pytest.importorskip("libsonata")
    snap = pytest.importorskip("bluepysnap")
    _, paths = built
    config = libsonata.CircuitConfig.from_file(str(paths.circuit_config))
    cells = config.node_population("cells")
    everyone = cells.select_all()
    assert cells.size == 50 and set(cells.get_attribute("layer", everyone)) == {"L4", "L5"}
    assert Path(config.node_population_properties("cells").morphologies_dir) == paths.morphologies
    nodes = snap.Circuit(str(paths.circuit_config)).nodes["cells"]
    assert len(nodes.ids("Excitatory")) == int((nodes.get()["synapse_class"] == "EXC").sum())
    shape = nodes.morph.get(0, transform=True, extension="swc")
    own = nodes.get(0)
    w, y = float(own["orientation_w"]), float(own["orientation_y"])
    cos, sin = w * w - y * y, 2 * w * y
    tip = np.array([20.0, shape.points[:, 1].min() - own["y"], 30.0])
    place_ = [own["x"] + 20 * cos + 30 * sin, own["y"] + tip[1], own["z"] - 20 * sin + 30 * cos]
    assert np.linalg.norm(shape.points - place_, axis=1).min() < 1e-2
    report = pytest.importorskip("bluepysnap.circuit_validation")
    found = report.validate(str(paths.circuit_config), skip_slow=False, print_errors=False)
    said = [str(e.message) for e in found if "networks.edges" not in str(e.message)]
    assert all("model_template" in text for text in said), said  # the placeholder of the e-models


def test_equal_seeds_give_equal_bytes_and_others_do_not(built, tmp_path):
    resolved, paths = built
    again = library(CircuitPaths(tmp_path / "c"))
    run_nodes(cells_alone("tiny"), again)
    for path in (
        paths.nodes("cells"),
        paths.analysis("fit_cells"),
        paths.analysis("placement_cells"),
    ):
        assert path.read_bytes() == (again.root / path.relative_to(paths.root)).read_bytes()
    other = library(CircuitPaths(tmp_path / "d"))
    model = resolved.model.model_copy(update={"seed": 2})
    run_nodes(replace(resolved, model=model), other)
    assert paths.nodes("cells").read_bytes() != other.nodes("cells").read_bytes()


def test_a_placement_that_fits_too_few_cells_is_refused(tmp_path):
    paths = library(CircuitPaths(tmp_path / "c"))
    lines = paths.morphology_table.read_text().splitlines()
    tall = [lines[0]] + [f"{','.join(line.split(',')[:2])},-9,9999,-9,9999" for line in lines[1:]]
    paths.morphology_table.write_text("\n".join(tall))
    with pytest.raises(ConfigError, match="no morphology fits 100% of the cells") as caught:
        run_nodes(cells_alone("tiny"), paths)
    assert "model.yaml:" in str(caught.value)
    assert not paths.nodes("cells").exists()


# Report


@pytest.fixture(scope="module")
def analysed(built):
    resolved, paths = built
    verdicts = run_analysis(resolved, paths)
    return resolved, paths, verdicts


def test_the_analysis_counts_types_and_depths(analysed):
    resolved, paths, verdicts = analysed
    shapes = verdicts["metric"].str.startswith("morphologies.")
    assert set(verdicts["verdict"][shapes]) == {"not measured"}  # these were not made by the stage
    assert set(verdicts["verdict"][~shapes]) == {"not applicable"}  # one whole column is published
    depth = pd.read_csv(paths.analysis("depth_cells"))
    assert depth["cells"].sum() == 50
    volume = 25 * 1.5 * math.sqrt(3) * 231.5**2 * resolved.model.nodes["cells"].scale * 1e-9
    inside = depth[(depth["depth_um"] > 825) & (depth["depth_um"] < 850)]
    expected = inside[inside["synapse_class"] == "EXC"]["expected"].iloc[0]
    assert expected == pytest.approx(4178 / (190 * 139_235e-9), rel=1e-4)
    np.testing.assert_allclose(depth["density"] * volume, depth["cells"], rtol=1e-6)
    metrics = pd.read_csv(paths.analysis("metrics")).set_index("metric")["value"]
    assert metrics["nodes.cells.volume"] == pytest.approx(volume * 10, rel=1e-6)
    assert metrics["nodes.cells.mtype.L5_TTPC1"] == 12
    assert 0 <= metrics["nodes.cells.unfit"] <= 1


def test_the_report_shows_the_column(analysed):
    resolved, paths, _ = analysed
    figures = {figure.key: figure for figure in column_figures(Tables(resolved, paths))}
    assert list(figures) == ["somata-cells", "neurites-cells", "counts-cells", "depth-cells"]
    assert figures["somata-cells"].uri.startswith("data:image/png")
    assert "All cells" in figures["neurites-cells"].caption
    assert "of 207 me-types" in figures["counts-cells"].caption


def test_families_and_the_cells_that_are_drawn(types):
    kinds = family(pd.Series(sorted({row["mtype"] for row in types})))
    assert set(kinds) == {"PC", "SP", "SS", "basket", "Martinotti", "chandelier", "bipolar kinds",
                          "neurogliaform", "layer 1"}  # fmt: skip
    cells = pd.DataFrame({"node_id": range(6), "mtype": list("aaaabb"), "x": [9, 1, 0, 2, 5, 6.0],
                          "z": 0.0})  # fmt: skip
    assert pick_cells(cells, 3)["mtype"].tolist() in (["a", "a", "b"], ["a", "b", "b"])
    assert len(pick_cells(cells)) == 6


def test_the_whole_column_passes_all_it_is_judged_by(tmp_path):
    paths = library(CircuitPaths(tmp_path / "c"))
    resolved = cells_alone("full")
    run_nodes(resolved, paths)
    run_circuit(resolved, paths)
    verdicts = run_analysis(resolved, paths)
    verdicts = verdicts[verdicts["metric"].str.startswith("nodes.")]
    assert len(verdicts) == 78 and set(verdicts["verdict"]) == {"pass"}
    nodes = read_typed_nodes(paths.nodes("cells"), paths.node_types("cells"), "cells")
    assert nodes.groupby("cell_type", observed=True).size().to_dict() == {
        row["name"]: int(row["n_cells"]) for row in rows("me_types.csv")
    }
    # No rule tells the shapes of L6_IPC apart: equally likely, wherever a cell lies and looks.
    cells = nodes[nodes["mtype"] == "L6_IPC"]
    counts = cells["morphology"].astype(str).value_counts()
    assert len(counts) == 3 and stats.chisquare(counts).pvalue > P_MIN
    for axis in ("x", "y", "z", "rotation_angle_yaxis"):
        third = pd.qcut(cells[axis], 6, labels=False)
        table = pd.crosstab(cells["morphology"].astype(str), third)
        assert stats.chi2_contingency(table).pvalue > P_MIN, axis
