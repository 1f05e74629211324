"""Every reader of the pipeline with a small sound file: what bad inputs and fuzzing start from."""

from __future__ import annotations

import io
import json
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from ring import CHEMICAL, SWC, make_ring

from pipeline.config.starter import write_starter
from pipeline.sonata.reports import ReportWriter, write_spikes

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes:
        name: What it reads.
        make: Writes a sound file, and what it needs beside it, into a folder; returns its path.
        read: Reads it; raises a PipelineError for a file that cannot be used.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], object]


READERS: dict[str, Reader] = {}


def reader(name: str, make: Callable[[Path], Path]):
    """Registers the decorated function as a reader."""

    def add(read: Callable[[Path], object]):
        assert name not in READERS
        READERS[name] = Reader(name, make, read)
        return read

    return add


def content(name: str, data: str | bytes) -> Callable[[Path], Path]:
    """Makes a file of given content."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return make


def head(table: str, rows: int = 4) -> Callable[[Path], Path]:
    """Takes the first rows of a shipped table."""

    def make(folder: Path) -> Path:
        lines = (MODELS / table).read_text(encoding="utf-8").splitlines(keepends=True)
        return content(Path(table).name, "".join(lines[: rows + 1]))(folder)

    return make


def copy(file: str) -> Callable[[Path], Path]:
    """Takes a shipped file."""
    return lambda folder: Path(shutil.copy(MODELS / file, folder))


# ---- YAML ----


def _starter(folder: Path) -> Path:
    return write_starter("starter", folder) / "model.yaml"


@reader("model.yaml", _starter)
def _(path):
    from pipeline.config.load import load_model

    return load_model(str(path), "default")


def _variant(folder: Path) -> Path:
    path = write_starter("starter", folder) / "variants" / "v.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        "extends: ../model.yaml\nname: v\ntitle: a variant\nset:\n"
        "  simulation.drive.duration: 50 ms\n  seed: 3\n"
        "  edges.wiring.tolerance: 100 um\nremove: [description]\n"
    )
    return path


@reader("variant.yaml", _variant)
def _(path):
    from pipeline.config.load import load_model

    return load_model(str(path))


@reader("e-model.yaml", copy("worm/emodels/AIY.yaml"))
def _(path):
    from pipeline.config.emodel import read_emodel

    return read_emodel(path)


_TARGETS = """\
schema: 1
targets:
  - metric: circuit.cells
    title: number of cells
    value: 302
    tolerance: 0
    source: "White et al. 1986"
    when: {nodes.neurons.subset: null}
  - {metric: gait.speed, title: speed, value: 0.1, tolerance_fraction: 0.2, source: here}
"""


@reader("reference.yaml", content("reference.yaml", _TARGETS))
def _(path):
    from pipeline.config.reference import read_reference

    return read_reference(path)


# ---- morphologies ----

ASC = """\
("CellBody" (Color Red) (CellBody)
  (-5 0 0 1) (0 5 0 1) (5 0 0 1) (0 -5 0 1))
((Dendrite)
  (5 0 0 2) (20 0 0 2)
  ((40 10 0 1) (60 10 0 1) | (40 -10 0 1) (60 -10 0 1)))
