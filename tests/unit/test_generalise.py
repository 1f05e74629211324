"""Judging morphologies: pairs, verdicts, incremental runs, coverage, and the cells that get e-models."""

from __future__ import annotations

import json
import math
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_column import MODEL, TABLES, library, rows

from pipeline.cli import main
from pipeline.config.celltypes import TypeSpec
from pipeline.config.generalise import Generalise
from pipeline.config.load import load_model
from pipeline.errors import CircuitError, ConfigError, PipelineError
from pipeline.generalise import stage
from pipeline.generalise.evaluation import (
    LEFT,
    Evaluation,
    Store,
    evaluate_missing,
    pair_keys,
    write_known,
)
from pipeline.generalise.pairs import MeType, Pair, allowed_pairs, me_types, read_choices
from pipeline.generalise.stage import (
    judge_all,
    read_composition,
    run_generalise,
    run_part,
    uncovered_first,
)
from pipeline.generalise.verdict import (
    coverage_table,
    judge,
    pair_table,
    read_unmet,
    score_table,
    unmet_table,
)
from pipeline.nodes.build import run_nodes
from pipeline.nodes.emodel_choice import Judged, judged_of
from pipeline.nodes.types import placed_types, population_counts
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_typed_nodes

ETYPES = sorted({row["etype"] for row in rows("me_types.csv")})
EMODEL = """schema: 1
name: {name}
source: assumed, for a test
passive: {{all: {{Ra: 100 ohm cm, cm: 1 uF/cm2, g_pas: {leak}, e_pas: -70 mV}}}}
"""


@dataclass
class Toy:
    """Scores from the bytes of the morphology alone; counts its calls."""

    folder: Path
    limit: float | None = None
    setting: int = 0
    calls: list = field(default_factory=list)
    broken: str = ""

    def files(self, emodel):
        return [self.folder / f"{emodel}.yaml"]

    def settings(self, emodel):
        return self.setting

    def __call__(self, morphology, emodel):
        self.calls.append((morphology.stem, emodel))
        if morphology.stem == self.broken:
            raise RuntimeError("the simulator fell over")
        text = morphology.read_text() + self.files(emodel)[0].read_text()
        number = sum(text.encode()) % 97 / 10 + self.setting
        scores = {"Step_150.soma.v.AP_amplitude": number, "bAP.dend1.v.maximum_voltage": 99.0}
        return Evaluation(scores, -0.1 - number / 100, 0.2 + number / 100)


def fit(etype: str) -> dict[str, str]:
    tables = "cADpyr_L5TPC" if etype == "cADpyr" else etype
    return {
        "m_type": "L5_TTPC1",
        "bounds": "tables/bounds/int.csv",
        "protocols": f"tables/protocols/{tables}.csv",
        "targets": f"tables/targets/{tables}.csv",
    }


def write_variant(folder: Path, etypes=tuple(ETYPES), **changes) -> str:
    """The column's tiny variant with one e-model per e-type."""
    (folder / "emodels").mkdir()
    for index, name in enumerate(etypes):
        text = EMODEL.format(name=name, leak=f"{index + 1}.0e-5")
        (folder / f"emodels/{name}.yaml").write_text(text)
    lines = ["etype,emodel,source", *(f"{name},{name},made here" for name in etypes)]
    (folder / "etypes.csv").write_text("\n".join(lines) + "\n")
    entry = {
        "nodes": "cells",
        "emodels": str(folder / "emodels"),
        "table": str(folder / "etypes.csv"),
    }
    data = {
        "extends": f"{MODEL}/variants/tiny.yaml",
        "name": "judged",
        "remove": ["generalise", "simulation.short", "analysis.network"],
        "set": {
            "generalise": entry | changes,
            "mechanisms": ["cortex"],
            "fits": {name: fit(name) for name in etypes},
        },
    }
    (folder / "judged.yaml").write_text(json.dumps(data))
    return str(folder / "judged.yaml")


