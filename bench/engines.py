"""The equality matrix: circuits by engines by ranks by cell permutation, against ``bionet`` on one rank.

``python bench/engines.py [release] [exp2syn] [worm] [v1] [column] [--ranks 1 2 3] [--folder FOLDER]``:
builds each circuit, runs every engine that can and prints what ``analyse`` finds, in Markdown: spikes,
largest difference of a spike time (ms) and of a voltage (mV, all somata, every step), verdict. `worm`, `v1` and
`column` are the shipped variants `engines`, which `sonatina run` does as well; the e-models of the column are
judged first, which takes long unless it is cached. Engines that are missing or refuse are named.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from pathlib import Path

import pandas as pd
import yaml

from pipeline.cli import main
from pipeline.config.load import load_model
from pipeline.sonata.layout import CircuitPaths

ROOT = Path(__file__).resolve().parents[1]
SAID = {
    "release": "3 cells `hh`, 28 synapses with release, 150 ms",
    "exp2syn": "24 cells `hh` in the soma, 445 pairs of `exp2syn`, 300 ms",
    "worm": "`worm` `tiny`, graded synapses and gap junctions, 200 ms",
    "v1": "`v1` `tiny`, 300 GLIF cells, 300 ms",
    "column": "`column` `tiny` with e-models, 25 ms",
}
VERBS = {
    "v1": ("compile", "nodes", "edges", "circuit"),
    "column": ("compile", "morphologies", "generalise", "nodes", "edges", "circuit"),
}


def write_model(circuit: str, folder: Path, ranks: list[int]) -> tuple[list[str], list[str]]:
    """Writes a small circuit's model with its runs; returns words that name it, and the runs."""
    if circuit in ("worm", "v1", "column"):
        words = [circuit, "engines"]
        return words, [name for name in load_model(*words).model.simulation if "-" in name]
    sys.path.insert(0, str(ROOT / "tests" / "data"))
    if circuit == "release":
        import release_model as made
    else:
        import ladder_model as made
    path = made.make_model(folder / "model")
    config = yaml.safe_load(path.read_text())
    config["simulation"] = {"run": config["simulation"]["run"]}
    cores = {"coreneuron": True}
    sweeps = {
        "engine": {"axes": {"engine": ["bionet", "netpyne", "neurodamus"], "ranks": ranks}},
        "core": {"set": cores, "axes": {"cell_permute": [0, 1], "ranks": ranks}},
        "core_neurodamus": {
            "set": cores | {"engine": "neurodamus"}, "axes": {"cell_permute": [0, 1], "ranks": ranks},
        },
    }  # fmt: skip
    config["sweeps"] = {name: {"simulation": "run"} | sweep for name, sweep in sweeps.items()}
    path.write_text(yaml.safe_dump(config))
    return [str(path)], [name for name in load_model(str(path)).model.simulation if "-" in name]


def table(circuit: str, ranks: list[int], folder: Path) -> None:
    """Prints the rows of a circuit."""
    words, runs = write_model(circuit, folder, ranks)
    resolved = load_model(*words)
    model = resolved.model
    paths = CircuitPaths(folder / "out" / model.name / (model.variant or "default"))
    words += ["--out", str(folder / "out")]
    with contextlib.redirect_stdout(io.StringIO()):
        for verb in VERBS.get(circuit, ("compile", "nodes", "edges", "circuit")):
            if main([verb, *words]):
                raise SystemExit(f"{circuit}: {verb} failed")
        if circuit == "release":
            import release_model

            release_model.write_synapses(paths)
        refused: dict[str, str] = {}
        for name in runs:
            engine, number = model.simulation[name].engine, model.simulation[name].ranks
            if engine in refused:
                continue
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                code = main(["simulate", *words, "--name", name, "--ranks", str(number)])
            if code:
                refused[engine] = said.getvalue().strip().splitlines()[-1]
        if main(["analyse", *words]):
            raise SystemExit(f"{circuit}: analyse failed")
    for row in pd.read_csv(paths.analysis("engines")).fillna("").itertuples():
        shown = row.cell_permute if row.coreneuron else ""
        engine = f"{row.engine} on CoreNEURON" if row.coreneuron else row.engine
        cells = (
            SAID[circuit],
            engine,
            row.ranks,
            shown,
            row.spikes,
            row.time,
            row.voltage,
            row.verdict,
        )
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    for engine, message in refused.items():
        print(f"| {SAID[circuit]} | {engine} | | | refused: {message} | | | |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("circuits", nargs="*", default=["release", "exp2syn", "worm", "v1"])
    parser.add_argument("--ranks", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--folder", type=Path, help="kept; default a temporary one")
    chosen = parser.parse_args()
    print("| circuit | engine | ranks | permutation | spikes | time, ms | voltage, mV | verdict |")
    print("|---|---|---|---|---|---|---|---|")
    for which in chosen.circuits:
        with tempfile.TemporaryDirectory() as place:
            table(which, chosen.ranks, (chosen.folder or Path(place)).resolve() / which)
