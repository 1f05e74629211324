"""Writes the text files of a circuit: types tables, circuit config and node sets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.errors import CircuitError
from pipeline.runtime import write_json, write_text
from pipeline.sonata import layout


def write_types(path: str | Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Writes a node or edge types table: space separated, ``NULL`` for what is not set.

    Args:
        path: File to write.
        rows: One mapping per type; all hold ``node_type_id`` or all hold ``edge_type_id``.

    Raises:
        CircuitError: If the id column is missing or an id appears twice.
    """
    rows = list(rows)
    key = next((k for k in (layout.NODE_TYPE, layout.EDGE_TYPE) if rows and k in rows[0]), None)
    ids = [row.get(key) for row in rows]
    if key is None or None in ids or len(set(ids)) != len(ids):
        raise CircuitError(f"{path}: each type needs one node_type_id or edge_type_id of its own")
    names = [key, *dict.fromkeys(name for row in rows for name in row if name != key)]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=" ", lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow("NULL" if row.get(name) is None else row[name] for name in names)
    write_text(path, buffer.getvalue())


def write_circuit_config(
    paths: layout.CircuitPaths,
    nodes: Mapping[str, Mapping[str, object]],
    edges: Mapping[str, Mapping[str, object]],
    *,
    components: Mapping[str, str | Path] | None = None,
) -> None:
    """Writes the circuit config that libsonata, SNAP and BMTK open.

    BMTK takes ``$BASE_DIR: "."`` from the working folder, the two others from the config's
    folder: run BMTK inside the circuit's folder.

    Args:
        paths: The circuit's paths.
        nodes: Population name to its properties, such as ``{"type": "biophysical"}``.
        edges: Population name to its properties, such as ``{"type": "chemical"}``.
        components: Further folders by SONATA key, absolute or relative to the circuit's folder;
            they replace the standard ones.
    """

    def local(path: Path) -> str:
        return f"$BASE_DIR/{path.relative_to(paths.root).as_posix()}"

    standard = {
        "morphologies_dir": local(paths.morphologies),
        "biophysical_neuron_models_dir": local(paths.emodels),
        "point_neuron_models_dir": local(paths.emodels),
        "synaptic_models_dir": local(paths.synapses),
        "mechanisms_dir": local(paths.components / "mechanisms"),
    }
    given = {
        key: str(folder) if Path(folder).is_absolute() else f"$BASE_DIR/{folder}"
        for key, folder in (components or {}).items()
    }
    config = {
        "version": layout.CONFIG_VERSION,
        "manifest": {"$BASE_DIR": "."},
        "node_sets_file": local(paths.node_sets),
        "components": {**standard, **given},
        "networks": {
            "nodes": [
                {
                    "nodes_file": local(paths.nodes(name)),
                    "node_types_file": local(paths.node_types(name)),
                    "populations": {name: dict(properties)},
                }
                for name, properties in nodes.items()
            ],
            "edges": [
                {
                    "edges_file": local(paths.edges(name)),
                    "edge_types_file": local(paths.edge_types(name)),
                    "populations": {name: dict(properties)},
                }
                for name, properties in edges.items()
            ],
        },
    }
    write_json(paths.circuit_config, config)


def write_node_sets(path: str | Path, sets: Mapping[str, object]) -> None:
    """Writes node sets: name to a property filter, or to a list of other sets' names.

    Raises:
        CircuitError: If a set is neither, or a list names a set that does not exist.
    """
    for name, value in sets.items():
        if isinstance(value, Mapping):
            continue
        unknown = [n for n in value if n not in sets] if isinstance(value, list) else [value]
        if unknown:
            raise CircuitError(f"{path}: node set {name!r} refers to {unknown}, not to known sets")
    write_json(path, dict(sets))
