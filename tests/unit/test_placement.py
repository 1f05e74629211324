"""Placement: exact counts, geometry, spacing, properties, and streams that depend on nothing else."""

from __future__ import annotations

import hashlib
import importlib.util
import math

import h5py
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import pdist

from pipeline.config.celltypes import resolve_types
from pipeline.config.load import load_model
from pipeline.config.placement import PlacedNodes
from pipeline.errors import ConfigError, ToolError
from pipeline.nodes.apportion import apportion
from pipeline.nodes.build import run_nodes
from pipeline.nodes.counts import plan_counts
from pipeline.nodes.place import place
from pipeline.nodes.populations import node_frame
from pipeline.nodes.shapes import VoxelShape
from pipeline.nodes.streams import TypeStream
from pipeline.nodes.voxels import read_voxels
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_nodes, read_types
from pipeline.sonata.write import write_nodes

P_MIN = 1e-3  # about thirty tests at fixed seeds: one false alarm in thirty such files
CYLINDER = {"shape": "cylinder", "r_min": 100, "r_max": 400, "depth": [100, 300]}


def placed(types, seed=1, voxels=None, **keys):
    nodes = PlacedNodes.model_validate({"kind": "placed", "types": types, **keys})
    specs = resolve_types(nodes, None, lambda path: ".".join(map(str, path)))
    return place(nodes, specs, "p", seed, voxels)


def points(placement):
    return np.column_stack([placement.columns[axis].astype(float) for axis in "xyz"])


def types_of(**counts):
    return {name: {"count": count} for name, count in counts.items()}


# Counts


@given(
    st.lists(st.integers(0, 60_000), min_size=1, max_size=45),
    st.floats(1e-4, 1.0),
    st.integers(0, 3),
)
@settings(max_examples=200, deadline=None)
def test_largest_remainder_is_exact_at_every_scale(sizes, scale, at_least):
    counts = apportion(sizes, scale, at_least)
    total = math.floor(sum(sizes) * scale + 0.5)
    kept = sum(min(at_least, size) if size >= at_least else 0 for size in sizes)
    assert sum(counts) >= total - 1  # the float product may differ in the last digit
    if kept <= total - 1:
        assert abs(sum(counts) - total) <= 1
    for count, size in zip(counts, sizes, strict=True):
        assert count >= 0
        assert count >= at_least or size < at_least
        if not at_least:
            assert abs(count - size * scale) <= 1 + size / max(1, sum(sizes))


@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=45))
def test_scale_one_gives_the_counts_themselves(sizes):
    assert apportion(sizes) == sizes


def test_apportion_by_hand():
    assert apportion([10, 10, 10], 0.5) == [5, 5, 5]
    assert apportion([3, 3, 4], 0.5) == [2, 1, 2]  # 1.5, 1.5, 2: the tie goes to the earlier
    assert apportion([1000, 1], 0.01) == [10, 0]
    assert apportion([1000, 1], 0.01, at_least=1) == [9, 1]
    assert apportion([0, 0], 0.5, at_least=2) == [0, 0]
    assert apportion([0.4, 0.4, 0.4]) == [1, 0, 0]


def test_densities_become_counts():
    region = {"shape": "box", "x": [0, 1000], "z": [0, 1000], "depth": [0, 100]}
    placement = placed(
        {"a": {"density": 2000}, "b": {"density": "1e-6 1/um3"}}, regions={"r": region}
    )
    assert placement.counts == [200, 100]


# Geometry


def test_cylinder_is_uniform_in_its_volume():
    placement = placed(types_of(a=20_000), regions={"r": CYLINDER})
    x, y, z = points(placement).T
    r = np.hypot(x, z)
    assert 100 - 1e-3 <= r.min() and r.max() <= 400 + 1e-3
    assert -300 <= y.min() and y.max() <= -100
    area = (r**2 - 100**2) / (400**2 - 100**2)
    for values in (area, (np.arctan2(z, x) + np.pi) / (2 * np.pi), (-y - 100) / 200):
        assert stats.kstest(values, "uniform").pvalue > P_MIN


