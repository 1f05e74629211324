"""Every NEURON model of these tests runs in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))  # for the helpers beside the tests


@pytest.fixture(scope="session")
def worm_set() -> Path:
    """The folder of the worm's mechanisms."""
    return ROOT / "mechanisms" / "worm"


@pytest.fixture(scope="session")
def mechanism_cache() -> Path:
    """The product's own cache of compiled mechanisms, so that no set is compiled twice."""
    return Path(os.environ.get("SONATINA_CACHE") or ROOT / ".cache").resolve() / "mechanisms"


@pytest.fixture(scope="session")
def own_process(tmp_path_factory):
    """Runs ``function(**arguments)`` of a script beside us in a fresh interpreter, by JSON."""

    def run(function: str, *, script="worm_runs.py", timeout: float = 300.0, **arguments):
        folder = tmp_path_factory.mktemp("run")
        (folder / "in.json").write_text(json.dumps(arguments))
        command = [sys.executable, str(HERE / script), function, str(folder)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads((folder / "out.json").read_text())

    return run
