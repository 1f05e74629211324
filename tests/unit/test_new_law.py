"""A law that is one new file in a copy of the package: known to validate, rules, kernels and bounds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config.laws import _read
from pipeline.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
RING = '''"""Rises to a ring and falls beyond it, for one kind of neighbour only."""

import math
from typing import Literal

from pipeline.config.law import OFF, Factor, Metric
from pipeline.config.pair_values import PairMicrons, PairNumber


class RingFactor(Factor):
    """exp(-((d - radius) / width)^2)."""

    law: Literal["ring"]
    radius: PairNumber
    width: PairMicrons
    metric: Metric = "lateral"

    EXAMPLES = ({"radius": 60, "width": 25}, {"radius": 90, "width": 10, "metric": "3d"})

    def parameters(self, keys):
        return [keys.numbers("radius", 0.0, missing=OFF), keys.numbers("width", 0.0, above=True)]


def square_of(x):
    return x * x


def value(distance, radius, width):
    return math.exp(-square_of((distance - radius) / width))


def bound(near, far, upper, radius, width):
    if upper:
        return value(min(max(near, radius), far), radius, width)
    return min(value(near, radius, width), value(far, radius, width))
'''
VARIANT = """extends: ../model.yaml
name: {name}
set:
  mechanisms: [worm, synapses]
  edges.wiring:
    kind: rules
    source: cells
    target: cells
    rules:
      - name: ring
        connect:
          - {{law: ring, radius: 100, width: {width}}}
        synapse: {{sections: dend, columns: {{model_template: exp2syn, tau1: 0.5, tau2: 3, erev: 0}}}}
"""
COMMANDS = """
import os
from pipeline.cli import main
before = os.environ["NUMBA_CACHE_DIR"]
assert main(["new", "mine"]) == 0
for name in ("good", "bad"):
    open(f"models/mine/variants/{name}.yaml", "w").write(open(name).read())
assert main(["validate", "mine", "bad"]) == 2
for verb in ("validate", "nodes", "edges"):
    assert main([verb, "mine", "good"]) == 0, verb
assert os.environ["NUMBA_CACHE_DIR"].startswith(before + "/"), "other laws, other kernels"
"""
NUMBERS = """
import numpy as np
from law_oracle import pair_probabilities
from rule_nodes import HALF, all_edges, builder, cells, rule
from pipeline.edges.rules.laws import box_bound

radius = {"values": {"a": {"*": 60}, "b": {"b": 30}}, "source_by": "pop", "target_by": "pop", "default": ""}
ring = {"law": "ring", "radius": radius, "width": 25}
nodes = cells(900)
made = builder(rule([HALF, ring]), nodes)
found = all_edges(made)
place, pop = nodes[["x", "z"]].to_numpy(), nodes["pop"].to_numpy()
d = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1))    # [sources, targets]
centre = np.full(d.shape, np.nan)
centre[pop == "a"] = 60
centre[np.ix_(pop == "b", pop == "b")] = 30
p = 0.5 * np.where(np.isnan(centre), 1, np.exp(-(((d - centre) / 25) ** 2)))
np.fill_diagonal(p, 0)
dense = np.zeros(d.shape, bool)
dense[found.sources.astype(int), found.targets.astype(int)] = True
for low in range(0, 200, 20):
    for pre in "abc":
        inside = (d >= low) & (d < low + 20) & (pop == pre)[:, None]
        sd = np.sqrt((p * (1 - p))[inside].sum())
        assert abs(dense[inside].sum() - p[inside].sum()) <= 4 * sd, (low, pre)

law, rng = made.network.rules[0].law, np.random.default_rng(3)
for _ in range(300):
    low = rng.normal(0, 80, 3)
    high = low + 10 ** rng.uniform(-1, 2, 3)
    target, box = rng.normal(0, 80, 3), np.concatenate((low, high))[None]
    offset, zeros = target - (low + (high - low) * rng.random((40, 3))), np.zeros(40, int)
    inside = pair_probabilities(law, zeros, zeros, offset, np.zeros(40))
    most, least = (box_bound(law, box, 0, 0, 0, *target, upper) for upper in (True, False))
    assert least <= inside.min() + 1e-12 and inside.max() <= most * (1 + 1e-12)
"""


def test_one_file_is_a_law(tmp_path):
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=skipped)
    (tmp_path / "mechanisms").symlink_to(ROOT / "mechanisms")
    (tmp_path / "pipeline/config/laws/ring.py").write_text(RING)
    for name, width in (("good", "50 um"), ("bad", "-50 um")):
        (tmp_path / name).write_text(VARIANT.format(name=name, width=width))
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ROOT / "tests/data")))}
    code = [sys.executable, "-c", COMMANDS + NUMBERS]
    done = subprocess.run(code, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "bad.yaml:12" in done.stderr and "must be above 0 um" in done.stderr


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('Literal["ring"]', 'Literal["rings"]', 'the key law is not Literal["ring"]'),
        ("def value(distance, ", "def value(d, ", "value takes"),
        ("def value(", "def values(", "a function value"),
        ('    metric: Metric = "lateral"\n', "", "the key metric"),
        ("class RingFactor(Factor)", "class RingFactor", "one class of Factor"),
    ],
)
def test_what_is_no_law(tmp_path, monkeypatch, old, new, said):
    assert old in RING
    (tmp_path / "ring.py").write_text(RING.replace(old, new))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ring", raising=False)
    with pytest.raises(ConfigError) as refused:
        _read(__import__("ring"))
    (problem,) = refused.value.problems
    assert said in problem.message and "ring.py" in problem.where
