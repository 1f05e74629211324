"""The two kinds of cells a NEURON run has: sections of a morphology, and point cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.cells.glif import from_nest
from pipeline.cells.glif_neuron import GlifCell
from pipeline.cells.glif_synapses import ports_from_nest
from pipeline.errors import CircuitError, Problem

UNIT = 1e-3
"""Weights onto point cells are in pA or nS, as NEST has them; the mechanism counts in nA or uS."""


def build_point(template: str, parameters: dict[str, Any], name: str) -> GlifCell:
    """Builds a GLIF cell from a NEST model's name and parameters.

    Raises:
        ConfigError: If the parameters do not fit.
        MechanismError: If the mechanism set ``glif`` is not loaded.
    """
    kind, ports = ports_from_nest(template, parameters, name)
    cell = GlifCell(from_nest(parameters, name), kind, ports, name)
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
        section: Section id.
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
    if section >= len(sections):
        message = (
            f"an edge names section {section} of node {cell.node_id}, which has {len(sections)}"
        )
        raise CircuitError(Problem("edges", message, "'sonatina check' tells which"))
    return sections[section], position
