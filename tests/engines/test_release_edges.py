"""Synapses with release from SONATA edges: against a circuit wired by hand, and on any ranks."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("neuron")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "data"))
import release_model as model  # noqa: E402

from pipeline.cli import main  # noqa: E402
from pipeline.simulation.release_synapses import stream_keys  # noqa: E402
from pipeline.simulation.weights import grid_times  # noqa: E402
from pipeline.sonata.reports import read_report, read_spikes  # noqa: E402


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The circuit with its synapses: words of the command line, and paths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONATINA_CACHE", os.environ.get("SONATINA_CACHE") or str(ROOT / ".cache"))
        folder = tmp_path_factory.mktemp("release")
        yield model.build(model.make_model(folder / "model"), folder / "out")


def by_hand(run, paths, name, **settings):
    """The same circuit wired without the pipeline's edges."""
    _, train = read_spikes(paths.simulation(name) / "input_drive.h5", "s")
    edges = {p: model.synapses(p).to_dict("list") for p in (model.OUTER, model.INNER)}
    for table in edges.values():  # delays go to the nearest step
        steps = np.floor(np.array(table["delay"]) / 0.1 + 0.5)
        table["delay"] = (np.maximum(steps, 1) * 0.1).tolist()
    return run(
        "by_hand",
        script="release_runs.py",
        library=json.loads(paths.mechanisms.read_text())["library"],
        folder=str(paths.morphologies.parent),
        edges=edges,
        keys={p: stream_keys(3, p) for p in edges},
        outer=model.OUTER,
        slow=model.SLOW,
        train=grid_times(train, 0.1).tolist(),
        duration=150.0,
        **settings,
    )


def test_edges_equal_a_circuit_wired_by_hand_on_any_number_of_ranks(built, own_process):
    words, paths = built
    files = [paths.spikes("run"), paths.report("run", "soma")]
    digests = []
    for ranks in (1, 2):
        assert main(["simulate", *words, "--name", "run", "--ranks", str(ranks)]) == 0
        digests.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    assert digests[0] == digests[1]
    nodes, times = read_spikes(files[0], "c")
    expected = by_hand(own_process, paths, "run", calcium=2.0, stochastic=1)
    for node, spikes in enumerate(expected["spikes"]):
        assert len(spikes) > 2
        np.testing.assert_allclose(np.sort(times[nodes == node]), spikes, atol=1e-6)
    found = read_report(files[1], "c").data
    assert np.abs(found - np.array(expected["traces"]).T[: len(found)]).max() < 1e-6


def test_calcium_and_the_mean_form_come_from_the_run(built, own_process):
    """At 1.2 mM in the mean form, minis off; the same circuit."""
    words, paths = built
    assert main(["simulate", *words, "--name", "low", "--ranks", "1"]) == 0
    expected = by_hand(own_process, paths, "low", calcium=1.2, stochastic=0)
    found = read_report(paths.report("low", "soma"), "c").data
    assert np.abs(found - np.array(expected["traces"]).T[: len(found)]).max() < 1e-6
    other = read_report(paths.report("run", "soma"), "c").data
    assert np.abs(found - other).max() > 1
