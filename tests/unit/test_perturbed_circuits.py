"""Changed edges: what a change keeps, and what it must change."""

from __future__ import annotations

import dataclasses

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.config.load import load_model
from pipeline.config.perturbed import Perturb
from pipeline.errors import CircuitError, ConfigError
from pipeline.perturb import edges as change
from pipeline.perturb.edges import Edges
from pipeline.perturbed import base_paths, read_population, run_perturb, scale_channel
from pipeline.runtime import write_json
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_edges
from pipeline.sonata.write import write_edges, write_nodes

N = 40
TYPES = np.arange(N) % 3


def _edges(seed: int = 1, pairs: int = 300) -> Edges:
    """Random connections without loops, one to three synapses each."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(N * N)[:pairs]
    source, target = codes // N, codes % N
    good = source != target
    counts = rng.integers(1, 4, good.sum())
    source, target = (np.repeat(x[good], counts) for x in (source, target))
    n = len(source)
    columns = {"conductance": rng.random(n).astype("f4"), "mark": np.arange(n),
               "efferent_center_x": rng.random(n).astype("f4")}  # fmt: skip
    return Edges(source, target, np.zeros(n, np.int64), columns).sorted()


def _pairs(edges: Edges) -> set[tuple[int, int]]:
    return set(zip(edges.source.tolist(), edges.target.tolist(), strict=True))


def _in_degrees(edges: Edges, groups: np.ndarray) -> pd.Series:
    """Connections by target and group of the source."""
    table = pd.DataFrame(sorted(_pairs(edges)), columns=["source", "target"])
    return table.groupby(["target", groups[table["source"]]]).size()


def _common(before: Edges, after: Edges) -> None:
    assert len(after) == len(before) and "efferent_center_x" not in after.columns
    assert len(_pairs(after)) == len(_pairs(before))
    assert not (after.source == after.target).any()
    # Every synapse stays on its target with its numbers, those of a connection stay together.
    old = dict(zip(before.columns["mark"].tolist(), before.target.tolist(), strict=True))
    new = dict(zip(after.columns["mark"].tolist(), after.target.tolist(), strict=True))
    assert old == new
    moved = len(_pairs(before) & _pairs(after))
    assert moved < 0.6 * len(_pairs(before))
    order = np.lexsort((after.source, after.target))
    np.testing.assert_array_equal(order, np.arange(len(after)))


def test_type_shuffle_keeps_in_degrees_by_type():
    before = _edges()
    after = change.shuffle_type(before, TYPES, 5)
    _common(before, after)
    pd.testing.assert_series_equal(_in_degrees(before, TYPES), _in_degrees(after, TYPES))
    again = change.shuffle_type(before, TYPES, 5)
    np.testing.assert_array_equal(after.source, again.source)
    assert (change.shuffle_type(before, TYPES, 6).source != after.source).any()


def test_distance_shuffle_keeps_each_targets_histogram():
    places = np.random.default_rng(2).uniform(0, 200, (N, 3))
    before, strata = _edges(pairs=500), change.distance_strata((places, places), 60.0)
    after = change.shuffle_type(before, TYPES, 5, strata)
    assert len(_pairs(after)) == len(_pairs(before))
    for one, other in zip(
        *(sorted((t, TYPES[s], strata[s, t]) for s, t in _pairs(e)) for e in (before, after)),
        strict=True,
    ):
        assert one == other
    assert _pairs(after) != _pairs(before)


def test_degree_shuffle_keeps_both_degrees_by_type():
    before = _edges()
    after = change.shuffle_degree(before, TYPES, TYPES, 5)
    _common(before, after)
    pd.testing.assert_series_equal(_in_degrees(before, TYPES), _in_degrees(after, TYPES))
    out = [
        pd.DataFrame(sorted(_pairs(e)), columns=["s", "t"]).pipe(
            lambda f: f.groupby(["s", TYPES[f["t"]]]).size()
        )
        for e in (before, after)
    ]
    pd.testing.assert_series_equal(*out)


def test_removed_nodes_have_no_edges():
    before = _edges()
    gone = TYPES == 1
    after = change.remove_nodes(before, gone, gone)
    ends = zip(before.source, before.target, strict=True)
    naive = [(s, t) for s, t in ends if not (gone[s] or gone[t])]
    assert list(zip(after.source, after.target, strict=True)) == naive


def test_a_channel_is_scaled_with_its_laws():
    data = {"emodel": {"mechanisms": {
        "soma": {"Ih": {"gIhbar": {"value": 2.0, "distribution": "d"}, "vshift": 3.0}},
        "axon": {"Ih": {"gIhbar": 4.0}, "Kd": {"gbar": 1.0}},
    }}}  # fmt: skip
    found = scale_channel(data, "Ih", 0.75)["emodel"]["mechanisms"]
    assert found["soma"]["Ih"] == {"gIhbar": {"value": 0.5, "distribution": "d"}, "vshift": 3.0}
    assert found["axon"] == {"Ih": {"gIhbar": 1.0}, "Kd": {"gbar": 1.0}}
    assert data["emodel"]["mechanisms"]["axon"]["Ih"]["gIhbar"] == 4.0
    assert scale_channel(data, "Nap", 0.5) is None


MODEL = """schema: 1
name: changed
nodes:
  c: {{kind: imported, file: nodes.h5, model_type: biophysical}}
