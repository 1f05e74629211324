"""Circuits written here open unchanged in libsonata, SNAP and BMTK."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
from ring import CHEMICAL, ELECTRICAL, FEED, make_ring

from pipeline.sonata.reports import ReportWriter, write_spikes

POPULATIONS = {CHEMICAL: (8, 8), ELECTRICAL: (8, 8), FEED: (3, 8)}


def _ids(paths, name):
    with h5py.File(paths.edges(name)) as handle:
        root = handle[f"edges/{name}"]
        return root["source_node_id"][:], root["target_node_id"][:]


@pytest.mark.parametrize("library", [(), ("mtype", "model_type")])
def test_libsonata_reads_nodes(tmp_path, library):
    libsonata = pytest.importorskip("libsonata")
    paths = make_ring(tmp_path, library=library)
    nodes = libsonata.NodeStorage(str(paths.nodes("neurons"))).open_population("neurons")
    everyone = nodes.select_all()
    assert nodes.size == 8
    assert nodes.get_attribute("x", everyone)[0] == 50
    assert list(nodes.get_attribute("mtype", everyone))[:4] == ["M0", "M1", "M2", "M0"]
    assert nodes.enumeration_names == set(library)
    assert nodes.get_dynamics_attribute("holding_current", everyone).tolist() == [0] * 8


@pytest.mark.parametrize("name", POPULATIONS)
def test_libsonata_answers_agree_with_the_arrays(ring, name):
    libsonata = pytest.importorskip("libsonata")
    config = libsonata.CircuitConfig.from_file(str(ring.circuit_config))
    edges = config.edge_population(name)
    source, target = _ids(ring, name)
    assert edges.size == len(source)
    for query, ids, n in (
        (edges.efferent_edges, source, POPULATIONS[name][0]),
        (edges.afferent_edges, target, POPULATIONS[name][1]),
    ):
        for node in range(n):
            assert query([node]).flatten().tolist() == np.flatnonzero(ids == node).tolist()


def test_libsonata_reads_reports_and_spikes(tmp_path):
    libsonata = pytest.importorskip("libsonata")
    frames = np.arange(12, dtype="f4").reshape(4, 3)
    path = tmp_path / "v.h5"
    with ReportWriter(path, "a", [0, 0, 2], [0, 1, 0], [0.5] * 3, 0.5, 0.0, 2.0, "mV") as writer:
        writer.append(frames)
    report = libsonata.ElementReportReader(str(path))["a"]
    assert report.times == (0, 2, 0.5)
    assert (report.data_units, report.time_units) == ("mV", "ms")
    data = report.get()
    assert np.array_equal(data.data, frames)
    assert data.ids.tolist() == [[0, 0], [0, 1], [2, 0]]
    write_spikes(tmp_path / "s.h5", "a", [1, 0], [2.0, 1.0])
    spikes = libsonata.SpikeReader(str(tmp_path / "s.h5"))["a"]
    assert spikes.get() == [(0, 1.0), (1, 2.0)]
    assert spikes.sorting == "by_time"


def test_snap_opens_the_circuit(ring):
    snap = pytest.importorskip("bluepysnap")
    circuit = snap.Circuit(str(ring.circuit_config))
    assert circuit.nodes["neurons"].ids("some").tolist() == [0, 1, 2, 4, 6, 7]
    edges = circuit.edges[CHEMICAL]
    assert edges.afferent_nodes(3).tolist() == [0, 2]
    frame = edges.afferent_edges(3, properties=["conductance", "afferent_section_pos"])
    assert frame["conductance"].tolist() == pytest.approx([1e-4, 1e-4])
    assert circuit.edges[ELECTRICAL].size == 16


@pytest.mark.parametrize("library", [(), ("mtype", "morphology", "model_type")])
def test_snap_finds_nothing_to_say(tmp_path, library):
    validation = pytest.importorskip("bluepysnap.circuit_validation")
    paths = make_ring(tmp_path, library=library)
    config = str(paths.circuit_config)
    assert validation.validate(config, skip_slow=False, print_errors=False) == set()


READ_BY_BMTK = """
import json
from bmtk.simulator.core import sonata_reader
from bmtk.simulator.core.simulation_config import SimulationConfig

config = SimulationConfig.load("circuit_config.json")
found = {"sets": sorted(config.node_sets), "nodes": {}, "edges": {}}
for entry in config.nodes:
    for nodes in sonata_reader.load_nodes(entry["nodes_file"], entry["node_types_file"]):
        frame = nodes.nodes_df()
        found["nodes"][nodes.name] = {
            "model_type": [value.decode() for value in frame["model_type"]],
            "types": [int(value) for value in frame["node_type_id"]],
        }
for entry in config.edges:
    for edges in sonata_reader.load_edges(entry["edges_file"], entry["edge_types_file"]):
        table = edges._edge_pop
        found["edges"][edges.name] = {
            "ends": [edges.source_nodes, edges.target_nodes],
            "into": [[int(e.source_node_id) for e in table.get_target(i)] for i in range(8)],
            "from": [[int(e.target_node_id) for e in table.get_source(i)] for i in range(8)],
            "conductance": [float(e["conductance"]) for e in table if "conductance" in e],
            "template": [e["model_template"] for e in table],
        }
print(json.dumps(found))
"""


def test_bmtk_reads_nodes_and_edges(ring):
    pytest.importorskip("bmtk")
    result = subprocess.run(
        [sys.executable, "-c", READ_BY_BMTK],
        cwd=ring.root, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["sets"] == ["All", "M1", "even", "some"]
    assert found["nodes"]["neurons"]["model_type"] == ["biophysical"] * 8
    assert found["nodes"]["sensory"]["types"] == [7] * 3
    for name, answer in found["edges"].items():
        source, target = _ids(ring, name)
        assert answer["ends"] == name.split("__")[:2]
        assert answer["into"] == [source[target == node].tolist() for node in range(8)]
        assert answer["from"] == [target[source == node].tolist() for node in range(8)]
        assert len(answer["conductance"]) == len(answer["template"]) == len(source)


OUTPUT_BY_BMTK = """
import json
from bmtk.utils.reports.compartment import CompartmentReport
from bmtk.utils.reports.spike_trains import SpikeTrains

report = CompartmentReport.load("v.h5")
spikes = SpikeTrains.load("s.h5").to_dataframe()
print(json.dumps({
    "data": report.data(node_id=2, population="a").ravel().tolist(),
    "units": report.units(population="a"),
    "spikes": spikes[["node_ids", "timestamps"]].values.tolist(),
}))
"""


def test_bmtk_reads_reports_and_spikes(tmp_path):
    pytest.importorskip("bmtk")
    nodes, positions = [0, 0, 2], [0.5] * 3
    with ReportWriter(
        tmp_path / "v.h5", "a", nodes, [0, 1, 0], positions, 0.5, 0.0, 2.0, "mV"
    ) as writer:
        writer.append(np.arange(12).reshape(4, 3))
    write_spikes(tmp_path / "s.h5", "a", [1, 0], [2.0, 1.0])
    result = subprocess.run(
        [sys.executable, "-c", OUTPUT_BY_BMTK],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == {
        "data": [2, 5, 8, 11], "units": "mV", "spikes": [[0, 1], [1, 2]],
    }  # fmt: skip
