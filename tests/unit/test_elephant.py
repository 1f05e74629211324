"""What analyses say of spikes and potentials, beside Elephant's own functions."""

import numpy as np
import pandas as pd
import pytest

from pipeline.analysis import network

elephant = pytest.importorskip("elephant", reason="needs elephant, of the extra test")
STOP = 2000.0


@pytest.fixture(scope="module")
def spikes():
    """Rows and times (ms) of 12 cells, some of them bursting, and the same as Elephant's trains."""
    import neo
    import quantities as pq

    rng = np.random.default_rng(3)
    trains = [np.sort(rng.uniform(0, STOP, rng.poisson(5 + 4 * k))) for k in range(11)]
    trains.append(np.sort((np.arange(0, STOP, 100.0)[:, None] + rng.uniform(0, 8, 4)).ravel()))
    rows = np.repeat(np.arange(12), [len(t) for t in trains])
    theirs = [neo.SpikeTrain(t, units="ms", t_start=0 * pq.ms, t_stop=STOP * pq.ms) for t in trains]
    return rows, np.concatenate(trains), theirs


def test_counts_and_correlations(spikes):
    import quantities as pq
    from elephant.conversion import BinnedSpikeTrain
    from elephant.spike_train_correlation import correlation_coefficient

    rows, times, trains = spikes
    ours = network.bin_spikes(rows, times, 12, 0.0, STOP, 10.0)
    theirs = BinnedSpikeTrain(trains, bin_size=10 * pq.ms)
    assert np.array_equal(ours, theirs.to_array())
    matrix = correlation_coefficient(theirs)
    pair = network.coupling(ours[:2], 0)["coupling"]  # of two cells the other is the population
    assert pair.to_numpy() == pytest.approx([matrix[0, 1]] * 2)


def test_intervals_and_rates(spikes):
    from elephant.statistics import cv, isi, mean_firing_rate

    rows, times, trains = spikes
    n, total, squares = network._interval_sums(rows, times, 12).T
    for cell, train in enumerate(trains):
        assert n[cell] == len(train) - 1 and total[cell] == pytest.approx(float(isi(train).sum()))
        mean = total[cell] / n[cell]
        sd = np.sqrt(squares[cell] / n[cell] - mean**2)
        assert sd / mean == pytest.approx(cv(isi(train)))
        rate = float(mean_firing_rate(train).rescale("Hz"))
        assert (rows == cell).sum() / STOP * 1000 == pytest.approx(rate)


def test_answers_to_events(spikes):
    import quantities as pq
    from elephant.statistics import time_histogram

    rows, times, trains = spikes
    ours = network.psth(rows, times, np.array(["all"] * 12), [500.0], (500.0, 1500.0), 20.0)
    theirs = time_histogram(trains, 20 * pq.ms, output="rate")  # mean over trains, 1/ms
    assert ours["rate"].to_numpy() == pytest.approx(theirs.magnitude.ravel() * 1000)


def test_spectra_of_potentials():
    import neo
    import quantities as pq
    from elephant.spectral import welch_psd

    time = np.arange(0, 2000, 0.5)
    trace = np.sin(2 * np.pi * 0.04 * time) + np.random.default_rng(1).normal(size=len(time))
    ours, _ = network.lfp_spectra(pd.DataFrame({"time": time, "y-100": trace}))
    signal = neo.AnalogSignal(trace[:, None], units="mV", sampling_rate=2000 * pq.Hz)
    step = ours["frequency"].iloc[1] - ours["frequency"].iloc[0]
    frequencies, power = welch_psd(signal, frequency_resolution=step, window="hann", overlap=0.5)
    both = np.interp(ours["frequency"], frequencies.magnitude, power.magnitude.ravel())
    assert ours["y-100"].to_numpy()[1:] == pytest.approx(both[1:], rel=1e-6)
