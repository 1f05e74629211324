"""The report page: what it shows, that it escapes and needs no network, and its parts alone."""

import base64
import json
import re

import numpy as np
import pandas as pd
import pytest
from small_model import EVIL, write_circuit, write_extras, write_model

from pipeline.analysis.build import run_analysis
from pipeline.report import anatomy, plots, provenance
from pipeline.report.activity import fold_classes
from pipeline.report.html import config_rows, costs, number, run_report
from pipeline.report.style import PALETTE, spread, type_colours
from pipeline.runtime import file_hash, write_text
from pipeline.sonata.layout import CircuitPaths


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Model, paths and page of the small model with everything."""
    root = tmp_path_factory.mktemp("report")
    resolved = write_model(root / "model")
    paths = write_circuit(resolved, root / "circuit")
    write_extras(paths)
    run_analysis(resolved, paths)
    return resolved, paths, run_report(resolved, paths).read_text(encoding="utf-8")


def _without_images(page):
    return re.sub(r'src="data:[^"]*"', 'src=""', page)


def test_markup_in_names_titles_and_notes_is_shown_not_run(made):
    page = _without_images(made[2])
    assert len(re.findall("<script", page)) == 2  # the shapes and the view that turns them
    for raw in ("<script>alert", EVIL, "<b>gamma", "<em>x", "<i>brain", "<u>guess"):
        assert raw not in page, raw
    for shown in ("&lt;script&gt;alert(2)", "&lt;b&gt;gamma", "&lt;em&gt;x", "&lt;i&gt;brain"):
        assert shown in page, shown
    assert "&lt;u&gt;guess" in page


def test_the_page_loads_nothing_from_elsewhere(made):
    page = made[2]
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    outside = [s for s in sources if not s.startswith(("data:image/", "#", "analysis/", "prov"))]
    assert sources and outside == []
    elsewhere = r"https?://|@import|url\(|<link|<script[^>]*src|<iframe|fetch\(|XMLHttp"
    assert not re.search(elsewhere, _without_images(page))


def test_linked_tables_exist(made):
    _, paths, page = made
    links = set(re.findall(r'href="(analysis/[^"]*)"', page))
    assert {"analysis/verdicts.csv", "analysis/degrees.csv", "analysis/clamp_P.csv"} <= links
    assert all((paths.root / link).is_file() for link in links)


def test_verdicts_come_first_with_their_counts(made):
    page = made[2]
    order = [
        page.index(f'id="{name}"')
        for name in (
            "verdicts",
            "model",
            "circuit",
            "cells",
            "activity",
            "cost",
            "provenance",
            "config",
        )
    ]
    assert order == sorted(order)
    tally = page[page.index('class="tally"') : page.index("<table")]
    assert re.findall(r"<b>(\d+)</b>([a-z ]+)<", tally) == [
        ("1", "pass"), ("1", "fail"), ("1", "not applicable"), ("1", "not measured")
    ]  # fmt: skip
    assert "Needs seed = 7; it is 1 here." in page


def test_failing_verdicts_lead_and_what_has_no_number_is_folded(made):
    page = made[2]
    verdicts = page[page.index('id="verdicts"') : page.index('id="model"')]
    shown, *folded = verdicts.split("<details>")
    assert re.findall(r'class="chip ([a-z-]+)"', shown) == ["fail", "pass"]
    assert [re.findall(r'class="chip ([a-z-]+)"', part) for part in folded] == [
        ["not-measured"], ["not-applicable"]
    ]  # fmt: skip


def test_every_figure_has_caption_data_and_command(made):
    figures = re.findall(r"<figure.*?</figure>", _without_images(made[2]), re.S)
    turned = [figure for figure in figures if 'id="turn"' in figure]
    assert (len(figures), len(turned)) == (10, 1)
    for figure in figures:
        if figure in turned:
            continue
        assert re.search(r"<figcaption>\s*<p>[A-Z]", figure)
        assert "analysis/" in figure and "<code>sonatina " in figure


def test_the_page_holds_no_absolute_path_and_is_the_same_every_time(made):
    resolved, paths, page = made
    assert str(paths.root.parent) not in page
    assert str(resolved.folder) not in page
    assert run_report(resolved, paths).read_text(encoding="utf-8") == page


def test_provenance_has_hashes_versions_and_the_only_date(made):
    resolved, paths, page = made
    stored = json.loads(paths.provenance.read_text(encoding="utf-8"))
    soma = paths.report("quiet", "soma")
    assert stored["outputs"]["sim/quiet/soma.h5"] == file_hash(soma)
    assert stored["inputs"]["model.yaml"] == file_hash(resolved.folder / "model.yaml")
    assert "tables/connectomes/em.csv" in stored["inputs"]
    assert "components/morphologies (1 files)" in stored["outputs"]
    assert stored["versions"]["numpy"] == np.__version__
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", stored["date"])
    assert stored["date"][:10] not in page


def test_the_cost_table_follows_the_pipeline(made):
    rows = costs(made[1])
    assert [row["stage"] for row in rows] == ["nodes", "simulate_quiet"]
    assert rows[0]["seconds"] == 12.5 and rows[0]["cpu"] == 11
    assert rows[0]["memory"] is None


def test_no_benchmarks_no_costs(tmp_path):
    assert costs(CircuitPaths(tmp_path)) == []


def test_a_bare_model_has_a_page_without_the_missing_parts(tmp_path):
    resolved = write_model(tmp_path / "model", bare=True)
    paths = write_circuit(resolved, tmp_path / "circuit")
    run_analysis(resolved, paths)
    page = run_report(resolved, paths).read_text(encoding="utf-8")
    assert "nothing is judged here" in page
    assert 'id="anatomy"' in page
    for absent in ("cells", "activity", "cost", "degrees", "distances"):
        assert f'id="{absent}"' not in page


def test_a_page_can_be_made_before_the_analysis(tmp_path):
    resolved = write_model(tmp_path / "model")
    paths = write_circuit(resolved, tmp_path / "circuit")
    page = run_report(resolved, paths).read_text(encoding="utf-8")
    assert "<figure" not in page
    assert 'id="provenance"' in page


def test_config_rows_say_file_line_and_source(made):
    rows = {row["key"]: row for row in config_rows(made[0])}
    weight = rows["edges.wiring.chemical.weight.value"]
    lines = (made[0].folder / "model.yaml").read_text().splitlines()
    line = next(i for i, text in enumerate(lines, 1) if "guess" in text)
    assert (weight["value"], weight["origin"]) == ("1.0", f"model.yaml:{line}")
    assert weight["source"] == "a <u>guess</u>"
    assert rows["seed"] == {"key": "seed", "value": "1", "origin": "default", "source": ""}
    assert rows["nodes.neurons.properties"]["value"] == "type"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (float("nan"), "–"), (5.0, "5"), (2345, "2345"), (23848, "23\u202f848"),
        (0.0119, "0.0119"), (-3.14159, "−3.142"), (1e-9, "1e−09"), ("x", "x"), (0.39678, "0.3968"),
    ],
)  # fmt: skip
def test_numbers_for_readers(value, text):
    assert number(value) == text


def test_colours_follow_first_appearance_and_repeat():
    names = [f"t{k}" for k in range(10)]
    colours = type_colours([*names, "t0"])
    assert list(colours) == names
    assert colours["t9"] == PALETTE[1]
    assert len(set(PALETTE)) == len(PALETTE)


def test_the_busiest_window_holds_most_points():
    rng = np.random.default_rng(2)
    points = np.concatenate([rng.uniform(0, 100, 50), rng.uniform(60, 65, 40)])
    low, high = anatomy.busiest_window(points, 10.0)
    assert high - low == pytest.approx(10)
    best = max(((points >= p) & (points <= p + 10)).sum() for p in points)
    assert ((points >= low - 1e-9) & (points <= high + 1e-9)).sum() == best


@pytest.mark.parametrize(("length", "bar"), [(9.9, 5), (10, 10), (156, 100), (0.3, 0.2), (21, 20)])
def test_scale_bars_are_round(length, bar):
    assert anatomy.round_length(length) == pytest.approx(bar)


def test_a_polyline_is_cut_to_a_window():
    line = np.column_stack([[0, 1, 2, 9, 2, 1, 0, 9, 1], np.arange(9), np.zeros(9)])
    pieces = anatomy.cut(line, (0.5, 5))
    assert [piece[:, 1].tolist() for piece in pieces] == [[1, 2], [4, 5]]
    assert anatomy.cut(line, None)[0] is line


def test_shapes_lie_where_the_cells_are(made):
    _, paths, _ = made
    where = {"x": [0.0, 500.0], "y": [0.0, 1.0], "z": [0.0, 0.0]}
    cells = pd.DataFrame({"morphology": ["cell"] * 2, **where})
    shapes = anatomy.load_shapes(paths, cells, "swc")
    assert shapes.axes == ("x", "y", "z")
    assert shapes.cell.tolist() == [0, 0, 0, 1, 1, 1]
    assert shapes.lines[3][0].tolist() == [500.0, 2.0, 0.0]
    low, high = anatomy.close_up(shapes, np.array([[500.0, 1.0, 0.0]]))
    assert low[0] < 500 < high[0] and high[0] - low[0] < 50


def test_the_turning_view_carries_every_neurite(made):
    _, paths, page = made
    text = re.search(r'<script type="application/json" id="shapes">(.*?)</script>', page, re.S)[1]
    stored = json.loads(text)
    assert [group["name"] for group in stored["types"]] == ["alpha", "beta", "<b>gamma</b>"]
    assert [len(group["lines"]) for group in stored["types"]] == [6, 3, 3]
    # Cells stand 5 um apart; the circuit is 16 um high (y) and 15 um wide, in tenths of um.
    lines = stored["types"][0]["lines"]
    assert stored["half"] == 80
    steps = np.subtract(lines[3], lines[0]).reshape(-1, 3)
    assert (np.abs(steps).sum(axis=1) == 50).all()


def test_a_heavy_circuit_has_no_turning_view(made, monkeypatch):
    _, paths, _ = made
    cells = pd.DataFrame({"morphology": ["cell"], "x": [0.0], "y": [0.0], "z": [0.0]})
    shapes = anatomy.load_shapes(paths, cells, "swc")
    assert anatomy.viewer_data(shapes, pd.Series(["t"])) is not None
    monkeypatch.setattr(anatomy, "MOST_POINTS", 3)
    assert anatomy.viewer_data(shapes, pd.Series(["t"])) is None


def test_traces_are_chosen_across_types_by_how_much_they_vary():
    types = {"a": "x", "b": "x", "c": "y", "d": "y"}
    wave = np.array([0.0, 1.0, 0.0, 1.0])
    table = pd.DataFrame({"time_ms": range(4), "c": wave, "d": 3 * wave, "a": wave, "b": 2 * wave})
    assert plots.choose_traces(table, types, 2) == ["b", "d"]
    assert plots.choose_traces(table, types, 3) in (["b", "d", "c"], ["b", "a", "d"])
    assert plots.choose_traces(table, types, 9) == ["b", "a", "d", "c"]


def test_a_steady_input_is_drawn_over_cells_and_a_varying_one_over_time():
    steady = pd.DataFrame({"time_ms": [0.0], "0": [0.1], "1": [0.3]})
    varying = pd.DataFrame({"time_ms": [0.0, 1.0], "0": [0.1, 0.2], "1": [0.3, 0.1]})
    pages = [base64.b64decode(plots.draw_input(t, 50).split(",")[1]) for t in (steady, varying)]
    assert [b"time (ms)" in page for page in pages] == [False, True]


def test_labels_keep_their_distance_and_their_order():
    places = spread([0.5, 1.0, 1.5, 20.0], 2.0)
    assert all(b - a >= 2.0 for a, b in zip(places[:-1], places[1:], strict=True))
    assert places[-1] <= 20.5


def test_hashes_change_with_content_and_names_do_not_leak(tmp_path):
    write_text(tmp_path / "a", "1")
    write_text(tmp_path / "b", "2")
    before = provenance._hash_of_all([tmp_path / "a", tmp_path / "b"])
    write_text(tmp_path / "b", "3")
    assert provenance._hash_of_all([tmp_path / "a", tmp_path / "b"]) != before
    assert provenance.short(tmp_path / "a", tmp_path) == "a"
    assert provenance.short(tmp_path / "a", tmp_path / "b") == "a"


def test_no_commit_outside_a_checkout(tmp_path):
    assert provenance.git_commit(tmp_path) == ""


def test_a_long_table_of_input_classes_is_folded_to_their_totals():
    def rows(runs, classes):
        names = [*map(str, range(classes)), "all"]
        return [{"run": run, "class": name} for run in range(runs) for name in names]

    short, long = rows(2, 19), rows(5, 200)
    assert fold_classes(short) == {"show": short, "fold": []}
    found = fold_classes(long)
    assert [row["run"] for row in found["show"]] == [0, 1, 2, 3, 4]
    assert {row["class"] for row in found["show"]} == {"all"}
    assert len(found["fold"]) == 1000
