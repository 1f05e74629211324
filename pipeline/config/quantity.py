"""Field types of the schema: quantities with units, and names that are safe in file paths."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    WithJsonSchema,
)

from pipeline.units import known_units, parse_quantity


class Strict(BaseModel):
    """Base of all config sections: unknown keys are errors, values do not change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, defer_build=True, allow_inf_nan=False
    )


def _quantity(unit: str, **bounds: float) -> Any:
    schema = {"type": ["number", "string"], "description": f"quantity in {unit}", "unit": unit}
    spelled = {f"x-{key}": value for key, value in bounds.items()}

    def parse(value: Any) -> float:
        number = parse_quantity(value, unit)
        if "gt" in bounds and number <= bounds["gt"]:
            raise ValueError(f"must be above {bounds['gt']:g} {unit}, found {value!r}")
        if "ge" in bounds and number < bounds["ge"]:
            raise ValueError(f"must not be below {bounds['ge']:g} {unit}, found {value!r}")
        return number

    return Annotated[float, BeforeValidator(parse), WithJsonSchema(schema | spelled)]


def units_table() -> dict[str, list[str]]:
    """Returns the accepted unit spellings for the config reference."""
    return known_units()


Milliseconds = _quantity("ms", ge=0)
TimeStep = _quantity("ms", gt=0)
Millivolts = _quantity("mV")
Microns = _quantity("um", gt=0)
Distance = _quantity("um", ge=0)
Coordinate = _quantity("um")
CellDensity = _quantity("1/mm3", ge=0)
Nanoamps = _quantity("nA")
Microsiemens = _quantity("uS", ge=0)
Density = _quantity("S/cm2", ge=0)
Hertz = _quantity("Hz", gt=0)
Celsius = _quantity("degC")
Millimolar = _quantity("mM", ge=0)
AxialResistance = _quantity("ohm cm", gt=0)
Megohms = _quantity("Mohm", gt=0)
Capacitance = _quantity("uF/cm2", gt=0)
Velocity = _quantity("um/ms", gt=0)
Diffusivity = _quantity("um2/ms", gt=0)
PerMillisecond = Annotated[float, WithJsonSchema({"type": "number", "description": "1/ms"})]

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"}),
]
JsonName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,58}\.json$")]
RelativeFile = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Probability = Annotated[
    float, BeforeValidator(lambda value: _probability(value)), WithJsonSchema({"type": "number"})
]
Text = Annotated[str, StringConstraints(max_length=10000)]


def _probability(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"expected a number from 0 to 1, found {value!r}")
    number = float(value)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{number:g} is not between 0 and 1")
    return number
