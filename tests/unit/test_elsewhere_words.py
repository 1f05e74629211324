"""Configs made elsewhere are read whole: manifests, parts, dialects."""

import json

import h5py
import numpy as np
import pytest

from pipeline.errors import CircuitError
from pipeline.simulation.elsewhere.order import order_file
from pipeline.simulation.elsewhere.read import ALLEN, BBP, read_elsewhere
from pipeline.simulation.elsewhere.vocabulary import check


def write(path, **content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def circuit(folder, **more):
    nodes = [{"nodes_file": "$NET/n.h5", "node_types_file": "$NET/t.csv"}]
    (folder / "net").mkdir(parents=True, exist_ok=True)
    for name in ("n.h5", "t.csv"):
        (folder / "net" / name).write_text("")
    manifest = {"$NET": "${BASE}/net", "$BASE": "."}
    return write(folder / "circuit.json", manifest=manifest, networks={"nodes": nodes}, **more)


def test_each_file_counts_its_paths_from_where_it_lies(tmp_path):
    circuit(tmp_path / "there", components={"morphologies_dir": "../shapes"})
    path = write(
        tmp_path / "here" / "sim.json", run={"tstop": 5, "dt": 0.1}, network="../there/circuit.json",
        manifest={"$OUT": "./out"}, output={"output_dir": "$OUT/a"},
    )  # fmt: skip
    found = read_elsewhere(path)
    assert found.dialect == ALLEN and found.simulator == "NEURON"
    node = found.config["networks"]["nodes"][0]
    assert node["nodes_file"] == str(tmp_path / "there" / "net" / "n.h5")
    assert found.config["components"]["morphologies_dir"] == str(tmp_path / "shapes")
    assert found.output_dir == tmp_path / "here" / "out" / "a"
    assert check(found, "bionet") == []


def test_a_config_of_two_parts_is_joined(tmp_path):
    circuit(tmp_path)
    write(tmp_path / "sim.json", run={"tstop": 5, "dt": 0.1}, target_simulator="NEST")
    path = write(tmp_path / "config.json", network="./circuit.json", simulation="./sim.json")
    found = read_elsewhere(path)
    assert found.simulator == "NEST" and check(found, "pointnet") == []
    (problem,) = check(found, "bionet")
    assert "is for NEST; engine bionet is NEURON" in str(problem)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"networks": {}}, "no run.tstop"),
        ({"run": {"tstop": 1}}, "names no circuit"),
        ({"run": {"tstop": 1}, "network": "sim.json"}, "names itself"),
        ({"run": {"tstop": 1}, "network": "gone.json"}, "cannot be read"),
        ({"manifest": {"$A": "$B", "$B": "$A"}}, "A, B name each other"),
    ],
)
def test_what_is_no_simulation_config_is_told(tmp_path, content, said):
    with pytest.raises(CircuitError, match=said):
        read_elsewhere(write(tmp_path / "sim.json", **content))


def test_missing_files_and_the_other_dialect_are_named(tmp_path):
    circuit(tmp_path)
    (tmp_path / "net" / "n.h5").unlink()
    spikes = {"input_type": "spikes", "module": "h5", "input_file": "./s.h5", "node_set": "x"}
    path = write(
        tmp_path / "sim.json", run={"tstop": 5, "random_seed": 1}, network="circuit.json",
        inputs={"lgn": spikes, "user": {"input_type": "spikes", "module": "function"}},
    )  # fmt: skip
    texts = [str(problem) for problem in check(read_elsewhere(path), "bionet")]
    assert len(texts) == 4
    assert "run.random_seed: is not supported" in texts[0]
    assert "inputs.user: module 'function' needs Python code" in texts[1]
    assert "networks.nodes[0].nodes_file" in texts[2] and "n.h5 does not exist" in texts[2]
    assert "inputs.lgn.input_file" in texts[3]
    nodes = [{"nodes_file": "n.h5", "populations": {"a": {"type": "biophysical"}}}]
    bbp = write(tmp_path / "bbp.json", run={"tstop": 1}, networks={"nodes": nodes})
    found = read_elsewhere(bbp)
    assert found.dialect == BBP
    assert "BBP dialect" in str(check(found, "bionet")[0])


def test_what_neurodamus_does_not_know_is_named(tmp_path):
    """Keys that libsonata would pass over, modules, report types, files; harmless ones as warnings."""
    nodes = [{"nodes_file": "n.h5", "populations": {"a": {"type": "biophysical"}}}]
    write(
        tmp_path / "circuit_config.json", networks={"nodes": nodes}
    )  # found beside the simulation's
    (tmp_path / "n.h5").write_text("")
    replay = {
        "module": "synapse_replay",
        "input_type": "spikes",
        "delay": 0,
        "duration": 1,
        "node_set": "a",
    }
    path = write(
        tmp_path / "sim.json", run={"tstop": 1, "dt": 0.1, "random_sed": 1}, target_simulator="CORENEURON",
        conditions={"celcius": 34, "modifications": [{"type": "ttx", "node_set": "a", "wher": 1}]},
        inputs={"r": replay | {"spike_file": "gone.h5", "source": "a"}, "n": {"module": "noize"}},
        reports={"l": {"type": "lfp"}, "v": {"type": "compartment", "cell": "a"}, "o": {"enabled": False}},
        connection_overrides=[{"name": "x", "wieght": 2}],
    )  # fmt: skip
    found = read_elsewhere(path)
    assert found.dialect == BBP
    problems = check(found, "neurodamus")
    warnings = [str(p) for p in problems if p.level == "warning"]
    assert len(warnings) == 2 and "NEURON runs it here" in warnings[0] and "r.source" in warnings[1]
    errors = [str(p) for p in problems if p.level == "error"]
    said = (
        "run.random_sed: is not supported (did you mean random_seed?)", "conditions.celcius",
        "connection_overrides[0].wieght", "modifications[0].wher", "inputs.n: module 'noize'",
        "reports.l: type 'lfp'", "reports.v.cell", "inputs.r.spike_file: gone.h5 does not exist",
    )  # fmt: skip
    assert len(errors) == len(said)
    for text, error in zip(said, errors, strict=True):
        assert text in error
    circuit(tmp_path / "allen")
    allen = write(tmp_path / "allen" / "s.json", run={"tstop": 1}, network="circuit.json")
    assert "Allen dialect" in str(check(read_elsewhere(allen), "neurodamus")[0])


def test_outputs_are_ordered_by_time_and_node(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as handle:
        handle["spikes/p/timestamps"] = [2.0, 1.0, 1.0]
        handle["spikes/p/node_ids"] = [0, 3, 2]
        handle["report/p/mapping/node_ids"] = [4, 1]
        handle["report/p/mapping/index_pointer"] = [0, 1, 3]
        handle["report/p/mapping/element_pos"] = [0.4, 0.1, 0.2]
        handle["report/p/data"] = np.array([[40, 10, 11], [41, 12, 13]])
    order_file(path)
    with h5py.File(path) as handle:
        assert handle["spikes/p/timestamps"][:].tolist() == [1, 1, 2]
        assert handle["spikes/p/node_ids"][:].tolist() == [2, 3, 0]
        assert handle["report/p/mapping/node_ids"][:].tolist() == [1, 4]
        assert handle["report/p/mapping/index_pointer"][:].tolist() == [0, 2, 3]
        assert handle["report/p/mapping/element_pos"][:].tolist() == [0.1, 0.2, 0.4]
        assert handle["report/p/data"][:].tolist() == [[10, 11, 40], [12, 13, 41]]
