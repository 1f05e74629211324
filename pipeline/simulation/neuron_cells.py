"""The two kinds of cells a NEURON run has: sections of a morphology, and point cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.cells.biophysical import NeuronCell, build_cell
from pipeline.cells.description import cell_from_json
from pipeline.cells.glif import from_nest
from pipeline.cells.glif_neuron import GlifCell
from pipeline.cells.glif_synapses import ports_from_nest
from pipeline.cells.morphology import read_morphology
from pipeline.cells.noise import NoiseKey
from pipeline.errors import CircuitError, Problem, SimulationError
from pipeline.sonata.layout import CircuitPaths

UNIT = 1e-3
"""Weights onto point cells are in pA or nS, as NEST has them; the mechanism counts in nA or uS."""


class CellShelf:
    """Builds cells from their files, each of which is read once.

    Args:
        paths: The circuit.
        seed: Of the run, for random channels.
    """

    def __init__(self, paths: CircuitPaths, seed: int):
        self._paths, self._seed = paths, seed
        self._suffix = _morphology_suffix(paths)
        self._shapes: dict[tuple[str, str], Any] = {}
        self._described: dict[tuple[str, str], Any] = {}

    def build(
        self, population: str, node: int, morphology: str, parameters: dict[str, Any]
    ) -> NeuronCell:
        """Builds the cell of a node.

        Args:
            population: Its node population.
            node: Its id.
            morphology: Name of its file, with or without the suffix.
            parameters: Content of its ``dynamics_params`` file.
        """
        name = morphology.removesuffix(self._suffix)  # BMTK adds it to names of the types table
        axon = parameters.get("axon", "keep")
        if (name, axon) not in self._shapes:
            path = self._paths.morphologies / f"{name}{self._suffix}"
            self._shapes[name, axon] = read_morphology(path, axon)
        key = (name, str(parameters))
        if key not in self._described:
            self._described[key] = cell_from_json(parameters, self._shapes[name, axon])
        noise = NoiseKey(self._seed, population, node)
        return build_cell(self._described[key], f"{name}_{node}", noise)


def _morphology_suffix(paths: CircuitPaths) -> str:
    if not paths.morphologies.is_dir():
        return ""
    files = paths.morphologies.iterdir()
    found = sorted({path.suffix for path in files if not path.name.startswith(".")})
    if len(found) != 1:
        raise SimulationError(f"{paths.morphologies}: expected one file type, found {found}")
    return found[0]


def build_point(
    template: str, parameters: dict[str, Any], name: str, precise: float | None = None
) -> GlifCell:
    """Builds a GLIF cell from a NEST model's name and parameters; ``precise`` as GlifCell has it.

    Raises:
        ConfigError: If the parameters do not fit.
        MechanismError: If the mechanism set ``glif`` is not loaded.
    """
    kind, ports = ports_from_nest(template, parameters, name)
    cell = GlifCell(from_nest(parameters, name), kind, ports, name, precise)
    cell.point.unit = UNIT
    return cell


def is_point(hobj: Any) -> bool:
    """Whether a cell is a point process with a membrane of its own."""
    return not hasattr(hobj, "soma")


def voltages(hobj: Any, wanted: str | list[int]) -> Iterator[tuple[int, float, Any]]:
    """Yields section id, position and reference of the voltages of a cell.

    Args:
        hobj: The cell.
        wanted: soma, all, or section ids; ids the cell does not have are passed over.
    """
    if is_point(hobj):
        if wanted in ("soma", "all") or 0 in wanted:
            yield 0, 0.5, hobj._ref_vm
        return
    sections = [(0, hobj.soma[0])] if wanted == "soma" else list(enumerate(hobj.all))
    for index, section in sections:
        if isinstance(wanted, str) or index in wanted:
            for segment in section:
                yield index, segment.x, segment._ref_v


def segment_count(hobj: Any) -> int:
    """Number of compartments; a point cell counts as one."""
    return 1 if is_point(hobj) else sum(section.nseg for section in hobj.all)


def unstable(hobj: Any) -> list[str]:
    """Names the sections whose voltage is not finite."""
    if is_point(hobj):
        return [] if np.isfinite(hobj.vm) else ["vm"]
    return [f"section {k}" for k, sec in enumerate(hobj.all) if not np.isfinite(sec(0.5).v)]


def locate(cell: Any, section: int, position: float) -> tuple[Any, float]:
    """Returns section and x of a contact; reduced cells have the soma only.

    Args:
        cell: With ``node_id`` and ``hobj``.
        section: Section id, as the morphology's file has it; a cell whose axon is replaced has others.
        position: From 0 to 1 along the section.

    Raises:
        CircuitError: If the cell has no such section.
    """
    if is_point(cell.hobj):
        message = f"an edge names section {section} of node {cell.node_id}, a point cell"
        raise CircuitError(Problem("edges", message, "give it a morphology or another template"))
    sections = cell.hobj.all
    if len(sections) == 1:
        return sections[0], 0.5
    shape = getattr(cell.hobj, "shape", None)
    try:
        return sections[section if shape is None else shape.section_of(section)], position
    except IndexError:
        count = len(sections) if shape is None else len(shape.whole) or len(sections)
        message = f"an edge names section {section} of node {cell.node_id}, which has {count}"
        raise CircuitError(Problem("edges", message, "'sonatina check' tells which")) from None