def distinct(paths: CircuitPaths) -> CircuitPaths:
    """The library of the column's tests, whose files differ by m-type."""
    for path in library(paths).morphologies.glob("*.swc"):
        path.write_text(path.read_text() + f"# {path.stem}\n")
    return paths


@pytest.fixture
def column(tmp_path):
    resolved = load_model(write_variant(tmp_path))
    return resolved, distinct(CircuitPaths(tmp_path / "c")), Toy(tmp_path / "emodels")


# Pairs


def test_the_composition_of_2015_allows_its_pairs(column):
    resolved, paths, _ = column
    found = read_composition(resolved, paths)
    assert len(found.types) == 207
    # Three shapes of 55 m-types under every e-type that the m-type has.
    combinations = {(row["mtype"], row["etype"]) for row in rows("me_types.csv")}
    assert len(found.pairs) == 3 * len(combinations) == 3 * 207


def write_table(folder, text, emodels=("a", "b", "c")):
    for name in emodels:
        (folder / f"{name}.yaml").touch()
    (folder / "t.csv").write_text(text)
    return folder / "t.csv"


def specs(*labels):
    keys = ("layer", "mtype", "etype")
    made = [dict(zip(keys, text.split(), strict=True)) for text in labels]
    return [TypeSpec("_".join(m.values()), "r", "row", labels=m) for m in made]


