"""Named distributions of cell properties; a parameter is a number or a column of the type table."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from pipeline.config.quantity import Name, Strict


def _parameter(value: Any) -> float | str:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"expected a number or the name of a column, found {value!r}")
    return float(value)


Parameter = Annotated[
    Any,
    BeforeValidator(_parameter),
    WithJsonSchema({"type": ["number", "string"], "description": "number or column"}),
]


class _Draw(Strict):
    """Base of the laws; bounds hold for numbers, columns are judged row by row."""

    def parameters(self) -> dict[str, float | str]:
        """Returns the parameters that are set, by name."""
        given = self.model_dump(exclude={"law"})
        return {key: value for key, value in given.items() if isinstance(value, (float, str))}

    def columns(self) -> list[str]:
        """Returns the columns of the type table that this law reads."""
        return [value for value in self.parameters().values() if isinstance(value, str)]

    def with_numbers(self, row: dict[str, float]) -> _Draw | None:
        """Puts a row's numbers in place of column names.

        Args:
            row: Column name to number; NaN where the table is empty.

        Returns:
            The law with numbers only, or None where a column is empty: the type has no such value.

        Raises:
            ValueError: If the numbers of this row do not fit together.
        """
        if not self.columns():
            return self
        given = {k: row[v] if isinstance(v, str) else v for k, v in self.parameters().items()}
        if any(math.isnan(value) for value in given.values()):
            return None
        return type(self).model_validate({"law": self.law, **given})  # type: ignore[attr-defined]


def _rising(*values: float | str | None) -> None:
    numbers = [value for value in values if isinstance(value, float)]
    if sorted(numbers) != numbers:
        raise ValueError(f"expected rising numbers, found {', '.join(f'{v:g}' for v in numbers)}")


def _not_negative(name: str, value: float | str) -> None:
    if isinstance(value, float) and value < 0:
        raise ValueError(f"{name} is {value:g}; it must not be negative")


class FixedDraw(_Draw):
    """The same number for every cell of a type."""

    law: Literal["constant"]
    value: Parameter


class UniformDraw(_Draw):
    """Uniform from low to high."""

    law: Literal["uniform"]
    low: Parameter
    high: Parameter

    @model_validator(mode="after")
    def _ordered(self) -> UniformDraw:
        _rising(self.low, self.high)
        return self


class NormalDraw(_Draw):
    """Normal; cut (not clipped) at low and high when these are given."""

    law: Literal["normal"]
    mean: Parameter
    sd: Parameter
    low: Parameter | None = None
    high: Parameter | None = None

    @model_validator(mode="after")
    def _ordered(self) -> NormalDraw:
        _not_negative("sd", self.sd)
        _rising(self.low, self.high)
        return self


class LognormalDraw(_Draw):
    """Lognormal by its median and the standard deviation of the logarithm."""

    law: Literal["lognormal"]
    median: Parameter
    sigma: Parameter

    @model_validator(mode="after")
    def _ordered(self) -> LognormalDraw:
        if isinstance(self.median, float) and self.median <= 0:
            raise ValueError(f"median is {self.median:g}; it must be above 0")
        _not_negative("sigma", self.sigma)
        return self


class TriangularDraw(_Draw):
    """Triangular: rises from low to mode, falls to high."""

    law: Literal["triangular"]
    low: Parameter
    mode: Parameter
    high: Parameter

    @model_validator(mode="after")
    def _ordered(self) -> TriangularDraw:
        _rising(self.low, self.mode, self.high)
        return self


class ChoiceDraw(_Draw):
    """One of several values: all numbers or all words."""

    law: Literal["choice"]
    values: list[float] | list[Name] = Field(min_length=1)
    weights: list[float] | None = Field(None, description="Relative; default: all equal.")

    @model_validator(mode="after")
    def _weighted(self) -> ChoiceDraw:
        if self.weights is None:
            return self
        if len(self.weights) != len(self.values):
            raise ValueError(f"{len(self.values)} values for {len(self.weights)} weights")
        if min(self.weights) < 0 or sum(self.weights) <= 0:
            raise ValueError("weights must not be negative, and not all 0")
        return self


Draw = Annotated[
    FixedDraw | UniformDraw | NormalDraw | LognormalDraw | TriangularDraw | ChoiceDraw,
    Field(discriminator="law"),
]
