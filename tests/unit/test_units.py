"""Quantities: what is accepted, converted and refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.units import known_units, parse_quantity


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("0.025 ms", "ms", 0.025),
        ("1 s", "ms", 1000.0),
        ("-65mV", "mV", -65.0),
        ("30 pA", "nA", 0.03),
        ("1e-4", "uS", 1e-4),
        ("0.49 nS", "uS", 0.00049),
        ("1 nS/um2", "S/cm2", 0.1),
        ("2 µm", "um", 2.0),
        (7, "Hz", 7.0),
    ],
)
def test_quantities_are_converted_to_canonical_units(text, unit, value):
    assert parse_quantity(text, unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("bad", ["", "ms", "1 mV", "1 2 ms", None, True, [1], "inf", float("nan")])
def test_what_is_no_time_is_refused(bad):
    with pytest.raises(ValueError):
        parse_quantity(bad, "ms")


@given(st.floats(-1e12, 1e12), st.sampled_from(sorted(known_units())), st.data())
def test_number_and_text_agree(number, unit, data):
    spelling = data.draw(st.sampled_from(known_units()[unit]))
    scale = parse_quantity(f"1 {spelling}", unit)
    assert parse_quantity(f"{number!r} {spelling}", unit) == pytest.approx(number * scale)
