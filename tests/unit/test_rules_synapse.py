"""Numbers of synapses, weights and delays, and the edge types."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from rule_nodes import HALF, all_edges, builder, cells, rule
from scipy import sparse, stats

from pipeline.config.pair_values import PairTable
from pipeline.edges.rules.synapse import direction_factor
from pipeline.errors import ConfigError


def made_of(synapse, nodes=None, connect=None, **keys):
    nodes = cells(250) if nodes is None else nodes
    made = builder(rule(connect or [HALF], synapse=synapse), nodes, **keys)
    return made, all_edges(made)


def test_constants_go_to_the_types():
    made, found = made_of({"weight": {"law": "constant", "value": 0.3}, "columns": {"erev": 0}})
    assert found.columns == {}
    expected = {
        "edge_type_id": 0,
        "rule": "r",
        "nsyns": 1,
        "syn_weight": 0.3,
        "delay": 1,
        "erev": 0,
    }
    assert made.network.edge_types() == [expected]


def test_numbers_of_synapses():
    _, found = made_of({"nsyns": {"law": "uniform_integer", "low": 3, "high": 7}})
    counts = np.bincount(found.columns["nsyns"], minlength=8)
    assert counts[:3].sum() == 0 and len(counts) == 8
    assert stats.chisquare(counts[3:]).pvalue > 1e-4
    _, found = made_of({"nsyns": {"law": "poisson", "mean": 2.5, "plus": 1}})
    counts = np.bincount(found.columns["nsyns"], minlength=30)[:10]
    expected = stats.poisson.pmf(np.arange(9), 2.5) * len(found.sources)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:], expected * counts[1:].sum() / expected.sum()).pvalue > 1e-4


def test_weights_and_delays():
    synapse = {
        "weight": {"law": "lognormal", "mean": -2.0, "sd": 1.0},
        "delay": {"law": "normal", "mean": 1.5, "sd": 0.5, "low": 1.0, "high": 3.0},
    }
    _, found = made_of(synapse)
    sigma = np.sqrt(np.log(1.25))
    law = stats.lognorm(sigma, scale=2 / np.sqrt(1.25))
    weights, delays = (found.columns[name].astype(float) for name in ("syn_weight", "delay"))
    assert stats.kstest(-weights, law.cdf).pvalue > 1e-4
    assert stats.kstest(delays, stats.truncnorm(-1, 3, 1.5, 0.5).cdf).pvalue > 1e-4
    assert abs(np.corrcoef(weights, delays)[0, 1]) < 4 / np.sqrt(len(weights))


def test_delay_by_distance():
    nodes = cells(120)
    delay = {"law": "distance", "velocity": "0.3 m/s", "offset": "0.5 ms"}
    _, found = made_of({"delay": delay, "min_delay": 0.7}, nodes, distance=True)
    place = nodes[["x", "y", "z"]].to_numpy()
    gap = place[found.targets.astype(int)] - place[found.sources.astype(int)]
    length = np.linalg.norm(gap, axis=1)
    np.testing.assert_allclose(found.columns["distance"], length, rtol=1e-6)
    expected = np.maximum(0.5 + length / 300, 0.7)
    np.testing.assert_allclose(found.columns["delay"], expected, rtol=1e-6)


def test_direction_rule():
    nodes = cells(80)
    direction = {"width": 30, "phase": 1}
    weight = {"law": "constant", "value": 2.0}
    _, found = made_of({"weight": weight, "direction": direction}, nodes)
    pre, post = nodes.iloc[found.sources.astype(int)], nodes.iloc[found.targets.astype(int)]
    th = post["tuning_angle"].to_numpy()
    gap = np.abs(th - pre["tuning_angle"].to_numpy())
    gap = np.minimum(gap, 360 - gap)
    dx = 0.07 * (post["x"].to_numpy() - pre["x"].to_numpy())
    dz = 0.04 * (post["z"].to_numpy() - pre["z"].to_numpy())
    u = dx * np.cos(np.radians(th)) + dz * np.sin(np.radians(th))
    folded = np.degrees(np.arcsin(np.abs(np.sin(np.radians(th)))))
    phase = np.exp(-(u**2) / 2) * (5.5 / 4 - 11 / 1680 * folded)
    expected = 2 * np.exp(-((gap / 30) ** 2)) * phase
    np.testing.assert_allclose(found.columns["syn_weight"], expected, rtol=2e-5, atol=1e-30)
    assert direction_factor(0.0, 1.0, np.zeros(2), 1.0, 1.0, 0.0, 90.0) == 1


def test_tables_by_class(tmp_path):
    lines = "source,target,weight,delay\n*,*,1,1.5\na,*,2,1.2\na,b,3,0.9\n"
    (tmp_path / "t.csv").write_text(lines)
    by = {"table": str(tmp_path / "t.csv"), "source_by": "pop", "target_by": "pop"}
    synapse = {
        "weight": {"law": "constant", "value": {**by, "column": "weight", "scale": 10}},
        "delay": {"law": "constant", "value": {**by, "column": "delay"}},
        "sections": "basal+apical", "distance_min": 50, "distance_max": 150,
    }  # fmt: skip
    made, found = made_of(synapse)
    rows = pd.DataFrame(made.network.edge_types()).set_index(["source_pop", "target_pop"])
    assert len(rows) == 9
    assert rows["syn_weight"].loc["a", "b"] == 30 and rows["syn_weight"].loc["a", "c"] == 20
    assert rows["delay"].loc["c", "b"] == 1.5
    assert set(rows["target_sections"]) == {"['basal', 'apical']"}
    assert set(rows["distance_range"]) == {"[50, 150]"}
    nodes = cells(250)
    table = rows.reset_index().set_index("edge_type_id").loc[found.types]
    assert (
        table["source_pop"].to_numpy() == nodes["pop"].to_numpy()[found.sources.astype(int)]
    ).all()
    assert (
        table["target_pop"].to_numpy() == nodes["pop"].to_numpy()[found.targets.astype(int)]
    ).all()


def test_listed_pairs_carry_their_values(tmp_path):
    nodes = cells(60)
    rng = np.random.default_rng(3)
    table = pd.DataFrame({
        "source": rng.integers(0, 60, 200), "target": rng.integers(0, 60, 200),
        "weight": rng.random(200), "nsyns": rng.integers(1, 9, 200),
    })  # fmt: skip
    table.to_csv(tmp_path / "pairs.csv", index=False)
    connect = [{"law": "table", "file": str(tmp_path / "pairs.csv")}]
    made = builder([rule(connect, "listed", autapses=True), rule([HALF], "other")], nodes)
    for most in (None, 50):
        found = all_edges(made, most)
        mine = found.types == 0
        order = np.lexsort((table["source"], table["target"]))
        for name, column in (("weight", "syn_weight"), ("nsyns", "nsyns")):
            expected = table[name].to_numpy()[order]
            np.testing.assert_allclose(found.columns[column][mine], expected, rtol=1e-6)
        np.testing.assert_array_equal(found.sources[mine], table["source"].to_numpy()[order])
        assert (found.columns["syn_weight"][~mine] == 1).all()


def test_sparse_matrices(tmp_path):
    nodes, other = cells(30), cells(20, 2)
    matrix = sparse.random(30, 20, 0.2, random_state=1, format="csr")
    matrix.data = np.ceil(matrix.data * 5)
    sparse.save_npz(tmp_path / "m.npz", matrix)
    made = builder(rule({"law": "table", "file": str(tmp_path / "m.npz")}), nodes, other)
    found = all_edges(made)
    again = sparse.coo_matrix(
        (found.columns["nsyns"], (found.sources.astype(int), found.targets.astype(int))), (30, 20)
    )
    assert (again.tocsr() != matrix).nnz == 0
    assert made.expected().synapses == matrix.sum()


@pytest.mark.parametrize("multapses", [True])
def test_repeated_pairs_draw_their_own_values(multapses):
    connect = [{"law": "fixed_indegree", "count": 200, "multapses": multapses}]
    weight = {"law": "lognormal", "mean": 1, "sd": 1}
    _, found = made_of({"weight": weight}, cells(20), connect)
    assert len(np.unique(found.columns["syn_weight"])) > 0.99 * len(found.sources)


BY_REGION = {
    "source_by": "pop",
    "target_by": "pop",
    "column": {"e": "current", "i": "conductance"},
    "column_by": "ei",
}


@pytest.fixture
def two_columns(tmp_path):
    """A table with a weight per pair of classes in two columns."""
    table = tmp_path / "weights.csv"
    pairs = [(s, t) for s in "abc" for t in "abc"]
    lines = [f"{s},{t},{k + 1},{-0.1 * (k + 1):.1f}" for k, (s, t) in enumerate(pairs)]
    table.write_text("source,target,conductance,current\n" + "\n".join(lines) + "\n")
    return str(table)


def test_column_by_picks_the_column_of_each_target(two_columns):
    value = {"table": two_columns, **BY_REGION}
    nodes = cells(200)
    made, found = made_of({"weight": {"law": "constant", "value": value}}, nodes)
    types = {row["edge_type_id"]: row["syn_weight"] for row in made.network.edge_types()}
    pop, ei = nodes["pop"].to_numpy(), nodes["ei"].to_numpy()
    order = {name: k for k, name in enumerate("abc")}
    assert len(set(ei[found.targets])) == 2
    for source, target, kind in zip(found.sources, found.targets, found.types, strict=True):
        row = 3 * order[pop[source]] + order[pop[target]] + 1
        wanted = -0.1 * row if ei[target] == "e" else row
        assert types[kind] == pytest.approx(wanted, abs=1e-12)


def test_a_value_without_a_column_is_told_with_its_place(two_columns):
    value = {"table": two_columns, **BY_REGION, "column": {"e": "current", "ii": "conductance"}}
    with pytest.raises(ConfigError) as error:
        made_of({"weight": {"law": "constant", "value": value}})
    first = str(error.value.problems[0])
    assert "synapse.weight.value.column: no column for ei 'i' (did you mean 'ii'?)" in first


@pytest.mark.parametrize(
    "column, by", [({"e": "weight"}, None), ("weight", "ei"), (None, "ei")], ids=str
)
def test_column_by_and_its_columns_belong_together(column, by):
    value = {"values": {"*": {"*": 1}}, "source_by": "pop", "target_by": "pop"}
    with pytest.raises(ValidationError, match="belong together"):
        PairTable.model_validate({**value, "column": column, "column_by": by})


def tabled_kind(weights):
    """Inhibitory edges whose weights are currents onto e and conductances onto i."""
    kind = {"values": {"*": {"e": "current", "i": "conductance"}}}
    weight = {"values": {"*": weights}}
    sides = {"source_by": "ei", "target_by": "ei"}
    return {
        "weight": {"law": "constant", "value": {**weight, **sides}},
        "weight_kind": {**kind, **sides},
        "sign": "inhibitory",
    }


def test_a_tabled_weight_kind_is_held_against_the_sign_pair_by_pair():
    made, found = made_of(tabled_kind({"e": -2.0, "i": 3.0}))
    weights = {(r["target_ei"], r["syn_weight"]) for r in made.network.edge_types()}
    assert weights == {("e", -2.0), ("i", 3.0)} and len(found.sources)


@pytest.mark.parametrize(
    "weights, message",
    [
        ({"e": 2.0, "i": 3.0}, "wrong sign for inhibitory currents"),
        ({"e": -2.0, "i": -3.0}, "negative conductances"),
    ],
)
def test_a_tabled_weight_kind_finds_the_wrong_half_only(weights, message):
    with pytest.raises(ConfigError) as error:
        made_of(tabled_kind(weights))
    text = [str(problem) for problem in error.value.problems]
    assert len(text) == 1 and message in text[0]


def test_an_unknown_weight_kind_in_a_table_is_told():
    synapse = tabled_kind({"e": -2.0, "i": 3.0})
    synapse["weight_kind"]["values"] = {"*": {"e": "curent", "i": "conductance"}}
    with pytest.raises(ConfigError, match="curent"):
        made_of(synapse)


def test_a_pair_without_a_weight_kind_is_told():
    synapse = tabled_kind({"e": -2.0, "i": 3.0})
    synapse["weight_kind"]["values"] = {"e": {"*": "current"}, "i": {"i": "conductance"}}
    with pytest.raises(ConfigError, match="'nothing' is no kind of weight"):
        made_of(synapse)
