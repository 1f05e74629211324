"""The stage on a circuit, and every example of the documentation page."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import yaml
from rule_nodes import GAUSSIAN, HALF, all_edges, cells, edges, rule
from scipy import sparse

from pipeline.config import rules as schema
from pipeline.config.load import Resolved
from pipeline.config.pair_values import PairTable
from pipeline.config.yaml_lines import Document
from pipeline.edges.rules import parts, stage
from pipeline.edges.rules.build import Builder, compile_network
from pipeline.edges.rules.tables import Findings
from pipeline.errors import ConfigError
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
    for synapse in examples("synapse"):
        schema.Synapse.model_validate(synapse)
    for value in examples("value"):
        PairTable.model_validate(value)
    assert len(examples("connect")) >= 8 and len(examples("value")) == 3


TABLE_ROWS = re.findall(r"`(\{law: [^`]*\})` \|", PAGE.read_text())


def worked_examples() -> dict[str, list[dict]]:
    """Every ``connect`` of the page: the table of factors, with a probability, and the blocks."""
    found = {}
    for text in TABLE_ROWS:
        factor = yaml.safe_load(text)
        found[text] = [factor] if factor["law"] == "all_to_all" else [HALF, factor]
    for number, connect in enumerate(examples("connect")):
        found[f"{number}: {connect[0]['law']}"] = connect
    return found


def example_nodes(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cells with all that the examples select by, thalamic units, and the files they name."""
    rng = np.random.default_rng(8)
    nodes = cells(400)
    nodes["pop"] = rng.choice(["e4Rorb", "e4other", "i4Pvalb"], 400)
    nodes["class"] = nodes["pop"].str[:2]
    kinds = {"sON": 2, "sOFF": 4, "tOFF": 8, "sONsOFF": np.nan, "sONtOFF": np.nan}
    kind = rng.choice(list(kinds), 3000)
    units = pd.DataFrame({
        "x": 240 * rng.random(3000), "y": 120 * rng.random(3000), "subclass": kind,
        "temporal_frequency": [kinds[k] for k in kind], "tuning_angle": 360 * rng.random(3000),
    })  # fmt: skip
    (folder / "tables").mkdir()
    (folder / "tables/pairs.csv").write_text("source,target,nsyns\n0,1,3\n5,2,1\n9,2,4\n")
    matrix = sparse.random_array((400, 400), density=0.01, rng=rng)
    matrix.data[:] = 2
    sparse.save_npz(folder / "tables/counts.npz", sparse.csr_array(matrix))
    (folder / "tables/reach.csv").write_text("distance,factor\n0,1\n80,0.6\n200,0\n")
    (folder / "tables/lgn.csv").write_text("ei,probability,distance_max\ne,0.9,8\ni,0.7,\n")
    return nodes, units


@pytest.mark.parametrize("name", worked_examples())
def test_every_worked_example_builds(name, tmp_path):
    """Each is drawn over small populations: edges come out, and as many as were expected."""
    connect = worked_examples()[name]
    nodes, units = example_nodes(tmp_path)
    source = units if connect[0]["law"] == "retinotopic" else nodes
    config = edges(rule(connect, autapses=connect[0]["law"] == "table"), "v2")
    network = compile_network(config, 1, source, nodes, Findings(folder=lambda p: tmp_path / p))
    made = Builder(network)
    found, expected = len(all_edges(made).sources), made.expected().edges
    assert found and abs(found - expected) < 5 * expected**0.5 + 0.05 * expected


def test_every_law_has_a_worked_example():
    laws = {get_args(kind.model_fields["law"].annotation)[0] for kind in connect_kinds()}
    assert len(laws) == 16
    assert laws == {factor["law"] for connect in worked_examples().values() for factor in connect}


def connect_kinds() -> list[type]:
    """The models of all laws of connection."""
    kind = get_args(schema.Connect)[0]
    return list(get_args(kind))