"""


def _morphology_h5(folder: Path) -> Path:
    path = folder / "cell.h5"
    points = [[0, 0, 0, 10], [0, 10, 0, 10], [0, 10, 0, 2], [0, 40, 0, 2], [0, 40, 0, 1],
              [20, 60, 0, 1], [0, 40, 0, 1], [-20, 60, 0, 1]]  # fmt: skip
    with h5py.File(path, "w") as file:
        file["points"] = np.array(points, np.float64)
        file["structure"] = np.array([[0, 1, -1], [2, 3, 0], [4, 3, 1], [6, 3, 1]], np.int32)
        group = file.create_group("metadata")
        group.attrs["version"] = np.array([1, 3], np.uint32)
        group.attrs["cell_family"] = np.array([0], np.uint32)
    return path


def _read_shape(path):
    from pipeline.cells.morphology import read_morphology

    return read_morphology(path)


reader("cell.swc", content("cell.swc", SWC))(_read_shape)
reader("cell.asc", content("cell.asc", ASC))(_read_shape)
reader("cell.h5", _morphology_h5)(_read_shape)


@reader("library.swc", content("cell.swc", SWC))
def _(path):
    from pipeline.morphologies.repair import read_shape

    return read_shape(path)


@reader("distributions.json", copy("column/synthesis/L1_SLAC.json"))
def _(path):
    from pipeline.morphologies.grow import read_distributions

    return read_distributions(path)


# ---- NMODL ----

MOD = """\
TITLE leak
: a comment
NEURON {
    SUFFIX leak
    USEION k READ ek WRITE ik
    RANGE g, i
}
PARAMETER { g = 0.001 (S/cm2) }
ASSIGNED { v (mV) ek (mV) ik (mA/cm2) i (mA/cm2) }
BREAKPOINT {
    ik = g * (v - ek)
}
"""


@reader("channel.mod", content("channel.mod", MOD))
def _(path):
    from pipeline.mechanisms import describe_set

    return describe_set(path.parent)


# ---- SONATA ----


def ring_file(part: str) -> Callable[[Path], Path]:
    """A file of the small circuit."""
    return lambda folder: getattr(make_ring(folder), part)


def ring_edges(folder: Path) -> Path:
    return make_ring(folder).edges(CHEMICAL)


def ring_nodes(folder: Path) -> Path:
    return make_ring(folder).nodes("neurons")


def ring_types(folder: Path) -> Path:
    return make_ring(folder).node_types("neurons")


def _checked(path: Path) -> None:
    from pipeline.sonata.validate import check_circuit, raise_if

    folder = path.parent if path.name == "circuit_config.json" else path.parent.parent
    config = folder / "circuit_config.json"
    raise_if(check_circuit(config if config.exists() else path.parent / "circuit_config.json"))


@reader("nodes.h5", ring_nodes)
def _(path):
    from pipeline.sonata.read import read_nodes

    return read_nodes(path, "neurons")


@reader("edges.h5", ring_edges)
def _(path):
    from pipeline.sonata.read import read_edges

    read_edges(path, CHEMICAL)
    return read_edges(path, CHEMICAL, ["syn_weight"], targets=[1, 2])


@reader("edges.h5 in blocks", ring_edges)
def _(path):
    from pipeline.sonata.read import edge_blocks

    return list(edge_blocks(path, CHEMICAL, ("syn_weight",), rows=5))


@reader("node_types.csv", ring_types)
def _(path):
    from pipeline.sonata.read import read_typed_nodes

    return read_typed_nodes(path.parent / "neurons.nodes.h5", path, "neurons")


reader("checked nodes.h5", ring_nodes)(_checked)
reader("checked edges.h5", ring_edges)(_checked)
reader("checked node_types.csv", ring_types)(_checked)
reader("checked node_sets.json", ring_file("node_sets"))(_checked)
reader("circuit_config.json", ring_file("circuit_config"))(_checked)


@reader("node_sets.json", ring_file("node_sets"))
def _(path):
    from pipeline.sonata.layout import CircuitPaths
    from pipeline.sonata.node_sets import read_set

    return read_set(CircuitPaths(path.parent), "even")


@reader("diffed edges.h5", ring_edges)
def _(path):
    from pipeline.analysis.diff import compare_circuits

    root = path.parent.parent
    return compare_circuits(root, root, 3)


def _spikes(folder: Path) -> Path:
    path = folder / "spikes.h5"
    write_spikes(path, "neurons", np.array([0, 1, 1]), np.array([1.0, 2.0, 3.5]))
    return path


@reader("spikes.h5", _spikes)
def _(path):
    from pipeline.sonata.reports import read_spikes

    return read_spikes(path, "neurons")


@reader("spikes.h5 in blocks", _spikes)
def _(path):
    from pipeline.analysis.spike_counts import spike_blocks

    return list(spike_blocks(path, "neurons", 2))


def _report(folder: Path) -> Path:
    path = folder / "soma.h5"
    nodes = np.arange(3)
    with ReportWriter(
        path, "neurons", nodes, nodes * 0, nodes * 0 + 0.5, 1.0, 0.0, 4.0, "mV"
    ) as writer:
        writer.append(np.zeros((4, 3)))
    return path


@reader("report.h5", _report)
def _(path):
    from pipeline.sonata.reports import read_report

    return read_report(path, "neurons")


def _elsewhere(folder: Path) -> Path:
    paths = make_ring(folder)
    path = folder / "simulation.json"
    config = {
        "manifest": {"$OUT": "./output", "$NET": "$OUT/../network"},
        "target_simulator": "NEURON",
        "run": {"tstop": 10.0, "dt": 0.1},
        "conditions": {"celsius": 34.0, "v_init": -65.0},
        "output": {"output_dir": "$OUT", "spikes_file": "spikes.h5"},
        "inputs": {
            "step": {"input_type": "current_clamp", "module": "IClamp", "node_set": "All",
                     "amp": 0.1, "delay": 1.0, "duration": 5.0}
        },
        "reports": {"v": {"variable_name": "v", "module": "membrane_report", "cells": "All"}},
        "network": paths.circuit_config.name,
    }  # fmt: skip
    path.write_text(json.dumps(config, indent=1))
    return path


@reader("simulation config", _elsewhere)
def _(path):
    from pipeline.simulation.elsewhere.read import read_elsewhere
    from pipeline.simulation.elsewhere.vocabulary import check
    from pipeline.sonata.validate import raise_if

    raise_if(check(read_elsewhere(path), "bionet"))


def _bbp(folder: Path) -> Path:
    path = _elsewhere(folder)
    circuit = json.loads((folder / "circuit_config.json").read_text())
    for kind in ("nodes", "edges"):
        for entry in circuit["networks"][kind]:
            entry.pop(f"{kind[:-1]}_types_file")
    (folder / "circuit_config.json").write_text(json.dumps(circuit))
    config = json.loads(path.read_text()) | {
        "run": {"tstop": 10.0, "dt": 0.1, "random_seed": 1},
        "inputs": {
            "step": {"input_type": "current_clamp", "module": "linear", "node_set": "All",
                     "amp_start": 0.1, "delay": 1.0, "duration": 5.0}
        },
        "reports": {"v": {"type": "compartment", "variable_name": "v", "cells": "All",
                          "start_time": 0.0, "end_time": 10.0, "dt": 0.1}},
        "connection_overrides": [{"name": "all", "source": "All", "target": "All", "weight": 1.0}],
    }  # fmt: skip
    path.write_text(json.dumps(config, indent=1))
    return path


@reader("simulation config (BBP)", _bbp)
def _(path):
    from pipeline.simulation.elsewhere.read import read_elsewhere
    from pipeline.simulation.elsewhere.vocabulary import check
    from pipeline.sonata.validate import raise_if

    raise_if(check(read_elsewhere(path), "neurodamus"))


# ---- movies, recordings, meshes ----


def npy(array: np.ndarray) -> bytes:
    """The bytes of a NumPy file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@reader("movie.npy", content("movie.npy", npy(np.zeros((12, 4, 6), "f4"))))
