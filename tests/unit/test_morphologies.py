"""Library of reconstructions: catalogue, licences, repair, canonical order, composing, kernels, bytes."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.analysis.morphologies import beside_real, morphology_metrics
from pipeline.cells.morphology import APIC, AXON, DEND, Section, read_morphology
from pipeline.config.load import load_model
from pipeline.config.morphologies import LibraryMorphologies
from pipeline.config.stages import stage_files, stage_slice
from pipeline.errors import ConfigError, MorphologyError
from pipeline.model_plan import plan_model
from pipeline.morphologies.catalogue import licence_tag, read_catalogue, usable
from pipeline.morphologies.compose import BELOW_PIA, LEAST, MOST, fit, without_apical
from pipeline.morphologies.exemplars import COLUMNS, Exemplar, Origin, read_exemplars, soma_depth
from pipeline.morphologies.measure import (
    branch_orders,
    in_layers,
    measure,
    sholl,
    weighted_quantile,
)
from pipeline.morphologies.repair import cut_faces, mend, read_shape
from pipeline.morphologies.shape import Shape, canonical, join, merge_single_children, thin
from pipeline.morphologies.simplify import simplify
from pipeline.morphologies.stage import check_morphologies, run_morphologies
from pipeline.morphologies.swc import swc_text
from pipeline.nodes.types import shape_types
from pipeline.report.figures import Tables
from pipeline.report.morphologies import morphology_section
from pipeline.sonata.layout import CircuitPaths

LAYERS = {"L1": 100.0, "L2": 200.0, "L5": 300.0}
COLUMN = str(Path(__file__).resolve().parents[2] / "models/column")


def section(kind, parent, *points, diameters=None):
    points = np.array(points, float)
    return Section(kind, parent, points, np.array(diameters or [1.0] * len(points), float))


def small():
    """Axon up that forks, a basal dendrite down, an apical one up."""
    return Shape(5.0, (
        section(DEND, -1, (0, -5, 0), (0, -50, 0)),
        section(AXON, -1, (0, 5, 0), (0, 60, 0)),
        section(AXON, 1, (0, 60, 0), (30, 100, 0)),
        section(AXON, 1, (0, 60, 0), (-30, 90, 10)),
        section(APIC, -1, (1, 5, 0), (1, 80, 0)),
    ))  # fmt: skip


def random_shape(seed, sections=12):
    """A tree of random walks with its sections in random order that still puts parents first."""
    rng = np.random.default_rng(seed)
    made = []
    for index in range(sections):
        root = index < 3 or rng.random() < 0.15
        if root:
            kind, parent, start = (AXON, DEND, APIC)[index % 3], -1, rng.normal(0, 5, 3)
        else:
            parent = int(rng.integers(len(made)))
            kind, start = made[parent].kind, made[parent].points[-1]
        steps = np.cumsum(rng.normal(0, 10, (int(rng.integers(1, 6)), 3)), axis=0)
        points = np.vstack([start, start + steps])
        made.append(Section(kind, parent, points, rng.uniform(0.2, 2, len(points))))
    return Shape(5.0, tuple(made))


def shuffled(shape, seed):
    """The same cell with its sections in another order, parents first."""
    rng = np.random.default_rng(seed)
    left, order = list(range(len(shape.sections))), []
    while left:
        free = [i for i in left if shape.sections[i].parent in (-1, *order)]
        order.append(int(rng.choice(free)))
        left.remove(order[-1])
    new = {-1: -1} | {old: i for i, old in enumerate(order)}
    parts = [shape.sections[i] for i in order]
    return replace(shape, sections=tuple(replace(s, parent=new[s.parent]) for s in parts))


# Catalogue


@pytest.mark.parametrize(("licence", "tag"), [
    ("CC BY 4.0", "open"), ("Apache-2.0 (repository)", "open"), ("CC BY-NC-SA 4.0", "nc"),
    ("LGPL-3.0", "copyleft"), ("CC BY-SA 4.0", "copyleft"), ("no licence file", "unclear"),
    ("derived from NMC packages (CC BY-NC-SA 4.0)", "nc"),
])  # fmt: skip
def test_licences_are_sorted_by_their_text(licence, tag):
    assert licence_tag(licence) == tag


def write_library(folder, cells=("a", "b"), **extra):
    folder.mkdir(exist_ok=True)
    for name in cells:
        (folder / f"{name}.swc").write_text(swc_text(canonical(small())))
    rows = [{"file": f"{n}.swc", "m_type": "L5_PC", "licence": "CC BY 4.0", "kind": "full"} | extra
            for n in cells]  # fmt: skip
    write_rows(folder / "catalogue.csv", rows)
    return folder


def write_rows(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def test_the_filter_lets_open_cells_through_and_says_what_is_left(tmp_path):
    folder = write_library(tmp_path / "lib", ("a", "b", "c"))
    rows = list(csv.DictReader(open(folder / "catalogue.csv")))
    rows[1]["licence"], rows[2]["kind"] = "CC BY-NC-SA 4.0", "dendrites_only"
    write_rows(folder / "catalogue.csv", rows)
    entries = read_catalogue(folder / "catalogue.csv", folder)

    def chosen(**options):
        library = LibraryMorphologies(kind="library", folder="x", catalogue="y", **options)
        return [entry.name for entry in usable(entries, library, "here")]

    assert chosen() == ["a", "c"] and chosen(licences=["nc"]) == ["b"]
    assert chosen(quality=["full"]) == ["a"] and chosen(licences=["CC BY-NC-SA 4.0"]) == ["b"]
    with pytest.raises(ConfigError, match="leave no morphology.*2 open"):
        chosen(licences=["copyleft"])
    with pytest.raises(ConfigError, match="no licence 'CC BY 5.0'"):
        chosen(licences=["CC BY 5.0"])
    with pytest.raises(ConfigError, match="no quality 'whole'.*(?s:.)*full"):
        chosen(quality=["whole"])


def test_a_wrong_catalogue_names_every_line(tmp_path):
    folder = write_library(tmp_path / "lib", ("a", "b", "c"))
    (folder / "b.swc").unlink()
    text = (folder / "catalogue.csv").read_text().replace("c.swc,L5_PC", "c.swc,")
    (folder / "catalogue.csv").write_text(text)
    with pytest.raises(ConfigError) as error:
        read_catalogue(folder / "catalogue.csv", folder)
    assert [p.where.rsplit(":", 1)[1] for p in error.value.problems] == ["3", "4"]


# Repair: every finding is told, and nothing changes without one


def checks(findings):
    return {finding.check for finding in findings}


def test_a_clean_cell_has_no_finding(tmp_path):
    (tmp_path / "c.swc").write_text(swc_text(canonical(small())))
    shape, findings = read_shape(tmp_path / "c.swc")
    assert not checks(findings) - {"narrow_start"}
    assert swc_text(shape) == swc_text(canonical(small()))


def test_missing_diameters_are_filled_from_the_neighbours():
    parts = list(small().sections)
    parts[1] = section(AXON, -1, (0, 5, 0), (0, 20, 0), (0, 60, 0), diameters=[2.0, 0.0, 1.0])
    parts[2] = replace(parts[2], diameters=np.zeros(2))
    shape, findings = mend(replace(small(), sections=tuple(parts)))
    (found,) = [f for f in findings if f.check == "no_diameter"]
    assert found.found.startswith("3 points") and found.action == "interpolated"
    assert shape.sections[1].diameters[1] == pytest.approx(2 - 15 / 55)
    assert np.all(shape.sections[2].diameters == 1.0)  # as where the parent ends


def test_points_on_top_of_each_other_are_joined_and_empty_sections_handed_up():
    parts = list(small().sections)
    parts[2] = section(AXON, 1, (0, 60, 0), (0, 60, 0))
    parts += [section(AXON, 2, (0, 60, 0), (5, 70, 0)), section(AXON, 2, (0, 60, 0), (9, 70, 0))]
    parts[0] = section(DEND, -1, (0, -5, 0), (0, -5, 0), (0, -30, 0), (0, -50, 0), (0, -50, 0))
    shape, findings = mend(replace(small(), sections=tuple(parts)))
    assert {"zero_length", "empty_section"} <= checks(findings)
    (basal,) = shape.of_kind(DEND)
    assert basal.points[:, 1].tolist() == [-5, -30, -50]
    axon = shape.of_kind(AXON)
    trunk = [i for i, s in enumerate(shape.sections) if s.kind == AXON and s.parent == -1][0]
    assert len(axon) == 4 and sum(s.parent == trunk for s in axon) == 3


def test_unknown_sections_go_with_all_below():
    parts = [*small().sections, section(7, 2, (30, 100, 0), (40, 100, 0)),
             section(AXON, 5, (40, 100, 0), (50, 100, 0))]  # fmt: skip
    shape, findings = mend(replace(small(), sections=tuple(parts)))
    assert len(shape.sections) == 5 and checks(findings) == {"unknown_section"}
    assert next(f.place for f in findings) == "5 6"


def test_cut_faces_are_told():
    flat = [section(DEND, -1, (k, 0, 0), (k, 10, 50 if k % 2 else -3.0 * k)) for k in range(40)]
    found = cut_faces(Shape(5.0, tuple(flat)))
    assert [f.place for f in found] == ["highest z"] and found[0].action == "kept"
    even = [section(DEND, -1, (k, 0, 0), (k, 10, 3.0 * k)) for k in range(40)]
    assert cut_faces(Shape(5.0, tuple(even))) == []


def test_sections_out_of_order_and_off_centre_are_told(tmp_path):
    lines = [
        "1 1 10 0 0 5 -1",
        "2 3 10 -5 0 1 1",
        "3 3 10 -50 0 1 2",
        "4 2 10 5 0 1 1",
        "5 2 10 60 0 1 4",
    ]
    (tmp_path / "c.swc").write_text("\n".join(lines) + "\n")
    shape, findings = read_shape(tmp_path / "c.swc")
    assert {"order", "off_centre"} <= checks(findings)
    assert [s.kind for s in shape.sections] == [AXON, DEND]
    assert shape.points(AXON)[:, 0].tolist() == [0, 0]


@pytest.mark.parametrize(("text", "message"), [
    ("1 3 0 0 0 1 -1\n2 3 0 9 0 1 1\n", "no soma"),
    ("1 1 0 0 0 5 -1\n", "no neurite"),
    ("1 1 0 0 zero 5 -1\n", "c.swc"),
])  # fmt: skip
def test_unusable_files_are_one_clear_error(tmp_path, text, message):
    (tmp_path / "c.swc").write_text(text)
    with pytest.raises(MorphologyError, match=message):
        read_shape(tmp_path / "c.swc")


def test_a_contour_soma_is_a_sphere_of_its_mean_radius(tmp_path):
    (tmp_path / "c.asc").write_text(
        '("CellBody" (CellBody) (5 0 0 0) (0 7 0 0) (-5 0 0 0) (0 -7 0 0))\n'
        "((Dendrite) (0 7 0 1) (0 20 0 1))\n"
    )
    soma = read_morphology(tmp_path / "c.asc").sections[0]
    assert soma.length == pytest.approx(12) and np.all(soma.diameters == 12)
    assert soma.area == pytest.approx(4 * np.pi * 36)
    assert read_shape(tmp_path / "c.asc")[0].soma_radius == pytest.approx(6)


def test_a_contour_that_a_converter_wrote_as_swc_is_the_same_sphere(tmp_path):
    rows = ["5 0 0 0 -1", "0 7 0 0 1", "-5 0 0 0 2", "0 -7 0 0 3"]
    lines = [f"{n} 1 {row}" for n, row in enumerate(rows, start=1)]
    lines += ["5 3 0 7 0 1 1", "6 3 0 20 0 1 5"]
    (tmp_path / "c.swc").write_text("\n".join(lines) + "\n")
    soma = read_morphology(tmp_path / "c.swc").sections[0]
    assert soma.length == pytest.approx(12) and np.all(soma.diameters == 12)
    assert read_shape(tmp_path / "c.swc")[0].soma_radius == pytest.approx(6)


# Order and bytes


@given(st.integers(0, 10**6), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_any_order_of_sections_gives_the_same_bytes(seed, other):
    shape = random_shape(seed)
    text = swc_text(canonical(shape))
    assert swc_text(canonical(shuffled(shape, other))) == text
    kinds = [s.kind for s in canonical(shape).sections]
    assert kinds == sorted(kinds)


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_joining_and_merging_keeps_all_length(seed):
    shape = random_shape(seed)
    merged = merge_single_children(shape)
    for kind in (AXON, DEND, APIC):
        assert merged.length(kind) == pytest.approx(shape.length(kind))
    parents = [s.parent for s in merged.sections if s.parent >= 0]
    assert all(parents.count(p) > 1 for p in parents)
    both = join(shape, random_shape(seed + 1))
    assert both.length(DEND, APIC) == pytest.approx(shape.length(DEND, APIC))
    assert both.length(AXON) == pytest.approx(random_shape(seed + 1).length(AXON))


# Composing


def test_apical_dendrites_are_kept_left_out_or_counted_as_basal():
    cell = small()
    assert without_apical(cell, "keep") is cell
    assert not without_apical(small(), "none").of_kind(APIC)
    basal = without_apical(small(), "basal")
    assert not basal.of_kind(APIC) and len(basal.of_kind(DEND)) == 2


def exemplar(**fields):
    return Exemplar("L5_MC", Origin("L5_MC"), Origin("L5_MC"), **fields)


def test_axons_are_stretched_to_the_layer_and_stay_below_the_pia():
    depth = soma_depth("L5", LAYERS, 0, 1)
    assert depth == 450
    shape, findings = fit(small(), exemplar(axon_top="L2"), LAYERS, depth, np.zeros(9))
    # 100 um up can become 250 at most; 250 are asked for.
    assert shape.points(AXON)[:, 1].max() == pytest.approx(250) and not findings
    shape, findings = fit(small(), exemplar(axon_top="L1"), LAYERS, depth, np.zeros(9))
    assert shape.points(AXON)[:, 1].max() == pytest.approx(100 * MOST)
    assert "400 um is asked for" in findings[0].found
    assert shape.points(DEND).tolist() == small().points(DEND).tolist()
    near, _ = fit(small(), exemplar(), LAYERS, 50.0, np.zeros(9))
    assert max(near.points(k)[:, 1].max() for k in (AXON, APIC)) <= 50 - BELOW_PIA + 1e-9


def test_axons_are_narrowed_and_thinned_to_what_the_table_says():
    wide = random_shape(5, 60)
    factor = fit(wide, exemplar(axon_width=1.0), LAYERS, 450, np.zeros(99))[0]
    assert np.abs(factor.points(AXON)[:, 0]).max() == pytest.approx(
        LEAST * np.abs(wide.points(AXON)[:, 0]).max()
    )
    draws = np.random.default_rng(0).random(60)
    thinned = thin(wide, AXON, wide.length(AXON) / 2, draws)
    roots = sum(s.length for s in wide.of_kind(AXON) if s.parent == -1)
    assert thinned.length(AXON) <= max(wide.length(AXON) / 2, roots) + 1e-6
    assert thinned.length(DEND) == pytest.approx(wide.length(DEND))


def test_a_wrong_table_of_exemplars_names_every_cell(tmp_path):
    good = dict.fromkeys(COLUMNS, "") | {"m_type": "L5_MC", "dendrite_from": "L5_MC",
                                         "axon_from": "L5_MC:a b", "apical": "keep"}  # fmt: skip
    bad = good | {"m_type": "L9_X", "apical": "cut", "axon_top": "L7", "axon_width": "-1"}
    write_rows(tmp_path / "t.csv", [good])
    row = read_exemplars(tmp_path / "t.csv", LAYERS)["L5_MC"]
    assert row.axon.cells == ("a", "b") and row.axon.chosen(["a1", "c", "b"]) == [0, 2]
    write_rows(tmp_path / "t.csv", [good, good, bad])
    with pytest.raises(ConfigError) as error:
        read_exemplars(tmp_path / "t.csv", LAYERS)
    lines = [p.where.rsplit(":", 1)[1] for p in error.value.problems]
    assert lines == ["3", "4", "4", "4", "4"]


# Kernels beside naive ones


@given(st.integers(0, 10**6), st.floats(0.05, 20))
@settings(max_examples=60, deadline=None)
def test_simplifying_drops_no_point_farther_than_the_tolerance(seed, tolerance):
    rng = np.random.default_rng(seed)
    points = np.cumsum(rng.normal(0, 3, (30, 3)), axis=0)
    shape = Shape(5.0, (Section(AXON, -1, points, rng.uniform(0.5, 1.5, 30)),))
    (kept,) = simplify(shape, tolerance).sections
    full = np.column_stack([points, shape.sections[0].diameters / 2])
    thin_ = np.column_stack([kept.points, kept.diameters / 2])
    at = [int(np.flatnonzero((full == row).all(axis=1))[0]) for row in thin_]
    assert at[0] == 0 and at[-1] == 29 and at == sorted(at)
    for low, high in zip(at[:-1], at[1:], strict=True):
        for i in range(low + 1, high):
            assert distance(full[i], full[low], full[high]) <= tolerance + 1e-9
    assert simplify(shape, 0) is shape


def distance(p, a, b):
    """From a point to a piece, by trying many places on it and then the best ones' neighbours."""
    t = np.clip(np.dot(p - a, b - a) / max(np.dot(b - a, b - a), 1e-300), 0, 1)
    best = np.linalg.norm(p - (a + t * (b - a)))
    assert best <= min(np.linalg.norm(p - (a + u * (b - a))) for u in np.linspace(0, 1, 101)) + 1e-9
    return best


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_sholl_agrees_with_counting_sphere_by_sphere(seed):
    sections = random_shape(seed, 20).of_kind(AXON)
    ours = sholl(sections, 7.0)
    for k in range(1, len(ours) + 3):
        count = 0
        for s in sections:
            radii = np.linalg.norm(s.points, axis=1)
            for a, b in zip(radii[:-1], radii[1:], strict=True):
                count += min(a, b) < 7.0 * k <= max(a, b)
        assert count == (ours[k - 1] if k <= len(ours) else 0)


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_measures_agree_with_walking_the_tree(seed):
    shape = random_shape(seed, 20)
    orders = branch_orders(shape)
    for index, s in enumerate(shape.sections):
        steps, at = 0, s.parent
        while at >= 0:
            steps, at = steps + 1, shape.sections[at].parent
        assert orders[index] == steps
    for row, kind in zip(measure(shape), (AXON, DEND, APIC), strict=True):
        own = shape.of_kind(kind)
        assert row["sections"] == len(own) and row["trees"] == sum(s.parent < 0 for s in own)
        assert row["length"] == pytest.approx(shape.length(kind), abs=0.06)
        assert row["y_max"] == pytest.approx(shape.points(kind)[:, 1].max(), abs=0.06)
        assert row["branch_order"] == max(
            o for o, s in zip(orders, shape.sections, strict=True) if s.kind == kind
        )
    rows = in_layers(shape, {"A": 1e4, "B": 1e4}, 1e4)
    for kind, name in ((AXON, "axon"), (DEND, "basal"), (APIC, "apical")):
        up = sum(np.linalg.norm(b - a) for s in shape.of_kind(kind)
                 for a, b in zip(s.points[:-1], s.points[1:], strict=True) if (a + b)[1] > 0)  # fmt: skip
        found = {r["layer"]: r["length"] for r in rows if r["kind"] == name}
        assert found.get("A", 0) == pytest.approx(up, abs=0.06)
        assert sum(found.values()) == pytest.approx(shape.length(kind), abs=0.11)


