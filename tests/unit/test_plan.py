"""``sonatina plan``: what it expects beside what is built."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest

from pipeline.cli import main
from pipeline.config.load import load_model
from pipeline.edges.build import run_edges
from pipeline.model_plan import plan_model, table_lines
from pipeline.nodes.build import run_nodes
from pipeline.sonata.layout import CircuitPaths

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("model, variant", [("v1", "tiny"), ("worm", "tiny"), ("worm", "default")])
def test_within_a_tenth_of_what_is_built(tmp_path, model, variant):
    resolved = load_model(str(ROOT / f"models/{model}"), variant)
    rows = {row["name"]: row for row in plan_model(resolved)["populations"]}
    paths = CircuitPaths(tmp_path)
    built = run_nodes(resolved, paths)
    for name, cells in built.items():
        assert rows.pop(name)["cells"] == cells
    for name in resolved.model.edges:
        for population, edges in run_edges(resolved, name, paths).items():
            row = rows.pop(population)
            assert row["edges"] == pytest.approx(edges, rel=0.1)
            with h5py.File(paths.edges(population)) as handle:
                group = handle[f"edges/{population}/0"]
                if "nsyns" in group:
                    assert row["synapses"] == pytest.approx(int(group["nsyns"][:].sum()), rel=0.1)
            size = paths.edges(population).stat().st_size
            assert size / 4 < row["disk"] < 4 * size + 20_000
    for name in resolved.model.stimuli:
        assert rows.pop(name)["seconds"] > 0
    assert not rows


def test_the_full_model_is_planned_quickly_from_its_rules():
    planned = plan_model(load_model(str(ROOT / "models/v1"), "full"))
    rows = {row["name"]: row for row in planned["populations"]}
    assert rows["v1"]["cells"] == 230_924
    assert rows["v1__v1__chemical"]["edges"] == pytest.approx(70.1e6, rel=0.02)
    assert rows["bkg__v1__chemical"]["synapses"] == 4 * 3_607_483
    total = planned["total"]
    assert total["memory"] == max(row["memory"] for row in rows.values())
    for key in ("edges", "disk", "seconds"):
        assert total[key] == pytest.approx(sum(row[key] for row in rows.values()))
    lines = table_lines(planned)
    assert lines[0] == "v1/full, expected" and len(lines) == len(rows) + 4
    assert "GiB" in next(line for line in lines if line.startswith("v1__v1"))


def test_json_and_wrong_names(capsys):
    assert main(["plan", str(ROOT / "models/worm"), "tiny", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["total"]["cells"] == 18 and planned["variant"] == "tiny"
    assert main(["plan", str(ROOT / "models/worm"), "tinny"]) == 2
    assert "tiny" in capsys.readouterr().err


def test_problems_of_rules_are_told_with_file_and_line(tmp_path, capsys):
    text = (ROOT / "models/v1/variants/tiny.yaml").read_text()
    text = text.replace("../model.yaml", str(ROOT / "models/v1/model.yaml"))
    line = "  edges.lgn.rules[0].connect[0].units.transient: [tON]\n"
    file = tmp_path / "bad.yaml"
    file.write_text(text.replace("set:\n", f"set:\n{line}"))
    assert main(["plan", str(file)]) == 2
    error = capsys.readouterr().err
    assert f"{file}:" in error and "no selected unit has subclass 'tON'" in error
