"""Keys of a section of a config that an engine does not know."""

from __future__ import annotations

import difflib
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
