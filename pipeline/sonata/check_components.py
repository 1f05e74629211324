"""Checks that the files which nodes and edges refer to exist and fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np

from pipeline.errors import MorphologyError, Problem
from pipeline.sonata import checks, layout
from pipeline.sonata.checks import Nodes, listed, place
from pipeline.sonata.circuit import Circuit
from pipeline.sonata.shape_files import open_shape

MAX_MORPHOLOGIES = 64
"""Morphologies are read, and section ids compared with them, up to this many distinct ones."""

_ALTERNATIVES = {"h5v1": ".h5", "neurolucida-asc": ".asc"}
_MODEL_FOLDERS = {
    "biophysical": "biophysical_neuron_models_dir",
    "point_neuron": "point_neuron_models_dir",
    "point_process": "point_neuron_models_dir",
    "point_soma": "point_neuron_models_dir",
}


def component_folder(circuit: Circuit, properties: Mapping, name: str) -> Path | None:
    """Returns a component's path, the population's own before the circuit's."""
    value = properties.get(name, circuit.components.get(name))
    if not isinstance(value, str) or "$" in value:
        return None
    return circuit.path.parent / value


def check_components(circuit: Circuit, nodes: Nodes) -> list[Problem]:
    """Checks morphologies, model templates and parameter files of one node population."""
    files = np.asarray(nodes.columns.get("dynamics_params", ()), object)
    types = np.asarray(nodes.columns.get("model_type", ()), object)
    kind = nodes.properties.get("type") or (str(types[0]) if len(types) else "")
    kinds, present = np.full(len(files), kind, object), {kind}
    if len(types) == len(files) and set(types) <= set(_MODEL_FOLDERS):
        # One population may hold point cells and cells with morphologies.
        kinds, present = types, {kind, *types}
    problems: list[Problem] = []
    if "biophysical" in present:
        problems += _check_morphologies(circuit, nodes)
        problems += _check_templates(circuit, nodes)
    for kind in sorted(map(str, present)):
        folder_name, own = _MODEL_FOLDERS.get(kind), sorted(_texts(files[kinds == kind]))
        if folder_name and own:
            folder = component_folder(circuit, nodes.properties, folder_name)
            problems += _missing(circuit, nodes, folder_name, folder, own)
    return problems


def _texts(values: Iterable) -> set[str]:
    """Returns the distinct texts among values; missing ones and placeholders do not count."""
    return {value for value in values if isinstance(value, str) and value not in ("", "NULL")}


def _missing(
    circuit: Circuit, nodes: Nodes, key: str, folder: Path | None, files: list[str]
) -> list[Problem]:
    where = f"{circuit.path}: components.{key}"
    if folder is None or not folder.is_dir():
        if "$" in str(circuit.components.get(key, "")):
            return []  # the undefined variable is reported already
        message = f"{folder or 'nothing'} is no folder; nodes of {nodes.name!r} need it"
        return [Problem(where, message, "correct the path")]
    absent = [file for file in files if not (folder / file).is_file()]
    return _report_absent(f"{folder}", f"files that nodes of {nodes.name!r} name", absent)


def _report_absent(where: str, what: str, absent: list[str]) -> list[Problem]:
    if not absent:
        return []
    message = f"{len(absent)} {what} do not exist: {listed(np.array(absent))}"
    return [Problem(where, message, "add the files or correct the names")]


def _morphology_files(circuit: Circuit, nodes: Nodes, name: str) -> Iterator[Path]:
    """Yields the places where a morphology may be, the folder of SWC files first."""
    folder = component_folder(circuit, nodes.properties, "morphologies_dir")
    if folder is not None:
        for suffix in ("", ".swc", ".asc", ".h5"):
            yield folder / f"{name}{suffix}"
    others = nodes.properties.get(
        "alternate_morphologies", circuit.components.get("alternate_morphologies")
    )
    for key, suffix in _ALTERNATIVES.items():
        if isinstance(others, dict) and isinstance(others.get(key), str):
            yield circuit.path.parent / others[key] / f"{name}{suffix}"


def _containers(circuit: Circuit, nodes: Nodes) -> set[str]:
    """Returns the names inside an HDF5 morphology container, when there is one."""
    others = nodes.properties.get(
        "alternate_morphologies", circuit.components.get("alternate_morphologies")
    )
    file = others.get("h5v1") if isinstance(others, dict) else None
    if not isinstance(file, str) or not (circuit.path.parent / file).is_file():
        return set()
    try:
        with h5py.File(circuit.path.parent / file, "r") as handle:
            return set(handle)
    except checks.HDF5_ERRORS:
        return set()  # every morphology is then reported as missing


