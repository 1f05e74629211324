"""Edge files: the same bytes for any blocks, threads and parts; readable by libsonata."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import libsonata
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_nodes import GAUSSIAN, HALF, builder, cells, rule

from pipeline.edges.rules import parts
from pipeline.errors import CircuitError
from pipeline.runtime import file_hash

NAMES = parts.Names("v1__v1__chemical", "v1", "v1")
RULES = [
    rule([HALF, GAUSSIAN, {"law": "tuning", "ratio": 0.5}], "near", synapse={
        "nsyns": {"law": "uniform_integer", "low": 3, "high": 7},
        "weight": {"law": "lognormal", "mean": 1, "sd": 0.5},
    }),
    rule([{"law": "fixed_outdegree", "count": 5}], "far"),
    rule([{"law": "fixed_indegree", "count": 4, "multapses": True}, GAUSSIAN], "more"),
]  # fmt: skip


def made(n=700, **keys):
    return builder(RULES, cells(n), **keys)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "e.h5"
    parts.write_whole(made(), path, NAMES)
    return path


@settings(max_examples=5, deadline=None)
@given(st.integers(300, 100_000))
def test_bytes_do_not_depend_on_blocks(whole, tmp_path_factory, most):
    path = tmp_path_factory.mktemp("blocks") / "e.h5"
    parts.write_whole(made(), path, NAMES, most=most)
    assert file_hash(path) == file_hash(whole)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_bytes_do_not_depend_on_parts(whole, tmp_path, n):
    path = tmp_path / "e.h5"
    for part in reversed(range(n)):
        parts.write_part(made(), path, NAMES, part, n)
    parts.merge_parts(made(memory=0.1), path, NAMES, n)
    assert file_hash(path) == file_hash(whole)
    parts.remove_parts(path)
    assert [p.name for p in tmp_path.iterdir()] == ["e.h5"]


_SCRIPT = """
import sys
sys.path[:0] = {paths!r}
from test_rules_files import NAMES, made, parts
parts.write_whole(made(), sys.argv[1], NAMES)
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_bytes_do_not_depend_on_threads(whole, tmp_path, threads):
    here = Path(__file__).parent
    script = _SCRIPT.format(paths=[str(here), str(here.parent / "data"), str(here.parents[1])])
    environment = {**os.environ, "NUMBA_NUM_THREADS": threads}
    command = [sys.executable, "-c", script, str(tmp_path / "e.h5")]
    subprocess.run(command, check=True, env=environment, timeout=120)
    assert file_hash(tmp_path / "e.h5") == file_hash(whole)


def test_finished_parts_are_kept_and_stale_ones_are_not(tmp_path):
    path = tmp_path / "e.h5"
    file = parts.write_part(made(), path, NAMES, 0, 2)
    before = file.stat().st_mtime_ns
    parts.write_part(made(), path, NAMES, 0, 2)
    assert file.stat().st_mtime_ns == before
    with pytest.raises(CircuitError, match="part-0002-of-0002.h5 are missing or stale"):
        parts.merge_parts(made(), path, NAMES, 2)
    parts.write_part(made(), path, NAMES, 1, 2)
    with pytest.raises(CircuitError, match="stale"):
        parts.merge_parts(made(seed=2), path, NAMES, 2)
    parts.write_part(made(seed=2), path, NAMES, 0, 2)
    assert file.stat().st_mtime_ns != before


def test_part_bounds_share_the_work():
    counts = []
    for low, high in zip(made().part_bounds(4)[:-1], made().part_bounds(4)[1:], strict=True):
        counts.append(sum(len(block.sources) for block in made().blocks(int(low), int(high))))
    assert max(counts) < 1.15 * min(counts)


def test_libsonata_reads_it_and_the_indices_agree(whole):
    population = libsonata.EdgeStorage(str(whole)).open_population(NAMES.population)
    with h5py.File(whole) as handle:
        root = handle[f"edges/{NAMES.population}"]
        source, target = root["source_node_id"][:], root["target_node_id"][:]
        assert root["0/nsyns"].dtype == np.uint32 and root["0/syn_weight"].dtype == np.float32
        assert set(root["0"]) == {"nsyns", "syn_weight"}
        np.testing.assert_array_equal(root["edge_group_index"][:], np.arange(len(source)))
    assert population.size == len(source)
    for node in (0, 13, 699):
        assert (
            population.afferent_edges([node]).flatten().tolist()
            == np.flatnonzero(target == node).tolist()
        )
        assert (
            population.efferent_edges([node]).flatten().tolist()
            == np.flatnonzero(source == node).tolist()
        )


def test_no_edges_is_a_file_too(tmp_path):
    made_ = builder(rule([HALF, {"law": "box", "low": 9000, "high": 9001}]), cells(20))
    assert parts.write_whole(made_, tmp_path / "e.h5", NAMES) == 0
    population = libsonata.EdgeStorage(str(tmp_path / "e.h5")).open_population(NAMES.population)
    assert population.size == 0
