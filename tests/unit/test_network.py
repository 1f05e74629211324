"""Activity of a population beside naive sums, and grids of runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.analysis import network
from pipeline.analysis.engines import analyse_engines, groups_of_engines
from pipeline.analysis.network_tables import analyse_network
from pipeline.config.load import load_model
from pipeline.errors import ConfigError
from pipeline.runtime import write_json
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.reports import ReportWriter, write_spikes
from pipeline.sonata.write import write_nodes


def _spikes(cells: int = 20, rate: float = 20.0, duration: float = 2000.0, seed: int = 1):
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(cells), rng.poisson(rate * duration / 1000.0, cells))
    return rows, rng.uniform(0, duration, len(rows))


def test_counts_are_naive_counts():
    rows, times = _spikes()
    counts = network.bin_spikes(rows, times, 20, 100.0, 1995.0, 10.0)
    assert counts.shape == (20, 189)
    for cell, b in ((0, 0), (3, 100), (19, 188)):
        low = 100.0 + 10.0 * b
        assert counts[cell, b] == ((rows == cell) & (times >= low) & (times < low + 10)).sum()


def test_synchrony_is_one_for_independent_and_n_for_equal_cells():
    rows, times = _spikes(50, 20.0, 50_000.0)
    counts = network.bin_spikes(rows, times, 50, 0, 50_000, 10.0)
    assert network.synchrony(counts) == pytest.approx(1.0, abs=0.1)
    assert network.synchrony(np.tile(counts[:1], (7, 1))) == pytest.approx(7.0)
    assert np.isnan(network.synchrony(np.zeros((3, 5), int)))


def test_coupling_is_a_correlation_with_the_others():
    rng = np.random.default_rng(3)
    shared = rng.poisson(2.0, 400)
    counts = rng.poisson(1.0, (12, 400))
    counts[:6] += shared
    counts[11] = 0
    found = network.coupling(counts, 1)
    for cell in (0, 8):
        rest = counts.sum(axis=0) - counts[cell]
        naive = np.corrcoef(counts[cell], rest)[0, 1]
        assert found["coupling"][cell] == pytest.approx(naive)
    assert (found["z"][:6] > 4).all() and (found["z"][6:11].abs() < 4).all()
    assert np.isnan(found["coupling"][11])
    # A cell's null depends on its key, not on its row.
    turned = network.coupling(counts[::-1], 1, np.arange(12)[::-1])
    np.testing.assert_allclose(turned["null_mean"][::-1], found["null_mean"], atol=1e-12)


def test_answer_to_events_has_its_latency():
    rng = np.random.default_rng(4)
    events = [200.0, 400.0, 600.0]
    rows = np.repeat(np.arange(40), 10)
    times = rng.uniform(0, 800, 400)
    driven = np.concatenate([np.full(20, event + 22.0) for event in events])
    rows = np.concatenate([rows, np.tile(np.arange(20), 3)])
    times = np.concatenate([times, driven])
    groups = np.array(["a"] * 20 + ["b"] * 20)
    table = network.psth(rows, times, groups, events, (50.0, 100.0))
    own = table[(table["group"] == "a") & (table["time"] == 20.0)]
    inside = sum(((times >= e + 20) & (times < e + 25) & (rows < 20)).sum() for e in events)
    assert own["rate"].item() == pytest.approx(inside / (20 * 3 * 0.005))
    found = network.answers(table).set_index("group")
    assert found.loc["a", "latency"] == found.loc["a", "peak_time"] == 20.0


def test_figures_of_a_run():
    rows, times = _spikes(30, 10.0, 20_000.0)
    figures, _ = network.run_figures(rows, times, 30, 0.0, 20_000.0, 10.0)
    assert figures["rate"] == pytest.approx(len(times) / 30 / 20)
    assert figures["isi_cv"] == pytest.approx(1.0, abs=0.1)
    regular = np.concatenate([np.arange(k, 20_000, 100.0) for k in range(30)])
    figures, _ = network.run_figures(np.repeat(np.arange(30), 200), regular, 30, 0, 20_000, 10.0)
    assert figures["isi_cv"] == pytest.approx(0.0, abs=1e-6)
    assert figures["synchrony"] > 5
    assert figures["peak_frequency"] == pytest.approx(10.0, abs=2.0)


def test_rates_by_attribute_add_up():
    rates = np.array([0.0, 1.0, 2.0, 5.0])
    cells = pd.DataFrame({"mtype": ["a", "a", "b", "b"]})
    table = network.rate_table(rates, cells, ["mtype"]).set_index("value")
    assert table["mean"].to_dict() == {"all": 2.0, "a": 0.5, "b": 3.5}
    assert table.loc["a", "silent"] == 0.5


MODEL = """schema: 1
name: grid
nodes:
  c: {kind: imported, file: nodes.h5, model_type: biophysical}
simulation:
  base:
    duration: 400 ms
    inputs: {tonic: {kind: threshold, nodes: c, percent: 90}}
