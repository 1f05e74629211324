"""The hybrid V1: summed synapses against NEURON's own, and equal bytes on any number of ranks."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("neuron")

from pipeline.cli import main  # noqa: E402
from pipeline.mechanisms import compile_sets  # noqa: E402
from pipeline.sonata.layout import CircuitPaths  # noqa: E402
from pipeline.sonata.reports import read_report, read_spikes  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SETS = [ROOT / "mechanisms" / "synapses"]
VARIANT = f"""extends: {ROOT}/models/v1/variants/hybrid_tiny.yaml
name: short
set:
  simulation.hybrid.duration: 60 ms
  simulation.hybrid.inputs.lgn: {{kind: poisson, nodes: lgn, rate: 30 Hz}}
"""


@pytest.mark.parametrize(
    "kinetics", [(1.0, 3.0, 0.0), (0.1, 0.5, 0.0), (2.7, 15.0, -70.0), (0.2, 8.0, -85.0)]
)
def test_summed_synapses_equal_the_textbook_synapse_of_neuron(
    own_process, mechanism_cache, kinetics
):
    """The kinetics of the V1 model; two events at once, two in neighbouring steps."""
    library = str(compile_sets(SETS, mechanism_cache).path)
    tau1, tau2, e = kinetics
    traces = [
        own_process(
            "synapse",
            script="hybrid_runs.py",
            library=library,
            mechanism=name,
            tau1=tau1,
            tau2=tau2,
            e=e,
        )
        for name in ("Exp2SynSum", "Exp2Syn")
    ]
    found, expected = map(np.array, traces)
    assert np.ptp(expected) > 0.05
    assert np.abs(found - expected).max() < 1e-9


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The tiny hybrid, built, with Poisson trains for thalamic input."""
    with pytest.MonkeyPatch.context() as patch:
        cache = os.environ.get("SONATINA_CACHE") or str(ROOT / ".cache")
        patch.setenv("SONATINA_CACHE", cache)
        folder = tmp_path_factory.mktemp("hybrid")
        (folder / "short.yaml").write_text(VARIANT)
        words = [str(folder / "short.yaml"), "--out", str(folder / "out")]
        for verb in ("compile", "nodes", "edges", "circuit"):
            assert main([verb, *words]) == 0
        yield words, CircuitPaths(folder / "out" / "v1" / "short")


def test_hybrid_is_the_same_to_the_last_bit_on_any_number_of_ranks(tiny):
    words, paths = tiny
    files = [paths.spikes("hybrid"), paths.report("hybrid", "soma")]
    digests = []
    for ranks in (1, 2, 3):
        assert main(["simulate", *words, "--ranks", str(ranks)]) == 0
        digests.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    assert digests[0] == digests[1] == digests[2]
    nodes, _ = read_spikes(files[0], "v1")
    whole = read_report(files[1], "v1").node_ids
    assert len(set(nodes) & set(whole)) > 3 and len(set(nodes) - set(whole)) > 3  # both kinds fire
