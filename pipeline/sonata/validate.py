"""Checks whole SONATA circuits, ours or made elsewhere, and reports everything at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from pipeline.errors import CircuitError, Problem
from pipeline.sonata import checks
from pipeline.sonata.check_components import check_components, check_sections, component_folder
from pipeline.sonata.check_edges import check_edges
from pipeline.sonata.checks import Nodes
from pipeline.sonata.circuit import Circuit, Source, load_circuit, load_json

_HINT = "correct it there, or write the file anew"
_SET_KEYS = {"population", "population_type", "node_id", "node_ids", "node_type_id", "gid"}
_SET_OPERATORS = {"$and", "$or"}


def raise_if(problems: Iterable[Problem]) -> None:
    """Raises when there are errors; warnings alone pass.

    Raises:
        CircuitError: Carries every error among the problems.
    """
    errors = [problem for problem in problems if problem.level == "error"]
    if errors:
        raise CircuitError(errors)


def check_circuit(config_path: str | Path) -> list[Problem]:
    """Checks a circuit: config, files, ids, indices, values, components and node sets.

    Args:
        config_path: Circuit config, or a simulation config that names one; either dialect.

    Returns:
        Errors and warnings, in the order of the config; empty for a sound circuit. A damaged
        circuit never raises.
    """
    circuit, problems = load_circuit(config_path)
    if circuit is None:
        return problems
    problems += _check_repeats(circuit)
    nodes: dict[str, Nodes | None] = {}
    for source in _sources(circuit, "nodes"):
        problems += _check_nodes_file(source, nodes)
    for population in nodes.values():
        if population is not None:
            problems += check_components(circuit, population)
    for source in _sources(circuit, "edges"):
        problems += _check_edges_file(circuit, source, nodes)
    problems += _check_node_sets(circuit.node_sets, nodes)
    return [problem if problem.hint else replace(problem, hint=_HINT) for problem in problems]


def _sources(circuit: Circuit, kind: str) -> list[Source]:
    return [source for source in circuit.sources if source.kind == kind]


def _check_repeats(circuit: Circuit) -> list[Problem]:
    """Finds populations named twice in the config."""
    seen: set[tuple[str, str]] = set()
    problems = []
    for source in circuit.sources:
        for name in source.populations or {}:
            if (source.kind, name) in seen:
                message = f"population {name!r} of {source.kind} appears a second time"
                problems.append(Problem(source.where, message, "give it another name"))
            seen.add((source.kind, name))
    return problems


def _populations(
    source: Source, handle: h5py.File
) -> tuple[list[tuple[h5py.Group, dict]], list[Problem]]:
    """Returns the population groups of a file with their properties from the config."""
    root, problems = checks.child_group(handle, source.kind)
    if root is None:
        return [], problems
    inside = checks.members(root)
    named: Mapping[str, Mapping] = source.populations or dict.fromkeys(inside, {})
    found = []
    for name, properties in named.items():
        if name not in inside:
            message = f"population {name!r} is missing; the file has {', '.join(inside)}"
            problems.append(Problem(f"{source.file}: /{source.kind}", message, source.where))
            continue
        group, more = checks.child_group(root, name)
        problems += more
        if group is not None:
            found.append((group, dict(properties)))
    return found, problems


def _check_file(source: Source, check: Callable) -> list[Problem]:
    """Opens a file and checks its populations one by one.

    Args:
        source: The file.
        check: Takes (group, types table, properties), returns problems.
    """
    handle, problems = checks.open_h5(source.file)
    table, found = checks.load_types(source.types)
    problems += found
    if handle is None:
        return problems
    try:
        with handle:
            groups, found = _populations(source, handle)
            problems += found
            for group, properties in groups:
                problems += check(group, table, properties)
    except checks.HDF5_ERRORS as error:
        problems.append(Problem(str(source.file), f"is damaged inside ({error})", "write it anew"))
    return problems


def _check_nodes_file(source: Source, nodes: dict[str, Nodes | None]) -> list[Problem]:
    """Checks a nodes file and adds its populations to ``nodes``."""
    nodes.update(dict.fromkeys(source.populations or {}))

    def check(group, table, properties):
        population, problems = checks.check_nodes(group, source.types, table, properties)
        nodes[group.name.rsplit("/", 1)[-1]] = population
        return problems

    return _check_file(source, check)


def _check_edges_file(
    circuit: Circuit, source: Source, nodes: dict[str, Nodes | None]
) -> list[Problem]:
    """Checks an edges file against the node populations."""

    def check(group, table, properties):
        synapses = component_folder(circuit, properties, "synaptic_models_dir")
        problems = check_edges(group, source.types, table, properties, nodes, synapses)
        return problems + check_sections(circuit, group, nodes)

    return _check_file(source, check)


def _check_node_sets(path: Path | None, nodes: Mapping[str, Nodes | None]) -> list[Problem]:
    """Checks that node sets refer to sets, populations, nodes and attributes that exist."""
    if path is None or "$" in str(path):
        return []
    sets, problems = load_json(path)
    if problems:
        return problems
    if not isinstance(sets, dict):
        return [Problem(str(path), "holds no object of set names to filters")]
    for name, value in sets.items():
        where = f"{path}: {name}"
        if isinstance(value, list):
            unknown = [str(other) for other in value if str(other) not in sets]
            if unknown:
                problems.append(Problem(where, f"names unknown sets {', '.join(unknown)}"))
        elif isinstance(value, dict):
            problems += _check_filter(where, value, nodes)
        else:
            problems.append(Problem(where, "is neither a filter nor a list of sets"))
    return problems


def _check_filter(where: str, rule: dict, nodes: Mapping[str, Nodes | None]) -> list[Problem]:
    problems: list[Problem] = []
    names = rule.get("population", list(nodes))
    names = [str(name) for name in (names if isinstance(names, list) else [names])]
    unknown = [name for name in names if name not in nodes]
    if unknown:
        message = f"names unknown populations {', '.join(unknown)}"
        problems.append(Problem(where, message, f"the circuit has {', '.join(sorted(nodes))}"))
    if unknown or any(nodes[name] is None for name in names):
        return problems
    chosen = [nodes[name] for name in names]
    for key, value in rule.items():
        if key in _SET_OPERATORS:
            for part in value if isinstance(value, list) else []:
                problems += _check_filter(where, part, nodes) if isinstance(part, dict) else []
        elif key in ("node_id", "node_ids"):
            problems += _check_ids(where, value, chosen)
        elif key not in _SET_KEYS and not any(key in nodes.attributes for nodes in chosen):
            message = f"selects by {key!r}, which no node of {', '.join(names)} has"
            problems.append(Problem(where, message, "correct the name of the attribute"))
    return problems


def _check_ids(where: str, value: object, chosen: list[Nodes]) -> list[Problem]:
    ids = value if isinstance(value, list) else [value]
    if not all(isinstance(item, int) and abs(item) < 2**63 for item in ids):
        message = "node_id holds something else than integers of 64 bits"
        return [Problem(where, message, "list ids of nodes")]
    wanted = np.array(ids, np.int64)
    missing = wanted
    for population in chosen:
        missing = population.unknown(missing)
    if not len(missing):
        return []
    return [Problem(where, f"node ids {checks.listed(missing)} do not exist")]
