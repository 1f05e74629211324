"""Ranks change nothing: not a bit of the result, and not what happens when one of them fails."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from workbench import Bench, alive, sonatina, stage, wait_until

from pipeline.mpi import run_ranks
from pipeline.simulation.balance import CONTINUOUS, parts_of, read_balance
from pipeline.simulation.plan import read_plan
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_edges
from pipeline.sonata.reports import read_report, read_spikes

RANKS = (1, 2, 3)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.h5"))
    }


def test_the_worm_is_the_same_to_the_last_bit_on_any_number_of_ranks(worm_built, tmp_path):
    model, out = worm_built
    shutil.copytree(out, tmp_path / "out")
    folder = tmp_path / "out" / "worm" / "short" / "sim" / "noise"
    found = {}
    for ranks in RANKS:
        said = stage("simulate", model, "--out", tmp_path / "out", "--ranks", ranks).stdout
        assert f"on {ranks} ranks" in said
        found[ranks] = digests(folder)
    soma = read_report(folder / "soma.h5", "neurons")
    assert soma.data.shape == (200, 16) and soma.data.dtype == np.float64
    assert np.ptp(soma.data, axis=0).min() > 1, "a cell at rest would agree with anything"
    assert set(found[1]) == {"input_sensory.h5", "soma.h5", "spikes.h5"}
    assert found[1] == found[2] == found[3]


def test_spikes_and_all_sections_are_the_same_on_any_number_of_ranks(built):
    where = "soma: {nodes: cells}"
    built.edit("model.yaml", where, "all: {nodes: cells, sections: all, precision: double}")
    folder = built.circuit / "sim" / "drive"
    found = {}
    for ranks in RANKS:
        stage(*built.command("simulate", "--ranks", str(ranks)))
        found[ranks] = digests(folder)
    nodes, times = read_spikes(folder / "spikes.h5", "cells")
    assert len(set(nodes)) == 3 and len(times) > 10, "every cell must spike for this to mean much"
    assert found[1] == found[2] == found[3]


def test_any_dealing_of_the_cells_gives_the_same_spikes(built):
    folder = built.circuit / "sim" / "drive"
    stage(*built.command("simulate", "--ranks", "2"))
    expected, table = digests(folder), pd.read_csv(folder / "balance.csv")
    figures = json.loads((folder / "figures.json").read_text())
    plan = read_plan(CircuitPaths(built.circuit), "drive", None)
    parts = parts_of(plan, "cells")
    assert parts["compartments"].sum() == figures["segments"], "NEURON's compartments"
    onto = [
        read_edges(built.path(f"@network/{name}.edges.h5"), name)["target_node_id"]
        for name in ("cells__cells__chemical", "cells__cells__electrical")
        if built.path(f"@network/{name}.edges.h5").is_file()
    ]
    assert parts["synapses"].tolist() == [
        CONTINUOUS * (pd.concat(onto) == n).sum() for n in range(3)
    ]
    assert parts["synapses"].sum() > 0 and table["rank"].nunique() == 2
    assert figures["balance"] == pytest.approx(read_balance(folder / "balance.csv", 2))
    job = {"root": str(built.circuit), "simulation": "drive", "saving": None}
    library = json.loads((built.circuit / "components" / "mechanisms.json").read_text())["library"]
    job |= {"library": library or "", "dealt": str(folder / "other.csv")}
    for ranks in ([0, 0, 1], [1, 1, 0], [1, 1, 1]):
        table.assign(rank=ranks).to_csv(folder / "other.csv", index=False)
        (folder / "spikes.h5").unlink()
        run_ranks("pipeline.simulation.worker", job, 2)
        assert digests(folder) == expected


def run_failing(built: Bench, tmp_path: Path, ranks: int) -> subprocess.CompletedProcess:
    """Simulates a broken circuit; asserts that it ends soon and leaves nothing behind."""
    scratch = tmp_path / "s"
    scratch.mkdir()
    began = time.monotonic()
    done = sonatina(
        *built.command("simulate", "--ranks", str(ranks)),
        timeout=60,
        env=os.environ | {"TMPDIR": str(scratch)},
    )
    assert time.monotonic() - began < 30
    assert alive(str(scratch)) == []
    folder = built.circuit / "sim" / "drive"
    left = sorted(path.name for path in folder.iterdir())
    dealt = ["balance.csv"] if ranks > 1 else []
    assert left == [*dealt, "input_step.h5", "simulation_config.json"]
    return done


def break_edges_to(built: Bench, node: int, name: str, value: float) -> None:
    """Gives the chemical edges that end on a node a bad attribute."""
    path = built.path("@network/cells__cells__chemical.edges.h5")
    rows = read_edges(path, "cells__cells__chemical", targets=[node]).index.to_numpy()
    assert len(rows)
    with h5py.File(path, "r+") as handle:
        handle[f"edges/cells__cells__chemical/0/{name}"][rows] = value


@pytest.mark.parametrize("ranks", [2, 3])
def test_an_error_while_building_on_one_rank_ends_all_with_its_message(built, tmp_path, ranks):
    break_edges_to(built, 1, "afferent_section_id", 99)  # on one of the ranks
    done = run_failing(built, tmp_path, ranks)
    assert done.returncode == 2
    assert "section 99 of node 1, which has 3" in done.stderr
    assert done.stderr.count("error: ") == 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_a_voltage_that_is_not_finite_on_one_rank_ends_all_with_its_message(built, tmp_path, ranks):
    built.write("tables/connectomes/ring.csv", "pre,post,kind,count\na,b,chemical,4\n")
    stage(*built.command("edges"))
    break_edges_to(built, 1, "syn_weight", np.nan)  # node 1 drives nobody: only its rank can see it
    done = run_failing(built, tmp_path, ranks)
    assert done.returncode == 1
    assert "voltage is not finite" in done.stderr and "cell 1 section" in done.stderr
    assert "lower dt" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_killed_command_takes_its_ranks_along(built, tmp_path, ranks):
    built.edit("model.yaml", "duration: 100 ms", "duration: 200 s")
    scratch = tmp_path / "s"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *built.command("simulate", "--ranks", str(ranks))],
        env=os.environ | {"TMPDIR": str(scratch)},
        stderr=subprocess.DEVNULL,
    )
    try:
        workers = "pipeline.simulation.worker"
        count = ranks if ranks == 1 else ranks + 1  # and the launcher
        wait_until(lambda: sum(workers in words for words in alive(str(scratch))) >= count, 30)
        time.sleep(1)  # into the run
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not alive(str(scratch)), 20)
