"""Placed cells, the estimate, and touch detection on real morphologies beside brain-indexer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_touch_detect import SEED, cell, crowd, line, rules_of

from pipeline.edges.touch import detect as detection
from pipeline.edges.touch.arrays import AXON
from pipeline.edges.touch.expect import expected_touches
from pipeline.edges.touch.geometry import join_shapes, place_cells, read_shapes
from pipeline.edges.touch.index import SOMA_FLAG, build_index
from pipeline.edges.touch.search import new_rooms, search_section
from pipeline.errors import CircuitError, MorphologyError

MORPHOLOGIES = Path(__file__).parents[3] / "shared/data/billeh-v1/components/morphologies"


def nodes(**more):
    table = {"x": [1.0, 0], "y": [-2.0, 0], "z": [3.0, 0], "morphology": ["b", "a"]}
    table |= {"mtype": ["T2", "T1"], "etype": ["e", "e"], "synapse_class": ["INH", "EXC"]}
    half = np.sqrt(0.5)
    table |= {"orientation_w": [half, 1], "orientation_x": 0.0, "orientation_y": [half, 0]}
    return pd.DataFrame(table | {"orientation_z": 0.0} | more)


def test_nodes_become_arrays():
    cells = place_cells(nodes(), ["a", "b"])
    assert cells.morphology.tolist() == [1, 0] and cells.mtypes == ("T1", "T2")
    assert cells.mtype.tolist() == [1, 0] and cells.inhibitory.tolist() == [1, 0]
    assert np.allclose(cells.rotation[0] @ [1, 2, 3], [3, 2, -1], atol=1e-6)  # 90 degrees about y
    assert np.array_equal(cells.rotation[1], np.eye(3))


def test_nodes_without_shapes_are_named():
    with pytest.raises(CircuitError, match="no morphology 'c'"):
        place_cells(nodes(morphology=["c", "a"]), ["a", "b"])
    with pytest.raises(CircuitError, match="no column mtype"):
        place_cells(nodes().drop(columns="mtype"), ["a", "b"])


def test_shapes_keep_places_along_sections():
    shape = cell([(line(0.0, n=5), 1.0)], [(line(9.0, n=3), 2.0)], soma=4.0)
    shapes = join_shapes(["one", "two"], [shape, shape])
    assert shapes.first.tolist() == [0, 7, 14] and shapes.initial_segment.tolist() == [1, 8]
    assert shapes.section[:7].tolist() == [0, 1, 1, 1, 1, 2, 2]
    assert shapes.segment[:7].tolist() == [0, 0, 1, 2, 3, 0, 1]
    assert shapes.arc[1:5].tolist() == [0, 20, 40, 60] and shapes.radius[0] == 4.0
    assert shapes.section_length.tolist() == [0, 80, 80] * 2


def test_too_many_segments():
    with pytest.raises(MorphologyError, match="at most 65535"):
        join_shapes(["long"], [cell([(line(0.0, n=70_000), 1.0)], [])])


def test_estimate_is_of_the_right_size():
    shapes, cells = crowd()
    rules = rules_of(soma_filter=(0.0, 0.0))
    index = build_index(shapes, cells, rules)
    found = len(detection.detect(shapes, cells, rules, index, np.arange(40), SEED))
    guess = expected_touches(shapes, cells, rules)
    assert guess.targets == index.total
    assert 0.3 < found / guess.approaches < 3


def real_circuit():
    files = {path.stem: path for path in sorted(MORPHOLOGIES.glob("*.swc"))}
    good = {}
    for name, path in files.items():
        try:
            shapes = read_shapes({name: path})
        except MorphologyError:
            continue  # axons in pieces
        if np.any(shapes.kind == AXON):
            good[name] = path
        if len(good) == 3:
            break
    rng = np.random.default_rng(4)
    shapes = read_shapes(good)
    table = pd.DataFrame(rng.uniform(0, 40, (9, 3)), columns=list("xyz"))
    own = np.array([(shapes.start[a] + shapes.end[a]) / 2 for a in shapes.first[:-1]])
    table[list("xyz")] -= own[np.arange(9) % len(good)]  # somata are not at the files' origin
    table["morphology"] = np.array(list(good))[np.arange(9) % len(good)]
    table = table.assign(mtype="T", etype="e", synapse_class="EXC")
    return shapes, place_cells(table, shapes.names)


def test_brain_indexer_sees_every_overlap():
    """All we find lies in a box query's answer, and all that is near in the answer is found."""
    package = pytest.importorskip("brain_indexer", reason="brain-indexer is not installed")
    core = package.core
    if not MORPHOLOGIES.is_dir():
        pytest.skip("no shared/data/billeh-v1 beside the checkout")
    shapes, cells = real_circuit()
    rules = rules_of()
    index = build_index(shapes, cells, rules)
    n = index.total
    tree = core.MorphIndex()
    for i in range(n):
        ends = index.segments[:6, i].reshape(2, 3).copy()
        wide = index.segments[6, i]
        if index.row[i] & SOMA_FLAG:
            tree._add_spheres(ends[:1], np.array([wide], np.float32), np.array([i], np.uint64))
        else:
            tree._add_branch(i, 1, ends, np.array([wide, wide], np.float32), 3)
    cap = float(index.segments[6, :n].max())  # its cylinders have flat ends, ours are round
    axons, compared = detection._axons(shapes, cells, rules), 0
    for pre in range(len(cells)):
        axon = detection._place_axon(axons, pre)
        for k in range(0, len(axon.length), 2):
            rooms, count = search_section(
                index, axon, k, k + 1, pre, rules.allowed[0], cells.mtype, new_rooms()
            )
            ours = set(rooms[4][:count, 1].tolist())
            ends = np.stack([axon.start[k], axon.start[k] + axon.length[k] * axon.direction[k]])
            low, high = (
                ends.min(axis=0) - axon.radius[k] - cap,
                ends.max(axis=0) + axon.radius[k] + cap,
            )
            hits = tree._find_intersecting_box_np(
                (low - 1e-3).astype(np.float32), (high + 1e-3).astype(np.float32), "bounding_box"
            )
            boxes = set(np.asarray(hits["gid"]).tolist())
            assert ours <= boxes
            near = {i for i in boxes if index.cell[i] != pre and gap(index, int(i), axon, k) <= 0}
            assert near == ours
            compared += len(ours)
    assert compared > 100


def gap(index, i, axon, k):
    """Least distance of the axes minus the reach, by 4,001 points on the axon segment, um."""
    p, q = (index.segments[a : a + 3, i].astype(float) for a in (0, 3))
    s = np.linspace(0, axon.length[k], 4001)
    x = axon.start[k] + s[:, None] * axon.direction[k]
    t = np.clip((x - p) @ (q - p) / max((q - p) @ (q - p), 1e-300), 0, 1)
    distance = np.linalg.norm(x - p - t[:, None] * (q - p), axis=1).min()
    return distance - axon.radius[k] - float(index.segments[6, i])
