"""Which nodes a node set means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import CircuitError, Problem
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.node_sets import read_set
from pipeline.sonata.read import read_json, read_nodes, read_typed_nodes, read_types


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


def select_nodes(paths: CircuitPaths, name: str) -> tuple[str, np.ndarray]:
    """Returns the population and the node ids (int64, ascending) of a node set of the circuit.

    Raises:
        CircuitError: If the set or one of its attributes is unknown, or it has no population.
    """
    population, nodes, chosen = read_set(paths, name)
    return population, np.sort(nodes.index.to_numpy(np.int64)[chosen])


def select_targets(paths: CircuitPaths, name: str) -> Targets:
    """Returns the cells of a node set of the circuit; virtual nodes lead to the cells they feed.

    Raises:
        CircuitError: If the set is unknown or has no population.
    """
    population, ids = select_nodes(paths, name)
    nodes = read_nodes(paths.nodes(population), population)
    if "target_node_id" not in nodes:
        return Targets(population, ids)
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


def populations(paths: CircuitPaths) -> dict[str, bool]:
    """Returns every node population of the circuit, and whether it is virtual.

    Raises:
        CircuitError: If the circuit config was not written.
    """
    networks = read_json(paths.circuit_config, "circuit").get("networks", {})
    return {
        name: properties.get("type") == "virtual"
        for entry in networks.get("nodes", [])
        for name, properties in entry["populations"].items()
    }


def edge_ends(paths: CircuitPaths) -> dict[str, tuple[str, str]]:
    """Returns source and target node population of every edge population of the circuit."""
    import h5py

    networks = read_json(paths.circuit_config, "circuit").get("networks", {})
    ends = {}
    for entry in networks.get("edges", []):
        for name in entry["populations"]:
            with h5py.File(paths.edges(name)) as handle:
                root = handle[f"edges/{name}"]
                ends[name] = tuple(
                    str(root[f"{side}_node_id"].attrs["node_population"])
                    for side in ("source", "target")
                )
    return ends


def typed_nodes(paths: CircuitPaths, population: str) -> pd.DataFrame:
    """Returns the nodes of a population with the attributes of their types."""
    return read_typed_nodes(paths.nodes(population), paths.node_types(population), population)
