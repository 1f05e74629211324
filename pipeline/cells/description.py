"""Plain descriptions of cells: no simulator objects, storable as JSON, reducible to coarser levels."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from pipeline.cells.distances import mean_factor
from pipeline.cells.morphology import SOMA, Morphology, Section, membrane_of, with_axon
from pipeline.config.distributions import Distributed, Distribution
from pipeline.config.emodel import EModel
from pipeline.config.schema import Cells, Discretisation, DLambda, FixedLength, OddLength
from pipeline.errors import ConfigError, Problem


@dataclass(frozen=True)
class CellDescription:
    """Everything that defines a cell, without any simulator object.

    Attributes:
        morphology: Its shape.
        emodel: Its membrane.
        discretisation: How long a compartment may be.
        level: full, passive or single_compartment.
        soma_attach: Where neurites attach on the soma, 0 to 1.
    """

    morphology: Morphology
    emodel: EModel
    discretisation: FixedLength | OddLength | DLambda
    level: str = "full"
    soma_attach: float = 0.5


def cell_type_to_json(emodel: EModel, cells: Cells) -> dict[str, Any]:
    """Returns what a cell type needs besides its morphology, for ``components/emodels``."""
    stored = {
        "emodel": emodel.model_dump(mode="json", by_alias=True, exclude_none=True),
        "discretisation": cells.discretisation.model_dump(mode="json"),
        "level": cells.level,
        "soma_attach": cells.soma_attach,
    }
    return stored if cells.axon == "keep" else stored | {"axon": cells.axon}


def stored_cell(emodel: EModel, rule: OddLength, axon: str) -> dict[str, Any]:
    """Returns the same for a cell model of a placed population."""
    return {
        "emodel": emodel.model_dump(mode="json", by_alias=True, exclude_none=True),
        "discretisation": rule.model_dump(mode="json"),
        "level": "full",
        "soma_attach": 0.5,
        "axon": axon,
    }


def cell_from_json(data: dict[str, Any], morphology: Morphology) -> CellDescription:
    """Joins a stored cell type with a morphology, whose axon becomes what the type says."""
    return CellDescription(
        morphology=with_axon(morphology, data.get("axon", "keep")),
        emodel=EModel.model_validate(data["emodel"]),
        discretisation=TypeAdapter(Discretisation).validate_python(data["discretisation"]),
        level=data["level"],
        soma_attach=data["soma_attach"],
    )


def reduce_level(cell: CellDescription) -> CellDescription:
    """Reduces a description to its level; the builder itself knows no levels."""
    if cell.level == "single_compartment":
        return _one_compartment(cell)
    if cell.level == "passive":
        return _with_emodel(cell, cell.emodel.model_copy(update={"mechanisms": {}}))
    return cell


def _with_emodel(cell: CellDescription, emodel: EModel, **changes: Any) -> CellDescription:
    fields = {name: getattr(cell, name) for name in cell.__dataclass_fields__}
    return CellDescription(**(fields | {"emodel": emodel, "level": "full"} | changes))


def _one_compartment(cell: CellDescription) -> CellDescription:
    """A cylinder of the same membrane area; densities keep each channel's total conductance."""
    areas = np.array([section.area for section in cell.morphology.sections])
    total = float(areas.sum())
    side = math.sqrt(total / math.pi)
    start = cell.morphology.soma_position
    points = np.stack([start, start + [0.0, side, 0.0]])
    soma = Section(SOMA, -1, points, np.array([side, side]))
    mechanisms: dict[str, dict[str, float]] = {}
    for where, entries in cell.emodel.mechanisms.items():
        inside = [i for i, s in enumerate(cell.morphology.sections) if in_list(s, where)]
        share = areas[inside].sum() / total
        for mechanism, parameters in entries.items():
            held = mechanisms.setdefault(mechanism, {})
            for name, value in parameters.items():
                if isinstance(value, Distributed):
                    law = law_of(cell.emodel, value)
                    value = value.value * mean_factor(
                        cell.morphology, inside, law, cell.soma_attach
                    )
                scaled = value * float(share) if is_density(name) else value
                held[name] = held.get(name, 0.0) + scaled if is_density(name) else scaled
    membranes = [membrane_of(cell.emodel, s) for s in cell.morphology.sections]
    mean = {
        key: float(np.average([getattr(m, key) for m in membranes], weights=areas))
        for key in ("Ra", "cm", "g_pas", "e_pas")
    }
    emodel = cell.emodel.model_copy(
        update={"passive": {"all": type(membranes[0])(**mean)}, "mechanisms": {"soma": mechanisms}}
    )
    return _with_emodel(cell, emodel, morphology=Morphology(cell.morphology.name, (soma,)))


def is_density(parameter: str) -> bool:
    """Whether a parameter is a conductance density: gbar, or the published gNaTgbar, gkbar."""
    return re.fullmatch(r"g\w*bar", parameter) is not None


def law_of(emodel: EModel, value: Distributed) -> Distribution:
    """Returns the law that a parameter names.

    Raises:
        ConfigError: If the e-model has no such law.
    """
    laws = emodel.distributions or {}
    if value.distribution not in laws:
        message = f"no distribution is called {value.distribution!r}"
        raise ConfigError(Problem(f"e-model {emodel.name}", message, "add it: distributions"))
    return laws[value.distribution]


def in_list(section: Section, where: str) -> bool:
    """Whether a section belongs to a section list of an e-model."""
    if where == "neurites":
        return section.kind != SOMA
    return where in ("all", section.section_list)
