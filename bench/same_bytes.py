"""Builds and simulates the tiny circuits in several ways and compares every byte; exits 1 on a difference.

    python bench/same_bytes.py                  worm, v1 and column: one Markdown table
    python bench/same_bytes.py worm --ms 50     one of them, its runs cut to 50 ms

A way of building is a number of threads (cores the process may use, and numba's), of parts of edges drawn
from rules, and a size of blocks: presynaptic cells of touches, memory of rules (the smallest that the
config allows). A way of simulating is a number of MPI ranks, or of threads where NEST runs. Compared are
SHA-256 of all files under network/ and components/ (but mechanisms.json, which names a path), the circuit
config and the node sets; and of spikes and reports. Compiled mechanisms, rates of thalamic units and grown
morphologies come from the cache where it has them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.load import Resolved, load_model
from pipeline.config.rules import RuleEdges
from pipeline.config.touches import TouchEdges
from pipeline.sonata.layout import CircuitPaths

MODELS = ("worm", "v1", "column")
SMALL = {"memory": 0.051, "block": 3}
"""Smallest memory (GiB) of rules, and presynaptic cells per block of touches."""


@dataclass(frozen=True)
class Way:
    """How a circuit is built."""

    threads: int = 1
    parts: int = 1
    small: bool = False

    def __str__(self) -> str:
        blocks = "small blocks" if self.small else "default blocks"
        return f"{self.threads} thread{'s' * (self.threads > 1)}, {self.parts} part(s), {blocks}"


WAYS = (Way(), Way(2), Way(1, 1, True), Way(2, 3, True))
RANKS = (1, 2, 3, 4)


def sonatina(*words: object, threads: int = 2) -> float:
    """Runs the command on so many cores; returns its seconds."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, words)],
        env=os.environ | {"NUMBA_NUM_THREADS": str(threads)},
        preexec_fn=lambda: os.sched_setaffinity(0, cores), capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"sonatina {' '.join(map(str, words))}\n{done.stderr}")
    return time.perf_counter() - begin


