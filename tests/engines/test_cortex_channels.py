"""mechanisms/cortex: voltage clamp against NumPy, noise against theory, NEURON against CoreNEURON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cortex_reference as reference
import numpy as np
import pytest

from pipeline.mpi import find_mpi

pytest.importorskip("neuron")
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BOUND = 1e-6
STEPS = [float(dt) for dt in np.geomspace(1e-3, 300.0, 12)]
PAIRS = [(-80.0, float(v)) for v in range(-112, 61, 14)] + [(0.0, -90.0), (-50.0, -51.0)]
PAIRS += [
    (-100.0, v) for v in (-32, -38, -60, -66, -27, -17, -64.4, -40, 43, -154.9, -25, -51, -61)
]
TEMPERATURES = [34.0, 23.0]  # most of the set ignores it
CHANNELS = {
    name: {"name": name, "gbar": gbar, "ion": ion, "gates": list(gates(0.0, 34.0))}
    for name, (gates, ion, gbar, _) in reference.CHANNELS.items()
}
SITES = {
    site: CHANNELS["NaTg"]
    | {"settings": dict(zip(("vshiftm", "vshifth", "slopem"), values, strict=True))}
    for site, values in reference.SITES.items()
}
SWC = """1 1 0 0 0 8 -1
2 2 0 -8 0 0.9 1
3 2 0 -40 0 0.7 2
4 2 0 -80 0 0.5 3
5 2 20 -200 0 0.3 4
6 2 -20 -200 0 0.3 4
7 3 0 8 0 1.2 1
8 3 0 120 0 1.0 7
9 3 60 300 0 0.5 8
10 3 -60 300 0 0.5 8
"""


def relative(found, wanted, floor=1e-12):
    """Largest relative error; numbers below ``floor`` count as ``floor``."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    return float(np.max(np.abs(found - wanted) / np.maximum(np.abs(wanted), floor)))


