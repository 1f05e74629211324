"""The hybrid V1: summed synapses against NEURON's own, and equal bytes on any number of ranks."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("neuron")

import hybrid_runs as runs  # noqa: E402

from pipeline.cli import main  # noqa: E402
from pipeline.mechanisms import compile_sets  # noqa: E402
from pipeline.simulation.weights import grid_times  # noqa: E402
from pipeline.sonata.layout import CircuitPaths  # noqa: E402
from pipeline.sonata.reports import read_report, read_spikes  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SETS = [ROOT / "mechanisms" / "synapses"]
VARIANT = f"""extends: {ROOT}/models/v1/variants/hybrid_tiny.yaml
name: short
set:
  simulation.evoked.duration: 60 ms
  simulation.evoked.inputs: {{drive: {{kind: poisson, nodes: lgn, rate: 30 Hz}}}}
remove: [simulation.evoked.inputs.lgn, analysis.responses]
"""


@pytest.mark.parametrize(
    "kinetics", [(1.0, 3.0, 0.0), (0.1, 0.5, 0.0), (2.7, 15.0, -70.0), (0.2, 8.0, -85.0)]
)
def test_summed_synapses_equal_the_textbook_synapse_of_neuron(
    own_process, mechanism_cache, kinetics
):
    """The kinetics of the V1 model; two events at once, two in neighbouring steps."""
    library = str(compile_sets(SETS, mechanism_cache).path)
    tau1, tau2, e = kinetics
    traces = [
        own_process(
            "synapse",
            script="hybrid_runs.py",
            library=library,
            mechanism=name,
            tau1=tau1,
            tau2=tau2,
            e=e,
        )
        for name in ("Exp2SynSum", "Exp2Syn")
    ]
    found, expected = map(np.array, traces)
    assert np.ptp(expected) > 0.05
    assert np.abs(found - expected).max() < 1e-9


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The tiny hybrid, built, with Poisson trains for thalamic input."""
    with pytest.MonkeyPatch.context() as patch:
        cache = os.environ.get("SONATINA_CACHE") or str(ROOT / ".cache")
        patch.setenv("SONATINA_CACHE", cache)
        folder = tmp_path_factory.mktemp("hybrid")
        (folder / "short.yaml").write_text(VARIANT)
        words = [str(folder / "short.yaml"), "--out", str(folder / "out")]
        for verb in ("compile", "nodes", "edges", "circuit"):
            assert main([verb, *words]) == 0
        yield words, CircuitPaths(folder / "out" / "v1" / "short")


def test_hybrid_is_the_same_to_the_last_bit_on_any_number_of_ranks(tiny):
    words, paths = tiny
    files = [paths.spikes("evoked"), paths.report("evoked", "soma")]
    digests = []
    for ranks in (1, 2, 3):
        assert main(["simulate", *words, "--ranks", str(ranks)]) == 0
        digests.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    assert digests[0] == digests[1] == digests[2]
    nodes, _ = read_spikes(files[0], "v1")
    whole = read_report(files[1], "v1").node_ids
    assert len(set(nodes) & set(whole)) > 3 and len(set(nodes) - set(whole)) > 3  # both kinds fire


GLIF = {
    "level": 1,
    "C": 0.1,
    "g": 0.005,
    "E_L": -70.0,
    "threshold": -50.0,
    "V_reset": -70.0,
    "t_ref": 3.0,
}
TRIO = """schema: 1
name: trio
seed: 5
mechanisms: [glif, allen, synapses]
nodes:
  c:
    kind: placed
    labels: [cell_class]
    sets: [region]
    types:
      a: {count: 1, region: core, labels: {cell_class: i4P}}
      b: {count: 1, region: core, labels: {cell_class: i2P}}
      g: {count: 1, region: rim, labels: {cell_class: g}}
    regions:
      core: &box {shape: box, x: [0, 50], z: [0, 50], depth: [100, 200]}
      rim: *box
    cell_models:
      core: {kind: biophysical, shapes: morphologies.csv, emodels: emodels}
      rim: {kind: glif, level: 1, table: glif.csv, ports: [{tau: 5.5 ms}]}
  s: {kind: placed, model_type: virtual, types: {s: {count: 1}}}
synapse_models:
  e.json: {receptor_type: 1}
edges:
  outer:
    kind: rules
    source: s
    target: c
    rules:
      - name: whole
        connect: [{law: table, file: drive.csv}]
        synapse: &whole {sections: soma, columns: {model_template: exp2syn, tau1: 1, tau2: 3, erev: 0}}
      - name: point
        connect: [{law: table, file: push.csv}]
        synapse: &point {columns: {model_template: static_synapse, dynamics_params: e.json}}
  inner:
    kind: rules
    source: c
    target: c
    rules:
      - {name: whole, connect: [{law: table, file: onto_whole.csv}], synapse: *whole}
      - {name: point, connect: [{law: table, file: onto_point.csv}], synapse: *point}
simulation:
  run:
    dt: 0.1 ms
    duration: 80 ms
    v_init: -80 mV
    celsius: 34 degC
    spike_threshold: -15 mV
    ranks: 1
    inputs: {drive: {kind: poisson, nodes: s, rate: 150 Hz}}
    record: {soma: {nodes: core, precision: double}}
"""


