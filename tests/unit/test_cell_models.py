"""Config key ``cell_models``: point cells from tables and from a user's own files."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.cells.glif_synapses import nest_parameters
from pipeline.config.load import load_model
from pipeline.config.stages import stage_files
from pipeline.errors import ConfigError
from pipeline.model_check import check_model
from pipeline.nodes.build import run_nodes
from pipeline.nodes.point_cells import point_cells
from pipeline.nodes.types import placed_types
from pipeline.sonata.layout import CircuitPaths

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
from glif_cells import synthetic  # noqa: E402

CELL = synthetic()["synthetic_4"]
TABLE = """cell_class,C,g,E_L,threshold,V_reset,t_ref,asc_amps_1,asc_decay_1,source
e,0.1,0.005,-70,-50,-70,3,-0.02,0.01,assumed
i,0.05,0.01,-65,-45,-65,1.5,0.01,0.1,assumed
"""
PORTS = [{"tau": "5.5 ms"}, {"tau": 8.5}]


def write(place, **model):
    """A population with two classes in two regions; returns the loader."""
    (place / "glif.csv").write_text(TABLE)
    entry = {"kind": "glif", "table": "glif.csv", "ports": PORTS} | model
    types = {
        name: {"count": 3, "region": region, "labels": {"cell_class": label}}
        for name, region, label in (("exc", "core", "e"), ("inh", "core", "i"), ("far", "rim", "e"))
    }
    shape = {"shape": "nowhere"}
    nodes = {
        "kind": "placed",
        "labels": ["cell_class"],
        "types": types,
        "regions": {"core": shape, "rim": shape},
        "cell_models": {"all": {k: v for k, v in entry.items() if v is not None}},
    }
    (place / "model.yaml").write_text(
        yaml.safe_dump({"schema": 1, "name": "m", "nodes": {"c": nodes}})
    )
    return lambda: load_model(str(place / "model.yaml"))


def messages(load):
    with pytest.raises(ConfigError) as caught:
        problems = check_model(load())
        raise ConfigError(problems or "nothing found")
    return str(caught.value)


def test_parameters_reach_the_circuit(tmp_path):
    resolved = write(tmp_path)()
    assert check_model(resolved) == []
    paths = CircuitPaths(tmp_path / "out")
    run_nodes(resolved, paths)
    files = {path.name for path in paths.point_neurons.glob("*")}
    assert files == {"c_e.json", "c_i.json"}
    written = json.loads((paths.point_neurons / "c_i.json").read_text())
    assert written["C_m"] == 50.0 and written["g"] == 10.0 and written["asc_amps"] == [10.0]
    assert written["tau_syn"] == [5.5, 8.5] and written["after_spike_currents"] is True
    with open(paths.node_types("c"), newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter=" "))
    assert [row["dynamics_params"] for row in rows] == ["c_e.json", "c_i.json", "c_e.json"]
    assert {(row["model_type"], row["model_template"]) for row in rows} == {
        ("point_neuron", "nest:glif_psc")
    }


def test_a_folder_takes_the_tables_place(tmp_path):
    """The same config with one more key; NEST and Allen files may stand side by side."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "e.json").write_text(json.dumps(CELL.to_nest()))
    (own / "fast.json").write_text(json.dumps(dataclasses.replace(CELL, t_ref=1.0).to_nest()))
    resolved = write(tmp_path, folder="own", files={"i": "fast.json"}, level=4)()
    assert check_model(resolved) == []
    found = point_cells(resolved, "c", placed_types(resolved, "c")[0])
    assert found["c_e.json"][0].th_spike_add == CELL.th_spike_add
    assert found["c_i.json"][0].t_ref == 1.0
    read = {path.name for path in stage_files(resolved, "nodes")}
    assert read == {"e.json", "fast.json"}


def test_regions_may_have_models_of_their_own(tmp_path):
    load = write(tmp_path)
    tree = yaml.safe_load((tmp_path / "model.yaml").read_text())
    models = tree["nodes"]["c"]["cell_models"]
    models["rim"] = models["all"] | {"level": 1}
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(tree))
    resolved = load()
    found = point_cells(resolved, "c", placed_types(resolved, "c")[0])
    levels = {name: cell.level for name, (cell, _, _) in found.items()}
    assert levels == {"c_e.json": 3, "c_i.json": 3, "c_rim_e.json": 1}


def test_ports_may_stand_in_a_table_by_class(tmp_path):
    text = "cell_class,port,tau,E_rev\ne,1,2,0\ne,2,5,-80\ni,1,1,0\n"
    (tmp_path / "ports.csv").write_text(text)
    resolved = write(tmp_path, ports="ports.csv", synapse="cond")()
    found = point_cells(resolved, "c", placed_types(resolved, "c")[0])
    values = {n: nest_parameters(c, m.synapse, p) for n, (c, m, p) in found.items()}
    assert values["c_e.json"]["E_rev"] == [0.0, -80.0] and values["c_i.json"]["tau_syn"] == [1.0]
    assert "g" not in values["c_e.json"] and values["c_e.json"]["g_m"] == 5.0


@pytest.mark.parametrize(
    "change, said",
    [
        ({"table": None}, ["no parameters", "table or folder"]),
        ({"table": "none.csv"}, ["no such file", "none.csv"]),
        ({"folder": "nowhere"}, ["no such folder", "nowhere"]),
        ({"level": 6}, ["level"]),
        ({"level": 2}, ["glif.csv:2", "glif.csv:3", "th_spike_decay is 0", "level 2"]),
        ({"by": "layer"}, ["cell types without layer", "exc, inh, far"]),
        ({"by": "cell_type"}, ["glif.csv:1", "no column 'cell_type'"]),
        ({"synapse": "cond"}, ["port 1: E_rev is None", "port 2", "synapse cond"]),
        ({"synapse": "psc_double_alpha"}, ["port 1: tau_slow is None", "amp_slow"]),
        ({"ports": [{"tau": "0 ms"}]}, ["tau", "must be above 0"]),
        ({"ports": []}, ["0 ports", "1 to 12"]),
        ({"files": {"e": "x.json"}}, ["there is no folder"]),
    ],
)
def test_what_cannot_be_is_said(tmp_path, change, said):
    text = messages(write(tmp_path, **change))
    assert all(part in text for part in said), text


def test_wrong_tables_are_told_with_their_lines(tmp_path):
    load = write(tmp_path)
    text = TABLE.replace("e,0.1,", "e,-0.1,").replace("i,0.05,0.01", "i,0.05,much")
    (tmp_path / "glif.csv").write_text(text)
    text = messages(load)
    assert "glif.csv:2: C is -0.1" in text and "glif.csv:3: g is 'much'" in text
    (tmp_path / "glif.csv").write_text(TABLE.replace("\ni,", "\nx,"))
    assert "no row for cell_class i" in messages(load)
