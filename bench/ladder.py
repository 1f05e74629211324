"""The column's 50 cells at L3, L2 and L1: one stand-in e-model on every shape, the table of levels.

``python bench/ladder.py [--ms 300] [--dt 0.1] [--hh soma|all] [--folder FOLDER]``: builds `column` `tiny`,
gives all cells one stand-in in place of its e-models, `hh` in the soma or in
all sections, drives them by a current, runs the levels on BioNet and L2 on PointNet as well, and prints what
``analyse`` finds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

from pipeline.cells.description import stored_cell
from pipeline.cli import main
from pipeline.config.emodel import read_emodel
from pipeline.config.schema import OddLength
from pipeline.runtime import write_json
from pipeline.sonata.configs import write_types
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_types

ROOT = Path(__file__).resolve().parents[1]
EMODEL = """schema: 1
name: hh
source: Hodgkin and Huxley 1952, as NEURON has it; a stand-in
passive: {all: {Ra: 100, cm: 1, g_pas: 3e-5, e_pas: -65}}
mechanisms: {%s: {hh: {gnabar: 0.12, gkbar: 0.036, gl: 0.0003, el: -54.3}}}
"""


def write_variant(folder: Path, ms: float, dt: float, current: float) -> Path:
    """Writes the variant; returns its file."""
    run = {
        "dt": f"{dt} ms", "duration": f"{ms} ms", "v_init": "-65 mV", "celsius": "6.3 degC", "ranks": 1,
        "inputs": {"push": {"kind": "constant", "nodes": "cells", "amplitude": f"{current} nA"}},
    }  # fmt: skip
    runs = {
        "whole": run, "typed": run | {"level": "L2"}, "alike": run | {"level": "L1"},
        "nest": run | {"level": "L2", "engine": "pointnet"},
    }  # fmt: skip
    text = {
        "extends": str(ROOT / "models/column/variants/tiny.yaml"), "name": "ladder",
        "set": {"simulation": runs, "report.fits": [], "mechanisms": ["cortex", "release", "glif"]},
        "remove": ["analysis.touches", "analysis.network", "generalise", "simulation.short"],
    }  # fmt: skip
    path = folder / "ladder.yaml"
    path.write_text(yaml.safe_dump(text, sort_keys=False))
    return path


def stand_in(paths: CircuitPaths, folder: Path, where: str) -> None:
    """Gives every cell of the circuit the stand-in, with `hh` in some sections."""
    file = folder / "hh.yaml"
    file.write_text(EMODEL % where)
    described = stored_cell(read_emodel(file)[0], OddLength(rule="odd_length"), "stub")
    write_json(paths.emodels / "hh.json", described)
    types = read_types(paths.node_types("cells")).reset_index()
    types = types.assign(dynamics_params="hh.json").drop(columns="source", errors="ignore")
    write_types(paths.node_types("cells"), types.to_dict("records"))


def run(folder: Path, ms: float, dt: float, current: float, where: str) -> pd.DataFrame:
    """Builds and runs; returns the table ``levels``."""
    words = [str(write_variant(folder, ms, dt, current)), "--out", str(folder / "out")]
    paths = CircuitPaths(folder / "out" / "column" / "ladder")
    for verb in ("compile", "morphologies", "nodes", "edges", "circuit"):
        if verb != "compile" and paths.circuit_config.is_file():
            continue
        if main([verb, *words]):
            raise SystemExit(f"{verb} failed")
    stand_in(paths, folder, where)
    for name in ("whole", "typed", "alike", "nest"):
        began = time.perf_counter()
        if main(["simulate", *words, "--name", name]):
            raise SystemExit(f"{name} failed")
        print(f"{name}: {time.perf_counter() - began:.0f} s with its probes", flush=True)
    if main(["analyse", *words]):
        raise SystemExit("analyse failed")
    return pd.read_csv(paths.analysis("levels"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--ms", type=float, default=300.0)
    parser.add_argument("--dt", type=float, default=0.1)
    parser.add_argument("--current", type=float, default=0.3, help="nA into every soma")
    parser.add_argument("--hh", default="soma", help="sections with hh: soma, or all")
    parser.add_argument("--folder", type=Path, help="kept; default a temporary one")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = (chosen.folder or Path(place)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        found = run(folder, chosen.ms, chosen.dt, chosen.current, chosen.hh)
        print(found.to_string(index=False))