def test_the_most_special_row_gives_the_emodel(tmp_path):
    text = "etype,layer,emodel,source,stand_in\nX,,a,s,\nX,L5,b,s,\nY,,c,s,no Y yet\n"
    choices = read_choices(write_table(tmp_path, text), tmp_path, ["layer", "mtype", "etype"])
    kinds = me_types(specs("L4 M X", "L5 M X", "L5 N Y", "L6 N Z"), "mtype", "etype", choices)
    assert [kind.emodel for kind in kinds] == ["a", "b", "c", ""]
    assert kinds[2].stand_in == "no Y yet"
    pairs = allowed_pairs(kinds, {"M": ["m1", "m2"], "N": ["n1"]})
    assert pairs == [
        Pair("m1", "a"),
        Pair("m1", "b"),
        Pair("n1", "c"),
        Pair("m2", "a"),
        Pair("m2", "b"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("etype,emodel\nX,a\n", "no column 'source'"),
        ("etype,emodel,source\nX,q,s\n", "t.csv:2: no e-model 'q'"),
        ("etype,emodel,source\nX,a,s\nX,b,s\n", "t.csv:3: X stands twice"),
        ("etype,emodel,source,colour\nX,a,s,red\n", "column 'colour' is no label"),
    ],
)
def test_wrong_tables_of_emodels_are_refused(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        read_choices(write_table(tmp_path, text), tmp_path, ["layer", "mtype", "etype"])


def test_the_columns_table_gives_every_me_type_one_emodel(tmp_path):
    table = TABLES / "etype_emodels.csv"
    for name in pd.read_csv(table)["emodel"]:
        (tmp_path / f"{name}.yaml").touch()
    resolved = load_model(MODEL, "tiny")
    kinds = placed_types(resolved, "cells")[0]
    choices = read_choices(table, tmp_path, list(kinds[0].labels))
    found = {kind.name: kind for kind in me_types(kinds, "mtype", "etype", choices)}
    assert len(found) == 207 and all(kind.emodel for kind in found.values())
    assert found["L5_TTPC1_cADpyr232"].emodel == "cADpyr_L5TPC"
    assert {kind.emodel for kind in found.values()} <= set(resolved.model.fits)
    assert {"L5_STPC", "L5_UTPC"} <= {kind.mtype for kind in found.values() if kind.stand_in}
    assert all(k.stand_in for k in found.values() if not k.emodel.startswith(k.etype))
    assert not any(k.stand_in for k in found.values() if k.emodel == k.etype)


def test_rows_that_fit_equally_are_refused(tmp_path):
    text = "etype,layer,mtype,emodel,source\nX,L5,,a,s\nX,,M,b,s\n"
    choices = read_choices(write_table(tmp_path, text), tmp_path, ["layer", "mtype", "etype"])
    with pytest.raises(ConfigError, match="2 rows"):
        me_types(specs("L5 M X"), "mtype", "etype", choices)


# Verdicts

RULES = Generalise(nodes="cells")


@pytest.mark.parametrize(
    ("scores", "currents", "reason", "accepted", "said"),
    [
        ({"S.soma.v.rate": 5.0}, (-0.1, 0.3), "", True, ""),
        ({"S.soma.v.rate": 5.01}, (-0.1, 0.3), "", False, "S.soma.v.rate 5.01 sd"),
        ({"S.soma.v.rate": 1.0, "bAP.dend1.v.peak": 40}, (-0.1, 0.3), "", True, ""),
        ({"S.soma.v.rate": 1.0, "A.soma.v.AP2_amp": 40}, (-0.1, 0.3), "", True, ""),
        ({"S.soma.v.rate": math.nan}, (-0.1, 0.3), "", False, "S.soma.v.rate has no value"),
        ({"S.soma.v.rate": 1.0}, (-0.1, math.nan), "", False, "no threshold current"),
        ({}, (math.nan, math.nan), "RMP above 3 sd", False, "RMP above 3 sd"),
        ({}, (0.1, 0.1), "", False, "no feature counts"),
        ({"a": 7.0, "b": 9.0}, (0.1, 0.1), "", False, "b 9 sd; a 7 sd"),
    ],
)
def test_verdicts(scores, currents, reason, accepted, said):
    verdict = judge(Evaluation(scores, *currents, reason), RULES)
    assert (verdict.accepted, verdict.reason) == (accepted, said)


def test_features_that_the_fit_itself_misses_decide_nothing(tmp_path):
    lines = ["S,soma.v,rate,9,0,1,9,0", "S,soma.v,peak,1,0,1,1,0", "bAP,soma.v,x,9,0,1,9,0"]
    lines += ["S,soma.v,depth,,0,1,250,0"]
    header = "protocol,location,feature,value,mean,sd,score,held_out"
    (tmp_path / "e.csv").write_text("\n".join([header, *lines]) + "\n")
    unmet = read_unmet(tmp_path, ["e", "without a table"], RULES)
    assert unmet == {"e": {"S.soma.v.rate": 9.0, "S.soma.v.depth": 250.0}}
    scores = {"S.soma.v.rate": 40.0, "S.soma.v.peak": 2.0, "S.soma.v.depth": math.nan}
    assert judge(Evaluation(scores, 0.1, 0.1), RULES, unmet["e"]).accepted
    refused = judge(Evaluation(scores | {"S.soma.v.peak": 6.0}, 0.1, 0.1), RULES, unmet["e"])
    assert refused.reason == "S.soma.v.peak 6 sd"
    pair = Pair("m", "e")
    table = score_table({pair: Evaluation(scores)}, RULES, unmet).set_index("feature")["counts"]
    assert table.to_dict() == {"S.soma.v.rate": 0, "S.soma.v.peak": 1, "S.soma.v.depth": 0}
    assert unmet_table(unmet)["feature"].tolist() == ["S.soma.v.depth", "S.soma.v.rate"]
    assert read_unmet(None, ["e"], RULES) == {}


# Incremental


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from("pqrs"), st.sampled_from("ab"), st.integers(0, 3)), max_size=8
    ),
    tolerance=st.floats(1, 9),
)
def test_incremental_runs_equal_one_from_scratch(tmp_path_factory, steps, tolerance):
    """Morphologies and e-models come and change; only what is new is evaluated."""
    folder = tmp_path_factory.mktemp("g")
    for name in "ab":
        (folder / f"{name}.yaml").write_text(name)
    kept, done = Store(folder / "kept"), set()
    shapes: dict[str, str] = {"p": "0"}
    config = Generalise(nodes="cells", threshold=tolerance)
    for shape, emodel, content in [("p", "a", 0), *steps]:
        shapes[shape] = str(content)
        (folder / f"{emodel}.yaml").write_text(emodel * (content + 1))
        files = {name: folder / f"{name}.swc" for name in shapes}
        for name, text in shapes.items():
            files[name].write_text(text)
        kinds = [MeType("one", "M", "X", {}, "a"), MeType("two", "M", "Y", {}, "b")]
        names = {"M": sorted(shapes)}
        toy = Toy(folder)
        pairs = allowed_pairs(kinds, names)
        keys = pair_keys(pairs, files, toy)
        found, made = evaluate_missing(keys, files, toy, kept)
        fresh = set(keys.values()) - done
        assert made == len(toy.calls) == len(fresh)
        done |= fresh
        again = Toy(folder)
        scratch, _ = evaluate_missing(keys, files, again, Store(folder / f"new{len(done)}"))
        tables = [pair_table(kinds, names, keys, part, config) for part in (found, scratch)]
        pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_only_rows_of_a_new_morphology_are_computed(column, tmp_path):
    resolved, paths, toy = column
    store = Store(tmp_path / "store")
    first = run_generalise(resolved, paths, toy, store)
    assert first["evaluated"] == first["pairs"] == 621 and first["me_types"] == 207
    before = {p.name: p.read_bytes() for p in paths.generalise("pairs").parent.glob("*.*")}
    assert before.keys() == {
        "pairs.csv",
        "scores.csv",
        "coverage.csv",
        "unmet.csv",
        "generalise.sqlite",
    }
    assert run_generalise(resolved, paths, toy, store)["evaluated"] == 0
    after = {p.name: p.read_bytes() for p in paths.generalise("pairs").parent.glob("*.*")}
    assert before == after
    source = paths.morphologies / "L5_TTPC1_0.swc"
    (paths.morphologies / "L5_TTPC1_new.swc").write_text(source.read_text() + "# longer\n")
    with open(paths.morphology_table, "a", encoding="utf-8") as handle:
        handle.write("L5_TTPC1_new,L5_TTPC1,-200,60,-80,60\n")
    toy.calls.clear()
    assert run_generalise(resolved, paths, toy, store)["evaluated"] == 1
    assert toy.calls == [("L5_TTPC1_new", "cADpyr")]
    # Other settings of the evaluator make everything anew; a renamed file nothing.
    toy.setting = 1
    assert run_generalise(resolved, paths, toy, store)["evaluated"] == 622
    with sqlite3.connect(paths.generalise("generalise").with_suffix(".sqlite")) as base:
        assert base.execute("select count(*) from coverage").fetchone() == (207,)
        asked = "select count(*) from pairs where accepted = 1"
        assert (
            base.execute(asked).fetchone()[0]
            == run_generalise(resolved, paths, toy, store)["accepted"]
        )


