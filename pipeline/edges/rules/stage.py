"""Stage ``edges`` for ``kind: rules``: reads nodes, builds, writes; whole or in parts."""

from __future__ import annotations

import logging

import pandas as pd

from pipeline.config.load import Resolved
from pipeline.config.rules import RuleEdges
from pipeline.edges.rules.build import Builder, Network, compile_network
from pipeline.edges.rules.expect import write_expectation
from pipeline.edges.rules.parts import (
    Names,
    automatic_parts,
    merge_parts,
    write_edge_types,
    write_in_parts,
    write_part,
    write_whole,
)
from pipeline.edges.rules.plan import EdgePlan
from pipeline.edges.rules.tables import Findings
from pipeline.errors import Problem
from pipeline.runtime import progress
from pipeline.sonata.layout import CHEMICAL, CircuitPaths, edge_population_name
from pipeline.sonata.read import read_typed_nodes

_log = logging.getLogger(__name__)


def node_table(paths: CircuitPaths, population: str) -> pd.DataFrame:
    """Reads nodes with the attributes of their types; those of the node itself win.

    Raises:
        CircuitError: If the nodes are missing.
    """
    return read_typed_nodes(paths.nodes(population), paths.node_types(population), population)


def load_network(
    resolved: Resolved, name: str, paths: CircuitPaths
) -> tuple[Network, list[Problem]]:
    """Compiles one edge config against the nodes of a circuit.

    Returns:
        The network, and warnings.

    Raises:
        ConfigError: With all problems at once.
        CircuitError: If the nodes are missing.
    """
    config = resolved.model.edges[name]
    findings = Findings(resolved.document, ("edges", name), resolved.path)
    source = node_table(paths, config.source)
    target = source if config.target == config.source else node_table(paths, config.target)
    network = compile_network(config, resolved.model.seed, source, target, findings)
    return network, findings.problems


def population_names(config: RuleEdges) -> Names:
    """Returns the names of the population that rules make."""
    name = edge_population_name(config.source, config.target, CHEMICAL)
    return Names(name, config.source, config.target)


def run_rules(resolved: Resolved, name: str, paths: CircuitPaths) -> dict[str, int]:
    """Writes the edges and the edge types of one config; goes on with parts finished before.

    Args:
        resolved: The model.
        name: Key under ``edges``.
        paths: The circuit; its nodes exist.

    Returns:
        Edge population name to number of edges.

    Raises:
        ConfigError: If rules cannot be meant.
        CircuitError: If nodes are missing or find too few partners.
    """
    network, warnings = load_network(resolved, name, paths)
    for problem in warnings:
        _log.warning("%s", problem)
    builder, names = Builder(network), population_names(network.config)
    path = paths.edges(names.population)
    expected = builder.expected().edges
    parts = network.config.parts or automatic_parts(expected)
    with progress(total=round(expected), label=name, unit="edge") as bar:
        if parts == 1:
            edges = write_whole(builder, path, names, bar.update)
        else:
            edges = write_in_parts(builder, path, names, parts, bar.update)
    write_edge_types(network, paths.edge_types(names.population))
    write_expectation(network, name, paths)
    return {names.population: edges}


def run_part(resolved: Resolved, name: str, paths: CircuitPaths, part: int, parts: int) -> None:
    """Writes one part (from 0) of the edges of one config, for a scattered build."""
    network, _ = load_network(resolved, name, paths)
    names = population_names(network.config)
    write_part(Builder(network), paths.edges(names.population), names, part, parts)


def run_merge(resolved: Resolved, name: str, paths: CircuitPaths, parts: int) -> dict[str, int]:
    """Joins the parts of a scattered build; they stay, for the workflow to delete."""
    network, _ = load_network(resolved, name, paths)
    names = population_names(network.config)
    builder = Builder(network)
    edges = merge_parts(builder, paths.edges(names.population), names, parts)
    write_edge_types(network, paths.edge_types(names.population))
    write_expectation(network, name, paths)
    return {names.population: edges}


def plan_population(
    resolved: Resolved, name: str, source: pd.DataFrame, target: pd.DataFrame
) -> EdgePlan:
    """Expectation of one edge config from node tables that need not be written yet.

    Args:
        resolved: The model.
        name: Key under ``edges``.
        source: Source nodes with all attributes.
        target: Target nodes.
    """
    findings = Findings(resolved.document, ("edges", name), resolved.path)
    config = resolved.model.edges[name]
    network = compile_network(config, resolved.model.seed, source, target, findings)
    return Builder(network).expected()
