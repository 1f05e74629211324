"""Contacts: the kernel against naive loops, counts against the law, streams that belong to pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.config.load import load_model
from pipeline.config.schema import ContactCount, InverseGaussian
from pipeline.edges.connectome import read_connectome
from pipeline.edges.contacts import contact_count, draw_distances, order_of_kinds, place_pair
from pipeline.errors import ConfigError
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_edges, read_nodes

WORM = Path(__file__).resolve().parents[2] / "models/worm"


def naive_placement(distances, wanted, tolerance):
    """Plain loops over all pairs of places."""
    used_rows, used_columns, found = set(), set(), []
    for want in wanted:
        best = None
        for i in range(len(distances)):
            for j in range(len(distances[0])):
                if i in used_rows or j in used_columns:
                    continue
                miss = abs(distances[i][j] - want)
                if best is None or miss < best[0]:
                    best = (miss, i, j)
        if best and best[0] <= tolerance:
            found.append(best[1:])
            used_rows.add(best[1])
            used_columns.add(best[2])
    return found


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 6), st.integers(1, 6), st.integers(0, 8), st.floats(0, 3), st.integers(0, 9999)
)
def test_placing_agrees_with_naive_loops(rows, columns, n, tolerance, seed):
    rng = np.random.default_rng(seed)
    distances = np.round(rng.uniform(0, 5, (rows, columns)), int(rng.integers(0, 3)))
    wanted = rng.uniform(0, 5, n)
    placed = place_pair(distances, wanted, np.zeros(n, np.int8), tolerance)
    assert list(zip(placed.pre, placed.post, strict=True)) == naive_placement(
        distances.tolist(), wanted, tolerance
    )
    assert len(set(placed.pre)) == len(placed.pre) and len(set(placed.post)) == len(placed.post)
    assert np.array_equal(placed.distance, distances[placed.pre, placed.post])


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 9999))
def test_every_kind_is_placed_as_often_as_asked(chemical, gaps, seed):
    draws = np.random.default_rng(seed).random(chemical + gaps)
    order = order_of_kinds(chemical, gaps, 0.1, draws)
    assert np.bincount(order, minlength=2).tolist() == [chemical, gaps]


def test_counts_follow_the_law_and_its_floor():
    """Pairs of the released circuit: 1 to 4 EM synapses give one contact, 5 two, 25 eight."""
    law = ContactCount(a=23.91, b=0.02285, scale=0.6, scale_inside=True, minimum=1)
    counts = [0, 1, 4, 5, 8, 11, 14, 25]
    assert contact_count(counts, law).tolist() == [0, 1, 1, 2, 3, 4, 5, 8]
    outside = ContactCount(a=20.49, b=0.02184, scale=0.6, scale_inside=False)
    assert contact_count([1, 5, 6, 10, 14], outside).tolist() == [1, 1, 2, 3, 4]


def test_distances_are_inverse_gaussian():
    law = InverseGaussian(mu=0.44, scale=0.63)
    draws = draw_distances(law, np.random.default_rng(1), 20000)
    assert stats.kstest(draws, stats.invgauss(0.44, scale=0.63).cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", ":1: header"),
        ("pre,post,kind,count\nA,B,chem,1\n", ":2: kind is 'chem'"),
        ("pre,post,kind,count\nA,B,chemical,x\n", ":2: count is 'x'"),
        ("pre,post,kind,count\nA,B,chemical,-1\n", ":2: count is '-1'"),
        ("pre,post,kind,count\nA,B,chemical,1\nA,B,chemical,2\n", ":3: chemical pair A, B"),
        ("pre,post,kind,count\nA,B,electrical,1\n", "differs from its mirror"),
    ],
)
def test_a_wrong_connectome_is_refused_with_its_line(tmp_path, text, said):
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_connectome(tmp_path / "c.csv", ["A", "B"])


@pytest.fixture(scope="module")
def circuits(tmp_path_factory):
    """The 136 and the 302 neurons, built."""
    from pipeline.edges.build import run_edges
    from pipeline.nodes.build import run_nodes

    built = {}
    for variant in ("default", "all302"):
        paths = CircuitPaths(tmp_path_factory.mktemp("circuits") / variant)
        resolved = load_model("worm", variant)
        run_nodes(resolved, paths)
        run_edges(resolved, "wiring", paths)
        built[variant] = paths
    return built


def named_edges(paths, kind):
    population = f"neurons__neurons__{kind}"
    nodes = read_nodes(paths.nodes("neurons"), "neurons")
    edges = read_edges(paths.edges(population), population)
    edges["pre"] = nodes["name"].to_numpy()[edges["source_node_id"]]
    edges["post"] = nodes["name"].to_numpy()[edges["target_node_id"]]
    return edges


def test_pairs_are_those_of_the_connectome(circuits):
    """worm.md 1.6: 1,029 chemical pairs and 783 gap entries among the 136 neurons."""
    nodes = read_nodes(circuits["default"].nodes("neurons"), "neurons")
    counts = read_connectome(WORM / "tables/connectomes/cook2019.csv", nodes["name"].tolist())
    assert (counts["chemical"] > 0).sum() == 1029 and (counts["electrical"] > 0).sum() == 783
    for kind in ("chemical", "electrical"):
        edges = named_edges(circuits["default"], kind)
        assert (counts[kind][edges["source_node_id"], edges["target_node_id"]] > 0).all()
        assert (edges["source_node_id"] != edges["target_node_id"]).all()


def test_a_subset_has_the_contacts_of_the_whole(circuits):
    """Draws belong to pairs: the 136 are wired among themselves as within the 302."""
    part, whole = (named_edges(circuits[v], "chemical") for v in ("default", "all302"))
    names = set(part["pre"]) | set(part["post"])
    columns = ["pre", "post", "afferent_section_id", "afferent_section_pos", "syn_weight"]
    whole = whole[whole["pre"].isin(names) & whole["post"].isin(names)]
    key = columns[:2] + ["syn_weight"]
    left = part[columns].sort_values(key).reset_index(drop=True)
    right = whole[columns].sort_values(key).reset_index(drop=True)
    assert left.equals(right)


def test_gap_junctions_are_mirrored_with_one_conductance(circuits):
    edges = named_edges(circuits["default"], "electrical").set_index("efferent_junction_id")
    mirror = edges.loc[edges["afferent_junction_id"].to_numpy()]
    assert np.array_equal(mirror["source_node_id"], edges["target_node_id"])
    assert np.array_equal(mirror["conductance"], edges["conductance"])
    assert np.array_equal(mirror["efferent_section_pos"], edges["afferent_section_pos"])


def test_building_again_gives_the_same_bytes(circuits, tmp_path):
    from pipeline.edges.build import run_edges
    from pipeline.nodes.build import run_nodes

    resolved, again = load_model("worm", "default"), CircuitPaths(tmp_path)
    run_nodes(resolved, again)
    run_edges(resolved, "wiring", again)
    for file in sorted(circuits["default"].root.rglob("*.*")):
        if file.is_file():
            other = tmp_path / file.relative_to(circuits["default"].root)
            assert file.read_bytes() == other.read_bytes(), file.name
