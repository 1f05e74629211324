"""The same rule through BMTK's builder: counts, degrees and distances agree."""

import h5py
import numpy as np
import pytest
from rule_nodes import GAUSSIAN, HALF, all_edges, builder, cells, rule
from scipy import stats


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Nodes, and (sources, targets) of BMTK and of ours."""
    networks = pytest.importorskip("bmtk.builder")
    folder, nodes = tmp_path_factory.mktemp("bmtk"), cells(500)
    places, rng = nodes[["x", "z"]].to_numpy(), np.random.default_rng(4)

    def connect(sources, target):
        ids = np.array([source.node_id for source in sources])
        square = ((places[ids] - places[target.node_id]) ** 2).sum(axis=1)
        found = rng.random(len(ids)) < 0.5 * np.exp(-square / 80**2)
        return np.where(ids == target.node_id, 0, found.astype(int))

    network = networks.NetworkBuilder("v1")
    network.add_nodes(N=len(nodes))
    network.add_edges(connection_rule=connect, iterator="all_to_one")
    network.build()
    network.save(output_dir=str(folder))
    with h5py.File(folder / "v1_v1_edges.h5") as handle:
        root = handle["edges/v1_to_v1"]
        theirs = root["source_node_id"][:], root["target_node_id"][:]
    ours = all_edges(builder(rule([HALF, GAUSSIAN]), nodes))
    return nodes, theirs, (ours.sources, ours.targets)


def test_counts_agree(both):
    _, theirs, ours = both
    # Both are sums of the same independent trials, whose variance is below their mean.
    assert abs(len(theirs[0]) - len(ours[0])) < 4 * np.sqrt(len(theirs[0]) + len(ours[0]))


@pytest.mark.parametrize("side", [0, 1])
def test_degrees_agree(both, side):
    nodes, theirs, ours = both
    counts = [
        np.bincount(edges[side].astype(int), minlength=len(nodes)) for edges in (theirs, ours)
    ]
    assert stats.ks_2samp(*counts).pvalue > 1e-4


def test_distances_agree(both):
    nodes, theirs, ours = both
    places = nodes[["x", "z"]].to_numpy()
    lengths = [
        np.linalg.norm(places[s.astype(int)] - places[t.astype(int)], axis=1)
        for s, t in (theirs, ours)
    ]
    assert stats.ks_2samp(*lengths).pvalue > 1e-4