def test_quantiles_are_weighted():
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1.0, 8.0, 1.0])
    assert weighted_quantile(values, weights, [0.0, 0.5, 0.85, 1.0]) == [1, 1, 2, 3]


# The stage


@pytest.fixture
def model(tmp_path):
    """The column with a library of three cells; L5_MC has two of its own, L1_DAC borrows."""
    folder = tmp_path / "model"
    shutil.copytree(COLUMN, folder)
    library = write_library(tmp_path / "lib", ("a", "b", "c"), m_type="L5_MC", source="here")
    rows = [dict.fromkeys(COLUMNS, "") | {"m_type": m, "dendrite_from": "L5_MC", "axon_from": "L5_MC:b",
                                          "apical": "none", "axon_top": "60"}
            for m in ("L5_MC", "L1_DAC")]  # fmt: skip
    write_rows(folder / "tables/exemplars.csv", rows)
    tree = yaml.safe_load((folder / "model.yaml").read_text())
    tree["morphologies"] = {"kind": "library", "folder": str(library), "count": 2, "layers":
                            tree["morphologies"]["layers"], "exemplars": "tables/exemplars.csv",
                            "catalogue": str(library / "catalogue.csv")}  # fmt: skip
    (folder / "model.yaml").write_text(yaml.safe_dump(tree))
    return folder / "model.yaml"


