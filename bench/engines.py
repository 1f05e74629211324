"""The equality matrix: circuits by engines by ranks by cell permutation, against ``bionet`` on one rank.

``python bench/engines.py [release] [exp2syn] [worm] [--ranks 1 2 3]``: builds each circuit in a temporary
folder, runs every engine that can, prints a table in Markdown: number of spikes, largest difference of
a spike time (ms; equal numbers per cell only), largest difference of a voltage (mV, all somata, every step).
Engines that are not installed are named.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

from pipeline.cli import main
from pipeline.config.load import load_model
from pipeline.errors import PipelineError
from pipeline.mpi import run_ranks
from pipeline.simulation.engines import engines
from pipeline.simulation.plan import read_plan, write_plan
from pipeline.simulation.stage import compiled_library
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.reports import read_report, read_spikes
from pipeline.worker import serve

ROOT = Path(__file__).resolve().parents[1]
SAID = {
    "release": "3 cells `hh`, 28 synapses with release, 150 ms",
    "exp2syn": "24 cells `hh` in the soma, 445 pairs of `exp2syn`, 300 ms",
    "worm": "`worm` `tiny`, graded synapses and gap junctions, 200 ms",
}
ENGINES = {
    "bionet": {}, "netpyne": {"engine": "netpyne"}, "neurodamus": {"engine": "neurodamus"},
    "core": {"coreneuron": True}, "core_neurodamus": {"engine": "neurodamus", "coreneuron": True},
}  # fmt: skip


def work(job: dict) -> dict[str, float]:
    """One run on this rank, with CoreNEURON's permutation as the job says."""
    from neuron import coreneuron

    from pipeline.simulation.worker import simulate

    coreneuron.cell_permute = job["permute"]
    return simulate(job)


def write_model(circuit: str, folder: Path) -> tuple[Path, str, str]:
    """Writes the model of a circuit; returns its file, its run and its soma report."""
    sys.path.insert(0, str(ROOT / "tests" / "data"))
    if circuit == "worm":
        path = folder / "tiny.yaml"
        sets = {f"simulation.noise.record.soma.{key}": value
                for key, value in (("precision", "double"), ("sections", "soma"))}  # fmt: skip
        sets["simulation.noise.coreneuron"] = True  # so that it is compiled for both
        variant = {"extends": str(ROOT / "models/worm/variants/tiny.yaml"), "name": "matrix"}
        path.write_text(yaml.safe_dump(variant | {"set": sets}))
        return path, "noise", "soma"
    if circuit == "release":
        import release_model as made
    else:
        import ladder_model as made
    return made.make_model(folder / "model"), "run", "soma"


def build(circuit: str, folder: Path) -> tuple[CircuitPaths, Path, str, str]:
    """Builds a circuit with runs for all engines."""
    path, run, report = write_model(circuit, folder)
    if circuit != "worm":
        config = yaml.safe_load(path.read_text())
        base = config["simulation"][run]
        able = [name for name in ENGINES if circuit == "release" or "neurodamus" not in name]
        config["simulation"] = {run: base} | {name: base | ENGINES[name] for name in able}
        path.write_text(yaml.safe_dump(config))
    resolved = load_model(str(path))
    words = [str(path), "--out", str(folder / "out")]
    with contextlib.redirect_stdout(io.StringIO()):
        for verb in ("compile", "nodes", "edges", "circuit"):
            if main([verb, *words]):
                raise SystemExit(f"{circuit}: {verb} failed")
    model = resolved.model
    paths = CircuitPaths(folder / "out" / model.name / (model.variant or "default"))
    if circuit == "release":
        import release_model

        release_model.write_synapses(paths)
    return paths, path, run, report


def one(paths: CircuitPaths, path: Path, run: str, name: str, ranks: int, permute: int) -> None:
    """Runs one cell of the table."""
    resolved = load_model(str(path))
    if name not in resolved.model.simulation:  # the worm's variant has one run; others are copies
        settings = resolved.model.simulation[run].model_copy(
            update={"coreneuron": False} | ENGINES[name]
        )
        resolved.model.simulation[name] = settings
    write_plan(resolved, name, paths)
    library = compiled_library(paths, needed=True)
    plan = read_plan(paths, name, library)
    engine = engines()[plan.config["engine"]]
    if problems := engine.module.check(plan):
        raise PipelineError(problems)
    if hasattr(engine.module, "prepare"):
        engine.module.prepare(plan)
    job = {"root": str(paths.root), "simulation": name, "library": str(library), "saving": None}
    run_ranks("bench.engines", job | {"permute": permute}, ranks)


def difference(paths: CircuitPaths, name: str, report: str, kept: tuple) -> tuple:
    """Spikes, largest difference of times and of voltages against what was kept."""
    found = state(paths, name, report)
    times = np.nan
    if len(found[0]) == len(kept[0]):
        orders = [np.lexsort((s[1], s[0])) for s in (found, kept)]
        pairs = zip(found[:2], kept[:2], strict=True)
        nodes, times = (np.abs(a[orders[0]] - b[orders[1]]) for a, b in pairs)
        times = (float(times.max()) if not nodes.any() else np.nan) if len(times) else 0.0
    return len(found[0]), times, float(np.abs(found[2] - kept[2]).max())


def state(paths: CircuitPaths, name: str, report: str) -> tuple:
    """Nodes and times of all spikes, and voltages [frames, cells]."""
    import h5py

    with h5py.File(paths.report(name, report)) as handle:
        population = next(iter(handle["report"]))
    spikes = read_spikes(paths.spikes(name), population)
    return (
        *(np.asarray(s) for s in spikes),
        read_report(paths.report(name, report), population).data,
    )


def table(circuit: str, ranks: list[int], names: list[str], folder: Path) -> None:
    """Prints the rows of a circuit."""
    paths, path, run, report = build(circuit, folder)
    one(paths, path, run, "bionet", 1, 0)
    kept = state(paths, "bionet", report)
    for name in names:
        for number in ranks:
            for permute in (0, 1) if "core" in name else (0,):
                try:
                    one(paths, path, run, name, number, permute)
                except PipelineError as error:
                    print(
                        f"| {SAID[circuit]} | {name} | {number} | | {error.problems[0].message} | | |"
                    )
                    break
                count, times, volts = difference(paths, name, report, kept)
                shown = str(permute) if "core" in name else ""
                cells = (SAID[circuit], name, number, shown, count, f"{times:.2g}", f"{volts:.2g}")
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].endswith("job.json"):
        serve(sys.argv[1], work)
        raise SystemExit
    parser = argparse.ArgumentParser()
    parser.add_argument("circuits", nargs="*", default=list(SAID))
    parser.add_argument("--only", nargs="*", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--ranks", type=int, nargs="*", default=[1, 2, 3])
    chosen = parser.parse_args()
    print("| circuit | engine | ranks | permutation | spikes | time, ms | voltage, mV |")
    print("|---|---|---|---|---|---|---|")
    for which in chosen.circuits:
        with tempfile.TemporaryDirectory() as place:
            table(which, chosen.ranks, chosen.only, Path(place))
