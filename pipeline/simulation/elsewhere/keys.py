"""Keys of a section of a config that an engine does not know, and values that are no numbers."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.errors import Problem


def unknown_keys(
    where: str, at: str, section: Mapping[str, Any], known: set[str], harmless: Iterable[str] = ()
) -> list[Problem]:
    """Names keys beyond those known; harmless ones as warnings.

    Args:
        where: The file.
        at: Place of the section in it; empty for the whole.
        section: Its keys.
        known: Keys that have their effect.
        harmless: Keys without one.
    """
    problems = []
    for key in section:
        if key in known:
            continue
        place = f"{where}  {at + '.' if at else ''}{key}"
        if key in harmless:
            problems.append(Problem(place, "has no effect here", level="warning"))
            continue
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "remove it, or use another engine"
        problems.append(Problem(place, "is not supported", hint))
    return problems


NUMBERS = {
    "tstop", "duration", "dt", "dL", "spike_threshold", "celsius", "v_init", "delay", "amp",
    "amp_start", "amp_end", "start_time", "end_time", "random_seed", "weight", "frequency", "width",
}  # fmt: skip
"""Keys whose value is a number, or a list of numbers, wherever they stand."""
_ABOVE_ZERO = {"tstop", "dt"}


def wrong_numbers(where: str, at: str, section: Any) -> list[Problem]:
    """Names values that engines would stumble over long after the start.

    Args:
        where: The file.
        at: Place of the section in it.
        section: What should be an object with keys.
    """
    if not isinstance(section, Mapping):
        return [Problem(f"{where}  {at}", f"is {section!r:.60}", "write an object")]
    problems = []
    for key, value in section.items():
        if key not in NUMBERS:
            continue
        values = value if isinstance(value, list) else [value]
        if not all(_is_number(item) for item in values):
            message, hint = f"is {value!r:.60}", "write a number"
        elif key in _ABOVE_ZERO and not all(item > 0 for item in values):
            message, hint = f"is {value!r}", "write a number above 0"
        else:
            continue
        problems.append(Problem(f"{where}  {at}.{key}", message, hint))
    return problems


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool) and math.isfinite(item)
