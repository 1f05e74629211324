"""The search of gains: on known functions, after kills, and with unusable tables."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.load import load_model
from pipeline.config.tuning import Tuning
from pipeline.errors import ConfigError
from pipeline.tuning.controller import BOUNDS, Controller, Goal
from pipeline.tuning.stage import _Book, _other_tables, count_inside, gains_of, read_targets

GOAL = Goal(np.array([2.0, 8.0, 0.5]), np.array([4.0, 10.0, 1.0]), 0.2)


def network(unknowns, slope=6.0):
    """Rates that rise steeply with the first unknown, and whose ratio rises with the second."""
    spontaneous = np.array([1.0, 4.0, 3.0]) * np.exp(slope * unknowns[0])
    return spontaneous, spontaneous * np.array([1.2, 2.5, 1.1]) * np.exp(2.0 * unknowns[1])


def search(evaluations, step=0.12):
    control = Controller(GOAL, step, 10.0)
    scores = [control.told(*network(control.unknowns)) for _ in range(evaluations)]
    return control, scores


def test_it_finds_known_gains():
    control, scores = search(30)
    spontaneous, evoked = network(control.unknowns)
    assert scores[-1] < 0.02 < scores[0]
    assert np.allclose(np.log(spontaneous / GOAL.spontaneous), 0, atol=0.15)
    assert np.allclose(np.log(evoked / GOAL.evoked), 0, atol=0.15)


@settings(max_examples=50, deadline=None)
@given(
    rates=st.lists(
        st.lists(st.floats(0, 300), min_size=6, max_size=6).map(lambda v: np.reshape(v, (2, 3))),
        max_size=25,
    )
)
def test_unknowns_stay_within_their_bounds_and_move_no_further_than_a_step(rates):
    control = Controller(GOAL, 0.12, 4.0)
    for pair in rates:
        before = control.unknowns.copy()
        control.told(*pair)
        assert np.abs(control.unknowns - before).max() <= BOUNDS[1] + 1e-12
        assert np.abs(control.unknowns).max() <= np.log(4.0) + 1e-12
        assert np.isfinite(control.unknowns).all()


def test_a_class_that_fires_too_little_gets_more():
    control = Controller(GOAL, 0.1, 10.0)
    control.told(np.array([0.0, 80.0, 0.5]), np.array([0.0, 100.0, 1.0]))
    assert control.unknowns[0, 0] > 0 > control.unknowns[0, 1]
    assert control.unknowns[0, 2] == pytest.approx(0, abs=1e-12)


def test_runaway_goes_back_most_of_the_way():
    control, _ = search(5)
    safe = control._safe.copy()
    moved = control.unknowns.copy()
    control.ran_away()
    assert np.allclose(control.unknowns, safe + 0.25 * (moved - safe))


def test_classes_count_when_both_medians_are_inside():
    boxes = np.array([[[1, 2], [1, 2]], [[3, 4], [3, 4]]], float)
    assert count_inside(boxes, np.array([[1.0, 1.5], [4.0, 4.1]])) == 1


CONFIG = Tuning(
    simulation="x", targets="t.csv", table="o.csv",
    knobs=[
        {"edges": "bkg", "follows": "spontaneous"},
        {"edges": "rec", "sources": ["a", "b"], "follows": "ratio", "share": 0.5, "classes": ["k"]},
        {"edges": "rec", "sources": ["i"], "follows": "ratio", "share": -1},
    ],
)  # fmt: skip


def test_gains_of_knobs():
    targets = pd.DataFrame({"class": ["k", "l"], "start": [2.0, 3.0]})
    gains = gains_of(CONFIG, ["k", "l"], targets, np.log([[1.0, 2.0], [4.0, 1.0]]))
    assert gains == [
        {"edges": "bkg", "source": None, "target": "k", "factor": 2.0},
        {"edges": "bkg", "source": None, "target": "l", "factor": 6.0},
        {"edges": "rec", "source": "a", "target": "k", "factor": 2.0},
        {"edges": "rec", "source": "b", "target": "k", "factor": 2.0},
        {"edges": "rec", "source": "i", "target": "k", "factor": 0.25},  # inhibition the other way
        {"edges": "rec", "source": "i", "target": "l", "factor": 1.0},
    ]


def test_the_log_brings_back_finished_evaluations_only_for_the_same_search(tmp_path):
    rates, unknowns = np.arange(8.0).reshape(4, 2), np.array([[0.1, -0.2], [0.3, 0.0]])
    book = _Book(tmp_path, "key", ["k", "l"])
    assert book.rates(0, unknowns) is None
    book.add(0, unknowns, rates, 3.0, 1, True)
    book.add(1, unknowns + 1, rates + 1, 2.0, 1, True)
    book.add(2, unknowns + 2, rates + 1, 2.5, 2, False)
    assert book.best().index == 1
    again = _Book(tmp_path, "key", ["k", "l"])
    assert np.array_equal(again.rates(0, unknowns), rates)
    assert again.rates(0, unknowns + 1e-6) is None and again.rates(7, unknowns) is None
    text = (tmp_path / "log.csv").read_text()
    again.add(0, unknowns, rates, 3.0, 1, True)
    assert (tmp_path / "log.csv").read_text() == text
    assert _Book(tmp_path, "other", ["k", "l"]).rates(0, unknowns) is None


@dataclasses.dataclass
class Folder:
    path: object


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("class,spontaneous,evoked\nk,1,2\n", "no column 'start'"),
        ("class,spontaneous,evoked,start\nk,1,-2,1\n", "t.csv:2: evoked is '-2'"),
        ("class,spontaneous,evoked,start\nk,1,2,1\nl,x,2,0\n", "t.csv:3: spontaneous is 'x'"),
    ],
)
def test_bad_targets(tmp_path, text, found):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_targets(Folder(lambda name: tmp_path / name), CONFIG)
    assert found in str(caught.value)


def test_a_search_keeps_the_other_gain_tables_of_the_run():
    """The V1 tuning starts from a table of its own; dropping it would search from elsewhere."""
    resolved = load_model("v1", "small")
    assert _other_tables(resolved, "rates") == ["tables/tuning_start.csv"]
