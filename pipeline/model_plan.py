"""``sonatina plan``: cells, edges, synapses, disk, memory and time, before anything is built."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.cells.morphology import read_morphology
from pipeline.circuit import edge_populations
from pipeline.config.afferents import AfferentEdges
from pipeline.config.load import Resolved
from pipeline.config.placement import ImportedNodes, PlacedNodes, PointNodes
from pipeline.config.rules import RuleEdges
from pipeline.config.schema import ContactEdges, TableNodes, VirtualNodes
from pipeline.config.touches import TouchEdges
from pipeline.model_size import contact_sizes
from pipeline.nodes.cells import read_tables, source_morphology
from pipeline.nodes.listed import read_imported, read_points
from pipeline.nodes.populations import node_frame
from pipeline.nodes.table import NodeTable
from pipeline.nodes.types import shape_types

Row = dict[str, object]
COLUMNS = ("cells", "edges", "synapses", "disk", "memory", "seconds")
"""Numbers of a row; disk and memory in bytes."""
_FILE = 9000.0
"""Bytes of an HDF5 file of one population, besides its rows (measured)."""
_CONTACT_FILE = 140_000.0
"""Bytes of an edges file of contacts whose first chunks are not full."""
_CONTACT_BYTES = {"chemical": 62.0, "electrical": 40.0}
"""Bytes of a further contact (measured on the worm)."""
_CONTACT_RATE = 3000.0
"""Contacts placed per second; measured on the worm."""
_AFFERENT_PAIRS, _AFFERENT_RATE, _AFFERENT_BYTES = 5e6, 1e6, 70.0
"""Pairs looked at and edges written per second, bytes of an edge (measured on ``column``)."""
_CELL_RATE = 1e6
"""Point cells placed per second."""
_DRAWN_RATE, _DRAWN_BYTES = 5e4, 176
"""Cells per second that draw morphologies, and bytes of what each has besides (measured)."""
_MORPHOLOGY_RATE = 100.0
"""Morphologies read, moved and written per second."""
_MEMORY = 250 * 2.0**20
"""Interpreter and libraries."""


def plan_model(resolved: Resolved) -> dict[str, object]:
    """Expects every population of a model.

    Edges of rules are expected values, integrated over the placed cells; contacts are those that
    the connectome asks for, of which some may find no place. Cells are exact.

    Args:
        resolved: The model.

    Returns:
        ``model``, ``variant``, ``populations`` (rows with name, kind and COLUMNS) and ``total``:
        sums, for memory the largest.

    Raises:
        PipelineError: If tables, placements or rules are wrong.
    """
    tables = read_tables(resolved)
    frames = {name: _frame(resolved, name, tables) for name in resolved.model.nodes}
    rows = _morphology_rows(resolved)
    rows += [_node_row(resolved, name, frame) for name, frame in frames.items()]
    for name, edges in resolved.model.edges.items():
        if isinstance(edges, RuleEdges):
            rows.append(_rule_row(resolved, name, edges, frames))
        elif isinstance(edges, TouchEdges):
            rows.append(_touch_row(resolved, name, edges, frames[edges.source]))
        elif isinstance(edges, AfferentEdges):
            rows.append(_afferent_row(resolved, name, edges, frames))
        else:
            rows += _contact_rows(resolved, name, edges, tables)
    rows += [_stimulus_row(resolved, name, frames, rows) for name in resolved.model.stimuli]
    total = {key: sum(row[key] for row in rows) for key in COLUMNS}
    total["memory"] = max((row["memory"] for row in rows), default=0)
    model = resolved.model
    return {"model": model.name, "variant": model.variant, "populations": rows, "total": total}


def _row(name: str, kind: str, **numbers: float) -> Row:
    row = {"name": name, "kind": kind} | {key: numbers.get(key, 0) for key in COLUMNS}
    return (
        row | {key: round(row[key]) for key in COLUMNS[:-1]} | {"seconds": round(row["seconds"], 2)}
    )


def _frame(resolved: Resolved, name: str, tables: Mapping[str, NodeTable]) -> pd.DataFrame:
    """The nodes of a population with all their attributes, as the rules will see them."""
    nodes = resolved.model.nodes[name]
    if isinstance(nodes, PlacedNodes):
        return node_frame(resolved, name)
    if isinstance(nodes, PointNodes):
        columns, _ = read_points(resolved.path(nodes.table), nodes)
        return pd.DataFrame(columns)
    if isinstance(nodes, ImportedNodes):
        types = resolved.path(nodes.types) if nodes.types else None
        columns, _, ids, rows = read_imported(resolved.path(nodes.file), types, nodes, name)
        table = pd.DataFrame(rows).set_index("node_type_id").reindex(ids).reset_index(drop=True)
        return table.drop(columns=[c for c in columns if c in table]).assign(**columns)
    if isinstance(nodes, VirtualNodes):
        fed = tables[nodes.feeds].sets[nodes.set]
        names = tables[nodes.feeds].frame["name"].to_numpy()[fed]
        return pd.DataFrame({"name": names, "target_node_id": fed})
    frame = tables[name].frame
    place = np.zeros((len(frame), 3))
    needed = any(
        isinstance(edges, RuleEdges) and name in (edges.source, edges.target)
        for edges in resolved.model.edges.values()
    )
    if needed and resolved.model.cells.morphologies.coordinates == "absolute":
        found = [read_morphology(source_morphology(resolved, m)) for m in frame["morphology"]]
        place = np.array([morphology.soma_position for morphology in found])
    return frame.assign(**dict(zip("xyz", place.T, strict=True)))


def _morphology_rows(resolved: Resolved) -> list[Row]:
    if resolved.model.morphologies is None:
        return []
    from pipeline.morphologies.plan import plan_morphologies

    cost = plan_morphologies(resolved, shape_types(resolved))
    return [_row("morphologies", resolved.model.morphologies.kind, **cost)]


def _node_row(resolved: Resolved, name: str, frame: pd.DataFrame) -> Row:
    cells = len(frame)
    nodes = resolved.model.nodes[name]
    # Texts of placed cells are categories; their other texts stand in the table of types.
    text = 0 if isinstance(nodes, PlacedNodes) else 24
    width = 24 + sum(
        4 if isinstance(kind, pd.CategoricalDtype) else text if kind.kind == "O" else kind.itemsize
        for kind in frame.dtypes
    )
    drawn = bool(getattr(nodes, "morphologies", None))
    width += _DRAWN_BYTES if drawn else 0
    rate = _DRAWN_RATE if drawn else _CELL_RATE
    disk, seconds = _FILE + cells * width, 1.0 + cells / rate
    if isinstance(nodes, TableNodes):
        shapes = {source_morphology(resolved, shape) for shape in frame["morphology"]}
        disk += sum(shape.stat().st_size for shape in shapes if shape.is_file())
        seconds += len(shapes) / _MORPHOLOGY_RATE
    memory = _MEMORY + 4 * cells * width
    return _row(name, "nodes", cells=cells, disk=disk, memory=memory, seconds=seconds)


def _rule_row(
    resolved: Resolved, name: str, edges: RuleEdges, frames: Mapping[str, pd.DataFrame]
) -> Row:
    # The sampler's compiler loads slowly; other models need not wait for it.
    from pipeline.edges.rules.stage import plan_population

    plan = plan_population(resolved, name, frames[edges.source], frames[edges.target])
    (population,) = edge_populations(resolved, name)
    return _row(
        population, "edges", edges=plan.edges, synapses=plan.synapses,
        disk=plan.disk, memory=plan.memory, seconds=plan.seconds,
    )  # fmt: skip


def _touch_row(resolved: Resolved, name: str, edges: TouchEdges, frame: pd.DataFrame) -> Row:
    from pipeline.edges.touch.plan import plan_touches

    plan = plan_touches(edges, frame, resolved.model.seed)
    (population,) = edge_populations(resolved, name)
    row = _row(
        population, "edges", edges=plan.synapses, synapses=plan.synapses,
        disk=plan.disk, memory=plan.memory, seconds=plan.seconds,
    )  # fmt: skip
    return row | {"touches": round(plan.touches)}


def _afferent_row(
    resolved: Resolved, name: str, edges: AfferentEdges, frames: Mapping[str, pd.DataFrame]
) -> Row:
    from pipeline.edges.afferents import plan_afferents

    ends = (frames[edges.source], frames[edges.target])
    _, synapses = plan_afferents(*ends, resolved.path(edges.pathways))
    (population,) = edge_populations(resolved, name)
    seconds = 2.0 + len(ends[0]) * len(ends[1]) / _AFFERENT_PAIRS + synapses / _AFFERENT_RATE
    return _row(
        population, "edges", edges=synapses, synapses=synapses, seconds=seconds,
        disk=_CONTACT_FILE + synapses * _AFFERENT_BYTES, memory=_MEMORY + 300.0 * len(ends[0]),
    )  # fmt: skip


def _contact_rows(
    resolved: Resolved, name: str, edges: ContactEdges, tables: Mapping[str, NodeTable]
) -> list[Row]:
    counts = contact_sizes(resolved, edges, tables)
    cells = len(tables[edges.source].frame) + len(tables[edges.target].frame)
    rows = []
    for (population, kind), count in zip(
        edge_populations(resolved, name).items(), counts, strict=True
    ):
        disk = _CONTACT_FILE + count * _CONTACT_BYTES[kind] + 32 * cells
        memory, seconds = _MEMORY + 600.0 * count, 0.5 + count / _CONTACT_RATE
        # A contact is one synapse; the two halves of a gap junction are edges without any.
        synapses = count if kind == "chemical" else 0
        rows.append(_row(population, "edges", edges=count, synapses=synapses, disk=disk,
                         memory=memory, seconds=seconds))  # fmt: skip
    return rows


def _stimulus_row(
    resolved: Resolved, name: str, frames: Mapping[str, pd.DataFrame], rows: list[Row]
) -> Row:
    """The cost of a stimulus; connected units are at most as many as the edges that leave them."""
    from pipeline.stimulus.stage import expected_cost

    stimulus = resolved.model.stimuli[name]
    units = len(frames[stimulus.nodes])
    if stimulus.units == "connected":
        left = [r["edges"] for r in rows if str(r["name"]).startswith(f"{stimulus.nodes}__")]
        units = min(units, int(sum(left)))
    return _row(name, "stimulus", **expected_cost(stimulus, units))


def table_lines(planned: Mapping[str, object]) -> list[str]:
    """Returns a plan as aligned lines: one per population, and the total."""
    rows = [*planned["populations"], {"name": "total", "kind": ""} | planned["total"]]
    text = [("population", "", *COLUMNS[:-1], "time")]
    for row in rows:
        numbers = [f"{row[key]:,}" if row[key] else "-" for key in COLUMNS[:3]]
        sizes = [_size(row["disk"]), _size(row["memory"]), _time(row["seconds"])]
        text.append((row["name"], row["kind"], *numbers, *sizes))
    widths = [max(len(line[i]) for line in text) for i in range(len(text[0]))]
    lines = [f"{planned['model']}/{planned['variant']}, expected"]
    for line in text:
        left = [f"{cell:<{width}}" for cell, width in zip(line[:2], widths[:2], strict=True)]
        right = [f"{cell:>{width}}" for cell, width in zip(line[2:], widths[2:], strict=True)]
        lines.append("  ".join(left + right).rstrip())
    lines += [
        f"{row['name']}: {row['touches']:,} touches before pruning"
        for row in rows
        if row.get("touches")
    ]
    lines.append(
        "Memory is the largest of all, as they are built one after another; time is for 2 quick cores,"
        " slow ones take two to three times as long."
    )
    return lines


def _size(count: float) -> str:
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} B"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
