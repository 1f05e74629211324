"""Somatic currents: values over time, and noise that belongs to the cell."""

import numpy as np
import pytest

from pipeline.config.simulation import ConstantCurrent, NoiseCurrent, StepCurrent
from pipeline.runtime import rng_for
from pipeline.simulation.inputs import current_at


def test_a_step_holds_from_each_time_on():
    steps = StepCurrent(kind="step", nodes="x", times=[1, 2], amplitudes=[0.5, -1])
    values = current_at(steps, np.array([0, 0.9, 1.0, 1.9, 2.0, 9.0]), 2, [])
    assert values.T.tolist() == [[0, 0, 0.5, 0.5, -1, -1]] * 2


def test_a_constant_has_start_and_stop():
    law = ConstantCurrent(kind="constant", nodes="x", amplitude="20 pA", start=1, stop=3)
    assert current_at(law, np.arange(5.0), 1, []).ravel() == pytest.approx([0, 0.02, 0.02, 0, 0])


def test_noise_has_its_moments_and_blocks_continue_it():
    law = NoiseCurrent(kind="noise", nodes="x", mean="30 pA", sd="1 pA")
    whole = current_at(law, np.arange(4000.0), 3, [rng_for(1, "i", k) for k in range(3)])
    streams = [rng_for(1, "i", k) for k in range(3)]
    parts = [current_at(law, np.arange(n, n + 1000.0), 3, streams) for n in range(0, 4000, 1000)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert whole.mean() == pytest.approx(0.03, abs=5 * 0.001 / np.sqrt(12000))
    assert whole.std() == pytest.approx(0.001, rel=0.03)
    assert abs(np.corrcoef(whole.T)[0, 1]) < 0.06


def test_steps_must_pair_and_rise():
    with pytest.raises(ValueError, match="2 times for 1"):
        StepCurrent(kind="step", nodes="x", times=[1, 2], amplitudes=[1])
    with pytest.raises(ValueError, match="must rise"):
        StepCurrent(kind="step", nodes="x", times=[2, 1], amplitudes=[1, 1])
