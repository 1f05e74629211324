"""Currents for CoreNEURON: the line through our points is the step function at every step."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.simulation.coreneuron import held


@given(
    st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=1, max_size=30),
    st.integers(1, 5),
    st.integers(1, 80),
)
def test_the_line_holds_the_steps(values, every, steps):
    times, line = held(np.array(values), every, steps, 0.025)
    middle = (np.arange(steps) + 0.5) * 0.025
    expected = [values[min(step // every, len(values) - 1)] for step in range(steps)]
    assert np.array_equal(np.interp(middle, times, line), expected)
    assert np.all(np.diff(times) > 0)


def test_constant_currents_take_two_points():
    times, line = held(np.full(1000, 0.3), 1, 1000, 0.1)
    assert len(times) == 2 and line.tolist() == [0.3, 0.3]
