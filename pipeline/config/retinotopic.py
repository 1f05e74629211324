"""Schema of the law ``retinotopic``: thalamic units of two displaced subfields per cell."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.quantity import Probability, RelativeFile, Strict

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class DegreeRange(Strict):
    """A value drawn uniformly from low to high, linear degrees of the visual field."""

    low: NotNegative
    high: NotNegative

    @model_validator(mode="after")
    def _ordered(self) -> DegreeRange:
        if self.low > self.high:
            raise ValueError(f"low ({self.low:g}) is above high ({self.high:g})")
        return self


class WidthRange(DegreeRange):
    """A width above 0, drawn uniformly from low to high, linear degrees."""

    low: Positive


class AspectRange(DegreeRange):
    """A ratio of long to short axis of at least 1, drawn uniformly from low to high."""

    low: Annotated[float, Field(ge=1, allow_inf_nan=False)]


class RetinotopicUnits(Strict):
    """Which source units take which part; units of no list are never connected."""

    by: str = Field(description="Source attribute that the lists below name values of.")
    sustained_on: list[str] = Field(default_factory=list)
    sustained_off: list[str] = Field(default_factory=list)
    transient: list[str] = Field(default_factory=list)
    dual: list[str] = Field(
        default_factory=list, description="ON and OFF subunits; their tuning angle must fit."
    )
    frequency: str = Field(
        description="Source attribute with the preferred temporal frequency, Hz."
    )

    @model_validator(mode="after")
    def _once(self) -> RetinotopicUnits:
        words = [*self.sustained_on, *self.sustained_off, *self.transient, *self.dual]
        if doubled := sorted({word for word in words if words.count(word) > 1}):
            raise ValueError(f"stand twice: {', '.join(doubled)}")
        if not words:
            raise ValueError("no list names any unit")
        return self


class DualUnits(Strict):
    """When dual units are taken: orientation near, place in an ellipse round the centre.

    The ellipse has the minor half-axis of the subfields along their major axis, and ``gap`` times
    half their distance along the direction axis (Billeh et al. 2020, ``select_lgn_sources``).
    """

    tolerance: Annotated[float, Field(ge=0, le=90)] = Field(
        15.0, description="Largest difference of orientations, not included, degrees."
    )
    gap: Positive = Field(
        0.5, description="Half-axis along the direction axis over half the subfields' distance."
    )


class RetinotopicConnect(Strict):
    """Input from a sustained and a transient subfield, displaced along the direction axis.

    A target has input at all with ``probability``. Its centre is ``centre`` + (180/pi) tan(rate x
    place) along both lateral axes. The two subfields lie at half ``distance`` before and behind it
    along the tuning angle; both are ellipses with minor half-axis ``width``/2 and major one
    ``aspect`` times that, the major axis turned to tuning angle + ``rotation``. Sustained units are
    ON with probability ``sustained_on``, else OFF. A unit in its subfield is kept with probability
    (1 - |T - f|/S)/(n - 1): f its frequency, T the target's, Poisson above 0, S the sum of |T - f|
    over the n frequencies of its group (Billeh et al. 2020).

    Numbers may come by class of target from ``table``: a CSV whose first column, named as ``by``,
    holds the class and whose others are any of probability, sustained_on, frequency_mean,
    distance_min, distance_max, width_min, width_max, aspect_min, aspect_max. Empty cells take the
    number given here.
    """

    law: Literal["retinotopic"]
    by: str | None = Field(None, description="Target attribute that chooses a row of the table.")
    table: RelativeFile | None = Field(None, description="CSV of numbers by class of target.")
    probability: Probability = 1.0
    sustained_on: Probability = Field(1.0, description="Probability that sustained units are ON.")
    frequency_mean: Annotated[float, Field(gt=0, le=100)] = Field(
        description="Mean of the Poisson law of the preferred frequency, before 0 is excluded."
    )
    distance: DegreeRange = Field(description="Between the centres of both subfields.")
    width: WidthRange = Field(description="Minor axis (both halves) of the subfields.")
    aspect: AspectRange = Field(description="Major over minor axis.")
    rotation: Finite = Field(270.0, description="Degrees added to the tuning angle.")
    transient_ahead: bool = Field(
        True, description="Transient subfield in the preferred direction, sustained opposite."
    )
    centre: tuple[Finite, Finite] = Field(description="Centre of the visual field, degrees.")
    degrees_per_um: tuple[Finite, Finite] = Field(
        description="Visual angle per cortical distance along both lateral axes."
    )
    units: RetinotopicUnits
    dual: DualUnits = DualUnits()

    @model_validator(mode="after")
    def _key(self) -> RetinotopicConnect:
        if (self.table is None) != (self.by is None):
            raise ValueError("table and by belong together")
        return self
