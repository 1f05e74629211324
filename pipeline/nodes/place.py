"""Places populations: counts per type, positions by geometry, properties; arrays in, arrays out."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.config.celltypes import TypeSpec
from pipeline.config.placement import Nowhere, PlacedNodes, Tiles, Voxels
from pipeline.errors import ConfigError, Problem
from pipeline.nodes.counts import PER_MM3, column_of, plan_counts
from pipeline.nodes.quantiles import quantile
from pipeline.nodes.shapes import (
    Column,
    TileShape,
    VoxelShape,
)
from pipeline.nodes.spacing import keep_apart
from pipeline.nodes.streams import TypeStream

log = logging.getLogger(__name__)
_NAMED = 12
"""Types without cells that a warning names."""


@dataclass(frozen=True)
class Placement:
    """The cells of one population; node id = row.

    Attributes:
        specs: Node types; the row is the node type id.
        counts: Cells per node type.
        columns: Attribute name to array [n]: x, y, z (float32 um; degrees in tiles), cell_type,
            region, labels (text), tuning_angle (degrees), rotation_angle_yaxis (radians) and the
            drawn properties.
        type_ids: int64 [n]. Node type of each cell.
        degrees: Whether x and y are degrees of the visual field.
    """

    specs: list[TypeSpec]
    counts: list[int]
    columns: dict[str, np.ndarray]
    type_ids: np.ndarray
    degrees: bool


def place(
    nodes: PlacedNodes,
    specs: list[TypeSpec],
    population: str,
    seed: int,
    voxels: Mapping[str, VoxelShape] | None = None,
) -> Placement:
    """Places all cells of a population.

    Args:
        nodes: The population's config.
        specs: Its node types from ``resolve_types``.
        population: Its name; part of the key of all random numbers.
        seed: The model's seed.
        voxels: Densities of the voxel regions by region name.

    Returns:
        The cells.

    Raises:
        ConfigError: If regions of different kinds are mixed, a region cannot shrink, or the least
            distance cannot be kept; naming the types and the numbers.
    """
    voxels = voxels or {}
    counts = plan_counts(nodes, specs, voxels)
    _tell_empty(population, specs, counts, "" if nodes.balance else " (see at_least)")
    shapes = _shapes(nodes, specs, counts, voxels)
    streams = [TypeStream(seed, (population, spec.region, spec.name)) for spec in specs]
    columns = _positions(nodes, specs, counts, shapes, streams)
    columns |= _labels(specs, counts)
    columns |= _properties(nodes, specs, counts, streams)
    type_ids = np.repeat(np.arange(len(specs)), counts)
    degrees = any(isinstance(shape, TileShape) for shape in shapes)
    return Placement(specs, counts, columns, type_ids, degrees)


def _tell_empty(
    population: str, specs: Sequence[TypeSpec], counts: Sequence[int], hint: str
) -> None:
    empty = [spec.name for spec, count in zip(specs, counts, strict=True) if not count]
    if empty:
        more = len(empty) - _NAMED
        names = ", ".join(empty[:_NAMED]) + (f" and {more} more types" if more > 0 else "")
        log.warning("%s: no cell of %s at this scale%s", population, names, hint)


def _shapes(
    nodes: PlacedNodes,
    specs: Sequence[TypeSpec],
    counts: Sequence[int],
    voxels: Mapping[str, VoxelShape],
) -> list[Column | VoxelShape | TileShape | None]:
    """One shape per node type, shrunk when the density is kept."""
    shapes: list[Column | VoxelShape | TileShape | None] = []
    shrink = nodes.scale < 1 and nodes.keep == "density"
    for spec, count in zip(specs, counts, strict=True):
        region = nodes.regions[spec.region]
        if isinstance(region, Nowhere):
            shapes.append(None)
        elif isinstance(region, Voxels | Tiles) and shrink:
            message = f"region {spec.region} ({region.shape}) cannot be made smaller"
            raise ConfigError(Problem(spec.where, message, "use keep: volume"))
        elif isinstance(region, Voxels):
            shapes.append(voxels[spec.region])
        elif isinstance(region, Tiles):
            step = (region.width / region.columns, region.height / region.rows)
            shapes.append(TileShape(region.columns, region.rows, step, count))
        else:
            shape = column_of(nodes, spec)
            shapes.append(shape.shrunk(nodes.scale) if shrink else shape)
    kinds = {TileShape if isinstance(s, TileShape) else type(None) if s is None else object
             for s in shapes}  # fmt: skip
    if len(kinds) > 1:
        message = "regions in um, in degrees and without positions are mixed"
        raise ConfigError(Problem(specs[0].where, message, "make them separate populations"))
    return shapes


def _positions(
    nodes: PlacedNodes,
    specs: Sequence[TypeSpec],
    counts: Sequence[int],
    shapes: Sequence[Column | VoxelShape | TileShape | None],
    streams: Sequence[TypeStream],
) -> dict[str, np.ndarray]:
    if shapes[0] is None:
        return {}
    offsets = np.concatenate(([0], np.cumsum(counts)))

    def draw(kind: int, low: int, high: int, attempt: int) -> np.ndarray:
        u = streams[kind].uniforms("position", low, high, attempt)
        points = shapes[kind].positions(u, np.arange(low, high))
        # Files hold float32: distances are kept between the numbers that are written.
        return points.astype(np.float32).astype(np.float64)

    points = np.concatenate([draw(kind, 0, n, 0) for kind, n in enumerate(counts)])
    if nodes.min_distance and points.shape[1] == 3:

        def redraw(cells: np.ndarray, attempt: int) -> np.ndarray:
            kinds = np.searchsorted(offsets, cells, side="right") - 1
            found = np.empty((len(cells), 3))
            for kind in np.unique(kinds):
                mine = kinds == kind
                index = cells[mine] - offsets[kind]
                low = index.min()
                found[mine] = draw(kind, low, index.max() + 1, attempt)[index - low]
            return found

        ranks = [s.words("priority", 0, n)[:, 0] for s, n in zip(streams, counts, strict=True)]
        points, left = keep_apart(points, np.concatenate(ranks), nodes.min_distance, redraw)
        if len(left):
            kinds = np.searchsorted(offsets, left, side="right") - 1
            raise ConfigError(_too_dense(nodes, specs, counts, shapes, kinds))
    names = "xyz"[: points.shape[1]]
    return {axis: points[:, i].astype(np.float32) for i, axis in enumerate(names)}


def _too_dense(nodes, specs, counts, shapes, kinds: np.ndarray) -> list[Problem]:
    """Says for every type with cells left over how full its region is."""
    problems = []
    for kind in np.unique(kinds):
        spec, size = specs[kind], shapes[kind].size()
        others = [
            i for i, s in enumerate(specs) if (s.region, s.depth) == (spec.region, spec.depth)
        ]
        density = sum(counts[i] for i in others) / (size * PER_MM3)
        filled = density * PER_MM3 * math.pi / 6 * nodes.min_distance**3
        message = (
            f"type {spec.name} in {spec.region}: {np.count_nonzero(kinds == kind)} of {counts[kind]}"
            f" cells find no place {nodes.min_distance:g} um from all others "
            f"({density:,.0f} cells/mm3 of these depths would fill {filled:.0%} of the volume)"
        )
        hint = "lower min_distance or the counts; random placement ends near 38 %"
        problems.append(Problem(spec.where, message, hint))
    return problems


def _labels(specs: Sequence[TypeSpec], counts: Sequence[int]) -> dict[str, np.ndarray]:
    names = dict.fromkeys(name for spec in specs for name in spec.labels)
    texts = {name: [spec.labels.get(name, "") for spec in specs] for name in names}
    texts |= {"cell_type": [s.name for s in specs], "region": [s.region for s in specs]}
    return {name: np.repeat(np.array(text, object), counts) for name, text in texts.items()}


def _properties(
    nodes: PlacedNodes,
    specs: Sequence[TypeSpec],
    counts: Sequence[int],
    streams: Sequence[TypeStream],
) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(name for spec in specs for name in spec.draws):
        parts = [
            quantile(spec.draws.get(name), stream.uniforms(f"property/{name}", 0, n)[:, 0])
            for spec, stream, n in zip(specs, streams, counts, strict=True)
        ]
        columns[name] = _joined(name, parts, specs)
    if nodes.tuning == "equally_spaced":
        columns["tuning_angle"] = np.concatenate([360.0 * np.arange(n) / max(n, 1) for n in counts])
    if nodes.rotation == "random_y":
        turns = [
            2 * np.pi * stream.uniforms("rotation", 0, n)[:, 0]
            for stream, n in zip(streams, counts, strict=True)
        ]
        columns["rotation_angle_yaxis"] = np.concatenate(turns)
    return columns


def _joined(name: str, parts: list[np.ndarray], specs: Sequence[TypeSpec]) -> np.ndarray:
    """Joins the values of all types; types without the property have NaN or an empty text."""
    texts = [part.dtype == object for part in parts]
    given = [spec.draws.get(name) is not None for spec in specs]
    if any(texts):
        if any(has and not text for has, text in zip(given, texts, strict=True)):
            where = next(
                s.where for s, t, g in zip(specs, texts, given, strict=True) if g and not t
            )
            message = f"property {name} is a number here and a word for other types"
            raise ConfigError(Problem(where, message))
        blank = [part if text else np.full(len(part), "", object)
                 for part, text in zip(parts, texts, strict=True)]  # fmt: skip
        return np.concatenate(blank)
    return np.concatenate(parts)
