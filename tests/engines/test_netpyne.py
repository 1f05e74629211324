"""Engine ``netpyne`` against ``bionet``: synapses with release, currents, gains, all sections."""

from __future__ import annotations

import importlib.util
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip("neuron")
if importlib.util.find_spec("netpyne") is None:  # importing it here would take seconds
    pytest.skip("netpyne is not installed (pip install netpyne)", allow_module_level=True)
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "data"))
import release_model as model  # noqa: E402

from pipeline.cli import main  # noqa: E402
from pipeline.config.simulation import Simulation  # noqa: E402
from pipeline.simulation.engines import netpyne  # noqa: E402
from pipeline.simulation.plan import read_plan  # noqa: E402
from pipeline.sonata.reports import read_report, read_spikes  # noqa: E402


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The circuit with its synapses, each run for both engines: words of the command line, paths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONATINA_CACHE", os.environ.get("SONATINA_CACHE") or str(ROOT / ".cache"))
        folder = tmp_path_factory.mktemp("netpyne")
        path = model.make_model(folder / "model")
        config = yaml.safe_load(path.read_text())
        run = config["simulation"].pop("low") | {"release": "stochastic", "minis": 1}
        run["inputs"]["push"] = {"kind": "constant", "nodes": "c", "amplitude": "0.2 nA"}
        run["record"]["all"] = {"nodes": "c", "sections": "all", "precision": "double"}
        run["gains"] = [{"edges": "inner", "factor": 1.5}]
        config["simulation"] = {"run": run, "np": run | {"engine": "netpyne"}}
        path.write_text(yaml.safe_dump(config))
        words, paths = model.build(path, folder / "out")
        assert main(["simulate", *words, "--name", "run", "--ranks", "1"]) == 0
        yield words, paths


@pytest.mark.parametrize("ranks", [1, 2])
def test_spikes_and_voltages_equal_bionet(built, ranks):
    words, paths = built
    assert main(["simulate", *words, "--name", "np", "--ranks", str(ranks)]) == 0
    assert len(read_spikes(paths.spikes("run"), "c")[0]) > 10
    for report in ("soma", "all"):
        ours, theirs = (read_report(paths.report(run, report), "c") for run in ("run", "np"))
        assert np.array_equal(ours.element_ids, theirs.element_ids)
        assert np.abs(ours.data - theirs.data).max() < 1e-9
    assert paths.spikes("np").read_bytes() == paths.spikes("run").read_bytes()
    # What its users load: the network and the same spikes.
    with open(paths.simulation("np") / "netpyne_data.pkl", "rb") as handle:
        saved = pickle.load(handle)
    assert len(saved["net"]["cells"]) == 3
    assert sorted(saved["simData"]["spkt"]) == pytest.approx(
        sorted(read_spikes(paths.spikes("np"), "c")[1]), abs=1e-6
    )


def test_what_it_cannot_express_is_named_before_the_run(built, monkeypatch):
    _, paths = built
    plan = read_plan(paths, "np", None)
    assert netpyne.check(plan) == []
    kept = paths.edge_types(model.INNER).read_text()
    paths.edge_types(model.INNER).write_text(
        kept.replace("AmpaNmdaRelease", "Exp2Syn").replace("GabaABRelease", "Exp2Syn")
    )
    (problem,) = netpyne.check(plan)
    paths.edge_types(model.INNER).write_text(kept)
    assert model.INNER in problem.where and "exp2syn" in problem.message
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert [p.hint for p in netpyne.check(plan)] == ["pip install netpyne"]
    with pytest.raises(ValueError, match="netpyne runs on NEURON"):
        Simulation(engine="netpyne", coreneuron=True)