_KILLED = """
import os, signal, sys
sys.path[:0] = {paths!r}
from pathlib import Path
from test_rules_stage import resolved
from pipeline.edges.rules import parts, stage
from pipeline.edges.rules.build import Builder, compile_network
from pipeline.edges.rules.tables import Findings
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

    def merge(builder, path, names, parts, merge=parts.merge_parts):
        kept.update({p: p.stat().st_mtime_ns for p in paths.network.glob("v1*.part-*")})
        return merge(builder, path, names, parts)

    monkeypatch.setattr(parts, "PART_EDGES", 300)
    monkeypatch.setattr(parts, "merge_parts", merge)
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


def listed(folder: Path, file: str) -> Resolved:
    return Resolved(
        _Model(edges(rule({"law": "table", "file": file}))), {}, Document({}), folder, []
    )


def pair_table(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    pairs = rng.permutation(n * n)
    pairs = pairs[pairs // n != pairs % n][:3000]
    return pd.DataFrame({
        "source": pairs // n, "target": pairs % n, "nsyns": rng.integers(1, 9, 3000),
        "weight": rng.lognormal(size=3000), "delay": rng.uniform(0.5, 3, 3000),
    })  # fmt: skip


def test_parquet_gives_the_edges_of_the_same_csv(tmp_path):
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    paths, name, table = circuit(tmp_path), "v1__v1__chemical", pair_table()
    table.to_csv(tmp_path / "pairs.csv", index=False)
    table.astype({"source": "int32", "nsyns": "int16"}).to_parquet(tmp_path / "pairs.parquet")
    hashes = []
    for file in ("pairs.csv", "pairs.parquet"):
        counts = stage.run_rules(listed(tmp_path, file), "near", paths)
        hashes.append((file_hash(paths.edges(name)), file_hash(paths.edge_types(name))))
        assert counts[name] == len(table)
    assert hashes[0] == hashes[1]
    built = read_edges(paths.edges(name), name).sort_values(["source_node_id", "target_node_id"])
    wanted = table.sort_values(["source", "target"])
    for theirs, ours in (("source_node_id", "source"), ("target_node_id", "target"),
                         ("nsyns", "nsyns"), ("syn_weight", "weight"), ("delay", "delay")):  # fmt: skip
        np.testing.assert_allclose(built[theirs], wanted[ours], rtol=1e-6)


def table_problem(folder: Path, file: str) -> str:
    with pytest.raises(ConfigError) as error:
        stage.run_rules(listed(folder, file), "near", CircuitPaths(folder))
    return "\n".join(str(problem) for problem in error.value.problems)


def test_bad_parquet_tables_are_told(tmp_path):
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    circuit(tmp_path)
    table = pair_table().astype({"source": object})
    table.loc[[4, 7], "source"] = ["x", "900"]
    table["source"] = table["source"].astype(str)
    table.to_parquet(tmp_path / "pairs.parquet")
    found = table_problem(tmp_path, "pairs.parquet")
    assert "pairs.parquet:5" in found and "pairs.parquet:8" in found and "not a pair" in found
    (tmp_path / "pairs.parquet").write_bytes(b"no parquet")
    assert "cannot be read as Parquet" in table_problem(tmp_path, "pairs.parquet")


_WITHOUT = """
import sys
sys.modules["pyarrow"] = None  # before pandas looks for it
sys.path[:0] = {paths!r}
from pathlib import Path
from test_rules_stage import table_problem
print(table_problem(Path(sys.argv[1]), "pairs.parquet"))
"""


def test_parquet_without_pyarrow_says_what_to_do(tmp_path):
    circuit(tmp_path)
    (tmp_path / "pairs.parquet").write_bytes(b"PAR1")
    here = Path(__file__).parent
    script = _WITHOUT.format(paths=[str(here), str(here.parent / "data"), str(here.parents[1])])
    found = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=120,
        check=True,
    ).stdout  # fmt: skip
    assert "Parquet needs pyarrow" in found and "sonatina[parquet]" in found and "CSV" in found