@pytest.fixture(scope="module")
def run(tmp_path_factory, mechanism_cache):
    """Runs a function of cortex_runs.py in a process of its own, by mpiexec if ``ranks`` are given."""

    def call(function, ranks=0, **arguments):
        place = tmp_path_factory.mktemp("cortex")
        arguments |= {"sets": [str(ROOT / "mechanisms/cortex")], "cache": str(mechanism_cache)}
        (place / "in.json").write_text(json.dumps(arguments))
        command = [sys.executable, str(HERE / "cortex_runs.py"), function, str(place)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        if ranks:
            mpi = find_mpi()
            command = [*mpi.launcher, "-n", str(ranks), *command]
            environment["MPI_LIB_NRN_PATH"] = str(mpi.library)
        done = subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads((place / "out.json").read_text())

    return call


@pytest.fixture(scope="module")
def clamped(run):
    channels = CHANNELS | SITES
    return run("clamps", channels=channels, pairs=PAIRS, steps=STEPS, temperatures=TEMPERATURES)


def worst(name, celsius, traces, gates=None):
    """Largest error of gates and current against the closed solution."""
    times, errors = np.cumsum(STEPS), []
    for (hold, step), trace in zip(PAIRS, traces, strict=True):
        if name == "K_Pst" and step == -60:
            continue  # where the branches of mtau meet they differ by 1e-5, and rounding chooses
        wanted = reference.clamp(name, celsius, hold, step, times, gates)
        errors += [relative(trace[key], wanted[key]) for key in wanted]
    return max(errors)


@pytest.mark.parametrize("celsius", TEMPERATURES)
@pytest.mark.parametrize("name", list(CHANNELS))
def test_channel_against_its_equations(clamped, name, celsius):
    error = worst(name, celsius, clamped[name][str(celsius)])
    print(f"largest relative error {error:.1e}")
    assert error < BOUND


@pytest.mark.parametrize("site", list(SITES))
def test_shifted_sodium_against_its_equations(clamped, site):
    assert worst("NaTg", 34.0, clamped[site]["34.0"], reference.natg(site)) < BOUND


def test_each_constant_matters(run):
    """A constant off by 3 % must be seen, or the tests above prove nothing about it."""
    arguments = {"pairs": PAIRS, "steps": STEPS, "temperatures": [34.0]}
    changed = run("mutations", channels=CHANNELS, factor=1.03, **arguments)
    unseen = [k for k, (name, found) in changed.items() if worst(name, 34.0, found["34.0"]) < BOUND]
    assert len(changed) > 150
    assert unseen == []


@pytest.mark.parametrize(("name", "gate"), [("SK_E2", "z"), ("BK", "p")])
def test_calcium_gated_channels(run, name, gate):
    levels = [1e-4, 1e-3, 4.3e-4, 5e-5, 1e-6, 2e-4, 1e-2]
    voltages = [-40.0, -80.0, 20.0, -10.0, 40.0, -60.0, 0.0]
    steps = [float(dt) for dt in np.geomspace(1e-3, 30, 8)]
    trace = run(
        "calcium_steps",
        name=name,
        gbar=f"g{name}bar",
        gate=gate,
        levels=levels,
        voltages=voltages,
        steps=steps,
    )
    shares = [reference.open_share(name, c, v) for c, v in zip(levels, voltages, strict=True)]
    wanted = reference.relax(shares, steps)
    assert relative(trace["gate"], wanted, floor=1e-9) < BOUND
    assert relative(trace["i"], wanted * (np.repeat(voltages[1:], 8) + 107), floor=1e-9) < BOUND


@pytest.mark.parametrize(
    ("name", "rest", "depth"), [("CaDynamics_E2", 1e-4, 0.1), ("CaDynamics_DC0", 6.5e-5, 3 / 4)]
)
def test_calcium_pools(run, name, rest, depth):
    protocol = [(-80.0, 5.0), (-10.0, 40.0), (20.0, 30.0), (-80.0, 60.0)]
    trace = run("pool", name=name, diameter=3, gamma=0.02, decay=80, protocol=protocol, dt=0.025)
    wanted = reference.pool(trace["ica"], 0.025, 0.02, 80.0, rest, depth)
    assert wanted.max() > 1e-3  # the drive must be large enough to test anything
    assert relative(trace["cai"], wanted) < BOUND


def test_values_stay_finite(run):
    voltages = [*np.arange(-200.0, 201.0, 10.0), -154.9, -27.0, -38.0, -66.0, 43.0]
    assert run("extreme_voltages", channels=CHANNELS | SITES, voltages=voltages) == []


def decorrelated(counts, lag):
    """Correlation of a stationary [cells, steps] array with itself ``lag`` steps later."""
    away = counts - counts.mean()
    return float((away[:, :-lag] * away[:, lag:]).mean() / (away**2).mean())


@pytest.mark.parametrize(("name", "voltage"), [("StochKv", -45.0), ("StochKv3", -50.0)])
def test_channel_noise_is_binomial(run, name, voltage):
    """Mean, variance and memory of independent channels; steps of 0.1 and 1 ms agree with theory."""
    gates, share = reference.CHANNELS[name][0](voltage, 34.0), 1.0
    for target, _ in gates.values():
        share *= target
    for dt in (0.1, 1.0):
        made = {"voltage": voltage, "dt": dt, "duration": 400, "cells": 40, "gbar": 0.002}
        found = run("open_counts", name=name, **made)
        counts, count = np.array(found["open"]), found["N"]
        assert count == np.floor(0.002 * 1e4 * found["area"] / 30 + 0.5)
        tadj = reference.tadj(34.0) if name == "StochKv" else 1.0
        before = counts[0, -2]  # a step computes its current first
        assert found["gk"] == pytest.approx(1e-4 * 30 * before / found["area"] * tadj)
        variance = count * share * (1 - share)
        tau = max(tau for _, tau in gates.values())
        independent = 40 * 400 / (2 * tau)  # samples of a process with memory tau
        error = np.sqrt(variance / independent)
        print(
            f"dt {dt}: mean {counts.mean():.2f} of {count * share:.2f} +- {error:.2f}, variance "
            f"{counts.var():.2f} of {variance:.2f}"
        )
        assert abs(counts.mean() - count * share) < 4 * error
        assert abs(counts.var() / variance - 1) < 4 * np.sqrt(2 / independent)
        assert abs(counts[:, 0].mean() - count * share) < 4 * np.sqrt(variance / 40)
        if name == "StochKv":
            lag = round(2.0 / dt)
            assert decorrelated(counts, lag) == pytest.approx(np.exp(-2.0 / tau), abs=0.05)


@pytest.fixture
def swc(tmp_path):
    (tmp_path / "c.swc").write_text(SWC)
    return str(tmp_path / "c.swc")


def test_draws_depend_on_ids_alone_and_coreneuron_agrees(run, swc):
    arguments = {"swc": swc, "duration": 60.0}
    alone = run("network", ids=[0, 1, 2, 3], **arguments)["cells"]
    assert max(alone["0"][0]) > 0, "no spike: the cell tests nothing"
    assert alone["0"] != alone["1"]
    few = run("network", ids=[3, 1], **arguments)["cells"]
    assert few == {i: alone[i] for i in ("3", "1")}
    core = run("network", ids=[0, 1, 2, 3], coreneuron=True, **arguments)["cells"]
    for i in alone:
        assert alone[i][2] == core[i][2]
        np.testing.assert_allclose(core[i][:2], alone[i][:2], rtol=0, atol=1e-9)
    ranks = run("network", ranks=2, mpi=True, ids=[0, 1, 2, 3], **arguments)
    assert ranks == {"ranks": 2, "cells": alone}


def test_laws_follow_neurons_distance_and_the_stub_its_diameters(run, swc):
    found = run("densities", swc=swc)
    rows = np.array(found["rows"])
    assert len(rows) > 10 and rows[:, 0].max() > 200
    np.testing.assert_allclose(rows[:, 1], 8e-5 * (-0.8696 + 2.087 * np.exp(0.0031 * rows[:, 0])))
    np.testing.assert_allclose(rows[:, 2], 0.02 * np.exp(-0.01 * rows[:, 0]))
    assert set(rows[:, 3]) == {6.0}
    near, far = (diameter for _, diameter in found["axon"])
    # The first section of the axon is cut into 13 pieces; these are the middles of the third and the eighth.
    first = np.interp(72 / 13 * (np.arange(13) + 0.5), [0, 32, 72], [1.8, 1.4, 1.0])
    assert [near, far] == pytest.approx([first[2], first[7]], abs=0.01)
    assert found["myelin"] == pytest.approx([1000, first[9], 0.02, 5], abs=0.01)
    assert found["channels"] == ["pas"]
