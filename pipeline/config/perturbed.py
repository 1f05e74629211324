"""Schema of ``perturb``: a circuit changed into another one, step by step."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.quantity import Microns, Name, Probability, Strict


class Remove(Strict):
    """All edges from and onto some nodes are left out; the nodes stay, so that ids stay."""

    kind: Literal["remove"]
    nodes: Name = Field(description="Node population or node set.")
    control: bool = Field(
        False,
        description="Null control: as many other nodes of the same synapse_class, drawn by seed.",
    )


class Block(Strict):
    """A drug: a fraction of a receptor's or a channel's conductance is gone."""

    kind: Literal["block"]
    receptor: Literal["ampa", "nmda", "gabaa", "gabab"] | None = None
    channel: Name | None = Field(None, description="A mechanism of the e-models.")
    fraction: Probability = Field(description="1 blocks all.")
    control: bool = Field(False, description="Null control: the same steps with fraction 0.")

    @model_validator(mode="after")
    def _one_target(self) -> Block:
        if (self.receptor is None) == (self.channel is None):
            raise ValueError("give either receptor or channel")
        if self.receptor in ("ampa", "gabaa") and self.fraction > 0.999:
            raise ValueError(
                f"{self.receptor} and its slow partner share a conductance; give at most 0.999, or "
                "a gain of 0 for both"
            )
        return self


class Shuffle(Strict):
    """Connections get other sources; synapses stay where they are on their targets."""

    kind: Literal["shuffle"]
    edges: Name = Field(description="Key under edges.")
    keep: Literal["type", "degree", "distance"] = Field(
        description="type: in-degree of every cell by type of source; degree: that and every "
        "cell's out-degree by type of target; distance: as type, and the histogram of distances of "
        "every target."
    )
    bin: Microns = Field(50.0, description="Of distances, for keep: distance.")
    swaps: int = Field(10, ge=1, le=1000, description="Tried per connection, for keep: degree.")
    seed: int = Field(1, ge=0, description="Of the draws.")
    control: bool = Field(False, description="Null control: read and written, nothing drawn.")


Step = Annotated[Remove | Block | Shuffle, Field(discriminator="kind")]


class Perturb(Strict):
    """Makes the circuit of this variant from the one of another (docs/perturb.md)."""

    of: Name = Field(description="Variant whose built circuit is changed.")
    steps: list[Step] = Field(min_length=1)
