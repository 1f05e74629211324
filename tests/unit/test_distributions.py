"""Laws of distance, axon stubs and streams of channel noise, without a simulator."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipeline.cells.description import CellDescription, is_density, reduce_level
from pipeline.cells.distances import mean_factor, section_starts
from pipeline.cells.morphology import Morphology, Section, read_morphology, with_axon
from pipeline.cells.noise import NoiseKey, stream_ids
from pipeline.config.distributions import Distribution
from pipeline.config.emodel import EModel, read_emodel
from pipeline.config.schema import FixedLength
from pipeline.errors import ConfigError, MechanismError
from pipeline.mechanisms import describe_set

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared/data/blue-brain"
LAW = TypeAdapter(Distribution)
NUMBER = st.floats(-3, 3)
SWC = "1 1 0 0 0 5 -1\n2 2 0 -5 0 1 1\n3 2 0 -45 0 1 2\n4 2 0 -85 0 0.5 3\n5 2 9 -99 0 0.2 4\n"
SWC += (
    "6 2 -9 -99 0 0.2 4\n7 3 0 5 0 1 1\n8 3 0 65 0 0.5 7\n9 3 0 105 30 0.3 8\n10 3 9 105 0 0.3 8\n"
)


@pytest.fixture
def swc(tmp_path):
    (tmp_path / "c.swc").write_text(SWC)
    return tmp_path / "c.swc"


def law(name, **numbers):
    return LAW.validate_python({"law": name, "source": "test", **numbers})


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1500), min_size=1, max_size=6), NUMBER, NUMBER, st.floats(0, 0.01))
def test_laws_against_plain_arithmetic(distances, a, b, rate):
    d = np.array(distances)
    naive = {
        law("uniform"): lambda x: 1.0,
        law("exponential", offset=a, scale=b, rate=rate, origin=-50): lambda x: (
            a + b * math.exp(rate * (x + 50))
        ),
        law("decay", rate=rate): lambda x: math.exp(-rate * x),
        law("linear", offset=a, slope=rate): lambda x: a + rate * x,
        law("step", start=100, stop="0.5 mm", inside=a, outside=b): lambda x: (
            a if 100 <= x < 500 else b
        ),
        law("sigmoid", low=a, high=b, half=300, width=50): lambda x: (
            a + (b - a) / (1 + math.exp(-(x - 300) / 50))
        ),
        law("linear", offset=a, slope=-rate, minimum=0.25): lambda x: max(a - rate * x, 0.25),
    }
    for one, plain in naive.items():
        np.testing.assert_allclose(
            one.factor(d), [plain(x) for x in distances], rtol=1e-12, atol=1e-12
        )


def test_the_published_laws():
    """blue-brain.md 5.1; the last is negative as it is written there, hence ``minimum``."""
    ih = law("exponential", offset=-0.8696, scale=2.087, rate=0.0031)
    assert ih.factor(np.array([0.0, 600.0])) == pytest.approx([1.2174, 12.537], rel=1e-4)
    shifted = {"offset": -0.8696, "scale": 2.087, "rate": -0.003, "origin": -1000}
    assert law("exponential", **shifted).factor(np.zeros(1)) == pytest.approx([-0.7657], rel=1e-3)
    assert law("exponential", **shifted, minimum=0).factor(np.zeros(1)) == [0.0]


EMODEL = """schema: 1
name: cell
source: test
passive: {all: {Ra: 100, cm: 1, g_pas: 3e-5, e_pas: -75}}
distributions:
  ih_apical: {law: exponential, offset: -0.8696, scale: 2.087, rate: 0.0031, source: Kole 2006}
mechanisms:
  dend:
    Ih: {gIhbar: {value: 8.0e-5, distribution: ih_apical}, ehcn: -45}
