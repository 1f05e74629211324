"""Free numbers of a fit, and the e-model that a vector of them makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.config.distributions import Distribution
from pipeline.config.emodel import EModel
from pipeline.fitting.tables import LISTS, Parameter

MEMBRANE = ("Ra", "cm", "g_pas", "e_pas")
DEFAULT_CM = 1.0


def free(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Returns the parameters that a search moves, in the order of their table."""
    return [parameter for parameter in parameters if parameter.bounds]


def emodel_of(
    name: str,
    parameters: Sequence[Parameter],
    laws: dict[str, Distribution],
    vector: Sequence[float],
    source: str,
) -> EModel:
    """Builds the e-model of one individual.

    Args:
        name: Of the e-model.
        parameters: All rows of the bounds.
        laws: Laws of distance by name.
        vector: Values of the free parameters (units of their rows), in the order of ``free``.
        source: Where the numbers come from.

    Returns:
        The e-model; a free number that stands for several section lists is the same in all.

    Raises:
        pydantic.ValidationError: If the numbers do not make an e-model.
    """
    values = iter(vector)
    passive: dict[str, dict[str, float]] = {where: {"cm": DEFAULT_CM} for where in LISTS}
    reversal: dict[str, dict[str, float]] = {}
    mechanisms: dict[str, dict[str, dict[str, Any]]] = {}
    conditions: dict[str, float] = {}
    shapes = {key: law.model_dump() for key, law in laws.items()}
    for parameter in parameters:
        value = next(values) if parameter.bounds else parameter.value
        if parameter.mechanism == "conditions":
            conditions[parameter.name] = value
        elif parameter.mechanism == "distributions":
            law, key = parameter.name.split(".")
            shapes[law][key] = value
        for where in parameter.lists:
            if parameter.mechanism == "passive":
                passive[where][parameter.name] = value
            elif parameter.mechanism == "reversal":
                reversal.setdefault(where, {})[parameter.name] = value
            else:
                held = mechanisms.setdefault(where, {}).setdefault(parameter.mechanism, {})
                if parameter.name and parameter.distribution:
                    held[parameter.name] = {"value": value, "distribution": parameter.distribution}
                elif parameter.name:
                    held[parameter.name] = value
    return EModel.model_validate(
        {
            "schema": 1, "name": name, "source": source, "passive": passive,
            "mechanisms": mechanisms, "reversal": reversal or None,
            "distributions": shapes or None, "conditions": conditions or None,
        }
    )  # fmt: skip


def vector_of(parameters: Sequence[Parameter], emodel: EModel) -> list[float]:
    """Reads free parameters back from an e-model; the reverse of ``emodel_of``.

    Args:
        parameters: All rows of the bounds.
        emodel: Where it has no such number, the middle of the bounds stands in; numbers beyond the
            bounds are moved onto them.

    Returns:
        Values in the order of ``free``.
    """
    data = emodel.model_dump(by_alias=True)
    found = []
    for parameter in free(parameters):
        low, high = parameter.bounds or (0.0, 0.0)
        value = _value(data, parameter)
        found.append(min(max((low + high) / 2 if value is None else value, low), high))
    return found


def _value(data: dict[str, Any], parameter: Parameter) -> float | None:
    """A parameter's number in a dumped e-model, by the first section list that has it."""
    if parameter.mechanism == "conditions":
        return (data["conditions"] or {}).get(parameter.name)
    if parameter.mechanism == "distributions":
        law, key = parameter.name.split(".")
        return (data["distributions"] or {}).get(law, {}).get(key)
    groups = {"passive": data["passive"], "reversal": data["reversal"] or {}}
    for where in parameter.lists:
        if parameter.mechanism in groups:
            held = groups[parameter.mechanism].get(where) or {}
        else:
            held = (data["mechanisms"].get(where) or {}).get(parameter.mechanism) or {}
        value = held.get(parameter.name)
        if value is not None:
            return value["value"] if isinstance(value, dict) else value
    return None