def test_a_run_that_ends_early_has_covered_each_type_and_says_what_is_left(column, tmp_path):
    resolved, paths, toy = column
    whole = run_generalise(resolved, paths, Toy(toy.folder), Store(tmp_path / "other"))
    want = paths.generalise("pairs").read_bytes()
    store = Store(tmp_path / "store")
    first = run_generalise(resolved, paths, toy, store, at_most=207)
    table = pd.read_csv(paths.generalise("pairs"))
    judged = table[table["reason"] != LEFT]
    assert first["evaluated"] == 207 and first["left"] == 621 - len(judged) == 621 - 207
    assert set(judged["me_type"]) == set(table["me_type"])
    assert (table["accepted"] == 0)[table["reason"] == LEFT].all()
    nothing = run_generalise(resolved, paths, toy, store, at_most=0)
    assert nothing | {"evaluated": 207} == first
    rest = run_generalise(resolved, paths, toy, store)
    assert rest["evaluated"] == 414 and rest | {"evaluated": 621} == whole
    assert paths.generalise("pairs").read_bytes() == want


@pytest.mark.parametrize("limit", [0, 3])
def test_a_model_limits_what_a_run_evaluates_and_the_option_goes_before(tmp_path, limit):
    resolved = load_model(write_variant(tmp_path, at_most=limit))
    paths = distinct(CircuitPaths(tmp_path / "circuit"))
    toy, store = Toy(tmp_path / "emodels"), Store(tmp_path / "store")
    first = run_generalise(resolved, paths, toy, store)
    table = pd.read_csv(paths.generalise("pairs"))
    assert first["evaluated"] == len(toy.calls) == limit
    assert first["left"] == (table["reason"] == LEFT).sum() > 0
    assert run_generalise(resolved, paths, toy, store, at_most=5)["evaluated"] == 5
    assert run_generalise(resolved, paths, toy, store, at_most=0)["evaluated"] == 0


