"""Engine ``neurodamus``, and CoreNEURON under both engines, against ``bionet`` on NEURON."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

pytest.importorskip("neuron")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "data"))
import release_model as model  # noqa: E402

from pipeline.cli import main  # noqa: E402
from pipeline.sonata.reports import read_report, read_spikes  # noqa: E402

# The axon is replaced, so that the built cell has other section ids than the file and its edges.
SWC = "1 1 0 0 0 10 -1\n2 1 0 20 0 10 1\n3 2 0 0 0 1 1\n4 2 0 -90 0 1 3\n5 3 0 20 0 1 2\n6 3 0 320 0 1 5\n"
GAINS = [{"edges": "inner", "factor": 1.5}]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The circuit with its synapses, each run for both engines: words of the command line, paths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONATINA_CACHE", os.environ.get("SONATINA_CACHE") or str(ROOT / ".cache"))
        folder = tmp_path_factory.mktemp("neurodamus")
        path = model.make_model(folder / "model")
        config = yaml.safe_load(path.read_text())
        for name in "abc":
            (folder / "model" / "morphologies" / f"{name}.swc").write_text(SWC)
        config["cells"]["axon"] = "stub"
        runs = config["simulation"]
        runs["low"] |= {"gains": GAINS, "release": "stochastic", "minis": 1}
        runs["low"]["inputs"]["push"] = {"kind": "constant", "nodes": "c", "amplitude": "0.2 nA"}
        for run in runs.values():
            run["record"]["all"] = {"nodes": "c", "sections": "all", "precision": "double"}
        runs |= {f"nd_{name}": run | {"engine": "neurodamus"} for name, run in runs.items()}
        runs |= {f"core_{name}": run | {"coreneuron": True} for name, run in runs.items()}
        path.write_text(yaml.safe_dump(config))
        words, paths = model.build(path, folder / "out")
        for name in (model.OUTER, model.INNER):
            with h5py.File(paths.edges(name), "r+") as handle:
                sections = handle[f"edges/{name}/0/afferent_section_id"]
                sections[1::2] = 2  # dendrite; of the others some stand on the axon that goes
        yield words, paths


CASES = [
    ("nd_run", 1), ("nd_run", 2), ("nd_low", 1), ("core_run", 2), ("core_low", 1),
    ("core_nd_run", 1), ("core_nd_low", 2),
]  # fmt: skip


@pytest.mark.parametrize(("key", "ranks"), CASES)
def test_spikes_and_voltages_equal_bionet(built, key, ranks):
    """Of neurodamus on NEURON, and of both engines on CoreNEURON; BioNet on one rank."""
    if "nd_" in key and importlib.util.find_spec("neurodamus") is None:
        pytest.skip("neurodamus is not installed (pip install neurodamus)")
    words, paths = built
    name = key.rsplit("_", 1)[-1]
    if not paths.spikes(name).is_file():
        assert main(["simulate", *words, "--name", name, "--ranks", "1"]) == 0
    assert main(["simulate", *words, "--name", key, "--ranks", str(ranks)]) == 0
    nodes, times = read_spikes(paths.spikes(name), "c")
    assert len(nodes) > 5
    for report in ("soma", "all"):
        ours, theirs = (read_report(paths.report(run, report), "c") for run in (name, key))
        assert np.array_equal(ours.node_ids, theirs.node_ids)
        assert np.array_equal(ours.element_ids, theirs.element_ids)
        assert np.abs(ours.data - theirs.data).max() < 1e-7
    # Soma and dendrite as the file has them; the stub has ids of its own.
    assert sorted(set(ours.element_ids)) == [0, 2, 3, 4]
    assert paths.spikes(key).read_bytes() == paths.spikes(name).read_bytes()


def test_what_it_cannot_express_is_named_before_the_run(built, capsys, monkeypatch):
    """Without neurodamus, too: one line each, exit code of a user's mistake or failure."""
    from pipeline.config.load import load_model
    from pipeline.simulation.engines import neurodamus
    from pipeline.simulation.plan import read_plan, write_plan

    words, paths = built
    write_plan(load_model(words[0]), "nd_run", paths)
    plan = read_plan(paths, "nd_run", None)
    monkeypatch.setattr(neurodamus, "package_folder", lambda: None)
    assert [p.message for p in neurodamus.check(plan)] == ["engine neurodamus is not installed"]
    monkeypatch.setattr(neurodamus, "package_folder", lambda: Path("somewhere"))
    known = paths.mechanisms.read_text()
    paths.mechanisms.write_text(
        json.dumps(json.loads(known) | {"mechanisms": ["SonataReport"], "coreneuron": ""})
    )
    assert neurodamus.check(plan) == []
    plan.config["run"]["coreneuron"] = True
    assert [p.message for p in neurodamus.check(plan)] == ["compiled without CoreNEURON"]
    plan.config["run"]["coreneuron"] = False
    paths.mechanisms.write_text(known)
    kept = {file: file.read_text() for file in (paths.edge_types(model.INNER), paths.mechanisms)}
    for file, text in kept.items():
        for word in ("AmpaNmdaRelease", "GabaABRelease", "SonataReport"):
            text = text.replace(word, "Exp2Syn")
        file.write_text(text)
    library, edges = neurodamus.check(plan)
    for file, text in kept.items():
        file.write_text(text)
    assert "again" in library.hint
    assert "set release only" in edges.message and model.INNER in edges.where
