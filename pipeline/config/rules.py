"""Schema of ``kind: rules`` edges: who connects to whom, and with which synapses.

A rule selects sources and targets, multiplies the factors under ``connect`` (or sets a number of
edges), and describes the synapses. Any number may instead be a table by classes of source and target.
"""

from __future__ import annotations

from typing import Annotated, Literal, Union

from pydantic import Field, model_validator

from pipeline.config.law import Factor, Metric
from pipeline.config.laws import LAWS
from pipeline.config.pair_values import (
    Number,
    PairCount,
    PairDistance,
    PairMilliseconds,
    PairNumber,
    PairProbability,
    PairText,
    Scalar,
    by_pair,
)
from pipeline.config.quantity import (
    Name,
    RelativeFile,
    Strict,
    Text,
    TimeStep,
    Velocity,
)
from pipeline.config.retinotopic import RetinotopicConnect

Selection = dict[str, Scalar | list[Scalar]]
WeightKind = Literal["conductance", "current", "factor"]


class ProbabilityFactor(Strict):
    """A probability, the same for all or by classes; pairs without a value are not connected."""

    law: Literal["probability"]
    value: PairProbability


class FixedIndegree(Strict):
    """Each target draws this many sources, in proportion to the other factors.

    A table by classes gives the number from each class of sources; a number is drawn from all.
    """

    law: Literal["fixed_indegree"]
    count: PairCount
    multapses: bool = False


class FixedOutdegree(Strict):
    """Each source draws this many targets; otherwise as ``fixed_indegree``."""

    law: Literal["fixed_outdegree"]
    count: PairCount
    multapses: bool = False


class FixedTotal(Strict):
    """This many edges between uniformly drawn pairs; takes no other factors.

    A table by classes gives the number for each pair of classes.
    """

    law: Literal["fixed_total"]
    count: PairCount
    multapses: bool = False


class OneToOne(Strict):
    """The first selected source to the first selected target, and so on."""

    law: Literal["one_to_one"]


class AllToAll(Strict):
    """Every source to every target."""

    law: Literal["all_to_all"]


class TableConnect(Strict):
    """Pairs listed in a file of ids within the populations.

    CSV or Parquet: columns ``source``, ``target`` and, if wanted, ``nsyns``, ``weight`` and
    ``delay``, which replace the synapse law. NPZ: a SciPy sparse matrix [sources, targets]; its
    entries are counts of synapses.
    """

    law: Literal["table"]
    file: RelativeFile


Factors = Union[(ProbabilityFactor, *(law.model for law in LAWS))]  # noqa: UP007
Degree = FixedIndegree | FixedOutdegree | FixedTotal
Listed = OneToOne | AllToAll | TableConnect | RetinotopicConnect
_ALONE = FixedTotal | OneToOne | TableConnect | RetinotopicConnect
Connect = Annotated[Factors | Degree | Listed, Field(discriminator="law")]


class ConstantValue(Strict):
    """The same value for every edge of a class pair."""

    law: Literal["constant"]
    value: PairNumber


class LognormalValue(Strict):
    """Log-normal with given mean and standard deviation of the values themselves."""

    law: Literal["lognormal"]
    mean: PairNumber
    sd: PairNumber


class NormalValue(Strict):
    """Normal, drawn again until between low and high."""

    law: Literal["normal"]
    mean: PairNumber
    sd: PairNumber
    low: PairNumber = 0.0
    high: PairNumber = 1e30


