"""Probabilities: numba against NumPy, bounds over boxes, and the published V1 numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from law_oracle import pair_probabilities
from rule_nodes import cells, edges, rule

from pipeline.config.laws import LAWS
from pipeline.config.laws.gaussian import corrected_amplitude
from pipeline.config.laws.tuning import lowered_tuning
from pipeline.edges.rules.compile import compile_rule, side_of
from pipeline.edges.rules.laws import Law, box_bound, pair_probability
from pipeline.edges.rules.tables import Findings

METRICS = ("lateral", "vertical", "3d")
FACTORS = [
    {"law": "probability", "value": 0.3},
    *({"law": "gaussian", "sigma": 60, "convention": c, "metric": m}
      for c in ("sigma2", "2sigma2") for m in METRICS),
    *({"law": "exponential", "length": 60, "metric": m} for m in METRICS),
    *({"law": "linear", "reach": 120, "metric": m} for m in METRICS),
    *({"law": "box", "low": 20, "high": 90, "metric": m} for m in METRICS),
    {"law": "tuning", "ratio": 0.5},
    {"law": "tuning", "ratio": 2.5},
    {"law": "tuning_bell", "width": 30, "floor": 0.2},
    {"law": "tuning_bell", "width": 50, "fold": 180},
    {"law": "logistic", "intercept": -1, "distance": -0.02, "tuning": -0.01},
    {"law": "logistic", "intercept": -1, "distance": 0.01, "tuning": 0.02, "metric": "3d"},
    *({"law": kind.name} | keys for kind in LAWS for keys in kind.model.EXAMPLES),
]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def curve(tmp_path_factory):
    """Examples name a file; it rises and falls."""
    folder = tmp_path_factory.mktemp("curve")
    (folder / "curve.csv").write_text("distance,factor\n0,0.2\n30,0.9\n45,0.1\n90,0.6\n150,0\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


def test_every_law_has_examples():
    assert [kind.name for kind in LAWS if not kind.model.EXAMPLES] == []


def law_of(connect) -> Law:
    nodes = cells(40)
    config, findings = edges(rule(connect)), Findings()
    side = side_of(nodes, config)
    compiled = compile_rule(config, 0, 1, side, side, findings)
    assert not findings.problems
    return compiled.law


@pytest.mark.parametrize("factor", FACTORS, ids=lambda f: "-".join(map(str, f.values())))
def test_numba_and_numpy_agree(factor):
    law = law_of([factor, {"law": "probability", "value": 0.7}])
    rng = np.random.default_rng(2)
    offset, angle = rng.normal(0, 70, (300, 3)), 180 * rng.random(300)
    zeros = np.zeros(300, int)
    expected = pair_probabilities(law, zeros, zeros, offset, angle)
    found = [pair_probability(law, 0, 0, *o, a) for o, a in zip(offset, angle, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)
    assert 0 <= min(found) and max(found) <= 1


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FACTORS), st.sampled_from(FACTORS), st.integers(0, 2**32 - 1))
def test_bounds_hold(first, second, seed):
    law = law_of([first, second] if first != second else [first])
    rng = np.random.default_rng(seed)
    centre, width = rng.normal(0, 100, 3), 10 ** rng.uniform(-1, 2, 3)
    points = centre + width * rng.random((20, 3))
    target = rng.normal(0, 100, 3)
    box = np.concatenate((points.min(axis=0), points.max(axis=0)))
    high, low = (box_bound(law, box[None], 0, 0, 0, *target, upper) for upper in (True, False))
    angles = np.concatenate((180 * rng.random(18), [0.0, 90.0]))
    zeros = np.zeros(20, int)
    p = pair_probabilities(law, zeros, zeros, target - points, angles)
    assert p.max() <= high * (1 + 1e-12)
    assert low <= high


def test_gaussian_conventions():
    plain = law_of({**FACTORS[1], "convention": "sigma2", "metric": "lateral"})
    half = law_of({**FACTORS[1], "convention": "2sigma2", "metric": "lateral"})
    assert pair_probability(plain, 0, 0, 60.0, 5.0, 0.0, 0.0) == pytest.approx(np.exp(-1))
    assert pair_probability(half, 0, 0, 0.0, 5.0, 60.0, 0.0) == pytest.approx(np.exp(-0.5))


@pytest.mark.parametrize(
    "mean, sigma, peak",
    [(0.243, 114, 0.299), (0.160, 114, 0.197), (0.437, 95, 0.587), (0.857, 120, 1.035)],
    ids=["e4-e4", "e2-e2", "i4P-e4", "Sst-Pvalb"],
)
def test_amplitude_correction_gives_published_values(mean, sigma, peak):
    assert corrected_amplitude(mean, sigma, 75.0) == pytest.approx(peak, abs=6e-4)
    r = np.linspace(0, 75, 20001)
    profile = corrected_amplitude(mean, sigma, 75.0) * np.exp(-((r / sigma) ** 2))
    assert np.trapezoid(profile * 2 * r, r) / 75**2 == pytest.approx(mean, rel=1e-6)


def test_tuning_rule_means_one_and_is_lowered():
    for ratio in (0.5, 0.8):
        b1, slope = lowered_tuning(np.array([ratio]), np.array([0.2]))
        assert b1[0] + 45 * slope[0] == pytest.approx(1)
        assert (b1[0] + 90 * slope[0]) / b1[0] == pytest.approx(ratio)
    b1, slope = lowered_tuning(np.array([0.5]), np.array([0.9]))
    assert 0.9 * b1[0] == pytest.approx(1)
    assert b1[0] + 90 * slope[0] == pytest.approx(2 / 3 + 4 / 3 - 1 / 0.9)
    b1, slope = lowered_tuning(np.array([np.nan]), np.array([0.9]))
    assert (b1[0], slope[0]) == (1, 0)
