"""Rates beside plain FilterNet, and the stage with its cache, workers and blocks."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import stats

from pipeline.cli import main
from pipeline.config.filters import DUAL, read_filters
from pipeline.config.stimuli import Field2D, Flash, Grating, Grey, Looming, MovieFile
from pipeline.sonata.reports import read_spikes
from pipeline.stimulus import blocks as blocks_module
from pipeline.stimulus.movies import conditions, frame_blocks, frame_index
from pipeline.stimulus.rates import FilterBank, build_cell, bump
from pipeline.stimulus.streams import stream_key
from pipeline.stimulus.units import unit_numbers

ROOT = Path(__file__).resolve().parents[2]
FILTERS = read_filters(ROOT / "models/v1/tables/lgn_filters.csv")
FIELD = Field2D(width=60, height=40)
DATA = ROOT.parent / "shared/data/billeh-v1/biorealistic/lgn_fitted_models.json"


def units(field=FIELD, names=tuple(FILTERS), margin=0.0):
    """One unit of every type, anywhere in the field."""
    rng = np.random.default_rng(5)
    key = stream_key(1, "jitter", "lgn")
    rows = [
        {"pop_name": name, "x": rng.uniform(margin, field.width - margin),
         "y": rng.uniform(margin, field.height - margin), "spatial_size": rng.uniform(2, 10),
         "tuning_angle": rng.uniform(0, 360)}
        for name in names
    ]  # fmt: skip
    return [unit_numbers(row, FILTERS, 0.025, key, i) for i, row in enumerate(rows)]


def plain_cell(unit):
    """The cell as FilterNet builds it, with nothing of ours."""
    from bmtk.simulator.filternet.default_setters.cell_loaders import default_cell_loader

    class Node(dict):
        predefined_jitter, non_dom_params = False, None

        def __getattr__(self, name):
            return self[name]

    model = unit["model"]
    template = model if model in DUAL else f"s{model}_TF4"
    return default_cell_loader(Node(unit), ("lgnmodel", template), None)


def plain_rates(unit, movie, bins):
    return np.array(plain_cell(unit).evaluate(movie, downsample=1, separable=True)[1])[:bins]


def bmtk_grating(field, grating, direction):
    from bmtk.simulator.filternet.lgnmodel.movie import GratingMovie

    return GratingMovie(field.height, field.width, y_dir="up").create_movie(
        t_max=grating.duration / 1000, gray_screen_dur=grating.grey / 1000,
        cpd=grating.spatial_frequency, temporal_f=grating.temporal_frequency, theta=direction,
        contrast=grating.contrast, degrees_per_pixel=1.0, phase=grating.phase,
    )  # fmt: skip


@pytest.mark.parametrize(
    "direction, frequency, grey", [(0.0, 2.0, 200.0), (135.0, 2.0, 0.0), (250.0, 7.0, 100.0)]
)
def test_gratings_equal_plain_filternet(direction, frequency, grey):
    grating = Grating(
        kind="grating", directions=[direction], temporal_frequency=frequency, grey=grey,
        duration=1100, phase=30,
    )  # fmt: skip
    (condition,) = conditions(grating, FIELD, None)
    sample = units()
    found = FilterBank(sample, condition).rates(condition)
    movie = bmtk_grating(FIELD, grating, direction)
    for unit, rates in zip(sample, found, strict=True):
        assert rates == pytest.approx(plain_rates(unit, movie, 1100), abs=1e-6)
    assert np.ptp(found[:, 400:], axis=1).min() > 0.1


def test_other_movies_equal_plain_filternet(tmp_path):
    from bmtk.simulator.filternet.lgnmodel import movie as bmtk

    rng = np.random.default_rng(1)
    np.save(tmp_path / "noise.npy", rng.uniform(-1, 1, (20, 30, 50)).astype(np.float32))
    looming = Looming(kind="looming", grey=50, duration=1000)
    flash = Flash(kind="flash", grey=100, lasts=200, duration=500, intensity=-0.7)
    film = MovieFile(kind="file", file="noise.npy", frame_rate=40, duration=500, first_row="bottom")
    rows, columns = np.arange(40), np.arange(60)
    held = np.load(tmp_path / "noise.npy").repeat(25, axis=0)
    axes = {"row_range": np.linspace(0, 40, 30), "col_range": np.linspace(0, 60, 50)}
    grown = bmtk.LoomingMovie(40, 60, y_dir="up").create_movie(0.95, 0.05)
    assert grown.data.shape == (1000, len(rows), len(columns))
    lit = bmtk.FullFieldFlashMovie(
        np.linspace(0, 40, 40), np.linspace(0, 60, 60), 0.1, 0.3, -0.7, 1000.0
    ).full(t_max=0.5)
    pairs = [
        (looming, grown), (flash, lit), (film, bmtk.Movie(held, frame_rate=1000.0, **axes))
    ]  # fmt: skip
    sample = units(names=("sON_TF8", "sOFF_TF1", "sONtOFF"))
    for config, movie in pairs:
        (condition,) = conditions(config, FIELD, tmp_path / "noise.npy" if config is film else None)
        found = FilterBank(sample, condition).rates(condition)
        for unit, rates in zip(sample, found, strict=True):
            assert rates == pytest.approx(plain_rates(unit, movie, len(rates)), abs=1e-6)


def test_frames_of_a_grating_repeat_after_its_period():
    long = Grating(kind="grating", directions=[30], grey=20, duration=1020, temporal_frequency=4)
    (condition,) = conditions(long, FIELD, None)
    assert frame_index(condition).max() == 250
    frames = np.concatenate(list(frame_blocks(condition)))[frame_index(condition)]
    expected = bmtk_grating(FIELD, long, 30).data[:1020]
    assert np.abs(frames - expected).max() < 1e-11


@pytest.mark.parametrize("x, y", [(12.0, 30.0), (45.3, 8.8), (30.5, 20.0)])
def test_a_unit_answers_where_it_stands(tmp_path, x, y):
    """A bright dot in a picture whose first row is the top: the response is largest at (x, y)."""
    size, step = (41, 61), 1  # one pixel per degree, both ends of 40 x 60 degrees included
    unit = {"pop_name": "sON_TF8", "x": x, "y": y, "spatial_size": 6.0}
    numbers = unit_numbers(unit, FILTERS, 0.0, stream_key(1, "j"), 0)
    strength = np.zeros(size)
    for row in range(max(0, round(y) - 3), round(y) + 4, step):
        for column in range(round(x) - 3, round(x) + 4, step):
            picture = np.zeros((1, *size), np.float32)
            picture[0, size[0] - 1 - row, column] = 1
            np.save(tmp_path / "dot.npy", picture)
            film = MovieFile(kind="file", file="dot.npy", frame_rate=5, duration=200)
            (condition,) = conditions(film, FIELD, tmp_path / "dot.npy")
            rates = FilterBank([numbers], condition).rates(condition)[0]
            strength[row, column] = rates.max() - FILTERS["sON_TF8"].spontaneous
    rows, columns = np.indices(size)
    assert np.sum(columns * strength) / strength.sum() == pytest.approx(x, abs=0.25)
    assert np.sum(rows * strength) / strength.sum() == pytest.approx(y, abs=0.25)
    # The spread is that of a Gaussian of a third of the size, seen within three pixels.
    assert strength[round(y), round(x)] == strength.max()


def test_sigma_is_a_third_of_the_size():
    (condition,) = conditions(Grey(kind="grey", duration=10), FIELD, None)
    for unit in units(names=("sON_TF1",) * 5, margin=15.0):
        bank = FilterBank([unit], condition)
        weights = bank._spatial.toarray()[0].reshape(40, 60)
        columns = np.linspace(0, 60, 60)
        mean = np.sum(weights * columns) / weights.sum()
        spread = np.sqrt(np.sum(weights * (columns - mean) ** 2) / weights.sum())
        # Pixels of a degree, interpolated once, widen a narrow Gaussian.
        assert spread == pytest.approx(unit["spatial_size"] / 3, abs=0.25)


def test_a_drift_reaches_units_in_its_direction():
    """Seen by two ON units 5 degrees apart along the drift, the grating comes 0.1 s later."""
    for direction, (dx, dy) in {0: (5, 0), 90: (0, 5), 180: (-5, 0)}.items():
        rows = [(30.0, 20.0), (30.0 + dx, 20.0 + dy)]
        pair = [
            unit_numbers({"pop_name": "sON_TF8", "x": x, "y": y, "spatial_size": 4.0}, FILTERS,
                         0.0, stream_key(1, "j"), 0)
            for x, y in rows
        ]  # fmt: skip
        grating = Grating(kind="grating", directions=[direction], duration=2000)
        (condition,) = conditions(grating, FIELD, None)
        first, second = FilterBank(pair, condition).rates(condition)[:, 1000:]
        lags = np.arange(-240, 240)
        match = [np.dot(first[250:750], second[250 + lag : 750 + lag]) for lag in lags]
        assert lags[np.argmax(match)] == pytest.approx(100, abs=5)  # 5 deg * 0.04 / 2 Hz


def test_grey_gives_the_spontaneous_rates():
    (condition,) = conditions(Grey(kind="grey", duration=20), FIELD, None)
    found = FilterBank(units(), condition).rates(condition)
    dual = {"sONsOFF": 4.0, "sONtOFF": 5.5}  # billeh-v1: f0 of the dual types
    expected = [dual.get(name, f.spontaneous) for name, f in FILTERS.items()]
    assert found == pytest.approx(np.repeat(np.array(expected)[:, None], 20, axis=1))


def test_spontaneous_rates_are_those_of_the_recorded_cells():
    from bmtk.simulator.filternet.lgnmodel.cellmetrics import get_data_metrics_for_each_subclass

    for name, unit in FILTERS.items():
        if unit.model not in DUAL:
            subclass, frequency = name.split("_")
            metrics = get_data_metrics_for_each_subclass(subclass)[frequency]
            assert unit.spontaneous == pytest.approx(metrics["spont_exp"][0], abs=1e-8)


@pytest.mark.skipif(not DATA.is_file(), reason="the published fits are not beside us")
def test_numbers_are_the_published_fits():
    import json

    fits = json.loads(DATA.read_text())
    own = {"sONsOFF": "sOFF_TF4", "sONtOFF": "tOFF_TF8"}
    for name, unit in FILTERS.items():
        (fit,) = [v for key, v in fits.items() if key.startswith(own.get(name, name) + "_")]
        assert unit.weights == pytest.approx(fit["opt_wts"], abs=1e-8)
        assert unit.kpeaks == pytest.approx(fit["opt_kpeaks"], abs=1e-8)
        assert unit.delays == pytest.approx(fit["opt_delays"])


def test_the_lent_bump_is_bmtks_own():
    from bmtk.simulator.filternet.lgnmodel import fitfuns

    times, centre = np.log(np.arange(800) + 0.3), np.full(800, np.log(20.0))
    own = fitfuns.ff
    assert bump(times, centre, 0.69) == pytest.approx(own(times, centre, 0.69), abs=1e-15)
    build_cell(units()[0])
    assert fitfuns.ff is own


# ---- the stage ----

MODEL = """schema: 1
name: eye
seed: 3
nodes:
  lgn:
    kind: placed
    model_type: virtual
    table: units.csv
    labels: [subclass]
    regions:
      field: {shape: tiles, count: per_tile, columns: 3, rows: 2, width: 60, height: 40}
    properties:
      spatial_size: {law: uniform, low: 2, high: 6}
      tuning_angle: {law: uniform, low: 0, high: 360}
  v1:
    kind: placed
    model_type: point_neuron
    types: {e: {count: 4}}
