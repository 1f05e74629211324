"""Stage ``perturb``: the circuit of one variant made from the built circuit of another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.load import Resolved
from pipeline.config.perturbed import Block, Remove, Shuffle
from pipeline.errors import CircuitError, ConfigError, Problem
from pipeline.perturb import edges as change
from pipeline.perturb.edges import Edges
from pipeline.philox import rule_key, uniforms_array
from pipeline.runtime import atomic_path, write_json
from pipeline.simulation.targets import edge_ends, select_nodes, typed_nodes
from pipeline.sonata.layout import CHEMICAL, CircuitPaths, edge_population_name
from pipeline.sonata.read import not_built, open_population, read_edges, read_json, read_types
from pipeline.sonata.write import EdgeWriter

_TEMPLATES = {"ampa": "AmpaNmdaRelease", "nmda": "AmpaNmdaRelease", "gabaa": "GabaABRelease",
              "gabab": "GabaABRelease"}  # fmt: skip
_SLOW = ("nmda", "gabab")
_RATIO = "conductance_scale_factor"


def run_perturb(resolved: Resolved, base: CircuitPaths, paths: CircuitPaths) -> dict[str, int]:
    """Writes the changed circuit.

    Args:
        resolved: The model with its steps.
        base: The built circuit that they change.
        paths: Where the new one goes.

    Returns:
        Edges by population.

    Raises:
        CircuitError: If the base is not built or has not what a step names.
        ConfigError: If a step does not fit.
    """
    if not base.circuit_config.is_file():
        raise not_built(base.circuit_config, "circuit")
    steps = resolved.model.perturb.steps
    _copy(base, paths)
    for step in steps:
        if isinstance(step, Block) and step.channel:
            block_channel(paths, step)
    counts = {}
    for population, ends in edge_ends(base).items():
        made, units = read_population(base, population)
        for step in steps:
            made = _apply(resolved, base, population, ends, step, made)
        _write(paths, population, ends, made, units, base)
        counts[population] = len(made)
    return counts


def _copy(base: CircuitPaths, paths: CircuitPaths) -> None:
    """Everything but edges; whatever else a file holds stays the same."""
    for folder in (base.network, base.components):
        for file in sorted(f for f in folder.rglob("*") if f.is_file()):
            if file.name.startswith(".") or file.name.endswith(".edges.h5"):
                continue
            with atomic_path(paths.root / file.relative_to(base.root)) as temporary:
                shutil.copyfile(file, temporary)
    placed = ("placement_*.csv", "fit_*.csv", "emodels_*.csv")
    folder = base.analysis("any").parent
    tables = [file for pattern in placed for file in sorted(folder.glob(pattern))]
    for file in (base.node_sets, base.circuit_config, *tables):
        with atomic_path(paths.root / file.relative_to(base.root)) as temporary:
            shutil.copyfile(file, temporary)


def read_population(paths: CircuitPaths, population: str) -> tuple[Edges, dict[str, str]]:
    """Reads all edges of a population into memory, and the units that its file states."""
    frame = read_edges(paths.edges(population), population)
    ids = [frame.pop(name).to_numpy(np.int64) for name in
           ("source_node_id", "target_node_id", "edge_type_id")]  # fmt: skip
    units = {}
    with open_population(paths.edges(population), "edges", population) as root:
        for name in frame:
            unit = root["0"][name].attrs.get("units")
            if unit is not None:
                units[name] = unit.decode() if isinstance(unit, bytes) else str(unit)
    return Edges(*ids, {name: frame[name].to_numpy() for name in frame}), units


def _write(
    paths: CircuitPaths, population: str, ends: tuple[str, str], made: Edges,
    units: dict[str, str], base: CircuitPaths,
) -> None:  # fmt: skip
    sizes = [len(typed_nodes(base, end)) for end in ends]
    with EdgeWriter(
        paths.edges(population), population, *ends, *sizes, units=units,
        chunk_rows=max(1024, len(made)),
    ) as writer:  # fmt: skip
        writer.append(made.source.astype("u8"), made.target.astype("u8"), made.kind, made.columns)


def _apply(
    resolved: Resolved, base: CircuitPaths, population: str, ends: tuple[str, str],
    step: Remove | Block | Shuffle, made: Edges,
) -> Edges:  # fmt: skip
    if isinstance(step, Remove):
        owner, gone = removed(resolved, base, step)
        masks = []
        for end in ends:
            mask = np.zeros(len(typed_nodes(base, end)), bool)
            if end == owner:
                mask[gone] = True
            masks.append(mask)
        return change.remove_nodes(made, *masks)
    if isinstance(step, Block):
        return _block_receptor(base, population, step, made) if step.receptor else made
    config = resolved.model.edges[step.edges]
    if step.control or population != edge_population_name(config.source, config.target, CHEMICAL):
        return made
    return _shuffle(base, ends, step, made)


def removed(resolved: Resolved, base: CircuitPaths, step: Remove) -> tuple[str, np.ndarray]:
    """Population and ids of the nodes whose edges go; for a control as many others.

    Raises:
        CircuitError: If there are not enough others.
    """
    population, ids = select_nodes(base, step.nodes)
    if not step.control:
        return population, ids
    nodes = typed_nodes(base, population)
    kinds = nodes.get("synapse_class", pd.Series("", index=nodes.index)).astype(str).to_numpy()
    inside = np.zeros(len(nodes), bool)
    inside[ids] = True
    key = rule_key(resolved.model.seed, f"perturb/{step.nodes}")
    everyone = np.arange(len(nodes))
    number, _ = uniforms_array(key, everyone, np.zeros_like(everyone), purpose=0)
    chosen = []
    for kind in np.unique(kinds[ids]):
        count = int((kinds[ids] == kind).sum())
        others = everyone[~inside & (kinds == kind)]
        if len(others) < count:
            message = f"{count} nodes of {step.nodes!r}, but {len(others)} others of class {kind!r}"
            raise CircuitError(Problem(str(base.node_sets), message, "take a smaller node set"))
        chosen.append(others[np.argsort(number[others], kind="stable")[:count]])
    return population, np.sort(np.concatenate(chosen))


def _block_receptor(base: CircuitPaths, population: str, step: Block, made: Edges) -> Edges:
    """The fast receptor carries the conductance, the slow one a ratio to it."""
    types = read_types(base.edge_types(population))
    templates = types.get("model_template", pd.Series("", index=types.index)).astype(str)
    kinds = types.index[templates == _TEMPLATES[step.receptor]].to_numpy(np.int64)
    left = 1.0 if step.control else 1.0 - step.fraction
    if not len(kinds):
        return made
    if _RATIO not in made.columns:
        message = f"edges {population!r} have no {_RATIO}"
        hint = "the ratio of both receptors must stand in the edges"
        raise CircuitError(Problem(str(base.edges(population)), message, hint))
    if step.receptor in _SLOW:
        return change.scale(made, _RATIO, left, kinds)
    made = change.scale(made, "conductance", left, kinds)
    return change.scale(made, _RATIO, 1.0 / left, kinds)  # the slow receptor stays as it was


def _shuffle(base: CircuitPaths, ends: tuple[str, str], step: Shuffle, made: Edges) -> Edges:
    nodes = [typed_nodes(base, end) for end in ends]
    types = [table["node_type_id"].to_numpy(np.int64) for table in nodes]
    same = ends[0] == ends[1]
    if step.keep == "degree":
        return change.shuffle_degree(made, *types, step.seed, step.swaps, same)
    strata = None
    if step.keep == "distance":
        places = [table[["x", "y", "z"]].to_numpy(np.float64) for table in nodes]
        strata = change.distance_strata((places[0], places[1]), step.bin)
    return change.shuffle_type(made, types[0], step.seed, strata, same)


def block_channel(paths: CircuitPaths, step: Block) -> None:
    """Scales the densities of a mechanism in all e-models that have it.

    Raises:
        ConfigError: If none has.
    """
    found, known = 0, set()
    for file in sorted(paths.emodels.glob("*.json")):
        data = read_json(file, "nodes")
        mechanisms = data["emodel"]["mechanisms"]
        known |= {name for entries in mechanisms.values() for name in entries}
        changed = scale_channel(data, step.channel, 0.0 if step.control else step.fraction)
        if changed is not None:
            write_json(file, changed)
            found += 1
    if step.channel in known and not found:
        message = f"no e-model writes a conductance g...bar of {step.channel!r}"
        hint = "write it there: what a mechanism sets by itself cannot be taken off"
        raise ConfigError(Problem("perturb", message, hint))
    if not found:
        hint = f"known: {', '.join(sorted(known))}"
        raise ConfigError(Problem("perturb", f"no e-model has channel {step.channel!r}", hint))


def scale_channel(data: dict, channel: str, fraction: float) -> dict | None:
    """Returns a stored cell type with less of a channel; None if it has none.

    Args:
        data: Content of a file of ``components/emodels``.
        channel: Mechanism; its parameters ``g...bar`` are scaled.
        fraction: Of its density that is gone.
    """
    from pipeline.cells.description import is_density

    data = json.loads(json.dumps(data))
    found = False
    for entries in data["emodel"]["mechanisms"].values():
        for name, value in entries.get(channel, {}).items():
            if is_density(name):
                found = True
                if isinstance(value, dict):
                    value["value"] *= 1.0 - fraction
                else:
                    entries[channel][name] = value * (1.0 - fraction)
    return data if found else None


def base_paths(resolved: Resolved, out: Path) -> CircuitPaths:
    """Where the circuit is that this variant changes."""
    return CircuitPaths(out / resolved.model.name / resolved.model.perturb.of)
