"""Workflows killed at random moments, again and again: the bytes of an undisturbed run.

``SONATINA_KILLS`` says how many kills the three ``tiny`` workflows share (50), ``SONATINA_KILL_SEED``
when they come.
"""

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

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
from workbench import ROOT, alive, wait_until  # noqa: E402

pytestmark = pytest.mark.science
KILLS = int(os.environ.get("SONATINA_KILLS", "50"))
SEED = int(os.environ.get("SONATINA_KILL_SEED", "1"))
SHARES = {"worm": 0.8, "v1": 0.1, "column": 0.1}
LONGEST = 1800.0
"""s. Limit of a whole run."""
COSTS = {"logs", "benchmarks", ".snakemake"}
TIMED = {"figures.json", "provenance.json", "report.html", "engines.csv"}
"""What says how long something took, and the day."""


def outcome(root: Path) -> dict[str, bytes]:
    """All files of a circuit but those that tell of cost."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and not COSTS & set(path.relative_to(root).parts)
        and path.name not in TIMED
        and path.name != ".snakemake_timestamp"
    }


def start(model: str, folder: Path) -> subprocess.Popen:
    """Starts the whole workflow in a process group of its own."""
    command = [sys.executable, "-m", "pipeline", "run", model, "tiny", "--cores", "2"]
    cache = os.environ.get("SONATINA_CACHE", str(ROOT / ".cache"))
    (folder / "here").mkdir(parents=True, exist_ok=True)
    with open(folder / "said.txt", "w") as said:
        return subprocess.Popen(
            [*command, "--out", str(folder / "out")], cwd=folder / "here", start_new_session=True,
            stdout=said, stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "SONATINA_CACHE": cache},
        )  # fmt: skip


def finish(model: str, folder: Path) -> float:
    """Runs the workflow to its end; returns its seconds."""
    began = time.monotonic()
    process = start(model, folder)
    try:
        assert process.wait(LONGEST) == 0, (folder / "said.txt").read_text()[-4000:]
    finally:
        _kill(process)
    return time.monotonic() - began


def _kill(process: subprocess.Popen) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def kill_after(model: str, folder: Path, seconds: float) -> bool:
    """Kills the workflow and all its children at a moment; says whether it still ran."""
    process = start(model, folder)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        _kill(process)
        wait_until(lambda: not alive(str(folder / "out")), 60)
        return True
    return False


@pytest.mark.parametrize("model", list(SHARES))
def test_a_workflow_killed_at_random_moments_ends_with_the_same_bytes(model, tmp_path):
    wanted = round(KILLS * SHARES[model]) if model != "worm" else KILLS - 2 * round(KILLS * 0.1)
    if not wanted:
        pytest.skip("no kill left for this workflow")
    seconds = finish(model, tmp_path / "whole")
    expected = outcome(tmp_path / "whole" / "out" / model / "tiny")
    assert any(name.endswith("edges.h5") for name in expected)
    draw, kills, rounds = random.Random(f"{SEED}/{model}"), 0, 0
    while kills < wanted:
        folder = tmp_path / "killed"
        # Several kills one after another, before it may end.
        for _ in range(min(draw.randint(1, 5), wanted - kills)):
            kills += kill_after(model, folder, seconds * draw.uniform(0.02, 0.95))
        finish(model, folder)
        found = outcome(folder / "out" / model / "tiny")
        differ = sorted(n for n in {*expected, *found} if expected.get(n) != found.get(n))
        assert not differ, f"after {kills} kills of {model}: {differ[:5]} of {len(differ)}"
        shutil.rmtree(folder)
        rounds += 1
    print(f"\n{model}: {kills} kills in {rounds} rounds, {len(expected)} files equal")
