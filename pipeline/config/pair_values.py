"""A number, or a table of numbers by classes of source and target: what laws of rules are made of."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from pipeline.config.quantity import (
    Distance,
    Microns,
    Milliseconds,
    Probability,
    RelativeFile,
    Strict,
)

Scalar = bool | int | float | str


class PairTable(Strict):
    """A value for each class of sources and class of targets; exactly one of table and values.

    A wide CSV has the source class in the first column and one column per target class; a long one
    has the columns ``source``, ``target`` and the one named by ``column``, where ``*`` stands for
    every class and later lines win. Empty cells are pairs without a value.
    """

    table: RelativeFile | None = Field(None, description="CSV, relative to the model.")
    column: str | dict[str, str] | None = Field(
        None,
        description="Column of a long table; None: a wide table. With column_by, the column of "
        "each of its values.",
    )
    column_by: str | None = Field(None, description="Attribute of the target that picks column.")
    values: dict[str, dict[str, float | str]] | None = Field(
        None, description="Source class to target class to value; * is every class."
    )
    source_by: str = Field(description="Attribute that gives the class of a source.")
    target_by: str = Field(description="Attribute that gives the class of a target.")
    default: float | str | None = Field(None, description="Value of pairs that are not listed.")
    scale: float = Field(1.0, description="Factor on every number of the table.")

    @model_validator(mode="after")
    def _one_origin(self) -> PairTable:
        if (self.table is None) == (self.values is None):
            raise ValueError("give either table or values")
        if isinstance(self.column, dict) != (self.column_by is not None):
            raise ValueError("column_by and a column for each of its values belong together")
        return self


def _tag(value: Any) -> str:
    # Angle brackets tell config.problems that this is no key of the file.
    return "<table>" if isinstance(value, (dict, PairTable)) else "<value>"


def by_pair(kind: Any) -> Any:
    """A value of a kind, or a table of them."""
    members = Annotated[kind, Tag("<value>")] | Annotated[PairTable, Tag("<table>")]
    return Annotated[members, Discriminator(_tag)]


Number = Annotated[float, Field(allow_inf_nan=False)]
PairNumber = by_pair(Number)
PairProbability = by_pair(Probability)
PairMicrons = by_pair(Microns)
PairDistance = by_pair(Distance)
PairMilliseconds = by_pair(Milliseconds)
PairText = by_pair(Scalar)
PairCount = by_pair(Annotated[float, Field(ge=0, allow_inf_nan=False)])
