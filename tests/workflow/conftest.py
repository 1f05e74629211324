"""A workbench for tests that drive the command line: starter model, circuit, one cache."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from pipeline.config.starter import write_starter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
from workbench import ROOT, Bench, short_worm, stage  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def cache():
    """One cache of compiled mechanisms for all tests and workers; ``.cache`` unless named."""
    with pytest.MonkeyPatch.context() as patch:
        folder = os.environ.get("SONATINA_CACHE") or str(ROOT / ".cache")
        patch.setenv("SONATINA_CACHE", folder)
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        yield Path(folder)


@pytest.fixture
def bench(tmp_path) -> Bench:
    """A fresh starter model."""
    return Bench(write_starter("starter", tmp_path / "models"), tmp_path / "out")


@pytest.fixture(scope="session")
def _starter_built(tmp_path_factory) -> Path:
    base = tmp_path_factory.mktemp("starter")
    made = Bench(write_starter("starter", base / "models"), base / "out")
    for verb in ("compile", "nodes", "edges", "circuit"):
        stage(verb, *made.command(verb)[1:])
    return made.out


@pytest.fixture
def built(bench, _starter_built) -> Bench:
    """A fresh starter model with its circuit, ready to simulate."""
    shutil.copytree(_starter_built, bench.out)
    return bench


@pytest.fixture(scope="session")
def worm_built(tmp_path_factory) -> tuple[Path, Path]:
    """The short worm's variant file and its output folder with the built circuit."""
    base = tmp_path_factory.mktemp("worm")
    model = short_worm(base)
    for verb in ("compile", "nodes", "edges", "circuit"):
        stage(verb, model, "--out", base / "out")
    return model, base / "out"
