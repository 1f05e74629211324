"""Schema of perturbations of contacts, for variants."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.quantity import Name, Strict

Kind = Literal["chemical", "electrical"]
BOTH: list[Kind] = ["chemical", "electrical"]


class _OfKinds(Strict):
    of: list[Kind] = Field(default=BOTH, min_length=1, description="Kinds of contacts.")


class RemoveContacts(_OfKinds):
    """Leaves out all contacts of some kinds."""

    kind: Literal["remove"]


class ScaleContacts(_OfKinds):
    """Multiplies weights."""

    kind: Literal["scale"]
    factor: float = Field(ge=0)


class ShuffleWeights(_OfKinds):
    """Permutes weights with their signs within each kind."""

    kind: Literal["shuffle_weights"]
    seed: int = Field(1, ge=0)


class ShufflePlaces(_OfKinds):
    """Permutes the places of contacts within each cell."""

    kind: Literal["shuffle_places"]
    seed: int = Field(1, ge=0)


class ToSoma(Strict):
    """Moves all contacts to the somata, as if there were no neurites."""

    kind: Literal["to_soma"]


class AblateCells(Strict):
    """Takes all contacts from some cells: those named, and those whose property has a value."""

    kind: Literal["ablate"]
    cells: list[Name] = Field(default_factory=list, description="Names.")
    where: dict[Name, str] = Field(
        default_factory=dict, description="Property of the nodes to value, such as a class."
    )


Perturbation = Annotated[
    RemoveContacts | ScaleContacts | ShuffleWeights | ShufflePlaces | ToSoma | AblateCells,
    Field(discriminator="kind"),
]
