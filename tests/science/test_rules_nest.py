"""Rules against NEST's spatial connect on the same places: counts, degrees, distances.

NEST is GPL and no dependency; without it these tests skip. ``pip install nest-simulator`` brings it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
from rule_nodes import all_edges, builder, cells, rule  # noqa: E402

pytestmark = pytest.mark.science
N, P0, SCALE = 1500, 0.3, 70.0
# NEST runs in a process of its own; it prints sources and targets as node ids from 1.
CODE = """
import json, sys
import nest
nest.set_verbosity("M_ERROR")
job = json.load(sys.stdin)
nest.rng_seed = 7
places = nest.spatial.free(job["places"])
layer = nest.Create("iaf_psc_alpha", positions=places)
d = nest.spatial.distance
p = job["p0"] * {
    "gaussian": nest.spatial_distributions.gaussian(d, std=job["scale"]),
    "exponential": nest.spatial_distributions.exponential(d, beta=job["scale"]),
}[job["law"]]
nest.Connect(layer, layer, {"rule": "pairwise_bernoulli", "p": p, "allow_autapses": False})
made = nest.GetConnections()
json.dump([list(made.sources()), list(made.targets())], open(job["out"], "w"))
"""
LAWS = {
    "gaussian": {"law": "gaussian", "convention": "2sigma2", "metric": "3d", "sigma": SCALE},
    "exponential": {"law": "exponential", "length": SCALE, "metric": "3d"},
}


@pytest.mark.parametrize("law", sorted(LAWS))
def test_edges_are_distributed_as_nest_draws_them(law, tmp_path):
    pytest.importorskip("nest", reason="NEST is not installed: pip install nest-simulator")
    nodes = cells(N)
    places = nodes[["x", "y", "z"]].to_numpy()
    out = tmp_path / "nest.json"
    job = {"places": places.tolist(), "p0": P0, "scale": SCALE, "law": law, "out": str(out)}
    subprocess.run(
        [sys.executable, "-c", CODE], input=json.dumps(job), text=True, check=True, timeout=300,
        capture_output=True,
    )  # fmt: skip
    theirs = np.array(json.loads(out.read_text())) - 1
    made = all_edges(builder(rule([{"law": "probability", "value": P0}, LAWS[law]]), nodes))
    ours = np.stack([made.sources, made.targets]).astype(int)
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    shape = (
        np.exp(-((distance / SCALE) ** 2) / 2) if law == "gaussian" else np.exp(-distance / SCALE)
    )
    p = P0 * shape * (1 - np.eye(N))
    for edges in (ours, theirs):
        z = (edges.shape[1] - p.sum()) / np.sqrt((p * (1 - p)).sum())
        assert abs(z) < 4, f"{edges.shape[1]} edges, expected {p.sum():.0f}"
    spans = [distance[edges[0], edges[1]] for edges in (ours, theirs)]
    assert stats.ks_2samp(*spans).pvalue > 1e-3
    for side in (0, 1):
        degrees = [np.bincount(edges[side], minlength=N) for edges in (ours, theirs)]
        assert stats.ks_2samp(*degrees).pvalue > 1e-3
    print(law, ours.shape[1], theirs.shape[1], round(float(p.sum())))
