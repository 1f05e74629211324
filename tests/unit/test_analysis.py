"""Analysis tables against counts made the slow way, on a model of four cells."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_model import LENGTHS, NAMES, voltages, write_circuit, write_extras, write_model

from pipeline.analysis import activity, structure
from pipeline.analysis.build import run_analysis
from pipeline.analysis.circuit import EdgeSet, read_cells, read_counts, read_edge_sets
from pipeline.analysis.clamp import agreement
from pipeline.errors import CircuitError, ConfigError
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.reports import Report


@pytest.fixture
def built(tmp_path):
    resolved = write_model(tmp_path / "model")
    paths = write_circuit(resolved, tmp_path / "circuit")
    write_extras(paths)
    return resolved, paths


def _metrics(paths):
    table = pd.read_csv(paths.analysis("metrics")).set_index("metric")["value"]
    return table.to_dict()


def _random_edges(n_source, n_target, n, seed):
    rng = np.random.default_rng(seed)
    ends = {"pre": rng.integers(0, n_source, n), "post": rng.integers(0, n_target, n)}
    frame = pd.DataFrame(ends)
    columns = {"distance": 1.0, "weight": 1.0, "inhibitory": False, "x": 0.0, "y": 0.0, "z": 0.0}
    table = pd.DataFrame(
        [("s0", "t1", 3.0), ("s0", "t0", 2.0), ("s2", "t1", 1.0)], columns=["pre", "post", "count"]
    )
    edges = EdgeSet("e", "chemical", "s", "t", frame.assign(**columns), table, table)
    cells = {
        "s": pd.DataFrame({"name": [f"s{i}" for i in range(n_source)],
                           "type": [f"S{i % 2}" for i in range(n_source)]}),
        "t": pd.DataFrame({"name": [f"t{i}" for i in range(n_target)],
                           "type": [f"T{i % 3}" for i in range(n_target)]}),
    }  # fmt: skip
    return edges, cells


@pytest.mark.parametrize("seed", range(5))
def test_degrees_equal_a_naive_count(seed):
    edges, cells = _random_edges(5, 4, 30, seed)
    table = structure.degrees(edges, cells).set_index("name")
    pairs = list(zip(edges.frame["pre"], edges.frame["post"], strict=True))
    for i in range(5):
        mine = [b for a, b in pairs if a == i]
        row = table.loc[f"s{i}"]
        assert (row["out_contacts"], row["out_partners"]) == (len(mine), len(set(mine)))
        assert np.isnan(row["in_contacts"])
    for j in range(4):
        mine = [a for a, b in pairs if b == j]
        row = table.loc[f"t{j}"]
        assert (row["in_contacts"], row["in_partners"]) == (len(mine), len(set(mine)))
    assert table.loc["s0", ["out_source_partners", "out_source_count"]].tolist() == [2, 5]
    assert table.loc["s1", ["out_source_partners", "out_source_count"]].tolist() == [0, 0]
    assert table.loc["t1", ["in_source_partners", "in_source_count"]].tolist() == [2, 4]


@pytest.mark.parametrize("seed", range(5))
def test_type_matrix_equals_a_naive_count(seed):
    edges, cells = _random_edges(5, 4, 30, seed)
    table = structure.type_matrix(edges, cells)
    pairs = list(zip(edges.frame["pre"], edges.frame["post"], strict=True))
    for row in table.itertuples():
        here = (row.pre_type, row.post_type)
        mine = [(a, b) for a, b in pairs if (f"S{a % 2}", f"T{b % 3}") == here]
        assert (row.contacts, row.pairs) == (len(mine), len(set(mine)))
    assert table["contacts"].sum() == 30
    assert table["possible_pairs"].sum() == 5 * 4


def test_a_cell_is_no_possible_partner_of_itself(built):
    resolved, paths = built
    cells = read_cells(resolved, paths)
    table = structure.type_matrix(read_edge_sets(resolved, paths, cells)[0], cells)
    assert table["possible_pairs"].sum() == 4 * 3


def test_edges_carry_names_signs_and_the_connectome_between_them(built):
    resolved, paths = built
    cells = read_cells(resolved, paths)
    chemical, electrical = read_edge_sets(resolved, paths, cells)
    names = structure.contact_distances(chemical, cells)[["pre", "post"]].to_numpy().tolist()
    assert sorted(names) == [["A1", "A2"], ["A1", "A2"], ["A1", "B1"], ["B1", "A1"]]
    assert chemical.frame["inhibitory"].sum() == 2
    assert (len(chemical.table), len(chemical.whole)) == (3, 5)
    assert len(electrical.table) == 2


def test_metrics_of_the_small_circuit(built):
    resolved, paths = built
    run_analysis(resolved, paths)
    found = _metrics(paths)
    assert found["cells.count"] == 4
    assert found["cells.sections"] == 4 * 4
    segments = 1 + sum(int(np.ceil(length / 2)) for length in LENGTHS)
    assert found["cells.segments"] == 4 * segments
    assert found["cells.neurite_length"] == pytest.approx(4 * sum(LENGTHS) / 1000, rel=1e-6)
    assert found["wiring.chemical.contacts"] == 4
    assert found["wiring.chemical.pairs"] == 3
    assert found["wiring.chemical.connectome.sum"] == 20
    assert found["wiring.chemical.among_cells.sum"] == 10
    assert found["wiring.electrical.among_cells.pairs"] == 2
    assert found["wiring.chemical.distance_median"] == 2.5
    assert found["wiring.distance_median"] == 2.0
    assert found["clamp.P.rmse"] == pytest.approx(np.sqrt((1 + 4) / 2))
    assert found["clamp.P.levels"] == 2
    assert found["quiet.soma.not_finite"] == 0


def test_verdicts_of_the_small_circuit(built):
    resolved, paths = built
    verdicts = run_analysis(resolved, paths)
    assert verdicts["verdict"].tolist() == ["pass", "fail", "not applicable", "not measured"]
    written = pd.read_csv(paths.analysis("verdicts"))
    assert written["verdict"].tolist() == verdicts["verdict"].tolist()
    assert written["ours"].tolist()[:2] == [4, 4]


def test_one_compartment_per_cell_when_the_level_says_so(built):
    resolved, paths = built
    file = paths.emodels / "E.json"
    stored = json.loads(file.read_text()) | {"level": "single_compartment"}
    file.write_text(json.dumps(stored))
    table = structure.compartments(resolved, paths, read_cells(resolved, paths))
    assert table["sections"].tolist() == table["segments"].tolist() == [1] * 4
    assert table["neurite_um"].tolist() == pytest.approx([sum(LENGTHS)] * 4, rel=1e-6)


def test_repetition_gives_the_same_bytes(built):
    resolved, paths = built
    run_analysis(resolved, paths)
    folder = paths.analysis("x").parent
    first = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    for name in first:
        if not name.startswith("clamp_"):
            (folder / name).unlink()
    run_analysis(resolved, paths)
    assert first == {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    expected = {"cells", "metrics", "verdicts", "degrees", "type_matrix", "contact_distances"}
    assert expected <= {name.removesuffix(".csv") for name in first}
    assert {"correlation_quiet.csv", "voltage_quiet_soma.csv"} <= set(first)


def test_a_bare_model_is_analysed_as_far_as_it_goes(tmp_path):
    resolved = write_model(tmp_path / "model", bare=True)
    paths = write_circuit(resolved, tmp_path / "circuit")
    assert run_analysis(resolved, paths).empty
    written = sorted(path.name for path in paths.analysis("x").parent.iterdir())
    assert written == ["cells.csv", "metrics.csv", "verdicts.csv"]


def test_a_simulation_that_has_not_run_is_left_out(built):
    resolved, paths = built
    shutil.rmtree(paths.simulation("quiet"))
    run_analysis(resolved, paths)
    assert not any(name.startswith(("quiet", "correlation")) for name in _metrics(paths))
    assert not paths.analysis("correlation_quiet").exists()


def test_a_circuit_without_nodes_is_an_error(tmp_path):
    resolved = write_model(tmp_path / "model", bare=True)
    with pytest.raises(CircuitError, match="neurons"):
        run_analysis(resolved, CircuitPaths(tmp_path / "nowhere"))


def test_correlations_of_the_run_skip_the_start_and_the_constant_cell(built):
    resolved, paths = built
    run_analysis(resolved, paths)
    table = pd.read_csv(paths.analysis("correlation_quiet")).set_index(["a", "b"])
    expected = np.corrcoef(voltages()[50:, 0], voltages()[50:, 1])[0, 1]
    assert table.loc[("A1", "A2"), "ours"] == pytest.approx(expected)
    assert table["ours"].isna().tolist() == [False, True, True, True]
    found = _metrics(paths)
    assert found["correlation.mse"] == pytest.approx((expected - 0.5) ** 2)
    for name in ("pairs", "cells_missing", "constant_traces"):
        assert found[f"correlation.{name}"] == 1


def test_summary_of_cells_stands_in_the_cell_table(built):
    resolved, paths = built
    run_analysis(resolved, paths)
    table = pd.read_csv(paths.analysis("cells"))
    assert table["name"].tolist() == list(NAMES)
    for name, function in (("mean", np.mean), ("sd", np.std), ("min", np.min), ("max", np.max)):
        wanted = function(voltages(), axis=0)
        np.testing.assert_allclose(table[f"quiet.soma.{name}_mV"], wanted, atol=1e-7)


@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-1000, 1000))
def test_correlation_equals_numpy_and_ignores_scale(seed, scale, shift):
    data = np.random.default_rng(seed).normal(size=(30, 4))
    ours = activity.correlation(data * scale + shift)
    np.testing.assert_allclose(ours, np.corrcoef(data.T), atol=1e-7)


def test_correlation_of_constant_or_broken_traces_is_undefined():
    data = np.random.default_rng(0).normal(size=(50, 4))
    data[:, 1] = 3.3
    data[7, 2] = np.nan
    ours = activity.correlation(data)
    assert np.isnan(ours[[1, 2]]).all() and np.isnan(ours[:, [1, 2]]).all()
    np.testing.assert_allclose(ours[0, 3], np.corrcoef(data[:, 0], data[:, 3])[0, 1])
    assert np.isnan(activity.correlation(data[:0])).all()


def test_comparison_uses_defined_pairs_only():
    data = np.random.default_rng(1).normal(size=(60, 3))
    target = pd.DataFrame(
        {"a": ["y", "x", "y", "q"], "b": ["x", "z", "z", "x"], "r": [0.2, np.nan, -0.4, 0.9]}
    )
    result = activity.compare(data, ["x", "y", "z"], target)
    full = np.corrcoef(data.T)
    assert result.used == 2
    assert result.mse == pytest.approx(((full[0, 1] - 0.2) ** 2 + (full[1, 2] + 0.4) ** 2) / 2)
    assert (result.missing, result.flat) == (["q"], [])
    assert result.pairs["ours"].isna().tolist() == [False, False, False, True]


def test_comparison_without_common_pairs_has_no_error():
    target = pd.DataFrame({"a": ["p"], "b": ["q"], "r": [0.5]})
    result = activity.compare(np.zeros((5, 1)), ["x"], target)
    assert np.isnan(result.mse)
    assert (result.used, result.missing) == (0, ["p", "q"])


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a,b,r\nx,y,0.1\ny,x,0.2\n", 3, "stands twice"),
        ("a,b,r\nx,y,1.2\n", 2, "1.2"),
        ("a,b,r\nx,y,high\n", 2, "high"),
        ("a,b,c\nx,y,0.1\n", 1, "header"),
    ],
)
def test_a_wrong_target_matrix_names_its_line(tmp_path, text, line, words):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        activity.read_target(path)
    assert caught.value.problems[0].where == f"{path}:{line}"
    assert words in str(caught.value)


def test_a_target_matrix_may_have_gaps_and_a_diagonal(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,r\nx,x,1\nx,y,\nx,z,nan\ny,z,-1\n")
    table = activity.read_target(path)
    assert table["b"].tolist() == ["y", "z", "z"]
    assert table["r"].isna().tolist() == [True, True, False]


def test_only_somata_are_taken_from_a_report_of_all_sections():
    report = Report(
        np.arange(10.0).reshape(2, 5), np.array([3, 3, 4, 4, 4]), np.array([0, 2, 1, 0, 0]),
        np.full(5, 0.5), np.array([0.0, 1.0]), "mV",
    )  # fmt: skip
    voltage = activity.soma_voltage(report, "neurons")
    assert voltage.node_ids.tolist() == [3, 4]
    assert voltage.data.tolist() == [[0, 3], [5, 8]]


def test_a_report_without_soma_is_an_error():
    zeros = np.zeros((2, 1))
    report = Report(zeros, np.array([0]), np.array([1]), np.array([0.5]), np.arange(2.0), "mV")
    with pytest.raises(CircuitError, match="no soma"):
        activity.soma_voltage(report, "neurons")


@pytest.mark.parametrize(("frames", "rows"), [(10, 10), (11, 10), (4, 4), (3, 3), (1, 1)])
def test_thinning_keeps_whole_frames_in_order(frames, rows):
    table = activity.thin(np.arange(10.0), np.arange(20.0).reshape(10, 2), ["a", "b"], frames)
    assert len(table) == rows
    assert (table["a"] == 2 * table["time_ms"]).all()
    assert table["time_ms"].iloc[0] == 0


def test_agreement_equals_the_formulas():
    ours, reference = np.array([1.0, 2.0, 4.0, 9.0]), np.array([1.5, 2.0, 3.0, np.nan])
    rmse, r, levels = agreement(ours, reference)
    assert rmse == pytest.approx(np.sqrt((0.25 + 0 + 1) / 3))
    assert r == pytest.approx(np.corrcoef(ours[:3], reference[:3])[0, 1])
    assert levels == 3


def test_agreement_without_spread_or_data():
    rmse, r, levels = agreement(np.array([1.0, 1.0]), np.array([2.0, 3.0]))
    assert (rmse, levels) == (pytest.approx(np.sqrt(2.5)), 2)
    assert np.isnan(r)
    assert agreement(np.array([1.0]), np.array([np.nan]))[2] == 0


def test_a_connectome_with_a_word_for_a_count_names_its_line(tmp_path):
    path = tmp_path / "em.csv"
    path.write_text("pre,post,kind,count\na,b,chemical,1\na,c,chemical,many\n")
    with pytest.raises(ConfigError) as caught:
        read_counts(path)
    assert caught.value.problems[0].where == f"{path}:3"
