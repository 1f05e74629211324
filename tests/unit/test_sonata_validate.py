"""Each kind of damage is found, as one problem that says where; sound circuits pass."""

import json
import shutil

import h5py
import numpy as np
import pytest
from ring import CHEMICAL, ELECTRICAL, make_ring

from pipeline.errors import CircuitError, Problem
from pipeline.sonata.validate import check_circuit, raise_if

EDGES = f"edges/{CHEMICAL}"


def _h5(paths, file, change):
    path = paths.nodes(file) if file in ("neurons", "sensory") else paths.edges(file)
    with h5py.File(path, "r+") as handle:
        change(handle)


def _set(file, dataset, index, value):
    def damage(paths):
        def change(handle):
            handle[dataset][index] = value

        _h5(paths, file, change)

    return damage


def _replace(file, dataset, make):
    """Damage that puts another dataset, with the old attributes, in the place of one."""

    def damage(paths):
        def change(handle):
            values, attributes = handle[dataset][:], dict(handle[dataset].attrs)
            del handle[dataset]
            handle[dataset] = make(values)
            handle[dataset].attrs.update(attributes)

        _h5(paths, file, change)

    return damage


def _delete(file, name):
    return lambda paths: _h5(paths, file, lambda handle: handle.__delitem__(name))


def _attribute(file, name, key, value):
    def change(handle):
        handle[name].attrs[key] = value

    return lambda paths: _h5(paths, file, change)


def _text(path_of, old, new, count=-1):
    def damage(paths):
        path = path_of(paths)
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, count))

    return damage


def _write(path_of, content):
    return lambda paths: path_of(paths).write_bytes(content)


def _remove(path_of):
    return lambda paths: path_of(paths).unlink()


def _truncate(paths):
    path = paths.edges(CHEMICAL)
    path.write_bytes(path.read_bytes()[:3000])


def _repeat_entry(paths):
    content = json.loads(paths.circuit_config.read_text())
    content["networks"]["nodes"].append(content["networks"]["nodes"][1])
    paths.circuit_config.write_text(json.dumps(content))


def config(paths):
    return paths.circuit_config


def chemical_types(paths):
    return paths.edge_types(CHEMICAL)


