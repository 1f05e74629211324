"""The premotor model: cubic, integration, fit with recovery, recordings, states."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import ConfigError
from pipeline.premotor.fit import average_weights, fit_weights
from pipeline.premotor.model import Weights, build_wiring, cubic, simulate
from pipeline.premotor.recordings import Recording, complete, draw_signals, read_recording, twin
from pipeline.premotor.stage import read_pairs
from pipeline.premotor.states import dwell_times, reversal_state

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT.parent / "shared/data/worm/premotor/white1986_processed_df5.csv"
CORE = "AVBL AVBR RIBL RIBR RID AVDL AVDR AVAL AVAR RIML RIMR AVEL AVER AIBL AIBR".split()


def small():
    """Three core neurons, four signals, one gap junction."""
    pairs = [("a", "b", "chemical", 2), ("b", "c", "chemical", 1), ("c", "a", "chemical", 1)]
    pairs += [(f"s{i}", "abc"[i % 3], "chemical", 1) for i in range(4)]
    pairs += [("a", "b", "electrical", 3), ("b", "a", "electrical", 3)]
    table = pd.DataFrame(pairs, columns=["pre", "post", "kind", "count"])
    return build_wiring(table, ["a", "b", "c"])


def test_zeros_and_stability_of_the_cubic():
    assert np.allclose(cubic(np.array([-0.8, 0.1, 1.0]), -2.0), 0)
    slope = (cubic(np.array([-0.8, 0.1, 1.0]) + 1e-6, -2.0)) / 1e-6
    assert np.array_equal(slope < 0, [True, False, True])


def test_integration_equals_small_euler_steps():
    wiring = small()
    rng = np.random.default_rng(0)
    weights = Weights(
        rng.normal(0, 0.3, wiring.synapses.shape) * wiring.synapses, rng.normal(size=3) * 0.1
    )
    times = np.arange(0, 6, 0.5)
    signals = rng.normal(size=(12, 4))
    start = np.array([-0.5, 0.4, 0.9])
    ours = simulate(wiring, weights, times, signals, start, gap=0.2)
    x, h = start.copy(), 1e-4
    for step in range(round(times[-1] / h)):
        t = step * h
        others = np.concatenate([x, [np.interp(t, times, signal) for signal in signals.T]])
        gaps = [sum(wiring.gaps[i, j] * (others[j] - x[i]) for j in range(7)) for i in range(3)]
        slope = -2 * (x + 0.8) * (x - 0.1) * (x - 1) + weights.offsets + 0.2 * np.array(gaps)
        x = x + h * (slope + weights.synapses @ np.maximum(0, others))
    np.testing.assert_allclose(ours[-1], x, atol=2e-3)


def test_fit_finds_the_weights_of_a_recording_again():
    wiring = small()
    rng = np.random.default_rng(1)
    truth = Weights(
        rng.normal(0, 0.1, wiring.synapses.shape) * wiring.synapses, rng.normal(size=3) * 0.03
    )
    options = {"rate": 0.1, "gap": 0.02}
    times = np.arange(0, 400, 0.3)
    signals = draw_signals(1, 0, times, wiring.signals, 5.0)
    core = simulate(wiring, truth, times, signals, np.array([-0.8, 0.5, 1.0]), **options)
    traces = np.hstack([core, signals])
    fitted, explained = fit_weights(wiring, times, traces, **options)
    np.testing.assert_allclose(fitted.synapses, truth.synapses, atol=0.01)
    np.testing.assert_allclose(fitted.offsets, truth.offsets, atol=0.01)
    assert explained.min() > 0.98
    shuffled = traces.copy()
    shuffled[:, 3:] = np.roll(signals, 500, axis=0)
    assert fit_weights(wiring, times, shuffled, **options)[1].min() < 0.9


def test_cells_that_are_not_recorded_have_no_weights():
    wiring = small()
    times = np.arange(0, 60, 0.5)
    traces = np.hstack([np.zeros((120, 3)), draw_signals(1, 0, times, wiring.signals, 5.0)])
    traces[:, 1] = np.nan
    fitted, _ = fit_weights(wiring, times, traces)
    assert np.isnan(fitted.offsets[1]) and np.isnan(fitted.synapses[2, 1])
    full, _ = fit_weights(wiring, times, np.nan_to_num(traces))
    mean = average_weights([fitted, full])
    assert mean.offsets[1] == full.offsets[1]


def test_signals_depend_on_their_keys_only():
    times = np.arange(0, 30, 0.6)
    one, two = draw_signals(1, 0, times, ("x", "y"), 4.0), draw_signals(1, 0, times, ("x",), 4.0)
    assert np.array_equal(one[:, :1], two)
    assert not np.array_equal(one[:, 0], draw_signals(1, 1, times, ("x",), 4.0)[:, 0])


def recording_file(folder, **changes):
    data = {
        "timestamp_confocal": [0.0, 0.6, 1.2],
        "trace_array": [[1, 2, 3], [4, 5, 6], [7, 8, 9], [0, 0, 1]],
        "labeled": {"1": {"label": "AVAL"}, "3": {"label": "RIBR"}, "4": {"label": "AV?"}},
    }
    path = folder / "2023-01-23-15.json"
    path.write_text(json.dumps(data | changes))
    return path


def test_public_recordings_are_read_by_label_from_one(tmp_path):
    recording = read_recording(recording_file(tmp_path))
    assert recording.name == "2023-01-23-15"
    assert {k: list(v) for k, v in recording.traces.items()} == {
        "AVAL": [1, 2, 3],
        "RIBR": [7, 8, 9],
    }
    turned = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9], [0, 0, 1]]).T.tolist()
    assert read_recording(recording_file(tmp_path, trace_array=turned)).traces["AVAL"][1] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trace_array": [[1, 2]]}, "one side must be the number of times"),
        ({"labeled": {"9": {"label": "AVAL"}}}, "label of trace 9"),
        ({"trace_array": [["x"]]}, "cannot be read"),
    ],
)
def test_wrong_recordings_are_refused(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        read_recording(recording_file(tmp_path, **changes))


def test_missing_cells_take_twins_and_stand_ins():
    t = np.arange(5.0)
    first = Recording("a", t, {"AVAL": t, "AVAR": t + 1, "AVBL": -t, "RIML": t**2})
    second = Recording("b", t, {"AVAL": 2 * t})
    names = ["AVAL", "AVAR", "RID", "AIBR", "ASHL"]
    a, b = complete([first, second], names, 0.7)
    assert np.array_equal(b[:, 1], 2 * t)  # the twin, alike in the other recording
    assert np.array_equal(a[:, 2], -t)  # RID from AVB
    assert np.array_equal(a[:, 3], t**2)  # AIB from RIM
    assert np.isnan(a[:, 4]).all() and np.isnan(b[:, 2:]).all()
    assert twin("URYDL") == "URYDR" and twin("RID") == "RID"


def test_states_and_dwells():
    traces = np.array([[0.9, -0.8]] * 3 + [[-0.8, 0.9]] * 4 + [[0.9, -0.8]] * 10 + [[0, 1]] * 2)
    state = reversal_state(traces, [0], [1])
    assert state.sum() == 6
    dwells = dwell_times(state, np.arange(19.0), 3.0)
    assert list(dwells[True]) == [4] and list(dwells[False]) == [10]
    assert not dwell_times(state, np.arange(19.0), 11.0)[False].size
    assert not dwell_times(np.zeros(4, bool), np.arange(4.0), 0)[True].size


def test_own_table_and_the_published_rows(tmp_path):
    own = build_wiring(read_pairs(ROOT / "models/premotor/tables/white1986.csv"), CORE)
    assert len(own.signals) == 193 and own.synapses.sum() == 430
    if not PUBLISHED.is_file():
        pytest.skip("shared/data/worm/premotor is not here")
    table = read_pairs(PUBLISHED)
    assert (table["kind"] == "chemical").sum() == 1694
    published = build_wiring(table, CORE)
    assert len(published.signals) == 139
    assert published.synapses.sum() <= own.synapses.sum()


def test_a_wrong_kind_is_told_with_its_line(tmp_path):
    (tmp_path / "t.csv").write_text("pre,post,kind,count\na,b,chemical,1\na,b,magic,1\n")
    with pytest.raises(ConfigError, match="t.csv:3"):
        read_pairs(tmp_path / "t.csv")