def test_what_nothing_covers_is_evaluated_first():
    names = ["a_1", "b_1", "a_2", "b_2", "c_1"]
    keys = {Pair(name, "e"): name for name in names}
    table = pd.DataFrame({
        "me_type": ["A", "A", "B", "B", "C"], "morphology": ["a_1", "a_2", "b_1", "b_2", "c_1"],
        "emodel": "e", "accepted": [1, 0, 0, 0, 0],
    })  # fmt: skip
    assert [*uncovered_first(keys, table).values()] == ["b_1", "b_2", "c_1", "a_1", "a_2"]


def test_a_model_ships_evaluations(column, tmp_path):
    resolved, paths, toy = column
    known = tmp_path / "known.json"
    generalise = resolved.model.generalise.model_copy(update={"known": str(known)})
    object.__setattr__(
        resolved, "model", resolved.model.model_copy(update={"generalise": generalise})
    )
    toy.broken = "L5_TTPC1_0"
    store = Store(tmp_path / "a", known)
    run_generalise(resolved, paths, toy, store, save=True)
    tables = {p.name: p.read_bytes() for p in paths.generalise("pairs").parent.glob("*.csv")}
    toy.calls.clear()
    elsewhere = Store(tmp_path / "b", known)
    assert run_generalise(resolved, paths, toy, elsewhere)["evaluated"] == 1  # the one that failed
    assert toy.calls == [("L5_TTPC1_0", "cADpyr")]
    again = {p.name: p.read_bytes() for p in paths.generalise("pairs").parent.glob("*.csv")}
    assert tables == again
    before = known.read_bytes()
    run_generalise(resolved, paths, toy, elsewhere, save=True)
    assert known.read_bytes() == before
    known.write_text("{}")
    with pytest.raises(PipelineError, match=r"known\.json.*--save"):
        Store(tmp_path / "c", known)


def test_only_types_with_cells_are_judged(column):
    resolved, paths, _ = column
    generalise = resolved.model.generalise.model_copy(update={"types": "placed"})
    changes = {"generalise": generalise}
    object.__setattr__(resolved, "model", resolved.model.model_copy(update=changes))
    placed = {s for s, n in population_counts(resolved, "cells").items() if n}
    types = read_composition(resolved, paths).types
    assert {t.name for t in types} == {name for name, _ in placed}
    assert 5 < len(types) < 50  # of 50 cells


def test_parts_share_the_work_and_give_the_same_tables(column, tmp_path):
    resolved, paths, toy = column
    alone, _ = judge_all(resolved, read_composition(resolved, paths), toy, Store(tmp_path / "a"))
    store = Store(tmp_path / "b")
    made = [run_part(resolved, paths, toy, store, part, 3)[1] for part in range(3)]
    assert sum(made) == 621 and max(made) - min(made) <= 1
    together, missing = judge_all(resolved, read_composition(resolved, paths), toy, store)
    assert missing == 0
    for name in ("pairs", "scores", "coverage"):
        pd.testing.assert_frame_equal(getattr(alone, name), getattr(together, name))