def test_a_trio_of_both_kinds_equals_the_trio_wired_by_hand(
    tmp_path, monkeypatch, own_process, mechanism_cache
):
    """GLIF onto a morphology, a morphology onto GLIF and onto a morphology; ids 0, 1 and 2."""
    v1, push = ROOT / "models" / "v1", runs.PUSH
    monkeypatch.setenv("SONATINA_CACHE", os.environ.get("SONATINA_CACHE") or str(ROOT / ".cache"))
    shutil.copytree(v1 / "emodels", tmp_path / "emodels")
    shutil.copy(v1 / "tables" / "morphologies.csv", tmp_path)
    head = "source,target,nsyns,weight,delay\n"
    tables = {
        "model.yaml": TRIO,
        "glif.csv": "cell_class,C,g,E_L,threshold,V_reset,t_ref,source\n"
        "g,0.1,0.005,-70,-50,-70,3,assumed\n",
        "drive.csv": f"{head}0,0,3,{runs.DRIVE},1.0\n",
        "push.csv": f"{head}0,2,3,{runs.CURRENT},1.0\n",
        "onto_whole.csv": f"{head}0,1,5,{runs.STRONG},1.5\n2,1,2,{runs.STRONG},0.9\n",
        "onto_point.csv": f"{head}0,2,4,{push},1.2\n",
    }
    for name, text in tables.items():
        (tmp_path / name).write_text(text)
    words = [str(tmp_path / "model.yaml"), "--out", str(tmp_path / "out")]
    for verb in ("compile", "nodes", "edges", "circuit", "simulate"):
        assert main([verb, *words]) == 0
    paths = CircuitPaths(tmp_path / "out" / "trio" / "default")
    _, train = read_spikes(paths.simulation("run") / "input_drive.h5", "s")
    library = json.loads(paths.mechanisms.read_text())["library"]
    by_hand = own_process(
        "trio", script="hybrid_runs.py", library=library, model=str(v1), dt=0.1, glif=GLIF,
        train=grid_times(train, 0.1).tolist(),
    )  # fmt: skip
    nodes, times = read_spikes(paths.spikes("run"), "c")
    for node, expected in enumerate(by_hand["spikes"]):
        assert len(expected) > 0
        np.testing.assert_allclose(np.sort(times[nodes == node]), expected, atol=1e-6)
    found = read_report(paths.report("run", "soma"), "c").data
    expected = np.array(by_hand["traces"]).T[: len(found)]
    assert np.abs(found - expected).max() < 1e-6


COMPONENTS = ROOT.parent / "shared/data/billeh-v1/components"
OWN = f"""extends: {ROOT}/models/v1/variants/hybrid_tiny.yaml
name: own
set:
  nodes.v1.cell_models.core.by: cell_type
  nodes.v1.cell_models.core: {{{{folder: {{folder}}, models: {{folder}}/models.csv}}}}
  simulation.evoked.duration: 60 ms
  simulation.evoked.inputs: {{{{drive: {{{{kind: poisson, nodes: lgn, rate: 30 Hz}}}}}}}}
remove: [simulation.evoked.inputs.lgn, analysis.responses]
"""


@pytest.mark.skipif(
    not COMPONENTS.is_dir(), reason="Allen's fits and reconstructions (not shipped) are not here"
)
def test_a_folder_of_allen_files_takes_the_place_of_the_stand_ins(tmp_path, monkeypatch):
    """All 21 populations, the reconstructions that the data folder has of each."""
    monkeypatch.setenv("SONATINA_CACHE", os.environ.get("SONATINA_CACHE") or str(ROOT / ".cache"))
    folder = tmp_path / "cells"
    folder.mkdir()
    with open(COMPONENTS / "bio_models_prop.csv", newline="") as handle:
        depth = {r["model_id"]: r["pia_distance"] for r in csv.DictReader(handle, delimiter=" ")}
    with open(COMPONENTS / "morphology_index.csv", newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if r["node_type_id"] in depth]
    # The fixture has none of layer 6; the release uses the cells of layer 5 there.
    rows += [r | {"pop": "i6Htr3a"} for r in rows if r["pop"] == "i5Htr3a"]
    lines = ["name,cell_type,fit,morphology,depth,rotation_angle_zaxis"]
    for row in rows:
        name, fit = f"{row['pop']}_{row['node_type_id']}", row["dynamics_params"]
        for file, home in (
            (row["morphology"], "morphologies"),
            (fit, "biophysical_neuron_templates"),
        ):
            if not (folder / file).exists():
                shutil.copy(COMPONENTS / home / file, folder / file)
        numbers = f"{depth[row['node_type_id']]},{row['rotation_angle_zaxis']}"
        lines.append(f"{name},{row['pop']},{fit},{row['morphology']},{numbers}")
    (folder / "models.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "own.yaml").write_text(OWN.format(folder=folder))
    words = [str(tmp_path / "own.yaml"), "--out", str(tmp_path / "out")]
    for verb in ("compile", "nodes", "edges", "circuit", "simulate"):
        assert main([verb, *words]) == 0
    paths = CircuitPaths(tmp_path / "out" / "v1" / "own")
    data = read_report(paths.report("evoked", "soma"), "v1").data
    assert data.shape[1] == 69 and np.isfinite(data).all()
    assert -110 < data.min() < -60 and len(list(paths.morphologies.glob("*"))) > 15
