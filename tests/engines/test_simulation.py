"""The physics of a simulated circuit: two passive cells, against three independent solutions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("neuron")
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "data"))
import two_cells as pair  # noqa: E402
from two_cells import Kinds, make_pair  # noqa: E402

from pipeline.cli import main  # noqa: E402
from pipeline.sonata.layout import CircuitPaths  # noqa: E402
from pipeline.sonata.reports import read_report  # noqa: E402

CAPACITANCE = pair.CM * np.pi * pair.SIDE**2 * 1e-5  # nF
LEAK = pair.G_PAS * np.pi * pair.SIDE**2 * 1e-2  # uS
BOTH = Kinds()
COUPLINGS = {
    "none": Kinds(chemical=False, electrical=False),
    "chemical": Kinds(electrical=False),
    "electrical": Kinds(chemical=False),
    "both": BOTH,
}


def current(time: float) -> float:
    return pair.CURRENT if pair.START <= time < pair.STOP else 0.0


def activation(voltage: float) -> tuple[float, float]:
    """Steady activation and rate (1/ms) of the synapse at a presynaptic voltage."""
    steady = 1 / (1 + np.exp((pair.VTH - voltage) / pair.DELTA))
    return steady, pair.K / (1 - steady)


def integrate(dt: float, kinds: Kinds) -> np.ndarray:
    """Backward Euler in NumPy: voltages [steps, 2] at the start of every step."""
    gap = pair.GAP if kinds.electrical else 0.0
    peak = pair.WEIGHT * pair.G if kinds.chemical else 0.0
    v = np.full(2, pair.V_INIT)
    s = activation(v[0])[0]
    trace = []
    for step in range(round(pair.DURATION / dt)):
        trace.append(v)
        injected = np.array([current((step + 0.5) * dt), 0.0])
        synapse = np.array([0.0, peak * s])
        conductance = CAPACITANCE / dt + LEAK + gap + synapse
        charge = CAPACITANCE / dt * v + LEAK * pair.E_PAS + gap * v[::-1] + synapse * pair.E
        v = (charge + injected) / conductance
        steady, rate = activation(v[0])
        s = steady + (s - steady) * np.exp(-dt * rate)
    return np.array(trace)


def exact(dt: float, kinds: Kinds) -> np.ndarray:
    """The differential equations by a high-order solver: voltages [steps, 2]."""
    from scipy.integrate import solve_ivp

    gap = pair.GAP if kinds.electrical else 0.0
    peak = pair.WEIGHT * pair.G if kinds.chemical else 0.0

    def slope(time, state, injected):
        a, b, s = state
        steady, rate = activation(a)
        return [
            (LEAK * (pair.E_PAS - a) + gap * (b - a) + injected) / CAPACITANCE,
            (LEAK * (pair.E_PAS - b) + gap * (a - b) + peak * s * (pair.E - b)) / CAPACITANCE,
            (steady - s) * rate,
        ]

    state = [pair.V_INIT, pair.V_INIT, activation(pair.V_INIT)[0]]
    parts = []
    edges = [0.0, pair.START, pair.STOP, pair.DURATION]
    for begin, end in zip(edges, edges[1:], strict=False):
        times = np.arange(round(begin / dt), round(end / dt)) * dt
        solved = solve_ivp(
            slope, (begin, end), state, t_eval=[*times, end], args=(current(begin),),
            method="LSODA", rtol=1e-10, atol=1e-12,
        )  # fmt: skip
        parts.append(solved.y[:2, :-1].T)
        state = solved.y[:, -1]
    return np.concatenate(parts)


@pytest.fixture(scope="module")
def patch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def simulated(tmp_path_factory, patch_module):
    """Simulates the pair by the command line, once per setting: voltages [steps, 2]."""
    known: dict[tuple, np.ndarray] = {}
    base = tmp_path_factory.mktemp("pair")
    patch_module.setenv("SONATINA_CACHE", os.environ.get("SONATINA_CACHE") or str(ROOT / ".cache"))

    def build(dt: float, kinds: Kinds) -> Path:
        """Builds the circuit once per setting; the time step is that of the model."""
        folder = base / f"{dt:g}-{kinds.chemical:d}{kinds.electrical:d}"
        if not folder.exists():
            make_pair(folder / "pair", dt, kinds)
            for verb in ("compile", "nodes", "edges", "circuit"):
                sonatina(folder, verb)
        return folder

    def sonatina(folder: Path, verb: str, *more: str) -> None:
        words = [verb, str(folder / "pair" / "model.yaml"), "--out", str(folder / "out"), *more]
        assert main(words) == 0

    def run(dt: float, kinds: Kinds = BOTH, ranks: int = 1) -> np.ndarray:
        key = (dt, kinds, ranks)
        if key not in known:
            folder = build(dt, kinds)
            sonatina(folder, "simulate", "--ranks", str(ranks))
            paths = CircuitPaths(folder / "out" / "pair" / "default")
            known[key] = read_report(paths.report("drive", "soma"), "cells").data
            known["library"] = json.loads(paths.mechanisms.read_text())["library"]
        return known[key]

    run.known = known
    yield run


@pytest.mark.parametrize("name", list(COUPLINGS))
def test_the_pair_follows_backward_euler_in_numpy(simulated, name):
    found, expected = simulated(0.025, COUPLINGS[name]), integrate(0.025, COUPLINGS[name])
    assert found.shape == expected.shape
    assert np.ptp(expected[:, 0]) > 10
    assert np.abs(found - expected).max() < 1e-7


def test_both_couplings_move_the_second_cell(simulated):
    """The other tests mean little when a coupling is too weak to be seen."""
    alone = simulated(0.025, COUPLINGS["none"])[:, 1]
    for name in ("chemical", "electrical"):
        assert np.abs(simulated(0.025, COUPLINGS[name])[:, 1] - alone).max() > 1


def test_error_against_the_differential_equations_shrinks_with_the_step(simulated):
    errors = [np.abs(simulated(dt) - exact(dt, BOTH)).max() for dt in (0.1, 0.05, 0.025)]
    assert errors[2] < 0.2
    for coarse, fine in zip(errors, errors[1:], strict=False):
        assert 1.7 < coarse / fine < 2.3  # first order


@pytest.mark.parametrize("ranks", [1, 2])
def test_the_pair_equals_the_pair_built_by_hand(simulated, tmp_path, ranks):
    found = simulated(0.025, ranks=ranks)
    arguments = {"library": simulated.known["library"], "dt": 0.025}
    (tmp_path / "in.json").write_text(json.dumps(arguments))
    command = [sys.executable, str(HERE / "pair_by_hand.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    expected = np.array(json.loads((tmp_path / "out.json").read_text())).T[:-1]
    assert np.abs(found - expected).max() < 1e-7


def test_a_current_starts_and_stops_with_its_own_step(simulated):
    """Neither early nor late by one step, also where dt has no exact binary form."""
    for dt in (0.1, 0.05, 0.025):
        injected = simulated(dt, COUPLINGS["none"])[:, 0]
        slope = np.diff(injected) / dt * CAPACITANCE - LEAK * (pair.E_PAS - injected[1:])
        on = np.flatnonzero(slope > pair.CURRENT / 2)
        assert (on[0], on[-1] + 1) == (round(pair.START / dt), round(pair.STOP / dt))
        assert len(on) == on[-1] + 1 - on[0]
