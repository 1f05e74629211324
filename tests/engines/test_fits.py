"""A fit from tables to e-model: known conductances of a Hodgkin-Huxley cell are found again."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import yaml

pytest.importorskip("neuron")
pytest.importorskip("bluepyopt")

from pipeline.cli import main  # noqa: E402
from pipeline.config.emodel import read_emodel  # noqa: E402
from pipeline.sonata.layout import CircuitPaths  # noqa: E402

TRUE = {"gnabar": 0.12, "gkbar": 0.036}
BOUNDS = """section_list,mechanism,parameter,distribution,lower,upper,value,source
soma,hh,,,,,,test
all,passive,Ra,,,,100,test
all,passive,g_pas,,,,0.00001,test
all,passive,e_pas,,,,-65,test
soma,hh,gl,,,,0.0003,test
soma,hh,gnabar,,0.08,0.2,,test
soma,hh,gkbar,,0.02,0.06,,test
,conditions,v_init,,,,-65,test
,conditions,celsius,,,,6.3,test
"""
PROTOCOLS = """protocol,kind,amplitude_percent,amplitude,delay,duration,total,holding,strict
RMP,step,,0,50,50,100,no,1
Step,step,,0.2,50,200,280,no,1
"""
FEATURES = ["AP_amplitude", "AHP_depth", "mean_frequency", "AP_duration_half_width"]


def model(folder, targets):
    """One sphere, two free conductances; targets as given."""
    folder.mkdir(exist_ok=True)
    (folder / "ball.swc").write_text("1 1 0 0 0 10 -1\n")
    (folder / "bounds.csv").write_text(BOUNDS)
    (folder / "protocols.csv").write_text(PROTOCOLS)
    with open(folder / "targets.csv", "w", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(["protocol", "location", "feature", "mean", "sd", "source", "held_out"])
        for name, mean in targets.items():
            held = int(name == "AP_duration_half_width")
            rows.writerow(["Step", "soma.v", name, mean, abs(mean) / 50, "test", held])
        rows.writerow(["RMP", "soma.v", "voltage_base", -65, 5, "test", 0])
    content = {
        "schema": 1, "name": "ball",
        "fits": {
            "ball": {
                "morphology": "ball.swc", "axon": "none", "bounds": "bounds.csv",
                "protocols": "protocols.csv", "targets": "targets.csv",
                "search": {"algorithm": "cma_single", "offspring": 10, "generations": 60, "seeds": [1, 2]},
            }
        },
    }  # fmt: skip
    path = folder / "model.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def truth(folder):
    """The features of the cell whose conductances are to be found."""
    from pipeline.config.load import load_model
    from pipeline.fitting.evaluate import evaluate
    from pipeline.fitting.stage import make_task

    path = model(folder, dict.fromkeys(FEATURES, 1.0))
    task = make_task(load_model(str(path)), "ball", CircuitPaths(folder / "none"))
    found = evaluate(task, list(TRUE.values()), held_out=True).values
    return {name: found[f"Step.soma.v.{name}"] for name in FEATURES}


def test_known_conductances_are_found_again(tmp_path):
    wanted = truth(tmp_path / "true")
    assert wanted["AP_amplitude"] > 50 and wanted["mean_frequency"] > 20
    path = model(tmp_path / "m", wanted)
    out = ["--out", str(tmp_path / "out")]
    assert main(["optimise", str(path), *out, "--workers", "2"]) == 0
    paths = CircuitPaths(tmp_path / "out" / "ball" / "default")
    with open(paths.fit_table("ball", "features")) as handle:
        rows = list(csv.DictReader(handle))
    assert [row["held_out"] for row in rows] == ["0", "0", "0", "1", "0"]
    assert max(float(row["score"]) for row in rows) < 0.5
    emodel = read_emodel(paths.fit_emodel("ball"))[0]
    for name, value in TRUE.items():
        assert emodel.mechanisms["soma"]["hh"][name] == pytest.approx(value, rel=0.1)
    # One seed again, from its log: nothing is evaluated, the same bytes come out.
    before = [paths.fit_log("ball", 1).read_bytes(), paths.fit_result("ball", 1).read_bytes()]
    assert main(["optimise", str(path), *out, "--seed", "1"]) == 0
    after = [paths.fit_log("ball", 1).read_bytes(), paths.fit_result("ball", 1).read_bytes()]
    assert before == after
    best = [json.loads(paths.fit_result("ball", s).read_text())["score"] for s in (1, 2)]
    assert np.isfinite(best).all()


def passive_model(folder, search):
    """The sphere with a free leak that rests elsewhere than it should, and a start that does."""
    from pipeline.config.load import load_model
    from pipeline.fitting.parameters import emodel_of
    from pipeline.fitting.stage import make_task

    path = model(folder, {"AP_amplitude": 80.0})
    table = folder / "bounds.csv"
    text = BOUNDS.replace("g_pas,,,,0.00001", "g_pas,,,,0.003")
    table.write_text(text.replace("e_pas,,,,-65", "e_pas,,-90,-50,"))
    targets = folder / "targets.csv"
    targets.write_text(targets.read_text().replace("-65,5", "-65,0.5"))
    task = make_task(load_model(str(path)), "ball", CircuitPaths(folder / "none"))
    start = emodel_of("start", task.parameters, task.laws, [-85.0, 0.12, 0.036], "test")
    data = start.model_dump(mode="json", by_alias=True, exclude_none=True)
    (folder / "start.yaml").write_text(yaml.safe_dump(data))
    content = yaml.safe_load(path.read_text())
    content["fits"]["ball"]["search"] = {
        "offspring": 2, "generations": 1, "start": ["start.yaml"], "passive": search,
    }  # fmt: skip
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_a_start_that_rests_elsewhere_is_moved_before_the_search(tmp_path):
    path = passive_model(tmp_path, {"steps": 5, "parameters": ["e_pas.*"]})
    out = ["--out", str(tmp_path / "out")]
    assert main(["optimise", str(path), *out, "--seed", "1"]) == 0
    paths = CircuitPaths(tmp_path / "out" / "ball" / "default")
    lines = [json.loads(line) for line in paths.passive_log("ball", 1).read_text().splitlines()[1:]]
    assert lines[0]["x"][0] == -85 and lines[0]["scores"][0] > 3  # beyond the first limit
    assert min(line["scores"][0] for line in lines) < 0.1
    assert {tuple(line["x"][1:]) for line in lines} == {(0.12, 0.036)}
    tried = [json.loads(line) for line in paths.fit_log("ball", 1).read_text().splitlines()[1:]]
    best = min(lines, key=lambda line: line["scores"][0])
    assert tried[0]["x"] == best["x"] and not tried[0]["reason"]
    before = paths.passive_log("ball", 1).read_bytes()
    assert main(["optimise", str(path), *out, "--seed", "1"]) == 0
    assert paths.passive_log("ball", 1).read_bytes() == before


def test_passive_numbers_that_are_none_are_told(tmp_path, capsys):
    path = passive_model(tmp_path, {"steps": 5, "parameters": ["gIhbar.*"]})
    assert main(["optimise", str(path), "--out", str(tmp_path / "out"), "--seed", "1"]) == 2
    told = capsys.readouterr().err
    assert "search.passive" in told and "no free parameter fits gIhbar.*" in told
    assert "such as e_pas.passive" in told
    path = passive_model(tmp_path, {"steps": 5, "parameters": ["e_pas.*"]})
    table = tmp_path / "targets.csv"
    table.write_text(
        "\n".join(line for line in table.read_text().splitlines() if "RMP" not in line)
    )
    assert main(["optimise", str(path), "--out", str(tmp_path / "out"), "--seed", "1"]) == 2
    assert "neither rest (RMP) nor input resistance" in capsys.readouterr().err