def _(path):
    from pydantic import TypeAdapter

    from pipeline.config.stimuli import Field2D, Movie
    from pipeline.stimulus.movies import check_movie, conditions

    keys = {"kind": "file", "file": str(path), "duration": 100, "grey": 0, "frame_rate": 100}
    movie = TypeAdapter(Movie).validate_python(keys)
    check_movie(conditions(movie, Field2D(width=20, height=10), path)[0])


_WAVE = "time,value\n" + "".join(f"{0.1 * i:.1f},{-65 + i % 3}\n" for i in range(40))


@reader("wave.csv", content("wave.csv", _WAVE))
def _(path):
    from pipeline.recordings.sweeps import read_wave

    return read_wave(path, "voltage", "row 2")


def _ibw(folder: Path) -> Path:
    """An Igor binary wave of version 5: 16 samples of 0.1 ms in V."""
    samples = np.linspace(-0.065, -0.05, 16).astype(">f4").tobytes()
    head = bytearray(384)
    struct.pack_into(">hhi", head, 0, 5, 0, 320 + len(samples))
    struct.pack_into(">ih", head, 76, 16, 2)  # number of points; type: float32
    struct.pack_into(">4i4d", head, 132, 16, 0, 0, 0, 1e-4, 1.0, 1.0, 1.0)
    head[212:213] = b"V"
    total = int(np.frombuffer(bytes(head), ">i2").astype(np.int64).sum())
    struct.pack_into(">H", head, 2, -total & 0xFFFF)
    return content("wave.ibw", bytes(head) + samples)(folder)


