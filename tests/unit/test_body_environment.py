"""Environment: fields against formulas and the heat equation, sensing, touches, config errors."""

import numpy as np
import pytest

from pipeline.body.environment import Sensor, Surroundings, source_concentration
from pipeline.body.record import read_record, write_record
from pipeline.body.stage import simulate
from pipeline.config.behaviour import (
    Behaviour,
    Diffusing,
    Environment,
    Gaussian,
    LinearCone,
    Sensing,
)
from pipeline.config.load import load_model
from pipeline.errors import CircuitError, ConfigError


def test_a_cone_is_minus_the_distance_as_published():
    cone = LinearCone(kind="linear_cone", place=[0, 0])
    assert source_concentration(cone, np.array([300.0, 400.0]), 0) == -500


def test_a_gaussian_falls_to_exp_minus_half_at_its_width():
    hill = Gaussian(kind="gaussian", peak=2, width="1 mm", place=[5, 0])
    assert source_concentration(hill, np.array([5.0, 1000.0]), 7) == pytest.approx(2 * np.exp(-0.5))


def test_a_drop_solves_the_diffusion_equation_and_keeps_its_mass():
    drop = Diffusing(kind="diffusing", diffusivity="700 um2/s", age="10 s")
    axis = np.linspace(-600, 600, 241)
    grid = np.stack(np.meshgrid(axis, axis), -1)
    step, h = axis[1] - axis[0], 1.0
    at = source_concentration(drop, grid, 5000.0)
    later, before = (source_concentration(drop, grid, 5000.0 + d) for d in (h, -h))
    rate = (later - before)[1:-1, 1:-1] / (2 * h)
    laplace = at[2:, 1:-1] + at[:-2, 1:-1] + at[1:-1, 2:] + at[1:-1, :-2] - 4 * at[1:-1, 1:-1]
    np.testing.assert_allclose(rate, 0.7 * laplace / step**2, atol=2e-3 * np.abs(rate).max())
    assert at.sum() == pytest.approx(source_concentration(drop, grid, 0.0).sum(), rel=1e-3)


def test_sources_add_up_and_can_be_chosen():
    world = Surroundings(
        Environment.model_validate(
            {
                "sources": {
                    "a": {"kind": "linear_cone", "place": [0, 0]},
                    "b": {"kind": "gaussian", "width": 10, "peak": 3},
                }
            }
        )
    )
    assert world.concentration(np.zeros(2), 0) == 3
    assert world.concentration(np.array([4.0, 3.0]), 0, ["a"]) == -5


def test_sensing_is_the_published_rule():
    """By hand: x = 100 (dc - min) / (max - min) - 80 pA over the last 11 changes, cut to -80..20."""
    values = np.cumsum([0.0, 1, 2, -1, 3, 0.5, 0.5, 2, 2, 2, 2, 2, 9, 1.5, 1])
    sensor = Sensor(Sensing())
    changes = []
    for index, value in enumerate(values):
        change = value - values[index - 1] if index else 0.0
        expected = -0.08
        last = changes[-11:]
        if last and max(last) > min(last):
            x = 100 * (change - min(last)) / (max(last) - min(last)) - 80
            expected = min(max(x / 1000, -0.08), 0.02)
        assert sensor.feel(value) == pytest.approx(expected, abs=1e-12)
        changes.append(change)


def test_touches_reach_their_neurons_while_they_last():
    touch = {"start": "1 s", "duration": "100 ms", "place": 0.1, "neurons": ["ALML", "AVM"]}
    two = {"a": touch | {"current": "10 pA"}, "b": touch | {"current": "5 pA", "neurons": ["AVM"]}}
    world = Surroundings(Environment.model_validate({"touches": two}))
    assert world.touch_currents(999.9) == {}
    assert world.touch_currents(1000.0) == {"ALML": 0.01, "AVM": pytest.approx(0.015)}
    assert world.touch_currents(1100.0) == {}


@pytest.mark.parametrize(("place", "cells"), [(0.2, "ALML ALMR AVM"), (0.9, "PLML PLMR")])
def test_a_touch_is_felt_by_the_receptors_of_its_half(place, cells):
    touch = {"start": 0, "duration": 1, "place": place, "current": 0.02}
    world = Surroundings(Environment.model_validate({"touches": {"a": touch}}))
    assert world.touch_currents(0) == dict.fromkeys(cells.split(), 0.02)


def test_a_record_survives_the_disk_byte_for_byte(tmp_path):
    config = Behaviour.model_validate({"duration": "400 ms", "interval": "50 ms"})
    record = simulate(config)
    assert record.positions.shape == (9, 49, 2)
    for name in ("a.h5", "b.h5"):
        write_record(tmp_path / name, simulate(config))
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    np.testing.assert_array_equal(read_record(tmp_path / "a.h5").curvature, record.curvature)
    (tmp_path / "a.h5").write_bytes(b"no")
    with pytest.raises(CircuitError, match="behave"):
        read_record(tmp_path / "a.h5")


def test_all_wrong_values_are_told_with_their_lines(tmp_path):
    text = (
        "schema: 1\nname: x\nbehaviours:\n  a:\n    duration: 10 s\n    environment:\n"
        "      medium: 1.5\n      sources:\n        s: {kind: gaussian, width: 0 um}\n"
    )
    (tmp_path / "model.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_model(str(tmp_path / "model.yaml"))
    told = "\n".join(str(problem) for problem in caught.value.problems)
    assert "model.yaml:7" in told and "between 0 and 1" in told
    assert "model.yaml:9" in told and "above 0" in told


def test_a_sensor_of_an_unknown_source_is_refused():
    with pytest.raises(ValueError, match="no source 'b'"):
        Environment.model_validate({"sensing": {"nose": {"sources": ["b"]}}})
