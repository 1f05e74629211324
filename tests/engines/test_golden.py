"""Pinned results of the worm's tiny variant: a change must be meant, and told."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import RESULTS_VERSION
from pipeline.cli import main
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_edges, read_nodes
from pipeline.sonata.reports import read_report

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden/worm_tiny.json"


def digest(values) -> str:
    """sha256 of an array's little-endian bytes."""
    array = np.ascontiguousarray(values)
    return hashlib.sha256(array.astype(array.dtype.newbyteorder("<")).tobytes()).hexdigest()


@pytest.fixture(scope="module")
def circuit(tmp_path_factory) -> CircuitPaths:
    """The tiny worm, built and simulated."""
    out = tmp_path_factory.mktemp("golden")
    for verb in ("compile", "nodes", "edges", "circuit", "simulate"):
        extra = ["--cache", str(ROOT / ".cache/mechanisms")] if verb == "compile" else []
        assert main([verb, "worm", "tiny", "--out", str(out), *extra]) == 0
    return CircuitPaths(out / "worm/tiny")


def measure(paths: CircuitPaths) -> dict:
    """Counts and digests of what the circuit holds, and the voltages it ends with."""
    nodes = read_nodes(paths.nodes("neurons"), "neurons")
    result = {"results_version": RESULTS_VERSION, "cells": len(nodes)}
    for kind in ("chemical", "electrical"):
        population = f"neurons__neurons__{kind}"
        edges = read_edges(paths.edges(population), population)
        strength = "syn_weight" if kind == "chemical" else "conductance"
        result[kind] = {
            "edges": len(edges),
            "ids": digest(edges[["source_node_id", "target_node_id"]].to_numpy(np.uint64)),
            "places": digest(edges[["afferent_section_id", "efferent_section_id"]].to_numpy()),
            "strength": float(edges[strength].astype(float).sum()),
        }
    report = read_report(paths.report("noise", "soma"), "neurons")
    result["last_voltage_mV"] = [round(float(v), 3) for v in report.data[-1]]
    return result


def test_results_are_the_pinned_ones(circuit, request):
    found = measure(circuit)
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    pinned = json.loads(GOLDEN.read_text())
    if pinned["results_version"] != RESULTS_VERSION:
        pytest.fail("RESULTS_VERSION changed: run pytest --update-golden and tell CHANGELOG.md why")
    voltages = found.pop("last_voltage_mV"), pinned.pop("last_voltage_mV")
    for kind in ("chemical", "electrical"):
        strengths = found[kind].pop("strength"), pinned[kind].pop("strength")
        assert strengths[0] == pytest.approx(strengths[1], rel=1e-6)
    assert found == pinned, "raise RESULTS_VERSION, run --update-golden, tell CHANGELOG.md"
    # Compilers and processors differ in the last bits; the network is not chaotic in 200 ms.
    assert np.abs(np.subtract(*voltages)).max() < 0.01
