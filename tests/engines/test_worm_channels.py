"""The worm's NMODL against an independent NumPy solution of the same equations.

At constant voltage the fixed-step solution of a gate is exact for any dt, so that time steps grow
from 0.01 ms to an hour and reach every time constant. The activation of the SLO channels follows
a second gate and is of first order in dt: two step sizes are extrapolated.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import worm_reference as reference

pytest.importorskip("neuron")

VOLTAGES = (-100.0, -60.0, -40.0, -20.0, 0.0, 20.0, 40.0, 60.0)
PAIRS = [(hold, step) for hold in (-100.0, -65.0, -20.0, 20.0) for step in VOLTAGES]
GROWING = list(np.diff(np.concatenate([[0.0], np.geomspace(0.01, 3.6e6, 70)])))
BOUND = 1e-4
TABLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "worm"


@pytest.fixture(scope="module")
def run(own_process, worm_set, mechanism_cache):
    """Runs a function of worm_runs with the worm's set."""

    def call(function, **arguments):
        return own_process(function, sets=[str(worm_set)], cache=str(mechanism_cache), **arguments)

    return call


def relative(found, wanted, floor=1e-12):
    """Returns the largest relative difference; values below the floor count as the floor."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape
    return float(np.max(np.abs(found - wanted) / np.maximum(np.abs(wanted), floor)))


def worst(name, traces, expected):
    """Returns the largest relative error over voltage pairs, gates and the current."""
    reversal = reference.CHANNELS[name][2]
    errors = []
    for (hold, step), trace, (gates, current) in zip(PAIRS, traces, expected, strict=True):
        errors += [relative(trace[gate], gates[gate]) for gate in gates]
        if step == reversal:  # nothing but the clamp's rounding flows; per gbar it is in mV
            assert np.abs(trace["i"]).max() < 1e-6, (hold, step)
        else:
            errors.append(relative(trace["i"], current))
    return max(errors)


@pytest.mark.parametrize("name", list(reference.CHANNELS))
def test_channel_under_voltage_clamp(run, name):
    times = np.cumsum(GROWING)
    expected = [reference.clamp(name, hold, step, times) for hold, step in PAIRS]
    steps = [(dt, 1) for dt in GROWING]
    gates = list(reference.CHANNELS[name][0](0.0))
    traces = run("clamp_channel", name=name, gates=gates, pairs=PAIRS, steps=steps)
    error = worst(name, traces, expected)
    print(f"largest relative error {error:.1e}")
    assert error < BOUND


@pytest.mark.parametrize("name", list(reference.CHANNELS))
def test_each_constant_matters(run, name):
    """A constant that is off by 3 % must be seen; else the clamp test proves nothing about it."""
    times = np.cumsum(GROWING)
    expected = [reference.clamp(name, hold, step, times) for hold, step in PAIRS]
    steps = [(dt, 1) for dt in GROWING]
    gates = list(reference.CHANNELS[name][0](0.0))
    keys = list(run("parameters", name=name))
    arguments = {"name": name, "gates": gates, "pairs": PAIRS, "steps": steps}
    changed = run("mutations", keys=keys, factor=1.03, **arguments)
    assert set(changed) == set(keys) and (keys or name == "nca")
    unseen = [key for key, traces in changed.items() if worst(name, traces, expected) < BOUND]
    assert unseen == []


@pytest.mark.parametrize("name", list(reference.SLO))
def test_slo_under_voltage_clamp(run, name):
    pairs = [(hold, 59.0 if step == 60.0 else step) for hold, step in PAIRS] + [(-100.0, 61.0)]
    dt, readings = 0.004, 10
    times = np.cumsum([2.0] * readings)
    traces = []
    for size in (dt, dt / 2):
        steps = [(size, round(2.0 / size))] * readings
        states = ["m", "m_cav", "h_cav"]
        traces.append(run("clamp_channel", name=name, gates=states, pairs=pairs, steps=steps))
    errors, plain = [], []
    for (hold, step), coarse, fine in zip(pairs, *traces, strict=True):
        gates, current = reference.slo_clamp(name, hold, step, times)
        for state in ("m_cav", "h_cav"):
            errors.append(relative(fine[state], gates[state]))
        for key, wanted in (("m", gates["m"]), ("i", current)):
            better = 2 * np.array(fine[key]) - np.array(coarse[key])
            errors.append(relative(better, wanted))
            plain.append(relative(fine[key], wanted))
    print(f"largest relative error {max(errors):.1e}")
    print(f"without extrapolation {max(plain):.1e}")
    assert max(errors) < BOUND


@pytest.mark.parametrize("name", list(reference.SLO))
def test_each_slo_constant_matters(run, name):
    """As above; with nyx near 0 three published constants have no effect, so compare values."""
    found = run("parameters", name=name)
    published = reference.CONSTANTS[reference.SLO[name][0]]
    idle = {"kyx", "nyx", "cac"}
    assert {key: found[f"{key}_{name}"] for key in idle} == {key: published[key] for key in idle}
    keys = [key for key in found if key.split("_")[0] not in idle]
    pairs = [(hold, step) for hold, step in PAIRS if step < 60.0] + [(20.0, 59.0), (-100.0, 61.0)]
    states, steps = ["m", "m_cav", "h_cav"], [(0.05, 20)] * 10
    arguments = {"name": name, "gates": states, "pairs": pairs, "steps": steps}
    plain = run("clamp_channel", **arguments)
    changed = run("mutations", keys=keys, factor=1.03, **arguments)
    unseen = [
        key
        for key, traces in changed.items()
        if max(relative(t[s], p[s]) for t, p in zip(traces, plain, strict=True) for s in states)
        < BOUND
    ]
    assert len(keys) > 25 and unseen == []


def test_calcium_pool_and_kcnl(run):
    protocol = [(-65.0, 5.0), (0.0, 60.0), (20.0, 40.0), (75.0, 40.0), (-65.0, 20.0)]
    rows = np.array(run("calcium", protocol=protocol, dt=0.025, gbar=2.0))
    t, _, ica, cai, m, current = rows.T
    voltage = np.repeat(*zip(*[(v, round(d / 0.025)) for v, d in protocol], strict=True))
    # NEURON fills the pool with the current at the start of a step and the voltage of its end.
    wanted = reference.pool(ica, t, voltage, 0.05)
    assert wanted.max() > 0.06  # the drive must be large enough to test anything
    assert relative(cai * 1e3, wanted) < BOUND
    assert relative(cai * 1e3 - 0.05, wanted - 0.05, floor=1e-4) < BOUND
    share, gate = cai * 1e3 / (cai * 1e3 + 0.33), [0.05 / 0.38]
    for value in share[1:]:  # cadyn comes first in a step: kcnl sees the new calcium
        gate.append(value + (gate[-1] - value) * np.exp(-0.025 / 6.3))
    errors = [relative(m, gate), relative(current[1:], m[1:] * (voltage + 80.0))]
    print(f"largest relative error {max(errors):.1e}")
    assert max(errors) < BOUND


def test_values_stay_finite(run, worm_set):
    from pipeline import mechanisms

    names = [n for n, m in mechanisms.describe_set(worm_set).items() if m.kind == "density"]
    voltages = [*np.arange(-200.0, 201.0, 5.0), 60 - 1e-13, 59.999999, 60 + 1e-13]
    assert len(names) == 17
    assert run("extreme_voltages", names=names, voltages=voltages) == []


@pytest.mark.parametrize("kind", ["synapse_exc", "synapse_inh"])
def test_graded_synapse(run, kind):
    p = reference.Get(kind)
    settings = {"g": p.g_uS, "E": p.E, "k": p.k_per_ms, "w": 2.5, "delta": p.delta, "vth": p.Vth}
    pre = [-65.0, -30.0, -10.0, -40.0, 5.0, -200.0, -18.0]
    steps = list(np.geomspace(0.001, 100.0, 12))
    trace = run("graded_synapse", settings=settings, pre=pre, steps=steps, post=-50.0)
    s = [1 / (1 + np.exp((-20 + 65) / 5))]
    for voltage in pre[1:]:
        s += list(reference.graded(kind, voltage, s[-1], np.cumsum(steps)))
    errors = [relative(trace["s"], s)]
    current = 2.5 * p.g_uS * np.array(s) * (-50.0 - p.E)
    errors.append(relative(trace["i"][1:], current[1:], floor=1e-15))
    print(f"largest relative error {max(errors):.1e}")
    assert max(errors) < BOUND


def test_graded_synapse_defaults_are_excitatory(run):
    trace = run("graded_synapse", settings={}, pre=[-65.0, -10.0], steps=[1.0], post=0.0)
    start = 1 / (1 + np.exp(9.0))
    s = reference.graded("synapse_exc", -10.0, start, np.array([1.0]))
    assert relative(trace["s"], [start, s[0]]) < BOUND
    assert relative(trace["i"][1:], 4.9e-4 * s * -30.0) < BOUND


def test_graded_synapse_without_overflow(run):
    settings = {"s0": 0.25}
    pre = [-1e4, 1e4, -1e4, 200.0, -200.0]
    trace = run("graded_synapse", settings=settings, pre=pre, steps=[0.025], post=0.0)
    decay = np.exp(-0.025 * 0.5)
    assert relative(trace["s"], [0.25, 1.0, decay, 1.0, decay]) < 1e-9


@pytest.mark.parametrize("forward, backward", [(0.002, 0.002), (0.003, 0.0)])
def test_gap_halves_by_transfer(run, forward, backward):
    result = run("coupled_pair", forward=forward, backward=backward, inject=0.01)
    leak = result["leak"]
    matrix = [[leak + backward, -backward], [-forward, leak + forward]]
    wanted = np.linalg.solve(matrix, [0.01, 0.0]) - 60.0
    assert relative(result["v"], wanted) < 1e-6
    differences = np.array([wanted[0] - wanted[1], wanted[1] - wanted[0]])
    assert relative(result["i"], differences * [backward, forward], floor=1e-9) < BOUND


def test_reference_has_the_published_constants():
    path = TABLE / "mechanism_constants.csv"
    if not path.is_file():
        pytest.skip("the table of published constants is not beside this checkout")
    with open(path, newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["mechanism"] in reference.CONSTANTS]
    published = {(r["mechanism"], r["parameter"]): r["value"] for r in rows}
    assert published.pop(("KQT-3", "E")).startswith("ek")
    typed = {(m, key): v for m, names in reference.CONSTANTS.items() for key, v in names.items()}
    assert {key: float(value) for key, value in published.items()} == typed
