"""The table of verdicts over several circuits."""

from __future__ import annotations

import pandas as pd

from pipeline.analysis.overview import read_verdicts
from pipeline.analysis.reference import COLUMNS
from pipeline.cli import main
from pipeline.sonata.layout import CircuitPaths


def circuit(folder, verdicts):
    """Writes a circuit's table of verdicts."""
    rows = [
        dict.fromkeys(COLUMNS, "x") | {"metric": f"m{i}", "title": f"Title {i}", "published": 1.0,
                                       "ours": 2.0 + i, "verdict": verdict}
        for i, verdict in enumerate(verdicts)
    ]  # fmt: skip
    path = CircuitPaths(folder).analysis("verdicts")
    path.parent.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(path, index=False)


def test_all_circuits_below_a_folder_are_counted_and_failures_listed(tmp_path, capsys):
    circuit(tmp_path / "worm" / "tiny", ["pass", "fail", "not applicable"])
    circuit(tmp_path / "v1" / "small", ["pass", "pass"])
    files = ["--csv", str(tmp_path / "all.csv"), "--page", str(tmp_path / "page.md")]
    assert main(["verdicts", str(tmp_path), *files]) == 0
    said = capsys.readouterr().out
    assert said.split("wrote")[0].strip() in (tmp_path / "page.md").read_text()
    assert "| v1 | small | 2 | 0 | 0 |" in said and "| worm | tiny | 1 | 1 | 1 |" in said
    assert [line for line in said.splitlines() if "Title" in line] == [
        "| worm | tiny | Title 1 | 1 | 3 | x | x |"
    ]
    assert len(pd.read_csv(tmp_path / "all.csv")) == 5
    assert len(read_verdicts([tmp_path / "worm" / "tiny"])) == 3


def test_a_folder_without_verdicts_is_one_error(tmp_path, capsys):
    assert main(["verdicts", str(tmp_path)]) == 2
    assert "no analysed circuit here" in capsys.readouterr().err
