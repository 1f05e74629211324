"""Choosing morphologies: rules, scores against a loop, draws, quaternions, mistakes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipeline.config.placement_rules import PlacementRule, read_rules
from pipeline.errors import CircuitError, ConfigError
from pipeline.nodes.fit import Fit, draw, fit, rule_score
from pipeline.nodes.shape_choice import quaternions, read_shapes
from pipeline.report.column_plots import rotated

LAYERS = {"L1": [0.0, 165.0], "L5": [857.0, 1382.0]}


# Scores


def naive(rules, y, axon, dendrite, overshoot):
    """Score, strict score and mean optional score of one cell and all morphologies, by the book."""
    found = []
    for rule in rules:
        row = []
        for low, high in axon if rule.neurite == "axon" else dendrite:
            low, high = y + low, y + high
            if math.isnan(low):
                row.append(None)
            elif rule.kind == "below":
                row.append(1 - max((high - rule.high) / overshoot, 0))
            else:
                both = max(0.0, min(high, rule.high) - max(low, rule.low))
                lengths = (high - low, rule.high - rule.low)
                of = min(lengths) if rule.kind == "region_target" else max(lengths)
                row.append(min(both / of, 1.0) if of > 0 else 0.0)
        found.append(row)
    limits = [row for rule, row in zip(rules, found, strict=True) if rule.kind == "below"]
    every = range(len(axon))
    left = [m for m in every if all(row[m] is None or row[m] > 0 for row in limits)] or every
    usable = []
    for rule, row in zip(rules, found, strict=True):
        met = rule.kind == "below" or any(row[m] is not None and row[m] >= 1e-5 for m in left)
        if met and rule.kind != "below":
            left = [m for m in left if row[m] is None or row[m] >= 1e-5]
        usable.append(met)
    out = []
    for m in range(len(axon)):
        strict, optional = [1.0], []
        for rule, row, use in zip(rules, found, usable, strict=True):
            if row[m] is not None and use:
                (strict if rule.kind == "below" else optional).append(row[m])
        mean = 1.0
        if any(s < 1e-5 for s in optional):
            mean = 0.0
        elif optional:
            mean = len(optional) / sum(1 / s for s in optional)
        out.append(
            (max(min(strict), 0) * mean, min(strict), np.mean(optional) if optional else 1.0)
        )
    return out, [not use for use in usable]


numbers = st.floats(-1500, 1500, allow_nan=False).map(lambda v: round(v, 3))
extents = st.lists(
    st.one_of(st.tuples(numbers, st.floats(0, 900)).map(lambda p: (p[0], p[0] + p[1])),
              st.just((math.nan, math.nan))),
    min_size=1, max_size=5,
)  # fmt: skip
rules_of_one_type = st.lists(
    st.tuples(
        st.sampled_from(["below", "region_target", "region_occupy"]),
        st.sampled_from(["axon", "dendrite"]), numbers, st.floats(0.1, 800),
    ), max_size=5,
)  # fmt: skip


@given(rules_of_one_type, st.lists(numbers, min_size=1, max_size=4), st.data())
@settings(max_examples=150, deadline=None)
def test_scores_agree_with_a_loop(raw, heights, data):
    rules = [
        PlacementRule(kind, neurite, -math.inf if kind == "below" else low, low + size, "", "")
        for kind, neurite, low, size in raw
    ]
    axon = data.draw(extents)
    dendrite = data.draw(extents)
    n = min(len(axon), len(dendrite))
    axon, dendrite = axon[:n], dendrite[:n]
    arrays = {"axon": np.array(axon), "dendrite": np.array(dendrite)}
    found = fit(rules, np.array(heights), arrays, 30.0)
    unmet = np.zeros(len(rules), int)
    for cell, y in enumerate(heights):
        expected, left = naive(rules, y, axon, dendrite, 30.0)
        unmet += np.array(left, int)
        ours = np.column_stack((found.score, found.strict, found.optional)).reshape(
            len(heights), 3, n
        )[cell]
        np.testing.assert_allclose(ours.T, expected, rtol=1e-9, atol=1e-12)
    assert found.unmet.tolist() == unmet.tolist()


@given(rules_of_one_type, st.lists(numbers, min_size=1, max_size=4), extents, st.data())
@settings(max_examples=60, deadline=None)
def test_morphologies_that_are_not_allowed_are_as_if_not_there(raw, heights, axon, data):
    rules = [
        PlacementRule(kind, neurite, -math.inf if kind == "below" else low, low + size, "", "")
        for kind, neurite, low, size in raw
    ]
    n, y = len(axon), np.array(heights)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    mask[data.draw(st.integers(0, n - 1))] = True
    arrays = {"axon": np.array(axon), "dendrite": np.array(axon)}
    some = fit(rules, y, arrays, 30.0, np.tile(mask, (len(y), 1)))
    alone = fit(rules, y, {name: ends[mask] for name, ends in arrays.items()}, 30.0)
    for name in ("score", "strict", "optional"):
        assert getattr(some, name)[:, mask].tolist() == getattr(alone, name).tolist()
    assert some.unmet.tolist() == alone.unmet.tolist()
    uniforms = np.linspace(0.05, 0.95, len(y))
    kept, lone = draw(some, 3.0, uniforms), draw(alone, 3.0, uniforms)
    assert np.flatnonzero(mask)[lone[0]].tolist() == kept[0].tolist()
    assert kept[1].tolist() == lone[1].tolist()


def test_rules_by_hand():
    below = PlacementRule("below", "dendrite", -math.inf, 0.0, "", "")
    extent = np.array([[-100.0, 50.0], [-100.0, 65.0], [-100.0, 300.0], [np.nan, np.nan]])
    score = rule_score(below, np.array([-50.0]), extent, 30.0)[0]
    assert score[:3].tolist() == [1.0, 0.5, 1 - 250 / 30] and np.isnan(score[3])
    found = fit([below], np.array([-50.0]), {"axon": extent, "dendrite": extent}, 30.0)
    assert found.score[0].tolist() == [1.0, 0.5, 0.0, 1.0]  # what is not there breaks no rule
    target = PlacementRule("region_target", "axon", -165.0, 0.0, "", "")
    occupy = PlacementRule("region_occupy", "axon", -165.0, 0.0, "", "")
    extent = np.array([[-10.0, 82.5], [-500.0, -200.0]])  # soma at 165: half of L1, none of it
    assert rule_score(target, np.array([-165.0]), extent, 30.0)[0].tolist() == [82.5 / 92.5, 0.0]
    assert rule_score(occupy, np.array([-165.0]), extent, 30.0)[0].tolist() == [0.5, 0.0]


def test_rules_that_no_shape_meets_together_leave_the_later_one_out():
    upper = PlacementRule("region_target", "dendrite", -165.0, 0.0, "", "")
    axon = PlacementRule("region_target", "axon", -165.0, 0.0, "", "")
    below = PlacementRule("below", "dendrite", -math.inf, 0.0, "", "")
    tufted, sprouting, tall = [-100.0, 980.0], [-100.0, 400.0], [-100.0, 1200.0]
    dendrite = np.array([tufted, sprouting, tall])
    extents = {"dendrite": dendrite, "axon": np.array([[-300.0, 100.0], [-300.0, 950.0], tall])}
    found = fit([below, upper, axon], np.array([-1000.0]), extents, 30.0)
    # The tall one alone meets both, but leaves the cortex.
    assert found.score[0].tolist() == [pytest.approx(145 / 165), 0.0, 0.0]
    assert found.unmet.tolist() == [0, 0, 1]
    found = fit([below, axon, upper], np.array([-1000.0]), extents, 30.0)
    assert found.score[0, 1] > 0 and found.score[0, [0, 2]].tolist() == [0.0, 0.0]


# Draws


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=7).filter(lambda s: max(s) > 0.05),
    st.sampled_from([0.5, 1.0, 3.0]),
)
@settings(max_examples=60, deadline=None)
def test_frequencies_follow_score_to_the_alpha(scores, alpha):
    n = 2000
    score = np.tile(scores, (n, 1))
    found = Fit(score, score, score, np.zeros(0, np.int64))
    chosen, unfit = draw(found, alpha, (np.arange(n) + 0.5) / n)
    share = np.bincount(chosen, minlength=len(scores)) / n
    weights = np.array(scores) ** alpha
    np.testing.assert_allclose(share, weights / weights.sum(), atol=1.01 / n)
    assert not unfit.any()


def test_the_nearest_one_is_taken_where_nothing_fits():
    zero = np.zeros((4, 3))
    strict = np.array([[-9.0, -0.5, -0.5]] * 4)
    optional = np.array([[1.0, 0.1, 0.4]] * 2 + [[1.0, 0.4, 0.4]] * 2)
    chosen, unfit = draw(Fit(zero, strict, optional, np.zeros(0)), 3.0, np.array([0.1, 0.9] * 2))
    assert chosen.tolist() == [2, 2, 1, 2] and unfit.all()


def test_draws_never_leave_the_morphologies_that_have_a_weight():
    score = np.array([[0.0, 1e-3, 0.0]])
    for u in (2.0**-53, 0.5, 1 - 2.0**-53):
        assert draw(Fit(score, score, score, np.zeros(0)), 3.0, np.array([u]))[0].tolist() == [1]


# Orientation


@given(st.floats(-10, 10), st.tuples(*[st.floats(-500, 500)] * 3))
@settings(max_examples=50, deadline=None)
def test_quaternions_turn_points_about_the_pia_axis(angle, point):
    parts = quaternions(np.array([angle]))
    q = np.array([parts[f"orientation_{axis}"][0] for axis in "wxyz"])
    assert np.linalg.norm(q) == pytest.approx(1)
    x, y, z = point
    by_hand = [
        x * math.cos(angle) + z * math.sin(angle),
        y,
        z * math.cos(angle) - x * math.sin(angle),
    ]
    by_scipy = Rotation.from_quat([*q[1:], q[0]]).apply(point)
    np.testing.assert_allclose(by_scipy, by_hand, atol=1e-9)
    np.testing.assert_allclose(rotated(np.array([point]), q)[0], by_hand, atol=1e-9)


# Mistakes

HEAD = "mtype,kind,neurite,low_layer,low_fraction,high_layer,high_fraction\n"


def rules(tmp_path, text):
    path = tmp_path / "rules.csv"
    path.write_text(text)
    return read_rules(path, "mtype", ["a", "b"], LAYERS)


def test_rules_of_all_types_come_first(tmp_path):
    found = rules(tmp_path, HEAD + "a,region_target,axon,L5,0.8,L1,0.5\n*,below,dendrite,,,L1,1\n")
    assert [rule.kind for rule in found["a"]] == ["below", "region_target"]
    assert found["a"][1].low == pytest.approx(-1382 + 0.8 * 525)
    assert found["a"][1].high == pytest.approx(-82.5)
    assert found["b"][0].high == 0 and found["b"][0].low == -math.inf
    assert found["a"][1].name == "axon region_target L5 0.8 to L1 0.5"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("c,below,axon,,,L1,1", "no mtype 'c'"),
        ("a,below,axon,,,L7,1", "no layer 'L7'"),
        ("a,below,axon,,,L1,1.5", "high_fraction is '1.5'"),
        ("a,below,axon,,,L1,x", "high_fraction is 'x'"),
        ("a,below,axon,L1,0,L1,1", "an upper end only"),
        ("a,below,spine,,,L1,1", "neurite is 'spine'"),
        ("a,prefer_unscaled,axon,,,L1,1", "never scaled"),
        ("a,region_target,axon,L1,1,L5,0", "must rise"),
        ("a,region_target,axon,,,L5,0", "no layer ''"),
    ],
)
def test_wrong_rules_are_named_with_their_line(tmp_path, row, message):
    with pytest.raises(ConfigError, match="rules.csv:3") as caught:
        rules(tmp_path, HEAD + "*,below,axon,,,L1,1\n" + row + "\n")
    assert message in str(caught.value)


def test_a_missing_column_of_rules(tmp_path):
    with pytest.raises(ConfigError, match="no column 'kind'"):
        rules(tmp_path, HEAD.replace("kind", "sort") + "a,below,axon,,,L1,1\n")


SHAPES = "name,m_type,axon_y_min,axon_y_max,dendrite_y_min,dendrite_y_max\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("m,a,-1,1,-1,1\n", "no morphology of b"),
        ("m,a,-1,1,-1,1\nm,b,-1,1,-1,1\n", "stands twice"),
        ("m,a,-1,1,-1,1\nn,b,-1,one,-1,1\n", "morphologies.csv:3: axon_y_max is 'one'"),
        ("m,a,-1,1,5,1\nn,b,-1,1,-1,1\n", "morphologies.csv:2: dendrite_y_min lies above"),
    ],
)
def test_wrong_tables_of_morphologies(tmp_path, text, message):
    path = tmp_path / "morphologies.csv"
    path.write_text(SHAPES + text)
    with pytest.raises(ConfigError) as caught:
        read_shapes(path, ["a", "b"])
    assert message in str(caught.value)


def test_missing_tables_and_columns_of_morphologies(tmp_path):
    with pytest.raises(CircuitError, match="sonatina morphologies"):
        read_shapes(tmp_path / "morphologies.csv", ["a"])
    path = tmp_path / "morphologies.csv"
    path.write_text(SHAPES.replace("axon_y_min", "axon_low") + "m,a,-1,1,-1,1\n")
    with pytest.raises(ConfigError, match="no column 'axon_y_min'"):
        read_shapes(path, ["a"])
    path.write_text(SHAPES + "m,a,,,-1,1\n")
    assert np.isnan(read_shapes(path, ["a"])["a"].extents["axon"]).all()
