"""Grown exemplars kept by content, so that a killed run goes on and other sizes grow nothing twice."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from pipeline.morphologies.make import Made, Task, make
from pipeline.morphologies.repair import Finding
from pipeline.runtime import JsonStore, value_hash

PACKAGES = ("neurots", "numpy", "scipy")
"""What draws and grows; another version grows anew."""


def make_kept(task: Task, folder: Path | None, code: str) -> Made:
    """As ``make``, but what was grown before is taken from a folder.

    Args:
        task: An exemplar. Those from whole reconstructions are quick to make and never kept.
        folder: Of the cache; None makes everything anew.
        code: From ``code_key``.
    """
    grown = all(isinstance(donor.body, dict) for donor in (task.dendrites, task.axon) if donor)
    if folder is None or not grown:
        return make(task)
    store = JsonStore(folder)
    key = value_hash([asdict(task), code])[:32]
    if (found := store.get(key)) is not None:
        return Made(**found | {"findings": [Finding(**f) for f in found["findings"]]})
    made = make(task)
    store.put(key, asdict(made))
    return made


def code_key() -> str:
    """Names the code that makes exemplars: ours by its source, the packages by their versions."""
    here = Path(__file__).resolve().parent
    sources = [*sorted(here.glob("*.py")), here.parent / "cells/morphology.py"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources))
    return " ".join([digest.hexdigest(), *(f"{name}={version(name)}" for name in PACKAGES)])
