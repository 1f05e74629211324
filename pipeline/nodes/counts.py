"""How many cells of each node type a population has, and the solid that each fills; places nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.config.celltypes import TypeSpec
from pipeline.config.placement import Box, Cylinder, Hexagon, PlacedNodes, Tiles, Voxels
from pipeline.errors import ConfigError, Problem
from pipeline.nodes.apportion import apportion, apportion_nested
from pipeline.nodes.shapes import BoxShape, Column, CylinderShape, HexagonShape, VoxelShape

PER_MM3 = 1e-9


def plan_counts(
    nodes: PlacedNodes, specs: Sequence[TypeSpec], voxels: Mapping[str, VoxelShape]
) -> list[int]:
    """Returns the cells of each node type, without placing any.

    Args:
        nodes: The population.
        specs: Its node types.
        voxels: Densities of the voxel regions by region name.
    """
    sizes: list[float] = []
    for spec in specs:
        region = nodes.regions[spec.region]
        if spec.count is not None:
            tiles = region.columns * region.rows if isinstance(region, Tiles) else 1
            sizes.append(spec.count * tiles * _inside(nodes, spec))
        elif isinstance(region, Voxels):
            sizes.append(voxels[spec.region].cells())
        else:
            shape = column_of(nodes, spec)
            sizes.append((spec.density or 0.0) * shape.size() * PER_MM3)
    if nodes.balance:
        groups = [[value_of(spec, name) for name in nodes.balance] for spec in specs]
        return apportion_nested(sizes, groups, nodes.scale)
    return apportion(sizes, nodes.scale, nodes.at_least)


def value_of(spec: TypeSpec, name: str) -> str:
    """Returns cell type, region or a label of a node type; empty without the label."""
    own = {"cell_type": spec.name, "region": spec.region}
    return own.get(name, spec.labels.get(name, ""))


def _inside(nodes: PlacedNodes, spec: TypeSpec) -> float:
    """Which part of a type's depths lies in the slab that is built."""
    if nodes.slab is None or spec.depth is None:
        return 1
    top, bottom = cut_depths(nodes, spec)
    return (bottom - top) / (spec.depth[1] - spec.depth[0])


def cut_depths(nodes: PlacedNodes, spec: TypeSpec) -> tuple[float, float]:
    """The depths of a type within the slab, um."""
    top, bottom = spec.depth or (0.0, 0.0)
    if nodes.slab is None:
        return top, bottom
    top, bottom = max(top, nodes.slab[0]), min(bottom, nodes.slab[1])
    return top, max(top, bottom)


def column_of(nodes: PlacedNodes, spec: TypeSpec) -> Column:
    """Returns the solid that a node type fills, before it is made smaller by ``scale``.

    Raises:
        ConfigError: If its region is no solid between two depths.
    """
    region = nodes.regions[spec.region]
    top, bottom = cut_depths(nodes, spec)
    match region:
        case Cylinder():
            return CylinderShape(top, bottom, tuple(region.centre), region.r_min, region.r_max)
        case Hexagon():
            return HexagonShape(top, bottom, tuple(region.centre), region.side)
        case Box(x=(left, right), z=(near, far)):
            centre = ((left + right) / 2, (near + far) / 2)
            return BoxShape(top, bottom, centre, right - left, far - near)
    raise ConfigError(Problem(spec.where, f"region {spec.region} has no volume"))