stimuli:
  bars:
    kind: filternet
    nodes: lgn
    filters: lgn_filters.csv
    units: all
    field: {width: 60, height: 40}
    movie: {kind: grating, directions: [0, 90], grey: 100 ms, duration: 400 ms}
    trials: 3
    rates: full
"""
UNITS = "name,subclass,per_tile\nsON_TF8,sON,3\ntOFF_TF4,tOFF,2\nsONsOFF,sONsOFF,2\n"


@pytest.fixture
def eye(tmp_path):
    folder = tmp_path / "eye"
    folder.mkdir()
    (folder / "model.yaml").write_text(MODEL)
    (folder / "units.csv").write_text(UNITS)
    shutil.copy(ROOT / "models/v1/tables/lgn_filters.csv", folder)
    return folder


def run(folder, out, *more, cache=None):
    """Runs nodes and stimulus; returns the folder of the stimulus."""
    model, where = str(folder / "model.yaml"), ["--out", str(out)]
    assert main(["nodes", model, *where]) == 0
    assert main(["stimulus", model, *where, "--cache", str(cache or out / "cache"), *more]) == 0
    return out / "eye/default/stimuli/bars"


def test_same_bytes_for_any_workers_blocks_and_cache(eye, tmp_path, monkeypatch):
    names = ("spikes.h5", "rates.h5", "trials.csv")
    first = run(eye, tmp_path / "a", "--workers", "1")
    monkeypatch.setattr(blocks_module, "BLOCK", 8)
    second = run(eye, tmp_path / "b", "--workers", "2")
    files = sorted((tmp_path / "b/cache").glob("*.npy"))
    assert len(files) == 12  # 42 units in blocks of 8, two conditions
    files[0].write_bytes(files[0].read_bytes()[:200])  # a damaged entry is computed anew
    files[1].unlink()
    third = run(eye, tmp_path / "c", "--workers", "1", cache=tmp_path / "b/cache")
    for name in names:
        bytes_ = (first / name).read_bytes()
        assert (second / name).read_bytes() == bytes_ and (third / name).read_bytes() == bytes_


def test_spikes_follow_the_written_rates(eye, tmp_path):
    text = (eye / "model.yaml").read_text()
    (eye / "model.yaml").write_text(text.replace("trials: 3", "trials: 150"))
    folder = run(eye, tmp_path)
    ids, times = read_spikes(folder / "spikes.h5", "lgn")
    assert np.all(np.diff(times) >= 0) and times.max() < 150 * 2 * 400
    with h5py.File(folder / "rates.h5") as handle:
        group = handle["rates/lgn"]
        rate, nodes = group["rate"][:], group["node_ids"][:]
        assert group["conditions"].asstr()[:].tolist() == ["direction_0", "direction_90"]
        assert group["mean_rate"][:] == pytest.approx(rate.mean(axis=2).T, rel=1e-5)
        assert group["mean_rate_grey"][:] == pytest.approx(
            rate[:, :, :100].mean(axis=2).T, rel=1e-5
        )
    counts = np.zeros((len(nodes), 2))
    which = (times // 400).astype(int) % 2
    np.add.at(counts, (np.searchsorted(nodes, ids), which), 1)
    expected = rate.sum(axis=2).T / 1000 * 150
    chi2 = np.sum((counts - expected) ** 2 / expected)
    assert 1e-3 < stats.chi2.sf(chi2, counts.size) < 1 - 1e-3


def test_fewer_units_and_more_directions_change_no_other_spike(eye, tmp_path):
    both = read_spikes(run(eye, tmp_path / "a") / "spikes.h5", "lgn")
    text = (eye / "model.yaml").read_text()
    (eye / "model.yaml").write_text(
        text.replace("[0, 90]", "[0]").replace("trials: 3", "trials: 1")
    )
    one = read_spikes(run(eye, tmp_path / "b") / "spikes.h5", "lgn")
    early = both[1] < 400
    assert np.array_equal(both[0][early], one[0]) and np.array_equal(both[1][early], one[1])


@pytest.mark.parametrize(
    "file, old, new, expected",
    [
        ("lgn_filters.csv", "tOFF_TF4,", "tOFF_TF5,", "no row for unit types tOFF_TF4 of 'lgn'"),
        ("lgn_filters.csv", "kpeak_2", "peak_2", "unknown column 'peak_2'"),
        ("model.yaml", "nodes: lgn", "nodes: v1", "no virtual node population 'v1'"),
        ("model.yaml", "nodes: lgn", "nodes: lng", "no virtual node population 'lng'"),
        ("model.yaml", "filters: lgn_f", "filters: f", "no such file: 'filters.csv'"),
        ("model.yaml", "duration: 400 ms", "duration: 400.5 ms", "no multiple of 1 ms"),
        ("model.yaml", "units: all", "units: connected", "no unit of 'lgn' feeds a cell"),
        ("model.yaml", "kind: grating", "kind: gratings", "kind is 'gratings'"),
        ("model.yaml", "field: {width: 60,", "field: {width: 30,", "outside the field"),
    ],
)
def test_broken_input_gives_one_clear_error(eye, tmp_path, capsys, file, old, new, expected):
    model, out = str(eye / "model.yaml"), ["--out", str(tmp_path / "out")]
    assert main(["nodes", model, *out]) == 0
    path = eye / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    capsys.readouterr()
    assert main(["stimulus", model, *out, "--cache", str(tmp_path / "cache")]) == 2
    told = capsys.readouterr().err
    errors = [line for line in told.splitlines() if line.startswith("error: ")]
    assert expected in told and "Traceback" not in told
    assert len(errors) == (2 if "peak_2" in new else 1), told
    assert not (tmp_path / "out/eye/default/stimuli").exists()


def test_a_missing_movie_file_is_named(eye, capsys):
    path = eye / "model.yaml"
    text = path.read_text().split("    movie:")[0]
    movie = "{kind: file, file: film.npy, frame_rate: 30, duration: 100 ms}"
    path.write_text(f"{text}    movie: {movie}\n")
    assert main(["validate", str(path)]) == 2
    assert "no such file: 'film.npy'" in capsys.readouterr().err
    np.save(eye / "film.npy", np.full((9, 4, 4), np.nan))
    assert main(["validate", str(path)]) == 2
    assert "frame 0 holds values that are no contrast" in capsys.readouterr().err
