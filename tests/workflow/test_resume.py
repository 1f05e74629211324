"""Killed at any moment and started again, a run ends with the bytes of an undisturbed one."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from workbench import ROOT, alive, short_worm, snakemake, stage, wait_until

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
    while not kill_after(command, moment, cwd=tmp_path):
        moment *= 0.7  # it was quicker than the undisturbed one, which may have compiled
        shutil.rmtree(tmp_path / "out")
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


def test_a_killed_workflow_goes_on_with_a_simulation_from_its_save(worm_built, tmp_path):
    """One that saves itself: the second start takes its time from the save, and ends with the same bytes."""
    _, built = worm_built
    model = _long_worm(tmp_path / "whole")
    shutil.copytree(built, tmp_path / "whole" / "out")
    stage("simulate", model, "--out", tmp_path / "whole" / "out")
    model = _long_worm(tmp_path / "cut", simulation__noise__save_every="300 ms")
    shutil.copytree(built, tmp_path / "cut" / "out")
    root = tmp_path / "cut" / "out" / "worm" / "short"
    command = snakemake(tmp_path / "cut" / "out", "simulate", model=model)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **quiet)
    saved = root / "sim" / "noise" / "checkpoint" / "checkpoint.json"
    wait_until(lambda: saved.is_file() or process.poll() is not None, 240)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not alive(str(root)), 30)
    assert saved.is_file() and not (root / "sim" / "noise" / "spikes.h5").exists()
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "from the save at" in (root / "logs" / "simulate_noise.log").read_text()
    for name in ("spikes.h5", "soma.h5"):
        whole = tmp_path / "whole" / "out" / "worm" / "short" / "sim" / "noise" / name
        assert (root / "sim" / "noise" / name).read_bytes() == whole.read_bytes()
    assert not saved.parent.exists()


def _long_worm(folder: Path, **changes: object) -> Path:
    """The short worm for 3 s on one rank."""
    model = short_worm(folder, simulation__noise__ranks=1, **changes)
    model.write_text(model.read_text().replace("duration: 100 ms", "duration: 3000 ms"))
    return model