def test_what_falls_over_is_told_and_tried_again(column, tmp_path):
    resolved, paths, toy = column
    store, composition = Store(tmp_path / "store"), read_composition(resolved, paths)
    toy.broken = "L5_TTPC1_0"
    tables, _ = judge_all(resolved, composition, toy, store)
    row = tables.pairs.set_index("morphology").loc["L5_TTPC1_0"]
    assert row["accepted"] == 0 and "the simulator fell over" in row["reason"]
    toy.broken = ""
    toy.calls.clear()
    judge_all(resolved, composition, toy, store)
    assert toy.calls == [("L5_TTPC1_0", "cADpyr")]


def test_what_the_limit_ended_is_kept_until_the_limit_is_higher(tmp_path):
    (tmp_path / "m.swc").write_text("m")
    (tmp_path / "e.yaml").write_text("e")
    files, pair, known = {"m": tmp_path / "m.swc"}, Pair("m", "e"), tmp_path / "known.json"
    toy = Toy(tmp_path, limit=3.0)
    keys = pair_keys([pair], files, toy)
    late = Evaluation({}, reason="took longer than 3 s of processor time", limit=3.0)
    write_known(known, {keys[pair]: late})
    store = Store(tmp_path / "store", known)
    assert repr(store.get(keys[pair])) == repr(late)
    found, made = evaluate_missing(keys, files, toy, store)
    assert made == 0 and not judge(found[pair], RULES).accepted
    toy.limit = None
    found, made = evaluate_missing(keys, files, toy, store)
    assert made == 1 and found[pair].scores and store.get(keys[pair]).scores


def test_a_damaged_entry_of_the_store_is_made_anew(tmp_path):
    store = Store(tmp_path)
    store.put("ab12", Evaluation({"x": 1.0, "y": math.nan}, 0.1))
    found = store.get("ab12")
    assert found.scores["x"] == 1.0 and math.isnan(found.scores["y"])
    assert math.isnan(found.threshold_current)
    (tmp_path / "ab/ab12.json").write_text("{")
    assert store.get("ab12") is None and store.get("cd34") is None


# Coverage


def test_uncovered_types_name_the_nearest():
    labels = [("L5", "EXC"), ("L5", "EXC"), ("L4", "EXC"), ("L4", "INH"), ("L6", "INH")]
    made = [
        ("t1", "M", "X"),
        ("t2", "M", "Y"),
        ("t3", "N", "X"),
        ("t4", "O", "Z"),
        ("t5", "P", "W"),
    ]
    kinds = [
        MeType(*names, {"layer": layer, "morph_class": group}, names[2].lower() if names[2] != "W" else "")
        for names, (layer, group) in zip(made, labels, strict=True)
    ]  # fmt: skip
    table = [
        ("t1", "m1", 0, 8.0, "rate 8 sd"), ("t1", "m2", 0, 6.0, "rate 6 sd"),
        ("t2", "m1", 1, 2.0, ""), ("t3", "n1", 1, 1.0, ""), ("t4", "o1", 0, 9.0, "rate 9 sd"),
    ]  # fmt: skip
    pairs = pd.DataFrame(
        table, columns=["me_type", "morphology", "accepted", "worst_score", "reason"]
    )
    names = {"M": ["m1", "m2"], "N": ["n1"], "O": ["o1"], "P": ["p1"]}
    found = coverage_table(kinds, names, pairs).set_index("me_type")
    assert found["covered"].tolist() == [0, 1, 1, 0, 0]
    # t1: the same e-type counts more than the same m-type; t4: the same layer.
    assert found["nearest"].tolist() == ["t3", "", "", "t3", "t2"]
    assert found.loc["t1", ["best_morphology", "best_score", "reason"]].tolist() == [
        "m2",
        6.0,
        "rate 6 sd",
    ]
    assert found.loc["t5", "reason"] == "no e-model for e-type W"


# The verb


