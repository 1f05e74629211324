"""The cell types of a placed population: rows of its table and entries of the model in one form."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from pipeline.config.draws import _Draw
from pipeline.config.placement import CellType, Nowhere, PlacedNodes, Tiles, Voxels, _Region
from pipeline.config.tables import read_rows
from pipeline.config.yaml_lines import KeyPath, nearest
from pipeline.errors import ConfigError, Problem

_DEPTH = ("depth_min", "depth_max")
Place = Callable[[KeyPath], Path]
Origin = Callable[[KeyPath], str]


@dataclass(frozen=True)
class TypeSpec:
    """One node type: the cells of one cell type in one region.

    Attributes:
        name: Cell type.
        region: Region name.
        where: File and line of the type.
        count: Cells (per tile in tiles); None when the density decides.
        density: Cells per mm3; None when the count decides or the voxels of the region do.
        depth: (top, bottom) in um below the pia; None where the region has no depth.
        labels: Text attributes of the nodes.
        attributes: Text attributes of the node type.
        draws: Property name to law with numbers only; None: this type has no such value.
    """

    name: str
    region: str
    where: str
    count: int | None = None
    density: float | None = None
    depth: tuple[float, float] | None = None
    labels: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    draws: dict[str, _Draw | None] = field(default_factory=dict)


def resolve_types(nodes: PlacedNodes, table: Path | None, origin: Origin) -> list[TypeSpec]:
    """Lists the node types of a population: regions in their order, then types in theirs.

    Args:
        nodes: The population.
        table: Its type table, when it has one.
        origin: Gives file and line of a key path below the population.

    Returns:
        All types; those with no cells are left out.

    Raises:
        ConfigError: With all problems of all types, each with file and line.
    """
    problems: list[Problem] = []
    rows = _table_rows(nodes, table, problems) if table else []
    specs: list[TypeSpec] = []
    for region_name, region in nodes.regions.items():
        for row in rows:
            specs += _from_row(nodes, region_name, region, row, problems)
        for name, entry in nodes.types.items():
            where = origin(("types", name))
            if _region_of(nodes, entry, where, problems) == region_name:
                specs += _from_entry(nodes, region_name, region, name, entry, where, problems)
    if not problems and not any(s.count or s.density or s.count is None for s in specs):
        problems.append(Problem(origin(()), "no type has any cell", "check the counts"))
    doubled = {s.name for s in specs if s.name in nodes.types} & {row.name for row in rows}
    problems += [
        Problem(origin(("types", name)), f"type {name!r} stands in the table too", "rename one")
        for name in sorted(doubled)
    ]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return [spec for spec in specs if spec.count != 0 and spec.density != 0]


@dataclass(frozen=True)
class _Row:
    name: str
    where: str
    cells: dict[str, str]


def _table_rows(nodes: PlacedNodes, path: Path, problems: list[Problem]) -> list[_Row]:
    """Reads the table; a wrong header leaves no rows."""
    table = read_rows(path)
    known = table.columns
    wanted = [nodes.name_column, *nodes.labels]
    for region in nodes.regions.values():
        wanted += [name for name in (region.count, region.density) if name]
        if not (region.count or region.density or isinstance(region, Voxels)):
            message = f"a region of shape {region.shape} says no count or density column"
            problems.append(Problem(str(path), message, "name a column of this table"))
    for draw in nodes.properties.values():
        wanted += draw.columns()
    for column in dict.fromkeys(wanted):
        if column not in known:
            problems.append(Problem(f"{path}:1", f"no column {column!r}", nearest(column, known)))
    if problems:
        return []
    rows, seen = [], set()
    for index, cells in enumerate(table.records()):
        row = _Row(cells[nodes.name_column].strip(), f"{path}:{index + 2}", cells)
        if not row.name or row.name in seen:
            what = f"type {row.name!r} stands twice" if row.name else "the type has no name"
            problems.append(Problem(row.where, what, "one row per type"))
        seen.add(row.name)
        rows.append(row)
    return rows


def _number(row: _Row, column: str, problems: list[Problem]) -> float:
    """Returns a number of a row; NaN where the cell is empty."""
    text = row.cells[column].strip()
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        problems.append(Problem(row.where, f"{column} is {text!r}", "write a finite number"))
        return math.nan
    return value


def _from_row(
    nodes: PlacedNodes, name: str, region: _Region, row: _Row, problems: list[Problem]
) -> list[TypeSpec]:
    count, density = None, None
    column = region.count or region.density
    if column:
        value = _number(row, column, problems)
        value = 0.0 if math.isnan(value) else value
        if value < 0 or (region.count and value != int(value)):
            expected = "a whole number, 0 or more" if region.count else "0 or more"
            problems.append(Problem(row.where, f"{column} is {value:g}", f"write {expected}"))
            value = 0.0
        count, density = (int(value), None) if region.count else (None, value)
    depth = _row_depth(nodes, region, row, problems)
    draws = _draws(nodes.properties, row, row.where, problems)
    used = {nodes.name_column, *nodes.labels, *_DEPTH}
    used |= {c for r in nodes.regions.values() for c in (r.count, r.density) if c}
    used |= {c for draw in nodes.properties.values() for c in draw.columns()}
    labels = {label: row.cells[label] for label in nodes.labels}
    rest = {key: text for key, text in row.cells.items() if key not in used}
    return [TypeSpec(row.name, name, row.where, count, density, depth, labels, rest, draws)]


def _row_depth(
    nodes: PlacedNodes, region: _Region, row: _Row, problems: list[Problem]
) -> tuple[float, float] | None:
    given = [_number(row, column, problems) for column in _DEPTH if column in row.cells]
    own = [value for value in given if not math.isnan(value)]
    layer = row.cells.get("layer", "").strip() if nodes.layers else ""
    if own and len(own) != 2:
        problems.append(Problem(row.where, "only one of depth_min and depth_max", "give both"))
        return None
    return _depth(nodes, region, own or None, layer or None, row.where, problems)


def _depth(
    nodes: PlacedNodes,
    region: _Region,
    own: list[float] | None,
    layer: str | None,
    where: str,
    problems: list[Problem],
) -> tuple[float, float] | None:
    """The type's own range, else its layer's, else the region's."""
    if isinstance(region, Voxels | Tiles | Nowhere):
        return None
    if layer and not own and layer not in nodes.layers:
        problems.append(Problem(where, f"no layer {layer!r}", nearest(layer, list(nodes.layers))))
        return None
    pair = own or (nodes.layers[layer] if layer else None) or region.depth  # type: ignore
    if pair is None:
        hint = "give depth_min and depth_max, a layer, or the region's depth"
        problems.append(Problem(where, "the type has no depth", hint))
        return None
    if not 0 <= pair[0] < pair[1]:
        message = f"depth runs from {pair[0]:g} to {pair[1]:g} um; it must rise from 0 or more"
        problems.append(Problem(where, message, "swap them, or correct the row"))
        return None
    return float(pair[0]), float(pair[1])


