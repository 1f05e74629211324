"""Rates, tuning, similarity and rhythm: against slow references, and properties that must hold."""

import cmath
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from gratings import (
    GREY,
    RATES,
    TRIAL,
    directions,
    rates_of,
    trials_text,
    write_circuit,
    write_model,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from pipeline.analysis import spectra
from pipeline.analysis.build import run_analysis
from pipeline.analysis.response_tables import MOST_ROWS, thin_cells
from pipeline.analysis.response_targets import read_quantiles, read_units, within_quartiles
from pipeline.analysis.responses import (
    PERCENTS,
    describe,
    response_table,
    selectivity,
    similarity,
    similarity_bounds,
    tuned,
)
from pipeline.analysis.spike_counts import read_trials, spike_blocks
from pipeline.config.responses import Responses
from pipeline.errors import CircuitError, ConfigError
from pipeline.report.html import run_report
from pipeline.runtime import write_text
from pipeline.sonata.node_sets import read_set
from pipeline.sonata.reports import read_spikes, write_spikes

MODEL = Path(__file__).resolve().parents[2] / "models/v1"
FILES = MODEL.parents[2] / "shared/data/billeh-v1/validation"
needs_files = pytest.mark.skipif(
    not FILES.is_dir(), reason="the recorded units (data folder) are not beside us"
)
rate_lists = st.lists(st.floats(0, 500), min_size=8, max_size=8)
samples = st.lists(st.floats(0, 1).map(lambda x: round(x, 2)), min_size=1, max_size=60)


def slow_index(rates, harmonic):
    total = sum(rates)
    if not total:
        return math.nan
    angles = [math.radians(45 * k) for k in range(8)]
    return (
        abs(sum(r * cmath.exp(1j * harmonic * a) for r, a in zip(rates, angles, strict=True)))
        / total
    )


@given(rate_lists, st.sampled_from([1, 2]), st.integers(0, 7), st.floats(0.1, 10))
def test_selectivity_is_the_slow_one_bounded_and_blind_to_scale_and_rotation(
    rates, harmonic, turn, scale
):
    found = selectivity(np.array([rates]), directions(), harmonic)[0]
    assert found == pytest.approx(slow_index(rates, harmonic), abs=1e-9, nan_ok=True)
    if sum(rates) > 1e-6:
        assert 0 <= found <= 1
        turned = selectivity(np.array([np.roll(rates, turn)]) * scale, directions(), harmonic)[0]
        assert turned == pytest.approx(found, abs=1e-9)


def test_known_tuning():
    shown = directions()
    one = np.zeros(8)
    one[3] = 5.0
    axis = np.zeros(8)
    axis[[1, 5]] = 4.0
    table = response_table(np.zeros(4), np.array([one, axis, np.full(8, 2.0), np.zeros(8)]), shown)
    np.testing.assert_allclose(table["osi"], [1, 1, 0, np.nan], atol=1e-12)
    np.testing.assert_allclose(table["dsi"], [1, 0, 0, np.nan], atol=1e-12)
    np.testing.assert_allclose(table["preferred"], [135, 45, 0, np.nan])
    np.testing.assert_allclose(table["peak"], [5, 4, 2, 0])
    np.testing.assert_allclose(table["evoked"], [5 / 8, 1, 2, 0])


@pytest.mark.parametrize(
    ("shown", "fine"),
    [(directions(8), True), (directions(12) + 7, True), (directions(4), False), ([], False),
     ([0, 45, 90, 135, 180, 225, 270, 300], False), ([np.nan] * 8, False)],
)  # fmt: skip
def test_directions_that_allow_indices(shown, fine):
    assert tuned(np.array(shown)) is fine


@given(samples, samples)
@settings(max_examples=200)
def test_quantiles_bound_the_similarity_to_the_units_behind_them(ours, recorded):
    exact = 1 - ks_2samp(ours, recorded, method="asymp").statistic
    known = describe(np.array(recorded))
    bounds = similarity_bounds(ours, [known[f"p{p}"] for p in PERCENTS], len(recorded))
    assert bounds[0] - 1e-9 <= exact <= bounds[1] + 1e-9
    assert similarity(ours, recorded) == pytest.approx(exact)
    assert 0 <= bounds[0] <= bounds[1] <= 1


def test_bounds_of_many_quantiles_are_narrow_and_nothing_has_no_similarity():
    rng = np.random.default_rng(1)
    ours, units = rng.beta(2, 5, 900), rng.beta(2, 4, 1000)
    least, largest = similarity_bounds(ours, np.percentile(units, PERCENTS), len(units))
    assert largest - least < 0.06
    assert np.isnan(similarity_bounds([np.nan], np.zeros(21), 5)).all()
    assert math.isnan(similarity([], [1.0]))


def test_gamma_finds_a_rhythm_and_poisson_has_none():
    rng = np.random.default_rng(2)
    time = np.arange(2000)
    flat = rng.poisson(2.0, (20, 2000))
    wave = rng.poisson(2.0 * (1 + 0.8 * np.sin(2 * np.pi * 0.046 * time)), (20, 2000))
    quiet, loud = (spectra.gamma(spectra.spectrum(c, 100, 1.0)) for c in (flat, wave))
    assert quiet["over_poisson"] == pytest.approx(1.0, abs=0.1)
    assert quiet["share"] == pytest.approx(26 / 100, abs=0.05)
    assert loud["peak"] == 46.0 and loud["over_poisson"] > 5
    assert spectra.fano(flat, 1.0) == pytest.approx(1.0, abs=0.1)
    assert spectra.fano(wave, 1.0) > 2 and math.isnan(spectra.fano(0 * flat, 1.0))
    assert math.isnan(spectra.gamma(spectra.spectrum(0 * flat, 9, 1.0))["peak"])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("responses")
    resolved = write_model(root / "model")
    paths = write_circuit(root / "circuit", repeats=1)
    verdicts = run_analysis(resolved, paths)
    return resolved, paths, verdicts


def test_tables_are_the_slow_counts(made):
    _, paths, _ = made
    ids, times = read_spikes(paths.spikes("evoked"), "v1")
    table = pd.read_csv(paths.analysis("responses_cells"))
    trial, since = (times // TRIAL).astype(int), times % TRIAL
    for row in table.iloc[::7].itertuples():
        own = ids == row.node_id
        quiet = own & (since >= 100) & (since < 500)
        driven = own & (since >= 500) & (since < 2500)
        rates = [float((driven & (trial == k)).sum() / 2.0) for k in range(8)]
        assert row.spontaneous == pytest.approx(quiet.sum() / 3.2)
        assert row.evoked == pytest.approx(sum(rates) / 8)
        assert row.peak == max(rates)
        assert row.osi == pytest.approx(slow_index(rates, 2), nan_ok=True)
        assert row.preferred == 45 * int(np.argmax(rates))
        gaps = np.concatenate([np.diff(times[driven & (trial == k)]) for k in range(8)])
        assert row.isi_cv == pytest.approx(gaps.std() / gaps.mean())
    course = pd.read_csv(paths.analysis("responses_course"))
    assert len(course) == TRIAL / 5
    spikes = course["class:e2"].sum() * 60 * 0.005 * 8
    assert spikes == pytest.approx(np.isin(ids, table[table["class"] == "e2"]["node_id"]).sum())


def test_known_rates_and_tuning_come_out(made):
    _, paths, verdicts = made
    table = pd.read_csv(paths.analysis("responses"))
    ours = table[table["of"] == "ours"].set_index(["class", "quantity"])["mean"]
    for name, (quiet, _) in RATES.items():
        evoked = rates_of(name, np.array([0.0]), 0.0) if name == "i2P" else None
        assert ours[name, "spontaneous"] == pytest.approx(quiet, rel=0.15)
        if evoked is not None:
            assert ours[name, "evoked"] == pytest.approx(evoked[0], rel=0.1)
    assert ours["e2", "osi"] > 2 * ours["i2P", "osi"]
    assert ours["e2", "dsi"] < 0.2
    by_metric = verdicts.set_index("metric")["verdict"]
    assert by_metric["responses.e2.spontaneous.median"] == "pass"
    assert by_metric["responses.i9X.evoked.median"] == "not applicable"
    assert within_quartiles(verdicts) == (3, 3)
    sources = pd.read_csv(paths.analysis("sources_evoked_eye")).set_index("class")
    assert sources.loc["all", ["nodes", "active", "spikes"]].tolist() == [2, 1, 3]


def test_wrong_rates_fail_and_the_report_says_so(made, tmp_path):
    resolved, _, _ = made
    paths = write_circuit(tmp_path / "circuit", scale=4.0)
    verdicts = run_analysis(resolved, paths)
    by_metric = verdicts.set_index("metric")["verdict"]
    rates = [m for m in by_metric.index if m.endswith("median") and "i9X" not in m]
    assert len(rates) == 6 and (by_metric[rates] == "fail").all()
    page = run_report(resolved, paths).read_text(encoding="utf-8")
    tally = page[page.index('class="tally"') : page.index("<table")]
    assert f"<b>{(by_metric == 'fail').sum()}</b>fail" in tally
    for part in ("responses-raster", "responses-rates", "responses-tuning", "responses-spectra"):
        assert f'id="{part}"' in page
    assert "All 120 cells" in page and "the recorded quartiles" in page


def test_units_one_by_one_give_exact_similarities(tmp_path):
    paths = write_circuit(tmp_path / "circuit")
    rng = np.random.default_rng(9)
    head = "DSI OSI max_mean_rate(Hz) Ave_Rate(Hz) cell_type Spont_Rate(Hz)"
    osi = rng.random(50)
    rows = [f'{rng.random()} {value} 3 2 "e2" 1' for value in osi] + ['"" "" 1 1 "i2P" 2']
    write_text(tmp_path / "units.csv", "\n".join([head, *rows]) + "\n")
    resolved = write_model(tmp_path / "model", extra=f"units: {tmp_path / 'units.csv'}")
    run_analysis(resolved, paths)
    near = pd.read_csv(paths.analysis("responses_similarity")).set_index(["class", "quantity"])
    cells = pd.read_csv(paths.analysis("responses_cells"))
    ours = cells.loc[cells["class"] == "e2", "osi"].dropna()
    exact = 1 - ks_2samp(ours, osi, method="asymp").statistic
    assert near.loc[("e2", "osi"), "least"] == pytest.approx(exact, abs=1e-6)
    assert near.loc[("e2", "osi"), "largest"] == near.loc[("e2", "osi"), "least"]
    assert near.loc[("i2P", "osi")][["least", "largest"]].isna().all()
    write_text(tmp_path / "units.csv", "a b\n1 2\n")
    with pytest.raises(ConfigError, match="no column 'cell_type'"):
        run_analysis(resolved, paths)


def test_equal_spikes_give_equal_bytes_whatever_the_block(made, tmp_path, monkeypatch):
    resolved, paths, _ = made
    again = tmp_path / "again"
    shutil.copytree(paths.root, again)
    shutil.rmtree(again / "analysis")
    monkeypatch.setattr(spike_blocks, "__defaults__", (997,))
    from pipeline.sonata.layout import CircuitPaths

    run_analysis(resolved, CircuitPaths(again))
    for file in sorted((again / "analysis").glob("*.csv")):
        assert file.read_bytes() == (paths.root / "analysis" / file.name).read_bytes(), file.name


def test_few_directions_have_rates_but_no_indices(tmp_path):
    resolved = write_model(tmp_path / "model")
    paths = write_circuit(tmp_path / "circuit", count=4)
    verdicts = run_analysis(resolved, paths).set_index("metric")
    assert verdicts.loc["responses.e2.osi.similarity", "verdict"] == "not measured"
    assert "8 directions" in verdicts.loc["responses.e2.osi.similarity", "note"]
    cells = pd.read_csv(paths.analysis("responses_cells"))
    assert cells["osi"].isna().all() and (cells["evoked"] > 0).all()
    assert "responses-tuning" not in run_report(resolved, paths).read_text(encoding="utf-8")


def test_a_run_cut_short_a_radius_and_no_run(tmp_path):
    short = write_model(tmp_path / "a", duration=8900.0, extra="radius: 100 um")
    paths = write_circuit(tmp_path / "circuit")
    run_analysis(short, paths)
    metrics = pd.read_csv(paths.analysis("metrics")).set_index("metric")["value"]
    assert metrics["responses.trials"] == 3 and metrics["responses.trials_left_out"] == 5
    assert metrics["responses.cells"] == 40
    paths.spikes("evoked").unlink()
    verdicts = run_analysis(short, paths)
    assert set(verdicts["verdict"]) == {"not measured"}


CONFIG = Responses(simulation="evoked", nodes="v1")


@pytest.mark.parametrize(
    ("change", "keys", "said"),
    [
        (lambda t: t.replace("start", "begin"), {}, "no column 'start'"),
        (lambda t: t.replace(",3000.0,", ",2000.0,", 1), {}, "evoked ends at 2500 ms"),
        (lambda t: t.replace(",500.0,", ",600.0,", 1), {}, "evoked starts before the picture"),
        (lambda t: t, {"spontaneous": (100, 700)}, "spontaneous ends after the picture"),
        (lambda t: t.replace("3000.0,6000.0", "2000.0,6000.0", 1), {}, "before the trial before"),
        (lambda t: t.replace("0,direction_0,0.0", "0,direction_0,x", 1), {}, "no rising times"),
        (lambda t: t.splitlines()[0] + "\n", {}, "no trials"),
    ],
)  # fmt: skip
def test_trials_that_do_not_fit(tmp_path, change, keys, said):
    write_text(tmp_path / "trials.csv", change(trials_text()))
    config = Responses(simulation="evoked", nodes="v1", **keys)
    with pytest.raises(CircuitError, match=said) as caught:
        read_trials(tmp_path / "trials.csv", config, 24000.0)
    assert "trials.csv" in str(caught.value)


def test_missing_trials_and_short_runs(tmp_path):
    with pytest.raises(CircuitError, match="no such table of trials"):
        read_trials(tmp_path / "trials.csv", CONFIG, 24000.0)
    write_text(tmp_path / "trials.csv", trials_text())
    with pytest.raises(CircuitError, match="holds no trial"):
        read_trials(tmp_path / "trials.csv", CONFIG, GREY)


def test_unknown_nodes_sets_and_attributes(made, tmp_path):
    resolved, paths, _ = made
    with pytest.raises(CircuitError, match="no node set 'e3'"):
        read_set(paths, "e3")
    assert read_set(paths, "e2")[2].sum() == 60
    broken = write_circuit(tmp_path / "circuit")
    write_spikes(broken.spikes("evoked"), "v1", [3, 120], [600.0, 700.0])
    with pytest.raises(CircuitError, match=r"nodes that do not exist: \[120\]"):
        run_analysis(resolved, broken)
    for extra, said in (
        ("by: kind", "no attribute 'kind'"),
        ("layer: sheet", "no attribute 'sheet'"),
    ):
        with pytest.raises(CircuitError, match=said):
            run_analysis(write_model(tmp_path / extra[:2], extra=extra), paths)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nodes": "v2"}, "no node population or set 'v2'"),
        ({"nodes": "lgn"}, "virtual nodes"),
        ({"extra": "units: none.csv"}, "no such file"),
        ({"extra": "evoked: [900 ms, 500 ms]"}, "must rise"),
    ],
)
def test_configs_that_cannot_be_meant(tmp_path, change, said):
    with pytest.raises(ConfigError, match=said):
        write_model(tmp_path, **change)


