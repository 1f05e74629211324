"""The stage on a circuit, and every example of the documentation page."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter
from rule_nodes import GAUSSIAN, HALF, cells, edges, rule

from pipeline.config import rules as schema
from pipeline.config.load import Resolved
from pipeline.config.yaml_lines import Document
from pipeline.edges.rules import parts, stage
from pipeline.runtime import file_hash, remove_leftovers
from pipeline.sonata.configs import write_types
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_edges, read_types
from pipeline.sonata.write import write_nodes

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


class _Model:
    seed = 3

    def __init__(self, config):
        self.edges = {"near": config}


def circuit(folder: Path, n: int = 200) -> CircuitPaths:
    paths = CircuitPaths(folder)
    nodes = cells(n)
    types = [{"node_type_id": i, "pop": pop} for i, pop in enumerate("abc")]
    write_nodes(paths.nodes("v1"), "v1", {k: nodes[k] for k in ("x", "y", "z", "ei")},
                nodes["pop"].map({"a": 0, "b": 1, "c": 2}))  # fmt: skip
    write_types(paths.node_types("v1"), types)
    return paths


def resolved(folder: Path, **keys) -> Resolved:
    by = {"source_by": "pop", "target_by": "ei"}
    value = {"values": {"a": {"*": 0.5}, "b": {"e": 0.2}, "c": {"*": 0.1}}, **by, "default": 0}
    config = edges(rule([{"law": "probability", "value": value}, GAUSSIAN]), **keys)
    return Resolved(_Model(config), {}, Document({}), folder, [])


def test_run_whole_in_parts_and_scattered(tmp_path):
    paths = circuit(tmp_path)
    name = "v1__v1__chemical"
    counts = stage.run_rules(resolved(tmp_path), "near", paths)
    frame = read_edges(paths.edges(name), name)
    assert counts == {name: len(frame)} and len(frame)
    types = read_types(paths.edge_types(name))
    assert set(frame["edge_type_id"]) <= set(types.index)
    assert set(zip(types["source_pop"], types["target_ei"], strict=True)) == {
        (pop, ei) for pop in "abc" for ei in "ei"
    } - {("b", "i")}
    whole = file_hash(paths.edges(name))
    stage.run_rules(resolved(tmp_path, parts=3), "near", paths)
    assert file_hash(paths.edges(name)) == whole
    assert len(list(paths.network.glob("*part*"))) == 0
    for part in (1, 0):
        stage.run_part(resolved(tmp_path), "near", paths, part, 2)
    stage.run_merge(resolved(tmp_path), "near", paths, 2)
    assert file_hash(paths.edges(name)) == whole


def test_plan_of_a_population(tmp_path):
    plan = stage.plan_population(resolved(tmp_path), "near", cells(400), cells(400))
    assert plan.edges > 1000 and plan.disk > 40 * plan.edges and plan.seconds > 0


def blocks() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)


def plain(value):
    """Reduces annotated numbers as the reader of configs does."""
    if isinstance(value, dict):
        if "value" in value and set(value) <= {"value", "source", "note"}:
            return value["value"]
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def examples(key: str) -> list:
    """Every ``key: ...`` entry of the page's YAML blocks."""
    found = []
    for block in blocks():
        for part in re.split(rf"(?m)^(?={key}:)", block):
            if part.startswith(f"{key}:"):
                found.append(plain(yaml.safe_load(part)[key]))
    return found


def test_page_examples_fit_the_schema():
    config = plain(yaml.safe_load(blocks()[0]))["edges"]["recurrent"]
    assert schema.RuleEdges.model_validate(config).rules[0].name == "pyramids"
    for connect in examples("connect"):
        schema.Rule.model_validate({"name": "r", "connect": connect})
    for synapse in examples("synapse"):
        schema.Synapse.model_validate(synapse)
    for value in examples("value"):
        schema.PairTable.model_validate(value)
    assert len(examples("connect")) >= 8 and len(examples("value")) == 3


@pytest.mark.parametrize("text", re.findall(r"`(\{law: [^`]*\})` \|", PAGE.read_text()))
def test_page_table_fits_the_schema(text):
    law = TypeAdapter(schema.Connect).validate_python(yaml.safe_load(text))
    if law.law != "all_to_all":
        schema.Rule.model_validate({"name": "r", "connect": [HALF, law.model_dump()]})


_KILLED = """
import os, signal, sys
sys.path[:0] = {paths!r}
from pathlib import Path
from test_rules_stage import resolved
from pipeline.edges.rules import parts, stage
from pipeline.sonata.layout import CircuitPaths
parts.PART_EDGES = 300
begin = parts.Builder.blocks
def blocks(self, low=0, high=None, most=None):
    for block in begin(self, low, high, 200):
        yield block
        if low > 0 and len(list(Path(sys.argv[1]).rglob("v1*.part-*"))) >= 2:
            os.kill(os.getpid(), signal.SIGKILL)  # in the middle of the third part
parts.Builder.blocks = blocks
stage.run_rules(resolved(Path(sys.argv[1])), "near", CircuitPaths(Path(sys.argv[1])))
"""


def test_a_killed_build_goes_on_without_being_asked(tmp_path, monkeypatch, caplog):
    paths, name = circuit(tmp_path), "v1__v1__chemical"
    stage.run_rules(resolved(tmp_path), "near", paths)
    whole = file_hash(paths.edges(name))
    paths.edges(name).unlink()
    here = Path(__file__).parent
    script = _KILLED.format(paths=[str(here), str(here.parent / "data"), str(here.parents[1])])
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL and not paths.edges(name).exists()
    finished = {p: p.stat().st_mtime_ns for p in paths.network.glob("v1*.part-*")}
    assert len(finished) == 2
    stale = paths.network / f"{name}.edges.part-0001-of-0099.h5"
    stale.write_bytes(b"of another config")
    kept = {}

    def merge(builder, path, names, parts, merge=stage.merge_parts):
        kept.update({p: p.stat().st_mtime_ns for p in paths.network.glob("v1*.part-*")})
        return merge(builder, path, names, parts)

    monkeypatch.setattr(parts, "PART_EDGES", 300)
    monkeypatch.setattr(stage, "merge_parts", merge)
    with caplog.at_level("INFO"):
        stage.run_rules(resolved(tmp_path), "near", paths)
    assert caplog.text.count("is finished; kept") == 2
    assert kept.items() >= finished.items() and len(kept) > 3
    assert file_hash(paths.edges(name)) == whole
    remove_leftovers(tmp_path)  # what the killed process was writing, as every stage does first
    assert not [p.name for p in paths.network.iterdir() if "part" in p.name]


def test_parts_of_other_rules_are_not_taken(tmp_path, monkeypatch):
    paths, name = circuit(tmp_path), "v1__v1__chemical"
    monkeypatch.setattr(parts, "PART_EDGES", 300)
    config = resolved(tmp_path)
    n = parts.automatic_parts(stage.plan_population(config, "near", cells(200), cells(200)).edges)
    other = resolved(tmp_path, distance=True)
    for part in range(n):
        stage.run_part(other, "near", paths, part, n)
    stage.run_rules(config, "near", paths)
    found = file_hash(paths.edges(name))
    stage.run_rules(resolved(tmp_path, parts=1), "near", paths)
    assert file_hash(paths.edges(name)) == found
