"""What is wrong with rules is said before anything is drawn, all at once, with file and line."""

import re

import pytest
from pydantic import ValidationError
from rule_nodes import GAUSSIAN, HALF, cells, edges, rule

from pipeline.config.rules import RuleEdges
from pipeline.config.yaml_lines import read_yaml
from pipeline.edges.rules.build import compile_network
from pipeline.edges.rules.tables import Findings
from pipeline.errors import ConfigError

TABLE = """src,a,b,c
a,0.1,0.2,0.3
b,0.4,1.5,x
c,0.1,0.1,0.1
"""


def problems(rules, nodes=None, **keys):
    nodes = cells(60) if nodes is None else nodes
    findings = Findings()
    try:
        compile_network(edges(rules, **keys), 1, nodes, nodes, findings)
    except ConfigError:
        pass
    return [(p.level, str(p)) for p in findings.problems]


def test_all_at_once_with_file_and_line(tmp_path):
    (tmp_path / "p.csv").write_text(TABLE)
    config = tmp_path / "model.yaml"
    config.write_text("""edges:
  v1:
    kind: rules
    source: v1
    target: v1
    rules:
      - name: one
        select:
          source: {pop: [a, bb]}
        connect:
          - {law: probability, value: {value: 0.2, source: "fig. 1"}}
      - name: two
        connect:
          - law: probability
            value: {table: p.csv, source_by: pop, target_by: pop}
      - name: three
        connect:
          - law: fixed_indegree
            count: 60
        synapse:
          distance_min: 200
          distance_max: 100
""")
    document = read_yaml(config)
    parsed = RuleEdges.model_validate(document.data["edges"]["v1"])
    findings = Findings(document, ("edges", "v1"), lambda name: tmp_path / name)
    with pytest.raises(ConfigError) as error:
        compile_network(parsed, 1, cells(60), cells(60), findings)
    text = [str(problem) for problem in error.value.problems]
    assert any(re.search(r"model.yaml:9 .*no node has pop 'bb'", line) for line in text)
    assert f"{tmp_path}/p.csv:3: 1.5 is above 1 (correct the table)" in text
    assert f"{tmp_path}/p.csv:3: 'x' is no number (correct the table)" in text
    assert any(re.search(r"model.yaml:21 .*lie between 200 and 100 um", line) for line in text)


def test_probability_above_one_after_the_correction_is_a_warning():
    value = {"law": "probability", "value": 0.857}
    found = problems(rule([value, {**GAUSSIAN, "sigma": 120, "mean_within": 75}]))
    assert len(found) == 1
    assert found[0][0] == "warning" and "1.035 after the correction; clipped to 1" in found[0][1]


@pytest.mark.parametrize(
    "made, message",
    [
        (rule([HALF], select={"source": {"pop": "a", "ei": "x"}}), "no node has ei 'x'"),
        (rule([HALF], select={"source": {"popp": "a"}}), "did you mean 'pop'"),
        (rule({"law": "fixed_indegree", "count": 60}), "60 sources are wanted, 59 can be had"),
        (rule({"law": "fixed_outdegree", "count": 90}), "90 targets are wanted, 59 can be had"),
        (rule({"law": "fixed_total", "count": 9000}), "9000 pairs are wanted, 3540 can be had"),
        (rule({"law": "probability", "value": 0.0}), "probability is 0 for every pair"),
        (rule({"law": "box", "low": 50, "high": 20}), "low is above high"),
        (rule({"law": "table", "file": "nowhere.csv"}), "no such file"),
        (
            rule([HALF], synapse={"weight": {"law": "constant", "value": 1}, "sign": "inhibitory",
                                  "weight_kind": "current"}),
            "wrong sign for inhibitory currents",
        ),
        (
            rule([HALF], synapse={"weight": {"law": "lognormal", "mean": -1, "sd": 1},
                                  "weight_kind": "conductance", "sign": "inhibitory"}),
            "negative conductances",
        ),
        (
            rule([HALF], synapse={"columns": {"erev": 0}, "sign": {
                "by": "ei", "excitatory": ["e"], "inhibitory": ["i"]}}),
            "erev of i to all does not fit an inhibitory synapse",
        ),
        (
            rule([HALF], synapse={"weight": {"law": "constant", "value": {
                "values": {"a": {"*": 1}}, "source_by": "pop", "target_by": "pop"}}}),
            "source classes b, c are not in the table",
        ),
    ],
)  # fmt: skip
def test_messages(made, message):
    found = problems(made)
    assert any(level == "error" and message in text for level, text in found), found


def test_missing_places_and_angles():
    nodes = cells(30)[["pop", "ei"]]
    found = [
        text for _, text in problems(rule([HALF, GAUSSIAN, {"law": "tuning", "ratio": 1}]), nodes)
    ]
    assert sum("needs positions" in text for text in found) == 2
    assert sum("needs tuning angles" in text for text in found) == 2


def test_nodes_without_values():
    nodes = cells(40)
    nodes.loc[[3, 5], "tuning_angle"] = float("nan")
    nodes.loc[7, "x"] = float("nan")
    found = [text for _, text in problems(rule([HALF, {"law": "tuning", "ratio": 0.5}]), nodes)]
    assert sum("2 source nodes have no tuning angle, the first is 3" in text for text in found) == 1
    assert sum("1 target nodes have no place, the first is 7" in text for text in found) == 1
    found = [text for _, text in problems(rule([HALF, GAUSSIAN]), nodes)]
    assert not any("angle" in text for text in found)


def test_listed_autapses_are_asked_for():
    found = problems(rule({"law": "one_to_one"}))
    assert "60 listed pairs join a node to itself" in found[0][1]
    assert problems(rule({"law": "one_to_one"}, autapses=True)) == []


@pytest.mark.parametrize(
    "connect, message",
    [
        ([{"law": "one_to_one"}, HALF], "one_to_one takes no other factors"),
        ([{"law": "fixed_total", "count": 3}, {"law": "all_to_all"}], "cannot stand in one rule"),
        ([{**GAUSSIAN, "mean_within": 75}], "mean_within needs a probability"),
        ([{"law": "probability", "value": 1.4}], "not between 0 and 1"),
    ],
)
def test_schema(connect, message):
    with pytest.raises(ValidationError, match=message):
        edges(rule(connect))
