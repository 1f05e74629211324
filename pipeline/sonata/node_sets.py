"""Which nodes of a population a node set means."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.errors import CircuitError, Problem
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_json, read_typed_nodes


def read_set(paths: CircuitPaths, name: str) -> tuple[str, pd.DataFrame, np.ndarray]:
    """Reads the population of a node set and marks the nodes of the set.

    Args:
        paths: The circuit; its nodes exist.
        name: A set of ``node_sets.json``: ``population`` and filters by ``node_id`` or attribute.

    Returns:
        The population, its nodes with the attributes of their types (index ``node_id``), and bool
        [nodes].

    Raises:
        CircuitError: If the set or one of its attributes is unknown, or it has no population.
    """
    sets = read_json(paths.node_sets, "nodes")
    where, rule = str(paths.node_sets), sets.get(name)
    if not isinstance(rule, dict) or "population" not in rule:
        known = ", ".join(sorted(sets))
        raise CircuitError(Problem(where, f"no node set {name!r}", f"known: {known}"))
    population = str(rule["population"])
    nodes = read_typed_nodes(paths.nodes(population), paths.node_types(population), population)
    chosen = np.ones(len(nodes), bool)
    for key, wanted in rule.items():
        if key == "population":
            continue
        if key != "node_id" and key not in nodes:
            message = f"node set {name!r} filters by {key!r}, which {population!r} does not have"
            raise CircuitError(Problem(where, message, "build the nodes again"))
        values = nodes.index.to_series() if key == "node_id" else nodes[key]
        if key == "node_id":
            given = wanted if isinstance(wanted, list) else [wanted]
            if unknown := [item for item in given if not _is_node(item, nodes)]:
                message = f"node set {name!r} names node {unknown[0]!r}, which does not exist"
                raise CircuitError(Problem(where, message, "build the nodes again"))
        chosen &= values.isin(wanted if isinstance(wanted, list) else [wanted]).to_numpy()
    return population, nodes, chosen


def _is_node(item: object, nodes: pd.DataFrame) -> bool:
    return isinstance(item, int) and not isinstance(item, bool) and item in nodes.index