def test_the_verb_says_what_it_judged(tmp_path, capsys, monkeypatch):
    path = write_variant(tmp_path)
    distinct(CircuitPaths(tmp_path / "out/column/judged"))
    command = ["generalise", path, "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "k")]
    assert main(command) == 2
    assert "sonatina compile" in capsys.readouterr().err
    monkeypatch.setattr(stage, "evaluator_of", lambda *_: Toy(tmp_path / "emodels"))
    assert main([*command, "--workers", "1", "--part", "2/4"]) == 0
    assert "155 evaluated" in capsys.readouterr().out
    assert main([*command, "--workers", "1"]) == 0
    said = capsys.readouterr().out
    assert "of 621 pairs accepted" in said and "466 evaluated now" in said
    assert main(["generalise", MODEL, "full", "--out", str(tmp_path / "out")]) == 2
    assert "no key generalise" in capsys.readouterr().err


# Cells


def test_cells_get_accepted_morphologies_emodels_and_currents(column, tmp_path):
    resolved, paths, toy = column
    with pytest.raises(CircuitError, match="generalise"):
        run_nodes(resolved, paths)
    run_generalise(resolved, paths, toy, Store(tmp_path / "store"))
    run_nodes(resolved, paths)
    nodes = read_typed_nodes(paths.nodes("cells"), paths.node_types("cells"), "cells")
    kinds, shapes = (nodes[key].astype(str) for key in ("pop_name", "morphology"))
    judged = judged_of(paths.generalise("pairs"))
    used = list(zip(kinds, shapes, strict=True))
    for kind, shape in used:
        assert shape in judged.accepted.get(kind, {shape}), (kind, shape)
    assert nodes["dynamics_params"].tolist() == [f"{name}.json" for name in nodes["etype"]]
    assert set(nodes["model_template"].astype(str)) == {"sonatina:cell"}
    for index, name in enumerate(("holding_current", "threshold_current")):
        own = nodes[f"@dynamics:{name}"].to_numpy()
        wanted = np.array([judged.currents[pair][index] for pair in used], np.float32)
        assert own.tolist() == wanted.tolist() and np.isfinite(own).all()
    stored = json.loads((paths.emodels / "cADpyr.json").read_text())
    assert stored["axon"] == "stub_myelin" and stored["discretisation"]["length"] == 20
    table = pd.read_csv(paths.analysis("emodels_cells"))
    assert table["cells"].sum() == 50
    covered = {kind for kind in judged.accepted}
    expected = [row.cells if row.me_type in covered else 0 for row in table.itertuples()]
    assert table["accepted"].tolist() == expected


def test_types_without_an_accepted_morphology_may_draw_any():
    judged = Judged({"t": "e"}, {"t": frozenset({"b"})}, {})
    assert judged.allowed("t", ["a", "b"]).tolist() == [False, True]
    assert judged.allowed("other", ["a", "b"]).tolist() == [True, True]


def test_the_tables_of_targets_are_whole():
    """Every e-type of the composition has targets, protocols and bounds; sds are above 0."""
    names = {path.stem for path in (TABLES / "targets").glob("*.csv")}
    assert set(ETYPES) - {"cADpyr"} <= names and len(names) == 15
    for name in names:
        targets = pd.read_csv(TABLES / f"targets/{name}.csv")
        protocols = pd.read_csv(TABLES / f"protocols/{name}.csv")
        assert set(targets["protocol"]) == set(protocols["protocol"])
        assert (targets["sd"] > 0).all() and np.isfinite(targets["mean"]).all()
        assert not targets.duplicated(["protocol", "location", "feature"]).any()
        assert targets["source"].str.contains("f19bf23").all()
        held = set(targets.loc[targets["held_out"] == 1, "protocol"])
        held -= {"H40S8_all"}  # the recipe of this cell names a table without it
        assert len(held) == 1 and held.pop().startswith("Step_")


@pytest.mark.parametrize(
    ("options", "deciding"),
    [
        ([], []),
        (["-coreneuron"], []),
        (["-coreneuron", "-incflags", "-DDISABLE_REPORTINGLIB"], []),
        (["-incflags", "-DX -O3 -ffast-math"], ["-incflags", "-O3 -ffast-math"]),
    ],
)
def test_what_an_engine_defines_judges_nothing_anew(options, deciding):
    from pipeline.generalise.evaluator import _deciding

    assert _deciding(options) == deciding
