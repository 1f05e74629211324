"""Targets from recordings: against a naive reference, the published numbers, and unusable input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cli import main
from pipeline.config.load import load_model
from pipeline.config.recordings import Extraction
from pipeline.errors import ConfigError, PipelineError
from pipeline.recordings.sweeps import Sweep, read_sweeps, read_wave
from pipeline.recordings.targets import target_table, threshold_currents

pytest.importorskip("efel", reason="eFEL comes with the extra 'optimise'")
# eFEL names its successor of a feature that the published tables still use.
pytestmark = pytest.mark.filterwarnings("ignore:Use spike_count:DeprecationWarning")
RECORDED = Path(__file__).parents[3] / "shared/data/blue-brain/recordings"
CELL = "C060109A1-SR-C1"
DT = 0.1


def config(**changes) -> Extraction:
    step = {
        "delay": "100 ms",
        "duration": "200 ms",
        "amplitudes": [150],
        "features": ["Spikecount"],
    }
    data = {
        "folder": "waves", "sweeps": "sweeps.csv", "source": "made here",
        "threshold_current": {"a": "0.2 nA", "b": "0.1 nA"}, "protocols": {"Step": step},
    }  # fmt: skip
    return Extraction.model_validate(data | changes)


def sweep(cell: str, amplitude: float, spikes: int, base: float = -80.0) -> Sweep:
    """Triangles of 60 mV, 10 ms apart, on a flat voltage."""
    time = np.arange(4000) * DT
    voltage = np.full(len(time), base)
    for index in range(spikes):
        voltage += 100 * np.clip(1 - np.abs(time - 120 - 10 * index), 0, 1)
    return Sweep(cell, "Step", time, voltage, 100.0, 300.0, -0.05, amplitude, "row")


def test_a_table_holds_what_the_sweeps_show():
    sweeps = [sweep("a", 0.3, 4), sweep("a", 0.31, 6), sweep("a", 0.5, 9), sweep("b", 0.15, 8)]
    table = target_table(sweeps, config(), "here")
    assert table["protocol"].tolist() == ["Step_150", "HoldingSearch", "ThresholdSearch"]
    # Cell a has (4 + 6) / 2 = 5 spikes, cell b 8; the sweep of 0.5 nA lies in no bin.
    assert table["mean"][0] == 6.5 and table["sd"][0] == 1.5
    assert table["mean"][1:].tolist() == pytest.approx([-0.05, 0.15])
    assert table["source"][0] == "made here; 3 sweeps of 2 cells"


@settings(max_examples=15, deadline=None)
@given(
    cells=st.lists(st.sampled_from("ab"), min_size=1, max_size=8),
    data=st.data(),
    tolerance=st.floats(1, 30),
)
def test_bins_and_means_equal_a_plain_loop(cells, data, tolerance):
    chosen = config(tolerance=tolerance)
    percent = data.draw(st.lists(st.integers(120, 180), min_size=len(cells), max_size=len(cells)))
    base = data.draw(st.lists(st.integers(-90, -60), min_size=len(cells), max_size=len(cells)))
    step = chosen.protocols["Step"].model_copy(update={"features": ["voltage_base"]})
    chosen = chosen.model_copy(update={"protocols": {"Step": step}})
    limit = chosen.threshold_current
    sweeps = [
        sweep(c, limit[c] * p / 100, 0, b) for c, p, b in zip(cells, percent, base, strict=True)
    ]
    inside = [
        (s.cell, float(s.voltage[0]))
        for s in sweeps
        if abs(100 * s.amplitude / limit[s.cell] - 150) <= tolerance
    ]
    if not inside:
        with pytest.raises(ConfigError, match="no sweep within"):
            target_table(sweeps, chosen, "here")
        return
    table = target_table(sweeps, chosen, "here")
    per_cell = {}
    for cell, value in inside:
        per_cell.setdefault(cell, []).append(value)
    one = list(per_cell.values())[0]
    samples = one if len(per_cell) == 1 else [sum(v) / len(v) for v in per_cell.values()]
    mean = sum(samples) / len(samples)
    sd = (sum((value - mean) ** 2 for value in samples) / len(samples)) ** 0.5
    assert table["mean"][0] == pytest.approx(mean)
    assert table["sd"][0] == pytest.approx(max(sd, 1e-3))


def test_a_threshold_is_the_smallest_step_with_a_spike():
    chosen = config(threshold_current={}, threshold_protocols=["Step"])
    sweeps = [sweep("c", 0.1, 0), sweep("c", 0.3, 5), sweep("c", 0.2, 1)]
    assert threshold_currents(sweeps, chosen, "here") == {"c": 0.2}
    with pytest.raises(ConfigError, match="cell d has no threshold current"):
        threshold_currents([sweep("d", 0.1, 0)], chosen, "here")


def write_model(folder: Path, **changes) -> Path:
    """A model that extracts from two CSV waves."""
    (folder / "waves").mkdir()
    time = np.arange(4000) * DT
    for index, spikes in enumerate((3, 5)):
        current = np.where((time >= 100) & (time < 300), 0.25 + 0.01 * index, -0.05)
        made = {"i": current, "v": sweep("a", 0, spikes, -66.0).voltage}
        for kind, values in made.items():
            frame = pd.DataFrame({"time": time, "value": values})
            frame.to_csv(folder / f"waves/{kind}{index}.csv", index=False)
    rows = [f"a,Step,i{i}.csv,v{i}.csv" for i in range(2)]
    (folder / "sweeps.csv").write_text("\n".join(["cell,protocol,current,voltage", *rows]) + "\n")
    made = config(junction_potential="14 mV", table="out.csv", **changes)
    entry = made.model_dump(mode="json", exclude_none=True)
    cells = {"kind": "placed", "types": {"E": {"count": 1}}, "model_type": "virtual"}
    model = {"schema": 1, "name": "m", "nodes": {"n": cells}, "extract": {"made": entry}}
    (folder / "model.yaml").write_text(json.dumps(model))
    return folder / "model.yaml"


def test_the_verb_writes_the_table_and_the_models_own(tmp_path, capsys):
    path = write_model(tmp_path)
    command = ["extract", str(path), "--out", str(tmp_path / "circuits")]
    assert main([*command, "--save"]) == 0, capsys.readouterr().err
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["mean"].tolist() == pytest.approx([4.0, -0.05, 0.2])
    assert (tmp_path / "circuits/m/default/targets/made.csv").read_text() == (
        tmp_path / "out.csv"
    ).read_text()
    assert main([*command, "--name", "mad"]) == 2
    assert "made" in capsys.readouterr().err


def test_the_junction_potential_is_taken_off(tmp_path):
    resolved = load_model(str(write_model(tmp_path)))
    found = read_sweeps(tmp_path / "sweeps.csv", tmp_path / "waves", resolved.model.extract["made"])
    assert [s.voltage[0] for s in found] == [-80.0, -80.0]
    assert [s.amplitude for s in found] == pytest.approx([0.3, 0.31])
    assert [s.holding for s in found] == pytest.approx([-0.05, -0.05])


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda f: (f / "waves/v0.csv").unlink(), "no file"),
        (lambda f: (f / "waves/v0.csv").write_text("time,value\n0,1\n1,2\n5,3\n"), "uneven"),
        (lambda f: (f / "waves/v0.csv").write_text("t,value\n0,1\n"), "no column 'time'"),
        (lambda f: (f / "waves/v0.csv").write_text("time,value\n0,1\n0.1,2\n0.2,3\n"), "samples"),
        (lambda f: (f / "sweeps.csv").write_text("cell,protocol,current\n"), "no column 'voltage'"),
        (lambda f: (f / "sweeps.csv").write_text("cell,protocol,current,voltage\n"), "no sweep of"),
    ],
)
def test_unusable_recordings_are_refused_with_their_place(tmp_path, change, said):
    resolved = load_model(str(write_model(tmp_path)))
    change(tmp_path)
    entry = resolved.model.extract["made"]
    with pytest.raises(PipelineError, match=said):
        read_sweeps(tmp_path / "sweeps.csv", tmp_path / "waves", entry)


def test_an_unknown_feature_is_named_with_its_nearest():
    step = config().protocols["Step"].model_copy(update={"features": ["AP_amplitud"]})
    chosen = config().model_copy(update={"protocols": {"Step": step}})
    with pytest.raises(ConfigError, match="AP_amplitud.*AP_amplitude"):
        target_table([sweep("a", 0.3, 1)], chosen, "here")


def test_damaged_igor_files_are_refused(tmp_path):
    pytest.importorskip("igor2", reason="igor2 comes with the extra 'optimise'")
    (tmp_path / "x.ibw").write_bytes(b"\x05\x00broken")
    with pytest.raises(ConfigError, match="x.ibw"):
        read_wave(tmp_path / "x.ibw", "voltage", "row 2")


CHANGED = {"AP_duration_half_width", "AP_duration", "spike_half_width", "burst_number"}
"""Features that eFEL computes differently since the published extraction."""
ABSENT = {"spikerate_tau_jj", "spikerate_drop", "spikerate_tau_log", "spikerate_tau_slope"}
"""Features of BluePyEfe 1 itself; eFEL never had them."""


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings of the data folder are not here")
def test_recorded_sweeps_give_the_published_features(tmp_path):
    """Bins of which all sweeps are in the data folder: both repetitions of 160, 240 and 250 %."""
    pytest.importorskip("igor2", reason="igor2 comes with the extra 'optimise'")
    published = json.loads((RECORDED / f"{CELL}-ground-truth.json").read_text())
    bins = (160, 240, 250)
    wanted = {x["feature"]: x["n"] for x in published["Step_160"]["soma.v"]}
    rows = [
        f"{CELL},IDrest,X_IDrest_ch0_{i}.ibw,X_IDrest_ch1_{i}.ibw"
        for i in (329, 333, 337, 341, 374, 378, 382, 386)
    ]
    table = tmp_path / "sweeps.csv"
    table.write_text("\n".join(["cell,protocol,current,voltage", *rows]) + "\n")
    step = {
        "delay": "700 ms", "duration": "2000 ms", "amplitudes": list(bins), "name": "Step",
        "features": sorted(set(wanted) - ABSENT),
    }  # fmt: skip
    chosen = config(
        junction_potential="14 mV", spike_threshold="-30 mV", protocols={"IDrest": step},
        threshold_current={CELL: "0.180531 nA"},  # found by the published extraction
    )  # fmt: skip
    found = target_table(read_sweeps(table, RECORDED / CELL, chosen), chosen, "here")
    found = found.set_index(["protocol", "feature"])
    compared = 0
    for amplitude in bins:
        for entry in published[f"Step_{amplitude}"]["soma.v"]:
            name = entry["feature"]
            if name in CHANGED | ABSENT:
                continue
            ours = found.loc[(f"Step_{amplitude}", name)]
            # Published with four decimals.
            assert [ours["mean"], ours["sd"]] == pytest.approx(entry["val"], abs=6e-5), name
            compared += 1
    assert compared == 3 * 33
    assert found.loc[("HoldingSearch", "holding_current"), "mean"] == pytest.approx(
        -0.02407, abs=1e-4
    )
