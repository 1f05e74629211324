"""Shipped tables equal what their script makes from the packages named beside them."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from pipeline.sources import c302, cect

ROOT = Path(__file__).resolve().parents[2]
WORM = ROOT / "models/worm"
FIXTURES = ROOT.parent / "shared/data/worm"


def wheel(name: str) -> Path:
    """Finds a wheel in the folder SONATINA_WHEELS; it is not part of an installation."""
    folder = Path(os.environ.get("SONATINA_WHEELS", ROOT / ".cache/wheels"))
    found = sorted(folder.glob(f"{name}-*.whl")) if folder.is_dir() else []
    if not found:
        pytest.skip(f"no {name} wheel; 'pip download --no-deps -d .cache/wheels {name}' gets it")
    return found[0]


def neurons() -> list[str]:
    with open(WORM / "tables/neurons.csv") as handle:
        return [row["name"] for row in csv.DictReader(handle)]


def test_morphologies_come_from_c302(tmp_path):
    for path in c302.convert_wheel(wheel("c302"), neurons(), tmp_path):
        assert path.read_bytes() == (WORM / "morphologies" / path.name).read_bytes()


def test_connectomes_come_from_cect(tmp_path):
    for path in cect.convert_wheel(wheel("cect"), neurons(), tmp_path):
        assert path.read_bytes() == (WORM / "tables/connectomes" / path.name).read_bytes()


@pytest.mark.parametrize(("kind", "file"), [("chemical", "chemical"), ("electrical", "gap")])
def test_cook_2019_equals_the_published_matrices(kind, file):
    path = FIXTURES / f"connectome_SI5_{file}_302.csv"
    if not path.is_file():
        pytest.skip("needs the worm fixtures beside the checkout")
    with open(path) as handle:
        published = {(r["pre"], r["post"]): float(r["n"]) for r in csv.DictReader(handle)}
    with open(WORM / "tables/connectomes/cook2019.csv") as handle:
        ours = {
            (r["pre"], r["post"]): float(r["count"])
            for r in csv.DictReader(handle)
            if r["kind"] == kind
        }
    assert ours == published


def test_names_are_padded():
    assert [c302.padded_name(n) for n in ("DA1", "VB11", "I1L", "AS9")] == [
        "DA01",
        "VB11",
        "I1L",
        "AS09",
    ]


CELL = """<neuroml xmlns="http://www.neuroml.org/schema/neuroml2"><cell id="X"><morphology id="m">
<segment id="0"><proximal x="0" y="0" z="0" diameter="2"/><distal x="0" y="0" z="0" diameter="2"/></segment>
<segment id="1"><parent segment="0"/><proximal x="0" y="0" z="0" diameter="1"/><distal x="5" y="0" z="0" diameter="1"/></segment>
<segment id="2"><parent segment="%s"/><distal x="5" y="5" z="0" diameter="1"/></segment>
<segmentGroup id="Soma"><member segment="0"/></segmentGroup>
<segmentGroup id="Axon"><member segment="1"/></segmentGroup>
<segmentGroup id="Dendrite2"><member segment="2"/></segmentGroup></morphology></cell></neuroml>"""


def test_neuroml_becomes_swc():
    rows = [line.split() for line in c302.neuroml_to_swc(CELL % 1, "X").splitlines()[1:]]
    assert [(r[1], r[2], r[3], r[6]) for r in rows] == [
        ("1", "0", "0", "-1"), ("1", "0", "2", "1"), ("2", "0", "0", "2"), ("2", "5", "0", "3"),
        ("3", "5", "5", "4"),
    ]  # fmt: skip
