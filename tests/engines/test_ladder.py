"""The ladder: one circuit at L3, L2 and L1; the reduction against plain arithmetic."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.integrate import quad

pytest.importorskip("neuron")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "data"))
import ladder_model as model  # noqa: E402

from pipeline.cli import main  # noqa: E402
from pipeline.simulation import ladder  # noqa: E402
from pipeline.simulation.ladder_cells import Probe, to_point  # noqa: E402
from pipeline.simulation.plan import LevelPaths  # noqa: E402
from pipeline.sonata.layout import CircuitPaths  # noqa: E402
from pipeline.sonata.read import read_edges, read_typed_nodes  # noqa: E402
from pipeline.sonata.reports import read_spikes  # noqa: E402

INNER = "c__c__chemical"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The circuit with its runs at all levels: words of the command line, paths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONATINA_CACHE", os.environ.get("SONATINA_CACHE") or str(ROOT / ".cache"))
        folder = tmp_path_factory.mktemp("ladder")
        words = [str(model.make_model(folder / "model")), "--out", str(folder / "out")]
        for verb in ("compile", "nodes", "edges", "circuit", "simulate"):
            assert main([verb, *words]) == 0
        yield words, CircuitPaths(folder / "out" / "ladder" / "default")


def test_every_level_runs_from_the_same_files_and_the_engines_agree(built):
    words, paths = built
    before = {file: file.read_bytes() for file in paths.network.iterdir()}
    spikes = {name: read_spikes(paths.spikes(name), "c") for name in ("run", "two", "nest", "one")}
    for end in (0, 1):
        assert np.array_equal(spikes["two"][end], spikes["nest"][end])
    # Wide: a point has no sodium channels. The exact numbers stand in the report.
    for name in ("two", "one"):
        assert 0.5 < len(spikes[name][0]) / len(spikes["run"][0]) < 2
    assert not np.array_equal(spikes["two"][1], spikes["one"][1])
    assert main(["simulate", *words, "--name", "two", "--ranks", "2"]) == 0
    again = read_spikes(paths.spikes("two"), "c")
    assert np.array_equal(again[1], spikes["two"][1])
    assert {file: file.read_bytes() for file in paths.network.iterdir()} == before


def charges(whole, kinds, erev, cells) -> dict[int, float]:
    """Sum over all edges of a sign, pA ms, edge by edge and by quadrature."""
    expected = {1: 0.0, -1: 0.0}
    for row, reversal in zip(whole.itertuples(), erev, strict=True):
        kind = kinds.loc[row.edge_type_id]
        t1, t2 = float(kind["tau1"]), float(kind["tau2"])
        shape = lambda t, t1=t1, t2=t2: math.exp(-t / t2) - math.exp(-t / t1)  # noqa: E731
        peak = t1 * t2 / (t2 - t1) * math.log(t2 / t1)
        cell = cells[row.target_node_id]
        middle = (cell["E_L"] + cell["V_th"]) / 2
        conductance = kind["syn_weight"] * row.nsyns * quad(shape, 0, 100)[0] / shape(peak)
        charge = 1e3 * conductance * (reversal - middle)
        expected[int(np.sign(charge))] += charge
    return expected


def test_weights_carry_the_charge_of_the_synapses(built):
    """L2: number of synapses times the mean of all of a sign; L1: all pairs alike, the same sum."""
    _, paths = built
    whole = read_edges(paths.edges(INNER), INNER)
    kinds = pd.read_csv(paths.edge_types(INNER), sep=" ").set_index("edge_type_id")
    erev = kinds["erev"].astype(float).loc[whole["edge_type_id"]].to_numpy()
    two, one = (LevelPaths.of(paths, run, level) for run, level in (("two", "L2"), ("one", "L1")))
    for level, weights in ((two, "n"), (one, "same")):
        points = read_typed_nodes(level.nodes("c"), level.node_types("c"), "c")
        files = points["dynamics_params"]
        cells = [json.loads((level.point_neurons / file).read_text()) for file in files]
        expected = charges(whole, kinds, erev, cells)
        edges = read_edges(level.edges(INNER), INNER)
        assert len(edges) == len(whole)
        for kind, sign in ((0, 1), (1, -1)):
            own = edges[edges["edge_type_id"] == kind]
            tau = cells[0]["tau_syn"][kind]
            assert own["syn_weight"].sum() * math.e * tau == pytest.approx(expected[sign], rel=1e-4)
            pairs = own.merge(whole, on=["source_node_id", "target_node_id"])
            each = pairs["syn_weight_x" if "syn_weight_x" in pairs else "syn_weight"]
            each = each / (pairs["nsyns"] if weights == "n" else 1)
            assert np.ptp(each) < 1e-5 * abs(each.mean())


def test_the_point_fires_where_the_cell_did():
    """At rheobase it comes to its threshold; above it its period is the measured one."""
    probe = Probe(rest=-70.0, resistance=120.0, tau=14.0, rheobase=0.11, push=2.0, period=13.0)
    point = to_point(probe)
    assert point.rheobase == pytest.approx(probe.rheobase)
    assert point.tau_m == pytest.approx(probe.tau)
    v, t, dt = point.E_L, 0.0, 1e-3
    while v < point.threshold:  # Euler, on its own
        v += dt / point.C * (2 * probe.rheobase - point.g * (v - point.E_L))
        t += dt
    assert t + point.t_ref == pytest.approx(probe.period, rel=1e-3)
    assert to_point(Probe(-70.0, 120.0, 14.0, 0.11, 5.0, math.nan)).t_ref == 2.0


def test_the_report_compares_the_levels(built):
    words, paths = built
    assert main(["analyse", *words]) == 0
    table = pd.read_csv(paths.analysis("levels"))
    assert list(table["run"]) == ["run", "two", "nest", "one"]
    counts = [len(read_spikes(paths.spikes(name), "c")[0]) for name in table["run"]]
    assert list(table["spikes"]) == counts
    assert table["rate_ratio"][1] == pytest.approx(counts[1] / counts[0])
    # Both engines of level L2 differ in the engine only.
    engines = pd.read_csv(paths.analysis("engines")).set_index("run")
    assert set(engines.index) == {"two", "nest"} and set(engines["against"]) == {"two"}
    assert engines["verdict"]["nest"] == "pass" and engines["voltage"]["nest"] < 1e-6
    assert main(["report", *words]) == 0
    page = paths.report_page.read_text()
    assert "times L3" in page and "The same run on engines and ranks" in page


def test_what_has_no_coarser_level_is_named(built, tmp_path, capsys):
    words, paths = built
    config = yaml.safe_load(Path(words[0]).read_text())
    types = paths.edge_types(INNER)
    kept = types.read_text()
    types.write_text(kept.replace("exp2syn", "GradedSyn"))
    assert main(["simulate", *words, "--name", "two"]) == 2
    types.write_text(kept)
    said = capsys.readouterr().err
    assert INNER in said and "driven by spikes" in said
    assert config["simulation"]["two"]["level"] == "L2"
    assert ladder.area(np.array([1.0]), np.array([2.0]))[0] == pytest.approx(4.0)