def bytes_of(paths):
    return {f.name: f.read_bytes() for f in sorted(paths.morphologies.glob("*.swc"))}


def test_a_library_lends_what_is_missing_and_says_so(model, tmp_path):
    paths = CircuitPaths(tmp_path / "c")
    resolved = load_model(str(model), "default")
    assert run_morphologies(resolved, paths) == 4 and check_morphologies(resolved) == 4
    rows = {r["name"]: r for r in csv.DictReader(open(paths.morphology_table))}
    assert rows["L5_MC_1"]["axon_from"] == "" and rows["L1_DAC_1"]["axon_from"] == "L5_MC"
    assert rows["L1_DAC_2"]["axon_cell"] == "b" and rows["L1_DAC_2"]["dendrite_cell"] == "b"
    assert rows["L1_DAC_1"]["licence"] == "CC BY 4.0" and rows["L1_DAC_1"]["source"] == "here"
    # A whole cell of the right type stays as it is; a borrowed one is fitted to its layer.
    whole = simplify(canonical(small()), 0.2)
    assert (paths.morphologies / "L5_MC_1.swc").read_text() == swc_text(whole)
    assert not read_shape(paths.morphologies / "L1_DAC_1.swc")[0].of_kind(APIC)
    assert float(rows["L1_DAC_1"]["axon_y_max"]) <= float(rows["L1_DAC_1"]["soma_depth"])
    metrics = {name: value for name, value, _ in morphology_metrics(paths)}
    assert metrics["morphologies.count"] == 4
    assert metrics["morphologies.axon.L5_MC.L5"] == 1 and metrics["morphologies.axon.L5_MC.L1"] == 0
    assert metrics["morphologies.axon_own_layer.L5_MC"] == 1
    real = paths.analysis("morphometrics")
    same = beside_real(paths, real)["morphology_comparison"]
    assert set(same["m_type"]) == {"L5_MC"} and (same["ours"] == same["real"]).all()


