"""The one place that turns a plain cell description into NEURON sections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.cells.description import CellDescription, in_list, reduce_level
from pipeline.cells.morphology import Morphology, Section, membrane_of, segment_counts
from pipeline.config.emodel import EModel
from pipeline.errors import MechanismError, Problem


@dataclass(eq=False)
class NeuronCell:
    """NEURON sections of one cell, in lists as hoc templates have them.

    Attributes:
        shape: The whole morphology, also where the level has reduced it.
        all: Section by section id.
        soma: Sections of the soma; likewise axon, dend, apic.
    """

    name: str
    shape: Morphology
    all: list[Any] = field(default_factory=list)
    soma: list[Any] = field(default_factory=list)
    axon: list[Any] = field(default_factory=list)
    dend: list[Any] = field(default_factory=list)
    apic: list[Any] = field(default_factory=list)

    def __str__(self) -> str:
        return self.name


def build_cell(cell: CellDescription, name: str) -> NeuronCell:
    """Builds NEURON sections from a description.

    Args:
        cell: The description.
        name: Prefix of the section names.

    Returns:
        The cell; keep a reference, NEURON frees sections that nobody holds.

    Raises:
        MechanismError: If a mechanism or one of its parameters is unknown to NEURON.
    """
    from neuron import h

    built = NeuronCell(name, cell.morphology)
    cell = reduce_level(cell)
    counts = segment_counts(cell.morphology, cell.discretisation, cell.emodel)
    for section, nseg in zip(cell.morphology.sections, counts, strict=True):
        group = getattr(built, section.section_list)
        sec = h.Section(name=f"{section.section_list}[{len(group)}]", cell=built)
        for point in np.column_stack([section.points, section.diameters]).tolist():
            sec.pt3dadd(*point)
        sec.nseg = int(nseg)
        if section.parent >= 0:
            at = cell.soma_attach if section.parent == 0 else 1.0
            sec.connect(built.all[section.parent](at), 0)
        group.append(sec)
        built.all.append(sec)
        _insert(sec, section, cell.emodel)
    return built


def _insert(sec: Any, section: Section, emodel: EModel) -> None:
    membrane = membrane_of(emodel, section)
    sec.Ra, sec.cm = membrane.Ra, membrane.cm
    sec.insert("pas")
    sec.g_pas, sec.e_pas = membrane.g_pas, membrane.e_pas
    _insert_mechanisms(sec, section, emodel)
    for where, reversal in (emodel.reversal or {}).items():
        for name, value in reversal if in_list(section, where) else ():
            if value is not None and hasattr(
                sec(0.5), name
            ):  # no channel of the ion: nothing to set
                setattr(sec, name, value)


def _insert_mechanisms(sec: Any, section: Section, emodel: EModel) -> None:
    for where, mechanisms in emodel.mechanisms.items():
        if not in_list(section, where):
            continue
        for mechanism, parameters in mechanisms.items():
            try:
                sec.insert(mechanism)
            except (ValueError, AttributeError):
                message = f"no mechanism {mechanism!r}"
                raise MechanismError(
                    Problem(f"e-model {emodel.name}", message, "add its set to mechanisms")
                ) from None
            for name, value in parameters.items():
                _set(sec, mechanism, name, value, emodel)


def _set(sec: Any, mechanism: str, name: str, value: float, emodel: EModel) -> None:
    if not hasattr(sec(0.5), f"{name}_{mechanism}"):
        message = f"mechanism {mechanism!r} has no parameter {name!r}"
        raise MechanismError(Problem(f"e-model {emodel.name}", message, "see its RANGE line"))
    for segment in sec:
        setattr(segment, f"{name}_{mechanism}", value)
