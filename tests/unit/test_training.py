"""Training: time steps against plain NumPy, the adjoint against differences, descent, ridge."""

import numpy as np
import pytest

from pipeline.config.load import load_model
from pipeline.errors import ConfigError
from pipeline.training.channels import VOLTAGES
from pipeline.training.descent import Schedule, descend, load_state, start_state
from pipeline.training.network import adjoint, build_net, run
from pipeline.training.problem import (
    Bounds,
    Parameters,
    Target,
    correlation_loss,
    evaluate,
    hold_out,
    interpolation,
)
from pipeline.training.readouts import cross_validate, explained, ridge
from pipeline.training.stage import read_target

LAWS = np.array([[5e-4, 30.0, 0.5, -20.0, 5.0], [2e-4, -70.0, 0.015, -20.0, 5.0]])


def gate(half, slope):
    return 1 / (1 + np.exp(-(VOLTAGES - half) / slope))


@pytest.fixture
def arrays():
    """Three cells of four compartments: a soma, its end without membrane, two neurites."""
    one = np.array([-1, 0, 1, 1])
    parent = np.concatenate([np.where(one < 0, -1, one + 4 * k) for k in range(3)])
    area = np.tile([1.0, 0, 2.0, 3.0], 3)
    return {
        "parent": parent,
        "soma": np.array([0, 4, 8]),
        "axial": np.tile([0.0, 0.02, 0.01, 0.005], 3),
        "capacity": 2e-3 * area,
        "leak": 1e-4 * area,
        "rest": np.tile([-65.0, 0, -60, -55], 3),
        "channel_cell": np.array([0, 0, 1, 2, 2]),
        "channel_kind": np.array(["shl1", "kcnl", "shk1", "egl36", "shl1"]),
        "channel_g": np.array([3e-4, 1e-4, 2e-4, 2e-4, 1e-4]),
        "channel_e": np.array([-80.0, -80, -80, -80, -80]),
        "table.shl1.minf": gate(-40, 12),
        "table.shl1.hinf": gate(-50, -9),
        "table.shl1.taum": 3 + 2 * gate(-30, 20),
        "table.shl1.tauhfast": 20 + 30 * gate(-30, -20),
        "table.shl1.tauhslow": 200 + 300 * gate(-30, -20),
        "table.shk1.minf": gate(-30, 10),
        "table.shk1.hinf": gate(-40, -10),
        "table.shk1.taum": 10 + 5 * gate(-30, -20),
        "table.shk1.tauh": np.full_like(VOLTAGES, 1400.0),
        "table.egl36.minf": gate(-20, 15),
        "table.egl36.taufast": np.full_like(VOLTAGES, 13.0),
        "table.egl36.taumid": np.full_like(VOLTAGES, 63.0),
        "table.egl36.tauslow": np.full_like(VOLTAGES, 355.0),
        "table.kcnl.m": np.array([0.13]),
        "syn_pre": np.array([2, 6, 3]),
        "syn_post": np.array([7, 10, 0]),
        "law_excitatory": LAWS[0],
        "law_inhibitory": LAWS[1],
        "gap_a": np.array([3, 6]),
        "gap_b": np.array([11, 10]),
        "names": np.array(["A", "B", "C"]),
    }


WEIGHTS, GAPS = np.array([0.8, -0.5, 1.2]), np.array([2e-4, 5e-5])


def drive(steps=40):
    rng = np.random.default_rng(3)
    return np.cumsum(rng.normal(0, 0.004, (steps, 2)), 0) + 0.02


