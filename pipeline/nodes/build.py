"""Stage ``nodes``: populations, types, node sets, and the components the cells need."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.cells.description import cell_type_to_json
from pipeline.cells.morphology import read_morphology
from pipeline.config.emodel import read_emodels
from pipeline.config.load import Resolved
from pipeline.config.schema import VirtualNodes
from pipeline.errors import MorphologyError, Problem
from pipeline.nodes.cells import check_cells, read_tables, source_morphology
from pipeline.nodes.populations import WRITERS
from pipeline.nodes.table import NodeTable
from pipeline.nodes.whole_cells import centred_swc
from pipeline.runtime import atomic_path, progress, write_json, write_text
from pipeline.sonata.configs import write_node_sets, write_types
from pipeline.sonata.layout import CELL_TEMPLATE, CircuitPaths
from pipeline.sonata.write import write_nodes


def run_nodes(resolved: Resolved, paths: CircuitPaths) -> dict[str, int]:
    """Writes all node populations of a model.

    Args:
        resolved: The model.
        paths: Where the circuit goes.

    Returns:
        The number of nodes of each population.

    Raises:
        ConfigError: If tables, e-models or placements are wrong.
        MorphologyError: If morphologies are missing or damaged; all of them at once.
    """
    tables = read_tables(resolved)
    problems = [problem for table in tables.values() for problem in check_cells(resolved, table)]
    if problems:
        raise MorphologyError(list(dict.fromkeys(problems)))
    sets: dict[str, object] = {}
    counts = {name: len(table.frame) for name, table in tables.items()}
    for name, table in tables.items():
        positions = _write_components(resolved, table, paths)
        _write_cells(resolved, name, table, positions, paths)
        sets[name] = {"population": name}
        sets |= {
            key: {"population": name, "node_id": ids.tolist()} for key, ids in table.sets.items()
        }
    for name, nodes in resolved.model.nodes.items():
        if writer := WRITERS.get(type(nodes)):
            counts[name], own = writer(resolved, name, paths)
            sets |= own
        elif isinstance(nodes, VirtualNodes):
            fed = tables[nodes.feeds].sets[nodes.set]
            names = tables[nodes.feeds].frame["name"].to_numpy()[fed]
            columns = {"name": names, "target_node_id": fed.astype(np.uint64)}
            write_nodes(paths.nodes(name), name, columns, np.zeros(len(fed), np.int64))
            kind = {"node_type_id": 0, "model_type": "virtual", "feeds": nodes.feeds}
            write_types(paths.node_types(name), [kind])
            sets[name] = {"population": name}
            counts[name] = len(fed)
    write_node_sets(paths.node_sets, sets)
    return counts


def _write_components(resolved: Resolved, table: NodeTable, paths: CircuitPaths) -> np.ndarray:
    """Copies the morphologies centred on their soma; returns soma positions [n, 3] in um."""
    absolute = resolved.model.cells.morphologies.coordinates == "absolute"
    suffix = resolved.model.cells.morphologies.format
    names = table.frame["morphology"].unique()
    centres: dict[str, np.ndarray] = {}
    for name in progress(names, total=len(names), label="components", unit="cell"):
        source = source_morphology(resolved, name)
        centre = read_morphology(source).soma_position
        centres[name] = centre if absolute else np.zeros(3)
        _write_centred(source, centres[name], paths.morphologies / f"{name}.{suffix}")
    for name, emodel in read_emodels(resolved.path(resolved.model.cells.emodels)).items():
        if name in set(table.frame["emodel"]):
            description = cell_type_to_json(emodel, resolved.model.cells)
            write_json(paths.emodels / f"{name}.json", description)
    return np.stack([centres[name] for name in table.frame["morphology"]])


def _write_centred(source: Path, centre: np.ndarray, target: Path) -> None:
    import morphio
    import morphio.mut

    change = morphio.Option.allow_unifurcated_section_change  # as it was read
    quiet = morphio.WarningHandlerCollector()
    morphology = morphio.mut.Morphology(str(source), options=change, warning_handler=quiet)
    if any(len(section.children) == 1 for section in morphology.iter()):
        # MorphIO reads a section type that changes without a branch, and does not write it.
        if source.suffix.lower() != ".swc":
            message = "a section type changes without a branch"
            raise MorphologyError(Problem(str(source), message, "convert the file to SWC"))
        write_text(target, centred_swc(source, centre))
        return
    morphology.soma.points = morphology.soma.points - centre
    for section in morphology.iter():
        section.points = section.points - centre
    with atomic_path(target) as temporary:
        written = temporary.with_suffix(target.suffix)
        try:
            morphology.write(str(written))
            written.replace(temporary)
        finally:
            written.unlink(missing_ok=True)


def _write_cells(
    resolved: Resolved, name: str, table: NodeTable, positions: np.ndarray, paths: CircuitPaths
) -> None:
    frame = table.frame
    emodels = sorted(frame["emodel"].unique())
    columns = {column: frame[column].to_numpy() for column in frame.columns}
    columns |= {axis: positions[:, index] for index, axis in enumerate("xyz")}
    types = [
        {
            "node_type_id": index,
            "model_type": "biophysical",
            "model_template": CELL_TEMPLATE,
            "model_name": emodel,
            "dynamics_params": f"{emodel}.json",
        }
        for index, emodel in enumerate(emodels)
    ]
    type_ids = np.searchsorted(emodels, frame["emodel"].to_numpy().astype(str))
    write_nodes(paths.nodes(name), name, columns, type_ids)
    write_types(paths.node_types(name), types)