def test_bytes_depend_neither_on_workers_nor_on_the_other_types(model, tmp_path):
    resolved = load_model(str(model), "default")
    first, second = (CircuitPaths(tmp_path / name) for name in "cd")
    run_morphologies(resolved, first, workers=1)
    run_morphologies(resolved, second, workers=2)
    assert bytes_of(first) == bytes_of(second)
    for name in ("morphometrics", "morphology_findings", "morphology_layers"):
        assert first.analysis(name).read_bytes() == second.analysis(name).read_bytes()
    tree = yaml.safe_load(model.read_text())
    tree["morphologies"]["m_types"] = ["L1_DAC"]
    model.write_text(yaml.safe_dump(tree))
    run_morphologies(load_model(str(model), "default"), second)
    # Files of types that are not wanted any more are gone.
    assert bytes_of(second) == {k: v for k, v in bytes_of(first).items() if k.startswith("L1_DAC")}


def off_centre(path):
    path.write_text(path.read_text().replace("1 1 0 0 0", "1 1 3 0 0", 1))


def test_rejected_cells_are_left_out_with_a_finding(model, tmp_path):
    off_centre(tmp_path / "lib/a.swc")
    tree = yaml.safe_load(model.read_text())
    tree["morphologies"]["reject"] = ["off_centre"]
    tree["morphologies"]["count"] = 3
    model.write_text(yaml.safe_dump(tree))
    paths = CircuitPaths(tmp_path / "c")
    run_morphologies(load_model(str(model), "default"), paths)
    rows = list(csv.DictReader(open(paths.analysis("morphology_findings"))))
    assert ("a", "rejected", "left out") in {(r["name"], r["check"], r["action"]) for r in rows}
    cells = {r["dendrite_cell"] for r in csv.DictReader(open(paths.morphology_table))}
    assert cells == {"b", "c"}


