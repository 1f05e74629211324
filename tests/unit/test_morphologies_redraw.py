"""Axons that miss their layers are grown anew: bounded, told, and nothing but the axon changes."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.cells.morphology import AXON, DEND, Section
from pipeline.morphologies import make as making
from pipeline.morphologies.exemplars import Exemplar, Origin
from pipeline.morphologies.make import Donor, Task, make
from pipeline.morphologies.redraw import aimed, shortfall
from pipeline.morphologies.shape import Shape

LAYERS = {"L1": 100.0, "L2": 200.0, "L3": 300.0}
ORIGIN = Origin("L2_X")


def line(kind, begin, end):
    """A neurite in steps of about 5 um that swerves by 1 um, so that no point can be left out."""
    begin, end = np.array(begin, float), np.array(end, float)
    count = max(2, int(np.linalg.norm(end - begin) // 5) + 1)
    points = begin + np.linspace(0, 1, count)[:, None] * (end - begin)
    points[1:-1:2, 2] += 1.0
    return Section(kind, -1, points, np.ones(len(points)))


def row(**more):
    return Exemplar("L2_X", ORIGIN, ORIGIN, **more)


def cell(height, across=0.0):
    """A dendrite, and an axon straight up with a side branch that lies across."""
    axon = line(AXON, (0, 5, 0), (0, height, 0))
    side = line(AXON, (5, 0, 0), (6 + across, 0, 0))
    return Shape(5.0, (axon, side, line(DEND, (0, -5, 0), (0, -80, 0))))


@pytest.mark.parametrize(
    ("height", "across", "fields", "amount"),
    [
        (175, 1, {"axon_top": "L1"}, 0.25),  # soma at 200 um: 75 um in L1
        (205, 1, {"axon_top": "L1"}, 0.0),
        (50, 1, {"axon_top": "L1"}, 1.0),
        (50, 1, {"axon_top": "300"}, 0.0),  # um ask for no layer
        (50, 300, {"axon_width": 100.0}, None),
        (50, 1, {"axon_top": "L1", "axon_bottom": "L3"}, 2.0),
    ],
)
def test_a_shortfall_counts_layers_and_width(height, across, fields, amount):
    found = shortfall(cell(height, across), row(**fields), LAYERS, 200.0)
    if amount is None:
        assert found.amount > 1 and "wide where 100 are asked for" in found.text
    else:
        assert found.amount == pytest.approx(amount, abs=0.06)
        assert bool(found.text) == bool(amount)


def test_later_attempts_aim_at_the_row():
    tree = {"type": "axon", "depth": [-50, 0, 10, 80], "width": 300, "bars": [[5, 0]]}
    other = {"type": "basal_dendrite", "depth": [-50, 50], "width": 40}
    wanted = row(axon_top="L1", axon_bottom="L3", axon_width=60.0)
    one, two = aimed({"trees": [tree, other]}, wanted, LAYERS, 200.0)["trees"]
    assert one["depth"] == pytest.approx([-250, 0, 18.75, 150]) and one["width"] == 60
    assert one["bars"] == tree["bars"] and two is other
    assert tree["depth"] == [-50, 0, 10, 80]


def task(redraws):
    donor = Donor("L2_X", "cell", "", "", {"trees": []})
    wanted = row(axon_top="L1")
    return Task("L2_X_1", 0, wanted, donor, donor, 200.0, LAYERS, 0.2, 1, 1, redraws)


def grow(heights, calls):
    """Stands in for NeuroTS: the axon's height by attempt."""

    def grown(body, kinds, seed, stage, ids, tries):
        if AXON not in kinds:
            return Shape(5.0, (line(DEND, (0, -5, 0), (0, -80, 0)),))
        attempt = int(stage.rpartition("/")[2]) if "redrawn" in stage else 0
        calls.append(attempt)
        return Shape(5.0, cell(heights[attempt]).sections[:1])

    return grown


def dendrites(made):
    lines = [text.split() for text in made.text.splitlines() if not text.startswith("#")]
    return [parts[1:6] for parts in lines if parts[1] in ("1", "3")]


@pytest.mark.parametrize(
    ("heights", "redraws", "attempts", "action"),
    [
        ((160, 160), 5, [0], None),
        ((20, 20, 160), 5, [0, 1, 2], "attempt 2 of 2 kept"),
        ((42, 50, 46), 2, [0, 1, 2], "attempt 1 of 2 kept: 25 um in L1"),
        ((20, 160), 0, [0], None),
    ],
)
def test_an_axon_is_redrawn_until_it_reaches_and_no_longer(
    monkeypatch, heights, redraws, attempts, action
):
    """Stretching by 2.5 at most brings an axon of 160 um to the middle of L1, one of 20 um not."""
    calls = []
    monkeypatch.setattr(making, "grow_cell", grow(heights, calls))
    monkeypatch.setattr("pipeline.morphologies.redraw.REACHED", 40.0)
    made = make(task(redraws))
    assert calls == attempts
    told = [finding for finding in made.findings if finding.check == "redrawn"]
    assert [finding.action for finding in told] == ([action] if action else [])
    monkeypatch.setattr(making, "grow_cell", grow((160,), []))
    assert dendrites(made) == dendrites(make(task(0)))
