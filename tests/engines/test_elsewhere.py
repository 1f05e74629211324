"""Configs made elsewhere give what BMTK gives, on any number of ranks, and leave other files alone.

Examples of BMTK, of the SONATA specification and of neurodamus are not part of this project: a folder with
their checkouts' folders as ``bmtk``, ``sonata`` and ``neurodamus`` (its ``tests``) is named by
SONATINA_EXAMPLES, else those tests skip.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = str(Path(__file__).with_name("elsewhere_runs.py"))
EXAMPLES = os.environ.get("SONATINA_EXAMPLES", "")
needs_nest = pytest.mark.skipif(importlib.util.find_spec("nest") is None, reason="no NEST here")


def call(*words, code: int = 0) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SONATINA_CACHE": str(ROOT / ".cache")}
    environment.pop("OMP_NUM_THREADS", None)
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, timeout=900,
        env=environment, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr


def content(path: Path) -> dict[str, np.ndarray]:
    """All datasets of a file."""
    found = {}
    with h5py.File(path) as handle:
        handle.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


def assert_same(ours: Path, theirs: Path, *, spikes: bool = False) -> None:
    """Same datasets, same values; spikes of one time may stand in another order."""
    one, other = content(ours), content(theirs)
    assert set(one) == set(other) != set()
    if spikes:
        (times,) = (name for name in one if name.endswith("timestamps"))
        (nodes,) = (name for name in one if name.endswith("node_ids"))
        for values in (one, other):
            order = np.lexsort((values[nodes], values[times]))
            values[times], values[nodes] = values[times][order], values[nodes][order]
    for name in one:
        assert np.array_equal(one[name], other[name]), name


@pytest.fixture(scope="module")
def ball(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ball")
    call(SCRIPT, "make", folder, "NEURON")
    call(SCRIPT, "plain", folder / "simulation_config.json", "bionet")
    return folder


@pytest.mark.parametrize("ranks", [1, 2])
def test_bionet_gives_what_bmtk_gives(ball, tmp_path, ranks):
    config = ball / "simulation_config.json"
    (tmp_path / "spikes.h5").write_text("of an earlier run")
    (tmp_path / "notes.txt").write_text("mine")
    call("-m", "pipeline", "simulate", config, "--out", tmp_path, "--ranks", ranks)
    spikes = content(tmp_path / "spikes.h5")
    assert len(spikes["spikes/cells/timestamps"]) > 20
    assert len(set(spikes["spikes/cells/node_ids"])) > 3, "the synapses must matter"
    assert_same(tmp_path / "spikes.h5", ball / "output" / "spikes.h5", spikes=True)
    assert_same(tmp_path / "membrane.h5", ball / "output" / "membrane.h5")
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {
        "spikes.h5", "spikes.csv", "membrane.h5", "log.txt", "notes.txt",
    }  # fmt: skip


def test_what_cannot_be_expressed_is_named_before_anything_runs(ball, tmp_path):
    config = json.loads((ball / "simulation_config.json").read_text())
    config["run"]["tsotp"] = 1
    config["inputs"]["off"]["enabled"] = True
    config["reports"]["membrane"]["start"] = 3
    config["conditions"]["extracellular_calcium"] = 2.0
    (ball / "other.json").write_text(json.dumps(config))
    said = call("-m", "pipeline", "simulate", ball / "other.json", "--out", tmp_path / "o", code=2)
    where = f"error: {ball / 'other.json'}  "
    assert said.splitlines() == [
        f"{where}run.tsotp: is not supported (did you mean tstop?)",
        f"{where}conditions.extracellular_calcium: is not supported"
        " (remove it, or use another engine)",
        f"{where}inputs.off: module 'made_up' is not supported (known modules: IClamp, SEClamp,"
        " comsol, csv, h5, nwb, replay, sonata, syn_activity, xstim)",
        f"{where}reports.membrane.start: is not supported (did you mean start_time?)",
    ]
    assert not (tmp_path / "o").exists()


@needs_nest
def test_pointnet_gives_what_bmtk_gives(tmp_path):
    call(SCRIPT, "make", tmp_path / "c", "NEST")
    config = tmp_path / "c" / "simulation_config.json"
    call(SCRIPT, "plain", config, "pointnet")
    call("-m", "pipeline", "simulate", config, "--out", tmp_path / "o")
    assert len(content(tmp_path / "o" / "spikes.h5")["spikes/cells/timestamps"]) > 5
    assert_same(tmp_path / "o/spikes.h5", tmp_path / "c/output/spikes.h5", spikes=True)
    assert_same(tmp_path / "o/membrane.h5", tmp_path / "c/output/membrane.h5")


@pytest.mark.parametrize(
    ("config", "engine", "tstop"),
    [
        ("bmtk/bio_14cells/config.simulation.json", "bionet", 200.0),
        ("sonata/300_intfire/config.json", "bionet", 200.0),
        ("sonata/300_pointneurons/simulation_config.json", "pointnet", 200.0),
        ("bmtk/point_120cells/config.simulation_iclamp.json", "pointnet", 200.0),
    ],
)
def test_examples_give_what_bmtk_gives(tmp_path, config, engine, tstop):
    if not (Path(EXAMPLES or "/nonexistent") / config).is_file():
        pytest.skip(f"SONATINA_EXAMPLES names no folder with {config}")
    shutil.copytree(EXAMPLES, tmp_path / "e", symlinks=True)
    path = tmp_path / "e" / config
    for file in path.parent.glob("*.json"):  # unchanged, but for a shorter run
        text = json.loads(file.read_text())
        if "run" in text:
            text["run"]["tstop"] = tstop
            file.write_text(json.dumps(text))
    ours = tmp_path / "o"
    call("-m", "pipeline", "simulate", path, "--out", ours)
    for folder in (tmp_path / "e").glob("*/*/mechanisms"):  # where plain BMTK looks for them
        cached = sorted(
            (ROOT / ".cache" / "mechanisms").glob("*/manifest.json"), key=os.path.getmtime
        )
        built = next(
            (m.parent for m in reversed(cached) if (m.parent / "mods" / "vecevent.mod").exists()),
            None,
        )
        if built and not (folder / "x86_64").exists():
            (folder / "x86_64").symlink_to(built / "x86_64")
    call(SCRIPT, "plain", path, engine)
    theirs = path.parent / "output"
    assert_same(ours / "spikes.h5", theirs / "spikes.h5", spikes=True)
    for made in ours.glob("*.h5"):
        if made.name != "spikes.h5":
            assert_same(made, theirs / made.name)


NEURODAMUS = Path(EXAMPLES or "/nonexistent") / "neurodamus"


@pytest.mark.skipif(
    importlib.util.find_spec("neurodamus") is None or not NEURODAMUS.is_dir(),
    reason="no neurodamus, or SONATINA_EXAMPLES names no folder with neurodamus",
)
@pytest.mark.parametrize("ranks", [1, 2])
def test_neurodamus_own_circuit_gives_its_own_report(tmp_path, ranks):
    """Five cells with e-models, noise, minis; the report that neurodamus keeps with its tests."""
    shutil.copytree(NEURODAMUS / "simulations" / "v5_sonata", tmp_path / "c")
    config, out = tmp_path / "c" / "simulation_config_mini.json", tmp_path / "o"
    text = json.loads(config.read_text())
    # Its reference was made with this input in place of the config's own.
    pulse = {
        "module": "pulse",
        "input_type": "current_clamp",
        "amp_start": 3,
        "width": 10,
        "frequency": 50,
    }
    pulse |= {
        "represents_physical_electrode": True,
        "delay": 0,
        "duration": 50,
        "node_set": "Mini5",
    }
    config.write_text(json.dumps(text | {"inputs": {"Stimulus": pulse}}))
    mods = NEURODAMUS / "mechanisms" / "neocortex"
    call("-m", "pipeline", "simulate", config, "--mechanisms", mods, "--out", out, "--ranks", ranks)
    ours = content(out / "soma_report.h5")
    theirs = content(tmp_path / "c" / "reference" / "reports" / "soma_report.h5")
    for name in theirs:
        if "/mapping/" not in name or name.rsplit("/", 1)[1] in ("node_ids", "element_ids", "time"):
            assert np.array_equal(ours[name], theirs[name]), name
