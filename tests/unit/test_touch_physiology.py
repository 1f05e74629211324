"""Synapse classes and draws: the tables of the column, laws of the draws, keys."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.touches import Physiology
from pipeline.edges.touch.arrays import TOUCH, Cells
from pipeline.edges.touch.physiology import (
    DECAY,
    VALUES,
    VESICLES,
    D,
    F,
    G,
    U,
    compile_synapses,
    draw_values,
    synapse_columns,
)
from pipeline.edges.touch.scene import cell_types
from pipeline.errors import ConfigError
from pipeline.philox import rule_key

TABLES = Path(__file__).parents[2] / "models" / "column" / "tables"
KEY = rule_key(1, "touches/test")
NAMES = {
    "L23_PC": ("EXC", "cADpyr"), "L23_LBC": ("INH", "cNAC"), "L23_MC": ("INH", "bAC"),
    "L5_TTPC1": ("EXC", "cADpyr"), "L6_TPC_L1": ("EXC", "cADpyr"), "L1_NGC-DA": ("INH", "cNAC"),
    "L6_SBC": ("INH", "dNAC"), "L23_ChC": ("INH", "cACint"),
}  # fmt: skip


def cells_of(names):
    mtypes, mtype = np.unique(names, return_inverse=True)
    etypes, etype = np.unique([NAMES[name][1] for name in names], return_inverse=True)
    n = len(names)
    return Cells(
        np.zeros(n, np.int32), np.zeros((n, 3)), np.tile(np.eye(3, dtype=np.float32), (n, 1, 1)),
        mtype.astype(np.int16), etype.astype(np.int16),
        np.array([NAMES[name][0] == "INH" for name in names], np.uint8),
        tuple(mtypes.tolist()), tuple(etypes.tolist()),
    )  # fmt: skip


def all_mtypes():
    with open(TABLES / "pathway_rules.csv", newline="", encoding="utf-8") as handle:
        return frozenset(row["pre"] for row in csv.DictReader(handle))


def compiled(names, classes=TABLES / "synapse_classes.csv", rules=TABLES / "synapse_rules.csv"):
    cells = cells_of(names)
    config = Physiology(classes=str(classes), rules=str(rules))
    types = cell_types(cells, all_mtypes())
    return compile_synapses(Path(classes), Path(rules), config, cells, types)


@pytest.mark.parametrize(
    ("pre", "post", "name", "scale", "hill"),
    [
        ("L23_PC", "L23_PC", "E2_L3PC", 0.4, 2.79),
        ("L5_TTPC1", "L5_TTPC1", "E2_L5TTPC", 0.71, 2.79),
        ("L23_PC", "L23_LBC", "E1_PT", 0.8, 1.09),
        ("L23_LBC", "L23_PC", "I3_PT", 0.0, 1.94),
        ("L23_PC", "L23_MC", "E4", 0.8, 2.79),
        ("L23_MC", "L5_TTPC1", "I4", 0.0, 1.94),
        ("L1_NGC-DA", "L23_PC", "I2", 0.75, 1.94),
        ("L6_TPC_L1", "L6_TPC_L1", "E2_L6_TPC_L1", 0.4, 2.79),
        ("L6_TPC_L1", "L6_SBC", "E2_L6_TPC_L1_BC", 0.8, 1.09),
        ("L6_SBC", "L6_SBC", "I1", 0.0, 1.94),
        ("L23_ChC", "L23_PC", "I7", 0.0, 1.94),
    ],
)
def test_the_columns_rules(pre, post, name, scale, hill):
    synapses = compiled([pre, post])
    at = synapses.me[0], synapses.me[1]
    assert synapses.names[synapses.code[at]] == name
    assert synapses.scale[at] == pytest.approx(scale)
    assert synapses.hill[at] == pytest.approx(hill)


def test_every_pair_of_the_column_has_a_class():
    compiled(list(NAMES))


def draws(mean, sd, n=20_000):
    out = np.empty((n, 6))
    for a in range(n):
        draw_values(np.asarray(mean, float), np.asarray(sd, float), KEY, a, 7, out[a])
    return out


def test_laws_of_the_draws():
    mean, sd = [0.65, 0.25, 706, 21, 8.3, 2.8], [0.35, 0.13, 405, 40, 2.2, 0]
    found = draws(mean, sd)
    for what in (G, D, F):  # F has a shape below 1
        assert found[:, what].mean() == pytest.approx(mean[what], rel=0.05)
        assert found[:, what].std() == pytest.approx(sd[what], rel=0.05)
        assert (found[:, what] > 0).all()
    for what in (U, DECAY):
        assert (np.abs(found[:, what] - mean[what]) <= sd[what]).all()
        # A normal within one sd has this sd: sqrt(1 - 2 phi(1) / (2 Phi(1) - 1)).
        assert found[:, what].std() == pytest.approx(0.5396 * sd[what], rel=0.03)
    assert found[:, VESICLES].min() == 1
    assert found[:, VESICLES].mean() == pytest.approx(2.8, rel=0.02)


def test_a_connection_shares_its_draws_and_delay_follows_the_axon():
    synapses = compiled(["L23_PC", "L23_LBC"])
    touches = np.zeros(5, TOUCH)
    touches["pre"], touches["post"] = [0, 0, 0, 1, 1], [1, 1, 1, 0, 0]
    touches["path"] = [30, 60, 300, 0, 90]
    kinds, columns = synapse_columns(synapses, touches, KEY)
    for name in VALUES:
        assert len(set(columns[name][:3])) == 1 and len(set(columns[name][3:])) == 1
    assert columns["delay"] == pytest.approx([0.2, 0.3, 1.1, 0.1, 0.4])
    assert (columns["syn_type_id"] >= 100).tolist() == [True] * 3 + [False] * 2
    alone = synapse_columns(synapses, touches[3:], KEY)[1]
    assert all((alone[name] == columns[name][3:]).all() for name in columns)


def test_all_problems_of_both_tables_at_once(tmp_path):
    classes, rules = tmp_path / "c.csv", tmp_path / "r.csv"
    text = (TABLES / "synapse_classes.csv").read_text().replace("I1,0.650989", "I1,much", 1)
    classes.write_text(re.sub(r"^I2,", "X2,", text, count=1, flags=re.M))
    header = (TABLES / "synapse_rules.csv").read_text().splitlines()[0]
    rows = ["EXC,,,,,,E2,0.4,2.79,s", "INH,,,,,,E2,0,1.9,s", ",L23_PX,,,,,E2,,,s", "EXC,,,,,,E9,,,"]
    rules.write_text("\n".join([header, *rows]) + "\n")
    with pytest.raises(ConfigError) as error:
        compiled(["L23_PC", "L23_LBC"], classes, rules)
    text = str(error.value)
    for part in ("c.csv:2: g is 'much'", "'X2' starts with neither", "r.csv:4: pre_mtype 'L23_PX'",
                 "r.csv:5: synapse_class is 'E9'", "r.csv:5: source is empty", "other sign"):  # fmt: skip
        assert part in text, text
