"""The workflow is clean, and runs again exactly what a change concerns."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from workbench import ROOT, Bench, snakemake, stage

from pipeline.config.starter import write_starter

BUILD = {"compile", "nodes", "edges_wiring", "join", "simulate_drive"}


def call(command: list[str], folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def scheduled(bench: Bench, target: str = "simulate") -> set[str]:
    """Rules that a dry run of the variant would execute, targets left out."""
    command = snakemake(bench.out, target, "--dry-run", model=bench.model, variant="v")
    done = call(command, bench.out.parent)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    if "Nothing to be done" in said:
        return set()
    table = said[said.index("Job stats:") :]
    rules = set(re.findall(r"^(\w+) +\d+$", table, re.M))
    assert "total" in rules
    return rules - {"total", "simulate", "report"}


def build(bench: Bench) -> None:
    """Runs the variant's workflow up to the simulation."""
    command = snakemake(bench.out, "simulate", model=bench.model, variant="v")
    done = call(command, bench.out.parent)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def _workflow(tmp_path_factory, cache) -> Bench:
    base = tmp_path_factory.mktemp("workflow")
    bench = Bench(write_starter("starter", base / "models"), base / "out")
    bench.variant("set:\n  simulation.drive.duration: 20 ms\n")
    build(bench)
    return bench


@pytest.fixture
def finished(_workflow):
    """A starter model whose workflow ran up to the simulation; changes are undone afterwards."""
    kept = _workflow.folder.with_name("kept")
    shutil.copytree(_workflow.folder, kept)
    yield _workflow
    shutil.rmtree(_workflow.folder)
    kept.rename(_workflow.folder)


def add(bench: Bench, line: str) -> None:
    """Adds a line under ``set`` of the variant."""
    bench.edit("variants/v.yaml", "set:\n", f"set:\n  {line}\n")


def test_lint_finds_nothing():
    done = call([sys.executable, "-m", "snakemake", "--lint", "--config", "model=worm"], ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "good condition" in done.stdout + done.stderr


@pytest.mark.parametrize("variant", ["default", "tiny", "all302", "point"])
def test_dry_run_of_the_worm_is_clean(tmp_path, variant):
    done = call(snakemake(tmp_path, "--dry-run", model="worm", variant=variant), tmp_path)
    said = (done.stdout + done.stderr).lower()
    assert done.returncode == 0, said
    for rule in ("compile", "cells", "nodes", "edges_wiring", "join", "simulate_noise", "page"):
        assert re.search(rf"^{rule} +1$", said, re.M), rule
    assert not re.search("warning|error|deprecat|traceback", said), said


def test_a_finished_workflow_has_nothing_to_do(finished):
    assert scheduled(finished) == set()


@pytest.mark.parametrize(
    "line", ["report.colours: magma", "report.dpi: 90", "title: else", "simulation.drive.ranks: 3"]
)
def test_what_changes_no_number_runs_no_stage_again(finished, line):
    if line.startswith("title"):
        finished.edit("variants/v.yaml", "set:\n", f"{line}\nset:\n")
    else:
        add(finished, line)
    assert scheduled(finished) == set()
    assert scheduled(finished, "report") & BUILD == set()
    assert "page" in scheduled(finished, "report")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("edges.wiring.tolerance: 150 um", {"edges_wiring", "join", "simulate_drive"}),
        ("seed: 2", {"edges_wiring", "join", "simulate_drive"}),
        ("simulation.drive.dt: 0.05 ms", {"simulate_drive"}),
        ("cells.soma_attach: 0.7", BUILD - {"compile"}),
        ("compiler: fast", {"compile", "simulate_drive"}),
    ],
)
def test_a_change_runs_again_what_depends_on_it(finished, line, expected):
    add(finished, line)
    assert scheduled(finished) == expected


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("tables/connectomes/ring.csv", "a,b,chemical,4", "a,b,chemical,5",
         {"edges_wiring", "join", "simulate_drive"}),
        ("tables/cells.csv", "b,cell_b,hh,0", "b,cell_b,hh,1", BUILD - {"compile"}),
        ("emodels/hh.yaml", "cm: 1 uF/cm2", "cm: 2 uF/cm2", BUILD - {"compile"}),
    ],
)  # fmt: skip
def test_a_changed_file_runs_again_what_reads_it(finished, file, old, new, expected):
    finished.edit(file, old, new)
    assert scheduled(finished) == expected