@reader("wave.ibw", _ibw)
def _(path):
    from pipeline.recordings.sweeps import read_wave

    return read_wave(path, "voltage", "row 2")


def _sweeps(folder: Path) -> Path:
    content("v.csv", _WAVE)(folder)
    content("i.csv", _WAVE)(folder)
    return content("sweeps.csv", "cell,protocol,current,voltage\na,Step,i.csv,v.csv\n")(folder)


@reader("sweeps.csv", _sweeps)
def _(path):
    from pipeline.config.recordings import Extraction
    from pipeline.recordings.sweeps import read_sweeps

    step = {"delay": 1, "duration": 2, "amplitudes": [150], "features": ["Spikecount"]}
    data = {"folder": ".", "sweeps": "s.csv", "source": "here", "threshold_current": {"a": 0.2}}
    config = Extraction.model_validate(data | {"protocols": {"Step": step}})
    return read_sweeps(path, path.parent, config)


_PREMOTOR = {
    "trace_array": [[0.1, 0.2, 0.3], [0.4, 0.5, 0.7]],
    "timestamp_confocal": [0.0, 0.5, 1.0],
    "labeled": {"1": {"label": "AVAL"}, "2": {"label": "AVAR?"}},
}


@reader("recording.json", content("recording.json", json.dumps(_PREMOTOR)))
def _(path):
    from pipeline.premotor.recordings import read_recording

    return read_recording(path)


MEDIT = """\
MeshVersionFormatted 1
Dimension 3
Vertices
5
0 0 0 1
1 0 0 1
0 1 0 1
0 0 1 1
1 1 1 1
Tetrahedra
2
1 2 3 4 1
2 3 4 5 1
End
"""


@reader("body.mesh", content("body.mesh", MEDIT))
def _(path):
    from pipeline.body.mesh import read_medit

    return read_medit(path)


# ---- parameters of cells ----

_FIT = {
    "passive": [{"ra": 100.0, "e_pas": -80.0, "cm": [{"section": "soma", "cm": 1.0}]}],
    "conditions": [{"celsius": 34.0, "v_init": -80.0,
                    "erev": [{"section": "soma", "ena": 53.0, "ek": -107.0}]}],
    "genome": [{"section": "soma", "mechanism": "", "name": "g_pas", "value": 0.0001},
               {"section": "soma", "mechanism": "Ih", "name": "gbar_Ih", "value": 0.001}],
}  # fmt: skip


@reader("fit.json", content("1_fit.json", json.dumps(_FIT)))
def _(path):
    from pipeline.cells.allen import read_fit

    return read_fit(path)


_NEST = {
    "C_m": 70.0, "g": 5.7, "E_L": -75.0, "V_th": -47.0, "V_reset": -75.0, "t_ref": 3.8,
    "asc_amps": [-8.0, -198.0], "asc_decay": [0.003, 0.1], "asc_r": [1.0, 1.0],
    "asc_init": [0.0, 0.0], "spike_dependent_threshold": False, "after_spike_currents": True,
    "adapting_threshold": False,
}  # fmt: skip


@reader("nest.json", content("nest.json", json.dumps(_NEST)))
def _(path):
    from pipeline.cells.glif import read_glif

    return read_glif(path)


_ALLEN = {
    "El_reference": -0.07, "El": 0.0, "C": 7e-11, "R_input": 2e8, "th_inf": 0.03,
    "spike_cut_length": 40, "dt": 5e-5, "asc_amp_array": [-1e-12, -2e-12],
    "asc_tau_array": [0.3, 0.01], "init_AScurrents": [0.0, 0.0],
    "coeffs": {"C": 1.0, "G": 1.0, "th_inf": 1.0, "asc_amp_array": [1.0, 1.0]},
    "voltage_reset_method": {"name": "zero", "params": {}},
    "AScurrent_dynamics_method": {"name": "exp", "params": {}},
    "AScurrent_reset_method": {"name": "sum", "params": {"r": [1.0, 1.0]}},
    "threshold_dynamics_method": {"name": "inf", "params": {}},
}  # fmt: skip


