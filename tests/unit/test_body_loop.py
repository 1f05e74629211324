"""The closed loop with nerves made of Python: order, clock, readouts, senses."""

import numpy as np
import pandas as pd
import pytest

from pipeline.body.build import PlacedSoft, build_body
from pipeline.body.environment import Surroundings
from pipeline.body.interface import MUSCLES
from pipeline.body.loop import Disturbance, Felt, Loop, TaughtLoop
from pipeline.body.readout import (
    JunctionReadout,
    LinearReadout,
    junction_shares,
    linear_weights,
    proprioception_shares,
)
from pipeline.body.record import read_record, write_record
from pipeline.config.behaviour import Behaviour
from pipeline.errors import ConfigError

CIRCUIT = {"kind": "circuit", "readout": {"kind": "linear", "table": "t.csv"}}


def behaviour(**changes):
    return Behaviour.model_validate({"duration": "1 s", "drive": CIRCUIT} | changes)


class Nerves:
    """Voltage of cell k is k + the current times 1000; remembers what it was asked."""

    names = ["A", "B", "C"]

    def __init__(self):
        self.asked = []

    def exchange(self, current, until):
        self.asked.append((until, current.copy()))
        return np.arange(3) + 1000 * current


def loop(config, kind=Loop, **felt):
    felt = {"tonic": np.zeros(3), "sensors": {}, "touched": {"B": 1}} | felt
    weights = np.zeros((96, 3))
    weights[:24, 1] = 1e-3
    return kind(
        build_body(config), Nerves(), LinearReadout(weights, np.full(96, 0.1)),
        Surroundings(config.environment), Felt(**felt), config.drive.window,
    )  # fmt: skip


def test_neurons_and_body_share_one_clock():
    config = behaviour(interval="40 ms")
    run = loop(config)
    voltage = run.warm_up(100.0)
    record = run.run(1000.0, 40.0, voltage)
    untils = [until for until, _ in run.nerves.asked]
    np.testing.assert_allclose(untils, 20.0 * np.arange(1, 56))
    np.testing.assert_allclose(record.time, 40.0 * np.arange(26))
    assert run.body.time == pytest.approx(1000.0)
    assert run.warm + run.now == untils[-1]


def test_muscles_follow_the_neurons_of_their_window():
    run = loop(behaviour(), tonic=np.array([0.0, 0.2, 0.0]))
    voltage = run.turn()
    assert voltage[1] == 201
    np.testing.assert_allclose(run.drive[:24], 0.1 + 0.201)
    np.testing.assert_allclose(run.drive[24:], 0.1)


def test_touch_smell_and_stretch_become_currents():
    config = behaviour(
        environment={
            "sources": {"food": {"kind": "linear_cone", "place": [-500, 0]}},
            "sensing": {"smell": {"set": "s"}},
            "touches": {
                "poke": {"start": 40, "duration": 20, "place": 0, "neurons": ["B"], "current": 0.5}
            },
        }
    )
    shares = np.zeros((3, 96))
    shares[2, 24:48] = 1 / 24
    run = loop(config, sensors={"smell": np.array([0])}, proprioception=shares * 2.0)
    stretch = []
    for _ in range(5):
        stretch.append(run.body.stretch()[24:48].mean())
        run.turn()
    currents = np.array([current for _, current in run.nerves.asked])
    np.testing.assert_array_equal(currents[:, 1], [0, 0, 0.5, 0, 0])
    assert currents[0, 0] == -0.08 and (currents[1:, 0] != 0).all()
    np.testing.assert_allclose(currents[:, 2], 2 * np.array(stretch), rtol=1e-9, atol=1e-15)
    assert np.abs(currents[1:, 2]).min() > 1e-6


def test_muscle_drive_may_be_what_is_felt():
    run = loop(behaviour(), proprioception=np.eye(3, 96), signal="activation")
    run.turn()
    run.turn()
    assert run.nerves.asked[0][1][0] == 0
    assert run.nerves.asked[1][1][0] == pytest.approx(0.1 + 1e-3)


def test_a_taught_loop_takes_notes():
    run = loop(behaviour(), kind=TaughtLoop)
    run.run(1000.0, 20.0, np.zeros(3))
    assert np.shape(run.currents) == np.shape(run.voltages) == (50, 3)
    assert np.shape(run.drives) == (50, 96)


def test_a_disturbed_lesson_keeps_what_the_teacher_wanted():
    run = loop(behaviour(), kind=TaughtLoop)
    run.disturbance = Disturbance(0.02, 200.0, np.random.default_rng(0))
    moved = np.array([(run.turn(), run.drive)[1] for _ in range(500)])
    pushed = moved - np.array(run.drives)
    assert np.ptp(run.drives, 0).max() < 1e-9  # the readout of this test is constant
    np.testing.assert_allclose(pushed[:, :24], pushed[:, 48:72], atol=1e-12)  # left and right alike
    sides = pushed[:, [0, 4, 24]]
    np.testing.assert_allclose(sides.std(0), 0.02, rtol=0.4)
    assert np.ptp(pushed[:, 0:4], 1).max() < 1e-9
    after = np.corrcoef(sides[:-10, 0], sides[10:, 0])[0, 1]
    assert after == pytest.approx(np.exp(-1), abs=0.2)


