"""Gives every soma a morphology of its type and a rotation about the pia axis."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.celltypes import TypeSpec
from pipeline.config.load import Resolved
from pipeline.config.placement import MorphologyChoice, PlacedNodes
from pipeline.config.placement_rules import NEURITES, PlacementRule, read_rules
from pipeline.config.tables import read_csv
from pipeline.config.yaml_lines import nearest
from pipeline.errors import ConfigError, Problem
from pipeline.nodes.counts import value_of
from pipeline.nodes.emodel_choice import Judged
from pipeline.nodes.fit import draw, fit
from pipeline.nodes.place import Placement
from pipeline.nodes.streams import TypeStream
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import not_built

_BLOCK = 1 << 20
"""Scores held at once for one type."""
_TYPE = "m_type"


@dataclass(frozen=True)
class Shapes:
    """The morphologies of one type.

    Attributes:
        names: Their file names without suffix.
        extents: axon and dendrite: float64 [morphologies, 2], lowest and highest y relative to the
            soma, um; NaN for a neurite that is not there.
    """

    names: np.ndarray
    extents: dict[str, np.ndarray]


def rules_of(
    resolved: Resolved, name: str, specs: list[TypeSpec]
) -> dict[str, list[PlacementRule]]:
    """Reads the placement rules of a population, by type.

    Raises:
        ConfigError: With the line of everything that is wrong.
    """
    nodes: PlacedNodes = resolved.model.nodes[name]
    choice = nodes.morphologies
    types = list(dict.fromkeys(value_of(spec, choice.by) for spec in specs))
    return read_rules(resolved.path(choice.rules), choice.by, types, nodes.layers)


def read_shapes(path: Path, types: list[str]) -> dict[str, Shapes]:
    """Reads what the stage ``morphologies`` has made, for some types.

    Args:
        path: ``components/morphologies.csv``: name, m_type, and axon_y_min, axon_y_max,
            dendrite_y_min, dendrite_y_max (um relative to the soma; empty without the neurite).
        types: The types that need morphologies.

    Returns:
        Type to its morphologies, in the order of the table.

    Raises:
        CircuitError: If the table is not there.
        ConfigError: For missing columns, numbers that are none, and types without a morphology.
    """
    if not path.is_file():
        raise not_built(path, "morphologies")
    frame = read_csv(path)
    ends = {n: [f"{n}_y_min", f"{n}_y_max"] for n in NEURITES}
    wanted = ["name", _TYPE, *(column for pair in ends.values() for column in pair)]
    problems = [
        Problem(f"{path}:1", f"no column {column!r}", nearest(column, list(frame.columns)))
        for column in wanted
        if column not in frame
    ]
    if problems:
        raise ConfigError(problems)
    numbers = {n: _numbers(frame, columns, path, problems) for n, columns in ends.items()}
    for row in np.flatnonzero(frame["name"].duplicated()):
        text = f"morphology {frame['name'].iloc[row]!r} stands twice"
        problems.append(Problem(f"{path}:{row + 2}", text, "one row per morphology"))
    own = frame[_TYPE].to_numpy()
    if missing := [name for name in types if name not in set(own)]:
        message = f"no morphology of {', '.join(missing)}"
        hint = "every type of the population needs one; add some to the library"
        problems.append(Problem(str(path), message, hint))
    if problems:
        raise ConfigError(problems)
    names = frame["name"].to_numpy(object)
    return {
        name: Shapes(names[own == name], {n: v[own == name] for n, v in numbers.items()})
        for name in types
    }


def _numbers(
    frame: pd.DataFrame, columns: list[str], path: Path, problems: list[Problem]
) -> np.ndarray:
    """Two columns as float64 [n, 2]; NaN in both where a cell is empty."""
    texts = frame[columns].map(str.strip)
    values = texts.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64, copy=True)
    empty = texts.isin(["", "nan", "NaN"]).to_numpy()
    for row, column in np.argwhere(~np.isfinite(values) & ~empty):
        message = f"{columns[column]} is {texts.iloc[row, column]!r}"
        problems.append(Problem(f"{path}:{row + 2}", message, "write a number of um, or nothing"))
    for row in np.flatnonzero(values[:, 0] > values[:, 1]):
        message = f"{columns[0]} lies above {columns[1]}"
        problems.append(Problem(f"{path}:{row + 2}", message, "swap them"))
    values[empty.any(axis=1)] = np.nan
    return values


def choose_shapes(
    resolved: Resolved,
    name: str,
    placement: Placement,
    paths: CircuitPaths,
    judged: Judged | None = None,
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Draws the morphology of every cell and writes its rotation as a quaternion.

    A cell's draw belongs to (seed, population, region, cell type, index within the type), as its
    position does.

    Args:
        resolved: The model.
        name: The population.
        placement: Its cells.
        paths: The circuit; its morphologies exist.
        judged: Which morphologies each cell type may have; None: all of its m-type.

    Returns:
        Columns by name: morphology (text [n]) and orientation_w, _x, _y, _z (float64 [n]); and how
        well they fit: one row per type and rule.

    Raises:
        CircuitError: If there are no morphologies yet.
        ConfigError: If a table is wrong, or too many cells have no morphology that fits.
    """
    nodes: PlacedNodes = resolved.model.nodes[name]
    choice, seed = nodes.morphologies, resolved.model.seed
    rules = rules_of(resolved, name, placement.specs)
    present = [s for s, count in zip(placement.specs, placement.counts, strict=True) if count]
    types = list(dict.fromkeys(value_of(spec, choice.by) for spec in present))
    shapes = read_shapes(paths.morphology_table, types)
    own = np.array([value_of(spec, choice.by) for spec in placement.specs], object)
    uniforms = np.concatenate([
        TypeStream(seed, (name, spec.region, spec.name)).uniforms("morphology", 0, count)[:, 0]
        for spec, count in zip(placement.specs, placement.counts, strict=True)
    ])  # fmt: skip
    height = placement.columns["y"].astype(np.float64)
    chosen = np.full(len(uniforms), "", object)
    rows = []
    for kind in types:
        cells = np.flatnonzero((own == kind)[placement.type_ids])
        allowed = None
        if judged:
            masks = np.array([judged.allowed(s.name, shapes[kind].names) for s in placement.specs])
            allowed = masks[placement.type_ids[cells]]
        chosen[cells], found = _choose_type(
            choice, rules[kind], shapes[kind], height[cells], uniforms[cells], allowed
        )
        rows += [{choice.by: kind} | row for row in found]
    table = pd.DataFrame(rows)
    _check_unfit(resolved, name, choice, table)
    angle = placement.columns.get("rotation_angle_yaxis", np.zeros(len(chosen)))
    return {"morphology": chosen, **quaternions(angle)}, table


