"""Figures over starts and touches, on tracks whose answer is known."""

import numpy as np
import pytest

from pipeline.analysis.behaviour import figures
from pipeline.analysis.starts import forward_speed, starts_table
from pipeline.body.record import Record, Starts, read_record, write_record
from pipeline.config.behaviour import Behaviour

TIME = np.arange(0, 10001, 20.0)
CIRCUIT = {"kind": "circuit", "readout": {"kind": "linear", "table": "t.csv"}}
CONFIG = Behaviour.model_validate(
    {
        "duration": "10 s", "drive": CIRCUIT, "starts": {"count": 3, "control": True},
        "environment": {
            "sources": {"food": {"kind": "linear_cone", "place": [-1000, 0]}},
            "touches": {"head": {"start": 5000, "duration": 500, "place": 0, "current": 0.1}},
        },
    }
)  # fmt: skip


def record(speeds=(100.0, 190.0, -50.0)):
    """Straight tracks along -x, um/s; the worm turns back at 5 s in the controls."""
    way = np.array(speeds)[:, None] * TIME / 1000
    back = np.minimum(way, 2 * way[:, [250]] - way)
    x = -np.concatenate([way, back])
    head = np.stack([x, 0 * x], 2).astype(np.float32)
    line = head[0][:, None] + np.linspace(0, 1000, 49)[:, None] * [1, 0]
    starts = Starts(
        np.tile([180.0, -60.0, 60.0], 2), np.arange(6) < 3, head, head + np.float32([500, 0]),
        np.full(6, 0.5), np.full(6, 0.7), np.tile(np.abs(speeds), 2),
    )  # fmt: skip
    wave = np.sin(np.linspace(0, 6, 48) - TIME[:, None] / 300) / 1000
    return Record(
        TIME, line, 0 * line, 0 * line, wave, np.zeros((len(TIME), 2, 48)), x[0],
        np.zeros((len(TIME), 0)), starts=starts,
    )  # fmt: skip


def test_chemotaxis_is_counted_over_starts():
    found = {name: value for name, value, _ in figures(CONFIG, record())}
    assert found["starts"] == found["control_starts"] == 3
    assert found["food.index"] == pytest.approx(1 / 3)
    assert -1 < found["food.index_low"] < 1 / 3 < found["food.index_high"] < 1
    # 1 mm at 100 um/s in 10 s; 190 um/s goes 0.9 mm past; -50 um/s away.
    assert found["food.mean_approach"] == pytest.approx((1 + 0.1 - 0.5) / 3, abs=1e-3)
    assert found["food.arrived"] == pytest.approx(2 / 3)
    assert found["food.median_time"] == pytest.approx((8.0 + 4.22) / 2, abs=0.05)
    assert found["mean_speed"] == pytest.approx(340 / 3 / 1000)
    assert found["mean_frequency_low"] == found["mean_frequency_high"] == 0.5
    table = starts_table(CONFIG, record())
    assert list(table["control"]) == [False] * 3 + [True] * 3
    assert table["food_nearest_mm"][1] == pytest.approx(0, abs=3e-3)


def test_a_touch_is_answered_by_a_change_of_speed_along_the_body():
    found = {name: value for name, value, _ in figures(CONFIG, record((100.0, 100.0, 100.0)))}
    assert found["head.before"] == pytest.approx(0.1)
    assert found["head.after"] == pytest.approx(0.0, abs=1e-6)  # three go on, three turn back
    one = record((100.0, 100.0, 100.0)).starts
    before = forward_speed(one.head, one.centre, TIME, 3000, 5000)
    after = forward_speed(one.head, one.centre, TIME, 5000, 7000)
    np.testing.assert_allclose(before, 100, rtol=1e-4)
    np.testing.assert_allclose(after, [100] * 3 + [-100] * 3, rtol=1e-4)


def test_starts_are_written_and_read(tmp_path):
    write_record(tmp_path / "r.h5", record())
    again = read_record(tmp_path / "r.h5").starts
    for name, value in vars(record().starts).items():
        np.testing.assert_array_equal(getattr(again, name), value)


def test_starts_need_nerves():
    with pytest.raises(ValueError, match="starts need a circuit"):
        Behaviour.model_validate({"duration": "1 s", "starts": {"count": 2}})
