"""Perturbations of contacts: what changes, and what must not."""

import numpy as np
import pandas as pd
import pytest

from pipeline.config.perturb import AblateCells, RemoveContacts, ShufflePlaces, ToSoma
from pipeline.edges.perturbed import perturb_contacts, to_contacts
from pipeline.errors import ConfigError
from pipeline.perturb.contacts import (
    Contacts,
    ablate,
    remove,
    scale,
    shuffle_places,
    shuffle_weights,
    to_soma,
)


@pytest.fixture
def contacts():
    rng = np.random.default_rng(0)
    n = 200
    cells = rng.integers(0, 8, (2, n))
    weight = rng.normal(size=n)
    places = 100 * cells + rng.integers(0, 90, (2, n))
    return Contacts(rng.integers(0, 2, n), *cells, *places, weight, np.arange(n))


def same_but(found, contacts, *changed):
    for name, column in vars(contacts).items():
        assert np.array_equal(getattr(found, name), column) == (name not in changed), name


def test_weights_are_permuted_within_their_kind(contacts):
    found = shuffle_weights(contacts, [0], np.random.default_rng(1))
    same_but(found, contacts, "weight")
    chosen = contacts.kind == 0
    np.testing.assert_array_equal(found.weight[~chosen], contacts.weight[~chosen])
    np.testing.assert_array_equal(np.sort(found.weight[chosen]), np.sort(contacts.weight[chosen]))
    again = shuffle_weights(contacts, [0], np.random.default_rng(1))
    np.testing.assert_array_equal(found.weight, again.weight)


def test_places_are_permuted_within_their_cell(contacts):
    found = shuffle_places(contacts, [0, 1], np.random.default_rng(2))
    same_but(found, contacts, "pre", "post")
    np.testing.assert_array_equal(found.pre // 100, contacts.source)
    np.testing.assert_array_equal(found.post // 100, contacts.target)
    for kind in (0, 1):
        for cell in range(8):
            rows = (contacts.kind == kind) & (contacts.target == cell)
            np.testing.assert_array_equal(np.sort(found.post[rows]), np.sort(contacts.post[rows]))


def test_what_is_removed_is_gone_and_the_rest_stays(contacts):
    found = remove(contacts, [1])
    same_but(found, contacts.take(contacts.kind == 0))
    alone = ablate(contacts, [3, 5])
    assert not np.isin([alone.source, alone.target], [3, 5]).any()
    assert len(alone.kind) == (~np.isin([contacts.source, contacts.target], [3, 5]).any(0)).sum()


def test_scaling_and_moving_to_the_soma(contacts):
    same_but(scale(contacts, [0, 1], 1.0), contacts)
    np.testing.assert_array_equal(scale(contacts, [0, 1], 0.5).weight, contacts.weight / 2)
    moved = to_soma(contacts, 1000 + np.arange(8))
    same_but(moved, contacts, "pre", "post")
    np.testing.assert_array_equal(moved.pre, 1000 + contacts.source)


CELLS = pd.DataFrame(
    {"name": ["A", "B"], "type": ["motor", "inter"], "x": [0.0, 9.0], "y": 0.0, "z": 0.0}
)


@pytest.fixture
def frame():
    side = {"section": np.uint32(3), "pos": 0.25, "x": 5.0, "y": 1.0, "z": 2.0}
    columns = {f"{end}_{key}": value for end in ("pre", "post") for key, value in side.items()}
    table = pd.DataFrame(
        {"kind": np.array([0, 1, 0], np.int8), "source": [0, 0, 1], "target": [1, 1, 0]}
    )
    return table.assign(
        weight=[1.0, 1e-4, 2.0], inhibitory=[True, False, False], distance=0.0, **columns
    )


def test_nothing_done_changes_nothing(frame):
    pd.testing.assert_frame_equal(perturb_contacts(frame, CELLS, [], "w"), frame)
    assert to_contacts(frame, CELLS)[0].weight.tolist() == [-1, 1e-4, 2]


def test_perturbations_follow_each_other(frame):
    steps = [
        RemoveContacts(kind="remove", of=["electrical"]),
        ShufflePlaces(kind="shuffle_places"),
        ToSoma(kind="to_soma"),
    ]
    found = perturb_contacts(frame, CELLS, steps, "w")
    assert found["kind"].tolist() == [0, 0] and found["pre_section"].tolist() == [0, 0]
    assert found["pre_x"].tolist() == [0, 9] and found["distance"].tolist() == [9, 9]
    assert found["inhibitory"].tolist() == [True, False]


def test_a_class_can_be_ablated(frame):
    gone = perturb_contacts(
        frame, CELLS, [AblateCells(kind="ablate", where={"type": "motor"})], "w"
    )
    assert gone.empty
    for wrong, message in (
        ({"cells": ["Z"]}, "no cell 'Z'"),
        ({"where": {"size": "1"}}, "no property 'size'"),
        ({"where": {"type": "x"}}, "no cell with type 'x'"),
        ({}, "names no cell"),
    ):
        with pytest.raises(ConfigError, match=message):
            perturb_contacts(frame, CELLS, [AblateCells(kind="ablate", **wrong)], "w")
