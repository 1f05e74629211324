"""Whole distributions of in- and out-degrees against every law, and against a plain builder.

Nodes differ in what the law gives them, so each degree is put through the distribution function of
its own node (made continuous by a random share of the step): what comes out is uniform when the
law holds, whatever the law. Seeds are fixed.
"""

import numpy as np
import pytest
from rule_nodes import GAUSSIAN, all_edges, builder, cells, rule
from scipy import stats
from test_rules_sample import LAWS, naive_probabilities

N, SEEDS = 160, range(6)
ALPHA = 1e-3
NEAR = {**GAUSSIAN, "sigma": 70, "metric": "3d"}
SIDES = {"in": ("targets", 1), "out": ("sources", 0)}


def degrees(found, side, n=N):
    return np.bincount(getattr(found, SIDES[side][0]).astype(int), minlength=n)


def poisson_binomial(p, most):
    """Distribution of sums of independent trials: [rows, most + 1] from p [rows, trials]."""
    pmf = np.zeros((len(p), most + 1))
    pmf[:, 0] = 1
    for q in p.T:
        pmf[:, 1:] = pmf[:, 1:] * (1 - q[:, None]) + pmf[:, :-1] * q[:, None]
        pmf[:, 0] *= 1 - q
    return pmf


def uniform_scores(counts, cdf, rng):
    """Degrees through their own distribution functions: cdf [nodes, degrees]."""
    nodes = np.arange(len(counts))
    above = cdf[nodes, counts]
    below = np.where(counts > 0, cdf[nodes, np.maximum(counts - 1, 0)], 0)
    return below + rng.random(len(counts)) * (above - below)


def assert_uniform(draws, cdf, what):
    rng = np.random.default_rng(9)
    scores = np.concatenate([uniform_scores(counts, cdf, rng) for counts in draws])
    assert stats.kstest(scores, "uniform").pvalue > ALPHA, what
    observed = np.histogram(scores, 20, (0, 1))[0]
    assert stats.chisquare(observed).pvalue > ALPHA, what


@pytest.mark.parametrize("name", sorted(set(LAWS) - {"all"}))
def test_laws_that_multiply_give_sums_of_independent_trials(name):
    nodes = cells(N)
    probabilities = naive_probabilities(builder(rule(LAWS[name]), nodes), nodes)
    made = {
        naive: [
            all_edges(builder(rule(LAWS[name]), nodes, seed=s, naive=naive))
            for s in (SEEDS if not naive else range(50, 56))
        ]
        for naive in (False, True)
    }
    for side in SIDES:
        p = probabilities if side == "in" else probabilities.T
        cdf = np.minimum(np.cumsum(poisson_binomial(p, N), axis=1), 1)
        found = {naive: [degrees(edges, side) for edges in made[naive]] for naive in made}
        for naive, draws in found.items():
            assert_uniform(draws, cdf, (name, side, naive))
        thinned, plain = (np.concatenate(found[naive]) for naive in (False, True))
        assert stats.ks_2samp(thinned, plain).pvalue > ALPHA


def test_the_check_would_notice():
    """The same scores are far from uniform for a law a tenth off, or one that drops the spread."""
    nodes = cells(N)
    made = [all_edges(builder(rule(LAWS["gaussian"]), nodes, seed=s)) for s in SEEDS]
    p = naive_probabilities(builder(rule(LAWS["gaussian"]), nodes), nodes)
    for wrong in (1.1 * p, np.full_like(p, p.mean())):
        cdf = np.minimum(np.cumsum(poisson_binomial(wrong, N), axis=1), 1)
        with pytest.raises(AssertionError):
            assert_uniform([degrees(found, "in") for found in made], cdf, "")


def common_cdf(distribution, n=N):
    """Every node has one distribution."""
    return np.tile(distribution.cdf(np.arange(2 * n)), (n, 1))


@pytest.mark.parametrize("autapses", [False, True])
@pytest.mark.parametrize("multapses", [False, True])
@pytest.mark.parametrize("law", ["fixed_indegree", "fixed_outdegree"])
def test_fixed_degrees(law, multapses, autapses):
    nodes, k = cells(N), 15
    connect = {"law": law, "count": k, "multapses": multapses}
    made = [all_edges(builder(rule(connect, autapses=autapses), nodes, seed=s)) for s in SEEDS]
    fixed, free = ("in", "out") if law == "fixed_indegree" else ("out", "in")
    assert all((degrees(found, fixed) == k).all() for found in made)
    # Every other node takes a given one with share 1 / partners, k times or at most once.
    partners = N if autapses else N - 1
    law = (
        stats.binom(k * partners, 1 / partners)
        if multapses
        else stats.binom(partners, k / partners)
    )
    assert_uniform([degrees(found, free) for found in made], common_cdf(law), (multapses, autapses))