def test_bad_quantiles_have_their_lines(tmp_path):
    write_model(tmp_path)
    text = (tmp_path / "recorded.csv").read_text().splitlines()
    fields = text[2].split(",")
    fields[6], fields[2] = "99", "speed"
    write_text(
        tmp_path / "bad.csv", "\n".join([text[0], text[1], ",".join(fields), text[1]]) + "\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_quantiles(tmp_path / "bad.csv")
    said = str(caught.value)
    assert (
        "bad.csv:3: quantity 'speed'" in said and "fall" in said and "bad.csv:4: class and" in said
    )


def test_thinning_keeps_every_class_and_its_order():
    names = np.repeat(["a", "b", "c"], [9000, 300, 3])
    cells = pd.DataFrame({"class": names, "row": np.arange(len(names))})
    kept = thin_cells(cells)
    assert len(kept) <= MOST_ROWS + 60 and kept["row"].is_monotonic_increasing
    assert (kept["class"] == "c").sum() == 3 and (kept["class"] == "b").sum() > 100


@needs_files
def test_shipped_tables_are_the_files_figures():
    recorded = read_quantiles(MODEL / "tables/recorded_rates.csv")
    units = read_units(FILES / "OSI_DSI_neuropixels_v4.csv", recorded)
    summary = pd.read_csv(FILES / "neuropixels_summary.csv").set_index("class")
    model = read_quantiles(MODEL / "tables/model_2020.csv").set_index(["class", "quantity"])
    theirs = pd.read_csv(FILES / "billeh_column_OSI_DSI.csv.gz", sep=" ")
    kinds = pd.read_csv(MODEL / "tables/populations.csv").set_index("name")["cell_class"]
    assert len(recorded) == 85 and len(units) == 3156
    for row in recorded.to_dict("records"):
        values = units.loc[units["class"] == row["class"], row["quantity"]].dropna()
        assert (row["n"], row["mean"]) == (len(values), pytest.approx(values.mean(), rel=1e-4))
        if row["quantity"] == "spontaneous":
            known = summary.loc[row["recorded_as"], "Spont_Rate(Hz)_median"]
            assert row["p50"] == pytest.approx(known, abs=6e-4)
        if row["quantity"] in ("osi", "dsi"):
            mine = theirs.loc[
                theirs["pop_name"].map(kinds) == row["class"], row["quantity"].upper()
            ]
            exact = 1 - ks_2samp(mine, values).statistic
            assert model.loc[(row["class"], row["quantity"]), "similarity"] == pytest.approx(
                exact, abs=1e-4
            )
            bounds = similarity_bounds(mine, [row[f"p{p}"] for p in PERCENTS], len(values))
            assert bounds[0] - 1e-3 <= exact <= bounds[1] + 1e-3