edges:
  local: {{kind: rules, source: c, target: c, rules: [{{name: a, connect: [{{law: probability, value: 0}}]}}]}}
perturb:
  of: default
  steps:
    - {steps}
"""
TYPE_TABLE = "edge_type_id model_template\n0 AmpaNmdaRelease\n1 GabaABRelease\n"


def _circuit(folder, steps: str):
    """A built base, and the model that changes it."""
    columns = {axis: np.arange(float(N)) for axis in "xyz"}
    kinds = np.where(np.arange(N) < 30, "EXC", "INH")
    columns |= {"mtype": np.array(["P", "M", "B"])[TYPES], "synapse_class": kinds}
    write_nodes(folder / "nodes.h5", "c", columns, TYPES)
    (folder / "variants").mkdir(exist_ok=True)
    (folder / "variants" / "new.yaml").write_text("extends: ../model.yaml\nname: new\nset: {}\n")
    # Imported nodes have no sets that a config could name, but the circuit has.
    harmless = "{kind: remove, nodes: c}" if "nodes: M" in steps else steps
    (folder / "model.yaml").write_text(MODEL.format(steps=harmless), encoding="utf-8")
    resolved = load_model(str(folder / "model.yaml"), "new")
    if harmless != steps:
        wanted = Perturb(of="default", steps=[yaml.safe_load(steps)])
        model = resolved.model.model_copy(update={"perturb": wanted})
        resolved = dataclasses.replace(resolved, model=model)
    base = base_paths(resolved, folder / "out")
    write_nodes(base.nodes("c"), "c", columns, TYPES)
    base.node_types("c").write_text(
        "node_type_id pop_name\n" + "".join(f"{k} c\n" for k in range(3)), encoding="utf-8"
    )
    base.edge_types("c__c__chemical").write_text(TYPE_TABLE, encoding="utf-8")
    made = _edges()
    kind = (made.source >= 30).astype(np.int64)
    write_edges(
        base.edges("c__c__chemical"), "c__c__chemical", "c", "c", made.source, made.target, kind,
        made.columns | {"conductance_scale_factor": np.full(len(made), 0.4, "f4")}, N, N,
        units={"conductance": "nS"},
    )  # fmt: skip
    entry = {"populations": {"c__c__chemical": {"type": "chemical"}}}
    nodes = {"populations": {"c": {"type": "biophysical"}}}
    write_json(base.circuit_config, {"networks": {"nodes": [nodes], "edges": [entry]}})
    sets = {"c": {"population": "c"}, "M": {"population": "c", "mtype": "M"}}
    write_json(base.node_sets, sets)
    return resolved, base, CircuitPaths(folder / "out" / "changed" / "new")


def _both(base, paths):
    return [read_edges(p.edges("c__c__chemical"), "c__c__chemical") for p in (base, paths)]


def test_a_control_writes_the_same_edges(tmp_path):
    steps = "{kind: shuffle, edges: local, keep: degree, control: true}"
    resolved, base, paths = _circuit(tmp_path, steps)
    run_perturb(resolved, base, paths)
    pd.testing.assert_frame_equal(*_both(base, paths))
    with h5py.File(paths.edges("c__c__chemical")) as handle:
        assert handle["edges/c__c__chemical/0/conductance"].attrs["units"] == "nS"


def test_blocked_nmda_leaves_ampa_and_gaba(tmp_path):
    resolved, base, paths = _circuit(tmp_path, "{kind: block, receptor: nmda, fraction: 0.75}")
    run_perturb(resolved, base, paths)
    before, after = _both(base, paths)
    exc = (before["edge_type_id"] == 0).to_numpy()
    assert after["conductance_scale_factor"][exc].to_numpy() == pytest.approx(0.1)
    assert after["conductance_scale_factor"][~exc].to_numpy() == pytest.approx(0.4)
    np.testing.assert_array_equal(before["conductance"], after["conductance"])


def test_blocked_ampa_leaves_nmda_as_it_was(tmp_path):
    resolved, base, paths = _circuit(tmp_path, "{kind: block, receptor: ampa, fraction: 0.5}")
    run_perturb(resolved, base, paths)
    before, after = _both(base, paths)
    exc = (before["edge_type_id"] == 0).to_numpy()
    slow = [(t["conductance"] * t["conductance_scale_factor"]).to_numpy() for t in (before, after)]
    np.testing.assert_allclose(*slow, rtol=1e-6)
    assert after["conductance"][exc].to_numpy() == pytest.approx(before["conductance"][exc] / 2)


def test_removed_types_and_their_control(tmp_path):
    resolved, base, paths = _circuit(tmp_path, "{kind: remove, nodes: M}")
    run_perturb(resolved, base, paths)
    before, after = _both(base, paths)
    touched = np.isin(TYPES[before["source_node_id"]], 1) | np.isin(
        TYPES[before["target_node_id"]], 1
    )
    assert len(after) == (~touched).sum()
    (tmp_path / "control").mkdir()
    resolved, base, paths = _circuit(
        tmp_path / "control", "{kind: remove, nodes: M, control: true}"
    )
    run_perturb(resolved, base, paths)
    before, after = _both(base, paths)
    lost = set(range(N)) - set(after["source_node_id"]) - set(after["target_node_id"])
    assert len(lost) == (TYPES == 1).sum() and not (TYPES[list(lost)] == 1).any()
    exc = sum(node < 30 for node in lost)
    assert exc == ((TYPES == 1) & (np.arange(N) < 30)).sum()


def test_what_cannot_be_is_told(tmp_path):
    with pytest.raises(ConfigError, match="share a conductance"):
        _circuit(tmp_path, "{kind: block, receptor: ampa, fraction: 1}")
    with pytest.raises(ConfigError, match="no edges 'locl'"):
        _circuit(tmp_path, "{kind: shuffle, edges: locl, keep: type}")
    resolved, base, paths = _circuit(tmp_path, "{kind: block, channel: Ih, fraction: 1}")
    with pytest.raises(ConfigError, match="no e-model has channel 'Ih'"):
        run_perturb(resolved, base, paths)
    write_json(base.emodels / "E.json", {"emodel": {"mechanisms": {"soma": {"Ih": {}}}}})
    with pytest.raises(ConfigError, match="writes a conductance g...bar of 'Ih'"):
        run_perturb(resolved, base, paths)
    base.circuit_config.unlink()
    with pytest.raises(CircuitError, match="does not exist"):
        run_perturb(resolved, base, paths)


def test_populations_are_read_with_their_units(tmp_path):
    _, base, _ = _circuit(tmp_path, "{kind: remove, nodes: M}")
    made, units = read_population(base, "c__c__chemical")
    assert units["conductance"] == "nS" and len(made) == len(_edges())
