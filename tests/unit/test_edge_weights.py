"""Weights of contacts from a table, and the junctions of the worm's muscles."""

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.body.interface import MUSCLES
from pipeline.edges.contacts import CHEMICAL, GAP
from pipeline.edges.weights import apply_weights, weight_rows
from pipeline.errors import ConfigError
from pipeline.sources.c302 import padded_name

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT.parent / "shared/data/worm"
NAMES = (["A", "B"], ["A", "B"])


@pytest.fixture
def contacts():
    return pd.DataFrame(
        {
            "source": [0, 0, 0, 1],
            "target": [1, 1, 1, 0],
            "kind": [CHEMICAL, GAP, CHEMICAL, CHEMICAL],
            "weight": 9.0,
            "inhibitory": False,
        }
    )


def table(tmp_path, text):
    path = tmp_path / "w.csv"
    path.write_text("pre,post,kind,contact,weight\n" + text)
    return path


GOOD = "A,B,chemical,1,-0.5\nA,B,chemical,0,2\nB,A,chemical,0,0\nA,B,electrical,0,1e-5\nX,B,chemical,0,1\n"


def test_every_contact_gets_its_own_weight(contacts, tmp_path):
    found = apply_weights(contacts, NAMES, table(tmp_path, GOOD))
    assert found["weight"].tolist() == [2, 1e-5, 0.5, 0]
    assert found["inhibitory"].tolist() == [False, False, True, False]


def test_rows_are_numbered_as_they_are_read(contacts, tmp_path):
    rows = weight_rows(
        ["A", "B"], np.array([0, 1, 0]), np.array([1, 0, 1]), "chemical", np.arange(3)
    )
    assert rows["contact"].tolist() == [0, 0, 1]
    assert list(rows) == ["pre", "post", "kind", "contact", "weight"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("A,B,chemical,1,-0.5\n", ""), "no weight for chemical contact 1 of A, B"),
        (GOOD + "B,A,chemical,1,3\n", "a weight without a contact: chemical contact 1 of B, A"),
        (GOOD + "A,B,chemical,0,3\n", "w.csv:7: contact is '0'"),
        (GOOD.replace("electrical,0,1e-5", "electrical,0,-1"), "conductance of 0 or more"),
        (GOOD.replace("1e-5", "much"), "w.csv:5: weight is 'much'"),
        (GOOD.replace("electrical", "magical"), "kind is 'magical'"),
    ],
)
def test_what_does_not_fit_is_told(contacts, tmp_path, text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        apply_weights(contacts, NAMES, table(tmp_path, text))


def test_junctions_beside_another_copy_of_the_same_connectome():
    path = FIXTURES / "cook2019_herm_full_edgelist.csv"
    if not path.is_file():
        pytest.skip("needs the worm fixtures beside the checkout")
    other = {}
    with open(path) as handle:
        for row in csv.DictReader(handle):
            row = {key: value.strip() for key, value in row.items()}
            muscle = re.fullmatch(r"([dv])BWM([LR])(\d+)", row["Target"])
            if muscle and row["Type"] == "chemical":
                unit = f"{muscle[1].upper()}{muscle[2]}{int(muscle[3]):02d}"
                other[padded_name(row["Source"]), unit] = float(row["Weight"])
    with open(ROOT / "models/worm/tables/neuromuscular.csv") as handle:
        rows = list(csv.DictReader(handle))
    own = {(r["neuron"], r["muscle"]): float(r["count"]) for r in rows}
    # The copies are versions of one table: the edge list lacks 32 rare pairs and has other counts
    # near the tail.
    assert len(own) == 956 and len(other) == 924 and other.keys() <= own.keys()
    differ = {pair for pair, count in other.items() if own[pair] != count}
    assert len(differ) == 20 and {int(muscle[2:]) >= 17 for _, muscle in differ} == {True}
    assert {r["muscle"] for r in rows} == set(MUSCLES) - {"VL24"}
    signs = Counter(r["neuron"][:2] for r in rows if r["sign"] == "-1")
    assert set(signs) == {"AV", "DD", "RM", "VD"}