def test_box_and_hexagon_are_uniform():
    box = {"shape": "box", "x": [-50, 250], "z": [10, 20], "depth": [0, 30]}
    x, y, z = points(placed(types_of(a=5000), regions={"r": box})).T
    for values, low, high in ((x, -50, 250), (-y, 0, 30), (z, 10, 20)):
        assert low <= values.min() and values.max() <= high
        assert stats.kstest((values - low) / (high - low), "uniform").pvalue > P_MIN
    hexagon = {"shape": "hexagon", "side": 100, "depth": [0, 30], "centre": [1000, -500]}
    x, _, z = points(placed(types_of(a=12_000), regions={"r": hexagon})).T
    x, z = x - 1000, z + 500
    for angle in np.deg2rad([30, 90, 150]):  # distance from the three pairs of sides
        assert np.abs(x * np.cos(angle) + z * np.sin(angle)).max() <= 100 * math.sqrt(3) / 2 + 1e-3
    sector = np.floor(np.mod(np.arctan2(z, x), 2 * np.pi) / (np.pi / 3))
    assert stats.chisquare(np.bincount(sector.astype(int), minlength=6)).pvalue > P_MIN
    inside = np.hypot(x, z) < 50
    expected = math.pi * 2500 / (1.5 * math.sqrt(3) * 1e4)
    assert stats.binomtest(int(inside.sum()), len(x), expected).pvalue > P_MIN


def test_layers_regions_and_depths_of_types():
    types = {
        "a": {"count": 50, "layer": "L1", "region": "in"},
        "b": {"count": 50, "depth": [10, 20], "region": "out"},
        "c": {"count": 50, "region": "in"},
    }
    regions = {
        "in": {"shape": "cylinder", "r_max": 10, "depth": [40, 50]},
        "out": {"shape": "cylinder", "r_min": 20, "r_max": 30},
    }
    placement = placed(types, regions=regions, layers={"L1": [0, 5]})
    depth = -placement.columns["y"]
    spans = [(depth[placement.type_ids == i].min(), depth[placement.type_ids == i].max())
             for i in range(3)]  # fmt: skip
    # Regions in their order, types in theirs: a and c of "in", then b of "out".
    assert [spec.name for spec in placement.specs] == ["a", "c", "b"]
    for (low, high), (top, bottom) in zip(spans, [(0, 5), (40, 50), (10, 20)], strict=True):
        assert top <= low and high <= bottom


def test_shrinking_keeps_density_or_volume():
    whole = placed(types_of(a=40_000), regions={"r": CYLINDER})
    dense = placed(types_of(a=40_000), regions={"r": CYLINDER}, scale=0.25, keep="density")
    sparse = placed(types_of(a=40_000), regions={"r": CYLINDER}, scale=0.25, keep="volume")
    assert dense.counts == sparse.counts == [10_000]
    radius = [np.hypot(p.columns["x"], p.columns["z"]) for p in (whole, dense, sparse)]
    assert radius[1].max() == pytest.approx(200, abs=0.1)
    assert radius[1].min() == pytest.approx(50, abs=0.1)
    assert radius[2].max() == pytest.approx(400, abs=0.1)
    # The cells of a sparse circuit are the first cells of the whole one.
    assert np.array_equal(points(sparse), points(whole)[:10_000])


