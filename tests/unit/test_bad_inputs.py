"""No bad input ends in a traceback, a hang, a half-written file or a wrong success."""

from __future__ import annotations

import codecs
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
from bad_inputs import CASES  # noqa: E402
from damage import damaged  # noqa: E402
from readers import READERS, Reader  # noqa: E402

from pipeline.errors import PipelineError  # noqa: E402

ROUNDS = int(os.environ.get("SONATINA_FUZZ", "3"))
"""Damaged copies per reader; ``make science`` looks at more."""
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """A folder with a sound file per reader, made once."""
    base = tmp_path_factory.mktemp("sound")
    made: dict[str, Path] = {}

    def copy(reader: Reader, folder: Path) -> Path:
        if reader.name not in made:
            own = base / str(len(made))
            own.mkdir()
            made[reader.name] = reader.make(own).relative_to(own)
            (base / reader.name.replace("/", " ")).symlink_to(own)
        shutil.copytree(base / reader.name, folder, dirs_exist_ok=True)
        return folder / made[reader.name]

    return copy


@pytest.fixture(autouse=True)
def _awake():
    """Ends a test that hangs, with the place where it does."""

    def hang(*_):
        raise TimeoutError("this input hangs")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refused(reader: Reader, path: Path) -> PipelineError | None:
    """Reads a file; returns the refusal after a look at its form, None when it was read."""
    try:
        reader.read(path)
    except PipelineError as error:
        assert error.exit_code == 2
        assert error.problems
        for problem in error.problems[:20]:
            assert problem.message.strip() and problem.hint.strip(), f"says too little: {problem}"
            assert "Traceback" not in str(problem)
            assert len(str(problem)) < 4000
        return error
    return None


def test_the_sound_files_are_read(sound, tmp_path):
    """Otherwise a case might be refused for another reason than its own."""
    for number, reader in enumerate(READERS.values()):
        reader.read(sound(reader, tmp_path / str(number)))


TEXTS = ("model.yaml", "variant.yaml", "e-model.yaml", "reference.yaml", "cells.csv", "connectome.csv",
         "glif.csv", "populations.csv", "weights.csv", "trials.csv", "points.csv")  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_other_editors_change_nothing(name, sound, tmp_path):
    """A byte order mark, line ends of Windows, and no line end at the end."""
    for label, change in {
        "mark": lambda data: codecs.BOM_UTF8 + data,
        "lines": lambda data: data.replace(b"\n", b"\r\n"),
        "end": lambda data: data.rstrip(b"\n"),
    }.items():
        path = sound(READERS[name], tmp_path / label)
        path.write_bytes(change(path.read_bytes()))
        READERS[name].read(path)


def test_there_are_many_bad_inputs():
    assert len(CASES) >= 200


@pytest.mark.parametrize("name", list(READERS))
def test_bad_inputs_are_refused(name, sound, tmp_path, capfd):
    """All cases of a reader; every message says where, what and what to do."""
    wrong = []
    for (reader, label), (change, words) in CASES.items():
        if reader != name:
            continue
        folder = tmp_path / label
        path = sound(READERS[name], folder)
        if callable(change):
            change(path)
        else:
            path.write_bytes(change.encode() if isinstance(change, str) else change)
        before = files(folder)
        error = refused(READERS[name], path)
        if error is None:
            wrong.append(f"{label}: read as if it were sound")
        elif any(word not in str(error) for word in words):
            wrong.append(f"{label}: {words} not in: {str(error)[:300]}")
        if files(folder) != before:
            wrong.append(f"{label}: left {set(files(folder)) - set(before)}")
        shutil.rmtree(folder)
    assert not wrong, "\n".join(wrong)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("name", list(READERS))
def test_damaged_files_are_read_or_refused(name, sound, tmp_path):
    """Bytes, words, values and datasets changed at random (the same ones every time)."""

    @settings(
        max_examples=ROUNDS, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.randoms(use_true_random=False))
    def check(draw):
        folder = tmp_path / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        path = sound(READERS[name], folder)
        damaged(path, draw)
        before = files(folder)
        refused(READERS[name], path)
        assert files(folder) == before

    check()
