"""Published values of a model: one target per number, with tolerance and source."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from pipeline.config.problems import read_as
from pipeline.config.quantity import Strict, Text
from pipeline.config.schema import Model
from pipeline.config.yaml_lines import Document, nearest, read_yaml
from pipeline.errors import ConfigError, Problem

Scalar = bool | int | float | str | None


class Target(Strict):
    """One published number and how near ours must come."""

    metric: Text = Field(min_length=1, description="Name in analysis/metrics.csv.")
    title: Text = Field(min_length=1)
    value: float = Field(allow_inf_nan=False, description="The published value.")
    kind: Literal["within", "at_most", "at_least", "information"] = Field(
        "within",
        description="within: value +- tolerance; at_most: up to value + tolerance; at_least: from "
        "value - tolerance; information: shown, not judged.",
    )
    tolerance: float | None = Field(None, ge=0, allow_inf_nan=False, description="Absolute.")
    tolerance_fraction: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="As a fraction of the value."
    )
    unit: Text = ""
    source: Text = Field(min_length=1, description="Where the value is published.")
    note: Text = ""
    when: dict[str, Scalar | list[Scalar]] = Field(
        default_factory=dict,
        description="Dotted path of the resolved model to the value (or values) it must have for "
        "the target to apply.",
    )

    @model_validator(mode="after")
    def _one_tolerance(self) -> Target:
        given = [t for t in (self.tolerance, self.tolerance_fraction) if t is not None]
        if self.kind == "information" and given:
            raise ValueError("kind information takes no tolerance")
        if self.kind != "information" and len(given) != 1:
            raise ValueError("give either tolerance (0 means exact) or tolerance_fraction")
        return self

    @property
    def margin(self) -> float:
        """Absolute tolerance in the target's unit; 0 for information."""
        if self.tolerance_fraction is not None:
            return self.tolerance_fraction * abs(self.value)
        return self.tolerance or 0.0


class Reference(Strict):
    """All published values of a model."""

    schema_version: Literal[1] = Field(alias="schema", description="Version of this format.")
    targets: list[Target] = Field(min_length=1)


def read_reference(path: str | Path) -> tuple[Reference, Document]:
    """Reads and validates a reference file.

    Args:
        path: YAML file.

    Returns:
        The targets and the document with the line of every key.

    Raises:
        ConfigError: With all problems of the file, each with its line.
    """
    document = read_yaml(path)
    reference = read_as(Reference, document)
    problems = _check(reference, document)
    if problems:
        raise ConfigError(problems)
    return reference, document


def _check(reference: Reference, document: Document) -> list[Problem]:
    """Targets that stand twice and conditions that no model can meet."""
    problems: list[Problem] = []
    known = [field.alias or name for name, field in Model.model_fields.items()]
    seen: set[tuple[str, str]] = set()
    for index, target in enumerate(reference.targets):
        where = str(document.origins[("targets", index)])
        key = (target.metric, target.title)
        if key in seen:
            message = f"target {target.metric!r} ({target.title}) stands twice"
            problems.append(Problem(where, message, "remove one or change its title"))
        seen.add(key)
        for path in target.when:
            head = path.split(".")[0]
            if head not in known:
                line = str(document.origins[("targets", index, "when", path)])
                problems.append(Problem(line, f"no key {head!r} in a model", nearest(head, known)))
    return problems
