"""Fixed in-degrees, out-degrees and totals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_nodes import GAUSSIAN, all_edges, builder, cells, rule
from scipy import stats

from pipeline.edges.rules.degree import spread_total
from pipeline.errors import CircuitError, ConfigError

FAR = {**GAUSSIAN, "sigma": 60, "metric": "3d"}


def degrees(found, nodes, side):
    return np.bincount(getattr(found, side).astype(int), minlength=len(nodes))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["fixed_indegree", "fixed_outdegree"]), st.integers(1, 29), st.booleans(),
    st.booleans(), st.integers(0, 99),
)  # fmt: skip
def test_degrees_are_exact(law, count, multapses, autapses, seed):
    nodes = cells(30, seed)
    connect = [{"law": law, "count": count, "multapses": multapses}]
    found = all_edges(builder(rule(connect, autapses=autapses), nodes, seed=seed))
    side = "targets" if law == "fixed_indegree" else "sources"
    assert (degrees(found, nodes, side) == count).all()
    pairs = np.column_stack((found.targets, found.sources))
    if not multapses:
        assert len(np.unique(pairs, axis=0)) == len(pairs)
    if not autapses:
        assert (found.targets != found.sources).all()
    assert (np.lexsort((found.sources, found.targets)) == np.arange(len(pairs))).all()


@pytest.mark.parametrize(
    "law, other", [("fixed_indegree", "sources"), ("fixed_outdegree", "targets")]
)
@pytest.mark.parametrize("multapses", [False, True])
def test_partners_are_uniform(law, other, multapses):
    nodes = cells(400)
    connect = {"law": law, "count": 40, "multapses": multapses}
    found = all_edges(builder(rule(connect, autapses=True), nodes))
    counts = degrees(found, nodes, other)
    share = 1 / 400 if multapses else 40 / 400
    trials = 400 * 40 if multapses else 400
    variance = trials * share * (1 - share)
    assert counts.mean() == 40
    assert stats.chi2.sf(((counts - 40) ** 2).sum() / variance, 399) > 1e-4
    assert stats.chi2.cdf(((counts - 40) ** 2).sum() / variance, 399) > 1e-4


@pytest.mark.parametrize("law", ["fixed_indegree", "fixed_outdegree"])
def test_partners_follow_the_kernel(law):
    """With multapses partners are independent draws in proportion to the kernel."""
    nodes = cells(500)
    connect = [{"law": law, "count": 60, "multapses": True}, FAR]
    found = all_edges(builder(rule(connect), nodes))
    place = nodes[["x", "y", "z"]].to_numpy()
    distance = np.linalg.norm(place[:, None] - place[None, :], axis=2)
    weight = np.exp(-((distance / 60) ** 2))
    np.fill_diagonal(weight, 0)
    weight *= 60 / weight.sum(axis=1, keepdims=True)
    if law == "fixed_outdegree":
        weight = weight.T
    bins = np.digitize(distance, np.linspace(0, 150, 16)[1:])
    expected = np.bincount(bins.ravel(), weight.ravel(), 16)
    dense = np.zeros((500, 500))
    np.add.at(dense, (found.targets.astype(int), found.sources.astype(int)), 1)
    observed = np.bincount(bins.ravel(), dense.ravel(), 16)
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-4


def test_exhausted_partners_are_finished_exactly():
    """Wanting all partners but one: successive sampling leaves out the far ones most often."""
    nodes = cells(25)
    connect = [{"law": "fixed_indegree", "count": 23}, {**FAR, "sigma": 25}]
    found = all_edges(builder(rule(connect), nodes))
    assert (degrees(found, nodes, "targets") == 23).all()
    pairs = np.column_stack((found.targets, found.sources))
    assert len(np.unique(pairs, axis=0)) == len(pairs)


def test_counts_by_classes():
    nodes = cells(500)
    values = {"a": {"*": 12}, "b": {"*": 5}, "c": {"*": 0}}
    count = {"values": values, "source_by": "pop", "target_by": "ei"}
    found = all_edges(builder(rule({"law": "fixed_indegree", "count": count}), nodes))
    labels = nodes["pop"].to_numpy()[found.sources.astype(int)]
    for pop, wanted in (("a", 12), ("b", 5), ("c", 0)):
        mine = np.bincount(found.targets[labels == pop].astype(int), minlength=500)
        assert (mine == wanted).all()


@pytest.mark.parametrize("multapses", [False, True])
def test_total_is_exact_and_uniform(multapses):
    nodes = cells(300)
    connect = {"law": "fixed_total", "count": 9000, "multapses": multapses}
    found = all_edges(builder(rule(connect), nodes))
    assert len(found.sources) == 9000
    assert (found.sources != found.targets).all()
    pairs = np.column_stack((found.targets, found.sources))
    assert (len(np.unique(pairs, axis=0)) == 9000) != multapses
    for side in ("sources", "targets"):
        counts = degrees(found, nodes, side)
        share = 1 / 300
        room = 1.0 if multapses else 1 - 9000 / (300 * 299)
        score = ((counts - 30) ** 2).sum() / (9000 * share * (1 - share) * room) * (1 - share)
        assert 1e-4 < stats.chi2.sf(score, 299) < 1 - 1e-4


def test_totals_by_classes():
    nodes = cells(300)
    values = {"e": {"e": 500, "i": 70}, "i": {"e": 60, "i": 0}}
    count = {"values": values, "source_by": "ei", "target_by": "ei"}
    found = all_edges(builder(rule({"law": "fixed_total", "count": count}), nodes))
    labels = nodes["ei"].to_numpy()
    for pre, row in values.items():
        for post, wanted in row.items():
            chosen = labels[found.sources.astype(int)] == pre
            assert (chosen & (labels[found.targets.astype(int)] == post)).sum() == wanted


def test_spread_of_totals_is_hypergeometric():
    rooms = np.array([3, 5, 2])
    draws = np.array(
        [spread_total(4, rooms, False, np.random.default_rng(seed)) for seed in range(4000)]
    )
    assert (draws.sum(axis=1) == 4).all()
    assert (draws <= rooms).all()
    for column, room in zip(draws.T, rooms, strict=True):
        expected = stats.hypergeom.pmf(np.arange(room + 1), 10, room, 4) * 4000
        observed = np.bincount(column, minlength=room + 1)
        kept = expected > 5
        fit = stats.chisquare(
            observed[kept], expected[kept] * observed[kept].sum() / expected[kept].sum()
        )
        assert fit.pvalue > 1e-4


def test_one_to_one_and_unequal_sides():
    nodes, other = cells(50), cells(50, 2)
    found = all_edges(builder(rule({"law": "one_to_one"}), nodes, other))
    np.testing.assert_array_equal(found.sources, found.targets)
    with pytest.raises(ConfigError, match="50 sources and 40 targets"):
        builder(rule({"law": "one_to_one"}), nodes, cells(40))


def test_unreachable_degree_names_the_node():
    nodes = cells(60)
    box = {"law": "box", "high": 30, "metric": "3d"}
    made = builder(rule([{"law": "fixed_indegree", "count": 10}, box]), nodes)
    with pytest.raises(CircuitError, match="node .* needs 10 sources but only"):
        all_edges(made)


def test_out_degree_bands_do_not_matter():
    nodes = cells(300)
    connect = [{"law": "fixed_outdegree", "count": 20}, FAR]
    whole = all_edges(builder(rule(connect), nodes))
    made = builder(rule(connect), nodes)
    for draw in made.draws:
        draw.memory = 20_000
    banded = all_edges(made, most=500)
    np.testing.assert_array_equal(whole.sources, banded.sources)
    np.testing.assert_array_equal(whole.targets, banded.targets)
