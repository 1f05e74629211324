"""Reading fit files: what they become, and what is said about those that cannot be meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cells.allen import read_fit
from pipeline.cells.description import cell_type_to_json
from pipeline.cells.library import cell_classes, class_parts
from pipeline.cells.morphology import read_morphology
from pipeline.cells.parametric import NUMBERS, grow
from pipeline.config.emodel import read_emodel
from pipeline.config.schema import Cells, Morphologies
from pipeline.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


def fit():
    sections = ("soma", "axon", "dend")
    genome = [
        {"section": s, "name": "g_pas", "value": 1e-5 * (k + 1), "mechanism": ""}
        for k, s in enumerate(sections)
    ]
    genome += [
        {"section": "soma", "name": "gbar_Ih", "value": 2e-5, "mechanism": "Ih"},
        {"section": "soma", "name": "gbar_Kv3_1", "value": 0.1, "mechanism": "Kv3_1"},
        {"section": "soma", "name": "decay_CaDynamics", "value": 400.0, "mechanism": "CaDynamics"},
    ]
    cm = [{"section": s, "cm": 1.0 + k} for k, s in enumerate(sections)]
    return {
        "passive": [{"ra": 120.0, "cm": cm, "e_pas": -85.5}],
        "fitting": [{"sweeps": [1]}],
        "conditions": [
            {
                "celsius": 34.0,
                "v_init": -85.5,
                "erev": [{"section": "soma", "ena": 53.0, "ek": -107.0}],
            }
        ],
        "genome": genome,
    }


def write(folder, value):
    path = folder / "1_fit.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_a_fit_becomes_an_emodel(tmp_path):
    emodel = read_fit(write(tmp_path, fit()))
    assert set(emodel.passive) == {"soma", "axon", "dend"}
    dend = emodel.passive["dend"]
    assert (dend.Ra, dend.cm, dend.g_pas, dend.e_pas) == (120.0, 3.0, pytest.approx(3e-5), -85.5)
    assert emodel.mechanisms == {
        "soma": {"Ih": {"gbar": 2e-5}, "Kv3_1": {"gbar": 0.1}, "CaDynamics": {"decay": 400.0}}
    }
    assert (emodel.reversal["soma"].ena, emodel.reversal["soma"].ek) == (53.0, -107.0)
    assert (emodel.conditions.celsius, emodel.conditions.v_init) == (34.0, -85.5)


def change(path, value):
    """A fit with one value replaced, or dropped when it is None."""
    data = fit()
    *parents, last = path
    held = data
    for key in parents:
        held = held[key]
    if value is None:
        del held[last]
    else:
        held[last] = value
    return data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{", ["1_fit.json:1", "not JSON"]),
        ("[]", ["1_fit.json", "the file"]),
        (change(["genome"], None), ["genome", "required"]),
        (change(["passive"], []), ["passive"]),
        (change(["passive", 0, "ra"], -1.0), ["passive[0].ra", "greater than 0"]),
        (change(["passive", 0, "e_pas"], float("nan")), ["passive[0].e_pas", "finite"]),
        (change(["genome", 3, "value"], "2e-5"), ["genome[3].value", "number"]),
        (change(["genome", 3, "section"], "spine"), ["genome[3].section", "apic"]),
        (change(["genome", 3, "name"], "gbar_Im"), ["genome[3]", "gbar_Im", "_Ih"]),
        (change(["genome", 4, "value"], -0.1), ["genome[4]", "below 0"]),
        (change(["genome", 1, "section"], "soma"), ["given twice", "no g_pas for axon"]),
        (change(["passive", 0, "cm", 2], None), ["nothing for dend"]),
    ],
)
def test_a_malformed_fit_is_refused_with_its_place(tmp_path, data, said):
    with pytest.raises(ConfigError) as caught:
        read_fit(write(tmp_path, data))
    assert all(word in str(caught.value) for word in said), str(caught.value)


def test_a_missing_fit(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_fit(tmp_path / "2_fit.json")


def test_unset_keys_are_not_stored():
    """Stored cell types of models that use none of the new keys keep their bytes."""
    emodel, _ = read_emodel(ROOT / "models/worm/emodels/AIY.yaml")
    plain = cell_type_to_json(emodel, Cells(morphologies=Morphologies(path="m")))
    assert set(plain) == {"emodel", "discretisation", "level", "soma_attach"}
    assert not {"reversal", "conditions"} & set(plain["emodel"])
    stub = cell_type_to_json(emodel, Cells(morphologies=Morphologies(path="m"), axon="stub"))
    assert stub["axon"] == "stub"


def test_stand_ins_have_their_length_and_are_deterministic(tmp_path):
    names = cell_classes(ROOT / "models/v1")
    assert len(names) == 17
    for name in names:
        emodel, shape = class_parts(ROOT / "models/v1", name, tmp_path)
        first = shape.read_bytes()
        class_parts(ROOT / "models/v1", name, tmp_path)
        assert emodel.is_file() and shape.read_bytes() == first
        cell = read_morphology(shape)
        length = sum(s.length for s in cell.sections[1:])
        assert 1000 < length < 6000
        assert any(s.kind == 4 for s in cell.sections) == name.startswith("e")
    with pytest.raises(ConfigError, match="no class 'e23'.*known: e2"):
        class_parts(ROOT / "models/v1", "e23", tmp_path)


def test_numbers_that_make_no_cell():
    with pytest.raises(ConfigError) as caught:
        grow("x", {key: -1.0 for key in NUMBERS if key != "stems"})
    text = str(caught.value)
    assert "no stems" in text and "section_length is out of range" in text
