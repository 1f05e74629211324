"""Writes populations of placed, listed and imported cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from pipeline.config.cell_models import model_of
from pipeline.config.celltypes import TypeSpec
from pipeline.config.load import Resolved
from pipeline.config.placement import ImportedNodes, PlacedNodes, PointNodes
from pipeline.nodes.emodel_choice import (
    cell_currents,
    emodel_entries,
    emodel_table,
    read_judged,
    write_emodels,
)
from pipeline.nodes.listed import read_imported, read_points
from pipeline.nodes.place import Placement, place
from pipeline.nodes.placed_table import placed_table
from pipeline.nodes.point_cells import type_entries, write_point_cells
from pipeline.nodes.shape_choice import choose_shapes, quaternions
from pipeline.nodes.streams import TypeStream
from pipeline.nodes.types import placed_types
from pipeline.nodes.whole_cells import (
    Candidate,
    choose,
    whole_cells,
    whole_entries,
    write_whole_cells,
)
from pipeline.runtime import write_text
from pipeline.sonata.configs import write_types
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.write import write_nodes

Sets = dict[str, object]


def node_frame(resolved: Resolved, name: str) -> pd.DataFrame:
    """Returns the cells of a placed population without writing them.

    For planning: the same values as the nodes file joined with its types table. Of morphologies
    that are drawn only the rotation is there, as they need not be made yet.

    Returns:
        One row per node, indexed by node id.
    """
    nodes: PlacedNodes = resolved.model.nodes[name]
    specs, voxels = placed_types(resolved, name)
    placement = place(nodes, specs, name, resolved.model.seed, voxels)
    rows, ids = _node_types(resolved, name, placement, whole_cells(resolved, name, specs))
    types = pd.DataFrame(rows).iloc[ids].reset_index(drop=True)
    found = placement.columns
    if nodes.morphologies:
        found = found | quaternions(found.get("rotation_angle_yaxis", np.zeros(len(ids))))
    columns = {
        key: pd.Categorical(values) if values.dtype == object else values
        for key, values in found.items()
    }
    return types.drop(columns=[c for c in columns if c in types]).assign(**columns)


def run_placed(resolved: Resolved, name: str, paths: CircuitPaths) -> tuple[int, Sets]:
    """Places and writes one population.

    Returns:
        Its number of cells, and its node sets.

    Raises:
        ConfigError: If the types, regions or distances cannot be.
    """
    nodes: PlacedNodes = resolved.model.nodes[name]
    specs, voxels = placed_types(resolved, name)
    write_point_cells(resolved, name, specs, paths)
    whole = whole_cells(resolved, name, specs)
    write_whole_cells(resolved, name, whole, specs, paths)
    placement = place(nodes, specs, name, resolved.model.seed, voxels)
    units = dict.fromkeys("xy", "degree") if placement.degrees else {}
    units |= {"tuning_angle": "degree", "rotation_angle_yaxis": "radian"}
    columns, dynamics = placement.columns, None
    texts = [key for key, values in columns.items() if values.dtype == object]
    rows, ids = _node_types(resolved, name, placement, whole)
    if nodes.morphologies:
        judged = read_judged(resolved, name, paths)
        shapes, table = choose_shapes(resolved, name, placement, paths, judged)
        written = {"placement": placed_table(nodes, placement), "fit": table}
        # SNAP asks for these, and for a folder of e-models, even while there are none.
        unknown = np.full(len(ids), np.nan, np.float32)
        dynamics = dict.fromkeys(("holding_current", "threshold_current"), unknown)
        paths.emodels.mkdir(parents=True, exist_ok=True)
        if judged:
            rows = [
                row | emodel_entries(judged, spec)
                for row, spec in zip(rows, placement.specs, strict=True)
            ]
            kinds = np.array([spec.name for spec in placement.specs], object)[placement.type_ids]
            dynamics = cell_currents(judged, kinds, shapes["morphology"])
            written["emodels"] = emodel_table(judged, kinds, shapes["morphology"])
            write_emodels(resolved, judged, paths)
        columns = columns | shapes | _models(nodes, rows, ids)
        for key, frame in written.items():
            text = frame.to_csv(index=False, float_format="%.9g", lineterminator="\n")
            write_text(paths.analysis(f"{key}_{name}"), text)
    write_nodes(
        paths.nodes(name), name, columns, ids, dynamics=dynamics, library=texts, units=units
    )
    write_types(paths.node_types(name), rows)
    return len(ids), _placed_sets(nodes, name, placement)


def _models(
    nodes: PlacedNodes, rows: list[dict[str, object]], ids: np.ndarray
) -> dict[str, np.ndarray]:
    """What SNAP wants to see of the types in the nodes themselves, as plain text for BMTK."""
    names = ("model_type", "model_template") if nodes.model_template else ("model_type",)
    return {name: np.array([row[name] for row in rows], object)[ids] for name in names}


def _node_types(
    resolved: Resolved, name: str, placement: Placement, whole: dict[int, list[Candidate]]
) -> tuple[list[dict[str, object]], np.ndarray]:
    """Node types as rows, and the type of every node: one per single-cell model of a cell type."""
    nodes: PlacedNodes = resolved.model.nodes[name]
    rows: list[dict[str, object]] = []
    ids = placement.type_ids.copy()
    for index, spec in enumerate(placement.specs):
        own, candidates = np.flatnonzero(placement.type_ids == index), whole.get(index)
        if candidates is None:
            ids[own] = len(rows)
            rows.append(_type_row(nodes, len(rows), spec) | type_entries(nodes, name, spec))
            continue
        key, model = model_of(nodes.cell_models, spec.region)
        where = resolved.origin(("nodes", name, "cell_models", key))
        stream = TypeStream(resolved.model.seed, (name, spec.region, spec.name))
        height = placement.columns.get("y", np.zeros(len(ids)))
        depths = -height[own].astype(np.float64)
        ids[own] = len(rows) + choose(model, candidates, depths, stream, where)
        for cell in candidates:
            rows.append(_type_row(nodes, len(rows), spec) | whole_entries(cell))
    return rows, ids


def _type_row(nodes: PlacedNodes, index: int, spec: TypeSpec) -> dict[str, object]:
    region = nodes.regions[spec.region]
    row = {
        "node_type_id": index,
        "model_type": region.model_type or nodes.model_type,
        "model_template": region.model_template or nodes.model_template,
        "pop_name": spec.name,
    }
    return row | {key: text or None for key, text in spec.attributes.items() if key not in row}


def _placed_sets(nodes: PlacedNodes, name: str, placement: Placement) -> Sets:
    sets: Sets = {name: {"population": name}}
    sets |= {key: {"population": name, **rule} for key, rule in nodes.node_sets.items()}
    for key in nodes.sets:
        for value in np.unique(placement.columns[key].astype(str)):
            if value:
                sets[str(value)] = {"population": name, key: str(value)}
    return sets


def run_points(resolved: Resolved, name: str, paths: CircuitPaths) -> tuple[int, Sets]:
    """Writes a population whose cells and positions stand in a table.

    Returns:
        Its number of cells, and its node sets.
    """
    nodes: PointNodes = resolved.model.nodes[name]
    columns, types = read_points(resolved.path(nodes.table), nodes)
    index = {text: i for i, text in enumerate(types)}
    ids = np.array([index[text] for text in columns["cell_type"]], np.int64)
    texts = [key for key, values in columns.items() if values.dtype == object]
    write_nodes(paths.nodes(name), name, columns, ids, library=texts)
    rows = [
        {
            "node_type_id": i,
            "model_type": nodes.model_type,
            "model_template": nodes.model_template,
            "pop_name": text,
        }
        for text, i in index.items()
    ]
    write_types(paths.node_types(name), rows)
    return len(ids), {name: {"population": name}}


def run_imported(resolved: Resolved, name: str, paths: CircuitPaths) -> tuple[int, Sets]:
    """Takes over a population of a SONATA file.

    Returns:
        Its number of cells, and its node sets.
    """
    nodes: ImportedNodes = resolved.model.nodes[name]
    types = resolved.path(nodes.types) if nodes.types else None
    columns, dynamics, ids, rows = read_imported(resolved.path(nodes.file), types, nodes, name)
    write_nodes(paths.nodes(name), name, columns, ids, dynamics=dynamics)
    write_types(paths.node_types(name), rows)
    return len(ids), {name: {"population": name}}


WRITERS: dict[type, Callable[[Resolved, str, CircuitPaths], tuple[int, Sets]]] = {
    PlacedNodes: run_placed,
    PointNodes: run_points,
    ImportedNodes: run_imported,
}
"""How each kind of population without morphologies is written."""
