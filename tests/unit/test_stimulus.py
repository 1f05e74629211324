"""Stimuli without BMTK: spikes from rates, movies, the filter table, units and the table of trials."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from pipeline.config.filters import read_filters, require_filters
from pipeline.config.load import load_model
from pipeline.config.stimuli import Field2D, Movie
from pipeline.errors import ConfigError
from pipeline.sonata.layout import CircuitPaths
from pipeline.stimulus.check import check_stimulus
from pipeline.stimulus.movies import check_movie, conditions, frame_blocks, frame_index
from pipeline.stimulus.spikes import poisson_spikes
from pipeline.stimulus.stage import expected_cost, trials_table
from pipeline.stimulus.streams import stream_key, uniforms, unit_stream
from pipeline.stimulus.units import connected_units, read_units, unit_numbers

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "models/v1/tables/lgn_filters.csv"
KEY = stream_key(1, "spikes", "test", "direction_0")
RATE = 20 * (1 + np.sin(np.arange(2000) / 80)) * (np.arange(2000) >= 300)


def movie(**keys):
    return TypeAdapter(Movie).validate_python(keys)


def shown(path=None, **keys):
    return conditions(movie(**keys), Field2D(width=20, height=10), path)[0]


def frames(condition):
    """The movie as FilterNet would take it: [bins, rows, columns]."""
    return np.concatenate(list(frame_blocks(condition)))[frame_index(condition)]


def trains(units, trial=0, rate=RATE, key=KEY):
    return [poisson_spikes(rate, 1.0, key, unit, trial) for unit in units]


# ---- spikes ----


def naive_spikes(rate, bin_ms, key, unit, trial):
    """Bin by bin: the sum of exponentials is followed through the rate."""
    stream = unit_stream(key, unit, trial)
    draws = iter(-np.log(uniforms(stream, 10_000)))
    left, times = next(draws), []
    for index, value in enumerate(rate):
        area, used = value * bin_ms / 1000, 0.0
        while area - used > left:
            used += left
            times.append((index + used / area) * bin_ms)
            left = next(draws)
        left -= area - used
    return np.array(times)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(0, 400), min_size=1, max_size=60), st.integers(0, 2**40), st.integers(0, 50)
)
def test_inversion_equals_a_walk_through_the_bins(rates, unit, trial):
    found = poisson_spikes(np.array(rates), 1.0, KEY, unit, trial)
    assert found == pytest.approx(naive_spikes(rates, 1.0, KEY, unit, trial), abs=1e-6)
    assert np.all(np.diff(found) >= 0)
    bins = np.minimum(found.astype(int), len(rates) - 1)
    assert np.all(np.array(rates)[bins] > 0)


def test_counts_are_poisson_with_the_integral_of_the_rate():
    counts = np.array([len(times) for times in trains(range(3000))])
    mean = RATE.sum() / 1000
    assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / len(counts)))
    fano = counts.var(ddof=1) / counts.mean()
    assert fano == pytest.approx(1, abs=4 * np.sqrt(2 / len(counts)))
    edges = np.arange(int(mean - 10), int(mean + 11))
    seen = np.array([np.sum(counts <= edges[0]), *[np.sum(counts == e) for e in edges[1:]]])
    law = np.diff([0, *stats.poisson.cdf(edges, mean)])
    seen, law = np.append(seen, len(counts) - seen.sum()), np.append(law, 1 - law.sum())
    assert stats.chisquare(seen, law * len(counts)).pvalue > 1e-3


def test_times_follow_the_rate():
    times = np.concatenate(trains(range(400)))
    integral = np.concatenate([[0], np.cumsum(RATE)]) / RATE.sum()
    cdf = lambda t: np.interp(t, np.arange(len(integral)), integral)  # noqa: E731
    assert stats.kstest(times, cdf).pvalue > 1e-3
    assert not np.any(times < 300)


def test_spikes_belong_to_unit_trial_and_condition_alone():
    first = trains([7])[0]
    assert np.array_equal(trains([3, 7, 11])[1], first)
    others = [trains([8])[0], trains([7], trial=1)[0]]
    others += trains([7], key=stream_key(1, "spikes", "test", "direction_45"))
    others += trains([7], key=stream_key(2, "spikes", "test", "direction_0"))
    assert not any(np.array_equal(first, other) for other in others)


def test_trains_of_neighbours_are_uncorrelated():
    counts = np.array([[len(t) for t in trains(range(200), trial)] for trial in range(40)])
    r = np.corrcoef(counts.T)[np.triu_indices(200, 1)]
    assert abs(r.mean()) < 4 / np.sqrt(len(r) * 40)


def test_no_rate_gives_no_spikes():
    assert len(poisson_spikes(np.zeros(10), 1.0, KEY, 1, 0)) == 0


# ---- movies ----


def test_each_bin_shows_the_frame_on_the_screen(tmp_path):
    data = np.linspace(-1, 1, 4 * 2 * 3, dtype=np.float32).reshape(4, 2, 3)
    np.save(tmp_path / "m.npy", data)
    keys = {"kind": "file", "file": "m.npy", "frame_rate": 100, "grey": 5, "duration": 45}
    found = frames(shown(tmp_path / "m.npy", **keys))
    assert found.shape == (45, 2, 3)
    assert not found[:5].any()
    for bin_ in range(40):
        assert np.array_equal(found[5 + bin_], data[bin_ // 10][::-1])  # first row on top
    upright = frames(shown(tmp_path / "m.npy", **keys, first_row="bottom"))
    assert np.array_equal(upright[5], data[0])


def test_bytes_become_contrast(tmp_path):
    np.save(tmp_path / "m.npy", np.array([0, 255], np.uint8).repeat(4).reshape(2, 2, 2))
    keys = {"kind": "file", "file": "m.npy", "frame_rate": 500, "duration": 4}
    assert frames(shown(tmp_path / "m.npy", **keys))[:, 0, 0].tolist() == [-1, -1, 1, 1]


def test_flash_and_grey():
    found = frames(shown(kind="flash", grey=3, lasts=2, duration=8, intensity=-0.5))
    assert found[:, 4, 4].tolist() == [0, 0, 0, -0.5, -0.5, 0, 0, 0]
    assert not frames(shown(kind="grey", duration=4)).any()


@pytest.mark.parametrize(
    "array, expected",
    [
        (np.zeros((3, 4)), r"has shape \[3, 4\]; expected \[frames, rows, columns\]"),
        (np.zeros((5, 4, 4), np.int32), "holds int32; expected floats or uint8"),
        (np.full((5, 4, 4), np.nan), "frame 0 holds values that are no contrast"),
        (np.full((5, 4, 4), 3.0), "frame 0 holds values that are no contrast"),
        (np.zeros((2, 4, 4)), "has 2 frames; duration and frame_rate ask for 5"),
        (np.array([{}]), "not a NumPy file"),
    ],
)
def test_wrong_movie_files(tmp_path, array, expected):
    np.save(tmp_path / "m.npy", array)
    keys = {"kind": "file", "file": "m.npy", "frame_rate": 100, "duration": 50}
    with pytest.raises(ConfigError, match=expected):
        check_movie(shown(tmp_path / "m.npy", **keys))


@pytest.mark.parametrize(
    "keys, expected",
    [
        ({"kind": "grey", "duration": 2.5}, r"duration \(2.5 ms\) is no multiple of 1 ms"),
        ({"kind": "grey", "duration": 5, "grey": 6}, "longer than duration"),
        ({"kind": "flash", "duration": 5, "grey": 2, "lasts": 4}, "longer than duration"),
        ({"kind": "grating", "duration": 5, "directions": [0, 0.0]}, "a direction stands twice"),
        ({"kind": "grating", "duration": 5, "directions": [0], "contrast": 2}, "between 0 and 1"),
    ],
)
def test_wrong_movies(keys, expected):
    with pytest.raises(ValidationError, match=expected):
        movie(**keys)


def test_trials_lie_end_to_end():
    both = conditions(
        movie(kind="grating", directions=[0, 45], grey=10, duration=50), Field2D(), None
    )
    rows = list(csv.DictReader(trials_table(both, 2).splitlines()))
    assert [(r["trial"], r["condition"]) for r in rows] == [
        ("0", "direction_0"), ("0", "direction_45"), ("1", "direction_0"), ("1", "direction_45")
    ]  # fmt: skip
    assert [float(r["start"]) for r in rows] == [0, 50, 100, 150]
    assert [float(r["picture_start"]) for r in rows] == [10, 60, 110, 160]
    assert rows[1]["direction"] == "45.0" and rows[1]["contrast"] == "0.8"


# ---- filters and units ----


def test_the_table_of_v1_covers_its_units():
    filters = read_filters(TABLE)
    with open(ROOT / "models/v1/tables/lgn_units.csv", newline="", encoding="utf-8") as handle:
        types = [row["name"] for row in csv.DictReader(handle)]
    require_filters(TABLE, filters, types, "lgn")
    assert [name for name, f in filters.items() if f.second] == ["sONsOFF", "sONtOFF"]
    with pytest.raises(ConfigError, match="no row for unit types tON_TF8 of 'lgn'"):
        require_filters(TABLE, filters, ["tON_TF8", "sON_TF1"], "lgn")


@pytest.mark.parametrize(
    "old, new, expected",
    [
        ("weight_1", "weigth_1", "unknown column 'weigth_1'.*weight_1"),
        ("sON_TF1,ON", "sON_TF1,UP", ":2: model is 'UP'"),
        ("56.525575763,", "x,", ":2: kpeak_1 is 'x'"),
        ("56.525575763,", "156.5,", ":2: kpeak_1 and kpeak_2 must rise"),
        ("0,15,5.2,", "0,15,-5.2,", ":2: spontaneous is -5.2 Hz"),
        ("sON_TF2,ON", "sON_TF1,ON", ":3: 'sON_TF1' stands twice"),
        (",sON_TF4,6,", ",sON_TF5,6,", ":14: second names no row: 'sON_TF5'"),
        ("0,15,,sON_TF4,6,", "0,15,4,sON_TF4,6,", ":14: a dual type has its own spontaneous"),
    ],
)
def test_wrong_tables_name_the_line(tmp_path, old, new, expected):
    text = TABLE.read_text()
    assert text.count(old) == 1
    path = tmp_path / "filters.csv"
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=expected):
        read_filters(path)


def test_jitter_belongs_to_the_unit_and_keeps_its_bounds():
    filters = read_filters(TABLE)
    row = {"pop_name": "sONsOFF", "x": 1, "y": 2, "spatial_size": 6, "tuning_angle": 30}
    key = stream_key(1, "jitter", "lgn")
    units = [unit_numbers(row, filters, 0.025, key, unit) for unit in range(500)]
    assert unit_numbers(row, filters, 0.025, key, 42) == units[42]
    own, second = filters["sONsOFF"], filters["sON_TF4"]
    for name, pair in {"kpeaks": own.kpeaks, "weights_non_dom": second.weights}.items():
        ratio = np.array([unit[name] for unit in units]) / pair
        assert np.all(np.abs(ratio - 1) <= 0.025) and np.abs(ratio - 1).max() > 0.024
        assert abs(np.corrcoef(ratio.T)[0, 1]) < 0.2
        assert stats.kstest(ratio[:, 0], "uniform", (0.975, 0.05)).pvalue > 1e-3
    plain = unit_numbers(row, filters, 0.0, key, 42)
    assert plain["kpeaks"] == list(own.kpeaks) and plain["sf_sep"] == 6


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Nodes and thalamic edges of V1 tiny."""
    from pipeline.edges.build import run_edges
    from pipeline.nodes.build import run_nodes

    paths = CircuitPaths(tmp_path_factory.mktemp("tiny"))
    resolved = load_model(str(ROOT / "models/v1"), "tiny")
    run_nodes(resolved, paths)
    run_edges(resolved, "lgn", paths)
    return resolved, paths