class UniformInteger(Strict):
    """Whole numbers from low to high, both included."""

    law: Literal["uniform_integer"]
    low: int = Field(ge=0)
    high: int = Field(ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> UniformInteger:
        if self.low > self.high:
            raise ValueError(f"low ({self.low}) is above high ({self.high})")
        return self


class PoissonValue(Strict):
    """Poisson number plus a constant."""

    law: Literal["poisson"]
    mean: PairNumber = Field(description="Mean of the Poisson part, at most 500.")
    plus: int = Field(1, ge=0)


class ConstantDelay(ConstantValue):
    """The same delay for every edge of a class pair."""

    value: PairMilliseconds


class LognormalDelay(LognormalValue):
    """Log-normal delays with given mean and standard deviation of the delays themselves."""

    mean: PairMilliseconds
    sd: PairMilliseconds


class NormalDelay(NormalValue):
    """Normal delays, drawn again until between low and high."""

    mean: PairMilliseconds
    sd: PairMilliseconds
    low: PairMilliseconds = 0.0
    high: PairMilliseconds = 1e30


class DistanceDelay(Strict):
    """offset + d / velocity."""

    law: Literal["distance"]
    velocity: Velocity
    offset: PairMilliseconds = 0.0
    metric: Metric = "3d"


class DirectionWeight(Strict):
    """The published weight rule: times exp(-(D/width)^2) of the direction difference D.

    Where ``phase`` is 1, also times exp(-u^2/2) (5.5/4 - (11/1680) fold90(th)) with th the target's
    angle and u the retinotopic offset along it (Billeh et al. 2020). Pairs without a width keep
    their weight.
    """

    width: PairNumber = Field(description="Degrees.")
    phase: PairNumber = 0.0
    degrees_per_um: tuple[Number, Number] = Field(
        (0.07, 0.04), description="Visual field per cortical distance along both lateral axes."
    )


class SignBy(Strict):
    """Sign of a synapse by an attribute of its source."""

    by: str
    excitatory: list[Scalar] = Field(min_length=1)
    inhibitory: list[Scalar] = Field(min_length=1)


class Synapse(Strict):
    """What an edge carries; constants of a class pair go to the edge types table."""

    nsyns: Annotated[ConstantValue | UniformInteger | PoissonValue, Field(discriminator="law")] = (
        ConstantValue(law="constant", value=1.0)
    )
    weight: Annotated[ConstantValue | LognormalValue | NormalValue, Field(discriminator="law")] = (
        ConstantValue(law="constant", value=1.0)
    )
    weight_kind: by_pair(WeightKind) = Field(
        "factor", description="conductance: never negative; current: negative where inhibitory."
    )
    direction: DirectionWeight | None = None
    delay: Annotated[
        ConstantDelay | DistanceDelay | LognormalDelay | NormalDelay, Field(discriminator="law")
    ] = ConstantDelay(law="constant", value=1.0)
    min_delay: TimeStep | None = Field(None, description="Smaller delays are raised to it.")
    sign: Literal["excitatory", "inhibitory"] | SignBy | None = None
    sections: PairText | None = Field(None, description="Target section types, e.g. dend+apic.")
    distance_min: PairDistance | None = Field(None, description="Path distance from the soma.")
    distance_max: PairDistance | None = None
    columns: dict[str, PairText] = Field(
        default_factory=dict, description="Further edge type columns: kinetics, template, erev."
    )


class Select(Strict):
    """Attribute values that sources and targets must have; all nodes when empty."""

    source: Selection = Field(default_factory=dict)
    target: Selection = Field(default_factory=dict)


class Rule(Strict):
    """One rule; its name enters the random keys, so renaming it redraws its edges."""

    name: Name
    description: Text = ""
    select: Select = Select()
    connect: list[Connect] = Field(min_length=1)
    autapses: bool = False
    synapse: Synapse = Synapse()

    @model_validator(mode="after")
    def _laws_mix(self) -> Rule:
        laws = [law.law for law in self.connect]
        whole = [law for law in self.connect if not isinstance(law, ProbabilityFactor | Factor)]
        if len(whole) > 1:
            raise ValueError(f"{', '.join(law.law for law in whole)} cannot stand in one rule")
        alone = [law for law in whole if isinstance(law, _ALONE)]
        if alone and len(laws) > 1:
            raise ValueError(f"{alone[0].law} takes no other factors")
        if any(getattr(law, "mean_within", None) for law in self.connect):
            if "probability" not in laws:
                raise ValueError("mean_within needs a probability factor")
        return self


class RuleEdges(Strict):
    """Edges from rules, the same for any number of threads, blocks and parts."""

    kind: Literal["rules"]
    source: Name
    target: Name
    rules: list[Rule] = Field(min_length=1)
    depth_axis: Literal["x", "y", "z"] = Field("y", description="Axis vertical to the surface.")
    angle: str = Field("tuning_angle", description="Node attribute of the tuning angle, degrees.")
    memory: Annotated[float, Field(gt=0.05, le=4096)] = Field(
        2.0, description="GiB the builder may fill with edges and indices."
    )
    parts: int | None = Field(
        None, ge=1, le=10_000,
        description="Target ranges that jobs of the workflow build apart. Without it one job builds "
        "all; many edges in parts of 8 million, so that an interrupted build goes on.",
    )  # fmt: skip
    distance: bool = Field(False, description="Also write the soma distance of every edge, um.")

    @model_validator(mode="after")
    def _names(self) -> RuleEdges:
        names = [rule.name for rule in self.rules]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"rule names stand twice: {', '.join(doubled)}")
        return self