def test_types_without_a_donor_are_one_error(model):
    tree = yaml.safe_load(model.read_text())
    tree["morphologies"]["m_types"] = ["L5_TTPC1"]
    model.write_text(yaml.safe_dump(tree))
    with pytest.raises(ConfigError, match="no exemplar for L5_TTPC1"):
        check_morphologies(load_model(str(model), "default"))


def test_placed_means_the_types_with_cells():
    tiny, full = load_model(COLUMN, "tiny"), load_model(COLUMN, "full")
    assert len(shape_types(full)) == 55
    few = shape_types(tiny)
    fitted = {tiny.model.fits[name].m_type for name in tiny.model.report.fits}
    assert fitted == {"L23_LBC"} <= set(few)  # the cell of the fit that the report shows
    assert {name.split("_")[0] for name in set(few) - fitted} == {"L4", "L5"}
    assert check_morphologies(tiny, few) == tiny.model.morphologies.count * len(few) == len(few)
    names = {path.name for path in stage_files(tiny, "morphologies")}
    assert {"me_types.csv", "exemplars.csv", "L5_MC.json"} <= names
    assert "placement_rules.csv" not in names and "real_morphometrics.csv" not in names
    counted = stage_slice(tiny, "morphologies")["nodes"]["cells"]
    assert "scale" in counted and "morphologies" not in counted
    row = plan_model(tiny)["populations"][0]
    assert row["name"] == "morphologies" and 5 < row["seconds"] < 120 and 1e6 < row["disk"] < 3e7


