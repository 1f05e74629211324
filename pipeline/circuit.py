"""Stage ``circuit``: joins nodes and edges under one SONATA config and checks the whole."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.crosscheck import is_virtual
from pipeline.config.load import Resolved
from pipeline.config.schema import ContactEdges
from pipeline.config.stages import has_point_cells
from pipeline.errors import Problem
from pipeline.runtime import write_json
from pipeline.sonata.configs import write_circuit_config
from pipeline.sonata.layout import CHEMICAL, ELECTRICAL, CircuitPaths, edge_population_name
from pipeline.sonata.read import not_built
from pipeline.sonata.validate import check_circuit, raise_if


def edge_populations(resolved: Resolved, name: str) -> dict[str, str]:
    """Returns the populations one edge config makes: population name to kind."""
    edges = resolved.model.edges[name]
    kinds = (CHEMICAL, ELECTRICAL) if isinstance(edges, ContactEdges) else (CHEMICAL,)
    return {edge_population_name(edges.source, edges.target, kind): kind for kind in kinds}


def population_type(nodes: object) -> str:
    """Returns the SONATA type of a population: virtual, biophysical or that of its point cells."""
    return "virtual" if is_virtual(nodes) else getattr(nodes, "model_type", "biophysical")


def _require(path: Path, verb: str) -> None:
    if not path.is_file():
        raise not_built(path, verb)


def run_circuit(resolved: Resolved, paths: CircuitPaths) -> list[Problem]:
    """Writes ``circuit_config.json`` and checks the circuit.

    Args:
        resolved: The model.
        paths: The circuit; nodes and edges exist.

    Returns:
        Warnings.

    Raises:
        CircuitError: If the check finds errors.
    """
    for name in resolved.model.nodes:
        _require(paths.nodes(name), "nodes")
    for name in resolved.model.edges:
        for population in edge_populations(resolved, name):
            _require(paths.edges(population), "edges")
    nodes = {name: {"type": population_type(entry)} for name, entry in resolved.model.nodes.items()}
    edges = {
        population: {"type": kind}
        for name in resolved.model.edges
        for population, kind in edge_populations(resolved, name).items()
    }
    for file, parameters in resolved.model.synapse_models.items():
        write_json(paths.synapses / file, parameters)
    components = {}
    if has_point_cells(resolved.model):
        components["point_neuron_models_dir"] = paths.point_neurons.relative_to(paths.root)
    write_circuit_config(paths, nodes, edges, components=components)
    problems = check_circuit(paths.circuit_config)
    raise_if(problems)
    return problems