def naive(arrays, dt, weights, gaps, current, inputs):
    """The same steps with dense matrices and the gates' formulas written out."""

    def table(name, v):
        return np.interp(v, VOLTAGES, arrays[f"table.{name}"])

    def keep(name, v):
        return np.interp(v, VOLTAGES, np.exp(-dt / arrays[f"table.{name}"]))

    n, soma = len(arrays["parent"]), arrays["soma"]
    v = np.full(n, -65.0)
    shl = {c: [table(f"shl1.{g}", v[0]) for g in ("minf", "hinf", "hinf")] for c in (0, 2)}
    shk = [table("shk1.minf", v[0]), table("shk1.hinf", v[0])]
    egl = [table("egl36.minf", v[0])] * 3
    law = np.where(weights[:, None] >= 0, LAWS[0], LAWS[1])

    def release(x):
        return 1 / (1 + np.exp((law[:, 3] - x) / law[:, 4]))

    s, trace = release(v[arrays["syn_pre"]]), [v]
    for row in current:
        matrix, right = np.zeros((n, n)), np.zeros(n)
        for i in range(n):
            matrix[i, i] += arrays["capacity"][i] / dt + arrays["leak"][i]
            right[i] += arrays["capacity"][i] / dt * v[i] + arrays["leak"][i] * arrays["rest"][i]
            if (p := arrays["parent"][i]) >= 0:
                matrix[[i, p], [i, p]] += arrays["axial"][i]
                matrix[[i, p], [p, i]] -= arrays["axial"][i]
        open_shares = [
            shl[0][0] ** 3 * (0.7 * shl[0][1] + 0.3 * shl[0][2]), 0.13, shk[0] * shk[1],
            0.33 * egl[0] + 0.36 * egl[1] + 0.39 * egl[2],
            shl[2][0] ** 3 * (0.7 * shl[2][1] + 0.3 * shl[2][2]),
        ]  # fmt: skip
        for c, share in enumerate(open_shares):
            node, g = soma[arrays["channel_cell"][c]], arrays["channel_g"][c] * share
            matrix[node, node] += g
            right[node] += g * arrays["channel_e"][c]
        for k, post in enumerate(arrays["syn_post"]):
            g = abs(weights[k]) * law[k, 0] * s[k]
            matrix[post, post] += g
            right[post] += g * law[k, 1]
        for j, (a, b) in enumerate(zip(arrays["gap_a"], arrays["gap_b"], strict=True)):
            for here, there in ((a, b), (b, a)):
                matrix[here, here] += gaps[j]
                right[here] += gaps[j] * v[there]
        right[soma[inputs]] += row
        v = np.linalg.solve(matrix, right)
        for c, gates in shl.items():
            for k, (inf, tau) in enumerate(
                (("minf", "taum"), ("hinf", "tauhfast"), ("hinf", "tauhslow"))
            ):
                goal = table(f"shl1.{inf}", v[soma[c]])
                gates[k] = goal + (gates[k] - goal) * keep(f"shl1.{tau}", v[soma[c]])
        for k, (inf, tau) in enumerate((("minf", "taum"), ("hinf", "tauh"))):
            goal = table(f"shk1.{inf}", v[soma[1]])
            shk[k] = goal + (shk[k] - goal) * keep(f"shk1.{tau}", v[soma[1]])
        goal = table("egl36.minf", v[soma[2]])
        egl = [goal + (x - goal) * np.exp(-dt / t) for x, t in zip(egl, (13, 63, 355), strict=True)]
        pre = v[arrays["syn_pre"]]
        rate = law[:, 2] * (1 + np.exp(-(law[:, 3] - pre) / law[:, 4]))
        s = release(pre) + (s - release(pre)) * np.exp(-dt * rate)
        trace.append(v)
    return np.array(trace)


def test_steps_equal_dense_algebra(arrays):
    inputs = np.array([0, 2])
    found = run(build_net(arrays, 1.0, inputs), WEIGHTS, GAPS, drive()).voltage
    expected = naive(arrays, 1.0, WEIGHTS, GAPS, drive(), inputs)
    assert np.ptp(expected[:, 0]) > 5
    # Synapses are read from tables of 0.25 mV here and from formulas there.
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_the_adjoint_is_the_slope(arrays):
    net, current = build_net(arrays, 1.0, np.array([0, 2])), drive()
    cells, rng = np.array([0, 1, 2]), np.random.default_rng(1)
    weight = rng.normal(size=(len(current) + 1, 3))

    def loss(w, g, c):
        return (run(net, w, g, c).voltage[:, net.soma] * weight).sum()

    trace = run(net, WEIGHTS, GAPS, current)
    slopes = adjoint(net, WEIGHTS, GAPS, trace, cells, weight)
    for index, (slope, size) in enumerate(zip(slopes, (1e-5, 1e-9, 1e-7), strict=True)):
        for place in np.ndindex(slope.shape) if index < 2 else [(0, 0), (11, 1), (39, 0)]:
            step = np.zeros(slope.shape)
            step[place] = size
            moved = [
                loss(
                    *(
                        x + sign * step if k == index else x
                        for k, x in enumerate((WEIGHTS, GAPS, current))
                    )
                )
                for sign in (1, -1)
            ]
            assert slope[place] == pytest.approx((moved[0] - moved[1]) / (2 * size), rel=2e-3)


def test_gaps_conserve_current(arrays):
    """Two passive cells with one junction: what one loses the other gains."""
    arrays |= {
        key: arrays[key][:0] for key in ("channel_cell", "channel_kind", "channel_g", "channel_e")
    }
    arrays |= {"syn_pre": np.zeros(0, int), "syn_post": np.zeros(0, int)}
    arrays |= {"leak": np.zeros(12), "gap_a": np.array([0]), "gap_b": np.array([4])}
    net = build_net(arrays, 1e-3, np.array([0]))
    current = np.full((2000, 1), 0.01)
    v = run(net, np.zeros(0), np.array([1e-3]), current).voltage
    charge = (arrays["capacity"] * (v[-1] - v[0])).sum()
    assert charge == pytest.approx(0.01 * 2000e-3, rel=1e-3)
    assert v[-1, 4] > v[0, 4]