def test_tiles_hold_their_counts():
    tiles = {"shape": "tiles", "columns": 4, "rows": 3, "width": 40, "height": 15}
    placement = placed(types_of(a=7, b=2), regions={"field": tiles})
    assert placement.counts == [84, 24] and placement.degrees and "z" not in placement.columns
    column = (placement.columns["x"] // 10).astype(int)
    row = (placement.columns["y"] // 5).astype(int)
    for kind, count in ((0, 7), (1, 2)):
        mine = placement.type_ids == kind
        found = np.bincount((column * 3 + row)[mine], minlength=12)
        assert found.tolist() == [count] * 12


def test_voxels_follow_the_densities():
    corners = np.array([[0.0, 0, 0], [100, 0, 0]])
    shape = VoxelShape(corners, np.array([100.0, 50, 50]), np.array([10_000.0, 30_000]))
    assert shape.cells() == pytest.approx(10)
    region = {"r": {"shape": "voxels", "file": "x.nrrd"}}
    placement = placed(types_of(a=4000), regions=region, voxels={"r": shape})
    x, y, z = points(placement).T
    assert 0 <= x.min() and x.max() <= 200 and 0 <= y.min() and z.max() <= 50
    assert stats.binomtest(int((x < 100).sum()), 4000, 0.25).pvalue > P_MIN
    nodes = PlacedNodes.model_validate(
        {"kind": "placed", "regions": region, "types": {"a": {"density": "voxels"}}}
    )
    assert plan_counts(nodes, resolve_types(nodes, None, str), {"r": shape}) == [10]


def test_voxel_files(tmp_path):
    if importlib.util.find_spec("voxcell") is None:
        with pytest.raises(ToolError, match="voxel"):
            read_voxels(tmp_path / "x.nrrd")
        return
    import nrrd

    values = np.zeros((2, 2, 1))
    values[1, 0, 0] = 5.0
    header = {"space directions": np.diag([10.0, 20.0, 30.0]), "space origin": [1.0, 2.0, 3.0]}
    nrrd.write(str(tmp_path / "x.nrrd"), values, header=header)
    shape = read_voxels(tmp_path / "x.nrrd")
    assert shape.corners.tolist() == [[11.0, 2.0, 3.0]] and shape.weights.tolist() == [5.0]
    nrrd.write(str(tmp_path / "x.nrrd"), -values, header=header)
    with pytest.raises(ConfigError, match="not negative"):
        read_voxels(tmp_path / "x.nrrd")


# Spacing

SMALL = {"shape": "cylinder", "r_max": 60, "depth": [0, 80]}


def test_least_distance_is_kept_against_brute_force():
    loose = placed(types_of(a=500, b=400), regions={"r": SMALL})
    tight = placed(types_of(a=500, b=400), regions={"r": SMALL}, min_distance=8)
    assert pdist(points(loose)).min() < 8 <= pdist(points(tight)).min()
    # Cells that had room stay where they were.
    same = (points(loose) == points(tight)).all(axis=1)
    assert 0.2 < same.mean() < 0.9
    x, y, z = points(tight).T
    assert np.hypot(x, z).max() <= 60.001 and -80 <= y.min() and y.max() <= 0


def test_spacing_does_not_depend_on_the_order_of_types():
    ab = placed(types_of(a=500, b=500), regions={"r": SMALL}, min_distance=8)
    ba = placed(types_of(b=500, a=500), regions={"r": SMALL}, min_distance=8)
    assert np.array_equal(points(ab)[:500], points(ba)[500:])
    assert np.array_equal(points(ab)[500:], points(ba)[:500])


@pytest.mark.parametrize("distance", [14, 200])
def test_impossible_distance_names_types_and_numbers(distance):
    with pytest.raises(ConfigError) as caught:
        placed(types_of(a=900, b=300), regions={"r": SMALL}, min_distance=distance)
    text = str(caught.value)
    assert "type a in r" in text and f"{distance} um" in text and "cells/mm3" in text


# Properties


def test_tuning_is_equally_spaced_per_node_type():
    placement = placed(types_of(a=4, b=8), regions={"r": SMALL}, tuning="equally_spaced")
    angles = placement.columns["tuning_angle"]
    assert angles[:4].tolist() == [0, 90, 180, 270]
    assert angles[4:].tolist() == [45.0 * i for i in range(8)]


def test_rotation_is_uniform():
    placement = placed(types_of(a=3000), regions={"r": SMALL}, rotation="random_y")
    turns = placement.columns["rotation_angle_yaxis"]
    assert stats.kstest(turns / (2 * np.pi), "uniform").pvalue > P_MIN


LAWS = {
    "uniform": ({"law": "uniform", "low": -2, "high": 3}, stats.uniform(-2, 5)),
    "normal": ({"law": "normal", "mean": 3, "sd": 2}, stats.norm(3, 2)),
    "cut": ({"law": "normal", "mean": 0, "sd": 1, "low": -0.5, "high": 2},
            stats.truncnorm(-0.5, 2)),
    "lognormal": ({"law": "lognormal", "median": 2, "sigma": 0.5}, stats.lognorm(0.5, scale=2)),
    "triangular": ({"law": "triangular", "low": 2, "mode": 3, "high": 10},
                   stats.triang(1 / 8, 2, 8)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_properties_follow_their_laws(name):
    law, expected = LAWS[name]
    values = placed(types_of(a=5000), properties={"p": law}).columns["p"]
    assert stats.kstest(values, expected.cdf).pvalue > P_MIN


def test_constants_choices_and_types_without_a_property():
    types = {"a": {"count": 4000, "properties": {"only": {"law": "constant", "value": 2}}},
             "b": {"count": 10}}  # fmt: skip
    words = {"law": "choice", "values": ["x", "y", "z"], "weights": [1, 3, 0]}
    columns = placed(types, properties={"w": words}).columns
    assert set(columns["w"]) == {"x", "y"}
    assert stats.binomtest(int((columns["w"] == "x").sum()), 4010, 0.25).pvalue > P_MIN
    assert set(columns["only"][:4000]) == {2.0} and np.isnan(columns["only"][4000:]).all()


# Streams


def test_streams_do_not_depend_on_blocks():
    stream = TypeStream(3, ("p", "r", "a"))
    whole = stream.words("x", 0, 1000)
    parts = [stream.words("x", low, low + 100) for low in range(0, 1000, 100)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert not np.array_equal(whole, stream.words("y", 0, 1000))
    assert not np.array_equal(whole, stream.words("x", 0, 1000, attempt=1))
    assert not np.array_equal(whole, TypeStream(4, ("p", "r", "a")).words("x", 0, 1000))
    u = stream.uniforms("x", 0, 100_000)
    assert 0 < u.min() and u.max() < 1
    for word in range(4):
        assert stats.kstest(u[:, word], "uniform").pvalue > P_MIN
    assert np.abs(np.corrcoef(u.T) - np.eye(4)).max() < 0.02


def test_known_words_stay():
    words = TypeStream(1, ("v1", "core", "e4Rorb")).words("position", 0, 2)
    assert hashlib.sha256(words.astype("<u8").tobytes()).hexdigest()[:16] == "6f8de3665722dc9e"


def test_a_further_type_moves_no_other_cell():
    keys = {"regions": {"r": SMALL}, "rotation": "random_y"}
    one = placed(types_of(b=300), **keys)
    two = placed(types_of(a=100, b=300, c=50), **keys)
    for name in ("x", "y", "z", "rotation_angle_yaxis"):
        assert np.array_equal(one.columns[name], two.columns[name][100:400])


# Files


def model_file(folder, nodes, **keys):
    folder.mkdir(exist_ok=True)
    text = yaml.safe_dump({"schema": 1, "name": "m", "seed": 5, "nodes": nodes, **keys})
    (folder / "model.yaml").write_text(text)
    return str(folder / "model.yaml")


def built(path, out):
    paths = CircuitPaths(out)
    counts = run_nodes(load_model(path), paths)
    return paths, counts


TABLE = """name,cell_class,depth_min,depth_max,n,mode,note
a,exc,0,100,300,3,hello there
b,inh,100,200,40,,
"""


def table_model(folder, table=TABLE, **keys):
    folder.mkdir(exist_ok=True)
    (folder / "types.csv").write_text(table)
    nodes = {
        "kind": "placed",
        "table": "types.csv",
        "labels": ["cell_class"],
        "sets": ["cell_class"],
        "regions": {"r": {"shape": "cylinder", "r_max": 50, "count": "n"}},
        "properties": {"size": {"law": "triangular", "low": 2, "mode": "mode", "high": 10}},
        **keys,
    }
    return model_file(folder, {"cells": nodes})


def test_equal_config_gives_equal_bytes(tmp_path):
    path = table_model(tmp_path / "m", tuning="equally_spaced", rotation="random_y", min_distance=3)
    outputs = [built(path, tmp_path / out)[0] for out in ("one", "two")]
    for name in ("nodes", "node_types"):
        first, second = (getattr(paths, name)("cells").read_bytes() for paths in outputs)
        assert first == second


def test_files_hold_what_the_table_says(tmp_path):
    paths, counts = built(table_model(tmp_path / "m"), tmp_path / "out")
    assert counts == {"cells": 340}
    frame = read_nodes(paths.nodes("cells"), "cells")
    assert frame["cell_type"].value_counts().to_dict() == {"a": 300, "b": 40}
    assert set(frame["cell_class"]) == {"exc", "inh"}
    assert frame["x"].dtype == np.float32
    assert frame["size"].isna().sum() == 40  # an empty cell of the table: no such property
    types = read_types(paths.node_types("cells"))
    assert types["pop_name"].tolist() == ["a", "b"] and types["note"][0] == "hello there"
    assert '"cell_class": "exc"' in paths.node_sets.read_text()
    with h5py.File(paths.nodes("cells")) as handle:
        assert handle["nodes/cells/0/y"].attrs["units"] == "um"
    import libsonata

    storage = libsonata.NodeStorage(str(paths.nodes("cells"))).open_population("cells")
    assert storage.get_attribute("cell_type", libsonata.Selection([0, 339])).tolist() == ["a", "b"]


def test_points_and_imported_populations(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "p.csv").write_text("x,y,z,kind,w\n1,2,3,a,0.5\n4,5,6,b,1\n7,8,9,a,2\n")
    columns = {"x": [1.0, 2], "y": [0.0, 0], "z": [0.0, 0], "tag": ["u", "v"]}
    write_nodes(folder / "in.h5", "other", columns, [3, 4], library=["tag"])
    nodes = {
        "listed": {"kind": "points", "table": "p.csv", "type_column": "kind", "properties": ["w"]},
        "taken": {"kind": "imported", "file": "in.h5", "population": "other"},
    }
    paths, counts = built(model_file(folder, nodes), tmp_path / "out")
    assert counts == {"listed": 3, "taken": 2}
    listed = read_nodes(paths.nodes("listed"), "listed")
    assert listed["z"].tolist() == [3, 6, 9] and listed["w"].tolist() == [0.5, 1, 2]
    assert listed["node_type_id"].tolist() == [0, 1, 0]
    taken = read_nodes(paths.nodes("taken"), "taken")
    assert taken["tag"].tolist() == ["u", "v"] and taken["node_type_id"].tolist() == [3, 4]
    (folder / "p.csv").write_text("x,y,z,kind,w\n1,oops,3,a,0.5\n4,5,6,,1\n")
    with pytest.raises(ConfigError) as caught:
        built(str(folder / "model.yaml"), tmp_path / "out")
    assert "p.csv:2" in str(caught.value) and "p.csv:3" in str(caught.value)


# Errors, each with its place


@pytest.mark.parametrize(
    ("table", "keys", "places", "message"),
    [
        (TABLE.replace("300", "3.5"), {}, ["types.csv:2"], "n is 3.5"),
        (TABLE.replace("300", "-1").replace("40,", "x,"), {}, ["types.csv:2", "types.csv:3"], "n"),
        (TABLE.replace("b,inh", "a,inh"), {}, ["types.csv:3"], "stands twice"),
        (TABLE.replace("0,100", "100,100"), {}, ["types.csv:2"], "must rise"),
        (TABLE.replace("3,hello", "30,hello"), {}, ["types.csv:2"], "property size"),
        (TABLE.replace("cell_class", "klass"), {}, ["types.csv:1"], "did you mean 'klass'"),
        (TABLE.replace("300", "0").replace("40", "0"), {}, ["model.yaml"], "no type has any cell"),
        (TABLE, {"scale": 0.5}, ["model.yaml"], "without keep"),
        (TABLE, {"sets": ["colour"]}, ["model.yaml"], "sets names colour"),
        (TABLE, {"regions": {"r": {"shape": "cone"}}}, ["model.yaml"], "shape is 'cone'"),
        (TABLE, {"regions": {"r": {"shape": "cylinder", "r_max": 5, "r_min": 9}}},
         ["model.yaml"], "must rise"),
        (TABLE, {"regions": {"r": {"shape": "cylinder", "r_max": 5}}}, ["types.csv"], "no count"),
        (TABLE, {"types": {"a": {"count": 3, "depth": [0, 9]}}}, ["model.yaml"], "in the table"),
    ],
)  # fmt: skip
def test_mistakes_are_found_with_their_place(tmp_path, table, keys, places, message):
    with pytest.raises(ConfigError) as caught:
        load_model(table_model(tmp_path / "m", table, **keys))
    text = str(caught.value)
    assert message in text
    for place_ in places:
        assert place_ in text


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "count or density"),
        ({"count": 1, "density": 5}, "count or density"),
        ({"density": "voxels"}, "density voxels in a region"),
        ({"count": 5, "region": "q"}, "no region 'q'"),
        ({"count": 5, "layer": "L9"}, "no layer 'L9'"),
        ({"count": 5}, "no depth"),
        ({"count": 5, "depth": [0, 1], "properties": {"p": {"law": "uniform", "low": 2, "high": 1}}},
         "rising"),
        ({"count": 5, "depth": [0, 1],
          "properties": {"p": {"law": "uniform", "low": "c", "high": 1}}}, "numbers only"),
        ({"count": 5, "depth": [0, 1], "properties": {"p": {"law": "gauss"}}}, "law is 'gauss'"),
    ],
)  # fmt: skip
def test_mistakes_in_types_of_the_model(tmp_path, entry, message):
    region = {"shape": "cylinder", "r_max": 50}
    nodes = {"kind": "placed", "types": {"t": entry}, "regions": {"r": region},
             "layers": {"L1": [0, 5]}}  # fmt: skip
    with pytest.raises(ConfigError, match=message) as caught:
        load_model(model_file(tmp_path / "m", {"cells": nodes}))
    assert "model.yaml:" in str(caught.value)


def test_regions_that_do_not_go_together():
    tiles = {"shape": "tiles", "columns": 1, "rows": 1, "width": 1, "height": 1}
    types = {"a": {"count": 10, "region": "t"}, "b": {"count": 10, "region": "r"}}
    with pytest.raises(ConfigError, match="separate populations"):
        placed(types, regions={"t": tiles, "r": CYLINDER})
    with pytest.raises(ConfigError, match="keep: volume"):
        placed(types_of(a=10), regions={"t": tiles}, scale=0.5, keep="density")


def test_tables_need_cells_in_the_model(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "t.csv").write_text("name,emodel\na,b\n")
    with pytest.raises(ConfigError, match="'cells' is missing"):
        load_model(model_file(folder, {"n": {"kind": "table", "table": "t.csv"}}))


def test_planned_cells_are_the_written_ones(tmp_path):
    path = table_model(tmp_path / "m", tuning="equally_spaced")
    paths, _ = built(path, tmp_path / "out")
    planned = node_frame(load_model(path), "cells")
    written = read_nodes(paths.nodes("cells"), "cells")
    for name in written.columns:
        assert planned[name].astype(str).tolist() == written[name].astype(str).tolist(), name
    assert planned["note"][0] == "hello there" and planned["pop_name"].iloc[-1] == "b"