def test_connected_units_are_the_sources_of_edges(tiny):
    from pipeline.sonata.read import read_edges

    resolved, paths = tiny
    name = "lgn__v1__chemical"
    edges = read_edges(paths.edges(name), name, [])
    expected = np.unique(edges["source_node_id"])
    assert np.array_equal(connected_units(resolved, "lgn", paths), expected)
    ids, units = read_units(resolved, "gratings", paths)
    assert np.array_equal(ids, expected) and len(units) == len(ids)


def test_the_stimuli_of_v1_are_sound_and_planned(tiny):
    resolved, _ = tiny
    check_stimulus(resolved, "gratings", ["sON_TF1"])
    stimulus = resolved.model.stimuli["gratings"]
    few, many = expected_cost(stimulus, 100), expected_cost(stimulus, 10_000)
    assert all(few[key] < many[key] for key in few)


def test_too_much_jitter_is_refused(tiny):
    resolved, _ = tiny
    stimulus = resolved.model.stimuli["gratings"].model_copy(update={"jitter": 0.5})
    model = resolved.model.model_copy(update={"stimuli": {"gratings": stimulus}})
    with pytest.raises(ConfigError, match="jitter 0.5 can change the order of the bumps"):
        check_stimulus(type(resolved)(**{**vars(resolved), "model": model}), "gratings", [])
