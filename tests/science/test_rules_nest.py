"""Rules against NEST's Connect on the same places: counts, degrees, distances, for all it can express.

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
job = json.load(sys.stdin)
places = nest.spatial.free(job["places"])
d, scale = nest.spatial.distance, job["scale"]
kernels = {
    "gaussian": nest.spatial_distributions.gaussian(d, std=scale),
    "exponential": nest.spatial_distributions.exponential(d, beta=scale),
    "linear": nest.math.max(1.0 - d / (2 * scale), 0.0),
}
found = {}
for name, spec in job["specs"].items():
    nest.ResetKernel()
    nest.set_verbosity("M_ERROR")
    nest.rng_seed = 7
    if kernel := spec.pop("kernel", None):
        spec["p"] = spec.get("p", 1.0) * kernels[kernel]
    elif spec.pop("everywhere", False):
        spec["p"] = nest.CreateParameter("constant", {"value": spec["p"]})
    layer = nest.Create("iaf_psc_alpha", positions=places)
    other = layer
    if spec.pop("projection", False):
        other = nest.Create("iaf_psc_alpha", positions=places)
    nest.Connect(layer, other, spec)
    made = nest.GetConnections()
    shift = len(layer) if other is not layer else 0
    found[name] = [list(made.sources()), [t - shift for t in made.targets()]]
json.dump(found, open(job["out"], "w"))
"""
BERNOULLI = {"rule": "pairwise_bernoulli", "p": P0, "allow_autapses": False}
HALF = {"law": "probability", "value": P0}
GAUSSIAN = {"law": "gaussian", "convention": "2sigma2", "metric": "3d", "sigma": SCALE}
EXPONENTIAL = {"law": "exponential", "length": SCALE, "metric": "3d"}
LINEAR = {"law": "linear", "reach": 2 * SCALE, "metric": "3d"}
BOX = {"law": "box", "high": 2 * SCALE, "metric": "3d"}
MASK = {"mask": {"spherical": {"radius": 2 * SCALE}}}


def fixed(law: str, count: int, multapses: bool) -> dict:
    return {"law": law, "count": count, "multapses": multapses}


# Name: NEST's specification, our laws, autapses.
CASES = {
    "bernoulli": (BERNOULLI, [HALF], False),
    "bernoulli-autapses": ({**BERNOULLI, "allow_autapses": True}, [HALF], True),
    "gaussian": ({**BERNOULLI, "kernel": "gaussian"}, [HALF, GAUSSIAN], False),
    "exponential": ({**BERNOULLI, "kernel": "exponential"}, [HALF, EXPONENTIAL], False),
    "linear": ({**BERNOULLI, "kernel": "linear"}, [HALF, LINEAR], False),
    "box": ({**BERNOULLI, **MASK, "everywhere": True}, [HALF, BOX], False),
    "box-linear": ({**BERNOULLI, **MASK, "kernel": "exponential"}, [HALF, BOX, EXPONENTIAL], False),
    "all": ({"rule": "all_to_all", "allow_autapses": False}, [{"law": "all_to_all"}], False),
    "all-autapses": ({"rule": "all_to_all"}, [{"law": "all_to_all"}], True),
    "one": ({"rule": "one_to_one", "projection": True}, [{"law": "one_to_one"}], False),
}
for multapses in (False, True):
    for autapses in (False, True):
        keys = {"allow_multapses": multapses, "allow_autapses": autapses}
        label = f"{'m' if multapses else ''}{'a' if autapses else ''}" or "strict"
        for law, key in (("indegree", "indegree"), ("outdegree", "outdegree")):
            spec = {"rule": f"fixed_{law}", key: 40, **keys}
            ours = [fixed(f"fixed_{law}", 40, multapses)]
            CASES[f"{law}-{label}"] = (spec, ours, autapses)
            near = {**spec, "kernel": "gaussian"}
            CASES[f"{law}-gaussian-{label}"] = (near, [*ours, GAUSSIAN], autapses)
# NEST draws a fixed total only with multapses.
for autapses in (False, True):
    keys = {"allow_multapses": True, "allow_autapses": autapses}
    CASES[f"total-{'ma' if autapses else 'm'}"] = (
        {"rule": "fixed_total_number", "N": 60_000, **keys},
        [fixed("fixed_total", 60_000, True)],
        autapses,
    )


@pytest.fixture(scope="module")
def nodes():
    return cells(N)


@pytest.fixture(scope="module")
def theirs(nodes, tmp_path_factory):
    """Sources and targets of NEST by case: int [2, edges]."""
    pytest.importorskip("nest", reason="NEST is not installed: pip install nest-simulator")
    out = tmp_path_factory.mktemp("nest") / "nest.json"
    specs = {name: case[0] for name, case in CASES.items()}
    places = nodes[["x", "y", "z"]].to_numpy().tolist()
    job = {"places": places, "scale": SCALE, "specs": specs, "out": str(out)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], input=json.dumps(job), text=True, check=False, timeout=600,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return {name: np.array(pairs) - 1 for name, pairs in json.loads(out.read_text()).items()}


@pytest.mark.parametrize("name", CASES)
def test_edges_are_distributed_as_nest_draws_them(name, nodes, theirs):
    _, laws, autapses = CASES[name]
    other = cells(N) if name == "one" else None
    made = all_edges(builder(rule(laws, autapses=autapses), nodes, other))
    ours, nest = np.stack([made.sources, made.targets]).astype(int), theirs[name]
    degrees = [[np.bincount(e[side], minlength=N) for e in (ours, nest)] for side in (0, 1)]
    if name.startswith(("all", "one")):
        keys = [np.sort(e[1] * N + e[0]) for e in (ours, nest)]
        np.testing.assert_array_equal(*keys)
        return
    if "degree" in name or name.startswith("total"):
        assert ours.shape == nest.shape
    else:  # both are sums of independent trials, whose variance is below their mean
        assert abs(ours.shape[1] - nest.shape[1]) < 4 * np.sqrt(ours.shape[1] + nest.shape[1])
    for edges in (ours, nest):
        doubled = len(np.unique(edges[1] * N + edges[0])) < edges.shape[1]
        assert not doubled or "-m" in name
        assert autapses or not (edges[0] == edges[1]).any()
    places = nodes[["x", "y", "z"]].to_numpy()
    spans = [np.linalg.norm(places[e[0]] - places[e[1]], axis=1) for e in (ours, nest)]
    assert stats.ks_2samp(*spans).pvalue > 1e-3
    for side, pair in enumerate(degrees):
        fixed_side = {"indegree": 1, "outdegree": 0}.get(name.split("-")[0])
        if side == fixed_side:
            np.testing.assert_array_equal(*pair)
        else:
            assert stats.ks_2samp(*pair).pvalue > 1e-3
    print(name, ours.shape[1], nest.shape[1])
