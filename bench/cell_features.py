"""Electrical features of single cells by simulation: of fit files on disk, or of the shipped e-models.

python bench/cell_features.py allen FOLDER out.csv     # a folder with components of the V1 release
python bench/cell_features.py shipped models/v1 out.csv
"""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path

import numpy as np

from pipeline import mechanisms
from pipeline.cells.description import CellDescription
from pipeline.errors import PipelineError

LEVELS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
"""nA. Steps of 500 ms after 200 ms of rest."""

DT, ONSET, STEP, PROBE = 0.05, 200.0, 500.0, -0.02


def features(cell: CellDescription, levels: tuple[float, ...] = LEVELS) -> dict[str, float]:
    """Returns rest (mV), rin (Mohm), tau (ms), rheobase (nA), slope (Hz/nA) and rates (Hz).

    Rest is the voltage 200 ms after the start; rin and tau come from a step of -20 pA (tau: 63 % of
    the way); rheobase is the first level with a spike, or infinity; slope is the least-squares slope
    of rate against current from the level before it to the level of the highest rate.
    """
    from neuron import h

    from pipeline.cells.biophysical import build_cell

    h.load_file("stdrun.hoc")
    built = build_cell(cell, "c")
    soma = built.soma[0]
    clamp = h.IClamp(soma(0.5))
    clamp.delay, clamp.dur = ONSET, STEP
    voltage = h.Vector().record(soma(0.5)._ref_v)
    counter = h.APCount(soma(0.5))
    counter.thresh = -15
    conditions = cell.emodel.conditions
    h.celsius, h.dt, h.steps_per_ms = conditions.celsius, DT, 1 / DT

    def run(level):
        clamp.amp = level
        h.finitialize(conditions.v_init)
        h.continuerun(ONSET + STEP)
        return counter.n / STEP * 1000, np.array(voltage)

    _, trace = run(PROBE)
    at = round(ONSET / DT)
    rest, end = trace[at - 1], trace[-200:].mean()
    way = (trace[at:] - rest) / (end - rest)
    rates = [run(level)[0] for level in levels]
    firing = [k for k, rate in enumerate(rates) if rate > 0]
    slope = np.nan
    rising = slice(max(firing[0] - 1, 0), int(np.argmax(rates)) + 1) if firing else slice(0)
    if len(levels[rising]) > 1:  # above the peak lies depolarisation block
        slope = np.polyfit(levels[rising], rates[rising], 1)[0]
    return {
        "rest": rest,
        "rin": (end - rest) / PROBE,
        "tau": DT * np.argmax(way > 1 - np.exp(-1)),
        "rheobase": levels[firing[0]] if firing else np.inf,
        "slope": slope,
    } | {f"rate_{level:g}": rate for level, rate in zip(levels, rates, strict=True)}


def _allen(folder: Path):
    from pipeline.cells.allen import read_cell

    with open(folder / "morphology_index.csv", newline="") as handle:
        for row in csv.DictReader(handle):
            fit = folder / "biophysical_neuron_templates" / row["dynamics_params"]
            yield row["pop"], read_cell(fit, folder / "morphologies" / row["morphology"])


def _shipped(folder: Path):
    from pipeline.cells.library import cell_classes, class_cell

    with tempfile.TemporaryDirectory() as shapes:
        for name in cell_classes(folder):
            yield name, class_cell(folder, name, shapes)


def main(kind: str, folder: str, out: str) -> None:
    """Writes one row per cell."""
    library = mechanisms.compile_sets(
        [mechanisms.find_set("allen", ["mechanisms"])], ".cache/bench"
    )
    mechanisms.load(library)
    rows = []
    for name, cell in {"allen": _allen, "shipped": _shipped}[kind](Path(folder)):
        try:
            found = features(cell)
        except PipelineError as error:
            sys.stderr.write(f"{name}: {error}\n")
            continue
        rows.append({"cell": name} | {k: f"{v:.4g}" for k, v in found.items()})
        with open(out, "w", newline="") as handle:
            writer = csv.DictWriter(handle, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main(*sys.argv[1:4])
