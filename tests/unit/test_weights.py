"""Values of edges for engines: gains against a naive loop, exact sums, node sets, Poisson trains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.errors import CircuitError
from pipeline.runtime import rng_for
from pipeline.simulation.inputs import poisson_train
from pipeline.simulation.targets import select_nodes
from pipeline.simulation.weights import EdgeReader, grid_times, round_weights
from pipeline.sonata.configs import write_node_sets, write_types
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import edge_blocks
from pipeline.sonata.write import write_edges, write_nodes

SETS = {
    "all": {"population": "a"},
    "e": {"population": "a", "ei": "e"},
    "i": {"population": "a", "ei": "i"},
    "few": {"population": "a", "node_id": [1, 4, 7]},
    "both": {"population": "a", "ei": ["e", "i"]},
    "typed": {"population": "a", "pop_name": "second"},
}
N = 12


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Twelve cells of two types, every pair connected once."""
    paths = CircuitPaths(tmp_path_factory.mktemp("weights"))
    ei = np.array(["e", "e", "i"] * (N // 3), object)
    write_nodes(paths.nodes("a"), "a", {"ei": ei}, np.arange(N) % 2, library=["ei"])
    rows = [{"node_type_id": k, "pop_name": name} for k, name in enumerate(("first", "second"))]
    write_types(paths.node_types("a"), rows)
    write_node_sets(paths.node_sets, SETS)
    source, target = (m.ravel() for m in np.meshgrid(np.arange(N), np.arange(N)))
    columns = {"syn_weight": np.linspace(0.1, 3, N * N), "nsyns": 1 + np.arange(N * N) % 4}
    write_edges(
        paths.edges("a__a__chemical"), "a__a__chemical", "a", "a", source, target,
        np.arange(N * N) % 2, columns, n_source=N, n_target=N,
    )  # fmt: skip
    types = [{"edge_type_id": 0, "delay": 1.5}, {"edge_type_id": 1, "delay": 2.0}]
    write_types(paths.edge_types("a__a__chemical"), types)
    return paths


def blocks(paths):
    columns = ("syn_weight", "nsyns", "delay")
    return edge_blocks(paths.edges("a__a__chemical"), "a__a__chemical", columns, rows=50)


def members(paths, name):
    return set(select_nodes(paths, name)[1].tolist()) if name else set(range(N))


def test_node_sets_filter_by_ids_attributes_and_types(paths):
    assert members(paths, "e") == {k for k in range(N) if k % 3 != 2}
    assert members(paths, "few") == {1, 4, 7}
    assert members(paths, "both") == members(paths, "all") == set(range(N))
    assert members(paths, "typed") == {k for k in range(N) if k % 2}
    write_node_sets(paths.node_sets, SETS | {"odd": {"population": "a", "colour": "red"}})
    with pytest.raises(CircuitError, match="filters by 'colour'"):
        select_nodes(paths, "odd")
    write_node_sets(paths.node_sets, SETS)
    with pytest.raises(CircuitError, match="no node set 'nobody'"):
        select_nodes(paths, "nobody")


gain = st.fixed_dictionaries(
    {
        "source": st.sampled_from([None, *SETS]),
        "target": st.sampled_from([None, *SETS]),
        "factor": st.sampled_from([0.0, 0.5, 2.0, -1.0, 3.25]),
    }
)


@settings(max_examples=60, deadline=None)
@given(gains=st.lists(gain, max_size=6))
def test_gains_multiply_where_they_fit(paths, gains):
    reader = EdgeReader(paths, "a__a__chemical", ("a", "a"), gains)
    sets = [(members(paths, g["source"]), members(paths, g["target"])) for g in gains]
    found = {}
    for block in blocks(paths):
        values = reader.values(block)
        for s, t, w, d in zip(
            values.sources, values.targets, values.weights, values.delays, strict=True
        ):
            found[int(s), int(t)] = w, d
    wanted = {}
    for block in blocks(paths):
        for s, t, kind, weight, n in zip(*(block[k] for k in (
            "source_node_id", "target_node_id", "edge_type_id", "syn_weight", "nsyns"
        )), strict=True):  # fmt: skip
            factor = 1.0
            for g, (sources, targets) in zip(gains, sets, strict=True):
                if int(s) in sources and int(t) in targets:
                    factor *= g["factor"]
            if factor:
                wanted[int(s), int(t)] = float(weight) * int(n) * factor, (1.5, 2.0)[int(kind)]
    assert set(found) == set(wanted)
    assert reader.silent == (not wanted)
    for pair, (weight, delay) in wanted.items():
        assert found[pair][0] == pytest.approx(weight, abs=1e-11)
        assert found[pair][1] == delay


def test_a_gain_on_another_population_is_refused(paths):
    write_node_sets(paths.node_sets, SETS | {"b": {"population": "b"}})
    write_nodes(paths.nodes("b"), "b", {}, np.zeros(3, int))
    write_types(paths.node_types("b"), [{"node_type_id": 0, "pop_name": "x"}])
    with pytest.raises(CircuitError, match="'b' is in 'b', not 'a'"):
        gains = [{"source": "b", "target": None, "factor": 2.0}]
        EdgeReader(paths, "a__a__chemical", ("a", "a"), gains)


@settings(max_examples=100, deadline=None)
@given(
    weights=st.lists(st.floats(-300, 300).map(np.float32), min_size=2, max_size=40),
    seed=st.integers(0, 1000),
)
def test_sums_of_rounded_weights_do_not_depend_on_their_order(weights, seed):
    rounded = round_weights(np.array(weights, float))
    other = rounded[np.random.default_rng(seed).permutation(len(rounded))]
    assert sum(rounded.tolist()) == sum(other.tolist())
    assert np.abs(rounded - weights).max() <= 2.0**-39


def test_spike_times_go_to_the_end_of_their_step():
    times = np.array([0.0, 0.04, 0.1, 0.1 + 1e-9, 0.100001, 7.25, 3.0])
    found = np.round(grid_times(times, 0.1), 9)
    assert found.tolist() == [0.1, 0.1, 0.1, 0.1, 0.2, 7.3, 3.0]


def test_poisson_trains_have_their_rate_and_keep_their_beginning():
    trains = [poisson_train(rng_for(3, "input/x", k), 40.0, 5000.0) for k in range(300)]
    counts = np.array([len(train) for train in trains])
    assert abs(counts.mean() - 200) < 4 * np.sqrt(200 / 300)
    assert 0.75 < counts.var() / counts.mean() < 1.3
    intervals = np.concatenate([np.diff(train) for train in trains])
    assert stats.kstest(intervals, stats.expon(scale=25.0).cdf).pvalue > 1e-3
    longer = poisson_train(rng_for(3, "input/x", 0), 40.0, 9000.0)
    assert np.array_equal(longer[: len(trains[0])], trains[0])
    assert all(len(t) == 0 or (t[0] > 0 and t[-1] < 5000) for t in trains)