@reader("neuron_config.json", content("neuron_config.json", json.dumps(_ALLEN)))
def _(path):
    from pipeline.cells.glif import read_glif

    return read_glif(path)


@reader("glif.csv", head("v1/tables/glif.csv"))
def _(path):
    from pipeline.cells.glif_table import read_table

    return read_table(path, "cell_class", 3)


@reader("shapes.csv", head("v1/tables/morphologies.csv"))
def _(path):
    from pipeline.cells.library import class_row

    return [class_row(path, name) for name in ("e2", "e4")]


# ---- tables ----


@reader("connectome.csv", head("premotor/tables/white1986.csv", 12))
def _(path):
    from pipeline.edges.connectome import read_connectome

    return read_connectome(path, ["ASIL", "RIBL", "AIBL"])


def _weights(folder: Path) -> Path:
    text = "pre,post,kind,contact,weight\na,b,chemical,0,0.5\na,b,chemical,1,-0.25\n"
    return content("weights.csv", text + "b,a,electrical,0,0.001\n")(folder)


@reader("weights.csv", _weights)
def _(path):
    import pandas as pd

    from pipeline.edges.contacts import CHEMICAL as CHEM
    from pipeline.edges.contacts import GAP
    from pipeline.edges.weights import apply_weights

    kinds = {"source": [0, 0, 1], "target": [1, 1, 0], "kind": [CHEM, CHEM, GAP]}
    return apply_weights(pd.DataFrame(kinds), (["a", "b"], ["a", "b"]), path)


@reader("cells.csv", lambda folder: _starter(folder).parent / "tables/cells.csv")
def _(path):
    from pipeline.config.load import load_model
    from pipeline.nodes.table import read_nodes_table

    model = load_model(str(path.parent.parent / "model.yaml")).model
    return read_nodes_table(path, model.nodes["cells"])


@reader("points.csv", content("points.csv", "x,y,z,kind,size\n0,1,2,a,3\n4,5,6,b,1e2\n"))
def _(path):
    from pipeline.config.placement import PointNodes
    from pipeline.nodes.listed import read_points

    keys = {"kind": "points", "table": "p.csv", "type_column": "kind", "properties": ["size"]}
    return read_points(path, PointNodes.model_validate(keys))


@reader("lgn_filters.csv", head("v1/tables/lgn_filters.csv"))
def _(path):
    from pipeline.config.filters import read_filters

    return read_filters(path)


@reader("populations.csv", head("v1/tables/populations.csv"))
def _(path):
    from pipeline.config.celltypes import resolve_types
    from pipeline.config.load import load_model

    nodes = load_model("v1", "default").model.nodes["v1"]
    return resolve_types(nodes, path, lambda keys: "model.yaml:1")


@reader("placement_rules.csv", head("column/tables/placement_rules.csv", 3))
def _(path):
    from pipeline.config.placement_rules import read_rules

    layers = {f"L{i}": (i * 100.0, i * 100.0 + 100) for i in (1, 23, 4, 5, 6)}
    layers |= {"L2": (200.0, 250.0), "L3": (250.0, 300.0)}
    return read_rules(path, "mtype", ["L1_DAC", "L1_DLAC", "L1_HAC", "L1_NGC-DA"], layers)


@reader("trials.csv", content(
    "trials.csv", "trial,condition,start,stop,direction,grey\n0,a,0,3000,0,500\n1,b,3000,6000,90,500\n"
))  # fmt: skip
def _(path):
    from pipeline.analysis.spike_counts import read_trials
    from pipeline.config.responses import Responses

    return read_trials(path, Responses(simulation="run", nodes="all"), 6000.0)


@reader("recorded.csv", head("v1/tables/recorded_rates.csv"))
def _(path):
    from pipeline.analysis.response_targets import read_quantiles

    return read_quantiles(path)


@reader("units.csv", content(
    "units.csv", "cell_type Spont_Rate(Hz) Ave_Rate(Hz) max_mean_rate(Hz) OSI DSI\n"
    '"L2/3 Exc" 1 2 3 0.1 0.2\n"L2/3 Exc" 2 3 4 0.2 0.3\n'
))  # fmt: skip
def _(path):
    import pandas as pd

    from pipeline.analysis.response_targets import read_units

    return read_units(path, pd.DataFrame({"recorded_as": ["L2/3 Exc"], "class": ["e2"]}))


