"""Killed at any moment and started again, a run ends with the bytes of an undisturbed one."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from workbench import ROOT, snakemake, stage

STAGES = ("compile", "nodes", "edges", "circuit", "simulate")


def outcome(root: Path) -> dict[str, bytes]:
    """All files a run is judged by; cost figures and bookkeeping are left out."""
    kept = ("network", "sim", "components", "circuit_config.json", "node_sets.json")
    return {
        str(path.relative_to(root)): path.read_bytes()
        for name in kept
        for path in sorted([root / name, *(root / name).rglob("*")])
        if path.is_file() and path.name not in ("figures.json", ".snakemake_timestamp")
    }


@pytest.fixture(scope="module")
def undisturbed(worm_built, tmp_path_factory):
    """The short worm run without disturbance: model, outcome, seconds per stage."""
    model, _ = worm_built
    out = tmp_path_factory.mktemp("undisturbed")
    seconds = {}
    for verb in STAGES:
        began = time.monotonic()
        stage(verb, model, "--out", out)
        seconds[verb] = time.monotonic() - began
    found = outcome(out / "worm" / "short")
    assert sum(name.endswith(".h5") for name in found) == 7
    return model, found, seconds


def kill_after(command: list, seconds: float, **options) -> bool:
    """Starts a command and kills it (SIGKILL) after a while; says whether it still ran."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*map(str, command)], **quiet, **options)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


@pytest.mark.parametrize("seed", [1, 2])
def test_stages_killed_and_repeated_give_the_same_bytes(undisturbed, tmp_path, seed):
    model, expected, seconds = undisturbed
    moments = random.Random(seed)
    for verb in STAGES:
        command = [sys.executable, "-m", "pipeline", verb, model, "--out", tmp_path]
        # Most of a stage is start-up; its second half is where files are written.
        moment = seconds[verb] * moments.uniform(0.4, 1.0)
        while not kill_after(command, moment, cwd=ROOT):
            moment *= 0.7  # it was quicker than the undisturbed one
        stage(verb, model, "--out", tmp_path)
    root = tmp_path / "worm" / "short"
    assert outcome(root) == expected
    assert [path for path in root.rglob(".*") if path.is_file()] == [], "temporary files are left"


def test_a_file_of_a_killed_writer_is_removed_and_one_of_a_living_writer_stays(
    undisturbed, tmp_path
):
    from pipeline.runtime import atomic_path, remove_leftovers

    code = (
        "import os, sys\nfrom pipeline.runtime import atomic_path\n"
        "with atomic_path(sys.argv[1]) as path:\n    os._exit(9)\n"
    )
    dead = tmp_path / "below" / "dead.h5"
    subprocess.run([sys.executable, "-c", code, str(dead)], cwd=ROOT, check=False, timeout=60)
    left = [path.name for path in dead.parent.iterdir()]
    assert len(left) == 1 and left[0].startswith(".dead.h5.")
    with atomic_path(tmp_path / "alive.h5") as living:
        remove_leftovers(tmp_path)
        assert living.exists()
    assert list(dead.parent.iterdir()) == []
    assert (tmp_path / "alive.h5").is_file()


def test_the_workflow_killed_and_continued_gives_the_same_bytes(undisturbed, tmp_path):
    model, expected, seconds = undisturbed
    moment = random.Random(4).uniform(0.3, 0.8) * (2 + sum(seconds.values()))
    command = snakemake(tmp_path / "out", "simulate", model=model)
    assert kill_after(command, moment, cwd=tmp_path), "it ended before it was killed"
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcome(tmp_path / "out" / "worm" / "short") == expected
    again = subprocess.run(
        [*command, "--dry-run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Nothing to be done" in again.stdout + again.stderr
