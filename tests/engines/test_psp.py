"""Paired recordings in NEURON: kept states against whole runs, resumed work, figures."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("neuron")
pytest.importorskip("pebble")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "data"))
import psp_model as model  # noqa: E402

from pipeline.cli import main  # noqa: E402
from pipeline.config.load import load_model  # noqa: E402
from pipeline.psp.stage import Setup  # noqa: E402
from pipeline.sonata.layout import CircuitPaths  # noqa: E402


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The circuit: words of the command line, paths and folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONATINA_CACHE", os.environ.get("SONATINA_CACHE") or str(ROOT / ".cache"))
        folder = tmp_path_factory.mktemp("psp")
        words = [str(model.make_model(folder / "model")), "--out", str(folder / "out")]
        paths = CircuitPaths(folder / "out" / "pairs" / "default")
        for stage in ("compile", "nodes"):
            assert main([stage, *words]) == 0
        model.write_synapses(paths)
        yield words, paths, folder


@pytest.mark.parametrize("name", ["I-P", "P-P"])
def test_a_trial_from_the_kept_state_is_one_from_the_start(built, name, tmp_path):
    words, paths, _ = built
    library = Path(json.loads(paths.mechanisms.read_text())["library"])
    setup = Setup(load_model(words[0], None), paths, library, [name])
    (pathway,) = setup.pathways
    job = setup.jobs(pathway, 1.0, tmp_path)[0]
    (tmp_path / "job.pickle").write_bytes(pickle.dumps(job))
    command = [sys.executable, str(Path(__file__).with_name("psp_runs.py")), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, env=environment, timeout=300)
    found = json.loads((tmp_path / "out.json").read_text())
    traces = np.array(found["traces"])
    np.testing.assert_allclose(traces[[0, 3]], found["whole"], rtol=0, atol=1e-6)
    assert abs(found["held"]["held"] - pathway.hold) < 0.01
    assert np.ptp(found["silent"]) < 0.01
    # Trials differ, and sodium channels are there or not as the table says.
    assert len(np.unique(traces.max(axis=1).round(9))) > 2 or name == "I-P"
    assert found["has_hh"] == (not pathway.ttx)


def test_recorded_once_judged_and_shown(built, capsys):
    words, paths, folder = built
    cache = ["--cache", str(folder / "cache"), "--workers", "1"]
    assert main(["psp", *words, *cache]) == 0
    assert capsys.readouterr().out.rstrip().endswith("8 connections recorded, 8 now")
    first = {name: paths.psp(name).read_bytes() for name in ("pairs", "pathways", "traces")}
    assert main(["psp", *words, *cache]) == 0
    assert capsys.readouterr().out.rstrip().endswith("8 connections recorded, 0 now")
    assert {name: paths.psp(name).read_bytes() for name in first} == first
    table = pd.read_csv(paths.psp("pathways")).set_index("pathway")
    assert table["pairs"].to_dict() == {"P-P": 3, "P-I": 3, "I-P": 2, "none-P": 0}
    assert (table["psp"].dropna() > 0.05).all()
    assert table.loc["I-P", "reversal"] == -80 and table.loc["P-P", "reversal"] == 0
    traces = pd.read_csv(paths.psp("traces")).set_index("pathway")["mean"]
    assert traces["P-P"].max() > -traces["P-P"].min() and traces["I-P"].min() < -0.05


def test_calibration_reaches_its_targets(built, capsys):
    words, paths, folder = built
    command = ["psp", *words, "--cache", str(folder / "cache"), "--workers", "1", "--calibrate",
               "--name", "P-I", "--save", "gains.csv"]  # fmt: skip
    assert main(command) == 0
    found = pd.read_csv(paths.psp("calibration")).iloc[0]
    assert found["after"] == pytest.approx(0.5, rel=0.02)
    gains = pd.read_csv(Path(words[0]).parent / "gains.csv")
    assert gains[["source", "target"]].values.tolist() == [["P", "I1"], ["P", "I2"]]
    assert gains["factor"].to_numpy() == pytest.approx(found["factor"])
    capsys.readouterr()


def test_a_worker_that_hangs_costs_its_connection_only(built, capsys, monkeypatch, tmp_path):
    words, paths, folder = built
    source = Path(words[0])
    text = source.read_text().replace("  pairs: 3", "  pairs: 1\n  time_limit: 1")
    assert "  trials: 6\n" in text
    text = text.replace("  trials: 6\n", "  trials: 5000\n")
    slow = source.with_name("slow.yaml")
    slow.write_text(text)
    assert main(["psp", str(slow), *words[1:], "--cache", str(tmp_path), "--workers", "1",
                 "--name", "I-P"]) == 0  # fmt: skip
    assert "0 of 1 connections recorded" in capsys.readouterr().out
    reason = pd.read_csv(paths.psp("pairs"))["reason"][0]
    assert reason.startswith("failed: took longer than 1 s")