@reader("target_correlation.csv", head("worm/tables/target_correlation.csv"))
def _(path):
    from pipeline.analysis.activity import read_target

    return read_target(path)


@reader("trained target.csv", head("worm/tables/target_correlation.csv"))
def _(path):
    from pipeline.training.stage import read_target

    return read_target(path, ["AVAL", "AVAR", "RIML"], 0.2)


@reader("expected_changes.csv", head("v1/tables/expected_changes.csv"))
def _(path):
    from pipeline.analysis.compare import read_expected

    return read_expected(path)


@reader("psp_targets.csv", head("column/tables/psp_targets.csv"))
def _(path):
    from pipeline.psp.pathways import read_pathways

    return read_pathways(path, "touches")


@reader("etype_emodels.csv", head("column/tables/etype_emodels.csv"))
def _(path):
    from pipeline.generalise.pairs import read_choices

    return read_choices(path, MODELS / "column/emodels", ["layer", "mtype", "etype"])


@reader("made morphologies.csv", content("morphologies.csv", "name,m_type\na,L1_DAC\nb,L1_HAC\n"))
def _(path):
    from pipeline.generalise.pairs import read_morphologies

    return read_morphologies(path)


@reader("judged pairs.csv", content(
    "pairs.csv", "me_type,morphology,emodel,accepted,holding_current,threshold_current\n"
    "L1_a,m,e,1,-0.05,0.1\nL1_b,n,e,0,,\n"
))  # fmt: skip
def _(path):
    from pipeline.nodes.emodel_choice import judged_of

    return judged_of(path)


@reader("exemplars.csv", head("column/tables/exemplars.csv"))
def _(path):
    from pipeline.morphologies.exemplars import read_exemplars

    return read_exemplars(path, {"L1": 165.0, "L23": 502.0, "L4": 190.0})


def _catalogue(folder: Path) -> Path:
    content("a.swc", SWC)(folder)
    text = "name,m_type,licence,len_axon_um,kind,source\na,L1_DAC,CC BY 4.0,120,full,here\n"
    return content("catalogue.csv", text)(folder)


@reader("catalogue.csv", _catalogue)
def _(path):
    from pipeline.morphologies.catalogue import read_catalogue

    return read_catalogue(path, path.parent)


def fit_table(name: str, text: str):
    """Registers a table of fits."""

    @reader(f"fit {name}.csv", content(f"{name}.csv", text))
    def _(path):
        from pipeline.fitting import tables

        if name == "targets":
            step = tables.Protocol("Step", "step", (tables.Pulse(0.1, np.nan, 1, 2),), 5.0,
                                   False, True, "")  # fmt: skip
            return tables.read_targets(path, {"Step": step})
        return getattr(tables, f"read_{name}")(path)


fit_table("parameters", "section_list,mechanism,parameter,distribution,lower,upper,value\n"
          "soma axon,hh,gnabar,uniform,0,0.1,\nall,,cm,uniform,,,1\n")  # fmt: skip
fit_table("protocols", "protocol,kind,amplitude_percent,amplitude,delay,duration,total,holding\n"
          "Step,step,,0.1,100,200,400,yes\n")  # fmt: skip
fit_table("targets", "protocol,location,feature,mean,sd\nStep,soma.v,Spikecount,3,1\n")
fit_table("recordings", "protocol,recording,variable,section_list,rule,distance,index,position\n"
          "Step,dend1,v,apic,path_distance,100,,\n")  # fmt: skip


@reader("glif_sources.csv", head("v1/tables/glif_sources.csv"))
def _(path):
    from pipeline.sources.glif_pool import read_members

    return read_members(path)


@reader("rule table.csv", head("column/tables/pathway_rules.csv"))
def _(path):
    from pipeline.edges.touch.tables import RuleTable, raise_all

    table = RuleTable.read(path, ("pre", "post", "B", "n", "source"))
    table.numbers("B", 0.0, 1.0)
    table.numbers("n")
    table.sources()
    raise_all(table)


