"""C. elegans morphologies from the c302 package (NeuroML2) to SWC files.

c302 (MIT, OpenWorm; https://github.com/openworm/c302) ships one ``NAME.cell.nml`` per neuron. Its wheel
is read as plain files: neither the package nor its dependencies need to be importable.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from pipeline.errors import MorphologyError, Problem
from pipeline.runtime import progress, write_text
from pipeline.sources.wheel import open_wheel

_NML = "{http://www.neuroml.org/schema/neuroml2}"
_SWC_TYPE = {"soma": 1, "axon": 2, "dendrite": 3, "neurite": 3}
VERSION = "c302 0.12.1"


def padded_name(name: str) -> str:
    """Writes motor neuron numbers with two digits: ``DA1`` becomes ``DA01``."""
    match = re.fullmatch(r"(AS|DA|DB|DD|VA|VB|VC|VD)(\d)", name)
    return f"{match[1]}0{match[2]}" if match else name


def convert_wheel(wheel: str | Path, names: list[str], out: str | Path) -> list[Path]:
    """Writes one SWC file per neuron from a c302 wheel.

    Args:
        wheel: The ``.whl`` file.
        names: Neurons to convert, zero-padded.
        out: Folder of the SWC files.

    Returns:
        The files written.

    Raises:
        MorphologyError: If the wheel lacks a neuron or a cell is not as expected.
    """
    with open_wheel(wheel, VERSION) as archive:
        cells = {
            padded_name(Path(entry).name.split(".")[0]): entry
            for entry in archive.namelist()
            if entry.endswith(".cell.nml")
        }
        missing = sorted(set(names) - set(cells))
        if missing:
            message = f"no morphology for {', '.join(missing)}"
            raise MorphologyError(Problem(str(wheel), message, f"expected {VERSION}"))
        texts = {
            Path(out) / f"{name}.swc": neuroml_to_swc(archive.read(cells[name]).decode(), name)
            for name in progress(names, total=len(names), label="c302", unit="cell")
        }
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


def neuroml_to_swc(text: str, name: str) -> str:
    """Converts one NeuroML2 cell to SWC, sections in depth-first order.

    The soma is one sphere in the source; here it is the equivalent cylinder of length = diameter
    along y (the body axis). Neurites start at their own first point, as in the source.

    Args:
        text: The NeuroML document.
        name: Cell name, for the header and messages.

    Returns:
        The SWC text (um).

    Raises:
        MorphologyError: If sections are not a tree attached end to end.
    """
    morphology = ElementTree.fromstring(text).find(f".//{_NML}morphology")
    segments = {s.get("id"): s for s in morphology.findall(f"{_NML}segment")}
    sections = {
        group.get("id"): [m.get("segment") for m in group.findall(f"{_NML}member")]
        for group in morphology.findall(f"{_NML}segmentGroup")
        if group.find(f"{_NML}member") is not None
    }
    owner = {segment: section for section, members in sections.items() for segment in members}
    children: dict[str | None, list[str]] = {}
    for section, members in sections.items():
        parent = segments[members[0]].find(f"{_NML}parent")
        above = None if parent is None else parent.get("segment")
        if above is not None and sections[owner[above]][-1] != above:
            raise MorphologyError(Problem(name, f"section {section} starts inside its parent"))
        children.setdefault(owner.get(above), []).append(section)
    lines = [f"# {name}, converted from {VERSION} (MIT); columns: id type x y z radius parent; um"]
    last: dict[str, int] = {}
    stack = [(section, None) for section in reversed(children[None])]
    while stack:
        section, parent = stack.pop()
        _write_section(section, parent, sections[section], segments, lines, last)
        stack += [(child, section) for child in reversed(children.get(section, []))]
    return "\n".join(lines) + "\n"


def _write_section(section, parent, members, segments, lines, last) -> None:
    kind = _SWC_TYPE[re.sub(r"\d", "", section).lower()]
    if kind == 1:
        x, y, z, diameter = _point(segments[members[0]].find(f"{_NML}distal"))
        points = [(x, y, z, diameter), (x, y + diameter, z, diameter)]
    else:
        points = [_point(segments[m].find(f"{_NML}distal")) for m in members]
        first = segments[members[0]].find(f"{_NML}proximal")
        if first is not None and (parent is None or last[parent] == 2):
            points.insert(0, _point(first))
    above = -1 if parent is None else last[parent]
    for x, y, z, diameter in points:
        index = len(lines)
        lines.append(f"{index} {kind} {x:.6g} {y:.6g} {z:.6g} {diameter / 2:.6g} {above}")
        above = index
    last[section] = above


def _point(element) -> tuple[float, float, float, float]:
    return tuple(float(element.get(key)) for key in ("x", "y", "z", "diameter"))
