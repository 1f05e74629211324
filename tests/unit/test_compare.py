"""Circuits side by side: numbers, directions of change, and what cannot be compared."""

import numpy as np
import pandas as pd
import pytest
from gratings import write_circuit, write_model

from pipeline.analysis.build import run_analysis
from pipeline.analysis.compare import (
    check_changes,
    compare_sides,
    labels,
    read_expected,
    read_sides,
)
from pipeline.cli import main
from pipeline.runtime import write_json, write_text

HEAD = "variant,metric,class,direction,source\n"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("compare")
    resolved = write_model(root / "model")
    found = []
    for name, seed, scale in (("base", 1, 1.0), ("small_loud", 2, 2.0), ("other", 3, 1.0)):
        paths = write_circuit(root / "v1" / name, seed=seed, scale=scale)
        run_analysis(resolved, paths)
        found.append(paths.root)
    write_json(found[2] / "provenance.json", {"variant": "loud"})
    return found


def test_numbers_mean_and_spread(folders):
    sides = read_sides(folders)
    assert [s.variant for s in sides] == ["base", "small_loud", "loud"]
    table = compare_sides(sides).set_index(["name", "quantity"])
    row = table.loc[("e5", "evoked")]
    own = [
        pd.read_csv(f / "analysis/responses_cells.csv").query("`class` == 'e5'")["evoked"].median()
        for f in folders
    ]
    np.testing.assert_allclose(row[["base", "small_loud", "other"]].astype(float), own, rtol=1e-6)
    assert row["mean"] == pytest.approx(np.mean(own)) and row["sd"] == pytest.approx(
        np.std(own, ddof=1)
    )
    assert row["small_loud"] / row["base"] == pytest.approx(2, rel=0.1)


def test_directions_of_change(folders, tmp_path):
    text = "loud,evoked,e5,up,assumed\nloud,spontaneous,e2,down,assumed\nloud,osi,e9,up,x\nz,osi,e2,up,x\n"
    write_text(tmp_path / "expected.csv", HEAD + text)
    sides = read_sides(folders[:2])
    found = check_changes(sides, compare_sides(sides), read_expected(tmp_path / "expected.csv"))
    assert found["verdict"].tolist() == ["pass", "fail", "not measured"]


def test_the_page(folders, tmp_path, capsys):
    write_text(tmp_path / "expected.csv", HEAD + "loud,evoked,e5,up,<b>me</b>\n")
    page = tmp_path / "page.html"
    words = ["compare", *map(str, folders), "--out", str(page)]
    assert main([*words, "--expected", str(tmp_path / "expected.csv")]) == 0
    text = page.read_text(encoding="utf-8")
    assert "small_loud" in text and "&lt;b&gt;me" in text and "<b>me" not in text and "× " in text
    assert "http" not in text and 'href="page.csv"' in text and page.with_suffix(".csv").is_file()
    assert main(words) == 0
    first = page.read_bytes()
    assert main(words) == 0 and page.read_bytes() == first
    assert main([*words, "--seeds"]) == 0
    assert '<th class="n">SD</th>' in page.read_text(encoding="utf-8")
    capsys.readouterr()


@pytest.mark.parametrize(
    ("chosen", "said"),
    [([0], "expected two or more"), ([0, 0], "stands twice"), ([0, None], "has no analysis/")],
)
def test_what_cannot_be_compared(folders, tmp_path, capsys, chosen, said):
    words = [str(tmp_path if index is None else folders[index]) for index in chosen]
    assert main(["compare", *words, "--out", str(tmp_path / "p.html")]) == 2
    assert said in capsys.readouterr().err


def test_bad_expectations_have_their_lines(tmp_path):
    write_text(tmp_path / "e.csv", HEAD + "a,evoked,e2,up,x\na,speed,e2,sideways,\n")
    with pytest.raises(Exception) as caught:
        read_expected(tmp_path / "e.csv")
    said = str(caught.value)
    assert said.count("e.csv:3") == 3 and "speed" in said and "sideways" in said


def test_labels_tell_folders_apart(tmp_path):
    assert labels([tmp_path / "a/v1/x", tmp_path / "b/v1/x"]) == ["a/v1/x", "b/v1/x"]
    assert labels([tmp_path / "x", tmp_path / "y"]) == ["x", "y"]