def digests(paths: CircuitPaths, folders: tuple[str, ...], extra: tuple[Path, ...] = ()) -> dict:
    """SHA-256 of every file below some folders, by its path in the circuit."""
    files = [f for name in folders for f in (paths.root / name).rglob("*") if f.is_file()]
    return {
        str(file.relative_to(paths.root)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted([*files, *extra])
        if file not in (paths.mechanisms, paths.simulation_config(file.parent.name))
        and file.name != "figures.json" and ".part-" not in file.name and file.name[0] != "."
    }  # fmt: skip


def whole(found: dict[str, str]) -> str:
    """One digest of several."""
    text = "".join(f"{name} {digest}\n" for name, digest in sorted(found.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def variant(folder: Path, model: str, resolved: Resolved, way: Way, ms: float | None) -> Path:
    """Writes the tiny variant with the way's size of blocks, under the same name."""
    lines = [f"extends: {resolved.files[-1]}", "name: tiny", "set:", "  seed: 1"]
    lines[3] = f"  seed: {resolved.model.seed}"
    for name, edges in resolved.model.edges.items():
        key = {RuleEdges: "memory", TouchEdges: "block"}.get(type(edges))
        if way.small and key:
            lines.append(f"  edges.{name}.{key}: {SMALL[key]}")
    if ms:
        lines += [f"  simulation.{name}.duration: {ms} ms" for name in resolved.model.simulation]
    path = folder / f"{model}.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def build(folder: Path, model: str, resolved: Resolved, way: Way, ms: float | None) -> CircuitPaths:
    """Builds the circuit in one way; stages before the nodes are taken over from the first one."""
    folder.mkdir()
    file = variant(folder, model, resolved, way, ms)
    words = (file, "--out", folder / "out")
    paths = CircuitPaths(folder / "out" / resolved.model.name / "tiny")
    first = CircuitPaths(folder.parent / "0" / "out" / resolved.model.name / "tiny")
    run = resolved.model
    if paths.root == first.root:
        sonatina("compile", *words)
        if run.morphologies:
            sonatina("morphologies", *words)
        if run.generalise:
            sonatina("generalise", *words)
    else:
        for name in ("components", "generalise"):
            if (first.root / name).is_dir():
                shutil.copytree(first.root / name, paths.root / name)
    sonatina("nodes", *words, threads=way.threads)
    apart = [n for n in run.edges if way.parts > 1 and isinstance(run.edges[n], RuleEdges)]
    for name in apart:
        named = ("edges", *words, "--name", name)
        for part in range(way.parts, 0, -1):
            sonatina(*named, "--part", f"{part}/{way.parts}", threads=way.threads)
        sonatina(*named, "--merge", way.parts, threads=way.threads)
    if not apart:
        sonatina("edges", *words, threads=way.threads)
    for name in sorted(set(run.edges) - set(apart)) if apart else []:
        sonatina("edges", *words, "--name", name, threads=way.threads)
    sonatina("circuit", *words)
    return paths


def compare(model: str, folder: Path, ms: float | None, runs: bool) -> list[tuple[str, ...]]:
    """Rows of the table: what, way, digest, verdict; without ``runs`` the circuit only."""
    resolved = load_model(model, "tiny")
    rows, first = [], None
    for number, way in enumerate(WAYS):
        if number and not any(
            isinstance(e, RuleEdges | TouchEdges) for e in resolved.model.edges.values()
        ):
            if way.parts > 1 or way.small:
                continue  # nothing of this circuit has parts or blocks
        paths = build(folder / str(number), model, resolved, way, ms)
        found = digests(paths, ("network", "components"), (paths.circuit_config, paths.node_sets))
        first = first or found
        rows.append(row(f"{model}: circuit, {len(found)} files", str(way), first, found))
    if not runs:
        return rows
    words = (folder / "0" / f"{model}.yaml", "--out", folder / "0" / "out")
    paths = CircuitPaths(folder / "0" / "out" / resolved.model.name / "tiny")
    if resolved.model.simulation and resolved.model.stimuli:
        sonatina("stimulus", *words)
    for name, run in resolved.model.simulation.items():
        first = None
        counts = RANKS if run.engine != "pointnet" else (1, 2)
        for count in counts:
            shutil.rmtree(paths.simulation(name), ignore_errors=True)
            more = ("--ranks", count) if run.engine != "pointnet" else ()
            sonatina("simulate", *words, "--name", name, *more, threads=2)
            found = digests(paths, (f"sim/{name}",))
            first = first or found
            unit = "rank" if run.engine != "pointnet" else "thread"
            what = f"{model}: run {name}, {', '.join(sorted(Path(f).name for f in found))}"
            rows.append(row(what, f"{count} {unit}{'s' * (count > 1)}", first, found))
    return rows


def row(what: str, way: str, first: dict, found: dict) -> tuple[str, str, str, str]:
    """One row; a difference names the first file that differs."""
    other = sorted(n for n in set(first) | set(found) if first.get(n) != found.get(n))
    verdict = "same" if not other else f"DIFFERENT: {other[0]} and {len(other) - 1} more"
    print(f"{what} | {way} | {verdict}", file=sys.stderr, flush=True)
    return what, way, whole(found)[:16], verdict


def main() -> int:
    """Prints the table; returns 1 where a byte differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(MODELS), choices=[*MODELS, []])
    parser.add_argument("--ms", type=float, help="cut the runs to so many ms")
    parser.add_argument("--no-runs", action="store_true", help="compare circuits only")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="same-bytes-") as scratch:
        for model in options.models:
            folder = Path(scratch) / model
            folder.mkdir()
            rows += compare(model, folder, options.ms, not options.no_runs)
    print("| what | built or run with | SHA-256 | |\n|---|---|---|---|")
    for cells in rows:
        print(f"| {' | '.join(cells)} |")
    return int(any(not cells[3].startswith("same") for cells in rows))


if __name__ == "__main__":
    sys.exit(main())
