"""Electrodes: line sources against a closed form, segments where cells stand, sums over ranks."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from pipeline.analysis.network import lfp_spectra
from pipeline.config.simulation import Simulation
from pipeline.simulation.lfp import Probe, placed_segments, transfer

SIGMA = 0.3


class Line:
    """A straight section as NEURON has it."""

    def __init__(self, start, stop, nseg, diameter):
        self.points, self.nseg, self.diameter = np.array([start, stop], float), nseg, diameter

    def n3d(self):
        return 2

    def arc3d(self, i):
        return i * float(np.linalg.norm(self.points[1] - self.points[0]))

    def x3d(self, i):
        return self.points[i, 0]

    def y3d(self, i):
        return self.points[i, 1]

    def z3d(self, i):
        return self.points[i, 2]

    def __iter__(self):
        return iter([SimpleNamespace(diam=self.diameter)] * self.nseg)


def closed_form(length: float, along: float, away: float) -> float:
    """mV of 1 nA spread over a line that starts at 0; the electrode is ``along`` and ``away`` from it."""
    after, before = along - length, along
    ratio = (np.hypot(after, away) - after) / (np.hypot(before, away) - before)
    return abs(np.log(ratio)) / (4 * np.pi * SIGMA * length)


def test_a_line_source_has_its_closed_form():
    pytest.importorskip("lfpykit", reason="LFPykit comes with the extra 'lfp'")
    ends = np.array([[[0, 0, 0], [0, 100, 0]]], float)
    report = {"x": 30.0, "z": 0.0, "y": [50.0, 130.0, 5000.0], "conductivity": SIGMA}
    found = transfer(ends, np.array([1.0]), report)[:, 0]
    assert found[:2] == pytest.approx([closed_form(100, y, 30) for y in (50, 130)], rel=1e-9)
    assert found[2] == pytest.approx(1 / (4 * np.pi * SIGMA * 4950), rel=1e-3)  # far: a point


def test_segments_lie_where_the_cell_stands():
    half = np.sqrt(0.5)  # a quarter turn about z takes x to y
    place = pd.Series({"x": 1.0, "y": -800.0, "z": 2.0, "orientation_w": half,
                       "orientation_x": 0.0, "orientation_y": 0.0, "orientation_z": half})  # fmt: skip
    cell = SimpleNamespace(all=[Line((0, 0, 0), (40, 0, 0), 2, 3.0)])
    ends, diameters = placed_segments(cell, place)
    assert ends[0] == pytest.approx(np.array([[1, -800, 2], [1, -780, 2]]))
    assert ends[1] == pytest.approx(np.array([[1, -780, 2], [1, -760, 2]]))
    assert diameters.tolist() == [3.0, 3.0]
    unturned, _ = placed_segments(cell, place[["x", "y", "z"]])
    assert unturned[1, 1] == pytest.approx([41, -800, 2])


class Vector(list):
    def as_numpy(self):
        return np.array(self)

    def resize(self, size):
        del self[size:]


def probe(plan, parts, values):
    """A probe of one rank without NEURON."""
    made = object.__new__(Probe)
    made._plan, made._report, made._every, made._skip = plan, plan.config["lfp"], 2, 0
    made._blocks, made._parts = [], parts
    made._vectors = [Vector(column) for column in np.array(values).T]
    return made


@pytest.mark.parametrize("ranks", [1, 2])
def test_cells_are_added_in_the_order_of_ids_whatever_the_ranks(tmp_path, ranks):
    report = {"y": [-1.0, -2.0], "dt": 0.2}
    paths = SimpleNamespace(lfp=lambda name: tmp_path / "lfp.csv")
    plan = SimpleNamespace(config={"lfp": report}, paths=paths, name="run", duration=0.8)
    rng = np.random.default_rng(1)
    currents, matrices = rng.normal(size=(9, 3)), rng.normal(size=(3, 2))  # steps of 0.1 ms
    parts = [(4, 0, matrices[:1].T), (7, 1, matrices[1:].T)]
    if ranks == 1:
        probes = [probe(plan, parts, currents)]
    else:
        other = [(7, 0, matrices[1:].T)]
        probes = [probe(plan, other, currents[:, 1:]), probe(plan, parts[:1], currents[:, :1])]
    sent = []
    for one in probes[1:]:
        one.flush(
            SimpleNamespace(py_gather=lambda own, _: sent.append(own), id=lambda: 1), last=True
        )
    first = SimpleNamespace(py_gather=lambda own, _: [own, *sent], id=lambda: 0)
    probes[0].flush(first, last=True)
    probes[0].close()
    table = pd.read_csv(tmp_path / "lfp.csv")
    assert table.columns.tolist() == ["time", "y-1", "y-2"]
    assert table["time"].tolist() == pytest.approx([0, 0.2, 0.4, 0.6])
    expected = np.array([m.T @ c for m, c in zip([matrices] * 4, currents[:8:2], strict=True)])
    assert table[["y-1", "y-2"]].to_numpy() == pytest.approx(expected, rel=1e-5)


def test_spectra_find_the_rhythm():
    time = np.arange(0, 1000, 0.5)
    table = pd.DataFrame({"time": time, "y-1": np.sin(2 * np.pi * 40 * time / 1000), "y-2": 0.0})
    spectra, metrics = lfp_spectra(table)
    found = {name: value for name, value, _ in metrics}
    assert found["lfp_peak"] == 40 and found["lfp_sd"] == pytest.approx(np.sqrt(0.5), rel=1e-3)
    width = spectra["frequency"].iloc[1]
    assert spectra["y-1"].sum() * width == pytest.approx(0.5, rel=0.02)  # Parseval


def test_electrodes_need_membrane_currents():
    with pytest.raises(ValidationError, match="membrane currents"):
        Simulation(coreneuron=True, lfp={"nodes": "cells", "y": [-1]})
