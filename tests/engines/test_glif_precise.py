"""GLIF cells with precise spikes: against the equations without a grid, alone and connected."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
from glif_cells import currents, published, reference, synthetic  # noqa: E402

pytest.importorskip("neuron")
ROOT = Path(__file__).resolve().parents[2]
DT = 0.1
PORTS = {
    "psc": [{"tau": t} for t in (5.5, 8.5, 2.8, 5.8, 16.6667)],
    "psc_double_alpha": [
        {"tau": 1.8, "tau_slow": 3.4, "amp_slow": 0.57},
        {"tau": 1.06, "tau_slow": 5.04, "amp_slow": 0.16},
    ],
}


def job(cell, current, dt=DT, synapse="psc", trains=()):
    return {
        "cell": dataclasses.asdict(cell),
        "synapse": synapse,
        "ports": PORTS[synapse],
        "dt": dt,
        "current": current if isinstance(current, float) else list(current),
        "trains": list(trains),
        "precise": True,
    }


@pytest.fixture(scope="module")
def run(own_process, mechanism_cache):
    """Runs a function of glif_runs.py with the mechanism set."""

    def go(function, **arguments):
        arguments |= {"sets": [str(ROOT / "mechanisms/glif")], "cache": str(mechanism_cache)}
        return own_process(function, script="glif_runs.py", **arguments)

    return go


def test_steps_ramps_and_noise_follow_the_equations(run):
    """Same count, every spike within one time step; and the reference converges to these spikes."""
    protocols = {
        (name, kind): (cell, current)
        for name, cell in (synthetic() | published()).items()
        for kind, current in currents(cell).items()
    }
    steps = (DT, DT / 4)
    found = run(
        "in_neuron", jobs=[job(*pair, dt=dt) for dt in steps for pair in protocols.values()]
    )
    exact, finer = found[: len(protocols)], found[len(protocols) :]
    count, errors = 0, {1e-3: [], 2.5e-4: []}
    for (key, pair), (spikes, voltage), (again, _) in zip(
        protocols.items(), exact, finer, strict=True
    ):
        spikes = np.array(spikes)
        # The current is constant in steps of 0.1 ms, so that a finer step finds the same moments.
        assert np.allclose(spikes, again, rtol=0, atol=1e-7), key
        assert (len(spikes) == 0) == (key[1] == "below"), key
        for fine, worst in errors.items():
            expected, held = reference(*pair, fine=fine)
            assert len(spikes) == len(expected), key
            worst.append(np.abs(spikes - expected).max(initial=0))
            assert worst[-1] < DT, key
        if key[1] == "below":
            assert np.abs(np.array(voltage) - held).max() < 1e-9, key
        count += len(spikes)
    coarse, fine = (np.mean(worst) for worst in errors.values())
    order = np.log(coarse / fine) / np.log(4)
    print(f"{count} spikes in {len(protocols)} runs, largest error {max(errors[1e-3]):.1e} ms")
    print(f"mean of the largest {coarse:.1e} and {fine:.1e} ms, order {order:.2f} in the reference")
    assert max(errors[1e-3]) < 0.01 and 0.8 < order < 1.3


@pytest.mark.parametrize("synapse", list(PORTS))
def test_events_count_from_their_own_time(run, synapse):
    """Trains off the grid on every port, through refractory times, at three time steps."""
    jobs, expected = [], []
    ports = PORTS[synapse]
    for seed, cell in enumerate((synthetic() | published()).values()):
        random = np.random.default_rng(seed)
        trains, events = [], []
        for number, port in enumerate(ports, start=1):
            times = np.sort(random.uniform(1, 290, 12))
            weight = float(cell.rheobase * random.uniform(0.5, 1.2) * (-0.5, 1)[number % 2])
            delay = float(random.uniform(0.5, 3))
            trains.append((number, weight, delay, times.tolist()))
            parts = [(port["tau"], weight)]
            if "tau_slow" in port:
                parts.append((port["tau_slow"], weight * port["amp_slow"]))
            events += [(time + delay, parts) for time in times]
        current = np.full(3000, 1.2 * cell.rheobase)
        jobs.append(job(cell, current, DT, synapse, trains))
        expected.append(reference(cell, current, events=events, fine=2.5e-4)[0])
    steps = (DT, DT / 2, DT / 4)
    found = run("in_neuron", jobs=[j | {"dt": dt} for dt in steps for j in jobs])
    groups = [found[i * len(jobs) : (i + 1) * len(jobs)] for i in range(len(steps))]
    worst = apart = 0.0
    for exact, *runs in zip(expected, *groups, strict=True):
        trains = [np.array(spikes) for spikes, _ in runs]
        for spikes in trains:
            assert len(spikes) == len(exact)
            worst = max(worst, np.abs(spikes - exact).max(initial=0.0))
            apart = max(apart, np.abs(spikes - trains[-1]).max(initial=0.0))
    count = sum(map(len, expected))
    print(f"{synapse}: {count} spikes, largest error {worst:.1e} ms, steps apart {apart:.1e} ms")
    assert count > 50 and worst < DT
    # What a step of 0.1 ms adds to the finest: events that are carried back past a crossing.
    assert apart < DT / 10


def test_a_connected_network_spikes_alike_at_every_step(run):
    """NEURON and CoreNEURON agree to rounding, and finer steps move no spike by a step."""
    random = np.random.default_rng(3)
    kinds = list(synthetic().values())
    rates = random.uniform(1.1, 1.8, 20)
    edges = [
        (source, target, (0.02, -0.02)[source % 2], float(random.uniform(0.8, 3)), 1 + source % 2)
        for source in range(20)
        for target in random.choice(20, 5, replace=False).tolist()
    ]

    def spikes(dt, **more):
        cells = [job(kinds[n % 5], kinds[n % 5].rheobase * rates[n], dt) for n in range(20)]
        network = {"cells": cells, "edges": edges, "dt": dt, "duration": 200.0}
        return run("network_in_neuron", **network | more)["spikes"]

    coarse, core, fine, alone = (
        spikes(DT),
        spikes(DT, coreneuron=True),
        spikes(DT / 4),
        spikes(DT, edges=[]),
    )
    assert coarse != alone, "the connections must matter"
    for mine, its in zip(coarse, core, strict=True):
        assert len(mine) == len(its) and np.allclose(mine, its, rtol=0, atol=1e-9)
    apart = 0.0
    for mine, its in zip(coarse, fine, strict=True):
        assert len(mine) == len(its)
        apart = max(apart, np.abs(np.subtract(mine, its)).max(initial=0.0))
    print(f"{sum(map(len, coarse))} spikes, dt 0.1 and 0.025 ms apart by {apart:.1e} ms at most")
    assert 0 < apart < DT / 10


def test_several_spikes_in_one_step(run):
    """A refractory time below the step: each spike is told; spikes in steps that follow, too."""
    cell = dataclasses.replace(synthetic()["synthetic_1"], t_ref=0.03)
    current = np.full(300, 400 * cell.rheobase)
    ((spikes, _),) = run("in_neuron", jobs=[job(cell, current)])
    assert len(spikes) > 400  # more than one per step
    expected, _ = reference(cell, current, fine=1e-4)
    shared = min(len(spikes), len(expected))
    gaps = np.diff(spikes)
    assert abs(len(spikes) - len(expected)) <= 1 + len(expected) * 1e-4 / np.mean(gaps)
    assert np.allclose(gaps[: shared - 1], np.diff(expected)[: shared - 1], rtol=0, atol=3e-4)


def test_what_cannot_be_precise_is_refused(run):
    cell = synthetic()["synthetic_3"]
    said = run("refusals", job=job(cell, 0.0))
    assert "conductance synapses cannot have precise spikes" in said["cond"]
    assert "more than 8 spikes in a time step" in said["short"]
    assert "a delay of 0.1 ms; precise spikes in steps of 0.1 ms need 0.2" in said["delay"]
