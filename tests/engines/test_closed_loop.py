"""The closed loop in NEURON: the same bytes twice and on two ranks, and arrays that stand for the circuit."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("neuron")

from pipeline.body.record import read_record  # noqa: E402
from pipeline.cli import main  # noqa: E402
from pipeline.mpi import run_ranks  # noqa: E402
from pipeline.simulation.stage import compiled_library  # noqa: E402
from pipeline.sonata.layout import CircuitPaths  # noqa: E402
from pipeline.sonata.reports import read_report  # noqa: E402
from pipeline.training.network import build_net, run  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
LOOP = """extends: {root}/models/worm/variants/tiny.yaml
name: loop
set:
  behaviours:
    move:
      duration: 400 ms
      starts: {{count: 2, control: true}}
      drive:
        kind: circuit
        warm_up: 40 ms
        tonic: {{readout: 0.005 nA}}
        readout: {{kind: junctions, table: tables/neuromuscular.csv}}
        proprioception: {{table: tables/proprioception.csv, gain: 0.2 nA}}
      environment:
        medium: 0
        sources: {{food: {{kind: linear_cone, place: [-3 mm, 1 mm]}}}}
        sensing: {{smell: {{}}}}
"""


DAMAGE = """
  training:
    weights: {{kind: correlation, edges: wiring, inputs: sensory, duration: 200 ms, contacts: none.csv,
      target: tables/target_correlation.csv, currents: tables/trained_currents.csv}}
  damage:
    {{edges: wiring, behaviour: move, training: weights, noise: 0.001 nA, seeds: [1],
     changes: {{control: {{}}, nca: {{steps: [{{kind: block, channel: nca, fraction: 1}}]}}}}}}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory, mechanism_cache):
    """The tiny worm with a behaviour, built and simulated."""
    folder = tmp_path_factory.mktemp("loop")
    path = folder / "loop.yaml"
    path.write_text((LOOP + DAMAGE).format(root=ROOT))
    for verb in ("compile", "nodes", "edges", "circuit", "simulate"):
        extra = ["--cache", str(mechanism_cache)] if verb == "compile" else []
        assert main([verb, str(path), "--out", str(folder), *extra]) == 0
    return str(path), str(folder)


@pytest.fixture(scope="module")
def paths(model):
    return CircuitPaths(Path(model[1]) / "worm/loop")


def test_two_ranks_and_two_runs_write_the_same_bytes(model, paths):
    path, folder = model
    written = []
    for ranks in ("1", "2", "1"):
        assert main(["behave", path, "--out", folder, "--ranks", ranks]) == 0
        written.append(paths.behaviour("move").read_bytes())
    assert written[0] == written[1] == written[2]
    record = read_record(paths.behaviour("move"))
    assert record.voltage.shape == (21, 16)
    assert np.isfinite(record.voltage).all() and np.ptp(record.voltage[5:], 0).max() > 0.5
    assert record.activation.max() > 0.05
    assert np.abs(record.positions[-1] - record.positions[0]).max() > 1
    # Neurons begin anew: without senses a worm that is turned goes the same way, turned.
    assert list(record.starts.smelling) == [True, True, False, False]
    there, back = record.starts.head[2:]
    assert np.abs(there[-1] - there[0]).max() > 0.5
    np.testing.assert_allclose(there, -back, atol=1e-3)


def test_flattened_arrays_run_as_the_circuit_does(paths, tmp_path):
    job = {
        "root": str(paths.root), "library": str(compiled_library(paths)), "nodes": "neurons",
        "seed": 1, "discretisation": None, "out": str(tmp_path / "a.npz"),
    }  # fmt: skip
    run_ranks("pipeline.training.flatten", job, 1)
    with np.load(tmp_path / "a.npz") as file:
        arrays = dict(file)
    played = read_report(paths.simulation("noise") / "input_sensory.h5", "neurons")
    recorded = read_report(paths.report("noise", "soma"), "neurons").data
    net = build_net(arrays, 0.5, np.asarray(played.node_ids))
    weights = np.where(arrays["syn_inhibitory"], -1, 1) * arrays["syn_weight"]
    voltage = run(net, weights, arrays["gap_weight"], played.data).voltage[:-1, net.soma]
    error = voltage - recorded
    assert np.ptp(recorded, 0).max() > 20
    # m of slo1 and slo2 follows m_cav at once here; all else is the same.
    assert np.sqrt((error**2).mean()) < 0.1
    assert np.abs(error[-100:]).max() < 0.1


def test_a_drug_acts_in_the_loop(model, paths):
    """As a variant of a few lines, on the circuit of another; and as damage, the same on two ranks."""
    path, folder = model
    if not paths.behaviour("move").is_file():
        assert main(["behave", path, "--out", folder]) == 0
    shutil.copytree(paths.root, Path(folder) / "worm/tiny")
    variant = Path(folder) / "drug.yaml"
    variant.write_text(
        f"extends: {path}\nname: drug\nset:\n  behaviours.move.starts: null\n"
        "  perturb: {of: tiny, steps: [{kind: block, channel: nca, fraction: 1}]}\n"
    )
    for verb in ("perturb", "behave"):
        assert main([verb, str(variant), "--out", folder]) == 0
    drugged = read_record(CircuitPaths(Path(folder) / "worm/drug").behaviour("move"))
    # Its voltages leave those of the same start without the drug.
    untouched = read_record(paths.behaviour("move"))
    assert np.abs(drugged.voltage - untouched.voltage).max() > 1

    written = []
    for ranks in ("1", "2"):
        assert main(["damage", path, "--out", folder, "--name", "nca", "--ranks", ranks]) == 0
        written.append(paths.damage("nca", 1).read_bytes())
    assert written[0] == written[1]
    with np.load(paths.damage("nca", 1)) as file:
        assert len(file["correlations"]) > 5 and len(file["track"]) == 5
