"""Synapses with stochastic release against an independent reference, and on CoreNEURON."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
import release_reference as reference  # noqa: E402

pytest.importorskip("neuron")
ROOT = Path(__file__).resolve().parents[2]
DT = 0.1
TRIALS = 1000
TRAIN = [20.0 + 50.0 * k for k in range(8)] + [870.0]  # 20 Hz, then a recovery spike
KINDS = {
    # Classes of section 4 of the reference: E2 (depressing), E1 (facilitating), I2, I1.
    "E2": ("AmpaNmdaRelease", {"U": 0.5, "D": 671.0, "F": 17.0, "N": 3}),
    "E1": ("AmpaNmdaRelease", {"U": 0.02, "D": 194.0, "F": 507.0, "N": 5}),
    "I2": ("GabaABRelease", {"U": 0.25, "D": 706.0, "F": 21.0, "N": 1}),
    "I1": ("GabaABRelease", {"U": 0.16, "D": 45.0, "F": 376.0, "N": 2}),
}
CONDUCTANCE = {"AmpaNmdaRelease": "g_ampa", "GabaABRelease": "g_gabaa"}
PLASTICITY = ("U", "D", "F")


@pytest.fixture(scope="module")
def run(own_process, mechanism_cache):
    """Runs a function of release_runs.py with the mechanism set."""

    def go(function, **arguments):
        arguments |= {"sets": [str(ROOT / "mechanisms/release")], "cache": str(mechanism_cache)}
        return own_process(function, script="release_runs.py", **arguments)

    return go


def job(kind, spikes=TRAIN, ids=(1, 2, 3), **more):
    mechanism, parameters = KINDS[kind]
    parameters = parameters | {"g_max": 1.0} | more
    return {"mechanism": mechanism, "parameters": parameters, "ids": ids, "spikes": list(spikes)}


@pytest.fixture(scope="module")
def shares(run):
    """Released share [trials, spikes] of every kind; kinetics so fast that no event sees another."""
    fast = {"tau_r_ampa": 0.2, "tau_d_ampa": 1.0}, {"tau_r_gabaa": 0.2, "tau_d_gabaa": 1.0}
    fast = {"AmpaNmdaRelease": "ampa", "GabaABRelease": "gabaa"}
    found = {}
    for mechanism, receptor in fast.items():
        kinds = [kind for kind in KINDS if KINDS[kind][0] == mechanism]
        kinetics = {f"tau_r_{receptor}": 0.2, f"tau_d_{receptor}": 1.0}
        jobs = [job(kind, ids=(k, 40, 9), **kinetics) for kind in kinds for k in range(TRIALS)]
        name = CONDUCTANCE[mechanism]
        out = run("clamped", jobs=jobs, v=-70, dt=DT, duration=None, record=[name],
                  samples=[round(t / DT) + 5 for t in TRAIN])  # fmt: skip
        unit = reference.conductance([0.0], [1.0], 0.2, 1.0, DT, 7)[4]
        parts = np.split(np.array(out[name]) / unit, len(kinds))
        found |= dict(zip(kinds, parts, strict=True))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_release_is_that_of_the_replay(shares, kind):
    _, p = KINDS[kind]
    expected = [reference.replay(TRAIN, **p, ids=(k, 40, 9)) for k in range(TRIALS)]
    assert np.abs(shares[kind] - expected).max() < 1e-9
    assert 0 < shares[kind].std(axis=0).min()


@pytest.mark.parametrize("kind", KINDS)
def test_mean_and_variance_over_1000_trials(shares, kind):
    """Against exact moments, and a Monte Carlo that draws every site."""
    _, p = KINDS[kind]
    mean = reference.mean_field(TRAIN, *(p[key] for key in PLASTICITY))
    variance = mean * (1 - mean) / p["N"]
    fourth = variance * (1 + 3 * (p["N"] - 2) * mean * (1 - mean)) / p["N"] ** 2  # of a binomial
    naive = reference.sites(TRAIN, **p, trials=20 * TRIALS, seed=5)
    for found in (shares[kind], naive):
        z = (found.mean(axis=0) - mean) / np.sqrt(variance / len(found))
        assert np.abs(z).max() < 3.5, z
        z = (found.var(axis=0) - variance) / np.sqrt((fourth - variance**2) / len(found))
        assert np.abs(z).max() < 3.5, z
    print(kind, "mean", shares[kind].mean(axis=0).round(3), "expected", mean.round(3))


def test_mean_form_has_the_closed_form_of_a_regular_train(run):
    """Paired pulse ratio, steady state, recovery; and the mean of the stochastic form."""
    period, count, pause = 50.0, 60, 700.0
    train = [10 + period * k for k in range(count)]
    train.append(train[-1] + pause)
    jobs = [job(kind, spikes=train, stochastic=0) for kind in KINDS]
    samples = [round(t / DT) + 5 for t in train]
    for kind, one in zip(KINDS, jobs, strict=True):
        name = CONDUCTANCE[one["mechanism"]]
        receptor = name.removeprefix("g_")
        one["parameters"] |= {f"tau_r_{receptor}": 0.2, f"tau_d_{receptor}": 1.0}
        out = run(
            "clamped", jobs=[one], v=-70, dt=DT, duration=None, record=[name], samples=samples
        )
        found = np.array(out[name][0]) / reference.conductance([0.0], [1.0], 0.2, 1.0, DT, 7)[4]
        U, D, F = (KINDS[kind][1][key] for key in PLASTICITY)
        f, d = np.exp(-period / F), np.exp(-period / D)
        second = U + (1 - U) * U * f
        pair = second * (1 - U * d) / U
        steady = U / (1 - (1 - U) * f)
        site = (1 - d) / (1 - (1 - steady) * d)
        back = U + (1 - U) * steady * np.exp(-pause / F)
        last = back * (1 - (1 - site * (1 - steady)) * np.exp(-pause / D))
        np.testing.assert_allclose(found[1] / found[0], pair, rtol=1e-9)
        np.testing.assert_allclose(found[count - 1], steady * site, rtol=1e-3)
        np.testing.assert_allclose(found[-1], last, rtol=1e-3)
        np.testing.assert_allclose(found, reference.mean_field(train, U, D, F), rtol=1e-9)
        print(kind, f"paired pulse ratio {pair:.3f}, recovery {found[-1] / found[0]:.3f}")


@pytest.mark.parametrize("kind", ["E2", "I1"])
def test_traces_with_minis_equal_the_replay(run, kind):
    """Spikes off the grid, minis between them, weights; both receptors, every time step."""
    mechanism, p = KINDS[kind]
    slow, ratio, kinetics = {
        "AmpaNmdaRelease": ("nmda", 0.7, [("ampa", 0.2, 1.74), ("nmda", 0.29, 43.0)]),
        "GabaABRelease": ("gabab", 0.75, [("gabaa", 0.2, 8.3), ("gabab", 3.5, 260.9)]),
    }[mechanism]
    stop, rate, weight = 300.0, 30.0, 0.6
    rng = np.random.default_rng(3)
    jobs, expected = [], []
    for k in range(12):
        spikes = np.sort(rng.uniform(1, stop - 5, 12))
        more = {"mini_rate": rate, f"{slow}_ratio": ratio}
        jobs.append(job(kind, spikes=spikes, ids=(k, 2, 5), **more) | {"weight": weight})
        minis = reference.mini_times(rate, stop, (k, 2, 6))
        times = np.concatenate([spikes, minis])
        order = np.argsort(times)
        scale = np.concatenate([np.full(len(spikes), weight), np.ones(len(minis))])[order]
        steps = scale * reference.replay(times[order], **p, ids=(k, 2, 5))
        expected.append((times[order], steps))
    names = [f"g_{name}" for name, _, _ in kinetics]
    out = run("clamped", jobs=jobs, v=-70, dt=DT, duration=stop, record=names)
    for factor, (name, rise, decay) in zip((1, ratio), kinetics, strict=True):
        for found, (times, steps) in zip(out[f"g_{name}"], expected, strict=True):
            count = len(found) - 1  # a conductance is that of the beginning of its step
            wanted = reference.conductance(times, factor * steps, rise, decay, DT, count)
            np.testing.assert_allclose(found[1:], wanted, atol=1e-9)
            assert wanted.max() > 0.1


def test_minis_come_at_their_rate_and_weight_0_releases_nothing(run):
    """The integral of the conductance counts them: every event releases its one vesicle."""
    rate, stop, synapses = 80.0, 250.0, 200
    sure = {"U": 1.0, "D": 0.0, "F": 0.0, "N": 1, "tau_d_ampa": 1.0}
    jobs = [job("E2", [], (k, 1, 1), mini_rate=rate, **sure) for k in range(synapses)]
    jobs.append(job("E2", [50.0, 60.0], (0, 0, 0), **sure) | {"weight": 0.0})
    out = np.array(
        run("clamped", jobs=jobs, v=-70, dt=DT, duration=stop, record=["g_ampa"])["g_ampa"]
    )
    single = reference.conductance([0.0], [1.0], 0.2, 1.0, DT, 400).sum()
    assert not out[-1].any()
    counts = out[:-1, :-100].sum(axis=1) / single
    window = (stop - 10) / 1000 * rate
    z = (counts.mean() - window) / np.sqrt(window / synapses)
    print(f"{counts.mean():.2f} minis, expected {window:.2f}; variance {counts.var():.1f}")
    assert abs(z) < 3.5
    assert counts.var() / window == pytest.approx(1, abs=3.5 * np.sqrt(2 / synapses))


def test_magnesium_blocks_as_the_published_curve(run):
    voltages = np.arange(-100.0, 61.0, 10.0).tolist()
    laws = [
        {"mg": 1.0, "mg_scale": 3.57, "mg_slope": 0.062},
        {"mg": 1.0, "mg_scale": 2.552, "mg_slope": 0.072},
        {"mg": 0.0, "mg_scale": 3.57, "mg_slope": 0.062},
        {"mg": 2.0, "mg_scale": 3.57, "mg_slope": 0.062},
    ]
    v = np.array(voltages)
    for law, row in zip(laws, run("magnesium", voltages=voltages, settings=laws), strict=True):
        gate = 1 / (1 + law["mg"] / law["mg_scale"] * np.exp(-law["mg_slope"] * v))
        np.testing.assert_allclose(row, gate * v, rtol=1e-9, atol=1e-9)
    assert v[np.argmin(v / (1 + np.exp(-0.062 * v) / 3.57))] in (-30, -20)  # the dip of the curve


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="reads Linux's memory map")
def test_coreneuron_gives_the_same_spikes_and_traces(run):
    runs = [run("network", coreneuron=flag, duration=120.0) for flag in (False, True)]
    assert [one["coreneuron"] for one in runs] == [False, True]
    assert len(runs[0]["spikes"]) > 20 and set(runs[0]["gids"]) == set(range(5))
    assert runs[0]["gids"] == runs[1]["gids"]
    np.testing.assert_allclose(runs[0]["spikes"], runs[1]["spikes"], atol=1e-9)
    count = 4700
    first, second = (np.array([trace[:count] for trace in one["traces"]]) for one in runs)
    assert np.ptp(first, axis=1).min() > 0
    difference = np.abs(first - second).max()
    print(f"{len(runs[0]['spikes'])} spikes, largest difference {difference:.1e} (mV, uS)")
    assert difference < 1e-6
