"""The worm's own files, opened unchanged by the readers its users have."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from pipeline.circuit import run_circuit
from pipeline.config.load import load_model
from pipeline.edges.build import run_edges
from pipeline.nodes.build import run_nodes
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_edges, read_nodes
from pipeline.sonata.validate import check_circuit

CHEMICAL = "neurons__neurons__chemical"


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> CircuitPaths:
    """The tiny worm, built."""
    paths = CircuitPaths(tmp_path_factory.mktemp("readers") / "c")
    resolved = load_model("worm", "tiny")
    run_nodes(resolved, paths)
    run_edges(resolved, "wiring", paths)
    run_circuit(resolved, paths)
    return paths


def test_our_own_check_finds_nothing(paths):
    assert check_circuit(paths.circuit_config) == []


def test_libsonata_opens_it(paths):
    import libsonata

    config = libsonata.CircuitConfig.from_file(str(paths.circuit_config))
    assert config.node_populations == {"neurons", "sensory"}
    nodes = config.node_population("neurons")
    names = nodes.get_attribute("name", nodes.select_all())
    assert list(names) == read_nodes(paths.nodes("neurons"), "neurons")["name"].tolist()
    edges = config.edge_population(CHEMICAL)
    ours = read_edges(paths.edges(CHEMICAL), CHEMICAL)
    for node in range(len(names)):
        found = edges.source_nodes(edges.afferent_edges([node]))
        assert np.array_equal(found, ours[ours["target_node_id"] == node]["source_node_id"])
        out = edges.target_nodes(edges.efferent_edges([node]))
        expected = ours[ours["source_node_id"] == node]["target_node_id"]
        assert sorted(out) == sorted(expected)


def test_snap_opens_it(paths):
    import bluepysnap

    circuit = bluepysnap.Circuit(str(paths.circuit_config))
    assert circuit.nodes["neurons"].size == 16
    driven = circuit.nodes["neurons"].ids("sensory_input")
    assert circuit.nodes["neurons"].get(driven, "name").tolist() == ["AWCL", "AWCR"]
    table = circuit.edges[CHEMICAL].afferent_edges([0], properties=["syn_weight", "delay"])
    assert (table["syn_weight"] > 0).all()


def test_bmtk_opens_it(paths):
    code = f"""
from bmtk.utils.sonata.file import File
root = {str(paths.network)!r}
nodes = File([root + '/neurons.nodes.h5'], [root + '/neurons.node_types.csv']).nodes['neurons']
assert len(nodes) == 16 and nodes[0]['model_type'] == 'biophysical', nodes[0]
both = File([root + '/{CHEMICAL}.edges.h5', root + '/neurons.nodes.h5'],
            [root + '/{CHEMICAL}.edge_types.csv', root + '/neurons.node_types.csv'])
edges = both.edges['{CHEMICAL}']
print(sum(1 for _ in edges.get_target(3)), len(edges))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    ours = read_edges(paths.edges(CHEMICAL), CHEMICAL)
    into = int((ours["target_node_id"] == 3).sum())
    assert done.stdout.split() == [str(into), str(len(ours))]
