"""The same rules through BMTK's builder: counts, degrees and distances agree."""

import h5py
import numpy as np
import pytest
from rule_nodes import GAUSSIAN, HALF, all_edges, builder, cells, rule
from scipy import stats

N = 400
EXPONENTIAL = {"law": "exponential", "length": 60, "metric": "3d"}
LINEAR = {"law": "linear", "reach": 150, "metric": "3d"}
BOX = {"law": "box", "low": 40, "high": 120}


# Probability by lateral and 3D distance, as a BMTK user writes it in NumPy.
KERNELS = {
    "probability": (lambda r, d: 0.5 + 0 * r, [HALF]),
    "gaussian": (lambda r, d: 0.5 * np.exp(-((r / 80) ** 2)), [HALF, GAUSSIAN]),
    "exponential": (lambda r, d: 0.5 * np.exp(-d / 60), [HALF, EXPONENTIAL]),
    "linear": (lambda r, d: 0.5 * np.clip(1 - d / 150, 0, None), [HALF, LINEAR]),
    "box": (lambda r, d: 0.5 * ((r >= 40) & (r < 120)), [HALF, BOX]),
    "all_to_all": (lambda r, d: 1.0 + 0 * r, [{"law": "all_to_all"}]),
}
FIXED = {
    "fixed_indegree": ("all_to_one", False),
    "fixed_outdegree": ("one_to_all", False),
    "fixed_indegree-multapses": ("all_to_one", True),
    "fixed_outdegree-multapses": ("one_to_all", True),
}
COUNT = 30


def connector(name, places, rng):
    """BMTK's connection rule: synapses between one node and all others."""

    def by_distance(sources, target):
        ids = np.array([source.node_id for source in sources])
        away = places[ids] - places[target.node_id]
        p = KERNELS[name][0](np.hypot(away[:, 0], away[:, 2]), np.linalg.norm(away, axis=1))
        found = rng.random(len(ids)) < p
        return np.where(ids == target.node_id, 0, found.astype(int))

    def by_number(one, others):
        # all_to_one gives (sources, target), one_to_all gives (source, targets).
        one, others = (others, one) if FIXED[name][0] == "all_to_one" else (one, others)
        ids = np.array([other.node_id for other in others])
        free = np.flatnonzero(ids != one.node_id)
        taken = rng.choice(free, COUNT, replace=FIXED[name][1])
        return np.bincount(taken, minlength=len(ids))

    return by_distance if name in KERNELS else by_number


@pytest.fixture(scope="module", params=[*KERNELS, *FIXED])
def both(request, tmp_path_factory):
    """The law, nodes, and (sources, targets) of BMTK and of ours; a pair once per synapse."""
    networks = pytest.importorskip("bmtk.builder")
    name, folder, nodes = request.param, tmp_path_factory.mktemp("bmtk"), cells(N)
    places, rng = nodes[["x", "y", "z"]].to_numpy(), np.random.default_rng(4)
    network = networks.NetworkBuilder("v1")
    network.add_nodes(N=N)
    iterator = FIXED[name][0] if name in FIXED else "all_to_one"
    network.add_edges(connection_rule=connector(name, places, rng), iterator=iterator)
    network.build()
    network.save(output_dir=str(folder))
    with h5py.File(folder / "v1_v1_edges.h5") as handle:
        root = handle["edges/v1_to_v1"]
        times = root["0/nsyns"][:] if "nsyns" in root["0"] else 1
        theirs = tuple(np.repeat(root[k][:], times) for k in ("source_node_id", "target_node_id"))
    law, _, multapses = name.partition("-")
    fixed = [{"law": law, "count": COUNT, "multapses": bool(multapses)}]
    ours = all_edges(builder(rule(KERNELS[name][1] if name in KERNELS else fixed), nodes))
    return name, nodes, theirs, (ours.sources, ours.targets)


def test_counts_agree(both):
    name, _, theirs, ours = both
    if name in FIXED or name == "all_to_all":
        assert len(theirs[0]) == len(ours[0])
    # Both are sums of the same independent trials, whose variance is below their mean.
    assert abs(len(theirs[0]) - len(ours[0])) < 4 * np.sqrt(len(theirs[0]) + len(ours[0]))


@pytest.mark.parametrize("side", [0, 1])
def test_degrees_agree(both, side):
    name, nodes, theirs, ours = both
    counts = [np.bincount(edges[side].astype(int), minlength=N) for edges in (theirs, ours)]
    exact = {"fixed_indegree": 1, "fixed_outdegree": 0}.get(name.split("-")[0], side)
    if name == "all_to_all" or (name in FIXED and side == exact):
        np.testing.assert_array_equal(*counts)
    else:
        assert stats.ks_2samp(*counts).pvalue > 1e-4


def test_distances_agree(both):
    _, nodes, theirs, ours = both
    places = nodes[["x", "z"]].to_numpy()
    lengths = [
        np.linalg.norm(places[s.astype(int)] - places[t.astype(int)], axis=1)
        for s, t in (theirs, ours)
    ]
    assert stats.ks_2samp(*lengths).pvalue > 1e-4