@pytest.mark.parametrize("file", ["model.yaml", "variants/v.yaml"])
def test_a_comment_in_the_config_runs_nothing_again(finished, file):
    finished.write(file, "# a comment\n" + finished.path(file).read_text())
    assert scheduled(finished) == set()


def test_another_seed_gives_other_edges_and_the_same_nodes(bench):
    """What the workflow leaves alone does not depend on the seed, and what it runs again does."""
    weight = "edges.wiring.chemical.weight: {law: loguniform, low: 0.1, high: 1}"
    bench.variant(f"set:\n  simulation.drive.duration: 20 ms\n  {weight}\n")
    folder = bench.out / "starter" / "v" / "network"
    names = ("cells.nodes.h5", "cells__cells__chemical.edges.h5")
    build(bench)
    old = [(folder / name).read_bytes() for name in names]
    nodes_written = (folder / names[0]).stat().st_mtime_ns
    add(bench, "seed: 2")
    build(bench)
    new = [(folder / name).read_bytes() for name in names]
    assert (folder / names[0]).stat().st_mtime_ns == nodes_written
    assert new[0] == old[0] and new[1] != old[1]
    (folder / names[0]).unlink()
    stage("nodes", bench.model, "v", "--out", bench.out)
    assert (folder / names[0]).read_bytes() == old[0]


def test_a_broken_model_ends_before_any_rule(bench):
    where = bench.edit("model.yaml", "seed: 1", "sed: 1")
    done = call(snakemake(bench.out, "simulate", model=bench.model), bench.out.parent)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert where in said and "did you mean 'seed'?" in said
    assert "Traceback" not in said and not bench.out.exists()


def test_a_failing_stage_shows_its_own_error(bench):
    bench.write("morphologies/cell_b.swc", "nonsense\n")
    done = call(snakemake(bench.out, "simulate", model=bench.model), bench.out.parent)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"error: {bench.path('morphologies/cell_b.swc')}:1: not a usable morphology" in said
    assert "Traceback" not in said


def test_judging_morphologies_is_scattered_and_comes_before_the_nodes(tmp_path):
    (tmp_path / "emodels").mkdir()
    text = "schema: 1\nname: a\nsource: assumed\npassive: {all: {Ra: 100, cm: 1, g_pas: 1.0e-5, e_pas: -70}}\n"
    (tmp_path / "emodels/a.yaml").write_text(text)
    (tmp_path / "etypes.csv").write_text("etype,emodel,source\ncADpyr,a,assumed\n")
    (tmp_path / "sweeps.csv").write_text("cell,protocol,current,voltage\n")
    (tmp_path / "judged.yaml").write_text(f"""
extends: {ROOT}/models/column/variants/tiny.yaml
name: judged
remove: [generalise, simulation.short, analysis.network]
set:
  generalise: {{nodes: cells, emodels: {tmp_path}/emodels, table: {tmp_path}/etypes.csv, parts: 3}}
  extract: {{L5TPC: {{
    folder: {tmp_path},
    sweeps: {tmp_path}/sweeps.csv,
    source: assumed,
    protocols: {{Step: {{delay: 1, duration: 1, amplitudes: [100], features: [Spikecount]}}}}}}}}
""")
    command = snakemake(
        tmp_path / "out", "circuit", "targets", "--dry-run", model=str(tmp_path / "judged.yaml")
    )
    done = call(command, tmp_path)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    rules = re.findall(r"^(\w+) +1$", said, re.M)
    wanted = [
        "morphologies",
        *(f"generalise_part_{i}" for i in (1, 2, 3)),
        "generalise",
        "nodes",
        "compile",
    ]
    assert {*wanted, "extract_L5TPC"} <= set(rules), said
    limited = tmp_path / "judged.yaml"
    limited.write_text(limited.read_text().replace("parts: 3", "parts: 3, at_most: 0"))
    done = call(command, tmp_path)
    rules = re.findall(r"^(\w+) +1$", done.stdout + done.stderr, re.M)
    assert "generalise" in rules and not [name for name in rules if "part" in name], rules
