"""The one place that turns a plain cell description into NEURON sections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.cells.description import (
    CellDescription,
    in_list,
    is_density,
    law_of,
    reduce_level,
)
from pipeline.cells.distances import section_starts
from pipeline.cells.morphology import Morphology, Section, membrane_of, segment_counts
from pipeline.cells.noise import NoiseKey, key_channels
from pipeline.config.distributions import Distributed, Parameter
from pipeline.config.emodel import EModel
from pipeline.errors import MechanismError, Problem


@dataclass(eq=False)
class NeuronCell:
    """NEURON sections of one cell, in lists as hoc templates have them.

    Attributes:
        shape: The whole morphology, also where the level has reduced it.
        all: Section by section id.
        soma: Sections of the soma; likewise axon, dend, apic, myelin.
    """

    name: str
    shape: Morphology
    all: list[Any] = field(default_factory=list)
    soma: list[Any] = field(default_factory=list)
    axon: list[Any] = field(default_factory=list)
    dend: list[Any] = field(default_factory=list)
    apic: list[Any] = field(default_factory=list)
    myelin: list[Any] = field(default_factory=list)

    def __str__(self) -> str:
        return self.name


def build_cell(cell: CellDescription, name: str, key: NoiseKey | None = None) -> NeuronCell:
    """Builds NEURON sections from a description.

    Args:
        cell: The description.
        name: Prefix of the section names.
        key: Who the cell is, for the random streams of its channels; default: by its name.

    Returns:
        The cell; keep a reference, NEURON frees sections that nobody holds.

    Raises:
        MechanismError: If a mechanism or one of its parameters is unknown to NEURON, or a law makes
            a conductance negative.
    """
    from neuron import h

    built = NeuronCell(name, cell.morphology)
    cell = reduce_level(cell)
    counts = segment_counts(cell.morphology, cell.discretisation, cell.emodel)
    starts = section_starts(cell.morphology, cell.soma_attach)
    for section, nseg, start in zip(cell.morphology.sections, counts, starts, strict=True):
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
        _insert(sec, section, cell.emodel, float(start))
    names = [name for entries in cell.emodel.mechanisms.values() for name in entries]
    key_channels(built.all, names, key or NoiseKey(0, name, 0))
    return built


def _insert(sec: Any, section: Section, emodel: EModel, start: float) -> None:
    membrane = membrane_of(emodel, section)
    sec.Ra, sec.cm = membrane.Ra, membrane.cm
    sec.insert("pas")
    sec.g_pas, sec.e_pas = membrane.g_pas, membrane.e_pas
    _insert_mechanisms(sec, section, emodel, start)
    for where, reversal in (emodel.reversal or {}).items():
        for name, value in reversal if in_list(section, where) else ():
            if value is not None and hasattr(
                sec(0.5), name
            ):  # no channel of the ion: nothing to set
                setattr(sec, name, value)


def _insert_mechanisms(sec: Any, section: Section, emodel: EModel, start: float) -> None:
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
                _set(sec, mechanism, name, value, emodel, start)


def _set(
    sec: Any, mechanism: str, name: str, value: Parameter, emodel: EModel, start: float
) -> None:
    if not hasattr(sec(0.5), f"{name}_{mechanism}"):
        message = f"mechanism {mechanism!r} has no parameter {name!r}"
        raise MechanismError(Problem(f"e-model {emodel.name}", message, "see its RANGE line"))
    for segment, number in zip(sec, _along(sec, name, value, emodel, start), strict=True):
        setattr(segment, f"{name}_{mechanism}", number)


def _along(sec: Any, name: str, value: Parameter, emodel: EModel, start: float) -> list[float]:
    """The value of a parameter in every segment of a section that starts at a distance (um)."""
    if not isinstance(value, Distributed):
        return [value] * sec.nseg
    distance = start + (np.arange(sec.nseg) + 0.5) / sec.nseg * sec.L
    numbers = value.value * law_of(emodel, value).factor(distance)
    if is_density(name) and numbers.min() < 0:
        at = distance[numbers.argmin()]
        message = f"{value.distribution!r} makes {name} {numbers.min():.3g} S/cm2 at {at:.0f} um"
        hint = "correct the law, or give it minimum: 0"
        raise MechanismError(Problem(f"e-model {emodel.name}, {sec.name()}", message, hint))
    return numbers.tolist()
