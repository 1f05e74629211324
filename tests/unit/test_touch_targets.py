"""Pathways made by touch beside published ones."""

import numpy as np
import pandas as pd
import pytest

from pipeline.analysis.touches import (
    beside_published,
    published_metrics,
    read_published,
    read_recorded,
    recorded_metrics,
)
from pipeline.config.touch_targets import TouchTargets
from pipeline.errors import ConfigError

TARGETS = TouchTargets(edges="local", pathways="p.csv", least=10)
MTYPES = pd.DataFrame({"mtype": ["A", "B", "C"], "cells": [100, 50, 0]})
PUBLISHED = pd.DataFrame(
    {
        "pre": ["A", "A", "B", "A"],
        "post": ["A", "B", "A", "C"],
        "probability": [0.1, 0.02, 0.001, 0.5],
        "synapses_per_connection": [4.0, 2.0, 9.0, 1.0],
        "synapses_sd": [1.0, 0.5, np.nan, 1.0],
    }
)


def _pathways(rows):
    names = ["pre", "post", "connections", "synapses_per_connection"]
    return pd.DataFrame(rows, columns=names)


def test_pairs_leave_out_autapses_and_absent_types():
    table = beside_published(_pathways([]), MTYPES, PUBLISHED, TARGETS)
    assert table[["pre", "post", "pairs"]].values.tolist() == [
        ["A", "A", 9900], ["A", "B", 5000], ["B", "A", 5000],
    ]  # fmt: skip
    assert table["judged"].tolist() == [True, True, False]  # 990, 100 and 5 connections expected


def test_equal_circuit_meets_all():
    ours = _pathways([["A", "A", 990, 4.0], ["A", "B", 100, 2.0]])
    metrics = dict(m[:2] for m in published_metrics(
        "local", beside_published(ours, MTYPES, PUBLISHED, TARGETS)))  # fmt: skip
    assert metrics["local.pathways.judged"] == 2
    assert metrics["local.pathways.probability_factor2"] == 1
    assert metrics["local.pathways.synapses_within_sd"] == 1


def test_missing_pathway_and_wrong_numbers_count_against_us():
    ours = _pathways([["A", "B", 300, 2.6]])
    table = beside_published(ours, MTYPES, PUBLISHED, TARGETS)
    metrics = dict(m[:2] for m in published_metrics("local", table))
    assert metrics["local.pathways.probability_factor2"] == 0  # none, and three times too many
    assert metrics["local.pathways.synapses_factor2"] == 0.5
    assert metrics["local.pathways.synapses_within_sd"] == 0


def test_bad_table_names_every_line(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text(
        "pre,post,probability,synapses_per_connection,synapses_sd,source\n"
        "A,A,x,1,1,s\nA,B,0.1,-2,1,s\nA,B,0.1,2,,s\n"
    )
    with pytest.raises(ConfigError) as error:
        read_published(path)
    text = str(error.value)
    assert all(part in text for part in (":2", ":3", ":4", "'x'", "'-2'", "twice"))


def test_recorded_pairs_pool_their_pathways(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("name,pre,post,synapses,sd,source\nx,A B,A,4,1,s\ny,C,A,4,,s\n")
    table = read_recorded(path)
    ours = pd.DataFrame(
        {"pre": ["A", "B", "A"], "post": ["A", "A", "B"], "connections": [1, 3, 50],
         "synapses": [8, 6, 400]}
    )  # fmt: skip
    # Nothing sends from C, so y has no value and its target is shown as missing.
    assert recorded_metrics("local", ours, table) == [("local.recorded.x", 3.5, "")]
