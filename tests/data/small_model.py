"""A model of four cells with all that analysis and report look at, made without a simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.cells.description import cell_type_to_json
from pipeline.config.emodel import read_emodels
from pipeline.config.load import Resolved, load_model
from pipeline.runtime import write_json, write_text
from pipeline.sonata.configs import write_types
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.reports import ReportWriter
from pipeline.sonata.write import write_edges, write_nodes

EVIL = "<img src=x onerror=alert(1)>"
"""A cell name that is also markup."""
NAMES = ("A1", "A2", "B1", EVIL)
TYPES = ("alpha", "alpha", "beta", "<b>gamma</b>")
SWC = "1 1 0 0 0 2 -1\n2 3 0 1 0 1 1\n3 3 0 11 0 1 2\n4 3 0 16 3 1 3\n5 3 0 11 7 1 3\n"
LENGTHS = (10.0, 34**0.5, 7.0)
"""Neurite sections of the morphology, um."""

_BARE = """\
schema: 1
name: small
title: "Small <script>alert(2)</script>"
limits: ["Not a <i>brain</i>"]
cells:
  morphologies: {path: shapes}
nodes:
  neurons:
    {kind: table, table: neurons.csv, morphology_column: shape, properties: [type], sets: [fed]}
"""
_REST = """\
edges:
  wiring:
    kind: contacts
    source: neurons
    target: neurons
    connectome: em
    chemical:
      count: {a: 10, b: 0.1, scale_inside: true}
      distance: {mu: 0.4, scale: 1 um}
      weight: {law: constant, value: {value: 1, source: "a <u>guess</u>"}}
      excitatory: {conductance: 1 nS, reversal: 0 mV, k: 0.5}
      inhibitory: {conductance: 1 nS, reversal: -70 mV, k: 0.5}
    electrical:
      count: {a: 10, b: 0.1, scale_inside: false}
      distance: {mu: 0.4, scale: 1 um}
      conductance: {law: constant, value: 1e-5}
simulation:
  quiet:
    dt: 1 ms
    duration: 200 ms
    inputs: {drive: {kind: constant, nodes: fed, amplitude: 10 pA}}
    record: {soma: {nodes: neurons}}
analysis: {correlation: {simulation: quiet, reference: target.csv, skip: 50 ms}}
reference: reference.yaml
"""
_PROTOCOL = """\
  protocols:
    P: {kind: current_clamp, cell: cell, emodel: E, levels: [0, 10 pA, 20 pA]}
"""
REFERENCE = """\
schema: 1
targets:
  - {metric: cells.count, title: Cells, value: 4, tolerance: 0, source: here}
  - {metric: wiring.chemical.contacts, title: Contacts, value: 99, tolerance: 1, source: here}
  - {metric: cells.count, title: Elsewhere, value: 4, tolerance: 0, source: here, when: {seed: 7}}
  - {metric: no.such.metric, title: "Unknown <em>x</em>", value: 1, tolerance: 0, source: here}
"""
CONNECTOME = """\
pre,post,kind,count
A1,A2,chemical,5
A1,B1,chemical,2
B1,A1,chemical,3
A1,Z9,chemical,8
Z9,A2,chemical,2
A1,B1,electrical,4
B1,A1,electrical,4
"""
TARGET = "a,b,r\nA1,A2,0.5\nB1,A1,-0.25\nA1,Z9,0.1\nA2,B1,\n"
# Two contacts A1 to A2, one A1 to B1, one B1 to A1; one junction A1, B1.
CHEMICAL = (np.array([0, 0, 2, 0]), np.array([1, 1, 0, 2]))
ELECTRICAL = (np.array([0, 2]), np.array([2, 0]))


def write_model(folder: Path, *, bare: bool = False) -> Resolved:
    """Writes the model's files and loads it; ``bare`` leaves out all that is optional."""
    write_text(folder / "shapes" / "cell.swc", SWC)
    membrane = "{Ra: 100 ohm cm, cm: 1 uF/cm2, g_pas: 1e-4 S/cm2, e_pas: -60 mV}"
    emodel = f"schema: 1\nname: E\nsource: none\npassive: {{all: {membrane}}}\n"
    write_text(folder / "emodels" / "E.yaml", emodel)
    cells = enumerate(zip(NAMES, TYPES, strict=True))
    rows = [f"{name},cell,{kind},E,{int(row < 2)}" for row, (name, kind) in cells]
    write_text(folder / "neurons.csv", "\n".join(["name,shape,type,emodel,fed", *rows, ""]))
    text = _BARE
    if not bare:
        text = text.replace("nodes:\n", _PROTOCOL + "nodes:\n", 1) + _REST
        write_text(folder / "tables" / "connectomes" / "em.csv", CONNECTOME)
        write_text(folder / "target.csv", TARGET)
        write_text(folder / "reference.yaml", REFERENCE)
    write_text(folder / "model.yaml", text)
    return load_model(str(folder / "model.yaml"))


