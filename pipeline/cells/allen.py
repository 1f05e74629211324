"""The Allen Institute's perisomatic fit files (``*_fit.json``) as e-models.

Gouwens et al. 2018, Nat Commun 9:710: channels in the soma, passive neurites, axon replaced by a stub.
The files belong to the Allen Cell Types Database; they are read, never shipped.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipeline.cells.description import CellDescription
from pipeline.cells.morphology import read_morphology
from pipeline.config.emodel import EModel
from pipeline.config.schema import OddLength
from pipeline.errors import ConfigError, Problem

_HINT = "use a perisomatic *_fit.json as downloaded"


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be finite")
    return value


Number = Annotated[float, Field(strict=True), AfterValidator(_finite)]
Positive = Annotated[Number, Field(gt=0)]
Part = Literal["soma", "axon", "dend", "apic"]


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Cm(_Loose):
    section: Part
    cm: Positive


class _Passive(_Loose):
    ra: Positive
    cm: list[_Cm] = Field(min_length=1)
    e_pas: Number


class _Erev(_Loose):
    section: Part
    ena: Number
    ek: Number


class _Conditions(_Loose):
    celsius: Number
    v_init: Number
    erev: list[_Erev]


class _Gene(_Loose):
    section: Part
    mechanism: str
    name: str
    value: Number


class _Fit(_Loose):
    passive: list[_Passive] = Field(min_length=1, max_length=1)
    conditions: list[_Conditions] = Field(min_length=1, max_length=1)
    genome: list[_Gene] = Field(min_length=1)


def read_fit(path: str | Path) -> EModel:
    """Reads one fit file.

    Args:
        path: ``<model id>_fit.json``.

    Returns:
        The e-model: Ra (ohm cm), cm (uF/cm2), g_pas (S/cm2) and e_pas (mV) per section list, the
        mechanisms with their parameters, ena and ek (mV), temperature and start voltage.

    Raises:
        ConfigError: With everything that is wrong with the file.
    """
    path = Path(path)
    try:
        fit = _Fit.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        message = f"cannot be read ({error.strerror})"
        raise ConfigError(Problem(str(path), message, "check the folder of fit files")) from None
    except UnicodeDecodeError:
        raise ConfigError(Problem(str(path), "is not a text file", _HINT)) from None
    except RecursionError:
        raise ConfigError(Problem(str(path), "nests too deeply", _HINT)) from None
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}"
        raise ConfigError(Problem(where, f"is not JSON: {error.msg}", _HINT)) from None
    except ValidationError as error:
        found = [_problem(path, item) for item in error.errors(include_url=False)]
        raise ConfigError(found) from None
    problems = _contradictions(path, fit)
    if problems:
        raise ConfigError(problems)
    return _emodel(path, fit)


def read_cell(fit: str | Path, morphology: str | Path, length: float = 20.0) -> CellDescription:
    """Joins a fit file and a reconstruction by the rule ``aibs_perisomatic``.

    Args:
        fit: The fit file.
        morphology: SWC file.
        length: um. BMTK's dL.

    Raises:
        ConfigError: For the fit file.
        MorphologyError: For the reconstruction.
    """
    shape = read_morphology(morphology, "stub")
    return CellDescription(shape, read_fit(fit), OddLength(rule="odd_length", length=length))


def _problem(path: Path, item: dict) -> Problem:
    place = "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in item["loc"]).lstrip(".")
    return Problem(str(path), f"{place or 'the file'}: {item['msg']}", _HINT)


def _contradictions(path: Path, fit: _Fit) -> list[Problem]:
    """What a valid form can still say wrongly."""
    found: list[str] = []
    seen: set[tuple[str, str]] = set()
    for index, gene in enumerate(fit.genome):
        place = f"genome[{index}]"
        if (gene.section, gene.name) in seen:
            found.append(f"{place}: {gene.name} in {gene.section} is given twice")
        seen.add((gene.section, gene.name))
        if not gene.mechanism and gene.name != "g_pas":
            found.append(f"{place}: {gene.name} has no mechanism; only g_pas may have none")
        elif gene.mechanism and not gene.name.endswith(f"_{gene.mechanism}"):
            found.append(f"{place}: {gene.name} does not end with _{gene.mechanism}")
        if gene.name.startswith(("gbar", "g_pas")) and gene.value < 0:
            found.append(f"{place}: {gene.name} is {gene.value:g}, below 0")
    with_cm = [entry.section for entry in fit.passive[0].cm]
    with_leak = {gene.section for gene in fit.genome if gene.name == "g_pas"}
    for name in sorted(set(with_cm) | with_leak):
        if with_cm.count(name) > 1:
            found.append(f"passive[0].cm: {name} is given {with_cm.count(name)} times")
        if name not in with_cm:
            found.append(f"passive[0].cm: nothing for {name}, which has a g_pas")
        if name not in with_leak:
            found.append(f"genome: no g_pas for {name}, which has a cm")
    return [Problem(str(path), message, _HINT) for message in found]


def _emodel(path: Path, fit: _Fit) -> EModel:
    passive, conditions = fit.passive[0], fit.conditions[0]
    leak = {gene.section: gene.value for gene in fit.genome if gene.name == "g_pas"}
    mechanisms: dict[str, dict[str, dict[str, float]]] = {}
    for gene in fit.genome:
        if gene.mechanism:
            held = mechanisms.setdefault(gene.section, {}).setdefault(gene.mechanism, {})
            held[gene.name.removesuffix(f"_{gene.mechanism}")] = gene.value
    try:
        return EModel.model_validate(
            {
                "schema": 1,
                "name": path.stem,
                "source": f"Allen Cell Types Database, {path.name}",
                "passive": {
                    entry.section: {
                        "Ra": passive.ra,
                        "cm": entry.cm,
                        "g_pas": leak[entry.section],
                        "e_pas": passive.e_pas,
                    }
                    for entry in passive.cm
                },
                "mechanisms": mechanisms,
                "reversal": {e.section: {"ena": e.ena, "ek": e.ek} for e in conditions.erev},
                "conditions": {"celsius": conditions.celsius, "v_init": conditions.v_init},
            }
        )
    except ValidationError as error:
        found = [_problem(path, item) for item in error.errors(include_url=False)]
        raise ConfigError(found) from None