DAMAGES = {
    "config is no JSON": (_text(config, "{", "["), "circuit_config.json", "not JSON"),
    "config is a list": (_write(config, b"[]"), "circuit_config.json", "JSON object"),
    "config is missing": (_remove(config), "circuit_config.json", "cannot be read"),
    "no networks": (_write(config, b"{}"), "circuit_config.json", "no networks"),
    "undefined variable": (
        _text(config, "$BASE_DIR/components/emodels", "$ELSEWHERE/emodels"),
        "components", "$ELSEWHERE is not in the manifest",
    ),
    "no edges_file": (
        _text(config, '"edges_file"', '"edge_file"', 1), "networks.edges[0]", "no edges_file",
    ),
    "population twice": (_repeat_entry, "networks.nodes[2]", "'sensory' of nodes appears a second"),
    "nodes file missing": (
        _remove(lambda p: p.nodes("sensory")), "sensory.nodes.h5", "does not exist",
    ),
    "edges file is text": (
        _write(lambda p: p.edges(CHEMICAL), b"hello"), "chemical.edges.h5", "no readable HDF5",
    ),
    "edges file cut short": (_truncate, "chemical.edges.h5", "no readable HDF5"),
    "wrong magic": (_attribute(CHEMICAL, "/", "magic", 1), "chemical.edges.h5: /", "magic is 1"),
    "types table missing": (_remove(chemical_types), "edge_types.csv", "does not exist"),
    "types table without ids": (
        _text(chemical_types, "edge_type_id", "id"), "edge_types.csv", "expected one column",
    ),
    "type id not in table": (
        _set(CHEMICAL, f"{EDGES}/edge_type_id", 0, 9), "edge_type_id", "type ids 9 are not in",
    ),
    "node type id not in table": (
        _set("neurons", "nodes/neurons/node_type_id", 2, 5), "node_type_id", "type ids 5",
    ),
    "type id twice": (
        _text(chemical_types, "\n1 inh", "\n1 inh -75.0 Graded\n1 inh"), "edge_types", "once",
    ),
    "no edge types": (_delete(CHEMICAL, f"{EDGES}/edge_type_id"), "edge_type_id", "is missing"),
    "no source ids": (_delete(CHEMICAL, f"{EDGES}/source_node_id"), "source_node_id", "missing"),
    "no group": (_delete(CHEMICAL, f"{EDGES}/0"), f"{CHEMICAL}/0", "is missing"),
    "population not in file": (
        lambda p: _h5(p, CHEMICAL, lambda h: h.move(EDGES, "edges/other")),
        "/edges", f"population '{CHEMICAL}' is missing; the file has other",
    ),
    "targets too short": (
        _replace(CHEMICAL, f"{EDGES}/target_node_id", lambda v: v[:-1]), "target_node_id", "15",
    ),
    "column too short": (
        _replace(CHEMICAL, f"{EDGES}/0/delay", lambda v: v[:-1]), "0/delay", "15 rows; expected 16",
    ),
    "ids are floats": (
        _replace(CHEMICAL, f"{EDGES}/target_node_id", lambda v: v * 1.0), "target_node_id", "float",
    ),
    "weights are text": (
        _replace(CHEMICAL, f"{EDGES}/0/syn_weight", lambda v: np.array([b"1"] * len(v))),
        "syn_weight", "expected numbers",
    ),
    "dangling target": (
        _set(CHEMICAL, f"{EDGES}/target_node_id", 15, 10**7), "target_node_id", "ids 10000000",
    ),
    "dangling source": (
        _set("sensory__neurons__chemical", "edges/sensory__neurons__chemical/source_node_id", 0, 3),
        "source_node_id", "ids 3 are not among the 3 nodes of 'sensory'",
    ),
    "unknown node population": (
        _attribute(CHEMICAL, f"{EDGES}/source_node_id", "node_population", "ghosts"),
        "source_node_id", "'ghosts'; the circuit has neurons, sensory",
    ),
    "group index out of range": (
        _set(CHEMICAL, f"{EDGES}/edge_group_index", 3, 99), "edge_group_index", "entries 99",
    ),
    "group id without group": (
        _set("neurons", "nodes/neurons/node_group_id", 1, 4), "node_group_id", "groups 4",
    ),
    "node id twice": (_set("neurons", "nodes/neurons/node_id", 1, 0), "node_id", "more than once"),
    "index disagrees": (
        _replace(CHEMICAL, f"{EDGES}/indices/source_to_target/range_to_edge_id", lambda v: v[::-1]),
        "source_to_target", "disagrees with source_node_id for nodes",
    ),
    "index points outside": (
        _set(CHEMICAL, f"{EDGES}/indices/target_to_source/range_to_edge_id", (0, 1), 999),
        "range_to_edge_id", "beyond the 16 edges",
    ),
    "index repeats edges": (
        _set(CHEMICAL, f"{EDGES}/indices/source_to_target/range_to_edge_id", 0, [0, 2]),
        "range_to_edge_id", "covers 17 edges",
    ),
    "index shared by nodes": (
        _set(CHEMICAL, f"{EDGES}/indices/source_to_target/node_id_to_ranges", 0, [0, 3]),
        "node_id_to_ranges", "two nodes",
    ),
    "index without ranges": (
        _delete(CHEMICAL, f"{EDGES}/indices/source_to_target/range_to_edge_id"),
        "range_to_edge_id", "is missing",
    ),
    "weight is NaN": (
        _set(CHEMICAL, f"{EDGES}/0/syn_weight", 2, np.nan), "syn_weight", "NaN or infinite",
    ),
    "conductance is infinite": (
        _set(CHEMICAL, f"{EDGES}/0/conductance", 2, np.inf), "conductance", "NaN or infinite",
    ),
    "negative delay": (_set(CHEMICAL, f"{EDGES}/0/delay", 2, -1), "0/delay", "down to -1.0"),
    "position beyond 1": (
        _set(CHEMICAL, f"{EDGES}/0/afferent_section_pos", 2, 1.5), "section_pos", "to 1.5",
    ),
    "negative section id": (
        _replace(CHEMICAL, f"{EDGES}/0/efferent_section_id", lambda v: v.astype("i4") - 1),
        "efferent_section_id", "start at 0",
    ),
    "section beyond morphology": (
        _set(CHEMICAL, f"{EDGES}/0/afferent_section_id", 2, 7),
        "afferent_section_id", "section 7 of node 1, which has 3",
    ),
    "units contradict": (
        _attribute(CHEMICAL, f"{EDGES}/0/conductance", "units", "mS"),
        "conductance", "is in mS; expected uS",
    ),
    "excitation reverses low": (
        _text(chemical_types, "0 exc 0.0", "0 exc -80.0"), "type 0", "excitatory but reverses",
    ),
    "inhibition reverses high": (
        _text(chemical_types, "inh -75.0", "inh 0.0"), "type 1", "inhibitory but reverses",
    ),
    "negative weight with reversal": (
        _set(CHEMICAL, f"{EDGES}/0/syn_weight", 0, -1), "types.csv: type", "although it",
    ),
    "negative delay in the types": (
        _text(chemical_types, "erev", "delay"), "edge_types.csv: delay", "down to -75",
    ),
    "morphology missing": (
        _remove(lambda p: p.morphologies / "cell.swc"), "morphologies", "exist: cell",
    ),
    "template missing": (_remove(lambda p: p.emodels / "Cell.hoc"), "emodels", "templates"),
    "emodel missing": (
        _text(lambda p: p.node_types("neurons"), "label", "dynamics_params"),
        "emodels", "exist: even one",
    ),
    "junction without partner": (
        _set(ELECTRICAL, f"edges/{ELECTRICAL}/0/afferent_junction_id", 0, 77),
        "efferent_junction_id", "no mirrored row",
    ),
    "junction halves differ": (
        _set(ELECTRICAL, f"edges/{ELECTRICAL}/0/conductance", 0, 5e-5), "/0", "differ in",
    ),
    "junctions without ids": (
        _delete(ELECTRICAL, f"edges/{ELECTRICAL}/0/efferent_junction_id"),
        "efferent_junction_id", "is missing",
    ),
    "node sets are no JSON": (_write(lambda p: p.node_sets, b"{"), "node_sets.json", "not JSON"),
    "node set of unknown population": (
        _write(lambda p: p.node_sets, b'{"a": {"population": "ghosts"}}'), "json: a", "ghosts",
    ),
    "node set by unknown attribute": (
        _write(lambda p: p.node_sets, b'{"a": {"colour": "red"}}'), "json: a", "'colour'",
    ),
    "node set of unknown set": (
        _write(lambda p: p.node_sets, b'{"a": ["b"]}'), "json: a", "unknown sets b",
    ),
    "node set of unknown nodes": (
        _write(lambda p: p.node_sets, b'{"a": {"population": "neurons", "node_id": [1, 88]}}'),
        "json: a", "88",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return make_ring(tmp_path_factory.mktemp("sound") / "ring")


@pytest.fixture
def copy(sound, tmp_path):
    shutil.copytree(sound.root, tmp_path / "ring")
    return type(sound)(tmp_path / "ring")


@pytest.mark.parametrize("library", [(), ("mtype", "morphology", "model_type")])
def test_sound_circuit_gives_no_problem(tmp_path, library):
    paths = make_ring(tmp_path, library=library)
    assert check_circuit(paths.circuit_config) == []


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_once(copy, name):
    damage, where, message = DAMAGES[name]
    damage(copy)
    problems = check_circuit(copy.circuit_config)
    assert len(problems) == 1, "\n".join(map(str, problems))
    assert where in problems[0].where
    assert message in problems[0].message
    assert problems[0].level == "error"


WARNINGS = {
    "no magic": (
        lambda p: _h5(p, CHEMICAL, lambda h: h.attrs.__delitem__("magic")), "no attribute magic",
    ),
    "no index": (_delete(CHEMICAL, f"{EDGES}/indices/source_to_target"), "is missing"),
    "sign without convention": (
        lambda p: (_text(chemical_types, "syn_type erev", "a b")(p),
                   _set(CHEMICAL, f"{EDGES}/0/syn_weight", 0, -1)(p)),
        "negative syn_weight and no label",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WARNINGS)
def test_doubtful_things_are_warnings(copy, name):
    damage, message = WARNINGS[name]
    damage(copy)
    problems = check_circuit(copy.circuit_config)
    assert [problem.level for problem in problems] == ["warning"], problems
    assert message in problems[0].message
    raise_if(problems)


def test_all_damages_are_reported_together(copy):
    for name in ("negative delay", "units contradict", "morphology missing", "dangling source"):
        DAMAGES[name][0](copy)
    problems = check_circuit(copy.circuit_config)
    assert len(problems) == 4
    with pytest.raises(CircuitError) as caught:
        raise_if([*problems, Problem("", "only a warning", level="warning")])
    assert caught.value.problems == problems


def _allen(paths):
    """Rewrites the config in the Allen dialect, with a simulation config in front."""
    content = json.loads(paths.circuit_config.read_text())
    content["manifest"] = {"$BASE_DIR": "${configdir}", "$NET": "${BASE_DIR}/network"}
    for kind in ("nodes", "edges"):
        for entry in content["networks"][kind]:
            del entry["populations"]
            for key in entry:
                entry[key] = entry[key].replace("$BASE_DIR/network", "$NET")
    paths.circuit_config.write_text(json.dumps(content))
    front = paths.root / "sim" / "config.json"
    front.parent.mkdir()
    front.write_text(json.dumps({"network": "../circuit_config.json", "run": {"tstop": 1}}))
    return front


def _use_bmtk_names(handle):
    for index in handle[f"{EDGES}/indices"].values():
        del index["node_id_to_ranges"]
    for name in ("x", "y"):
        handle[f"{EDGES}/0/{name}"] = np.zeros(16, "f4")


def test_allen_dialect(copy):
    front = _allen(copy)
    _h5(copy, CHEMICAL, _use_bmtk_names)
    assert check_circuit(front) == []
    DAMAGES["dangling source"][0](copy)
    DAMAGES["junction without partner"][0](copy)
    assert [p.message.split()[0] for p in check_circuit(front)] == ["ids", "junctions"]


def test_configs_that_lead_in_a_circle(tmp_path):
    (tmp_path / "a.json").write_text('{"network": "b.json"}')
    (tmp_path / "b.json").write_text('{"circuit": "a.json"}')
    assert "leads back" in check_circuit(tmp_path / "a.json")[0].message


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_bytes_never_raise(copy, seed):
    """Whatever stands in the files, the answer is a list of problems."""
    rng = np.random.default_rng(seed)
    for path in (copy.edges(CHEMICAL), copy.edge_types(CHEMICAL), copy.circuit_config):
        content = np.frombuffer(path.read_bytes(), np.uint8).copy()
        for _ in range(10):
            damaged = content.copy()
            places = rng.integers(0, len(content), 20)
            damaged[places] = rng.integers(0, 256, 20)
            path.write_bytes(damaged.tobytes())
            assert isinstance(check_circuit(copy.circuit_config), list)
        path.write_bytes(content.tobytes())