def write_circuit(resolved: Resolved, root: Path) -> CircuitPaths:
    """Writes the circuit the model describes, as far as the model goes."""
    paths = CircuitPaths(root)
    write_text(paths.morphologies / "cell.swc", SWC)
    for name, emodel in read_emodels(resolved.path(resolved.model.cells.emodels)).items():
        write_json(paths.emodels / f"{name}.json", cell_type_to_json(emodel, resolved.model.cells))
    columns = {"name": list(NAMES), "type": list(TYPES), "morphology": ["cell"] * 4}
    columns |= {"emodel": ["E"] * 4, "x": [0, 5, 10, 15], "y": [0] * 4, "z": [0] * 4}
    write_nodes(paths.nodes("neurons"), "neurons", columns, np.zeros(4, int))
    for kind, (source, target) in (("chemical", CHEMICAL), ("electrical", ELECTRICAL)):
        if resolved.model.edges:
            _write_kind(paths, f"neurons__neurons__{kind}", source, target)
    if resolved.model.simulation:
        _write_activity(paths)
    return paths


def _write_kind(paths: CircuitPaths, name: str, source: np.ndarray, target: np.ndarray) -> None:
    n = len(source)
    columns = {"conductance": np.full(n, 1e-3), "distance": np.arange(1.0, n + 1)}
    columns |= {f"afferent_center_{axis}": np.arange(n, dtype=float) for axis in "xyz"}
    write_edges(
        paths.edges(name), name, "neurons", "neurons", source, target, np.arange(n) % 2, columns,
        4, 4, units={"distance": "um"},
    )  # fmt: skip
    write_types(
        paths.edge_types(name),
        [
            {"edge_type_id": 0, "synapse_sign": "excitatory"},
            {"edge_type_id": 1, "synapse_sign": "inhibitory"},
        ],
    )


def voltages() -> np.ndarray:
    """Voltages of the run: float64 [200, 4], mV; the third cell is constant."""
    times = np.arange(200.0)
    rng = np.random.default_rng(3)
    data = rng.normal(-60, 2, (200, 4)) + np.sin(times / 9)[:, None]
    data[:, 2] = -55.0
    return data


def _write_activity(paths: CircuitPaths) -> None:
    for name, nodes, data, unit in (
        ("soma", 4, voltages(), "mV"), ("input_drive", 2, np.full((200, 2), 0.01), "nA")
    ):  # fmt: skip
        zeros = np.zeros(nodes)
        ids = np.arange(nodes)
        file = paths.report("quiet", name)
        with ReportWriter(
            file, "neurons", ids, zeros, zeros, 1.0, 0.0, 200.0, unit, dtype="float64"
        ) as report:
            report.append(data)


def write_extras(paths: CircuitPaths) -> None:
    """Writes what other stages leave behind: a clamp, a benchmark, the figures of a run."""
    steady = "level,steady,reference,published_model\n0,-60,-61,-60\n0.01,-50,-48,\n0.02,-45,,\n"
    write_text(paths.analysis("clamp_P"), steady)
    rows = [f"{t},{-60 + t},{-60 + 2 * t},{-60 + 3 * t}" for t in range(5)]
    write_text(paths.analysis("clamp_P_traces"), "\n".join(["time_ms,0,0.01,0.02", *rows, ""]))
    header = "s h:m:s max_rss max_vms max_uss max_pss io_in io_out mean_load cpu_time"
    values = "12.5 0:00:12 - 0 0 0 0 0 0 11"
    for stage in ("simulate_quiet", "nodes"):
        text = f"{header}\n{values}\n".replace(" ", "\t")
        write_text(paths.benchmark(stage), text)
    write_json(paths.simulation("quiet") / "figures.json", {"run_s": 3.5, "ranks": 2.0})
