"""Canonical units and the parsing of quantities such as ``"0.025 ms"``.

Inside the pipeline numbers are plain floats in ms, mV, um, nA, uS, S/cm2, mM, degC, Hz, ohm cm and
uF/cm2; units are read once, at the edge of the config.
"""

from __future__ import annotations

import math
import re

_SCALES: dict[str, dict[str, float]] = {
    "ms": {"ms": 1.0, "s": 1e3, "us": 1e-3, "min": 6e4},
    "mV": {"mV": 1.0, "V": 1e3, "uV": 1e-3},
    "um": {"um": 1.0, "mm": 1e3, "nm": 1e-3, "cm": 1e4},
    "nA": {"nA": 1.0, "pA": 1e-3, "uA": 1e3},
    "uS": {"uS": 1.0, "nS": 1e-3, "pS": 1e-6, "mS": 1e3},
    "S/cm2": {"S/cm2": 1.0, "mS/cm2": 1e-3, "uS/cm2": 1e-6, "pS/um2": 1e-4, "nS/um2": 1e-1},
    "mM": {"mM": 1.0, "uM": 1e-3, "nM": 1e-6, "M": 1e3},
    "degC": {"degC": 1.0},
    "Hz": {"Hz": 1.0, "kHz": 1e3},
    "ohm cm": {"ohm cm": 1.0, "kohm cm": 1e3, "ohm m": 1e2},
    "Mohm": {"Mohm": 1.0, "kohm": 1e-3, "Gohm": 1e3},
    "uF/cm2": {"uF/cm2": 1.0, "nF/cm2": 1e-3},
    "1/mm3": {"1/mm3": 1.0, "/mm3": 1.0, "1/um3": 1e9, "1/cm3": 1e-3},
    "um2/ms": {"um2/ms": 1.0, "um2/s": 1e-3, "cm2/s": 1e5, "mm2/s": 1e3},
    "um/ms": {"um/ms": 1.0, "m/s": 1e3, "mm/ms": 1e3},
}

_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")


def parse_quantity(value: object, unit: str) -> float:
    """Turns a number or a string with a unit into a float in the canonical unit.

    Args:
        value: A number (already canonical) or a string such as ``"30 pA"``.
        unit: The canonical unit, one of the keys of the table above.

    Returns:
        The value in ``unit``.

    Raises:
        ValueError: If the text is no number, not finite, or has a unit of another kind.
    """
    scales = _SCALES[unit]
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"expected a quantity such as '1 {unit}', found {value!r}")
    if isinstance(value, str):
        match = _QUANTITY.match(value)
        if not match:
            raise ValueError(f"expected a quantity such as '1 {unit}', found {value!r}")
        number, suffix = float(match[1]), match[2].replace("µ", "u").replace("μ", "u")
        if suffix and suffix not in scales:
            raise ValueError(f"unit {suffix!r} is not one of {', '.join(scales)} (in {value!r})")
        number *= scales[suffix] if suffix else 1.0
    else:
        number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number, found {value!r}")
    return number


def known_units() -> dict[str, list[str]]:
    """Returns the accepted spellings per canonical unit, for the documentation."""
    return {unit: list(scales) for unit, scales in _SCALES.items()}