def test_the_record_keeps_the_voltages(tmp_path):
    record = loop(behaviour()).run(1000.0, 20.0, np.full(3, -65.0))
    write_record(tmp_path / "r.h5", record)
    again = read_record(tmp_path / "r.h5")
    assert again.neurons == ("A", "B", "C")
    np.testing.assert_array_equal(again.voltage, record.voltage)
    assert again.voltage.shape == (51, 3) and (again.voltage[0] == -65).all()


def test_a_soft_body_takes_the_place_of_a_rod():
    body = {"kind": "soft"}
    config = behaviour(body=body, environment={"medium": 0}, head=[100, 50], heading=90)
    soft = build_body(config)
    assert isinstance(soft, PlacedSoft)
    line = soft.state().positions
    np.testing.assert_allclose(line[0], [100, 50], atol=1e-9)
    np.testing.assert_allclose(line[-1], [100, -950], atol=5)
    drive = np.zeros(96)
    drive[:24] = drive[48:72] = 0.2
    soft.advance(drive, 200.0)
    rod = build_body(config.model_copy(update={"body": behaviour().body}))
    rod.advance(drive, 200.0)
    assert len(soft.curvature()) == 48
    for body in (soft, rod):  # dorsal muscles bend both to the same side
        assert body.curvature()[10:-10].mean() * rod.curvature()[10:-10].mean() > 0


def test_release_pulls_and_inhibition_holds():
    table = pd.DataFrame(
        [("A", "DR01", "3", "1"), ("B", "DR01", "1", "-1"), ("X", "VL23", "9", "1")],
        columns=["neuron", "muscle", "count", "sign"],
    )
    shares = junction_shares(table, ["A", "B"], "t.csv")
    readout = JunctionReadout(shares, gain=2.0, bias=0.1)
    assert readout.drive(np.array([-20.0, -200.0]))[0] == pytest.approx(0.1 + 2 * 0.75 * 0.5)
    assert readout.drive(np.array([-200.0, 50.0]))[0] == 0
    assert readout.drive(np.array([50.0, 50.0]))[1] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("A", "DR25", "1", "1"), "no muscle 'DR25'"),
        (("A", "DR01", "0", "1"), "count '0'"),
        (("A", "DR01", "1", "2"), "sign '2'"),
        (("Z", "DR01", "1", "1"), "no junction is of a cell"),
    ],
)
def test_bad_junctions_are_told(row, message):
    table = pd.DataFrame([row], columns=["neuron", "muscle", "count", "sign"])
    with pytest.raises(ConfigError, match=message):
        junction_shares(table, ["A"], "t.csv")


def test_a_linear_readout_holds_for_its_cells():
    table = pd.DataFrame(
        [["A"] + ["0.01"] * 96, ["offset"] + ["0.5"] * 96], columns=["neuron", *MUSCLES]
    )
    readout = LinearReadout(*linear_weights(table, ["B", "A"], "t.csv"))
    np.testing.assert_allclose(readout.drive(np.array([9.0, -30.0])), 0.2)
    assert (readout.drive(np.array([0.0, 90.0])) == 1).all()
    capped = pd.concat([table, pd.DataFrame([["ceiling"] + ["0.7"] * 96], columns=table.columns)])
    readout = LinearReadout(*linear_weights(capped, ["B", "A"], "t.csv"))
    assert (readout.drive(np.array([0.0, 90.0])) == 0.7).all()
    with pytest.raises(ConfigError, match="no cell 'A'"):
        linear_weights(table, ["B"], "t.csv")
    table.loc[0, "VL24"] = "much"
    with pytest.raises(ConfigError, match="t.csv:2: VL24 is 'much'"):
        linear_weights(table, ["A"], "t.csv")


def test_proprioception_is_the_mean_of_the_listed_muscles():
    table = pd.DataFrame(
        [("DR01", "A"), ("VL24", "A"), ("DR02", "Z")], columns=["muscle", "neuron"]
    )
    shares = proprioception_shares(table, ["A", "B"], "t.csv")
    assert shares[0, 0] == shares[0, 95] == 0.5 and shares.sum() == 1
    with pytest.raises(ConfigError, match="no column 'neuron'"):
        proprioception_shares(table[["muscle"]], ["A"], "t.csv")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"interval": "30 ms"}, "no multiple of window"),
        ({"drive": CIRCUIT | {"dt": "3 ms"}}, "no multiple of dt"),
        ({"body": {"kind": "soft"}}, "knows water only"),
        (
            {"body": {"kind": "soft"}, "environment": {"medium": 0}, "drive": {"kind": "stretch"}},
            "drives a rod only",
        ),
    ],
)
def test_bad_loops_are_told(changes, message):
    with pytest.raises(ValueError, match=message):
        behaviour(**changes)
