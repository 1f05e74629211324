"""Cells of the perisomatic tests: ``python allen_cells.py FUNCTION FOLDER``; JSON in and out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from pipeline import mechanisms

DELAY, STEP = 60.0, 150.0


def _load(sets, cache):
    mechanisms.load(mechanisms.compile_sets(sets, cache, coreneuron=True))
    from neuron import h

    h.load_file("stdrun.hoc")
    return h


def _measure(h, sections, soma, conditions, levels):
    h.celsius, h.dt, h.steps_per_ms = conditions["celsius"], 0.025, 40
    clamp = h.IClamp(soma(0.5))
    clamp.delay, clamp.dur = DELAY, STEP
    voltage, spikes = h.Vector().record(soma(0.5)._ref_v), h.Vector()
    detector = h.NetCon(soma(0.5)._ref_v, None, sec=soma)
    detector.threshold = -15
    detector.record(spikes)
    runs = []
    for level in levels:
        clamp.amp = level
        h.finitialize(conditions["v_init"])
        h.continuerun(DELAY + STEP)
        trace = np.array(voltage)
        change = trace[-100:].mean() - trace[round(DELAY / 0.025) - 1]
        runs.append({"spikes": list(spikes), "rin": change / level, "end": trace[-1]})
    return {
        "sections": len(sections),
        "segments": sum(s.nseg for s in sections),
        "area": sum(seg.area() for s in sections for seg in s),
        "runs": runs,
    }


def theirs(sets, cache, pairs, levels):
    """Cells as BMTK builds them: its hoc template and its aibs_perisomatic."""
    h = _load(sets, cache)
    h.load_file("import3d.hoc")
    import bmtk

    template = "simulator/bionet/default_templates/Biophys1.hoc"
    h.load_file(str(Path(bmtk.__file__).parent / template))
    from bmtk.simulator.bionet.default_setters.cell_models import aibs_perisomatic

    results = []
    for fit, swc in pairs:
        parameters = json.loads(Path(fit).read_text())
        cell = h.Biophys1(swc)
        aibs_perisomatic(cell, None, parameters)
        for section in cell.all:
            section.nseg = 1 + 2 * int(section.L / 40)
        conditions = parameters["conditions"][0]
        results.append(_measure(h, list(cell.all), cell.soma[0], conditions, levels))
        del cell
    return results


def ours(sets, cache, pairs, levels):
    """The same cells by this project's reader and builder."""
    from pipeline.cells.allen import read_cell
    from pipeline.cells.biophysical import build_cell

    h, results = _load(sets, cache), []
    for fit, swc in pairs:
        cell = read_cell(fit, swc)
        built = build_cell(cell, "cell")
        conditions = cell.emodel.conditions.model_dump()
        results.append(_measure(h, built.all, built.soma[0], conditions, levels))
    return results


def segment_choice(sets, cache, swc, labels, distances, dl):
    """BMTK's choice of segments: section type, distance, area and probability of each."""
    h = _load(sets, cache)
    h.load_file("import3d.hoc")
    import bmtk

    template = "simulator/bionet/default_templates/Biophys1.hoc"
    h.load_file(str(Path(bmtk.__file__).parent / template))
    from bmtk.simulator.bionet.default_setters.cell_models import fix_axon_peri
    from bmtk.simulator.bionet.morphology import Morphology

    cell = h.Biophys1(swc)
    fix_axon_peri(cell)
    shape = Morphology(hobj=cell)
    shape.set_segment_dl(dl)
    index, probability = shape.find_sections(labels, distances)
    properties = shape.seg_props
    # Its own areas are those of the section that happens to be accessed (h.area without a section).
    area = np.array([segment.area() for section in cell.all for segment in section])
    return {
        "kind": properties.type[index].tolist(),
        "distance": properties.dist[index].tolist(),
        "area": area[index].tolist(),
        "probability": probability.tolist(),
    }


def shipped(sets, cache, model, shapes, level):
    """Rest, drift and spikes of every shipped class."""
    from pipeline.cells.biophysical import build_cell
    from pipeline.cells.library import cell_classes, class_cell

    h, found = _load(sets, cache), {}
    for name in cell_classes(model):
        cell = class_cell(model, name, shapes)
        built = build_cell(cell, "cell")
        conditions = cell.emodel.conditions.model_dump()
        quiet, driven = _measure(h, built.all, built.soma[0], conditions, [1e-9, level])["runs"]
        found[name] = {
            "rest": quiet["end"],
            "drift": quiet["rin"] * 1e-9,
            "idle": len(quiet["spikes"]),
            "spikes": len(driven["spikes"]),
        }
    return found


def one_cell(sets, cache, fit, coreneuron):
    """Spikes of a fit's soma and stub under a step, by either engine."""
    h = _load(sets, cache)
    from neuron import coreneuron as switch

    from pipeline.cells.allen import read_fit
    from pipeline.cells.biophysical import build_cell
    from pipeline.cells.description import CellDescription
    from pipeline.cells.morphology import SOMA, Morphology, Section, with_axon
    from pipeline.config.schema import OddLength

    emodel = read_fit(fit)
    soma = Section(SOMA, -1, np.array([[0.0, -15, 0], [0, 15, 0]]), np.array([30.0, 30.0]))
    shape = with_axon(Morphology("ball", (soma,)), "stub")
    cell = CellDescription(shape, emodel, OddLength(rule="odd_length"))
    built = build_cell(cell, "cell")
    clamp = h.IClamp(built.soma[0](0.5))
    clamp.delay, clamp.dur, clamp.amp = 5, 200, 0.4
    parallel, times, ids = h.ParallelContext(), h.Vector(), h.Vector()
    parallel.set_gid2node(1, 0)
    detector = h.NetCon(built.soma[0](0.5)._ref_v, None, sec=built.soma[0])
    detector.threshold = -15
    parallel.cell(1, detector)
    parallel.spike_record(-1, times, ids)
    h.celsius, h.dt = emodel.conditions.celsius, 0.025
    h.cvode.cache_efficient(1)
    switch.enable, switch.verbose = coreneuron, 0
    parallel.set_maxstep(10)
    h.finitialize(emodel.conditions.v_init)
    parallel.psolve(200)
    return list(times)


if __name__ == "__main__":
    function, folder = sys.argv[1], Path(sys.argv[2])
    arguments = json.loads((folder / "in.json").read_text())
    (folder / "out.json").write_text(json.dumps(globals()[function](**arguments)))