def test_the_report_shows_what_was_borrowed_and_found(model, tmp_path):
    off_centre(tmp_path / "lib/a.swc")
    paths = CircuitPaths(tmp_path / "c")
    resolved = load_model(str(model), "default")
    assert morphology_section(Tables(resolved, paths)) is None
    run_morphologies(resolved, paths)
    section_ = morphology_section(Tables(resolved, paths))
    assert [figure.key for figure in section_["figures"]] == ["morphology-gallery"]
    origins = {row["m_type"]: row for row in section_["origins"]}
    assert origins["L5_MC"]["own"] and origins["L5_MC"]["dendrites"] == "own (2)"
    assert not origins["L1_DAC"]["own"] and origins["L1_DAC"]["axon"] == "L5_MC (1)"
    found = {row["check"]: row["count"] for row in section_["findings"]}
    rows = list(csv.DictReader(open(paths.analysis("morphology_findings"))))
    assert sum(found.values()) == len(rows) and found["off_centre"] == 1


@pytest.mark.parametrize(("value", "nodes", "message"), [
    ("placed", False, "no nodes draw morphologies"), ("all", True, "m_types"), ([3], True, "m_types"),
])  # fmt: skip
def test_wrong_m_types_are_told_with_their_line(model, value, nodes, message):
    tree = yaml.safe_load(model.read_text())
    tree["morphologies"]["m_types"] = value
    if not nodes:
        del tree["nodes"]["cells"]["morphologies"], tree["edges"]
        tree.pop("analysis", None)
    model.write_text(yaml.safe_dump(tree))
    with pytest.raises(ConfigError, match=message) as error:
        load_model(str(model), "default")
    assert any("model.yaml:" in problem.where for problem in error.value.problems)
