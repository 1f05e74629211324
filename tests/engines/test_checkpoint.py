"""A run that was cut goes on with its save and writes the bytes of one that was not."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("neuron")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "data"))
import release_model as model  # noqa: E402
from neuron import h  # noqa: E402

from pipeline.cli import main  # noqa: E402
from pipeline.simulation.checkpoint import FrameLog, sent  # noqa: E402
from pipeline.sonata.reports import read_spikes  # noqa: E402


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Synapses with release, minis and Poisson input, run without a break: words, paths, bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONATINA_CACHE", os.environ.get("SONATINA_CACHE") or str(ROOT / ".cache"))
        folder = tmp_path_factory.mktemp("release")
        file = model.make_model(folder / "model")
        file.write_text(file.read_text().replace("rate: 100 Hz", "rate: 1500 Hz"))
        words, paths = model.build(file, folder / "out")
        words += ["--name", "run"]
        assert main(["simulate", *words]) == 0
        files = [paths.spikes("run"), paths.report("run", "soma")]
        yield words, paths, {file: file.read_bytes() for file in files}


def test_a_run_that_was_cut_twice_is_the_whole_run(whole, own_process):
    _, paths, expected = whole
    library = json.loads(paths.mechanisms.read_text())["library"]
    _, times = read_spikes(paths.spikes("run"), "c")
    _, inputs = read_spikes(paths.simulation("run") / "input_drive.h5", "s")
    assert np.sum(times > 80) > 2 and np.sum(times > 72) > 3, "spikes must come after the breaks"
    assert len(inputs) > 150, "more than PatternStim hands over at once"
    for file in expected:
        file.unlink()
    found = []
    for cut in (70.0, 125.0, None):
        found.append(
            own_process(
                "part", script="checkpoint_runs.py", root=str(paths.root), name="run",
                library=library, every=30.0, cut=cut,
            )
        )  # fmt: skip
        assert cut is None or not any(file.exists() for file in expected)
    assert [part["last"] for part in found] == pytest.approx([72, 126, 150], abs=3)
    assert 60 < found[1]["first"] < 70 and 110 < found[2]["first"] < 126
    for file, content in expected.items():
        assert file.read_bytes() == content, file.name


def test_a_run_on_coreneuron_goes_on_too(whole, own_process, tmp_path):
    """The state of the model, random streams and events on their way come back from CoreNEURON."""
    file = Path(shutil.copytree(Path(whole[0][0]).parent, tmp_path / "model")) / "model.yaml"
    file.write_text(
        file.read_text().replace("    ranks: 1\n", "    ranks: 1\n    coreneuron: true\n")
    )
    words, paths = model.build(file, tmp_path / "out")
    words += ["--name", "run"]
    assert main(["simulate", *words]) == 0
    files = [paths.spikes("run"), paths.report("run", "soma")]
    expected = [made.read_bytes() for made in files]
    assert files[0].read_bytes() == whole[2][whole[1].spikes("run")]
    for made in files:
        made.unlink()
    library = json.loads(paths.mechanisms.read_text())["library"]
    own_process(
        "part", script="checkpoint_runs.py", root=str(paths.root), name="run", library=library,
        every=30.0, cut=70.0,
    )  # fmt: skip
    assert not files[0].exists()
    assert main(["simulate", *words]) == 0
    figures = json.loads((paths.simulation("run") / "figures.json").read_text())
    assert 50 < figures["from_ms"] < 75
    assert [made.read_bytes() for made in files] == expected


def test_a_wall_time_that_is_over_saves_and_says_so(whole, capsys):
    words, paths, expected = whole
    for file in expected:
        file.unlink(missing_ok=True)
    assert main(["simulate", *words, "--ranks", "2", "--walltime", "0.001"]) == 75
    said = capsys.readouterr().err
    assert "the wall time is over at 3 of 150 ms (run it again: it goes on there" in said
    assert not any(file.exists() for file in expected)
    saved = json.loads((paths.simulation("run") / "checkpoint" / "checkpoint.json").read_text())
    assert saved["step"] == 30 and saved["reports"]["frames"] == {"soma": 31}
    assert main(["simulate", *words, "--ranks", "2"]) == 0
    assert "going on at" not in said
    assert {file.read_bytes() == content for file, content in expected.items()} == {True}
    assert not (paths.simulation("run") / "checkpoint").exists()


def test_what_was_handed_over_is_what_pattern_stim_hands_over():
    rng = np.random.default_rng(2)
    times = np.sort(np.round(rng.uniform(0, 50, 700), 1))
    stimulus = h.PatternStim()
    vectors = h.Vector(times), h.Vector(np.zeros(700))
    stimulus.play(*vectors)
    h.dt = 0.1
    heard = h.Vector()
    pc = h.ParallelContext()
    cell = h.IntFire1()
    pc.set_gid2node(1, 0)
    pc.cell(1, h.NetCon(cell, None))
    pc.set_maxstep(10)
    h.finitialize(-65)
    for now in (0.5, 7.0, 20.0, 45.0, 50.0):
        pc.psolve(now)
        count = sent(times, h.t)
        # The next one due is the first not yet handed over; nothing tells it but what is played anew.
        assert count == len(times) or times[count] > now
    assert sent(times, 0.0) >= 102 and sent(times, 1e9) == 700 and sent(times[:0], 5.0) == 0
    assert len(heard) == 0


def test_frames_after_the_save_are_cut_off(tmp_path):
    class Kept(list):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def append(self, block):
            self.extend(np.array(block).tolist())

    kept = Kept()
    first = FrameLog(tmp_path / "f", 0, 2, "float32", lambda: kept)
    first.append(np.array([[1, 2], [3, 4]]))
    first.sync()
    first.append(np.array([[5, 6]]))
    first._handle.flush()
    second = FrameLog(tmp_path / "f", 2, 2, "float32", lambda: kept)
    second.append(np.array([[7, 8]]))
    second.close()
    assert kept == [[1, 2], [3, 4], [7, 8]] and not (tmp_path / "f").exists()
