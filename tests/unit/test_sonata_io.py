"""Writing and reading: the index against a naive reference, round trips, equal bytes."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import CircuitError
from pipeline.runtime import file_hash
from pipeline.sonata import layout, read, write
from pipeline.sonata.configs import write_node_sets, write_types
from pipeline.sonata.index import write_index
from pipeline.sonata.reports import (
    ReportWriter,
    read_report,
    read_spikes,
    write_spikes,
)

EDGES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=40)


def _write(path, pairs, n_source=5, n_target=7, **columns):
    pairs = np.array(pairs, np.uint64).reshape(-1, 2)
    columns = columns or {"delay": np.arange(len(pairs), dtype=float)}
    types = np.zeros(len(pairs), int)
    write.write_edges(path, "a__b__chemical", "a", "b", pairs[:, 0], pairs[:, 1], types, columns,
                      n_source, n_target)  # fmt: skip
    return path


def _naive_index(ids, n):
    """Ranges of consecutive edges per node, by the letter of the specification."""
    ranges, edges = [], []
    for node in range(n):
        first = len(edges)
        for edge, owner in enumerate(ids):
            if owner != node:
                continue
            if len(edges) > first and edges[-1][1] == edge:
                edges[-1][1] = edge + 1
            else:
                edges.append([edge, edge + 1])
        ranges.append([first, len(edges)])
    return ranges, edges


@settings(max_examples=60, deadline=None)
@given(pairs=EDGES, block=st.sampled_from([1, 2, 3, 1000]))
def test_index_agrees_with_naive_reference(tmp_path_factory, pairs, block):
    path = _write(tmp_path_factory.mktemp("edges") / "e.h5", pairs)
    with h5py.File(path, "r+") as handle:
        root = handle["edges/a__b__chemical"]
        for (index, ids), n in zip(layout.INDICES.items(), (5, 7), strict=True):
            again = root.create_group(f"again_{index}")
            write_index(again, root[ids], n, block, 16 * block)
            expected = _naive_index(root[ids][:], n)
            for group in (root["indices"][index], again):
                assert group["node_id_to_ranges"][:].tolist() == expected[0]
                assert group["range_to_edge_id"][:].tolist() == expected[1]
                assert group["node_id_to_range"] == group["node_id_to_ranges"]


@settings(max_examples=30, deadline=None)
@given(pairs=EDGES)
def test_edges_are_sorted_by_target_source_and_given_order(tmp_path_factory, pairs):
    path = _write(tmp_path_factory.mktemp("edges") / "e.h5", pairs)
    table = read.read_edges(path, "a__b__chemical")
    expected = sorted((t, s, i) for i, (s, t) in enumerate(pairs))
    found = table[["target_node_id", "source_node_id", "delay"]].itertuples(index=False)
    assert [tuple(int(value) for value in row) for row in found] == expected


@settings(max_examples=30, deadline=None)
@given(pairs=EDGES, targets=st.lists(st.integers(0, 8), max_size=5))
def test_reading_by_target_equals_filtering(tmp_path_factory, pairs, targets):
    path = _write(tmp_path_factory.mktemp("edges") / "e.h5", pairs)
    everything = read.read_edges(path, "a__b__chemical")
    part = read.read_edges(path, "a__b__chemical", columns=["delay"], targets=targets)
    expected = everything[everything["target_node_id"].isin(targets)]
    assert part.equals(expected[part.columns])


def test_reading_by_target_without_index(tmp_path):
    path = _write(tmp_path / "e.h5", [(0, 1), (2, 1), (3, 4)])
    with h5py.File(path, "r+") as handle:
        del handle["edges/a__b__chemical/indices"]
    assert len(read.read_edges(path, "a__b__chemical", targets=[1])) == 2


def test_rows_out_of_place_are_refused(tmp_path):
    path = _write(tmp_path / "e.h5", [(0, 1), (2, 1)])
    with h5py.File(path, "r+") as handle:
        handle["edges/a__b__chemical/edge_group_index"][:] = [1, 0]
    with pytest.raises(CircuitError, match="not supported"):
        read.read_edges(path, "a__b__chemical", targets=[1])


def test_zero_edges(tmp_path):
    path = _write(tmp_path / "e.h5", [])
    assert len(read.read_edges(path, "a__b__chemical", targets=[0, 3])) == 0
    assert list(read.read_edges(path, "a__b__chemical").columns)[-1] == "delay"


def test_blocks_give_the_file_of_one_piece(tmp_path):
    rng = np.random.default_rng(1)
    pairs = np.column_stack((rng.integers(0, 5, 500), np.sort(rng.integers(0, 7, 500))))
    pairs = pairs[np.lexsort(pairs.T)]
    delay = rng.random(500)
    whole = _write(tmp_path / "whole.h5", pairs, delay=delay)
    writer = write.EdgeWriter(
        tmp_path / "parts.h5", "a__b__chemical", "a", "b", 5, 7, chunk_rows=1024
    )
    with writer:
        for part in (slice(0, 1), slice(1, 300), slice(300, 300), slice(300, 500)):
            columns = {"delay": delay[part]}
            writer.append(pairs[part, 0], pairs[part, 1], np.zeros(500, int)[part], columns)
    assert read.read_edges(whole, "a__b__chemical").equals(
        read.read_edges(tmp_path / "parts.h5", "a__b__chemical")
    )
    with h5py.File(whole) as one, h5py.File(tmp_path / "parts.h5") as other:
        for name in ("node_id_to_ranges", "range_to_edge_id"):
            place = f"edges/a__b__chemical/indices/source_to_target/{name}"
            assert np.array_equal(one[place][:], other[place][:])


@pytest.mark.parametrize(
    ("pairs", "columns", "message"),
    [
        ([(5, 0)], {}, "source_node_id runs from 5 to 5"),
        ([(0, 9)], {}, "target_node_id runs from 9"),
        ([(0, 0)], {"delay": [1.0, 2.0]}, "differ"),
        ([(0, 0)], {"label": ["x"]}, "text in"),
        ([(0, 0)], {"afferent_section_id": [-1]}, "no negative"),
    ],
)
def test_bad_edges_leave_no_file(tmp_path, pairs, columns, message):
    with pytest.raises(CircuitError, match=message):
        _write(tmp_path / "e.h5", pairs, **columns)
    assert list(tmp_path.iterdir()) == []


def test_blocks_must_ascend(tmp_path):
    with (
        pytest.raises(CircuitError, match="ascending"),
        write.EdgeWriter(tmp_path / "e.h5", "a__b__chemical", "a", "b", 5, 7) as writer,
    ):
        writer.append(np.array([0]), np.array([3]), np.array([0]), {})
        writer.append(np.array([0]), np.array([2]), np.array([0]), {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("library", [(), ("mtype", "morphology")])
def test_nodes_round_trip(tmp_path, library):
    columns = {"mtype": ["b", "ä", "b"], "x": [1.0, 2.0, 3.0], "rank": np.array([3, 2, 1])}
    dynamics = {"holding_current": [0.1, 0.2, 0.3]}
    path = tmp_path / "n.h5"
    write.write_nodes(path, "cells", columns, [5, 6, 5], dynamics=dynamics, library=library)
    table = read.read_nodes(path, "cells")
    assert table["mtype"].tolist() == ["b", "ä", "b"]
    assert table["node_type_id"].tolist() == [5, 6, 5]
    assert table["@dynamics:holding_current"].tolist() == pytest.approx([0.1, 0.2, 0.3])
    with h5py.File(path) as handle:
        assert handle.attrs["magic"] == 0x0A7A
        assert handle.attrs["version"].tolist() == [0, 1]
        assert handle["nodes/cells/0/x"].attrs["units"] == "um"
        assert handle["nodes/cells/0/x"].dtype == np.float32
        assert handle["nodes/cells/0/dynamics_params/holding_current"].attrs["units"] == "nA"
        assert ("@library" in handle["nodes/cells/0"]) == bool(library)


def test_nodes_of_unequal_length_are_refused(tmp_path):
    with pytest.raises(CircuitError, match="differ from the 2 rows"):
        write.write_nodes(tmp_path / "n.h5", "cells", {"x": [1.0]}, [0, 0])


def test_equal_input_gives_equal_bytes(tmp_path):
    from ring import make_ring

    one, other = make_ring(tmp_path / "one"), make_ring(tmp_path / "other")
    files = sorted(file for file in one.root.rglob("*") if file.is_file())
    assert len(files) > 12
    for file in files:
        assert file_hash(file) == file_hash(other.root / file.relative_to(one.root)), file.name


def test_types_round_trip(tmp_path):
    path = tmp_path / "t.csv"
    write_types(path, [{"edge_type_id": 3, "label": "two words", "erev": -75.5},
                       {"edge_type_id": 1, "label": None, "g": 1e-12}])  # fmt: skip
    table = read.read_types(path)
    assert table.loc[3, "label"] == "two words"
    assert table["label"].isna().tolist() == [False, True]
    assert table.loc[1, "g"] == 1e-12
    with pytest.raises(CircuitError, match="of its own"):
        write_types(path, [{"node_type_id": 1}, {"node_type_id": 1}])


def test_node_sets_may_only_name_known_sets(tmp_path):
    with pytest.raises(CircuitError, match="nowhere"):
        write_node_sets(tmp_path / "s.json", {"a": ["nowhere"]})


def test_report_round_trip(tmp_path):
    path = tmp_path / "v.h5"
    nodes, sections, positions = [0, 0, 3], [0, 1, 0], [0.5, 0.25, 0.5]
    frames = np.arange(30.0).reshape(10, 3)
    with ReportWriter(path, "cells", nodes, sections, positions, 0.5, 1.0, 6.0, "mV") as writer:
        writer.append(frames[:4])
        assert not path.exists()
        writer.append(frames[4:])
    report = read_report(path, "cells")
    assert np.array_equal(report.data, frames)
    assert report.node_ids.tolist() == nodes
    assert report.element_ids.tolist() == sections
    assert report.element_pos.tolist() == positions
    assert np.allclose(report.times, 1.0 + 0.5 * np.arange(10))
    assert report.units == "mV"


def test_report_with_missing_frames_leaves_no_file(tmp_path):
    with (
        pytest.raises(CircuitError, match="1 frames written; expected 4"),
        ReportWriter(tmp_path / "v.h5", "cells", [0], [0], [0.5], 1.0, 0.0, 4.0, "mV") as writer,
    ):
        writer.append(np.zeros((1, 1)))
    with pytest.raises(CircuitError, match="not ascending"):
        ReportWriter(tmp_path / "v.h5", "cells", [1, 0], [0, 0], [0, 0], 1.0, 0.0, 4.0, "mV")
    assert list(tmp_path.iterdir()) == []


def test_spikes_are_sorted_by_time_then_id(tmp_path):
    path = tmp_path / "s.h5"
    write_spikes(path, "cells", [3, 1, 2, 0], [2.0, 2.0, 1.0, 9.0])
    ids, times = read_spikes(path, "cells")
    assert ids.tolist() == [2, 1, 3, 0]
    assert times.tolist() == [1.0, 2.0, 2.0, 9.0]
    write_spikes(path, "cells", [], [])
    assert len(read_spikes(path, "cells")[0]) == 0


def test_missing_files_and_populations_say_so(tmp_path):
    with pytest.raises(CircuitError, match="does not exist"):
        read.read_nodes(tmp_path / "none.h5", "cells")
    write.write_nodes(tmp_path / "n.h5", "cells", {}, [0])
    with pytest.raises(CircuitError, match=r"no population 'other'.*cells"):
        read.read_nodes(tmp_path / "n.h5", "other")
    _write(tmp_path / "e.h5", [(0, 0)])
    with pytest.raises(CircuitError, match="no columns"):
        read.read_edges(tmp_path / "e.h5", "a__b__chemical", columns=["weight"])


def test_names_and_paths():
    name = layout.edge_population_name("sensory", "neurons", "chemical")
    for bad in (("a__b", "c", "chemical"), ("", "c", "chemical"), ("a", "b", "magic")):
        with pytest.raises(CircuitError):
            layout.edge_population_name(*bad)
    paths = layout.CircuitPaths("root")
    assert paths.edges(name).as_posix() == f"root/network/{name}.edges.h5"
    assert paths.report("rest", "v").as_posix() == "root/sim/rest/v.h5"
    assert paths.log("nodes").as_posix() == "root/logs/nodes.log"
