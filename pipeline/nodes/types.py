"""Which node types placed populations have, and how many cells of each; places and writes nothing."""

from __future__ import annotations

from pipeline.config.celltypes import TypeSpec, resolve_types
from pipeline.config.load import Resolved
from pipeline.config.placement import PlacedNodes, Voxels
from pipeline.config.stages import drawn_shapes, fitted_types
from pipeline.nodes.counts import plan_counts, value_of
from pipeline.nodes.shapes import VoxelShape
from pipeline.nodes.voxels import read_voxels


def placed_types(resolved: Resolved, name: str) -> tuple[list[TypeSpec], dict[str, VoxelShape]]:
    """Returns the node types of a placed population and the voxels of its regions.

    Raises:
        ConfigError: If the type table or a voxel file is wrong.
        ToolError: If voxel regions need a package that is not there.
    """
    nodes: PlacedNodes = resolved.model.nodes[name]
    table = resolved.path(nodes.table) if nodes.table else None
    specs = resolve_types(nodes, table, lambda path: resolved.origin(("nodes", name, *path)))
    regions = nodes.regions.items()
    files = {key: region.file for key, region in regions if isinstance(region, Voxels)}
    return specs, {key: read_voxels(resolved.path(file)) for key, file in files.items()}


def population_counts(resolved: Resolved, name: str) -> dict[tuple[str, str], int]:
    """Returns the cells that will be placed, by (cell type, region)."""
    specs, voxels = placed_types(resolved, name)
    counts = plan_counts(resolved.model.nodes[name], specs, voxels)
    return {(s.name, s.region): n for s, n in zip(specs, counts, strict=True)}


def shape_types(resolved: Resolved) -> list[str]:
    """Returns the m-types of which some population has cells, sorted, for ``m_types: placed``.

    Those of the cells of ``report.fits`` are among them.

    Raises:
        ConfigError: If a type table or a voxel file is wrong.
    """
    found = set(fitted_types(resolved.model))
    if resolved.model.morphologies.m_types != "placed":
        return []
    for name in drawn_shapes(resolved.model):
        specs, voxels = placed_types(resolved, name)
        nodes: PlacedNodes = resolved.model.nodes[name]
        counts = plan_counts(nodes, specs, voxels)
        found |= {
            value_of(spec, nodes.morphologies.by)
            for spec, count in zip(specs, counts, strict=True)
            if count
        }
    return sorted(found)