sweeps:
  states: {simulation: base, axes: {calcium: [1.0 mM, 2 mM], inputs.tonic.percent: [90, 100, 110]}}
analysis:
  network: {nodes: c, by: [mtype], skip: 0 ms}
"""


def _model(folder, text: str = MODEL):
    columns = {axis: np.arange(4.0) for axis in "xyz"} | {"mtype": ["P", "P", "I", "I"]}
    write_nodes(folder / "nodes.h5", "c", columns, np.zeros(4, int))
    (folder / "model.yaml").write_text(text, encoding="utf-8")
    return load_model(str(folder / "model.yaml"))


def test_a_sweep_becomes_runs(tmp_path):
    model = _model(tmp_path).model
    assert list(model.simulation) == [
        "base",
        *(f"states-{i}-{j}" for i in (1, 2) for j in (1, 2, 3)),
    ]
    run = model.simulation["states-2-3"]
    assert (run.calcium, run.inputs["tonic"].percent) == (2.0, 110.0)
    assert model.simulation["base"].inputs["tonic"].percent == 90.0


def test_a_sweep_sets_what_all_its_runs_share(tmp_path):
    text = MODEL.replace("axes: {calcium", "set: {coreneuron: true}, axes: {calcium")
    runs = _model(tmp_path, text).model.simulation
    assert [run.coreneuron for run in runs.values()] == [False] + 6 * [True]
    with pytest.raises(ConfigError, match="has no 'inputs.gone'"):
        _model(tmp_path, text.replace("coreneuron: true", "inputs.gone.rate: 1"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("simulation: base, axes", "simulation: bose, axes", "no simulation 'bose'"),
        ("inputs.tonic.percent:", "inputs.tonik.percent:", "has no 'inputs.tonik'"),
        ("1.0 mM, 2 mM", "1.0 mM, 2 mV", "calcium"),
        ("  base:", "  states-1-2: {}\n  base:", "called 'states-1-2' already"),
    ],
)
def test_bad_sweeps_are_told(tmp_path, old, new, message):
    with pytest.raises(ConfigError) as caught:
        _model(tmp_path, MODEL.replace(old, new))
    assert message in "\n".join(str(p) for p in caught.value.problems)


def test_tables_of_a_grid(tmp_path):
    resolved = _model(tmp_path)
    paths = CircuitPaths(tmp_path / "out")
    (tmp_path / "out" / "network").mkdir(parents=True)
    paths.nodes("c").write_bytes((tmp_path / "nodes.h5").read_bytes())
    paths.node_types("c").write_text("node_type_id pop_name\n0 c\n", encoding="utf-8")
    for run, count in (("base", 8), ("states-2-3", 80)):
        paths.simulation(run).mkdir(parents=True)
        write_spikes(paths.spikes(run), "c", np.arange(count) % 4, np.linspace(0, 399, count))
    tables, metrics = analyse_network(resolved, paths)
    grid = tables["sweep_states"]
    assert grid["run"].tolist() == ["states-2-3"]
    assert grid["rate"].item() == pytest.approx(80 / 4 / 0.4)
    assert not any(name.startswith("network_states") for name in tables)
    assert dict((name, value) for name, value, _ in metrics)["base.rate"] == pytest.approx(5.0)
    assert len(tables["network_base_raster"]) == 8
    for name, table in tables.items():
        paths.analysis(name).parent.mkdir(exist_ok=True)
        table.to_csv(paths.analysis(name), index=False)
    from pipeline.report.figures import Tables
    from pipeline.report.network import network_figures

    found = network_figures(Tables(resolved, paths))
    assert [figure.key for figure in found] == ["network-base", "sweep-states"]
    assert "tonic (threshold of c)" in found[0].caption


@pytest.mark.parametrize(
    "axes", ["{calcium: [1.0 mM, 2 mM], seed: [1, 2, 3]}", "{seed: [1, 2, 3]}"]
)
def test_seeds_as_an_axis_give_the_spread(tmp_path, axes):
    text = MODEL.replace("{calcium: [1.0 mM, 2 mM], inputs.tonic.percent: [90, 100, 110]}", axes)
    resolved = _model(tmp_path, text)
    paths = CircuitPaths(tmp_path / "out")
    (tmp_path / "out" / "network").mkdir(parents=True)
    paths.nodes("c").write_bytes((tmp_path / "nodes.h5").read_bytes())
    paths.node_types("c").write_text("node_type_id pop_name\n0 c\n", encoding="utf-8")
    runs = [run for run in resolved.model.simulation if run != "base"]
    counts = dict(zip(runs, [8, 16, 24, 40, 80, 120], strict=False))
    assert [resolved.model.simulation[run].seed for run in runs[:3]] == [1, 2, 3]
    for run, count in counts.items():
        paths.simulation(run).mkdir(parents=True)
        write_spikes(paths.spikes(run), "c", np.arange(count) % 4, np.linspace(0, 399, count))
    tables, _ = analyse_network(resolved, paths)
    spread = tables["sweep_states_seeds"]
    rate = spread[spread["quantity"] == "rate"]
    assert rate["mean"].tolist() == pytest.approx([10.0, 50.0][: len(rate)])
    assert rate["sd"].tolist() == pytest.approx([5.0, 25.0][: len(rate)])
    assert rate["seeds"].tolist() == [3, 3][: len(rate)]
    assert ("calcium" in spread) == ("calcium" in axes)
    for name, table in tables.items():
        paths.analysis(name).parent.mkdir(exist_ok=True)
        table.to_csv(paths.analysis(name), index=False)
    from pipeline.report.figures import Tables
    from pipeline.report.network import network_figures

    found = network_figures(Tables(resolved, paths))
    assert [figure.title for figure in found] == ["states: spread over seeds"]


def test_runs_on_several_engines_are_held_beside_one(tmp_path):
    """Spikes and voltages that differ, and those that do not, with what is missing left out."""
    axes = "{simulation: base, axes: {engine: [netpyne, bionet], ranks: [1, 2]}}"
    text = (
        MODEL[: MODEL.index("sweeps:")]
        + f"    record: {{soma: {{nodes: c}}}}\nsweeps: {{e: {axes}}}\n"
    )
    resolved, paths = _model(tmp_path, text), CircuitPaths(tmp_path / "out")
    assert groups_of_engines(resolved) == [["e-2-1", "base", "e-2-2", "e-1-1", "e-1-2"]]
    networks = {"nodes": [{"populations": {"c": {"type": "biophysical"}}}], "edges": []}
    write_json(paths.circuit_config, {"networks": networks})
    times = np.array([1.0, 5.0, 9.0])
    given = {
        "e-2-1": (times, 0.0),
        "base": (times, 1e-9),
        "e-1-1": (times + 0.1, 0.5),
        "e-1-2": (times[:2], 0.0),
    }
    for run, (spikes, off) in given.items():
        paths.simulation(run).mkdir(parents=True)
        write_spikes(paths.spikes(run), "c", np.arange(len(spikes)), spikes)
        nodes = np.arange(4)
        with ReportWriter(
            paths.report(run, "soma"), "c", nodes, 0 * nodes, None, 1.0, 0.0, 2.0, "mV", dtype="f8"
        ) as w:
            w.append(np.array([[0, 0, 0, 0], [0, off, 0, -off]]) - 65.0)
    tables, metrics = analyse_engines(resolved, paths)
    found = tables["engines"].set_index("run")
    assert found["verdict"].to_dict() == {
        "e-2-1": "",
        "base": "pass",
        "e-1-1": "fail",
        "e-1-2": "fail",
    }
    assert found["voltage"].tolist() == pytest.approx([0, 1e-9, 0.5, 0], abs=1e-12)
    assert found["time"].tolist()[:3] == pytest.approx([0, 0, 0.1]) and np.isnan(
        found["time"]["e-1-2"]
    )
    assert {name: value for name, value, _ in metrics}["engines.e-1-2.spikes_difference"] == -1


def test_runs_of_changed_circuits_side_by_side(tmp_path):
    from pipeline.analysis.compare import compare_sides, read_sides
    from pipeline.report.compare import run_compare

    folders = []
    for name, rate in (("base", 2.0), ("blocked", 3.0)):
        paths = CircuitPaths(tmp_path / name)
        paths.analysis("x").parent.mkdir(parents=True)
        rates = network.rate_table(
            np.full(4, rate), pd.DataFrame({"mtype": list("aabb")}), ["mtype"]
        )
        rates.to_csv(paths.analysis("network_run_rates"), index=False)
        metrics = pd.DataFrame({"metric": ["run.synchrony"], "value": [rate], "unit": [""]})
        metrics.to_csv(paths.analysis("metrics"), index=False)
        folders.append(tmp_path / name)
    table = compare_sides(read_sides(folders)).set_index(["name", "quantity"])
    assert table.loc[("run mtype b", "rate"), "blocked"] == 3.0
    assert table.loc[("run", "synchrony"), "base"] == 2.0
    page = run_compare(folders, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Synchrony (1: independent)" in page and "× 1.50" in page


def test_leaving_out_a_whole_run_is_told_before_it_runs(tmp_path):
    text = MODEL.replace("skip: 0 ms", "skip: 395 ms, runs: [base]")
    with pytest.raises(
        ConfigError, match=r"395 ms leave less than a bin \(10 ms\) of the run 'base'"
    ):
        _model(tmp_path, text)


def test_a_sweep_that_meets_its_run_is_no_comparison_of_engines(tmp_path):
    text = MODEL.replace("[90, 100, 110]", "[90, 100]").replace("[1.0 mM, 2 mM]", "[1.0 mM]")
    text = text.replace("    duration: 400 ms\n", "    duration: 400 ms\n    calcium: 1.0 mM\n")
    assert groups_of_engines(_model(tmp_path, text)) == []
