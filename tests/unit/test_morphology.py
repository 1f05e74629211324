"""Shapes: reading, discretising, places along a section, against naive arithmetic."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cells.description import CellDescription, reduce_level
from pipeline.cells.morphology import (
    Section,
    electrotonic_length,
    read_morphology,
    segment_counts,
    segments_of,
    with_axon,
)
from pipeline.config.emodel import EModel, Membrane, read_emodel
from pipeline.config.schema import DLambda, FixedLength
from pipeline.errors import MorphologyError
from pipeline.nodes.build import _write_centred
from pipeline.simulation.neurodamus_cells import sections_of_edges
from pipeline.simulation.neuron_cells import voltages

ROOT = Path(__file__).resolve().parents[2]
WORM = ROOT / "models/worm"
SWC = "1 1 0 0 0 5 -1\n2 1 0 10 0 5 1\n3 2 0 10 0 1 2\n4 2 0 31 0 1 3\n5 3 0 0 0 1 2\n6 3 0 -7 0 1 5\n"


@pytest.fixture
def cell(tmp_path):
    (tmp_path / "c.swc").write_text(SWC)
    return read_morphology(tmp_path / "c.swc")


def test_sections_have_sonata_ids_types_and_lengths(cell):
    assert [s.section_list for s in cell.sections] == ["soma", "axon", "dend"]
    assert [s.parent for s in cell.sections] == [-1, 0, 0]
    assert [s.length for s in cell.sections] == pytest.approx([10, 21, 7])
    assert cell.sections[0].area == pytest.approx(math.pi * 10 * 10)


def test_fixed_length_is_the_ceiling_and_the_soma_has_one_segment(cell):
    assert segment_counts(cell, FixedLength(length=2), None).tolist() == [1, 11, 4]


def test_d_lambda_agrees_with_the_textbook_formula(cell):
    membrane = Membrane(Ra=100, cm=1, g_pas=1e-4, e_pas=-65)
    emodel = EModel(schema=1, name="x", source="s", passive={"all": membrane})
    rule = DLambda(rule="d_lambda", d_lambda=0.05, frequency=100)
    constant = 1e5 * math.sqrt(2 / (4 * math.pi * 100 * 100 * 1))
    expected = int((21 / (0.05 * constant) + 0.9) / 2) * 2 + 1
    assert segment_counts(cell, rule, emodel)[1] == expected
    assert electrotonic_length(cell.sections[1], membrane, 100) == pytest.approx(21 / constant)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-100, 100)] * 3), min_size=2, max_size=8), st.integers(1, 9))
def test_midpoints_agree_with_walking_along_the_section(points, n):
    points = np.array(points)
    if np.linalg.norm(np.diff(points, axis=0), axis=1).min() < 1e-6:
        return
    section = Section(2, 0, points, np.ones(len(points)))
    for k, found in enumerate(section.locate((np.arange(n) + 0.5) / n)):
        left = (k + 0.5) / n * section.length
        for a, b in zip(points[:-1], points[1:], strict=True):
            step = float(np.linalg.norm(b - a))
            if left <= step:
                assert np.allclose(found, a + (b - a) * left / step, atol=1e-6)
                break
            left -= step


def test_segments_cover_every_section(cell):
    counts = segment_counts(cell, FixedLength(length=3), None)
    segments = segments_of(cell, counts)
    assert np.bincount(segments.section).tolist() == counts.tolist()
    assert np.all((segments.x > 0) & (segments.x < 1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a usable|no soma"),
        ("hello\n", "not a usable"),
        ("1 2 0 0 0 1 -1\n2 2 0 1 0 1 1\n", "no soma"),
        ("1 1 0 0 0 5 -1\n2 2 0 1 0 0 1\n3 2 0 2 0 0 2\n", "not positive|not a usable"),
        ("1 1 0 0 0 5 -1\n2 2 0 1 0 1 9\n", "not a usable"),
    ],
)
def test_a_useless_file_is_refused_by_name(tmp_path, text, said):
    (tmp_path / "bad.swc").write_text(text)
    with pytest.raises(MorphologyError, match=said) as failure:
        read_morphology(tmp_path / "bad.swc")
    assert "bad.swc" in str(failure.value)


def test_the_published_counts_of_the_worm():
    """worm.md 1.2: 136 cells, 512 sections, 23,848 segments of at most 2 um, 47.05 mm of neurite."""
    rows = [line.split(",") for line in (WORM / "tables/neurons.csv").read_text().split()[1:]]
    flags = [
        line.rsplit(",", 5)[1]
        for line in (WORM / "tables/neurons.csv").read_text().splitlines()[1:]
    ]
    assert len(flags) == 302 and flags.count("1") == 136 and rows
    names = [
        line.split(",")[0] for line in (WORM / "tables/neurons.csv").read_text().splitlines()[1:]
    ]
    chosen = [n for n, flag in zip(names, flags, strict=True) if flag == "1"]
    cells = [read_morphology(WORM / f"morphologies/{name}.swc") for name in chosen]
    counts = [segment_counts(c, FixedLength(length=2), None) for c in cells]
    assert sum(map(len, counts)) == 512
    assert sum(int(c.sum()) for c in counts) == 23848
    length = sum(s.length for c in cells for s in c.sections[1:])
    assert length == pytest.approx(47050, rel=1e-3)


def test_a_single_compartment_keeps_area_and_conductance():
    emodel, _ = read_emodel(WORM / "emodels/AIY.yaml")
    morphology = read_morphology(WORM / "morphologies/AIYL.swc")
    full = CellDescription(morphology, emodel, FixedLength(), "single_compartment")
    point = reduce_level(full)
    area = sum(section.area for section in morphology.sections)
    assert point.morphology.sections[0].area == pytest.approx(area)
    total = emodel.mechanisms["soma"]["shl1"]["gbar"] * morphology.sections[0].area
    assert point.emodel.mechanisms["soma"]["shl1"]["gbar"] * area == pytest.approx(total)


def test_edges_find_their_section_where_the_axon_was_replaced(tmp_path):
    """Ids of edges are the file's; dendrites behind the axon get others in the built cell."""
    (tmp_path / "c.swc").write_text(SWC)
    kept, cut = (read_morphology(tmp_path / "c.swc", rule) for rule in ("keep", "stub"))
    for old, section in enumerate(kept.sections):
        new = cut.sections[cut.section_of(old)]
        assert new.section_list == section.section_list
        if section.section_list != "axon":
            np.testing.assert_array_equal(new.points, section.points)
    assert [kept.section_of(k) for k in range(3)] == [0, 1, 2]
    assert [cut.section_of(k) for k in range(3)] == [0, 2, 1]
    # Reports name sections as edges do; the stub's follow the file's.
    assert kept.file_ids == (0, 1, 2)
    assert cut.file_ids == (0, 2, 3, 4)
    sections = [[SimpleNamespace(x=0.5, _ref_v=s.section_list)] for s in cut.sections]
    built = SimpleNamespace(soma=sections[:1], all=sections, shape=cut)
    reported = [(0, "soma"), (2, "dend"), (3, "axon"), (4, "axon")]
    assert [(k, v) for k, _, v in voltages(built, "all")] == reported
    assert [(k, v) for k, _, v in voltages(built, [1, 2])] == reported[1:2]
    # neurodamus looks ids of edges up in a table: what stood on the axon stands on its stub.
    assert sections_of_edges(built) == [sections[k] for k in (0, 2, 1)]
    # What stood on the axon goes to the stub, or to the soma without one; rules may follow each other.
    none = with_axon(cut, "none")
    assert [none.section_of(k) for k in range(3)] == [0, 0, 1]
    with pytest.raises(IndexError):
        cut.section_of(3)


def test_an_axon_that_goes_on_from_a_dendrite_is_copied_with_its_sections(tmp_path):
    """MorphIO reads a type that changes without a branch, and does not write it."""
    source, target = tmp_path / "a.swc", tmp_path / "b.swc"
    source.write_text(
        "# cell\n1 1 5 0 0 2 -1\n2 3 5 2 0 1 1\n3 3 5 9 0 1 2\n4 2 5 20 0 1 3\n5 2 5 30 0 1 4\n"
    )
    _write_centred(source, np.array([5.0, 0.0, 0.0]), target)
    before, after = read_morphology(source), read_morphology(target)
    assert [s.kind for s in after.sections] == [s.kind for s in before.sections] == [1, 3, 2]
    assert np.allclose(after.sections[2].points, before.sections[2].points - [5, 0, 0])
