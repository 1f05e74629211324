"""Which cells a node set means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.errors import CircuitError, Problem
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_json, read_nodes, read_types


@dataclass(frozen=True)
class Targets:
    """Cells of one population.

    Attributes:
        population: Population of cells with a membrane.
        node_ids: int64 [n], ascending.
        virtual_ids: int64 [n] or None. The virtual nodes that feed them, when one was named.
    """

    population: str
    node_ids: np.ndarray
    virtual_ids: np.ndarray | None = None


def select_targets(paths: CircuitPaths, name: str) -> Targets:
    """Returns the cells of a node set of the circuit; virtual nodes lead to the cells they feed.

    Raises:
        CircuitError: If the set is unknown or has no population.
    """
    sets = read_json(paths.node_sets, "nodes")
    definition = sets.get(name)
    if not isinstance(definition, dict) or "population" not in definition:
        known = ", ".join(sorted(sets))
        raise CircuitError(
            Problem(str(paths.node_sets), f"no node set {name!r}", f"known: {known}")
        )
    population = definition["population"]
    nodes = read_nodes(paths.nodes(population), population)
    ids = np.array(definition.get("node_id", nodes.index), np.int64)
    if "target_node_id" not in nodes:
        return Targets(population, np.sort(ids))
    fed = nodes.loc[ids, "target_node_id"].to_numpy(np.int64)
    order = np.argsort(fed)
    return Targets(fed_population(paths, population), fed[order], ids[order])


def fed_population(paths: CircuitPaths, virtual: str) -> str:
    """Returns the population that a virtual population feeds, as its types table says.

    Raises:
        CircuitError: If the table does not say.
    """
    types = read_types(paths.node_types(virtual))
    if "feeds" not in types:
        path = str(paths.node_types(virtual))
        raise CircuitError(Problem(path, "no column 'feeds'", "name the population it feeds"))
    return str(types["feeds"].iloc[0])