def _draws(
    laws: dict[str, _Draw], row: _Row | None, where: str, problems: list[Problem]
) -> dict[str, _Draw | None]:
    found: dict[str, _Draw | None] = {}
    for name, law in laws.items():
        if law.columns() and row is None:
            message = f"property {name} reads column {law.columns()[0]!r}"
            problems.append(Problem(where, message, "types of the model take numbers only"))
            continue
        numbers = {column: _number(row, column, problems) for column in law.columns()}
        try:
            found[name] = law.with_numbers(numbers)
        except (ValidationError, ValueError) as error:
            text = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            text = text.removeprefix("Value error, ")
            problems.append(Problem(where, f"property {name}: {text}", "correct the row"))
    return found


def _region_of(
    nodes: PlacedNodes, entry: CellType, where: str, problems: list[Problem]
) -> str | None:
    names = list(nodes.regions)
    if entry.region is None and len(names) == 1:
        return names[0]
    if entry.region not in names:
        what = f"no region {entry.region!r}" if entry.region else "the type names no region"
        problems.append(Problem(where, what, nearest(entry.region or "", names)))
        return None
    return entry.region


def _from_entry(
    nodes: PlacedNodes,
    region_name: str,
    region: _Region,
    name: str,
    entry: CellType,
    where: str,
    problems: list[Problem],
) -> list[TypeSpec]:
    by_voxel = entry.density == "voxels"
    if by_voxel != isinstance(region, Voxels) and entry.count is None:
        message = f"density {entry.density} in a region of shape {region.shape}"
        hint = "voxel regions take count or density: voxels; other shapes a number"
        problems.append(Problem(where, message, hint))
    elif entry.count is None and isinstance(region, Tiles | Nowhere):
        message = f"a region of shape {region.shape} has no volume"
        problems.append(Problem(where, message, "give count instead of density"))
    depth = _depth(nodes, region, entry.depth, entry.layer, where, problems)
    draws = _draws(nodes.properties | entry.properties, None, where, problems)
    density = None if by_voxel else entry.density
    labels = dict(entry.labels)
    return [TypeSpec(name, region_name, where, entry.count, density, depth, labels, {}, draws)]
