"""Schema of ``damage``: what single changes of a circuit do to its activity and to a behaviour."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.perturb import (
    AblateCells,
    RemoveContacts,
    ScaleContacts,
    ShufflePlaces,
    ShuffleWeights,
    ToSoma,
)
from pipeline.config.quantity import Name, Nanoamps, Probability, Strict, Text


class Drug(Strict):
    """A fraction of a channel's conductance is gone."""

    kind: Literal["block"]
    channel: Name = Field(description="A mechanism of the e-models.")
    fraction: Probability = Field(description="1 blocks all.")


DamageStep = Annotated[
    RemoveContacts | ScaleContacts | ShuffleWeights | ShufflePlaces | ToSoma | AblateCells | Drug,
    Field(discriminator="kind"),
]


class Change(Strict):
    """One change of the circuit; without steps it is the control."""

    title: Text = Field("", description="For tables; default: the key.")
    steps: list[DamageStep] = Field(
        default_factory=list,
        description="Done in order; a shuffle's own seed is not used, the stage gives its seeds.",
    )


class Damage(Strict):
    """Every change with every seed is a job of its own (docs/training.md, damage).

    Spread comes from three things keyed by the seed: what a shuffle draws, the heading at the start of the
    behaviour, and noise on the input currents of the correlations. Heading and noise are the same for
    all changes of one seed, so that each is compared with the control of that seed.
    """

    edges: Name = Field(description="Key under edges, of kind contacts.")
    behaviour: Name = Field(description="Key under behaviours; its drive is a circuit.")
    training: Name = Field(
        description="Key under training, of kind correlation: its target, inputs, compartments and step."
    )
    noise: Nanoamps = Field(description="Standard deviation of the noise on every input, per step.")
    seeds: list[int] = Field(default=[1, 2, 3, 4, 5], min_length=1)
    control: Name = Field("control", description="Key under changes that others are held against.")
    changes: dict[Name, Change] = Field(min_length=1)
