"""Opens morphology files with MorphIO, which trusts what an HDF5 file says about itself."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from pipeline.errors import MorphologyError, Problem

EXPORT = "correct the file, or export it anew"
FARTHEST = 1e7
"""um. Ten metres: what lies farther is damage, and would be cut into endless segments."""
_HDF5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError)


def open_shape(path: Path):
    """Reads a file.

    Args:
        path: SWC, ASC or H5; exists.

    Returns:
        MorphIO's morphology and the warnings it collected.

    Raises:
        MorphologyError: If MorphIO cannot read it, or would read outside of it.
    """
    import morphio

    kind = path.suffix.lower()
    if kind == ".h5":
        _check_h5(path)
    elif kind == ".asc":
        _check_brackets(path)
    warnings = morphio.WarningHandlerCollector()
    change = morphio.Option.allow_unifurcated_section_change  # an axon may start on a dendrite
    try:
        raw = morphio.Morphology(str(path), options=change, warning_handler=warnings)
    except (morphio.MorphioError, RuntimeError, ValueError) as error:
        raise MorphologyError(unusable(path, str(error))) from None
    if kind == ".swc":
        _check_reached(path, raw)
    for name, points in (("soma", raw.soma.points), ("neurites", raw.points)):
        # The negated form catches NaN.
        wrong = np.flatnonzero(~np.all(np.abs(points) <= FARTHEST, axis=1))
        if len(wrong):
            place = ", ".join(f"{value:g}" for value in points[wrong[0]])
            message = f"point {wrong[0] + 1} of the {name} lies at {place}"
            raise MorphologyError(
                Problem(str(path), message, f"um, at most {FARTHEST:g}: {EXPORT}")
            )
    return raw, warnings


def unusable(path: Path, text: str) -> Problem:
    """MorphIO's message as a problem with its line; without colours and repeated paths."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    marks = re.compile(rf"{re.escape(str(path))}:(\d+):(?:error|warning)\s*(?:Warning:)?")
    line = marks.search(text)
    text = " ".join(marks.sub(" ", text).replace(str(path), path.name).split())[:300]
    where = f"{path}:{line[1]}" if line else str(path)
    return Problem(where, f"not a usable morphology: {text}", EXPORT)


def _check_brackets(path: Path) -> None:
    """Makes sure that brackets close; MorphIO leaves out what follows one too many."""
    text = re.sub(r'"[^"]*"|;[^\n]*', " ", path.read_text(encoding="utf-8", errors="replace"))
    depth = 0
    for match in re.finditer(r"[()]", text):
        depth += 1 if match[0] == "(" else -1
        if depth < 0:
            raise MorphologyError(
                Problem(str(path), "a bracket closes what nothing opened", EXPORT)
            )
    if depth:
        raise MorphologyError(Problem(str(path), f"{depth} brackets stay open", EXPORT))


def _check_reached(path: Path, raw) -> None:
    """Makes sure that no sample is left out, as MorphIO does with those that hang on each other."""
    text = path.read_text(encoding="utf-8", errors="replace")
    rows = [line.split() for line in text.splitlines() if line.strip()[:1] not in ("", "#")]
    forks = sum(not section.is_root for section in raw.sections)
    if len(rows) == len(raw.soma.points) + len(raw.points) - forks:
        return
    parents = {row[0]: row[6] for row in rows if len(row) >= 7}
    known: set[str] = set()
    for number in parents:
        way = []
        while number in parents and number not in known:
            known.add(number)
            way.append(number)
            number = parents[number]
        if number in way:
            message = f"samples {', '.join(way[way.index(number) :][:5])} hang on each other"
            raise MorphologyError(Problem(str(path), message, EXPORT))


def _check_h5(path: Path) -> None:
    """Makes sure that sections lie inside the points and hang on earlier ones.

    MorphIO follows both without looking and ends the process where they lead outside.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            points, structure = (np.asarray(file[name]) for name in ("points", "structure"))
    except _HDF5_ERRORS as error:
        raise MorphologyError(unusable(path, str(error))) from None
    faults = (
        (points.ndim != 2 or points.shape[-1] != 4, "points", "[points, 4] numbers"),
        (points.dtype.kind not in "iuf", "points", "[points, 4] numbers"),
        (structure.ndim != 2 or structure.shape[-1] != 3, "structure", "[sections, 3] integers"),
        (structure.dtype.kind not in "iu" or not structure.size, "structure", "[sections, 3] integers"),
    )  # fmt: skip
    for wrong, name, expected in faults:
        if wrong:
            found = points if name == "points" else structure
            message = f"holds {found.dtype} of shape {list(found.shape)}; expected {expected}"
            raise MorphologyError(Problem(f"{path}: /{name}", message, EXPORT))
    offset, parent = structure[:, 0].astype(np.int64), structure[:, 2].astype(np.int64)
    outside = (offset < 0) | (offset >= len(points)) | (np.diff(offset, prepend=0) < 0)
    rows = np.flatnonzero(outside | (parent < -1) | (parent >= np.arange(len(parent))))
    if len(rows):
        row = rows[0]
        message = (
            f"row {row} begins at point {offset[row]} of {len(points)}, on section {parent[row]}; "
            "expected points in order and an earlier section"
        )
        raise MorphologyError(Problem(f"{path}: /structure", message, EXPORT))
