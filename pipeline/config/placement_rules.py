"""Placement rules: where axon and dendrites of a type shall lie, from a table to depths in um."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.tables import read_rows
from pipeline.config.yaml_lines import nearest
from pipeline.errors import ConfigError, Problem

EVERY = "*"
"""In the column of the type: the rule holds for all types."""
BELOW, TARGET, OCCUPY = "below", "region_target", "region_occupy"
KINDS = (BELOW, TARGET, OCCUPY)
NEURITES = ("axon", "dendrite")
_ENDS = ("low_layer", "low_fraction", "high_layer", "high_fraction")
_UNSCALED = "prefer_unscaled"


@dataclass(frozen=True)
class PlacementRule:
    """One rule of blue-brain's placement (BlueBrain/circuit-build, placement_rules.xml).

    Attributes:
        kind: below, region_target or region_occupy.
        neurite: axon or dendrite: whose extent along y is meant.
        low: Lower end of the wanted region, um (y; the pia is 0); -inf for below.
        high: Upper end of the region, or the limit of below, um.
        name: What the rule asks for, in words.
        where: File and line.
    """

    kind: str
    neurite: str
    low: float
    high: float
    name: str
    where: str


def read_rules(
    path: Path, by: str, types: Sequence[str], layers: Mapping[str, Sequence[float]]
) -> dict[str, list[PlacementRule]]:
    """Reads a table of placement rules.

    Args:
        path: CSV with the columns ``by``, kind, neurite, low_layer, low_fraction, high_layer and
            high_fraction; more are allowed. A fraction is 0 at the bottom of its layer, 1 at its
            top. Rules of kind below give the high end only.
        by: Column that names the type; ``*`` stands for all.
        types: The types there are.
        layers: Top and bottom of each layer, um below the pia.

    Returns:
        The rules of every type in ``types``: those of all types first.

    Raises:
        ConfigError: With the line of everything that is wrong.
    """
    table = read_rows(path)
    problems = [
        Problem(f"{path}:1", f"no column {name!r}", nearest(name, table.columns))
        for name in (by, "kind", "neurite", *_ENDS)
        if name not in table
    ]
    if problems:
        raise ConfigError(problems)
    common: list[PlacementRule] = []
    own: dict[str, list[PlacementRule]] = {name: [] for name in types}
    for index, row in enumerate(table.records()):
        where = f"{path}:{index + 2}"
        rule = _rule(row, layers, where, problems)
        name = row[by].strip()
        if name != EVERY and name not in own:
            hint = nearest(name, list(own)) or "name a type of this population, or *"
            problems.append(Problem(where, f"no {by} {name!r}", hint))
        elif rule is not None:
            (common if name == EVERY else own[name]).append(rule)
    if problems:
        raise ConfigError(problems)
    return {name: [*common, *rules] for name, rules in own.items()}


def _rule(
    row: dict[str, str],
    layers: Mapping[str, Sequence[float]],
    where: str,
    problems: list[Problem],
) -> PlacementRule | None:
    before = len(problems)
    kind, neurite = row["kind"].strip(), row["neurite"].strip()
    if kind not in KINDS:
        hint = "shapes are never scaled here" if kind == _UNSCALED else nearest(kind, list(KINDS))
        problems.append(Problem(where, f"no kind of rule {kind!r}", hint))
    if neurite not in NEURITES:
        message = f"neurite is {neurite!r}"
        problems.append(Problem(where, message, f"expected {' or '.join(NEURITES)}"))
    high = _height(row, "high", layers, where, problems)
    if kind == BELOW:
        low = -math.inf
        if row["low_layer"].strip() or row["low_fraction"].strip():
            message = "a rule of kind below has an upper end only"
            problems.append(Problem(where, message, "leave low_layer and low_fraction empty"))
    else:
        low = _height(row, "low", layers, where, problems)
    if len(problems) == before and not low < high:
        message = f"the region runs from y = {low:g} to {high:g} um; it must rise"
        problems.append(Problem(where, message, "low is the deeper end"))
    if len(problems) > before:
        return None
    ends = [
        f"{row[f'{end}_layer'].strip()} {float(row[f'{end}_fraction']):g}"
        for end in ("low", "high")
        if row[f"{end}_layer"].strip()
    ]
    return PlacementRule(kind, neurite, low, high, f"{neurite} {kind} {' to '.join(ends)}", where)


def _height(
    row: dict[str, str],
    end: str,
    layers: Mapping[str, Sequence[float]],
    where: str,
    problems: list[Problem],
) -> float:
    """y of an end of a region, um; NaN when the row does not say it."""
    layer, text = row[f"{end}_layer"].strip(), row[f"{end}_fraction"].strip()
    if layer not in layers:
        problems.append(Problem(where, f"no layer {layer!r}", nearest(layer, list(layers))))
        return math.nan
    try:
        fraction = float(text)
    except ValueError:
        fraction = math.nan
    if not 0 <= fraction <= 1:
        problems.append(Problem(where, f"{end}_fraction is {text!r}", "write a number from 0 to 1"))
        return math.nan
    top, bottom = layers[layer]
    return -bottom + fraction * (bottom - top)
