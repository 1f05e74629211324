"""Runs the Snakemake workflow from the command line, one run per output folder at a time."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

from pipeline.config.load import Resolved
from pipeline.config.places import project_roots
from pipeline.errors import PipelineError, Problem
from pipeline.runtime import only_one, require_writable
from pipeline.sonata.layout import CircuitPaths


def run_snakemake(options: Namespace, resolved: Resolved, paths: CircuitPaths) -> int:
    """Runs all stages up to the report.

    A killed run leaves nothing locked: the lock belongs to the process, not to a file's existence.

    Args:
        options: Of the command line: model, variant, out, cores, dry_run, profile, snakemake.
        resolved: The model, already validated.
        paths: Its circuit.

    Returns:
        Snakemake's exit code.

    Raises:
        PipelineError: If another run works in the same folder.
    """
    root = next(r for r in reversed(project_roots()) if (r / "Snakefile").is_file())
    model = resolved.files[0] if resolved.model.variant == "default" else resolved.files[-1]
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile"),
        "--workflow-profile", str(_profile(options.profile, root)),
        "--nolock", "--rerun-incomplete",
        "--config", f"model={model}", "variant=default" if len(resolved.files) == 1 else "variant=",
        f"out={options.out}",
        # What a simulation waits for goes before what only the report shows.
        "--prioritize", str(paths.circuit_config),
    ]  # fmt: skip
    if options.profile == "local":  # elsewhere the profile says how many jobs
        command += ["--cores", str(options.cores)]
    command += shlex.split(options.snakemake)
    if options.dry_run:
        return subprocess.call([*command, "--dry-run"])
    require_writable(paths.root)
    with only_one(paths.root):
        code = subprocess.call(command, env=dict(os.environ, PYTHONUNBUFFERED="1"))
    if code == 0:
        print(f"\nThe report: {Path(paths.report_page).resolve()}")
    return code


def _profile(name: str, root: Path) -> Path:
    """The folder of a profile: one of ours by name, or the user's."""
    ours = root / "pipeline" / "profiles"
    for folder in (ours / name, Path(name)):
        if any((folder / f"config.{kind}").is_file() for kind in ("yaml", "v8+.yaml")):
            return folder
    known = ", ".join(sorted(path.name for path in ours.iterdir() if path.is_dir()))
    raise PipelineError(Problem(f"--profile {name}", "no such profile", f"ours: {known}"))
