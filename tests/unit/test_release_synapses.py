"""Synapses with release from SONATA edges, as far as no simulator is needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
import release_model as model  # noqa: E402

from pipeline.errors import CircuitError  # noqa: E402
from pipeline.simulation.neuron_cells import locate  # noqa: E402
from pipeline.simulation.release_synapses import (  # noqa: E402
    ReleaseReader,
    is_known,
    scale_release,
    stream_keys,
)
from pipeline.simulation.weights import EdgeReader  # noqa: E402
from pipeline.sonata.layout import CircuitPaths  # noqa: E402
from pipeline.sonata.read import read_edges  # noqa: E402
from pipeline.sonata.write import write_nodes  # noqa: E402


@pytest.fixture
def paths(tmp_path):
    found = CircuitPaths(tmp_path)
    frequencies = {"exc_mini_frequency": [0.1, 0.2, 0.3], "inh_mini_frequency": [0.012] * 3}
    write_nodes(found.nodes("c"), "c", frequencies, [0, 0, 0])
    write_nodes(found.nodes("s"), "s", {}, [0])
    (tmp_path / "node_sets.json").write_text(json.dumps({"all": {"population": "c"}}))
    model.write_synapses(found)
    return found


def table(paths, name=model.INNER, gains=(), **conditions):
    ends = ("c" if name == model.INNER else "s", "c")
    edges = EdgeReader(paths, name, ends, list(gains), 0.1)
    reader = ReleaseReader(paths, name, "c", edges, conditions)
    rows = read_edges(paths.edges(name), name, reader.columns)
    block = {key: rows[key].to_numpy() for key in rows} | {"edge_id": rows.index.to_numpy()}
    return reader.parameters(block)


@given(u=st.floats(0, 1), half=st.floats(0.5, 5), low=st.floats(0.01, 2), high=st.floats(2, 20))
def test_release_rises_with_calcium_and_is_u_at_2_mm(u, half, low, high):
    one = lambda ca, h=half: float(scale_release(np.array([u]), np.array([h]), ca)[0])  # noqa: E731
    assert one(2.0) == pytest.approx(u)
    assert 0 <= one(low) <= one(2.0) + 1e-12 <= one(high) + 2e-12 <= 1 + 2e-12
    hill = lambda ca: ca**4 / (half**4 + ca**4)  # noqa: E731
    assert one(low) == pytest.approx(u * hill(low) / hill(2.0))
    assert one(low, 0.0) == u  # no dependence


def test_steep_release_falls_more_than_shallow_in_vivo():
    """PC to PC (h 2.79 mM) against PC to proximal-targeting (1.09 mM), section 4 of the reference."""
    steep, shallow = scale_release(np.array([0.5, 0.5]), np.array([2.79, 1.09]), 1.25)
    assert (steep, shallow) == pytest.approx((0.0927, 0.3448), abs=1e-4)


def test_streams_differ_by_seed_population_and_purpose():
    keys = [*stream_keys(1, "a"), *stream_keys(2, "a"), *stream_keys(1, "b")]
    assert len(set(keys)) == 6 and all(0 <= key < 2**32 for key in keys)
    assert stream_keys(1, "a") == (keys[0], keys[1])


def test_columns_become_parameters(paths):
    expected, found = model.synapses(model.INNER), table(paths, extracellular_calcium=2.0)
    assert is_known(paths, model.INNER)
    assert found["edge_id"].tolist() == list(range(len(expected)))
    np.testing.assert_allclose(found["conductance"], 1e-3 * expected["conductance"])
    for name, column in (("U", "u_syn"), ("D", "depression_time"), ("N", "n_rrp_vesicles")):
        np.testing.assert_allclose(found[name], expected[column])
    inhibits = (expected["edge_type_id"] == 1).to_numpy()
    assert ((found["template"] == "GabaABRelease") == inhibits).all() and inhibits.any()
    rates = np.where(inhibits, 0.012, np.array([0.1, 0.2, 0.3])[expected["target_node_id"]])
    np.testing.assert_allclose(found["mini_rate"], rates)
    np.testing.assert_allclose(table(paths, minis=0.5)["mini_rate"], 0.5 * rates)


def test_gains_scale_conductances_and_0_leaves_edges_out(paths):
    half = {"source": None, "target": None, "factor": 0.5}
    whole = table(paths)
    np.testing.assert_allclose(table(paths, gains=[half])["conductance"], whole["conductance"] / 2)
    assert len(table(paths, gains=[half | {"factor": 0.0}])) == 0


def test_unit_of_the_file_counts(paths):
    whole = table(paths)["conductance"].to_numpy()
    model.write_synapses(paths, unit="uS")
    np.testing.assert_allclose(table(paths)["conductance"], 1e3 * whole)
    model.write_synapses(paths, unit="S")
    with pytest.raises(CircuitError, match="conductance is in 'S'.*expected nS or uS"):
        table(paths)


@pytest.mark.parametrize(
    "column, value, said",
    [
        ("u_syn", 1.5, "u_syn gives 1.5; expected from 0 to 1"),
        ("n_rrp_vesicles", 0, "n_rrp_vesicles gives 0; expected an integer from 1"),
        ("nsyns", 3, "nsyns gives 3; expected one synapse per edge"),
        ("decay_time", 0.1, "decay_time gives 0.1; expected ms, above the rise time"),
        ("depression_time", np.inf, "depression_time gives inf; expected ms, not negative"),
        ("facilitation_time", -1, "facilitation_time gives -1; expected ms, not negative"),
        ("conductance", np.nan, "conductance gives nan; expected not negative"),
        ("u_hill_coefficient", -2, "u_hill_coefficient gives -2; expected mM, not negative"),
        ("conductance_scale_factor", -1, "conductance_scale_factor gives -1; expected not negative"),
    ],
)  # fmt: skip
def test_impossible_numbers_are_named_with_their_edge(paths, column, value, said):
    model.write_synapses(paths, {column: value})
    with pytest.raises(CircuitError) as caught:
        table(paths)
    assert f"edge 0: {said}" in str(caught.value)


def test_all_problems_come_at_once_and_foreign_parameters_are_refused(paths):
    model.write_synapses(paths, {"u_syn": 2, "decay_time": 0})
    with pytest.raises(CircuitError) as caught:
        table(paths)
    assert len(caught.value.problems) == 2
    (paths.synapses / "slow.json").write_text(json.dumps({"mg": 1.0, "e_gabaa": "high"}))
    with pytest.raises(CircuitError) as caught:
        table(paths)
    assert "unknown 'mg'" in str(caught.value) and "e_gabaa is 'high'" in str(caught.value)


def test_templates_are_not_mixed(paths):
    file = paths.edge_types(model.INNER)
    file.write_text(file.read_text().replace("1 GabaABRelease", "1 exp2syn"))
    with pytest.raises(CircuitError, match="AmpaNmdaRelease and exp2syn in one population"):
        is_known(paths, model.INNER)


def test_contacts_on_missing_sections_and_point_cells_are_named():
    cell = SimpleNamespace(node_id=7, hobj=SimpleNamespace(soma=["s"], all=["s", "d"]))
    assert locate(cell, 1, 0.3) == ("d", 0.3)
    with pytest.raises(CircuitError, match="section 2 of node 7, which has 2"):
        locate(cell, 2, 0.3)
    with pytest.raises(CircuitError, match="node 7, a point cell"):
        locate(SimpleNamespace(node_id=7, hobj=object()), 0, 0.5)