"""


def test_an_emodel_with_a_law(tmp_path):
    (tmp_path / "cell.yaml").write_text(EMODEL)
    emodel, _ = read_emodel(tmp_path / "cell.yaml")
    value = emodel.mechanisms["dend"]["Ih"]["gIhbar"]
    assert (value.value, value.distribution) == (8e-5, "ih_apical")
    stored = emodel.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert EModel.model_validate(stored) == emodel
    assert stored["mechanisms"]["dend"]["Ih"]["ehcn"] == -45.0


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("ution: ih_apical}", "ution: ih_apicl}", 9, "ih_apical"),
        ("law: exponential", "law: cosine", 6, "law is 'cosine'"),
        ("law: exponential", "law: decay", 6, "unknown key 'offset'"),
        ("rate: 0.0031", "rate: fast", 6, "fast"),
        ("value: 8.0e-5", "value: high", 9, "high"),
        ("value: 8.0e-5", "valu: 8.0e-5", 9, "unknown key 'valu'"),
        ("ehcn: -45", "ehcn: low", 9, "low"),
        (", source: Kole 2006", "", 6, "source"),
    ],
)
def test_a_wrong_law_is_named_with_its_line(tmp_path, old, new, line, said):
    assert old in EMODEL
    (tmp_path / "cell.yaml").write_text(EMODEL.replace(old, new))
    with pytest.raises(ConfigError) as failure:
        read_emodel(tmp_path / "cell.yaml")
    text = str(failure.value)
    assert f"cell.yaml:{line}" in text and said in text, text


def test_stored_emodels_keep_their_bytes():
    """Plain numbers stay numbers, and an e-model without laws stores none."""
    read = [read_emodel(path) for path in sorted(ROOT.glob("models/*/emodels/*.yaml"))]
    without = [found for found in read if "distributions" not in found[1].data]
    assert len(without) > 15
    for emodel, document in without:
        stored = emodel.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert "distributions" not in stored
        plain = {
            where: {m: {k: float(v) for k, v in (p or {}).items()} for m, p in entries.items()}
            for where, entries in document.data.get("mechanisms", {}).items()
        }
        assert stored["mechanisms"] == plain


def test_starts_count_from_the_somas_first_end(swc):
    cell = with_axon(read_morphology(swc), "none")
    assert section_starts(cell, 0.5) == pytest.approx([0, 5, 65, 65])
    assert section_starts(cell, 1.0) == pytest.approx([0, 10, 70, 70])


def test_a_point_cell_keeps_the_total_of_a_law(swc, tmp_path):
    (tmp_path / "cell.yaml").write_text(EMODEL)
    emodel, _ = read_emodel(tmp_path / "cell.yaml")
    cell = with_axon(read_morphology(swc), "none")
    point = reduce_level(CellDescription(cell, emodel, FixedLength(), "single_compartment"))
    ih, total = emodel.distributions["ih_apical"], 0.0
    for start, section in zip(section_starts(cell, 0.5)[1:], cell.sections[1:], strict=True):
        for k in range(len(section.points) - 1):  # fine slices of every frustum
            for t in (np.arange(400) + 0.5) / 400:
                radius = np.interp(k + t, range(len(section.points)), section.diameters / 2)
                length = (section.arc[k + 1] - section.arc[k]) / 400
                away = start + section.arc[k] + t * 400 * length
                total += 8e-5 * float(ih.factor(np.array([away]))[0]) * 2 * np.pi * radius * length
    found = point.emodel.mechanisms["soma"]["Ih"]
    area = sum(section.area for section in cell.sections)
    assert found["gIhbar"] * area == pytest.approx(total, rel=1e-4)
    assert found["ehcn"] == -45
    assert mean_factor(cell, [], ih, 0.5) == 0.0


def test_conductance_densities_by_name():
    names = ["gbar", "gkbar", "gNaTs2_tbar", "gamma", "decay", "vshiftm", "deterministic", "bar"]
    assert [is_density(name) for name in names] == [True] * 3 + [False] * 5


def test_stubs_take_the_diameters_of_the_axon(swc):
    whole = read_morphology(swc)
    axon = [s for s in whole.sections if s.kind == 2]
    assert len(axon) == 3
    widths = [section.area / (math.pi * section.length) for section in axon]
    tapered = with_axon(whole, "stub_tapered")
    found = [(s.section_list, s.length, s.diameters[0]) for s in tapered.sections[-2:]]
    assert found == [
        ("axon", 30.0, pytest.approx(widths[0])),
        ("axon", 30.0, pytest.approx(widths[1])),  # the first whose middle is beyond 60 um
    ]
    myelin = with_axon(whole, "stub_myelin")
    assert len(myelin.sections) == len(tapered.sections) + 1
    last = myelin.sections[-1]
    assert (last.section_list, last.parent) == ("myelin", len(myelin.sections) - 2)
    assert (last.length, last.segments) == (1000.0, 5)
    pieces = pieces_by_hand(axon)
    stub = [s for s in myelin.sections if s.section_list == "axon"]
    assert [s.length for s in stub] == [30.0, 30.0] and [s.segments for s in stub] == [5, 5]
    for section, own in zip(stub, (pieces[:5], pieces[5:]), strict=True):
        middles = [0.1, 0.3, 0.5, 0.7, 0.9]
        wide = np.interp(np.array(middles) * 30, section.arc, section.diameters)
        np.testing.assert_allclose(wide, own, rtol=1e-3)
    assert last.diameters[0] == pytest.approx(pieces[9], rel=1e-3)
    assert with_axon(myelin, "stub_myelin") is myelin  # stored cells go through the rule again
    assert [s.section_list for s in with_axon(myelin, "none").sections].count("myelin") == 0


def pieces_by_hand(axon):
    """Ten diameters, section after section, each cut into 1 + 2 int(L / 12 um) pieces: by sampling."""
    found = []
    for section in axon:
        count = 1 + 2 * int(section.length / 12)
        for piece in range(count):
            at = (piece + (np.arange(20_000) + 0.5) / 20_000) / count * section.length
            found.append(np.interp(at, section.arc, section.diameters).mean())
    return (found + found[-1:] * 10)[:10]


def test_a_stub_without_axon_is_1_um_wide():
    soma = Section(1, -1, np.array([[0.0, -5, 0], [0, 5, 0]]), np.array([10.0, 10]))
    stub = with_axon(Morphology("ball", (soma,)), "stub_myelin")
    assert [(s.length, s.diameters[0]) for s in stub.sections[1:]] == [(30, 1), (30, 1), (1000, 1)]


def test_type_5_in_a_file_is_no_myelin(tmp_path):
    (tmp_path / "x.swc").write_text("1 1 0 0 0 5 -1\n2 5 0 5 0 1 1\n3 5 0 9 0 1 2\n")
    with pytest.raises(Exception, match="type 5|not a usable"):
        read_morphology(tmp_path / "x.swc")


def test_streams_are_distinct_and_depend_on_ids_alone():
    keys = [NoiseKey(s, p, i) for s in (1, 2) for p in ("a", "b") for i in (0, 1, 2**32 - 1)]
    ids = [
        stream_ids(key, name, section, segment)
        for key in keys
        for name in ("StochKv", "StochKv3")
        for section in (0, 1, 2**20 - 1)
        for segment in (0, 1, 2**12 - 1)
    ]
    assert len(set(ids)) == len(ids) and max(map(max, ids)) < 2**32
    assert stream_ids(NoiseKey(1, "a", 5), "StochKv", 2, 3) == (5, 2 << 12 | 3, 524887846)
    with pytest.raises(MechanismError, match="segment 4096"):
        stream_ids(NoiseKey(1, "a", 5), "StochKv", 2, 4096)


def published_parameters():
    """Mechanism and parameter of every entry of the published files: {(mechanism, name)}."""
    folder = SHARED / "emodels"
    if not folder.is_dir():
        pytest.skip(f"no published parameter files: {folder.name} of the data folder is absent")
    found, known = set(), describe_set(ROOT / "mechanisms/cortex")
    for file in sorted(folder.glob("sscx2023/params/*.json")):
        for entries in json.loads(file.read_text())["parameters"].values():
            for entry in entries if isinstance(entries, list) else ():
                name = entry.get("name", "")
                mechanism = next((m for m in known if name.endswith(f"_{m}")), None)
                if mechanism or name.startswith("g") and name not in ("g_pas",):
                    found.add((mechanism, name.removesuffix(f"_{mechanism}")))
    models = json.loads((folder / "nmc2015/e_models.json").read_text())["e_models"]
    for model in models.values():
        for part in model["parameters"].values():
            for mechanism in part.keys() - {"section", "ion", "pas", "StochKv_deterministic"}:
                found |= {(mechanism, name) for name in part[mechanism]}
    return found, known


def test_published_parameter_files_map_one_to_one():
    found, known = published_parameters()
    assert len(found) > 25
    assert [f for f in sorted(found, key=str) if f[0] not in known] == []
    assert [f for f in sorted(found) if f[1] not in known[f[0]].ranges] == []
