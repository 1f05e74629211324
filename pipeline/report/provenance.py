"""Where a report comes from: versions, commit, hashes of inputs and outputs, command and date."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.config.load import Resolved
from pipeline.config.stages import node_files, stage_files
from pipeline.runtime import file_hash
from pipeline.sonata.layout import CircuitPaths

PACKAGES = (
    "neuron", "bmtk", "libsonata", "h5py", "numpy", "scipy", "pandas", "morphio", "matplotlib",
    "pydantic", "snakemake",
)  # fmt: skip


def collect(resolved: Resolved, paths: CircuitPaths) -> dict[str, Any]:
    """Gathers everything but the date and the command, so that equal runs give equal values.

    Args:
        resolved: The model.
        paths: The built circuit.

    Returns:
        model, variant, seed, versions, commit, inputs and outputs (file to sha256).
    """
    return {
        "model": resolved.model.name,
        "variant": resolved.model.variant,
        "seed": resolved.model.seed,
        "versions": versions(),
        "commit": git_commit(Path(__file__).resolve().parent),
        "inputs": input_hashes(resolved),
        "outputs": output_hashes(resolved, paths),
    }


def stamp() -> dict[str, Any]:
    """Returns date (UTC) and command line of this run; they stand in provenance.json alone."""
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return {"date": datetime.now(UTC).isoformat(timespec="seconds"), "command": command}


def versions() -> dict[str, str]:
    """Returns the versions of Python, the system and the packages that shape results."""
    found = {"python": platform.python_version(), "system": f"{sys.platform} {platform.machine()}"}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def git_commit(folder: Path) -> str:
    """Returns the commit of a checkout, with ``(changed)`` when files differ; empty without git."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{commit} (changed)" if changed else commit


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout.strip()


def input_hashes(resolved: Resolved) -> dict[str, str]:
    """Hashes of every YAML and table of the model, by path from its folder."""
    model = resolved.model
    tables = [resolved.path(file) for nodes in model.nodes.values() for file in node_files(nodes)]
    edges = [file for name in model.edges for file in stage_files(resolved, "edges", name)]
    edges += stage_files(resolved, "premotor")
    protocols = model.cells.protocols.values() if model.cells else ()
    named = [p.reference for p in protocols if p.reference]
    named += [model.analysis.correlation.reference] if model.analysis.correlation else []
    named += [model.reference] if model.reference else []
    if responses := model.analysis.responses:
        given = (responses.recorded, responses.published_model, responses.units, responses.seeds)
        named += [file for file in given if file]
    files = [*resolved.files, *tables, *edges, *(resolved.path(name) for name in named)]
    if model.cells:
        files += sorted(resolved.path(model.cells.emodels).glob("*.yaml"))
    found = {}
    for path in dict.fromkeys(Path(file).resolve() for file in files):
        if path.is_file():
            found[short(path, resolved.folder)] = file_hash(path)
    return found


def output_hashes(resolved: Resolved, paths: CircuitPaths) -> dict[str, str]:
    """Hashes of the network's and simulations' HDF5 files, and one for all morphologies."""
    files = sorted(paths.network.glob("*.h5"))
    for name in resolved.model.simulation:
        files += sorted(paths.simulation(name).glob("*.h5"))
    files += [p for p in map(paths.behaviour, resolved.model.behaviours) if p.is_file()]
    found = {short(path, paths.root): file_hash(path) for path in files}
    shapes = sorted(paths.morphologies.glob("*"))
    if shapes:
        label = f"{short(paths.morphologies, paths.root)} ({len(shapes)} files)"
        found[label] = _hash_of_all(shapes)
    return found


def _hash_of_all(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name} {file_hash(path)}\n".encode())
    return digest.hexdigest()


def short(path: Path, folder: Path) -> str:
    """Returns a path as seen from a folder; only the name when it lies elsewhere."""
    path, folder = Path(path).resolve(), Path(folder).resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
