"""Pruning of touches: against a naive reference, and its targets on geometric counts."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.touches import Pruning
from pipeline.edges.touch import solve
from pipeline.edges.touch.arrays import TOUCH
from pipeline.edges.touch.pathways import Measured, PathwayRules, mean_touches, solve_pathways
from pipeline.edges.touch.pruning import (
    FEW,
    GENERAL,
    KEEP_CONNECTION,
    KEEP_TOUCH,
    KEPT,
    RESERVE,
    expected_left,
    prune,
)
from pipeline.philox import rule_key, uniforms_array

KEY = rule_key(4, "touches/test")


def touches_of(sizes, post_of=lambda pair: pair):
    """One source per pair: TOUCH records with given numbers of touches."""
    touches = np.zeros(int(np.sum(sizes)), TOUCH)
    touches["pre"] = np.repeat(np.arange(len(sizes)), sizes)
    touches["post"] = post_of(touches["pre"])
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    touches["order"] = np.arange(len(touches)) - starts
    return touches


def one_type(f1, mu, active):
    """Parameters and cells of a single pathway."""
    arrays = {"f1": f1, "mu": mu, "A": active}
    return SimpleNamespace(**{name: np.full((1, 1), float(v)) for name, v in arrays.items()})


def naive(touches, f1, mu, active):
    """The three steps, connection by connection, in plain Python."""
    fates = {}
    for index, touch in enumerate(touches):
        both = uniforms_array(KEY, touch["pre"], touch["post"], KEEP_TOUCH, touch["order"] // 2)
        u = both[touch["order"] % 2]
        fates[index] = KEPT if float(u) < f1 else GENERAL
    for pair in {(int(t["pre"]), int(t["post"])) for t in touches}:
        mine = [i for i, t in enumerate(touches) if (t["pre"], t["post"]) == pair]
        k = sum(fates[i] == KEPT for i in mine)
        second, third = (float(u) for u in uniforms_array(KEY, *pair, KEEP_CONNECTION))
        stays = 1.0 if mu == 0 else 1 / (1 + np.exp(np.clip(-16 / mu * (k - mu), None, 700)))
        for i in mine:
            if fates[i] == KEPT and not second < stays:
                fates[i] = FEW
            elif fates[i] == KEPT and not third < active:
                fates[i] = RESERVE
    return np.array([fates[i] for i in range(len(touches))])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=12),
    st.floats(0, 1), st.floats(0, 6), st.floats(0, 1),
)  # fmt: skip
def test_prune_is_the_naive_reference(sizes, f1, mu, active):
    touches = touches_of(sizes, lambda pre: pre[::-1] % 3)
    order = np.lexsort((touches["order"], touches["post"], touches["pre"]))
    touches = touches[order]
    cells = SimpleNamespace(mtype=np.zeros(max(len(sizes), 3), np.int16))
    found = prune(touches, cells, one_type(f1, mu, active), KEY)
    assert found.tolist() == naive(touches, f1, mu, active).tolist()


def test_fates_do_not_depend_on_what_else_is_there():
    touches = touches_of([4, 7, 2, 9])
    cells = SimpleNamespace(mtype=np.zeros(4, np.int16))
    whole = prune(touches, cells, one_type(0.6, 2.0, 0.7), KEY)
    part = prune(touches[touches["pre"] == 3], cells, one_type(0.6, 2.0, 0.7), KEY)
    assert part.tolist() == whole[touches["pre"] == 3].tolist()


def geometric(mean, pairs, seed=1):
    return np.random.default_rng(seed).geometric(1 / mean, pairs)


def measured_left(sizes, steps, active=1.0):
    """Mean, cv and fraction of touches that real pruning leaves."""
    touches = touches_of(sizes)
    cells = SimpleNamespace(mtype=np.zeros(len(sizes), np.int16))
    reasons = prune(touches, cells, one_type(*steps, active), KEY)
    left = np.bincount(touches["pre"], reasons == KEPT)
    left = left[left > 0]
    return left.mean(), left.std() / left.mean(), left.sum() / len(touches)


@pytest.mark.parametrize(("touches", "n", "c"), [(8, 4, 0.25), (20, 13, 0.25), (10, 12.3, 0.52)])
def test_mean_and_cv_come_out_on_geometric_counts(touches, n, c):
    """Targets of the 2015 recipe; the formulas are approximate, a logistic threshold is no step."""
    steps = solve.from_mean_and_cv(touches, n, c)
    mean, cv, _ = measured_left(geometric(touches, 60_000), steps)
    assert mean == pytest.approx(n, rel=0.05)
    assert cv == pytest.approx(c, abs=0.05)


@pytest.mark.parametrize("touches", [2.0, 5.0, 20.0])
def test_active_fraction_and_reduction_come_out(touches):
    """With (B, c, a) steps 1 and 2 leave B / a, so that step 3 keeps the fraction a."""
    b, c, a = 0.06, 0.25, 0.5
    steps = solve.from_active_fraction(touches, b, c, a)
    sizes = geometric(touches, 60_000)
    _, cv, r = measured_left(sizes, steps)
    assert r == pytest.approx(b / a, rel=0.06)
    assert cv == pytest.approx(c, abs=0.05)
    kept = measured_left(sizes, steps, min(1.0, b / r))[2]
    assert kept == pytest.approx(b, rel=0.05)


def test_mean_and_sd_come_out():
    steps = solve.from_mean_and_sd(12.0, 6.0, 2.0)
    mean, cv, _ = measured_left(geometric(12.0, 60_000), steps)
    assert mean == pytest.approx(6.0, rel=0.08)
    assert cv * mean == pytest.approx(2.0, rel=0.15)


def test_expectation_is_what_pruning_does():
    sizes = geometric(6.0, 40_000)
    counts = np.bincount(sizes)
    left = solve.what_is_left(counts, solve.Steps(0.4, 2.5))
    mean, cv, r = measured_left(sizes, solve.Steps(0.4, 2.5))
    assert (left.n, left.cv, left.r) == pytest.approx((mean, cv, r), rel=0.03)


@settings(max_examples=30, deadline=None)
@given(st.floats(1.0, 40.0), st.floats(1.0, 20.0), st.floats(0.1, 0.6), st.floats(0.01, 1.0))
def test_steps_are_probabilities(touches, n, c, b):
    for steps in (
        solve.from_mean_and_cv(touches, n, c), solve.from_mean_and_sd(touches, n, c * n),
        solve.from_active_fraction(touches, b, c, 0.5),
    ):  # fmt: skip
        assert 0.0 <= steps.f1 <= 1.0 and 0.0 <= steps.mu < 1e4


@settings(max_examples=20, deadline=None)
@given(st.floats(1.3, 12.0), st.floats(2.0, 14.0), st.floats(0.02, 0.3))
def test_c_gives_way_before_n(touches, n, b):
    """B is met with the wanted mean, or a quarter of B with a smaller one."""
    p = 1 / touches
    k = np.arange(1, 150)
    counts = np.append(0, np.rint(1e6 * p * (1 - p) ** (k - 1))).astype(np.int64)
    steps = solve.from_mean_and_cv(touches, n, 0.2)
    if solve.what_is_left(counts, steps).r >= b:
        return
    left = solve.what_is_left(counts, solve.give_way(counts, steps, n, b))
    assert left.r == pytest.approx(b, rel=0.02) or left.r >= solve.LEAST_PART * b * 0.98
    if left.r >= 0.98 * b:
        assert left.n == pytest.approx(n, rel=0.02) or left.n < n


def test_expected_left_of_certain_steps():
    counts = np.array([0, 3, 0, 2])
    assert expected_left(counts, 1.0, 0.0) == (5.0, 9.0, 21.0)
    assert expected_left(counts, 0.0, 0.0) == (0.0, 0.0, 0.0)


def sampled(numbers):
    """Measured counts from {(pre, post): sizes} of two m-types."""
    counts = np.zeros((2, 2, 60), np.int64)
    for (pre, post), sizes in numbers.items():
        counts[pre, post] += np.bincount(np.minimum(sizes, 59), minlength=60)
    return Measured(counts, np.array([10, 10]), np.array([1e5, 1e5]))


def rules_of(rows, row):
    """Compiled rules from dicts of numbers."""
    names = ("B", "n", "sd", "c", "a")
    numbers = {k: np.array([r.get(k, np.nan) for r in rows], float) for k in names}
    return PathwayRules(np.array(row), numbers, [r.get("n_law", "") for r in rows], None)


def test_few_pairs_take_the_mean_of_their_neighbours():
    measured = sampled({(0, 0): [4] * 30, (0, 1): [9, 9]})
    same = mean_touches(measured, np.array([False, False]), 20)
    assert same[0].tolist() == pytest.approx([4.0, (120 + 18) / 32])
    assert same[1].tolist() == pytest.approx([(120 + 18) / 32] * 2)


def test_bouton_density_comes_out_although_one_pathway_is_rare():
    """A type's density holds: the pathway that cannot give its share is made up for."""
    measured = sampled({(0, 0): geometric(6, 4000), (0, 1): geometric(2, 4000, 2)})
    table = [{"B": 0.1, "c": 0.25, "a": 0.5}, {"B": 0.1, "n": 30.0, "c": 0.1}]
    rules = rules_of(table, [[0, 1], [-1, -1]])
    config = Pruning(rules="x", bouton_density=0.02, synapses_per_bouton=1.0)
    found = solve_pathways(measured, rules, config, np.zeros(2, bool))
    kept = (measured.touches[0] * found.kept[0]).sum() / measured.axon[0]
    assert kept == pytest.approx(0.02, rel=0.02)
    assert "n " in found.status[0, 1] and found.B[0, 0] > found.kept[0, 1]
    assert found.kept[1].tolist() == [0.0, 0.0]


def test_chandelier_keeps_all():
    measured = sampled({(0, 0): geometric(3, 500), (0, 1): geometric(3, 500)})
    rules = rules_of([{"B": 1.0, "c": 10.0, "a": 1.0}], [[0, 0], [0, 0]])
    config = Pruning(rules="x", bouton_density=0.01)
    found = solve_pathways(measured, rules, config, np.zeros(2, bool))
    assert found.f1[0, 0] == found.A[0, 0] == 1.0 and found.mu[0, 0] == 0.0
