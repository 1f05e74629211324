"""The stage on a circuit, and every example of the documentation page."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter
from rule_nodes import GAUSSIAN, HALF, cells, edges, rule

from pipeline.config import rules as schema
from pipeline.config.load import Resolved
from pipeline.config.yaml_lines import Document
from pipeline.edges.rules import stage
from pipeline.runtime import file_hash
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
