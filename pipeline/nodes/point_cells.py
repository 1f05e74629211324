"""Point cells of placed populations: parameters from tables or files, written for NEST and BMTK."""

from __future__ import annotations

from pathlib import Path

from pipeline.cells.glif import Glif, read_glif
from pipeline.cells.glif_synapses import NEST_MODELS, Port, check_ports, nest_parameters
from pipeline.cells.glif_table import read_table
from pipeline.config.cell_models import EVERYWHERE, CellModel, GlifModel, model_of
from pipeline.config.celltypes import TypeSpec
from pipeline.config.load import Resolved
from pipeline.config.placement import PlacedNodes
from pipeline.config.tables import read_rows
from pipeline.config.yaml_lines import nearest
from pipeline.errors import ConfigError, Problem
from pipeline.runtime import write_json
from pipeline.sonata.layout import CircuitPaths

_PORT_COLUMNS = ("tau", "tau_slow", "amp_slow", "E_rev")


def type_entries(nodes: PlacedNodes, name: str, spec: TypeSpec) -> dict[str, str]:
    """Returns what a node type says of its cell model; nothing where it has none."""
    found = model_of(nodes.cell_models, spec.region)
    if found is None or not isinstance(found[1], GlifModel):
        return {}
    key, model = found
    return {
        "model_type": "point_neuron",
        "model_template": f"nest:{NEST_MODELS[model.synapse]}",
        "dynamics_params": _file_name(name, key, value_of(model, spec)),
    }


def value_of(model: CellModel, spec: TypeSpec) -> str:
    """Returns by which value a node type finds its parameters; empty if it has none."""
    if model.by == "cell_type":
        return spec.name
    return (spec.labels | spec.attributes).get(model.by, "").strip()


def point_cells(
    resolved: Resolved, name: str, specs: list[TypeSpec]
) -> dict[str, tuple[Glif, GlifModel, tuple[Port, ...]]]:
    """Reads the point cells of one population.

    Args:
        resolved: The model.
        name: The population.
        specs: Its node types.

    Returns:
        Cell, config and ports by the file name in ``components/point_neurons``.

    Raises:
        ConfigError: With everything that is wrong or missing.
    """
    nodes: PlacedNodes = resolved.model.nodes[name]
    cells: dict[str, tuple[Glif, GlifModel, tuple[Port, ...]]] = {}
    problems: list[Problem] = []
    for key, model in nodes.cell_models.items():
        if not isinstance(model, GlifModel):
            continue
        path = ("nodes", name, "cell_models", key)
        own = [s for s in specs if (model_of(nodes.cell_models, s.region) or ("",))[0] == key]
        values = list(dict.fromkeys(value_of(model, spec) for spec in own))
        where = resolved.origin(path)
        if "" in values:
            types = [s.name for s in own if not value_of(model, s)]
            message = f"cell types without {model.by}: {', '.join(dict.fromkeys(types))}"
            problems.append(Problem(where, message, "by names a label or column of the types"))
            continue
        try:
            found = _read_cells(resolved, model, values, where)
            ports = _read_ports(resolved, model, values, resolved.origin((*path, "ports")))
        except ConfigError as error:
            problems += error.problems
            continue
        for value in values:
            cells[_file_name(name, key, value)] = (found[value], model, ports[value])
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return cells


def write_point_cells(
    resolved: Resolved, name: str, specs: list[TypeSpec], paths: CircuitPaths
) -> None:
    """Writes ``components/point_neurons``: parameters under NEST's names (pF, nS, pA, mV, ms)."""
    for file, (cell, model, ports) in point_cells(resolved, name, specs).items():
        write_json(paths.point_neurons / file, nest_parameters(cell, model.synapse, ports))


def _file_name(population: str, key: str, value: str) -> str:
    parts = [population, value] if key == EVERYWHERE else [population, key, value]
    return "_".join(parts).replace("/", "-") + ".json"


def _read_cells(
    resolved: Resolved, model: GlifModel, values: list[str], where: str
) -> dict[str, Glif]:
    if not model.folder:
        path = resolved.path(model.table)
        cells = read_table(path, model.by, model.level)
        missing = [value for value in values if value not in cells]
        if missing:
            message = f"no row for {model.by} {', '.join(missing)}"
            raise ConfigError(Problem(str(path), message, nearest(missing[0], list(cells))))
        return cells
    folder = resolved.path(model.folder)
    cells, problems = {}, []
    for value in model.files:
        if value not in values:
            hint = nearest(value, values)
            problems.append(Problem(where, f"files: no {model.by} {value!r}", hint))
    for value in values:
        path = folder / model.files.get(value, f"{value}.json")
        try:
            cells[value] = read_glif(path).at_level(model.level, str(path))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return cells


def _read_ports(
    resolved: Resolved, model: GlifModel, values: list[str], where: str
) -> dict[str, tuple[Port, ...]]:
    """Returns the ports by value; checked for the kind of synapse."""
    if isinstance(model.ports, str):
        path = resolved.path(model.ports)
        by_value, where = _ports_table(path, model, values), str(path)
    else:
        ports = tuple(Port(p.tau, p.tau_slow, p.amp_slow, p.E_rev) for p in model.ports)
        by_value = dict.fromkeys(values, ports)
    problems = [
        problem
        for ports in by_value.values()
        for problem in check_ports(model.synapse, ports, where)
    ]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return by_value


def _ports_table(path: Path, model: GlifModel, values: list[str]) -> dict[str, tuple[Port, ...]]:
    table = read_rows(path)
    problems = [
        Problem(f"{path}:1", f"no column {name!r}", nearest(name, table.columns))
        for name in ("port", "tau")
        if name not in table
    ]
    if problems:
        raise ConfigError(problems)
    own = model.by in table
    found: dict[str, list[Port]] = {}
    for index, row in enumerate(table.records()):
        where = f"{path}:{index + 2}"
        ports = found.setdefault(row[model.by].strip() if own else "", [])
        if row["port"].strip() != str(len(ports) + 1):
            message = f"port is {row['port']!r}"
            problems.append(Problem(where, message, f"expected {len(ports) + 1}: count from 1"))
        texts = {name: row[name].strip() for name in _PORT_COLUMNS if name in row}
        try:
            ports.append(Port(**{name: float(text) for name, text in texts.items() if text}))
        except (ValueError, TypeError):
            shown = ", ".join(f"{name} {text!r}" for name, text in texts.items())
            problems.append(Problem(where, shown, "write a number; tau is needed"))
            ports.append(Port(1.0))
    missing = [value for value in values if own and value not in found]
    if missing:
        problems.append(Problem(str(path), f"no ports for {model.by} {', '.join(missing)}"))
    if problems:
        raise ConfigError(problems)
    return {value: tuple(found.get(value if own else "", ())) for value in values}
