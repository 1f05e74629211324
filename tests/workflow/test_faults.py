"""What ends a run ends all of it soon, with one message, and leaves what was there before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from workbench import Bench, alive, sonatina, wait_until

WORKER = b"pipeline.simulation.worker"


def workers(mark: str) -> dict[int, int]:
    """Rank to process id of the workers whose job lies below a folder."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if WORKER in words and mark.encode() in words and b"mpiexec" not in words:
            rank = next((v for v in variables if v.startswith(b"PMI_RANK=")), b"=0")
            found[int(rank.split(b"=")[1])] = int(entry.name)
    return found


def running(process: int) -> bool:
    """Whether a worker has begun to simulate: its mechanisms are loaded."""
    try:
        return "libnrnmech" in Path(f"/proc/{process}/maps").read_text()
    except OSError:
        return False


def all_running(found: dict[int, int], ranks: int) -> bool:
    """Whether as many workers as ranks have begun to simulate."""
    return len(found) == ranks and all(running(process) for process in found.values())


@pytest.mark.parametrize(
    ("ranks", "victim", "number", "said"),
    [
        (1, 0, signal.SIGKILL, "rank 0: was killed from outside (SIGKILL) (the machine may"),
        (2, 1, signal.SIGKILL, "rank 1: was killed from outside (SIGKILL) (the machine may"),
        (2, 0, signal.SIGSEGV, "rank 0: crashed (SIGSEGV)"),
        (3, 2, signal.SIGSEGV, "rank 2: crashed (SIGSEGV)"),
    ],
)
def test_a_rank_that_dies_ends_all_and_is_named(built, tmp_path, ranks, victim, number, said):
    before = {name: f"@sim/drive/{name}" for name in ("soma.h5", "spikes.h5", "figures.json")}
    for name, path in before.items():
        built.write(path, f"of an earlier run: {name}")
    built.edit("model.yaml", "duration: 100 ms", "duration: 60 s")
    built.edit("model.yaml", "dt: 0.025 ms", "dt: 0.005 ms")
    scratch = tmp_path / "s"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *built.command("simulate", "--ranks", str(ranks))],
        env=os.environ | {"TMPDIR": str(scratch)},
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        # Looked for anew each time: a process that a worker is just forking looks like the worker.
        wait_until(lambda: all_running(workers(str(scratch)), ranks), 120)
        found = workers(str(scratch))
        os.kill(found[victim], number)
        began = time.monotonic()
        _, error = process.communicate(timeout=30)
    finally:
        process.kill()
    assert time.monotonic() - began < 15
    assert process.returncode == 1
    assert said in error
    assert error.count("error: ") == 1 and "Traceback" not in error and "BAD TERM" not in error
    wait_until(lambda: not alive(str(scratch)), 10)
    for name, path in before.items():
        assert built.path(path).read_text() == f"of an earlier run: {name}"
    written = {path.name for path in (built.circuit / "sim" / "drive").iterdir()}
    planned = {"balance.csv"} if ranks > 1 else set()
    assert written == {*before, *planned, "input_step.h5", "simulation_config.json"}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 900 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("ranks", [2])
def test_a_full_disk_is_named_and_leaves_whole_files_only(built, small_disk, ranks):
    built.edit("model.yaml", "duration: 100 ms", "duration: 1 s")
    subprocess.run(["cp", "-r", str(built.out / "starter"), str(small_disk)], check=True)
    full = Bench(built.folder, small_disk)
    where = "soma: {nodes: cells}"
    full.edit("model.yaml", where, "all: {nodes: cells, sections: all, precision: double}")
    done = sonatina(*full.command("simulate", "--ranks", str(ranks)))
    assert done.returncode == 1
    folder = full.circuit / "sim" / "drive"
    assert done.stderr == (
        f"error: {folder / 'all.h5'}: the disk is full (free space, or choose another --out)\n"
    )
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["balance.csv", "input_step.h5", "simulation_config.json"]


def test_a_disk_that_fills_while_inputs_are_written_is_named(built, small_disk):
    built.edit("model.yaml", "duration: 100 ms", "duration: 10 s")
    subprocess.run(["cp", "-r", str(built.out / "starter"), str(small_disk)], check=True)
    full = Bench(built.folder, small_disk)
    done = sonatina(*full.command("simulate"))
    assert done.returncode == 2  # and no crash of HDF5 when the process ends
    file = full.circuit / "sim" / "drive" / "input_step.h5"
    assert done.stderr.startswith(f"error: {file}: the disk is full")
    assert not file.exists() and list(file.parent.iterdir()) == []


@pytest.mark.parametrize("ranks", [2])
def test_a_mechanism_that_the_library_lacks_is_named(built, ranks):
    built.edit("@components/emodels/hh.json", '"hh": {}', '"hh": {}, "nosuch": {"gbar": 1.0}')
    done = sonatina(*built.command("simulate", "--ranks", str(ranks)))
    assert done.returncode == 2
    assert done.stderr == "error: e-model hh: no mechanism 'nosuch' (add its set to mechanisms)\n"


def test_a_library_that_is_gone_is_named(built):
    file = built.path("@components/mechanisms.json")
    library = file.read_text().split('"library": "')[1].split('"')[0]
    file.write_text(file.read_text().replace(library, library + ".gone"))
    done = sonatina(*built.command("simulate"))
    assert done.returncode == 2
    assert done.stderr.count("error: ") == 1
    assert f"library {library}.gone is gone (run 'sonatina compile'" in done.stderr
