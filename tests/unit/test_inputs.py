"""Somatic currents: values over time, and noise that belongs to the cell."""

import numpy as np
import pytest

from pipeline.config.simulation import (
    ConstantCurrent,
    NoiseCurrent,
    Simulation,
    StepCurrent,
    ThresholdCurrent,
    VolleyInput,
)
from pipeline.errors import CircuitError, ConfigError
from pipeline.runtime import rng_for
from pipeline.simulation.inputs import current_at, threshold_currents, volley
from pipeline.simulation.plan import join_spikes
from pipeline.simulation.targets import Targets
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.reports import read_spikes, write_spikes
from pipeline.sonata.write import write_nodes


def test_a_step_holds_from_each_time_on():
    steps = StepCurrent(kind="step", nodes="x", times=[1, 2], amplitudes=[0.5, -1])
    values = current_at(steps, np.array([0, 0.9, 1.0, 1.9, 2.0, 9.0]), 2, [])
    assert values.T.tolist() == [[0, 0, 0.5, 0.5, -1, -1]] * 2


def test_a_constant_has_start_and_stop():
    law = ConstantCurrent(kind="constant", nodes="x", amplitude="20 pA", start=1, stop=3)
    assert current_at(law, np.arange(5.0), 1, []).ravel() == pytest.approx([0, 0.02, 0.02, 0, 0])


def test_noise_has_its_moments_and_blocks_continue_it():
    law = NoiseCurrent(kind="noise", nodes="x", mean="30 pA", sd="1 pA")
    whole = current_at(law, np.arange(4000.0), 3, [rng_for(1, "i", k) for k in range(3)])
    streams = [rng_for(1, "i", k) for k in range(3)]
    parts = [current_at(law, np.arange(n, n + 1000.0), 3, streams) for n in range(0, 4000, 1000)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert whole.mean() == pytest.approx(0.03, abs=5 * 0.001 / np.sqrt(12000))
    assert whole.std() == pytest.approx(0.001, rel=0.03)
    assert abs(np.corrcoef(whole.T)[0, 1]) < 0.06


def test_steps_must_pair_and_rise():
    with pytest.raises(ValueError, match="2 times for 1"):
        StepCurrent(kind="step", nodes="x", times=[1, 2], amplitudes=[1])
    with pytest.raises(ValueError, match="must rise"):
        StepCurrent(kind="step", nodes="x", times=[2, 1], amplitudes=[1, 1])


def _threshold(folder, **more):
    """Currents of cells 0, 2 and 3 of four; the last has none."""
    paths = CircuitPaths(folder)
    currents = {
        "threshold_current": np.array([0.1, 0.2, 0.4, np.nan]),
        "holding_current": np.array([-0.01, 0.0, -0.02, np.nan]),
    }
    write_nodes(paths.nodes("c"), "c", {"x": np.zeros(4)}, np.zeros(4, int), dynamics=currents)
    law = ThresholdCurrent(kind="threshold", nodes="c", percent=50, **more)
    run = Simulation(duration="100 ms", dt="0.1 ms")
    return threshold_currents(law, paths, Targets("c", np.array([0, 2, 3])), run)


def test_percent_of_each_cells_threshold(tmp_path):
    values, dt = _threshold(tmp_path, unknown="none")
    assert dt == 100.0
    assert values == pytest.approx(np.array([[0.04, 0.18, 0.0]]))
    values, dt = _threshold(tmp_path, unknown="none", start=20, stop=50)
    assert dt == pytest.approx(10.0)
    times = np.arange(len(values)) * dt
    on = (times >= 20) & (times < 50)
    naive = on[:, None] * 0.5 * np.array([0.1, 0.4, 0]) + np.array([-0.01, -0.02, 0])
    np.testing.assert_allclose(values, naive)
    values, _ = _threshold(tmp_path, unknown="none", holding=False)
    assert values == pytest.approx(np.array([[0.05, 0.2, 0.0]]))
    with pytest.raises(CircuitError, match="1 of 3 cells have no threshold"):
        _threshold(tmp_path)


def test_fewer_fibres_are_some_of_more():
    def spikes(fibres: int, **more):
        law = VolleyInput(kind="volley", nodes="v", times=[50, 150], fibres=fibres, **more)
        return volley(law, np.arange(10, 110), 1, "th", 160.0)

    nodes, times = spikes(40)
    assert len(nodes) == 80 and set(nodes[:40]) == set(nodes[40:])
    assert abs(times[:40] - 50).max() <= 3.0 and times[:40].std() == pytest.approx(1.0, rel=0.4)
    some, at = spikes(10)
    whole = dict(zip(nodes[:40].tolist(), times[:40].tolist(), strict=True))
    assert [whole[node] for node in some[:10].tolist()] == at[:10].tolist()
    assert set(spikes(40, jitter=0)[1]) == {50.0, 150.0}
    with pytest.raises(ConfigError, match="200 fibres, but 100 nodes"):
        spikes(200)


def test_spikes_of_several_inputs_of_a_population_are_joined(tmp_path):
    """Engines take one source of spikes per population; a second input must not replace the first."""
    for key, nodes, times in (("a", [0, 2], [3.0, 1.0]), ("b", [1], [2.0]), ("c", [5], [9.0])):
        population = "other" if key == "c" else "outside"
        write_spikes(tmp_path / f"{key}.h5", population, np.array(nodes), np.array(times))
    entry = {"input_type": "spikes", "module": "h5", "node_set": "outside"}
    inputs = {
        "a": entry | {"input_file": "a.h5"},
        "now": {"input_type": "current_clamp", "input_file": "now.h5"},
        "b": entry | {"input_file": "b.h5"},
        "c": entry | {"input_file": "c.h5", "node_set": "other"},
    }
    found = join_spikes(inputs, tmp_path)
    assert set(found) == {"now", "c", "a_and_b"} and found["c"] == inputs["c"]
    nodes, times = read_spikes(tmp_path / found["a_and_b"]["input_file"], "outside")
    assert sorted(zip(times, nodes, strict=True)) == [(1.0, 2), (2.0, 1), (3.0, 0)]
    alone = {key: inputs[key] for key in ("a", "c")}
    assert join_spikes(alone, tmp_path) == alone
