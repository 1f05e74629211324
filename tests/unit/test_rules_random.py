"""The counter-based generator against its published vectors and its NumPy twin."""

import numpy as np
import pytest
from scipy import stats

from pipeline.edges.rules.random import normal, philox, uniforms
from pipeline.philox import rule_key, uniforms_array

# Known answers of Philox-4x32-10, Random123 distribution: counter, key, result.
VECTORS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize("counter, key, expected", VECTORS)
def test_published_vectors(counter, key, expected):
    words = [np.uint64(word) for word in (*key, *counter)]
    assert tuple(int(word) for word in philox(*words)) == expected


def test_array_twin_agrees():
    key = rule_key(7, "r")
    a, b = np.arange(50), np.arange(50)[::-1] * 1000
    first, second = uniforms_array(key, a, b, 4, 9)
    pairs = [uniforms(key, i, j, 4, 9) for i, j in zip(a, b, strict=True)]
    np.testing.assert_array_equal(np.array(pairs), np.column_stack((first, second)))


def test_draws_are_uniform_and_normal():
    key = rule_key(1, "r")
    u, v = uniforms_array(key, np.arange(300)[:, None], np.arange(300)[None, :], 1)
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-4
    assert stats.kstest(v.ravel(), "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(u.ravel(), v.ravel())[0, 1]) < 4 / 300
    z = np.array([normal(key, i, 5, 2, 0) for i in range(5000)])
    assert stats.kstest(z, "norm").pvalue > 1e-4


def test_keys_depend_on_seed_and_name():
    keys = {tuple(rule_key(seed, name)) for seed in (1, 2) for name in ("a", "b")}
    assert len(keys) == 4
