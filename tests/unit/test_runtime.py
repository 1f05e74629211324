"""Atomic files and keyed random numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.runtime import atomic_path, rng_for, value_hash, write_json


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("stop")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_equal_values_give_equal_bytes(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [1, 2]})
    write_json(tmp_path / "b.json", {"a": [1, 2], "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_an_impossible_folder_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PipelineError, match="cannot write here"), atomic_path(tmp_path / "file/x"):
        pass


@given(st.integers(0, 2**63 - 1), st.lists(st.integers(0, 2**31), min_size=1, max_size=3))
def test_streams_depend_on_their_ids_alone(seed, ids):
    first = rng_for(seed, "stage", *ids).random(4)
    rng_for(seed, "other", *ids).random(100)
    assert np.array_equal(first, rng_for(seed, "stage", *ids).random(4))
    assert not np.array_equal(first, rng_for(seed, "other", *ids).random(4))
    assert not np.array_equal(first, rng_for(seed, "stage", *ids, 1).random(4))


def test_streams_of_neighbours_are_uncorrelated():
    draws = np.array(
        [rng_for(1, "s", i, j).standard_normal(50) for i in range(20) for j in range(20)]
    )
    correlation = np.corrcoef(draws)[np.triu_indices(400, 1)]
    assert abs(correlation.mean()) < 4 / np.sqrt(correlation.size * 50)
    assert correlation.std() == pytest.approx(1 / np.sqrt(50), rel=0.05)


def test_hash_ignores_key_order():
    assert value_hash({"a": 1, "b": 2}) == value_hash({"b": 2, "a": 1}) != value_hash({"a": 1})
