"""Curves over distance from a file: against NumPy, against the law they copy, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from law_oracle import pair_probabilities
from rule_nodes import HALF, all_edges, builder, cells, edges, rule

from pipeline.edges.rules.compile import compile_rule, side_of
from pipeline.edges.rules.laws import box_bound, pair_probability
from pipeline.edges.rules.tables import Findings

HILLS = [(0, 0.2), (30, 0.9), (45, 0.1), (90, 0.6), (150, 0.0)]
PROFILE = {"law": "profile", "file": "curve.csv", "metric": "lateral"}


@pytest.fixture
def curve(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(rows, header="distance,factor"):
        lines = [header, *(",".join(map(str, row)) for row in rows)]
        (tmp_path / "curve.csv").write_text("\n".join(lines) + "\n")

    return write


def law_of(connect):
    config, findings = edges(rule(connect)), Findings()
    side = side_of(cells(40), config)
    compiled = compile_rule(config, 0, 1, side, side, findings)
    assert not findings.problems
    return compiled.law


@pytest.mark.parametrize("metric", ["lateral", "vertical", "3d"])
def test_numba_and_numpy_agree(curve, metric):
    curve(HILLS)
    law = law_of([HALF, PROFILE | {"metric": metric}])
    offset, angle = np.random.default_rng(2).normal(0, 70, (300, 3)), np.zeros(300)
    zeros = np.zeros(300, int)
    expected = pair_probabilities(law, zeros, zeros, offset, angle)
    found = [pair_probability(law, 0, 0, *o, 0.0) for o in offset]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    assert len(set(found)) > 100


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_bounds_hold(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    rows = [(0, 1)] + [(i * 17 + 3, round(rng.random(), 3)) for i in range(rng.integers(1, 12))]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("curve"))
        with open("curve.csv", "w") as file:
            file.write("distance,factor\n" + "".join(f"{d},{f}\n" for d, f in rows))
        law = law_of([HALF, PROFILE])
    low = rng.normal(0, 100, 3)
    high = low + 10 ** rng.uniform(-1, 2, 3)
    target, box = rng.normal(0, 100, 3), np.concatenate((low, high))
    offset, zeros = target - (low + (high - low) * rng.random((50, 3))), np.zeros(50, int)
    p = pair_probabilities(law, zeros, zeros, offset, np.zeros(50))
    most, least = (box_bound(law, box[None], 0, 0, 0, *target, upper) for upper in (True, False))
    assert p.max() <= most * (1 + 1e-12)
    assert least <= p.min() + 1e-12


@pytest.mark.parametrize("degree", [[], [{"law": "fixed_indegree", "count": 6}]])
def test_same_edges_as_the_law_it_copies(curve, degree):
    curve([(0, 1), (25, 0.75), (100, 0)])
    linear = {"law": "linear", "reach": 100, "metric": "lateral"}
    made = [all_edges(builder(rule([HALF, law, *degree]), cells(900))) for law in (PROFILE, linear)]
    assert len(made[0].sources) > 1000
    np.testing.assert_array_equal(made[0].sources, made[1].sources)
    np.testing.assert_array_equal(made[0].targets, made[1].targets)


@pytest.mark.parametrize("naive", [False, True])
def test_as_many_edges_at_each_distance_as_the_curve_says(curve, naive):
    curve(HILLS)
    nodes = cells(900)
    made = all_edges(builder(rule(PROFILE), nodes, naive=naive))
    places = nodes[["x", "z"]].to_numpy()
    d = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    p = np.interp(d, *np.array(HILLS, float).T)
    np.fill_diagonal(p, 0)
    found = d[made.sources.astype(int), made.targets.astype(int)]
    for low in range(0, 160, 20):
        inside = (d >= low) & (d < low + 20)
        expected, variance = p[inside].sum(), (p * (1 - p))[inside].sum()
        number = ((found >= low) & (found < low + 20)).sum()
        assert abs(number - expected) <= 4 * np.sqrt(variance), low


@pytest.mark.parametrize(
    "rows, header, where, said",
    [
        ([(0, 1), (20, "x")], "distance,factor", ":3", "not a knot of a curve: 20,x"),
        ([(0, 1), (20, -1)], "distance,factor", ":3", "a factor is a number of 0 or more"),
        ([(0, 1), (0, 1)], "distance,factor", ":3", "ascend"),
        ([(0, "nan")], "distance,factor", ":2", "not a knot"),
        ([(0, 1)], "distance,p", ":1", "write distance,factor"),
        ([], "distance,factor", ":1", "0 rows"),
    ],
)
def test_what_is_no_curve(curve, rows, header, where, said):
    curve(rows, header)
    config, findings = edges(rule(PROFILE)), Findings()
    side = side_of(cells(40), config)
    assert compile_rule(config, 0, 1, side, side, findings) is None
    (problem,) = findings.problems
    assert problem.where == f"curve.csv{where}"
    assert said in f"{problem.message} {problem.hint}"


def test_no_such_file(curve):
    config, findings = edges(rule(PROFILE)), Findings()
    side = side_of(cells(40), config)
    assert compile_rule(config, 0, 1, side, side, findings) is None
    assert "curve.csv" in findings.problems[0].where
