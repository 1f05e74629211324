"""What the machine around a run may do to it: languages, clocks, locks, versions, disks."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess

import pytest
from workbench import Bench, sonatina

from pipeline.cli import main
from pipeline.runtime import only_one


def network(bench: Bench) -> dict[str, bytes]:
    """The circuit's files by name."""
    return {path.name: path.read_bytes() for path in (bench.circuit / "network").iterdir()}


def test_paths_with_spaces_and_umlauts_in_a_shell_without_a_language(built, tmp_path):
    """The plainest locale, without Python's own ways out of it, and another time zone."""
    folder = tmp_path / "ein ö und 神经"
    shutil.copytree(built.folder, folder / "mo del" / "starter")
    shutil.copytree(built.out, folder / "aus gabe")
    far = Bench(folder / "mo del" / "starter", folder / "aus gabe")
    far.edit("model.yaml", "title: starter, a starter model", "title: größe")
    for path in (far.circuit / "network").glob("*edge*"):
        path.unlink()
    shell = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    env = os.environ | shell | {"TZ": "Pacific/Kiritimati", "LANG": "de_DE"}
    for words in (("edges",), ("simulate", "--ranks", "2")):
        done = sonatina(*far.command(words[0], *words[1:]), env=env)
        assert done.returncode == 0, done.stderr
        assert str(folder) in done.stdout
    assert network(far) == network(built)
    assert (far.circuit / "sim" / "drive" / "spikes.h5").is_file()


def test_a_clock_that_was_wrong_changes_no_byte(built):
    """Files of 1970 and of 2096, as a clock that jumps leaves them."""
    before = network(built)
    for folder, seconds in ((built.folder, 4_000_000_000), (built.out, 0)):
        for path in folder.rglob("*"):
            os.utime(path, (seconds, seconds))
    for verb in ("edges", "circuit"):
        assert main(built.command(verb)) == 0
    assert network(built) == before


def test_two_runs_in_one_folder_are_told(built, capsys):
    with only_one(built.circuit / "sim" / "drive"):
        assert main(built.command("simulate")) == 2
        error = capsys.readouterr().err
        assert error.count("error: ") == 1 and "sim/drive: another run works" in error
        assert "wait for it, or choose another --out" in error
    with only_one(built.circuit):
        assert main(built.command("run")) == 2
        assert "another run works in this folder" in capsys.readouterr().err
    with only_one(built.circuit):
        pass  # the system let go of it


@pytest.mark.parametrize("verb", ["compile", "simulate"])
@pytest.mark.parametrize("version", ["8.2.6", None])
def test_another_neuron_is_told_before_anything_runs(built, capsys, monkeypatch, verb, version):
    real = importlib.metadata.version

    def told(package: str) -> str:
        if package != "neuron":
            return real(package)
        if version is None:
            raise importlib.metadata.PackageNotFoundError
        return version

    monkeypatch.setattr(importlib.metadata, "version", told)
    assert main(built.command(verb)) == 2
    error = capsys.readouterr().err
    assert error.count("error: ") == 1
    assert (version or "is not installed") in error and "pip install 'neuron>=9,<10'" in error
    assert not (built.circuit / "sim").exists()


@pytest.fixture
def disk(tmp_path):
    """A small file system: its folder, and what mounts it again with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> None:
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount a small file system")

    mount("size=4m")
    yield folder, mount
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("verb", ["edges", "simulate", "run"])
def test_an_output_that_can_only_be_read_is_named(built, disk, capsys, verb):
    folder, mount = disk
    shutil.copytree(built.out / "starter", folder / "starter")
    mount("remount,ro")
    bench = Bench(built.folder, folder)
    assert main(bench.command(verb)) == 2
    error = capsys.readouterr().err
    assert error.count("error: ") == 1 and "Traceback" not in error
    assert str(folder) in error and "Read-only file system" in error


@pytest.mark.parametrize("verb", ["edges"])
def test_a_disk_that_fills_while_a_circuit_is_built_is_named(built, disk, verb):
    folder, mount = disk
    shutil.copytree(built.out / "starter", folder / "starter")
    bench = Bench(built.folder, folder)
    before = network(bench)
    filler = os.open(folder / "filler", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError):
        while os.write(filler, bytes(1 << 12)):
            pass
    os.close(filler)
    done = sonatina(*bench.command(verb))
    assert done.returncode == 2
    assert done.stderr.count("error: ") == 1 and "Traceback" not in done.stderr
    assert "the disk is full (free space, or choose another --out)" in done.stderr
    assert network(bench) == before, "a file was touched"
