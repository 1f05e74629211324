"""Thinned sampling against the law, the naive builder, and invariants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from law_oracle import pair_probabilities
from rule_nodes import GAUSSIAN, HALF, all_edges, builder, cells, rule
from scipy import stats

from pipeline.edges.rules.random import ACCEPT
from pipeline.philox import uniforms_array

MATRIX = {
    "law": "probability",
    "value": {
        "values": {
            "a": {"a": 0.4, "b": 0.05, "c": 0.0},
            "b": {"a": 0.9, "b": 0.2, "c": 0.01},
            "c": {"a": 0.0, "b": 0.6, "c": 0.3},
        },
        "source_by": "pop",
        "target_by": "pop",
    },
}
LAWS = {
    "constant": [{"law": "probability", "value": 0.1}],
    "matrix": [MATRIX],
    "gaussian": [HALF, GAUSSIAN],
    "gaussian-2sigma2": [HALF, {**GAUSSIAN, "convention": "2sigma2", "metric": "3d", "sigma": 40}],
    "matrix-gaussian-tuning": [MATRIX, GAUSSIAN, {"law": "tuning", "ratio": 0.5}],
    "exponential": [HALF, {"law": "exponential", "length": 30, "metric": "3d"}],
    "linear": [HALF, {"law": "linear", "reach": 100, "metric": "vertical"}],
    "box": [HALF, {"law": "box", "low": 50, "high": 120}],
    "bell": [HALF, GAUSSIAN, {"law": "tuning_bell", "width": 20, "floor": 0.1}],
    "logistic": [{"law": "logistic", "intercept": -1, "distance": -0.02, "tuning": -0.02}],
    "all": [{"law": "all_to_all"}],
}


def naive_probabilities(made, nodes, target=None):
    """Probability of every pair by NumPy: [targets, sources]; 0 on the diagonal of one population."""
    compiled, there = made.network.rules[0], made.network.source.points
    here = made.network.target.points
    t, s = np.meshgrid(np.arange(len(here)), np.arange(len(there)), indexing="ij")
    angle = np.abs(here[t.ravel(), 3] - there[s.ravel(), 3]) % 360
    p = pair_probabilities(
        compiled.law, compiled.source.codes[s.ravel()], compiled.target.codes[t.ravel()],
        here[t.ravel(), :3] - there[s.ravel(), :3], np.minimum(angle, 360 - angle),
    ).reshape(t.shape)  # fmt: skip
    if compiled.skip_self:
        np.fill_diagonal(p, 0)
    return p


def z_score(found, p):
    """Distance of counts from the sum of independent Bernoulli trials, in standard deviations."""
    sd = np.sqrt((p * (1 - p)).sum())
    return 0.0 if sd < 1e-12 and found == p.sum() else (found - p.sum()) / max(sd, 1e-12)


@pytest.mark.parametrize("name", LAWS)
def test_counts_profile_and_degrees_follow_the_law(name):
    nodes = cells(1200)
    made = builder(rule(LAWS[name]), nodes)
    found = all_edges(made)
    p = naive_probabilities(made, nodes)
    dense = np.zeros(p.shape, bool)
    dense[found.targets.astype(int), found.sources.astype(int)] = True
    assert dense.sum() == len(found.sources), "a pair was drawn twice"
    assert not dense[p == 0].any()
    labels = nodes["pop"].to_numpy()
    for post in "abc":
        for pre in "abc":
            block = np.ix_(labels == post, labels == pre)
            assert abs(z_score(dense[block].sum(), p[block])) < 4.4, (pre, post)
    # Distance profile and both degrees: standardised counts are unit normal when the law holds.
    place = nodes[["x", "y", "z"]].to_numpy()
    distance = np.linalg.norm(place[:, None] - place[None, :], axis=2)
    bins = np.digitize(distance, np.quantile(distance, np.linspace(0, 1, 25)[1:-1]))
    groups = [(dense[bins == b].sum(), p[bins == b]) for b in range(24)]
    for table in (groups, list(zip(dense.sum(axis=0), p.T, strict=True)),
                  list(zip(dense.sum(axis=1), p, strict=True))):  # fmt: skip
        scores = np.array([z_score(n, q) for n, q in table if (q * (1 - q)).sum() > 5])
        if len(scores):
            assert stats.chi2.sf((scores**2).sum(), len(scores)) > 1e-4
            assert stats.chi2.cdf((scores**2).sum(), len(scores)) > 1e-5


def test_naive_mode_is_the_pairwise_evaluation_exactly():
    nodes = cells(300)
    made = builder(rule(LAWS["matrix-gaussian-tuning"]), nodes, naive=True)
    found = all_edges(made)
    p = naive_probabilities(made, nodes)
    ids = np.arange(300)
    u, _ = uniforms_array(made.network.rules[0].key, ids[None, :], ids[:, None], ACCEPT)
    targets, sources = np.nonzero(u < p)
    np.testing.assert_array_equal(found.targets, targets)
    np.testing.assert_array_equal(found.sources, sources)


def test_thinned_and_naive_agree_over_many_seeds():
    nodes = cells(150)
    law = [HALF, {**GAUSSIAN, "sigma": 30}, {"law": "tuning", "ratio": 0.5}]
    sums = {}
    for naive in (False, True):
        sums[naive] = [
            len(all_edges(builder(rule(law), nodes, seed=seed, naive=naive)).sources)
            for seed in range(60)
        ]
    assert stats.ks_2samp(sums[False], sums[True]).pvalue > 1e-4
    p = naive_probabilities(builder(rule(law), nodes), nodes)
    sd = np.sqrt((p * (1 - p)).sum() / 60)
    assert abs(np.mean(sums[False]) - p.sum()) < 4.4 * sd
    assert stats.chi2.sf(59 * np.var(sums[False], ddof=1) / (sd**2 * 60), 59) > 1e-4


def test_far_tail_is_not_cut():
    """Two clouds 6 sigma apart: the few edges between them are all in the tail."""
    near, far = cells(3000, 1, 5.0, 1.0), cells(3000, 2, 5.0, 1.0)
    far["x"] += 360.0
    law = [{"law": "probability", "value": 1.0}, {**GAUSSIAN, "sigma": 90}]
    found = [len(all_edges(builder(rule(law), near, far, seed=s)).sources) for s in range(20)]
    made = builder(rule(law), near, far)
    expected = 20 * naive_probabilities(made, near, far).sum()
    assert expected > 5
    assert stats.poisson.cdf(sum(found), expected) > 1e-4
    assert stats.poisson.sf(sum(found) - 1, expected) > 1e-4


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(LAWS)), st.integers(0, 1000), st.integers(1, 120), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_invariants(name, seed, n, autapses, naive):
    nodes = cells(max(n, 12), seed)
    nodes.loc[:2, "pop"] = ["a", "b", "c"]
    made = builder(rule(LAWS[name], autapses=autapses), nodes, seed=seed, naive=naive)
    found = all_edges(made)
    pairs = np.column_stack((found.targets, found.sources)).astype(int)
    assert (np.lexsort((pairs[:, 1], pairs[:, 0])) == np.arange(len(pairs))).all()
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    p = naive_probabilities(made, nodes)
    assert (p[pairs[:, 0], pairs[:, 1]] > 0).all()
    certain = np.argwhere(p >= 1)
    assert {*map(tuple, certain)} <= {*map(tuple, pairs)}
    if not autapses:
        assert (pairs[:, 0] != pairs[:, 1]).all()


def test_rules_do_not_disturb_each_other():
    nodes = cells(200)
    first, second = rule([HALF, GAUSSIAN], "one"), rule(LAWS["matrix"], "two")
    alone = all_edges(builder([first], nodes))
    both = all_edges(builder([second, first], nodes))
    mine = both.types >= both.types.max()
    np.testing.assert_array_equal(both.sources[mine], alone.sources)
    np.testing.assert_array_equal(both.targets[mine], alone.targets)
    order = np.lexsort((both.types, both.sources, both.targets))
    np.testing.assert_array_equal(order, np.arange(len(order)))


def test_plan_is_near_the_outcome():
    nodes = cells(3000)
    synapse = {"nsyns": {"law": "uniform_integer", "low": 3, "high": 7}}
    for name, law in LAWS.items():
        made = builder(rule(law, synapse=synapse), nodes)
        expected, found = made.expected(), all_edges(made)
        assert expected.edges == pytest.approx(len(found.sources), rel=0.05), name
        assert expected.synapses == pytest.approx(found.columns["nsyns"].sum(), rel=0.05), name
