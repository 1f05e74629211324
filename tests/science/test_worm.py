"""The full worm: equal on any number of ranks, and its verdict table as it stands."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.cli import main
from pipeline.sonata.layout import CircuitPaths

pytestmark = pytest.mark.science
ROOT = Path(__file__).resolve().parents[2]
# What does not agree with the publication, with the reason in models/worm/reference.yaml.
KNOWN_FAILURES = {"wiring.chemical.contacts", "wiring.distance_median", "correlation.mse"}


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """The worm of 136 neurons, built."""
    folder = tmp_path_factory.mktemp("science")
    cache = ["--cache", str(ROOT / ".cache/mechanisms")]
    for verb in ("compile", "cells", "nodes", "edges", "circuit"):
        extra = cache if verb == "compile" else []
        assert main([verb, "worm", "default", "--out", str(folder), *extra]) == 0
    return folder


def test_five_seconds_are_equal_on_one_two_and_three_ranks(out):
    paths = CircuitPaths(out / "worm/default")
    results = []
    for ranks in (1, 2, 3):
        arguments = ["simulate", "worm", "default", "--out", str(out), "--ranks", str(ranks)]
        assert main(arguments) == 0
        files = [paths.report("noise", "soma"), paths.spikes("noise")]
        results.append([path.read_bytes() for path in files])
    assert results[0] == results[1] == results[2]


def test_only_the_known_values_fail(out):
    for verb in ("simulate", "analyse"):
        assert main([verb, "worm", "default", "--out", str(out)]) == 0
    table = pd.read_csv(CircuitPaths(out / "worm/default").analysis("verdicts"))
    print(table.to_string())
    assert set(table[table["verdict"] == "fail"]["metric"]) == KNOWN_FAILURES
    assert (table["verdict"] == "pass").sum() >= 20
