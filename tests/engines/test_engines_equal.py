"""One circuit, two engines, any ranks and threads: the same spikes.

Without NEST the comparison with it skips; ``pip install nest-simulator`` brings it.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli import main
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.reports import read_report, read_spikes

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
from glif_model import KINDS, write_model  # noqa: E402

needs_nest = pytest.mark.skipif(
    importlib.util.find_spec("nest") is None, reason="NEST is absent: pip install nest-simulator"
)


def build(place, monkeypatch, cache, synapse, **run):
    """Builds the circuit; returns its model file, folder option and paths."""
    monkeypatch.setenv("SONATINA_CACHE", str(cache))
    model = write_model(place / synapse, synapse, **run)
    out = ["--out", str(place / "out")]
    for verb in ("compile", "nodes", "edges", "circuit"):
        assert main([verb, str(model), *out]) == 0
    return model, out, CircuitPaths(place / "out" / "glif" / "default")


def run(model, out, paths, name, *options):
    """Simulates; returns the bytes of the spikes, the spikes and the voltages."""
    assert main(["simulate", str(model), "--name", name, *out, *options]) == 0
    voltage = read_report(paths.report(name, "v"), "cells").data
    return paths.spikes(name).read_bytes(), read_spikes(paths.spikes(name), "cells"), voltage


@needs_nest
@pytest.mark.parametrize("synapse", sorted(KINDS))
def test_nest_and_neuron_give_the_same_spikes(tmp_path, monkeypatch, mechanism_cache, synapse):
    built = build(tmp_path, monkeypatch, mechanism_cache.parent, synapse)
    neuron, (nodes, _), ours = run(*built, "neuron")
    nest, (others, _), theirs = run(*built, "nest")
    assert len(nodes) > 50 and len(set(nodes.tolist())) > 10
    assert np.array_equal(nodes, others)
    assert neuron == nest
    # NEST's conductance cells are advanced by an adaptive method that allows 1e-3 mV per step.
    assert np.abs(ours - theirs).max() < (1e-2 if synapse == "cond" else 1e-8)


def test_ranks_do_not_matter(tmp_path, monkeypatch, mechanism_cache):
    built = build(tmp_path, monkeypatch, mechanism_cache.parent, "psc")
    first = run(*built, "neuron", "--ranks", "1")
    for ranks in ("2", "3"):
        other = run(*built, "neuron", "--ranks", ranks)
        assert other[0] == first[0] and np.array_equal(other[2], first[2])


def test_coreneuron_gives_the_same_spikes(tmp_path, monkeypatch, mechanism_cache):
    built = build(tmp_path, monkeypatch, mechanism_cache.parent, "psc")
    spikes, (nodes, _), voltage = run(*built, "neuron")
    for ranks in ("1", "2"):
        other = run(*built, "core", "--ranks", ranks)
        assert len(nodes) > 50 and other[0] == spikes
        assert np.abs(other[2] - voltage).max() < 1e-8


@needs_nest
def test_threads_do_not_matter_and_gains_act_alike(tmp_path, monkeypatch, mechanism_cache):
    gains = [
        {"edges": "inner", "source": "e", "factor": 1.5},
        {"edges": "inner", "target": "i", "factor": 0.0},
    ]
    built = build(tmp_path, monkeypatch, mechanism_cache.parent, "psc", gains=gains, threads=2)
    two = run(*built, "nest")
    assert run(*built, "neuron")[0] == two[0]
    plain = build(tmp_path / "plain", monkeypatch, mechanism_cache.parent, "psc", threads=1)
    one = run(*plain, "nest")
    assert one[0] != two[0]
    same = build(tmp_path / "same", monkeypatch, mechanism_cache.parent, "psc", gains=gains)
    assert run(*same, "nest")[0] == two[0]


def test_runaway_ends_the_run(tmp_path, monkeypatch, mechanism_cache, capsys):
    gains = [{"edges": "outer", "factor": 50.0}]
    keys = {"gains": gains, "rate_limit": "20 Hz"}
    model, out, _ = build(tmp_path, monkeypatch, mechanism_cache.parent, "psc", **keys)
    names = ["neuron"] + (["nest"] if importlib.util.find_spec("nest") else [])
    for name in names:
        assert main(["simulate", str(model), "--name", name, *out]) == 1
        assert "runaway: mean rate" in capsys.readouterr().err


def test_precise_spikes_on_any_ranks_and_not_in_nest(
    tmp_path, monkeypatch, mechanism_cache, capsys
):
    """The same times on one rank, two ranks and CoreNEURON; off the grid; NEST and cond refuse."""
    keys = {"spike_times": "precise"}
    built = build(tmp_path, monkeypatch, mechanism_cache.parent, "psc", **keys)
    first, (nodes, times), _ = run(*built, "neuron", "--ranks", "1")
    assert len(nodes) > 50
    off = np.abs(times / 0.1 - np.round(times / 0.1))
    assert (off > 0.01).mean() > 0.8
    for name, ranks in (("neuron", "2"), ("core", "2")):
        assert run(*built, name, "--ranks", ranks)[0] == first
    names = ["nest"] if importlib.util.find_spec("nest") else []
    capsys.readouterr()
    for name in names:
        assert main(["simulate", str(built[0]), "--name", name, *built[1]]) == 2
        said = capsys.readouterr().err
        assert "GLIF cells of NEST spike on the grid" in said and said.count("error") == 1
    cond = build(tmp_path / "cond", monkeypatch, mechanism_cache.parent, "cond", **keys)
    assert main(["simulate", str(cond[0]), "--name", "neuron", *cond[1]]) == 2
    assert "GLIF cells with conductance synapses" in capsys.readouterr().err