def target(pairs=((0, 1), (0, 2), (1, 2)), held=(False, False, True)):
    a, b = np.array(pairs).T
    return Target(np.arange(3), a, b, np.array([0.5, -0.2, 0.9]), np.array(held))


def test_the_loss_is_the_error_of_pearson_correlations():
    voltage = np.random.default_rng(0).normal(size=(50, 3)) + [0, 10, -60]
    trained, held, slope = correlation_loss(voltage, target())
    r = np.corrcoef(voltage.T)
    assert trained == pytest.approx(((r[0, 1] - 0.5) ** 2 + (r[0, 2] + 0.2) ** 2) / 2)
    assert held == pytest.approx((r[1, 2] - 0.9) ** 2)
    step = np.zeros_like(voltage)
    step[7, 0] = 1e-5
    moved = [correlation_loss(voltage + sign * step, target())[0] for sign in (1, -1)]
    assert slope[7, 0] == pytest.approx((moved[0] - moved[1]) / 4e-5, rel=1e-5)
    np.testing.assert_allclose(slope.sum(0), 0, atol=1e-15)


def test_training_lowers_the_error(arrays, tmp_path):
    net = build_net(arrays, 1.0, np.array([0, 2]))
    start = Parameters(WEIGHTS, GAPS, np.full((6, 2), 0.02))

    def score(vector):
        return evaluate(net, target(), start.like(vector), 40)

    def clip(vector):
        return start.like(vector).bounded(Bounds()).vector()

    schedule = Schedule(30, 0.1, save_every=10)
    whole = descend(score, clip, start_state(start.vector()), schedule, tmp_path / "a.npz", "k", "")
    assert whole.history[:, 0].min() < 0.3 * whole.history[0, 0]
    assert start.like(whole.best).gaps.min() >= 1e-9
    # Killed after twenty epochs: the rest is the same as without.
    part = Schedule(30, 0.1, save_every=10)

    class Killed(Exception):
        pass

    def dying(vector, left=[25]):  # noqa: B006
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return score(vector)

    with pytest.raises(Killed):
        descend(dying, clip, start_state(start.vector()), part, tmp_path / "b.npz", "k", "")
    assert load_state(tmp_path / "b.npz", "k").epoch == 20
    again = descend(score, clip, start_state(start.vector()), part, tmp_path / "b.npz", "k", "")
    np.testing.assert_array_equal(again.history, whole.history)
    np.testing.assert_array_equal(again.best, whole.best)
    assert load_state(tmp_path / "b.npz", "other") is None
    assert (tmp_path / "b.jsonl").read_text().count("\n") == 31


def test_currents_run_in_straight_lines():
    matrix = interpolation(8, 3)
    np.testing.assert_allclose(matrix.sum(1), 1)
    np.testing.assert_allclose(matrix @ [0.0, 4.0, 0.0], [0.5, 1.5, 2.5, 3.5, 3.5, 2.5, 1.5, 0.5])


def test_held_out_pairs_are_a_fixed_share():
    chosen = hold_out(0, 2045, 0.1)
    assert chosen.sum() == 204
    np.testing.assert_array_equal(chosen, hold_out(0, 2045, 0.1))


def test_a_target_needs_the_circuits_cells(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,r\nX,Y,0.5\n")
    with pytest.raises(ConfigError, match="no pair of these cells"):
        read_target(path, ["A"], 0.1)
    path.write_text("a,b,r\nA,B,x\n")
    with pytest.raises(ConfigError, match="no number"):
        read_target(path, ["A", "B"], 0.1)


def test_ridge_equals_least_squares_with_penalty_rows():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(60, 4)) + 5, rng.normal(size=(60, 2))
    weights, offset = ridge(x, y, 0.3)
    tall = np.vstack([np.c_[x, np.ones(60)], np.c_[np.sqrt(0.3 * 60) * np.eye(4), np.zeros(4)]])
    found = np.linalg.lstsq(tall, np.vstack([y, np.zeros((4, 2))]), rcond=None)[0]
    np.testing.assert_allclose(weights, found[:4].T, atol=1e-10)
    np.testing.assert_allclose(offset, found[4], atol=1e-9)


def test_cross_validation_sees_through_noise():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(100, 60))
    noise = rng.random((100, 3))
    weights, offset = ridge(x, noise, 1e-6)
    assert explained(noise, x @ weights.T + offset) > 0.5
    assert cross_validate(x, noise, 1e-6, 5) < 0
    law = np.clip(0.5 + 0.1 * x[:, :3], 0, 1)
    assert cross_validate(x, law, 1e-6, 5) > 0.99


def test_a_readout_needs_a_circuit(tmp_path):
    resolved = load_model("rod", "tiny")
    assert resolved.model.training == {}
