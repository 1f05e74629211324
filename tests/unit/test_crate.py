"""``sonatina crate``: what the RO-Crate 1.1 specification asks for, whole files, equal bytes."""

import hashlib
import json
import zipfile
from urllib.parse import unquote

import pytest
from small_model import write_circuit, write_model

from pipeline.errors import CircuitError
from pipeline.report import crate
from pipeline.report.crate import METADATA, run_crate, zip_crate
from pipeline.runtime import write_json, write_text

ORIGIN = {
    "date": "2026-01-02T03:04:05+00:00", "command": "sonatina report small", "commit": "abc",
    "versions": {"python": "3.11", "neuron": "9.0.2", "system": "linux", "nest": "not installed"},
}  # fmt: skip


@pytest.fixture
def circuit(tmp_path):
    resolved = write_model(tmp_path / "model")
    paths = write_circuit(resolved, tmp_path / "circuits/small/default")
    write_json(paths.provenance, ORIGIN)
    write_text(paths.root / "logs/two words.log", "said\n")
    write_text(paths.root / ".half.node-1.x.tmp", "not a result")
    return resolved, paths


def test_the_crate_is_complete_and_says_what_it_holds(circuit):
    resolved, paths = circuit
    found = json.loads(run_crate(resolved, paths).read_text())
    assert found["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    graph = {entity["@id"]: entity for entity in found["@graph"]}
    assert len(graph) == len(found["@graph"]), "ids are unique"
    assert all(entity["@type"] for entity in graph.values())
    head, root = graph[METADATA], graph["./"]
    assert (head["@type"], head["about"]) == ("CreativeWork", {"@id": "./"})
    assert head["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["@type"] == "Dataset"
    for needed in ("name", "description", "datePublished", "license", "hasPart"):
        assert root[needed], needed

    def references(value):
        if isinstance(value, dict):
            yield from [value["@id"]] if set(value) == {"@id"} else references(list(value.values()))
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    outside = {"https://w3id.org/ro/crate/1.1"}
    lost = set(references([list(e.values()) for e in found["@graph"]])) - set(graph) - outside
    assert not lost
    parts = {unquote(part["@id"]) for part in root["hasPart"]}
    on_disk = {p.relative_to(paths.root).as_posix() for p in paths.root.rglob("*") if p.is_file()}
    assert parts == on_disk - {METADATA, ".half.node-1.x.tmp"}
    assert {"logs/two words.log", "config/model.yaml", "provenance.json"} <= parts
    for name in parts:
        content = (paths.root / name).read_bytes()
        entity = graph[name.replace(" ", "%20")]
        assert entity["@type"] == "File" and entity["contentSize"] == str(len(content))
        assert entity["sha256"] == hashlib.sha256(content).hexdigest()
    action = graph["#run"]
    assert action["object"] == [{"@id": "config/model.yaml"}] and action["result"]
    assert graph["#neuron"]["version"] == "9.0.2" and "#nest" not in graph


def test_the_zip_holds_the_files_and_is_the_same_again(circuit):
    resolved, paths = circuit
    run_crate(resolved, paths)
    first = zip_crate(paths).read_bytes()
    run_crate(resolved, paths)
    packed = zip_crate(paths)
    assert packed.read_bytes() == first
    with zipfile.ZipFile(packed) as content:
        assert content.testzip() is None and METADATA in content.namelist()
        assert content.read("logs/two words.log") == b"said\n"


def test_without_a_report_nothing_is_written(circuit):
    resolved, paths = circuit
    paths.provenance.unlink()
    with pytest.raises(CircuitError, match="sonatina run small default"):
        run_crate(resolved, paths)
    assert not (paths.root / "config").exists() and not (paths.root / METADATA).exists()


def test_a_crate_that_fails_leaves_nothing_half_written(circuit, monkeypatch):
    resolved, paths = circuit

    def fails(*_, **__):
        raise OSError(5, "input/output error")

    with monkeypatch.context() as patched, pytest.raises(OSError):
        patched.setattr(crate, "file_hash", fails)
        run_crate(resolved, paths)
    assert not (paths.root / METADATA).exists()
    run_crate(resolved, paths)
    monkeypatch.setattr(zipfile.ZipFile, "open", fails)
    with pytest.raises(OSError):
        zip_crate(paths)
    assert [p.name for p in paths.root.parent.iterdir()] == ["default"]
