"""Schema of ``kind: touches``: synapses where axons come near dendrites and somata."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.quantity import (
    Distance,
    Microns,
    Milliseconds,
    Name,
    RelativeFile,
    Strict,
    Velocity,
)

TOUCH_COLUMNS = ("pre", "post", "place", "source")
PATHWAY_COLUMNS = ("pre", "post", "B", "n", "sd", "c", "a", "n_law", "source")
CALIBRATED_COLUMNS = (
    "pre", "post", "pairs", "N", "B", "f1", "mu", "A", "n", "cv", "kept", "rule", "status",
)  # fmt: skip
CLASS_COLUMNS = (
    "class", "g", "g_sd", "n_rrp", "decay", "decay_sd", "U", "U_sd", "D", "D_sd", "F", "F_sd",
    "source",
)  # fmt: skip
SYNAPSE_COLUMNS = (
    "pre_class", "pre_mtype", "pre_etype", "post_class", "post_mtype", "post_etype",
    "synapse_class", "scale_factor", "hill", "source",
)  # fmt: skip

Pattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9_:*?-]{1,64}$")]


class SomaFilter(Strict):
    """Dendritic touches whose path to the soma is shorter are dropped."""

    inhibitory: Distance = Field(5.0, description="Of inhibitory targets.")
    excitatory: Distance = Field(25.0, description="Of excitatory targets.")


class TouchDetection(Strict):
    """What counts as a touch (the definition of Blue Brain's open detector)."""

    spine_length: dict[Pattern, Microns] = Field(
        default_factory=lambda: {"*": 2.5},
        description="Largest gap between surfaces by m-type of the target; patterns, later ones win.",
    )
    rules: RelativeFile = Field(
        description="CSV: pre, post (m-type patterns, EXC or INH), place (dendrite, soma or "
        "initial_segment), source. What no row names is not touched.",
    )
    region_gap: Distance = Field(5.0, description="Nearer overlaps on one axon section merge.")
    spacing: tuple[Microns, Microns] = Field(
        (5.0, 7.0), description="Shortest and longest distance of successive boutons."
    )
    soma_filter: SomaFilter = SomaFilter()

    @model_validator(mode="after")
    def _ordered(self) -> TouchDetection:
        low, high = self.spacing
        if low > high:
            raise ValueError(f"spacing goes from {low:g} to {high:g} um; write the smaller first")
        return self


class Pruning(Strict):
    """How synapses are chosen among touches (Reimann et al. 2015)."""

    rules: RelativeFile = Field(
        description="CSV: pre, post (patterns, EXC or INH), B, n, sd, c, a, n_law, source; later "
        "rows win. Of n, a and n_law a row gives one.",
    )
    pathways: RelativeFile | None = Field(
        None, description="Table of 'sonatina calibrate'; without it the stage calibrates itself."
    )
    reduction: Literal["density", "rules"] = Field(
        "density", description="B from the bouton density of each m-type, or from the rules."
    )
    bouton_density: Annotated[float, Field(gt=0, le=10)] = Field(
        0.2756,
        description="Boutons per um of axon where there are cells, for reduction: density.",
    )
    synapses_per_bouton: Annotated[float, Field(gt=0, le=10)] = 1.2
    sample: int = Field(
        20, ge=1, le=10_000, description="Presynaptic cells per m-type that calibration looks at."
    )
    least_pairs: int = Field(
        20, ge=1, description="Touching pairs below which a pathway takes the N of its neighbours."
    )
    give_way: bool = Field(
        True,
        description="Where n and c leave fewer touches than B asks for, c gives way, then n; false "
        "keeps the published formulas and falls short of B.",
    )


class TouchDelay(Strict):
    """offset + path length along the axon / velocity."""

    offset: Milliseconds = 0.1
    velocity: Velocity = 300.0


class Physiology(Strict):
    """What a synapse carries, drawn once per connection."""

    classes: RelativeFile = Field(
        description="CSV: class, g (nS), n_rrp, decay (ms), U, D (ms), F (ms) with _sd, source; "
        "excitatory classes start with E, inhibitory ones with I.",
    )
    rules: RelativeFile = Field(
        description="CSV: patterns of class, m-type and e-type on both sides; synapse_class, "
        "scale_factor, hill, source. Later rows win; an empty value leaves the earlier one.",
    )
    delay: TouchDelay = TouchDelay()


class TouchEdges(Strict):
    """Synapses from touches; the same for any number of threads and block size."""

    kind: Literal["touches"]
    source: Name
    target: Name
    touch: TouchDetection
    pruning: Pruning
    physiology: Physiology
    block: int = Field(
        256, ge=1, le=100_000, description="Presynaptic cells per block: what a kill can cost."
    )
    memory: Annotated[float, Field(gt=0.05, le=4096)] = Field(
        1.0, description="GiB for the rows held at once, besides segments and indices."
    )

    @model_validator(mode="after")
    def _one_population(self) -> TouchEdges:
        if self.source != self.target:
            raise ValueError(
                f"source {self.source!r} and target {self.target!r} differ; "
                "touches are found within one population"
            )
        return self


def touch_files(edges: TouchEdges) -> Iterator[tuple[tuple[str, str], str, tuple[str, ...]]]:
    """Yields (key path below the edges, file, columns it must have) of every table."""
    yield ("touch", "rules"), edges.touch.rules, TOUCH_COLUMNS
    yield ("pruning", "rules"), edges.pruning.rules, PATHWAY_COLUMNS
    if edges.pruning.pathways:
        yield ("pruning", "pathways"), edges.pruning.pathways, CALIBRATED_COLUMNS
    yield from physiology_files(edges.physiology)


def physiology_files(
    physiology: Physiology,
) -> Iterator[tuple[tuple[str, str], str, tuple[str, ...]]]:
    """Yields (key path below the edges, file, columns it must have) of both tables."""
    yield ("physiology", "classes"), physiology.classes, CLASS_COLUMNS
    yield ("physiology", "rules"), physiology.rules, SYNAPSE_COLUMNS
