"""Compiling, caching and loading mechanism sets with the real tools."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline import mechanisms
from pipeline.errors import MechanismError, ToolError

pytest.importorskip("neuron")
HELPER = Path(__file__).resolve().parent / "worm_runs.py"
ROOT = HELPER.parents[2]

LEAK = """
NEURON {
    THREADSAFE
    SUFFIX probe
    NONSPECIFIC_CURRENT i
    RANGE g, i
}
PARAMETER { g = 0.001 (S/cm2) }
ASSIGNED { v (mV) i (mA/cm2) }
BREAKPOINT {
    i = g * (v + 60)
}
"""


@pytest.fixture
def small(tmp_path):
    """A set with one small mechanism, and an empty cache beside it."""
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "probe.mod").write_text(LEAK)
    return folder, tmp_path / "cache"


def visible(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if not path.name.startswith("."))


def test_second_call_comes_from_the_cache(small, own_process):
    folder, cache = small
    first = mechanisms.compile_sets([folder], cache)
    assert first.seconds > 0 and list(first.mechanisms) == ["probe"]
    before = first.path.stat()
    second = mechanisms.compile_sets([folder], cache)
    after = second.path.stat()
    assert (second.seconds, second.path) == (0.0, first.path)
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    (folder / "probe.mod").write_text(LEAK.replace("0.001", "0.002"))
    third = mechanisms.compile_sets([folder], cache)
    assert third.seconds > 0 and third.hash != first.hash
    assert visible(cache) == sorted([first.hash, third.hash])
    fast = mechanisms.compile_sets([folder], cache, flags="fast")
    assert fast.hash != third.hash
    assert "-ffast-math" in (fast.path.parents[1] / "manifest.json").read_text()


def test_two_processes_make_one_build(small, tmp_path):
    folder, cache = small
    code = (
        "import sys\nfrom pipeline import mechanisms\n"
        "library = mechanisms.compile_sets([sys.argv[1]], sys.argv[2])\n"
        "print(library.seconds, library.path)"
    )
    command = [sys.executable, "-c", code, str(folder), str(cache)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pair = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=300)[0].split() for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    assert sorted(float(seconds) > 0 for seconds, _ in answers) == [False, True]
    assert answers[0][1] == answers[1][1] and len(visible(cache)) == 1


def test_killed_build_is_not_used(small):
    folder, cache = small
    code = (
        "import sys\nfrom pipeline import mechanisms\n"
        "mechanisms.compile_sets([sys.argv[1]], sys.argv[2])"
    )
    command = [sys.executable, "-c", code, str(folder), str(cache)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment)
    limit = time.monotonic() + 60
    while not list(cache.glob(".*.build-*/mods/*.mod")) and time.monotonic() < limit:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(cache.glob(".*.build-*")), "the build was killed while it ran"
    assert visible(cache) == []
    library = mechanisms.compile_sets([folder], cache)
    assert library.seconds > 0 and visible(cache) == [library.hash]
    assert not list(cache.glob(".*.build-*"))


def test_damaged_build_is_made_again(small):
    folder, cache = small
    library = mechanisms.compile_sets([folder], cache)
    manifest = library.path.parents[1] / "manifest.json"
    manifest.unlink()
    again = mechanisms.compile_sets([folder], cache)
    assert again.seconds > 0 and manifest.is_file()
    again.path.unlink()
    assert mechanisms.compile_sets([folder], cache).path.is_file()


def test_library_loads_after_the_build_folder_is_gone(small, own_process):
    folder, cache = small
    other = folder.parent / "other"
    other.mkdir()
    (other / "second.mod").write_text(LEAK.replace("probe", "second"))
    error = own_process("load_two", sets=[str(folder)], other=[str(other)], cache=str(cache))
    assert "already loaded" in error and "one process per run" in error


@pytest.mark.parametrize("coreneuron", [False, True])
@pytest.mark.parametrize(
    "old, new, line, said",
    [
        ("i = g * (v + 60)", "i = = 60", 11, "mod"),
        ("i = g * (v + 60)", "i = g * (v - eleak)", 11, "eleak"),
        ("i = g * (v + 60)", "i = g * (v + 60)\nVERBATIM\n  oops(;\nENDVERBATIM", 13, "C++"),
    ],
    ids=["syntax", "undeclared", "verbatim"],
)
def test_broken_file_is_named_with_its_line(small, old, new, line, said, coreneuron):
    folder, cache = small
    (folder / "probe.mod").write_text(LEAK.replace(old, new))
    with pytest.raises(MechanismError) as caught:
        mechanisms.compile_sets([folder], cache, coreneuron=coreneuron)
    problem = caught.value.problems[0]
    assert problem.where == f"{folder / 'probe.mod'}:{line}"
    assert said in problem.message and problem.hint
    assert visible(cache) == [] and not list(cache.glob(".*.build-*"))


def test_limit_of_time(small):
    folder, cache = small
    with pytest.raises(MechanismError, match="more than 0.05 s"):
        mechanisms.compile_sets([folder], cache, timeout=0.05)
    assert visible(cache) == [] and not list(cache.glob(".*.build-*"))


def test_missing_compiler(small, monkeypatch):
    folder, cache = small
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ToolError, match=r"no-such-compiler.*apt install g\+\+ make"):
        mechanisms.compile_sets([folder], cache)
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ToolError, match="install"):
        mechanisms.compile_sets([folder], cache)


def test_builtin_names_are_those_of_neuron(own_process):
    found = set(own_process("builtins"))
    assert found <= mechanisms.BUILTIN
    assert mechanisms.BUILTIN - found <= {"ca_ion"}  # appears with the first calcium mechanism


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="reads Linux's memory map")
def test_coreneuron_gives_the_same_voltages(own_process, worm_set, mechanism_cache):
    """Two cells with every worm mechanism, synapses and a junction, 100 ms, dt 0.025 ms."""
    arguments = {"sets": [str(worm_set)], "cache": str(mechanism_cache), "duration": 100.0}
    runs = [own_process("network", coreneuron=flag, **arguments) for flag in (False, True)]
    assert [run["coreneuron"] for run in runs] == [False, True]
    count = 4000  # CoreNEURON may record one sample less at the end
    assert np.allclose(*(run["t"][:count] for run in runs), rtol=0, atol=1e-6)
    first, second = (np.array([trace[:count] for trace in run["v"]]) for run in runs)
    assert first.shape == second.shape == (2, count)
    assert np.ptp(first, axis=1).min() > 5.0  # the cells must do something
    difference = np.abs(first - second).max()
    print(f"largest difference {difference:.1e} mV")
    assert difference < 1e-6