def _listed(path: Path):
    from pipeline.edges.rules.listed import read_listed
    from pipeline.edges.rules.tables import Findings
    from pipeline.errors import ConfigError

    findings = Findings(folder=lambda name: path.parent / name)
    found = read_listed(path.name, (4, 4), ("law",), findings)
    if findings.problems or found is None:
        raise ConfigError(findings.problems)
    return found


reader("listed.csv", content("listed.csv", "source,target,nsyns\n0,1,2\n3,2,1\n"))(_listed)


def _sparse(folder: Path) -> Path:
    from scipy import sparse

    path = folder / "listed.npz"
    sparse.save_npz(path, sparse.coo_matrix(([2, 1], ([0, 3], [1, 2])), shape=(4, 4)))
    return path


def _parquet(folder: Path) -> Path:
    import pandas as pd

    path = folder / "listed.parquet"
    pd.DataFrame({"source": [0, 3], "target": [1, 2], "nsyns": [2, 1]}).to_parquet(path)
    return path


reader("listed.npz", _sparse)(_listed)
reader("listed.parquet", _parquet)(_listed)


@reader("muscles.csv", head("worm/tables/neuromuscular.csv"))
def _(path):
    from pipeline.body.readout import junction_shares
    from pipeline.config.tables import read_csv

    return junction_shares(read_csv(path), ["SDQR", "PVM", "AVL"], str(path))


@reader("readout.csv", head("worm/tables/readout_gait.csv"))
def _(path):
    from pipeline.body.readout import linear_weights
    from pipeline.config.tables import read_csv

    return linear_weights(read_csv(path), ["RIML", "RIMR", "RMEL", "RMER"], str(path))


@reader("proprioception.csv", head("worm/tables/proprioception.csv"))
def _(path):
    from pipeline.body.readout import proprioception_shares
    from pipeline.config.tables import read_csv

    return proprioception_shares(read_csv(path), ["SMDDL"], str(path))


# ---- wheels of outside packages ----


def wheel(name: str, files: dict[str, str]) -> Callable[[Path], Path]:
    """Makes an archive of some texts."""

    def make(folder: Path) -> Path:
        path = folder / name
        with zipfile.ZipFile(path, "w") as archive:
            for entry, text in files.items():
                archive.writestr(zipfile.ZipInfo(entry), text)
        return path

    return make


NML = """\
<neuroml xmlns="http://www.neuroml.org/schema/neuroml2"><cell id="AVAL"><morphology id="m">
<segment id="0"><proximal x="0" y="0" z="0" diameter="2"/><distal x="0" y="0" z="0" diameter="2"/></segment>
<segment id="1"><parent segment="0"/><proximal x="0" y="2" z="0" diameter="1"/>
<distal x="0" y="9" z="0" diameter="1"/></segment>
<segmentGroup id="Soma"><member segment="0"/></segmentGroup>
<segmentGroup id="Neurite1"><member segment="1"/></segmentGroup>
</morphology></cell></neuroml>
"""


@reader("c302.whl", wheel("c302.whl", {"c302/NeuroML2/AVAL.cell.nml": NML}))
def _(path):
    from pipeline.sources.c302 import convert_wheel

    with tempfile.TemporaryDirectory() as out:
        try:
            return convert_wheel(path, ["AVAL"], out)
        except Exception:
            assert not list(Path(out).iterdir()), "half of the cells were written"
            raise


def _cect(folder: Path) -> Path:
    from pipeline.sources.cect import READERS as TABLES

    matrices = {"Acetylcholine": [[0, 3], [0, 0]], "Generic_GJ": [[0, 1], [1, 0]]}
    text = json.dumps({"nodes": ["AVAL", "AVAR"], "connections": matrices})
    return wheel("cect.whl", {f"cect/cache/{name}.json": text for name in TABLES.values()})(folder)


@reader("cect.whl", _cect)
def _(path):
    from pipeline.sources.cect import convert_junctions, convert_wheel

    with tempfile.TemporaryDirectory() as out:
        try:
            convert_junctions(path, ["AVAL", "AVAR"], out)
            return convert_wheel(path, ["AVAL", "AVAR"], out)
        except Exception:
            assert len(list(Path(out).iterdir())) <= 1, "half of the tables were written"
            raise