def quaternions(angle: np.ndarray) -> dict[str, np.ndarray]:
    """Rotation about y as unit quaternions: p = R(q) p_local, from z towards x for small angles.

    Args:
        angle: float64 [n], rad.

    Returns:
        orientation_w, orientation_x, orientation_y, orientation_z: float64 [n].
    """
    none = np.zeros(len(angle))
    parts = (np.cos(angle / 2), none, np.sin(angle / 2), none)
    return {f"orientation_{axis}": part for axis, part in zip("wxyz", parts, strict=True)}


def _choose_type(
    choice: MorphologyChoice,
    rules: list[PlacementRule],
    shapes: Shapes,
    height: np.ndarray,
    uniforms: np.ndarray,
    allowed: np.ndarray | None = None,
) -> tuple[np.ndarray, list[dict[str, object]]]:
    """Names [cells], and one row for the type and for each of its optional rules."""
    index, unfit = np.empty(len(height), np.int64), np.empty(len(height), bool)
    score, unmet = np.empty(len(height)), np.zeros(len(rules), np.int64)
    step = max(1, _BLOCK // len(shapes.names))
    for low in range(0, len(height), step):
        part = slice(low, low + step)
        mask = None if allowed is None else allowed[part]
        found = fit(rules, height[part], shapes.extents, choice.overshoot, mask)
        index[part], unfit[part] = draw(found, choice.alpha, uniforms[part])
        score[part] = np.take_along_axis(found.score, index[part, None], axis=1)[:, 0]
        unmet += found.unmet
    whole = {
        "rule": "", "cells": len(height), "unmet": int(unfit.sum()),
        "morphologies": len(shapes.names), "used": len(np.unique(index)),
        "mean_score": float(score.mean()),
    }  # fmt: skip
    parts = [
        {"rule": rule.name, "cells": len(height), "unmet": int(number)}
        for rule, number in zip(rules, unmet, strict=True)
        if rule.kind != "below"
    ]
    return shapes.names[index], [whole, *parts]


def _check_unfit(
    resolved: Resolved, name: str, choice: MorphologyChoice, table: pd.DataFrame
) -> None:
    """Refuses a placement of which too many cells have no morphology that fits."""
    whole = table[table["rule"] == ""]
    share = whole["unmet"].sum() / max(1, whole["cells"].sum())
    if share > choice.most_unfit:
        worst = whole.sort_values("unmet", ascending=False, kind="stable").iloc[0]
        message = (
            f"no morphology fits {share:.0%} of the cells; at most {choice.most_unfit:.0%} may be "
            f"so (most: {worst['unmet']} of {worst['cells']} {worst[choice.by]})"
        )
        hint = "add morphologies of fitting size, correct the rules, or raise most_unfit"
        where = resolved.origin(("nodes", name, "morphologies"))
        raise ConfigError(Problem(where, message, hint))
