"""Small makers for tests that drive the command line: a starter model, a short worm, one stage."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def sonatina(*arguments, timeout: float = 900, **options) -> subprocess.CompletedProcess:
    """Runs the command line in a process of its own, from the checkout."""
    command = [sys.executable, "-m", "pipeline", *map(str, arguments)]
    options = {"cwd": ROOT, "capture_output": True, "text": True} | options
    return subprocess.run(command, timeout=timeout, check=False, **options)


def stage(verb: str, *arguments) -> subprocess.CompletedProcess:
    """Runs one stage and asserts that it went well."""
    done = sonatina(verb, *arguments)
    assert done.returncode == 0, f"{verb}: {done.stdout}{done.stderr}"
    return done


def alive(mark: str) -> list[str]:
    """Command lines of processes that name a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in words and int(entry.parent.name) != os.getpid():
            found.append(words)
    return found


def wait_until(condition, seconds: float) -> None:
    """Waits for a condition; fails when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


@dataclass(frozen=True)
class Bench:
    """A sound starter model in a folder of its own, to be broken in one place.

    Attributes:
        folder: The model's folder.
        out: Where circuits go.
    """

    folder: Path
    out: Path

    @property
    def model(self) -> Path:
        return self.folder / "model.yaml"

    @property
    def circuit(self) -> Path:
        return self.out / "starter" / "default"

    def path(self, name: str) -> Path:
        """A file of the model, or of the circuit when the name starts with ``@``."""
        return self.circuit / name[1:] if name.startswith("@") else self.folder / name

    def write(self, name: str, content: str | bytes) -> Path:
        """Writes a file; returns its path."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def edit(self, name: str, old: str, new: str) -> str:
        """Replaces text that occurs once; returns ``file:line`` of the place."""
        path = self.path(name)
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new))
        return f"{path}:{text[: text.index(old)].count(chr(10)) + 1}"

    def variant(self, text: str, name: str = "v") -> list[str]:
        """Writes a variant; returns the words that name it on the command line."""
        self.write(f"variants/{name}.yaml", f"extends: ../model.yaml\nname: {name}\n{text}")
        return [str(self.model), name]

    def command(self, verb: str, *more: str) -> list[str]:
        """A verb on this model with its output folder."""
        return [verb, str(self.model), "--out", str(self.out), *more]


SHORT = """extends: {model}
name: short
set:
  nodes.neurons.subset: tiny
  simulation.noise.duration: 100 ms
  simulation.noise.record.soma.precision: double
{more}remove: [cells.protocols]
"""


def short_worm(folder: Path, **changes: object) -> Path:
    """Writes a variant of the worm: sixteen neurons, 100 ms, no protocols, double precision.

    Args:
        folder: Where ``short.yaml`` goes.
        changes: More entries of ``set``; a double underscore stands for a dot.
    """
    lines = (f"  {key.replace('__', '.')}: {value}\n" for key, value in changes.items())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "short.yaml"
    model = os.path.relpath(ROOT / "models" / "worm" / "model.yaml", folder.resolve())
    path.write_text(SHORT.format(model=model, more="".join(lines)))
    return path


def snakemake(folder: Path, *words: object, **config: object) -> list[str]:
    """The command that runs the workflow; its bookkeeping goes to the folder it is started in.

    Args:
        folder: Folder of circuits.
        words: Targets and options.
        config: Model and variant.
    """
    settings = [f"{key}={value}" for key, value in (config | {"out": folder}).items()]
    return [
        sys.executable, "-m", "snakemake", *map(str, words), "--snakefile", str(ROOT / "Snakefile"),
        "--workflow-profile", str(ROOT / "pipeline" / "profiles" / "local"), "--cores", "2",
        "--nolock", "--rerun-incomplete", "--config", *settings,
    ]  # fmt: skip
