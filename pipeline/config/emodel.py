"""The e-model file: membrane and channels per section list, each number with its source."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.config.distributions import Distributed, Distribution, Parameter
from pipeline.config.problems import read_as, where_is
from pipeline.config.quantity import (
    AxialResistance,
    Capacitance,
    Celsius,
    Density,
    Millivolts,
    Name,
    Strict,
    Text,
)
from pipeline.config.yaml_lines import Document, nearest, read_yaml
from pipeline.errors import ConfigError, Problem

SectionList = Literal["all", "soma", "axon", "dend", "apic", "myelin", "neurites"]
"""``neurites`` is everything but the soma; ``myelin`` exists with the axon rule stub_myelin."""

AxonRule = Literal["keep", "none", "stub", "stub_tapered", "stub_myelin"]


class Membrane(Strict):
    """Passive properties of the sections of a list."""

    Ra: AxialResistance
    cm: Capacitance
    g_pas: Density
    e_pas: Millivolts


class Reversal(Strict):
    """Reversal potentials of ions in the sections of a list; they hold for the whole run."""

    ena: Millivolts | None = None
    ek: Millivolts | None = None


class Conditions(Strict):
    """Temperature and start voltage the numbers of an e-model were found with."""

    celsius: Celsius
    v_init: Millivolts


class EModel(Strict):
    """Electrical model: where which mechanisms sit and with which parameters."""

    schema_version: Literal[1] = Field(alias="schema")
    name: Name
    title: Text = ""
    source: Text = Field(description="Where the numbers come from.")
    passive: dict[SectionList, Membrane] = Field(min_length=1)
    mechanisms: dict[SectionList, dict[Name, dict[Name, Parameter]]] = Field(
        default_factory=dict,
        description="Section list, mechanism, its parameters: numbers, or {value, distribution}.",
    )
    distributions: dict[Name, Distribution] | None = Field(
        None, description="Named laws of the path distance from the soma's 0 end."
    )
    reversal: dict[SectionList, Reversal] | None = Field(
        None, description="Reversal potentials of sodium and potassium; default: NEURON's."
    )
    conditions: Conditions | None = Field(
        None, description="Temperature and start of clamp protocols; default: 34 degC, -65 mV."
    )


def read_emodel(path: str | Path) -> tuple[EModel, Document]:
    """Reads and validates one e-model file.

    Args:
        path: YAML file.

    Returns:
        The e-model and its document (lines and sources of every number).

    Raises:
        ConfigError: With all problems of the file, each with its line.
    """
    document = read_yaml(path)
    emodel = read_as(EModel, document)
    if emodel.name != Path(path).stem:
        where = str(document.origins.get(("name",), path))
        message = f"name is {emodel.name!r} but the file is {Path(path).name!r}"
        raise ConfigError(Problem(where, message, "make them equal"))
    problems = _unknown_distributions(emodel, document)
    if problems:
        raise ConfigError(problems)
    return emodel, document


def _unknown_distributions(emodel: EModel, document: Document) -> list[Problem]:
    known = list(emodel.distributions or {})
    found = []
    for where, mechanisms in emodel.mechanisms.items():
        for mechanism, parameters in mechanisms.items():
            for name, value in parameters.items():
                if isinstance(value, Distributed) and value.distribution not in known:
                    path = ("mechanisms", where, mechanism, name, "distribution")
                    message = f"no distribution is called {value.distribution!r}"
                    hint = nearest(value.distribution, known) if known else "add it: distributions"
                    found.append(Problem(where_is(path, document), message, hint))
    return found


def read_emodels(folder: str | Path) -> dict[str, EModel]:
    """Reads every ``*.yaml`` of a folder.

    Returns:
        E-models by name, in the order of their names.

    Raises:
        ConfigError: With the problems of all files at once.
    """
    problems: list[Problem] = []
    emodels: dict[str, EModel] = {}
    for path in sorted(Path(folder).glob("*.yaml")):
        try:
            emodels[path.stem] = read_emodel(path)[0]
        except ConfigError as error:
            problems += error.problems
    if not emodels and not problems:
        problems.append(
            Problem(str(folder), "no e-model (*.yaml) here", "add one file per e-model")
        )
    if problems:
        raise ConfigError(problems)
    return emodels