def weights(nodes):
    place = nodes[["x", "y", "z"]].to_numpy()
    distance = np.linalg.norm(place[:, None] - place[None], axis=2)
    weight = np.exp(-((distance / 70) ** 2))
    np.fill_diagonal(weight, 0)
    return weight


@pytest.mark.parametrize("law", ["fixed_indegree", "fixed_outdegree"])
def test_fixed_degrees_with_a_kernel_and_multapses(law):
    """The free degree of a node is a sum of binomial numbers, one per partner."""
    nodes, k = cells(N), 12
    connect = [{"law": law, "count": k, "multapses": True}, NEAR]
    made = [all_edges(builder(rule(connect), nodes, seed=s)) for s in SEEDS]
    share = weights(nodes)
    share /= share.sum(axis=1, keepdims=True)  # of each chooser's draws
    cdf = np.minimum(np.cumsum(poisson_binomial(np.repeat(share.T, k, axis=1), 100), axis=1), 1)
    free = "out" if law == "fixed_indegree" else "in"
    assert_uniform([degrees(found, free) for found in made], cdf, law)


@pytest.mark.parametrize("law", ["fixed_indegree", "fixed_outdegree"])
def test_fixed_degrees_with_a_kernel_as_a_plain_race(law):
    """Without multapses: the k first of exponential clocks with the kernel as rates (all pairs)."""
    nodes, k, rng = cells(N), 12, np.random.default_rng(3)
    connect = [{"law": law, "count": k}, NEAR]
    free = "out" if law == "fixed_indegree" else "in"
    ours = np.array([
        degrees(all_edges(builder(rule(connect), nodes, seed=s)), free) for s in range(12)
    ])  # fmt: skip
    with np.errstate(divide="ignore"):
        mean = 1 / weights(nodes)
    theirs = []
    for _ in range(60):
        chosen = np.argpartition(rng.exponential(size=(N, N)) * mean, k, axis=1)[:, :k]
        theirs.append(np.bincount(chosen.ravel(), minlength=N))
    theirs = np.array(theirs)
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > ALPHA
    # Node by node: standardised means are unit normal.
    score = (ours.mean(axis=0) - theirs.mean(axis=0)) / np.sqrt(
        theirs.var(axis=0, ddof=1) * (1 / len(ours) + 1 / len(theirs))
    )
    assert ALPHA < stats.chi2.sf((score**2).sum(), N) < 1 - ALPHA


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("autapses", [False, True])
@pytest.mark.parametrize("multapses", [False, True])
def test_fixed_total(multapses, autapses, side):
    nodes, total = cells(N), 3200
    connect = {"law": "fixed_total", "count": total, "multapses": multapses}
    made = [all_edges(builder(rule(connect, autapses=autapses), nodes, seed=s)) for s in SEEDS]
    assert all(len(found.sources) == total for found in made)
    partners = N if autapses else N - 1
    law = stats.binom(total, 1 / N) if multapses else stats.hypergeom(N * partners, partners, total)
    assert_uniform([degrees(found, side) for found in made], common_cdf(law), (multapses, autapses))


@pytest.mark.parametrize("side", SIDES)
def test_laws_without_chance(side, tmp_path):
    nodes = cells(N)
    for autapses in (False, True):
        found = all_edges(builder(rule({"law": "all_to_all"}, autapses=autapses), nodes))
        assert (degrees(found, side) == N - (not autapses)).all()
    found = all_edges(builder(rule({"law": "one_to_one"}), nodes, cells(N, 2)))
    assert (degrees(found, side) == 1).all()
    rng = np.random.default_rng(4)
    listed = np.unique(rng.integers(0, N, (500, 2)), axis=0)
    table = tmp_path / "pairs.csv"
    table.write_text("source,target\n" + "".join(f"{s},{t}\n" for s, t in listed))
    found = all_edges(builder(rule({"law": "table", "file": str(table)}, autapses=True), nodes))
    wanted = np.bincount(listed[:, SIDES[side][1]], minlength=N)
    np.testing.assert_array_equal(degrees(found, side), wanted)