def _check_morphologies(circuit: Circuit, nodes: Nodes) -> list[Problem]:
    names = sorted(_texts(nodes.columns.get("morphology", ())))
    if not names:
        return []
    contained = _containers(circuit, nodes)
    folder = component_folder(circuit, nodes.properties, "morphologies_dir")
    if "$" in str(circuit.components.get("morphologies_dir", "")):
        return []  # the undefined variable is reported already
    absent = [
        name
        for name in names
        if name not in contained
        and not any(file.is_file() for file in _morphology_files(circuit, nodes, name))
    ]
    where = str(folder) if folder else f"{circuit.path}: components.morphologies_dir"
    problems = _report_absent(where, f"morphologies of {nodes.name!r}", absent)
    for name in names if len(names) <= MAX_MORPHOLOGIES else []:
        file = next((f for f in _morphology_files(circuit, nodes, name) if f.is_file()), None)
        try:
            if file is not None and name not in contained:
                open_shape(file)
        except MorphologyError as error:
            problems += error.problems
    return problems


def _check_templates(circuit: Circuit, nodes: Nodes) -> list[Problem]:
    """Looks for hoc templates as files of their name, or inside the files of templates_dir.

    Other directives (``ctdb:``, ``nrn:``, ``python:`` ...) name code, not files of the circuit.
    """
    wanted = sorted(
        name.removesuffix(".hoc")
        for directive, _, name in (
            text.partition(":") for text in _texts(nodes.columns.get("model_template", ()))
        )
        if directive == "hoc" and name
    )
    keys = ("biophysical_neuron_models_dir", "templates_dir")
    if any("$" in str(circuit.components.get(key, "")) for key in keys):
        return []  # the undefined variable is reported already
    folders = [component_folder(circuit, nodes.properties, key) for key in keys]
    known: set[str] = set()
    for folder in folders:
        for file in sorted(folder.glob("*.hoc")) if wanted and folder else ():
            known.add(file.stem)
            words = file.read_text(encoding="utf-8", errors="replace").split()
            known.update(b for a, b in zip(words, words[1:], strict=False) if a == "begintemplate")
    absent = [name for name in wanted if name not in known]
    where = next((str(folder) for folder in folders if folder), f"{circuit.path}: components")
    return _report_absent(where, f"hoc templates of {nodes.name!r}", absent)


def check_sections(
    circuit: Circuit, root: h5py.Group, nodes: Mapping[str, Nodes | None]
) -> list[Problem]:
    """Finds section ids beyond the sections of the cell's morphology.

    Only looks when the population shares few morphologies.
    """
    problems: list[Problem] = []
    for side, ids_name in (("afferent", layout.TARGET_IDS), ("efferent", layout.SOURCE_IDS)):
        ids, sections = root.get(ids_name), root.get(f"{layout.GROUP}/{side}_section_id")
        if not isinstance(ids, h5py.Dataset) or not isinstance(sections, h5py.Dataset):
            continue
        cells = nodes.get(str(ids.attrs.get(layout.POPULATION_ATTRIBUTE)))
        if cells is None or sections.dtype.kind not in "iu" or sections.shape != ids.shape:
            continue
        counts = _section_counts(circuit, cells)
        if counts is not None:
            problems += _beyond(ids, sections, cells, counts)
    return problems


def _beyond(
    ids: h5py.Dataset, sections: h5py.Dataset, cells: Nodes, counts: np.ndarray
) -> list[Problem]:
    order = np.argsort(cells.ids)
    for part in checks.blocks(len(ids)):
        node = ids[part].astype(np.int64)
        slot = np.minimum(np.searchsorted(cells.ids, node, sorter=order), len(order) - 1)
        known = cells.ids[order[slot]] == node
        limit = np.where(known, counts[order[slot]], -1)
        wrong = (limit >= 0) & (sections[part].astype(np.int64) > limit)
        if np.any(wrong):
            first = np.flatnonzero(wrong)[0]
            message = (
                f"{np.count_nonzero(wrong)} ids lie beyond the morphology, such as section "
                f"{sections[part][first]} of node {node[first]}, which has {limit[first]}"
            )
            return [Problem(place(sections), message, "0 is the soma, then MorphIO's id plus 1")]
    return []


def _section_counts(circuit: Circuit, cells: Nodes) -> np.ndarray | None:
    """Returns the number of sections besides the soma per node, -1 where it is not known."""
    names = cells.columns.get("morphology")
    if names is None or not len(names):
        return None
    distinct = _texts(names)
    if not distinct or len(distinct) > MAX_MORPHOLOGIES:
        return None
    counts = {}
    for name in distinct:
        files = [f for f in _morphology_files(circuit, cells, name) if f.is_file()]
        try:
            counts[name] = len(open_shape(files[0])[0].sections) if files else -1
        except MorphologyError:
            counts[name] = -1  # told with the components
    return np.array([counts.get(name, -1) for name in names], np.int64)
