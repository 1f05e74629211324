"""``sonatina diff``: equal circuits, one changed weight, one edge less, other counts."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest
from scipy import stats

from pipeline.analysis import diff_edges
from pipeline.analysis.diff import compare_circuits
from pipeline.cli import main
from pipeline.sonata.configs import write_types
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.write import write_edges, write_nodes

NAME = "v1__v1__chemical"


def circuit(root, n=60, edges=500, drop=None, weight=None, seed=1, places=True, kind=None):
    """A circuit of n cells of two types in a folder; ``drop`` leaves one edge out."""
    rng = np.random.default_rng(seed)
    paths = CircuitPaths(root)
    columns = {axis: 100 * rng.random(n) for axis in "xyz"} if places else {}
    columns["size"] = rng.random(n)
    type_ids = (np.arange(n) % 3 == 0).astype(int) if kind is None else np.full(n, kind)
    write_nodes(paths.nodes("v1"), "v1", columns, type_ids)
    rows = [{"node_type_id": i, "model_type": "virtual", "pop_name": k} for i, k in enumerate("ab")]
    write_types(paths.node_types("v1"), rows)
    source, target = rng.integers(0, n, edges), rng.integers(0, n, edges)
    order = np.lexsort((source, target))
    source, target = source[order], target[order]
    values = {
        "syn_weight": rng.random(edges).astype(np.float32),
        "nsyns": rng.integers(1, 9, edges),
    }
    if weight is not None:
        values["syn_weight"][weight] += 1
    kept = np.delete(np.arange(edges), [] if drop is None else drop)
    write_edges(
        paths.edges(NAME), NAME, "v1", "v1", source[kept].astype(np.uint64),
        target[kept].astype(np.uint64), np.zeros(len(kept), int),
        {key: column[kept] for key, column in values.items()}, n, n,
    )  # fmt: skip
    write_types(paths.edge_types(NAME), [{"edge_type_id": 0, "delay": 1.5}])
    return root


@pytest.fixture
def first(tmp_path):
    return circuit(tmp_path / "a")


def test_equal_circuits(first, tmp_path, capsys):
    assert main(["diff", str(first), str(circuit(tmp_path / "b"))]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "equal"


@pytest.mark.parametrize("block", [1 << 20, 7, 1])
def test_one_changed_weight(first, tmp_path, monkeypatch, block):
    monkeypatch.setattr(diff_edges.compare_edges, "__defaults__", (block,))
    found = compare_circuits(first, circuit(tmp_path / "b", weight=123))
    part = found["edges"][NAME]
    assert not found["equal"] and found["nodes"]["v1"]["equal"]
    assert part["only"] == [0, 0]
    assert part["changed"] == {"edge_type_id": 0, "nsyns": 0, "syn_weight": 1}
    (event,) = part["first"]
    assert event["edge"] == [123, 123]
    assert event["values"]["syn_weight"][1] == pytest.approx(event["values"]["syn_weight"][0] + 1)
    means = [moments["mean"] for moments in part["attributes"]["syn_weight"]]
    assert means[1] - means[0] == pytest.approx(1 / 500, rel=1e-3)


@pytest.mark.parametrize("block", [1 << 20, 7, 1])
@pytest.mark.parametrize("drop", [0, 123, 499])
def test_one_missing_edge(first, tmp_path, monkeypatch, drop, block):
    monkeypatch.setattr(diff_edges.compare_edges, "__defaults__", (block,))
    found = compare_circuits(first, circuit(tmp_path / "b", drop=drop))
    part = found["edges"][NAME]
    assert part["edges"] == [500, 499] and part["types"] == {"0": [500, 499]}
    assert part["only"] == [1, 0]
    with h5py.File(CircuitPaths(first).edges(NAME)) as handle:
        ends = [int(handle[f"edges/{NAME}/{k}_node_id"][drop]) for k in ("source", "target")]
    (event,) = [event for event in part["first"] if "only_in" in event]
    assert event["only_in"] == "A" and [event["source"], event["target"]] == ends
    # Where a pair stands twice, the first of the two is matched with the one that is left.
    assert sum(part["changed"].values()) <= 2


def test_other_counts_degrees_and_distances(first, tmp_path, capsys):
    second = circuit(tmp_path / "b", n=90, edges=800, seed=2)
    assert main(["diff", str(first), str(second), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    nodes, part = found["nodes"]["v1"], found["edges"][NAME]
    assert nodes["count"] == [60, 90] and nodes["types"] == {"a": [40, 60], "b": [20, 30]}
    assert part["edges"] == [500, 800]
    degrees, lengths, sizes = [], [], []
    for root in (first, second):
        with h5py.File(CircuitPaths(root).nodes("v1")) as handle:
            group = handle["nodes/v1/0"]
            points = np.stack([group[axis][:] for axis in "xyz"], axis=1)
            n = len(points)
            sizes.append(group["size"][:])
        with h5py.File(CircuitPaths(root).edges(NAME)) as handle:
            pre, post = (handle[f"edges/{NAME}/{k}_node_id"][:] for k in ("source", "target"))
        degrees.append(np.bincount(post.astype(int), minlength=n))
        lengths.append(np.linalg.norm(points[pre] - points[post], axis=1))
    ks = stats.ks_2samp(*degrees).statistic
    assert part["degrees"]["in"]["ks"] == pytest.approx(ks)
    assert part["degrees"]["in"]["mean"] == pytest.approx([500 / 60, 800 / 90])
    assert part["distance"]["mean"] == pytest.approx([d.mean() for d in lengths])
    assert part["distance"]["ks"] == pytest.approx(stats.ks_2samp(*lengths).statistic, abs=0.01)
    assert nodes["attributes"]["size"]["ks"] == pytest.approx(stats.ks_2samp(*sizes).statistic)


def test_text_names_what_differs(first, tmp_path, capsys):
    second = circuit(tmp_path / "b", drop=10, kind=0)
    write_types(CircuitPaths(second).edge_types(NAME), [{"edge_type_id": 0, "delay": 2.5}])
    assert main(["diff", str(first), str(second)]) == 1
    text = capsys.readouterr().out
    for words in ("type a: 40 | 60", "500 | 499 edges", "only in A: 1, only in B: 0",
                  "type 0: delay 1.5 | 2.5", "of A, ", "in-degree: mean", "distance (um): mean"):  # fmt: skip
        assert words in text
    assert text.splitlines()[-1] == "different"


def test_unsorted_files_are_matched_row_by_row(first, tmp_path):
    second = tmp_path / "b"
    shutil.copytree(first, second)
    for root in (first, second):
        with h5py.File(CircuitPaths(root).edges(NAME), "r+") as handle:
            group = handle[f"edges/{NAME}"]
            for name in ("source_node_id", "target_node_id"):
                group[name][:] = group[name][:][::-1]
    assert compare_circuits(first, second)["equal"]
    with h5py.File(CircuitPaths(second).edges(NAME), "r+") as handle:
        source = handle[f"edges/{NAME}/source_node_id"]
        source[7] = (source[7] + 1) % 60
    part = compare_circuits(first, second)["edges"][NAME]
    assert part["matched_by"] == "row" and part["changed"]["ends"] == 1 and not part["equal"]
    assert part["first"][0]["edge"] == [7, 7] and "other_ends" in part["first"][0]


def test_circuits_without_places_and_missing_populations(first, tmp_path):
    bare = circuit(tmp_path / "b", places=False)
    found = compare_circuits(first, bare)
    assert found["edges"][NAME]["distance"] is None
    assert found["nodes"]["v1"]["columns"] == [["x", "y", "z"], []]
    CircuitPaths(bare).edges(NAME).unlink()
    assert compare_circuits(first, bare)["missing"] == [["edges", NAME, "B"]]


def test_what_cannot_be_read_is_a_user_error(first, tmp_path, capsys):
    for wrong, words in ((tmp_path / "no", "cannot be read"), (tmp_path, "holds no circuit")):
        assert main(["diff", str(first), str(wrong)]) == 2
        assert words in capsys.readouterr().err
    with h5py.File(CircuitPaths(first).edges(NAME), "r+") as handle:
        handle[f"edges/{NAME}/target_node_id"][-1] = 60
    assert main(["diff", str(first), str(first)]) == 2
    assert "target 60 does not exist" in capsys.readouterr().err
    CircuitPaths(first).edges(NAME).write_bytes(b"no hdf5")
    assert main(["diff", str(first), str(first)]) == 2
    assert "cannot be opened" in capsys.readouterr().err
