"""Places of synapses: membrane by section type and path distance, and draws uniform by area."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.cells.morphology import APIC, AXON, DEND, SOMA, Morphology, Section, with_axon
from pipeline.cells.places import candidates, path_distances, place
from pipeline.cells.synapse_places import synapse_places
from pipeline.errors import MorphologyError


def line(kind, parent, start, lengths, diameters):
    """A section of straight pieces along y."""
    y = start + np.concatenate([[0.0], np.cumsum(lengths)])
    points = np.stack([np.zeros_like(y), y, np.zeros_like(y)], axis=1)
    return Section(kind, parent, points, np.asarray(diameters, float))


def toy():
    return Morphology(
        "toy",
        (
            line(SOMA, -1, -5, [10], [10, 10]),
            line(DEND, 0, 5, [20, 30], [4, 2, 1]),
            line(DEND, 1, 55, [40], [1, 0.5]),
            line(APIC, 0, 5, [60, 60], [3, 3, 1]),
            line(AXON, 0, 0, [100], [1, 1]),
        ),
    )


@pytest.fixture
def cell():
    return toy()


def naive(morphology, parts, nearest, farthest, step=0.01):
    """Area per section by walking every section in small steps."""
    starts, areas = path_distances(morphology), {}
    for index, s in enumerate(morphology.sections):
        if s.section_list not in parts:
            continue
        count = round(s.length / step)
        for k in range(count):
            arc = (k + 0.5) * step
            distance = 0.0 if s.kind == SOMA else starts[index] + arc
            if nearest <= distance <= farthest:
                radii = np.interp([k * step, (k + 1) * step], s.arc, s.diameters / 2)
                slant = np.hypot(step, radii[1] - radii[0])
                areas[index] = areas.get(index, 0.0) + np.pi * radii.sum() * slant
    return areas


@pytest.mark.parametrize(
    "sections, nearest, farthest",
    [
        ("dend", 10, 70),
        ("soma+dend", 0, 50),
        ("dend+apic", 50, np.inf),
        ("apic", 0, 200),
        ("soma", 0, 0),
    ],
)
def test_membrane_against_a_walk_in_small_steps(cell, sections, nearest, farthest):
    found = candidates(cell, sections, nearest, farthest)
    wanted = naive(cell, sections.split("+"), nearest, farthest)
    sizes = np.diff(found.cumulative, prepend=0.0)
    areas = {i: sizes[found.section == i].sum() for i in np.unique(found.section)}
    assert list(areas) == list(wanted)
    assert np.allclose(list(areas.values()), list(wanted.values()), rtol=1e-3)


def test_all_membrane_is_the_cells(cell):
    found = candidates(cell, "soma+dend+apic+axon", 0, np.inf)
    assert found.area == pytest.approx(sum(s.area for s in cell.sections))


@settings(max_examples=60, deadline=None)
@given(
    draws=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=40),
    nearest=st.floats(0, 80),
    width=st.floats(1, 200),
    parts=st.sampled_from(["dend", "apic", "dend+apic", "soma+dend+apic"]),
)
def test_every_place_is_of_the_type_and_in_the_range(draws, nearest, width, parts):
    shape = toy()
    ids, x = place(candidates(shape, parts, nearest, nearest + width), np.array(draws))
    for index, at in zip(ids, x, strict=True):
        section = shape.sections[index]
        assert section.section_list in parts.split("+") and 0 <= at <= 1
        if section.kind != SOMA:
            distance = path_distances(shape)[index] + at * section.length
            assert nearest - 1e-9 <= distance <= nearest + width + 1e-9


def test_places_are_uniform_by_area(cell):
    found = candidates(cell, "dend+apic", 10, 100)
    n = 20000
    ids, x = place(found, (np.arange(n) * 0.61803398875) % 1.0)
    walk = naive(cell, ["dend", "apic"], 10, 100)
    counts = [np.sum(ids == index) for index in walk]
    expected = np.array(list(walk.values())) / sum(walk.values()) * n
    assert stats.chisquare(counts, expected * sum(counts) / expected.sum()).pvalue > 1e-3
    # Within the apical cone, from 60 um on: area up to t goes as r0 t + (r1 - r0) t^2 / 2.
    cone = x[(ids == 3) & (x > 0.5)] * 120 - 60
    area = 1.5 * cone - cone**2 / 120
    top = 1.5 * 40 - 40**2 / 120
    assert stats.kstest(area / top, "uniform").pvalue > 1e-3


def drawn(cell, order, seed=3, rule="r"):
    n = len(order)
    rows = {"sources": order % 50, "targets": order // 50, "index": order % 7}
    shapes = np.full(n, "toy")
    return synapse_places(
        seed, rule, **rows, shapes=shapes, morphologies={"toy": cell}, sections="dend+apic",
        distances=(0.0, 90.0),
    )  # fmt: skip


def test_draws_belong_to_the_synapse_and_not_to_the_order(cell):
    order = np.arange(5000)
    ids, x = drawn(cell, order)
    back = np.random.default_rng(0).permutation(order)
    again = drawn(cell, back)
    assert np.array_equal(again[0], ids[back]) and np.array_equal(again[1], x[back])
    part = drawn(cell, order[700:1300])
    assert np.array_equal(part[1], x[700:1300])
    for other in (drawn(cell, order, seed=4), drawn(cell, order, rule="s")):
        assert np.mean(other[1] == x) < 0.01
    found = candidates(cell, "dend+apic", 0, 90)
    sizes = np.diff(found.cumulative, prepend=0.0)
    expected = [sizes[found.section == i].sum() / found.area for i in (1, 2, 3)]
    counts = [np.sum(ids == i) for i in (1, 2, 3)]
    assert stats.chisquare(counts, np.array(expected) * len(ids)).pvalue > 1e-3


def test_no_membrane_in_range_names_model_rule_and_range(cell):
    order = np.arange(3)
    with pytest.raises(MorphologyError) as caught:
        synapse_places(
            1, "lgn", order, order, order, np.full(3, "toy"), {"toy": cell}, "apic", (500.0, 600.0)
        )
    text = str(caught.value)
    assert all(word in text for word in ("toy", "'lgn'", "apic", "500 to 600 um"))
    with pytest.raises(MorphologyError, match="'spine'"):
        candidates(cell, "dend+spine", 0, 10)


def test_axon_rules(cell):
    gone = with_axon(cell, "none")
    assert [s.kind for s in gone.sections] == [SOMA, DEND, DEND, APIC]
    stub = with_axon(cell, "stub")
    first, second = stub.sections[-2:]
    assert (first.parent, second.parent) == (0, len(stub.sections) - 2)
    assert [first.length, second.length] == [30.0, 30.0]
    assert first.area == pytest.approx(30 * np.pi)
    assert np.allclose(first.points[0], [0, 0, 0])
    twice = with_axon(stub, "stub")
    assert [s.parent for s in twice.sections] == [s.parent for s in stub.sections]
    assert with_axon(cell, "keep") is cell
    odd = Morphology("odd", (*cell.sections, replace(cell.sections[2], parent=4)))
    with pytest.raises(MorphologyError, match="odd, section 5.*axon"):
        with_axon(odd, "stub")
