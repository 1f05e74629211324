"""Analysis of rule edges against naive loops over small synthetic circuits."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
from law_oracle import pair_probabilities  # noqa: E402
from rule_nodes import GAUSSIAN, HALF, builder, cells, edges, rule  # noqa: E402

from pipeline.analysis import rules as analysis  # noqa: E402
from pipeline.analysis.populations import count_cells, places  # noqa: E402
from pipeline.config.load import load_model  # noqa: E402
from pipeline.config.rule_labels import (  # noqa: E402
    DEFAULT_RADIUS,
    distance_bins,
    label_attributes,
    labels_of,
    near_radius,
)
from pipeline.edges.rules import expect  # noqa: E402
from pipeline.errors import CircuitError  # noqa: E402
from pipeline.sonata.layout import EDGE_TYPE, SOURCE_IDS, TARGET_IDS, CircuitPaths  # noqa: E402

TABLE = {
    "source_by": "pop",
    "target_by": "pop",
    "values": {"*": {"*": 0.4}, "a": {"b": 0.9, "c": 0}},
}
BY_CLASS = [{"law": "probability", "value": TABLE}, GAUSSIAN]
NSYNS = {"nsyns": {"law": "uniform_integer", "low": 2, "high": 4}}


def ends_of(nodes: pd.DataFrame, attribute: str = "pop", placed: bool = True) -> analysis.Ends:
    codes, names = labels_of(nodes, attribute)
    points = nodes[["x", "z"]].to_numpy() if placed else None
    return analysis.Ends(codes, codes, names, names, points, points, True)


def random_block(nodes: pd.DataFrame, n: int, seed: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        SOURCE_IDS: rng.integers(0, len(nodes), n).astype(np.uint64),
        TARGET_IDS: np.sort(rng.integers(0, len(nodes), n)).astype(np.uint64),
        EDGE_TYPE: rng.integers(0, 2, n),
        "nsyns": rng.integers(1, 6, n).astype(np.uint32),
    }


def split(block: dict[str, np.ndarray], size: int):
    for low in range(0, len(block[EDGE_TYPE]), size):
        yield {name: values[low : low + size] for name, values in block.items()}


def naive_law(network) -> np.ndarray:
    """Probability of every ordered pair, rule by rule: float64 [rules, n, n]; self pairs 0."""
    source, target = network.source, network.target
    n = len(source.points)
    found = np.zeros((len(network.rules), n, len(target.points)))
    for r, one in enumerate(network.rules):
        for s in range(n):
            angle = np.abs(target.points[:, 3] - source.points[s, 3]) % 360
            angle = np.minimum(angle, 360 - angle)
            offset = target.points[:, :3] - source.points[s, :3]
            cs = np.full(len(offset), one.source.codes[s])
            found[r, s] = pair_probabilities(one.law, cs, one.target.codes, offset, angle)
            if one.skip_self:
                found[r, s, s] = 0.0
    return found


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_counts_agree_with_a_loop_for_any_block_size(size):
    nodes, width, bins = cells(60), 5.0, 30
    ends, block = ends_of(nodes), random_block(nodes, 300)
    counted = analysis.count_edges(ends, split(block, size), width, bins, pd.DataFrame())
    pairs, synapses = np.zeros((3, 3, bins + 1), int), np.zeros((3, 3), int)
    into, out, numbers = np.zeros(60, int), np.zeros(60, int), np.zeros(6, int)
    for s, t, n in zip(block[SOURCE_IDS], block[TARGET_IDS], block["nsyns"], strict=True):
        a, b = nodes.iloc[int(s)], nodes.iloc[int(t)]
        cs, ct = "abc".index(a["pop"]), "abc".index(b["pop"])
        distance = np.hypot(a["x"] - b["x"], a["z"] - b["z"])
        pairs[cs, ct, min(int(distance / width), bins)] += 1
        synapses[cs, ct] += n
        into[int(t)] += 1
        out[int(s)] += 1
        numbers[n] += 1
    assert (counted.pairs == pairs).all()
    assert (counted.synapses == synapses).all()
    assert (counted.in_degree == into).all() and (counted.out_degree == out).all()
    assert (counted.numbers == numbers).all()


def test_synapses_of_an_edge_type_hold_where_edges_have_none():
    nodes = cells(20)
    block = random_block(nodes, 50)
    del block["nsyns"]
    types = pd.DataFrame({"nsyns": [3, 8]})
    counted = analysis.count_edges(ends_of(nodes), [block], 5.0, 10, types)
    assert counted.synapses.sum() == np.where(block[EDGE_TYPE] == 0, 3, 8).sum()
    alone = analysis.count_edges(ends_of(nodes), [block], 5.0, 10, pd.DataFrame())
    assert alone.synapses.sum() == 50


def test_no_edges_and_no_positions():
    nodes = cells(20)
    counted = analysis.count_edges(ends_of(nodes, placed=False), [], 5.0, 10, pd.DataFrame())
    assert counted.pairs.sum() == 0 and counted.in_degree.tolist() == [0] * 20
    block = random_block(nodes, 30)
    counted = analysis.count_edges(ends_of(nodes, placed=False), [block], 5.0, 10, pd.DataFrame())
    assert counted.pairs[:, :, 0].sum() == 30


def test_near_pairs_are_exact():
    nodes, radius = cells(80), 90.0
    points = nodes[["x", "z"]].to_numpy()
    found = np.zeros((3, 3), int)
    for s in range(80):
        for t in range(80):
            near = np.hypot(*(points[s] - points[t])) < radius
            if s != t and near:
                found["abc".index(nodes["pop"][s]), "abc".index(nodes["pop"][t])] += 1
    assert (analysis.near_pairs(ends_of(nodes), radius) == found).all()


def test_expectation_of_a_small_circuit_is_the_sum_of_the_law():
    nodes = cells(120)
    second = rule([{"law": "probability", "value": 0.1}], "everywhere", synapse=NSYNS)
    network = builder([rule(BY_CLASS, synapse=NSYNS), second], nodes).network
    table = expect.expectation(network)[""].set_index(["source", "target"])
    law = naive_law(network).sum(axis=0)
    points = nodes[["x", "z"]].to_numpy()
    near = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) < DEFAULT_RADIUS
    np.fill_diagonal(near, False)
    for a in "abc":
        for b in "abc":
            at = np.ix_(nodes["pop"] == a, nodes["pop"] == b)
            row = table.loc[(a, b)]
            assert row["expected_pairs"] == pytest.approx(law[at].sum())
            assert row["expected_near"] == pytest.approx((law * near)[at].sum())
            assert row["possible_near"] == near[at].sum()
            assert row["expected_synapses"] == pytest.approx(3 * law[at].sum())


def test_sampled_expectation_lies_near_the_whole_one():
    network = builder(rule(BY_CLASS), cells(3000, radius=300)).network
    whole = expect.expectation(network, most=10_000)[""]
    part = expect.expectation(network, most=600)[""]
    connected = whole["expected_pairs"] > 0
    ratio = (part["expected_pairs"] / whole["expected_pairs"])[connected]
    assert ratio.between(0.97, 1.03).all()
    assert (part["expected_pairs"][~connected] == 0).all()


@pytest.mark.parametrize("law", ["fixed_indegree", "fixed_outdegree", "fixed_total"])
def test_fixed_numbers_are_expected_as_such(law):
    nodes = cells(150)
    factors = [] if law == "fixed_total" else [GAUSSIAN]
    network = builder(rule([*factors, {"law": law, "count": 9}]), nodes).network
    table = expect.expectation(network)[""]
    total = 9 if law == "fixed_total" else 9 * 150
    assert table["expected_pairs"].sum() == pytest.approx(total, rel=1e-6)


def test_numbers_of_synapses_are_those_of_the_law():
    nodes = cells(60)
    network = builder(rule([HALF], synapse=NSYNS), nodes).network
    table = expect.expectation(network)["_synapses"]
    assert table["nsyns"].tolist() == [2, 3, 4]
    assert table["expected_pairs"].tolist() == pytest.approx([0.5 * 60 * 59 / 3] * 3)


def test_class_pairs_profiles_and_degrees_of_a_built_circuit():
    nodes = cells(400)
    made = builder(rule(BY_CLASS, synapse=NSYNS), nodes)
    config = edges(rule(BY_CLASS))
    width, bins = distance_bins(config)
    ends, plan = ends_of(nodes), expect.expectation(made.network)
    blocks = [
        {SOURCE_IDS: b.sources, TARGET_IDS: b.targets, EDGE_TYPE: b.types, **b.columns}
        for b in made.blocks(most=500)
    ]
    counted = analysis.count_edges(ends, blocks, width, bins, pd.DataFrame())
    near = analysis.near_pairs(ends, near_radius(config))
    pairs = analysis.class_pairs("e", ends, counted, near, round(near_radius(config) / width),
                                 plan[""])  # fmt: skip
    known = pairs[pairs["expected_pairs"] > 0]
    assert len(known) == 8
    z = (known["pairs"] - known["expected_pairs"]) / known["expected_pairs"] ** 0.5
    assert (z.abs() < 4).all()
    assert (pairs["pairs"][pairs["expected_pairs"] == 0] == 0).all()
    profile = analysis.profiles("e", ends, counted, plan["_profile"])
    inner = counted.pairs[:, :, :bins].sum()
    assert profile["pairs"].sum() == inner
    assert profile["kernel"].unique().tolist() == ["gaussian 80"]
    lawless = analysis.profiles("e", ends, counted, plan["_profile"].assign(kernel=""))
    assert lawless.empty and list(lawless) == list(profile)  # a table that can be read back
    table, distribution = analysis.degrees("e", ends, counted, pairs)
    for side in ("in", "out"):
        mine = table[table["side"] == side]
        assert (mine["mean"] * mine["cells"]).sum() == pytest.approx(pairs["pairs"].sum())
        total = (mine["expected_mean"] * mine["cells"]).sum()
        assert total == pytest.approx(pairs["expected_pairs"].sum())
        assert distribution[distribution["side"] == side]["cells"].sum() == 400
    numbers = analysis.synapse_numbers("e", counted, plan["_synapses"])
    assert numbers["nsyns"].tolist() == [2, 3, 4]
    found = dict((name, value) for name, value, _ in analysis.metrics("e", counted, pairs))
    assert found["e.pairs"] == pairs["pairs"].sum()
    assert found["e.synapses_per_pair.max"] == 4
    assert found["e.amplitude.a.b"] == pytest.approx(0.9, rel=0.1)
    assert "e.probability.a.c" not in found


def test_labels_radius_and_bins_come_from_the_rules():
    config = edges(rule(BY_CLASS))
    assert label_attributes(config) == ("pop", "pop")
    assert near_radius(config) == DEFAULT_RADIUS
    within = edges(rule([HALF, GAUSSIAN | {"mean_within": 60}]))
    assert near_radius(within) == 60.0
    width, _ = distance_bins(within)
    assert (60.0 / width).is_integer()
    assert label_attributes(within) == ("cell_type", "cell_type")


def test_labels_are_sorted_and_leave_out_absent_classes():
    nodes = pd.DataFrame({"k": pd.Categorical(["b", "a", "b"], categories=["c", "b", "a"])})
    codes, names = labels_of(nodes, "k")
    assert names == ["a", "b"] and codes.tolist() == [1, 0, 1]
    assert labels_of(nodes, "none")[1] == ["all"]


def test_cells_are_counted_by_text_attributes():
    nodes = cells(50)
    table = count_cells("v1", nodes)
    assert table["cells"].iloc[0] == 50 and table["attribute"].iloc[0] == ""
    for attribute in ("pop", "ei"):
        rows = table[table["attribute"] == attribute].set_index("value")["cells"]
        assert rows.to_dict() == nodes[attribute].value_counts().to_dict()
    assert not table["attribute"].isin(["x", "tuning_angle"]).any()


def test_places_are_thinned_and_flat_fields_have_no_height():
    assert len(places(cells(50), "pop")) == 50
    assert len(places(cells(45_000), "pop")) == 15_000
    assert (places(cells(9).drop(columns="z"), "pop")["z"] == 0).all()
    assert places(cells(9)[["pop"]], "pop").empty


def test_missing_plan_says_what_to_run(tmp_path):
    resolved = load_model("v1", "tiny")
    with pytest.raises(CircuitError, match="plan_recurrent.csv") as caught:
        analysis.read_plan(resolved, "recurrent", CircuitPaths(tmp_path))
    assert "sonatina edges v1 tiny" in caught.value.problems[0].hint


def test_class_without_expectation_is_an_error():
    nodes = cells(30)
    ends, plan = ends_of(nodes), expect.expectation(builder(rule([HALF]), nodes).network)[""]
    counted = analysis.count_edges(ends, [], 5.0, 90, pd.DataFrame())
    with pytest.raises(CircuitError, match="no expectation for a to a"):
        analysis.class_pairs("e", ends, counted, None, 15, plan)
