"""Numbers and units of the law ``retinotopic``, from the config and its table, with checks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.retinotopic import RetinotopicConnect
from pipeline.config.tables import read_csv
from pipeline.config.yaml_lines import KeyPath, nearest
from pipeline.edges.rules.tables import Classes, Findings
from pipeline.errors import ConfigError

SUSTAINED_ON, SUSTAINED_OFF, TRANSIENT, DUAL = range(4)
"""Groups of units."""
PROBABILITY, ON, FREQUENCY, DISTANCE, WIDTH, ASPECT = 0, 1, 2, 3, 5, 7
"""Columns of the numbers; the last three are followed by their upper end."""
_COLUMNS = {
    "probability": (0.0, 1.0), "sustained_on": (0.0, 1.0), "frequency_mean": (1e-9, 100.0),
    "distance_min": (0.0, np.inf), "distance_max": (0.0, np.inf),
    "width_min": (1e-9, np.inf), "width_max": (1e-9, np.inf),
    "aspect_min": (1.0, np.inf), "aspect_max": (1.0, np.inf),
}  # fmt: skip
_WORDS = ("source", "origin", "note")


def class_numbers(
    law: RetinotopicConnect, path: KeyPath, target: Classes, findings: Findings
) -> np.ndarray:
    """Numbers of each class of targets.

    Args:
        law: The law.
        path: Its key path.
        target: Classes; the attribute ``law.by`` is among their labels when there is a table.
        findings: Receives problems.

    Returns:
        float64 [target classes, 9]. Columns PROBABILITY, ON, FREQUENCY (Hz), then lower and upper
        end of DISTANCE, WIDTH (degrees) and ASPECT.
    """
    plain = [law.probability, law.sustained_on, law.frequency_mean]
    plain += [end for name in ("distance", "width", "aspect") for end in _ends(getattr(law, name))]
    numbers = np.tile(np.array(plain, np.float64), (len(target), 1))
    if law.table is None or law.by not in target.labels:
        return numbers
    try:
        file = findings.folder(law.table)
        frame = read_csv(file)
    except ConfigError as error:
        found = error.problems[0]
        findings.add((*path, "table"), f"{found.message}: {found.where}", found.hint)
        return numbers
    unknown = [name for name in frame if name not in (law.by, *_COLUMNS, *_WORDS)]
    if law.by not in frame or unknown:
        message = f"no column {law.by!r}" if law.by not in frame else f"unknown columns {unknown}"
        hint = f"columns are {law.by}, {', '.join(_COLUMNS)}"
        findings.add_line(file, 1, message, hint)
        return numbers
    return _with_table(numbers, frame, file, law.by, target, findings)


def _ends(value) -> tuple[float, float]:
    return value.low, value.high


def _with_table(
    numbers: np.ndarray, frame: pd.DataFrame, file: Path, by: str, target: Classes, findings
) -> np.ndarray:
    lines: dict[str, int] = {}
    for row, word in enumerate(frame[by]):
        if word in lines:
            findings.add_line(file, row + 2, f"{by} {word!r} stands twice", "keep one line")
        lines[word] = row
    for c, word in enumerate(target.labels[by]):
        if word not in lines:
            findings.add_line(file, 1, f"no line for {by} {word!r}", nearest(word, sorted(lines)))
            continue
        row = lines[word]
        for k, (name, bounds) in enumerate(_COLUMNS.items()):
            text = frame[name].iloc[row].strip() if name in frame else ""
            if text:
                numbers[c, k] = _number(text, name, bounds, file, row + 2, findings)
        for k, name in ((DISTANCE, "distance"), (WIDTH, "width"), (ASPECT, "aspect")):
            low, high = numbers[c, k : k + 2]
            if low > high:
                message = f"{name}_min ({low:g}) is above {name}_max ({high:g})"
                findings.add_line(file, row + 2, message, "give both ends")
    return numbers


def _number(
    text: str, name: str, bounds: tuple[float, float], file: Path, line: int, findings: Findings
) -> float:
    try:
        number = float(text)
    except ValueError:
        findings.add_line(file, line, f"{name} is {text!r}, no number", "correct the table")
        return 1.0
    if not (bounds[0] <= number <= bounds[1] and np.isfinite(number)):
        message = f"{name} is {text}, not between {bounds[0]:g} and {bounds[1]:g}"
        findings.add_line(file, line, message, "correct the table")
    return number


def unit_groups(
    law: RetinotopicConnect, path: KeyPath, frame: pd.DataFrame, codes: np.ndarray, findings
) -> tuple[np.ndarray, np.ndarray]:
    """Group and frequency of each unit.

    Args:
        law: The law.
        path: Its key path.
        frame: Units with their attributes.
        codes: int64 [units]. Class of the rule; -1 where not selected.
        findings: Receives problems.

    Returns:
        Group int64 [units], -1 for none; frequency float64 [units], Hz, NaN where there is none.
    """
    units, at = law.units, (*path, "units")
    groups = np.full(len(frame), -1, np.int64)
    frequency = np.full(len(frame), np.nan)
    missing = [key for key in ("by", "frequency") if getattr(units, key) not in frame]
    for key in missing:
        name = getattr(units, key)
        findings.add((*at, key), f"units have no attribute {name!r}", nearest(name, list(frame)))
    if missing:
        return groups, frequency
    words = frame[units.by].astype(object).map(str)
    known = sorted(set(words[codes >= 0]))
    names = ("sustained_on", "sustained_off", "transient", "dual")
    for group, name in enumerate(names):
        for index, word in enumerate(getattr(units, name)):
            if word not in known:
                message = f"no selected unit has {units.by} {word!r}"
                findings.add((*at, name, index), message, nearest(word, known))
        groups[words.isin(getattr(units, name)) & (codes >= 0)] = group
    frequency[:] = pd.to_numeric(frame[units.frequency].astype(object), errors="coerce")
    lacking = (groups >= 0) & (groups < DUAL) & ~np.isfinite(frequency)
    if lacking.any():
        word = words[lacking].iloc[0]
        message = f"{int(lacking.sum())} units have no frequency, such as those of {word}"
        findings.add((*at, "frequency"), message, "only dual units do without")
    return groups, frequency
