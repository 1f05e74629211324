"""Published values: what the file may say and how a verdict falls."""

import math

import pytest

from pipeline.analysis.reference import (
    FAIL,
    INFORMATION,
    NOT_APPLICABLE,
    NOT_MEASURED,
    PASS,
    counts,
    tolerance_text,
    verdict_table,
)
from pipeline.config.load import load_model
from pipeline.config.reference import Reference, Target, read_reference
from pipeline.errors import ConfigError

HEAD = "schema: 1\ntargets:\n  - metric: m\n    title: T\n    value: 10\n    source: s\n"


def _target(**changes):
    given = {"metric": "m", "title": "T", "value": 10.0, "source": "s", "tolerance": 0.0} | changes
    return Target(**given)


def _verdict(target, metrics, tree=None):
    reference = Reference(schema=1, targets=[target])
    return verdict_table(reference, metrics, tree or {}).iloc[0]


def _problems(tmp_path, text):
    path = tmp_path / "reference.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_reference(path)
    return caught.value.problems


@pytest.mark.parametrize(
    ("changes", "ours", "verdict"),
    [
        ({}, 10, PASS),
        ({}, 10.001, FAIL),
        ({}, 9, FAIL),
        ({"tolerance": 0.5}, 10.5, PASS),
        ({"tolerance": 0.5}, 9.5, PASS),
        ({"tolerance": 0.5}, 10.51, FAIL),
        ({"tolerance": 0.5}, 9.49, FAIL),
        ({"tolerance": None, "tolerance_fraction": 0.1}, 11, PASS),
        ({"tolerance": None, "tolerance_fraction": 0.1}, 11.01, FAIL),
        ({"value": -10.0, "tolerance": None, "tolerance_fraction": 0.1}, -11, PASS),
        ({"value": -10.0, "tolerance": None, "tolerance_fraction": 0.1}, -8.9, FAIL),
        ({"kind": "at_most", "tolerance": 1.0}, -500, PASS),
        ({"kind": "at_most", "tolerance": 1.0}, 11, PASS),
        ({"kind": "at_most", "tolerance": 1.0}, 11.1, FAIL),
        ({"kind": "at_least", "tolerance": 1.0}, 500, PASS),
        ({"kind": "at_least", "tolerance": 1.0}, 9, PASS),
        ({"kind": "at_least", "tolerance": 1.0}, 8.9, FAIL),
        ({"value": 0.3}, 0.1 + 0.2, PASS),
        ({}, math.nan, FAIL),
        ({"kind": "at_most", "tolerance": 1.0}, -math.inf, FAIL),
    ],
)
def test_verdict(changes, ours, verdict):
    assert _verdict(_target(**changes), {"m": ours})["verdict"] == verdict


def test_what_was_not_measured_is_neither_pass_nor_fail():
    row = _verdict(_target(), {"other": 10})
    assert row["verdict"] == NOT_MEASURED
    assert math.isnan(row["ours"])


def test_information_is_shown_and_not_judged():
    row = _verdict(_target(kind="information", tolerance=None), {"m": 77})
    assert (row["verdict"], row["ours"], row["tolerance"]) == (INFORMATION, 77, "")


@pytest.mark.parametrize(
    ("when", "verdict"),
    [
        ({"a.b": "x"}, PASS),
        ({"a.b": ["y", "x"]}, PASS),
        ({"a.b": "y"}, NOT_APPLICABLE),
        ({"a.c": "x"}, NOT_APPLICABLE),
        ({"a.b.c": "x"}, NOT_APPLICABLE),
        ({"a.b": "x", "n": 3}, NOT_APPLICABLE),
    ],
)
def test_conditions_on_the_model(when, verdict):
    row = _verdict(_target(when=when), {"m": 10}, {"a": {"b": "x"}, "n": 2})
    assert row["verdict"] == verdict


def test_an_unmet_condition_says_what_it_needs_and_found():
    row = _verdict(_target(when={"n": [1, 3]}, note="More."), {"m": 10}, {"n": 2})
    assert row["note"] == "Needs n = 1 or 3; it is 2 here. More."


def test_counts_cover_every_verdict():
    targets = [_target(), _target(title="U", value=3), _target(title="V", metric="none")]
    table = verdict_table(Reference(schema=1, targets=targets), {"m": 10}, {})
    assert counts(table) == {PASS: 1, FAIL: 1, NOT_APPLICABLE: 0, NOT_MEASURED: 1, INFORMATION: 0}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "exact"),
        ({"tolerance": 0.01, "unit": "mm"}, "± 0.01 mm"),
        ({"tolerance": None, "tolerance_fraction": 0.05}, "± 5 %"),
        ({"kind": "at_most", "tolerance": None, "tolerance_fraction": 0.1}, "at most +10 %"),
        ({"kind": "at_least", "tolerance": 0.01}, "at least −0.01"),
        ({"kind": "at_most"}, "at most the value"),
    ],
)
def test_tolerance_in_words(changes, text):
    assert tolerance_text(_target(**changes)) == text


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (HEAD, 3, "tolerance"),
        (HEAD + "    tolerance: 1\n    tolerance_fraction: 0.1\n", 3, "either"),
        (HEAD + "    tolerance: -1\n", 7, "greater than or equal to 0"),
        (HEAD + "    tolerence: 1\n", 7, "unknown key"),
        (HEAD + "    tolerance: 1\n    kind: about\n", 8, "at_most"),
        (HEAD + "    tolerance: 1\n    kind: information\n", 3, "no tolerance"),
        (HEAD + "    tolerance: 1\n    when: {nods.x: 1}\n", 8, "no key 'nods'"),
        (HEAD.replace("10", ".nan") + "    tolerance: 1\n", 5, "finite"),
        (HEAD.replace("    source: s\n", "    tolerance: 1\n"), 3, "source"),
        ("schema: 2\ntargets: []\n", 1, ""),
    ],
)
def test_problems_name_the_line(tmp_path, text, line, words):
    problems = _problems(tmp_path, text)
    assert any(f"reference.yaml:{line}" in p.where and words in p.message for p in problems), [
        str(p) for p in problems
    ]


def test_a_target_may_not_stand_twice(tmp_path):
    target = HEAD.split("targets:\n")[1] + "    tolerance: 1\n"
    problems = _problems(tmp_path, "schema: 1\ntargets:\n" + target + target)
    assert [p.message for p in problems] == ["target 'm' (T) stands twice"]
    assert problems[0].where.endswith(":8")


def test_conditions_of_the_worm_name_keys_it_has():
    missing = []
    for variant in ("default", "alive", "behaving", "damaged"):
        worm = load_model("worm", variant)
        reference, _ = read_reference(worm.path(worm.model.reference))
        table = verdict_table(reference, {}, worm.tree)
        assert len(table) > 20
        missing.append(set(table["note"][table["note"].str.contains("This model has no")]))
    # Body, training and damage stand in variants only; nothing may be missing in all.
    own = ("has no behaviours.", "has no training.", "has no damage.")
    assert missing[0] and all(any(key in note for key in own) for note in missing[0])
    assert not set.intersection(*missing)
