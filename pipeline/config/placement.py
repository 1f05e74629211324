"""Schema of placed populations: which types, how many, where, and with which properties.

Depth runs down from the pia at y = 0 and is positive in the config; files hold y = -depth.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.cell_models import EVERYWHERE, CellModel
from pipeline.config.draws import Draw
from pipeline.config.quantity import (
    CellDensity,
    Coordinate,
    Distance,
    Microns,
    Name,
    Probability,
    RelativeFile,
    Strict,
    Text,
)

ModelType = Literal["virtual", "point_neuron", "point_process", "biophysical"]


def _ordered(what: str, pair: list[float] | None) -> None:
    if pair is not None and not pair[0] < pair[1]:
        raise ValueError(f"{what} runs from {pair[0]:g} to {pair[1]:g}; it must rise")


DepthRange = Annotated[list[Distance], Field(min_length=2, max_length=2)]
Span = Annotated[list[Coordinate], Field(min_length=2, max_length=2)]


class _Region(Strict):
    """What all regions share: which cells of the type table lie there, and as what model."""

    count: Name | None = Field(None, description="Column of the type table: number of cells.")
    density: Name | None = Field(None, description="Column of the type table: cells per mm3.")
    model_type: ModelType | None = Field(None, description="Default: that of the population.")
    model_template: Text | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> _Region:
        if self.count and self.density:
            raise ValueError("give count or density, not both")
        return self


class _Deep(_Region):
    """A region with a depth range; a type or its layer may narrow it to another one."""

    depth: DepthRange | None = Field(None, description="For types without depth or layer.")

    @model_validator(mode="after")
    def _rising_depth(self) -> _Deep:
        _ordered("depth", self.depth)
        return self


class Cylinder(_Deep):
    """Cylinder or, with r_min, annulus about a vertical axis; uniform in its volume."""

    shape: Literal["cylinder"]
    r_min: Distance = 0.0
    r_max: Microns
    centre: Span = Field([0.0, 0.0], description="x and z of the axis.")

    @model_validator(mode="after")
    def _rising_radius(self) -> Cylinder:
        _ordered("radius", [self.r_min, self.r_max])
        return self


class Box(_Deep):
    """Upright box."""

    shape: Literal["box"]
    x: Span
    z: Span

    @model_validator(mode="after")
    def _rising_sides(self) -> Box:
        _ordered("x", self.x)
        _ordered("z", self.z)
        return self


class Hexagon(_Deep):
    """Upright hexagonal column; two of its corners lie on the x axis through the centre."""

    shape: Literal["hexagon"]
    side: Microns = Field(description="Side of the hexagon = distance of its corners.")
    centre: Span = Field([0.0, 0.0], description="x and z of the axis.")


class Voxels(_Region):
    """Cells by voxel of an NRRD file; a voxel's value is its density up to a factor.

    The coordinates are those of the file (x, y, z in um). With ``density: voxels`` on a type the
    values are cells per mm3 and give the number of cells as well.
    """

    shape: Literal["voxels"]
    file: RelativeFile = Field(description="NRRD file with one non-negative number per voxel.")


class Tiles(_Region):
    """Tiles of the visual field, in degrees; counts are cells per tile."""

    shape: Literal["tiles"]
    columns: int = Field(ge=1, le=10_000, description="Tiles along x.")
    rows: int = Field(ge=1, le=10_000, description="Tiles along y.")
    width: float = Field(gt=0, description="Of the whole field along x, degrees.")
    height: float = Field(gt=0, description="Of the whole field along y, degrees.")


class Nowhere(_Region):
    """Cells without a position, such as background sources."""

    shape: Literal["nowhere"] = "nowhere"


Region = Annotated[
    Cylinder | Box | Hexagon | Voxels | Tiles | Nowhere, Field(discriminator="shape")
]


class CellType(Strict):
    """A cell type written in the model itself."""

    count: int | None = Field(None, ge=0, le=100_000_000)
    density: CellDensity | Literal["voxels"] | None = None
    region: Name | None = Field(None, description="Needed when there are several regions.")
    layer: Name | None = Field(None, description="One of the population's layers.")
    depth: DepthRange | None = None
    labels: dict[Name, Text] = Field(default_factory=dict, description="Text by label name.")
    properties: dict[Name, Draw] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _measured(self) -> CellType:
        if (self.count is None) == (self.density is None):
            raise ValueError("give either count or density")
        if self.depth and self.layer:
            raise ValueError("give depth or layer, not both")
        _ordered("depth", self.depth)
        return self


class MorphologyChoice(Strict):
    """How every soma draws a morphology: by how well each one fits its place (docs/placement.md).

    A morphology of the cell's own type is drawn with a probability that goes with score^alpha and
    is turned about the pia axis; files are shared by all cells that draw them, never copied.
    """

    rules: RelativeFile = Field(
        description="CSV of placement rules: the column of ``by``, kind, neurite, low_layer, "
        "low_fraction, high_layer, high_fraction; fractions run from 0 (bottom) to 1 (top)."
    )
    by: Name = Field("mtype", description="Label of the types; m_type in the table of shapes.")
    alpha: float = Field(3.0, gt=0, le=20, description="Sharpness of the choice.")
    overshoot: Microns = Field(
        30.0, description="A rule of kind below scores 0 when its limit is passed by this much."
    )
    most_unfit: Probability = Field(
        0.7,
        description="Largest share of cells for which no morphology scores above 0; these take "
        "the one that comes nearest.",
    )


class PlacedNodes(Strict):
    """Cells placed by geometry: types, regions, properties.

    Types stand in a CSV table (columns name; depth_min and depth_max, or layer; the counts that the
    regions name; labels) or in the model. Ids follow regions in their order, then types in theirs.
    """

    kind: Literal["placed"]
    model_type: ModelType = "point_neuron"
    model_template: Text | None = Field(None, description="Such as nest:glif_psc.")
    table: RelativeFile | None = Field(None, description="CSV with one row per type.")
    name_column: Name = "name"
    labels: list[Name] = Field(
        default_factory=list, description="Columns that become text attributes of the nodes."
    )
    types: dict[Name, CellType] = Field(default_factory=dict)
    layers: dict[Name, DepthRange] = Field(default_factory=dict, description="Depth by layer.")
    regions: dict[Name, Region] = Field(default_factory=lambda: {"all": Nowhere()}, min_length=1)
    sets: list[Name] = Field(
        default_factory=list,
        description="cell_type, region or labels: each of their values becomes a node set.",
    )
    node_sets: dict[Name, dict[Name, Text]] = Field(
        default_factory=dict,
        description="Further node sets by name: label to value; none means all cells.",
    )
    morphologies: MorphologyChoice | None = Field(
        None, description="Cells draw their shapes from what the stage morphologies has made."
    )
    cell_models: dict[Name, CellModel] = Field(
        default_factory=dict, description="Model of the cells by region, or under all."
    )
    properties: dict[Name, Draw] = Field(
        default_factory=dict, description="Node attributes drawn for every cell of every type."
    )
    tuning: Literal["none", "equally_spaced"] = Field(
        "none",
        description="equally_spaced: tuning_angle from 0 to 360 degrees in equal steps over the "
        "cells of one node type (Billeh et al. 2020).",
    )
    rotation: Literal["none", "random_y"] = Field(
        "none",
        description="random_y: rotation_angle_yaxis uniform from 0 to 2 pi; with morphologies also "
        "as quaternion, orientation_w to orientation_z.",
    )
    min_distance: Distance = Field(0.0, description="Least distance of two somata.")
    scale: float = Field(1.0, gt=0, le=1, description="Fraction of the cells that is built.")
    keep: Literal["density", "volume"] | None = Field(
        None, description="Needed with scale: smaller regions, or the same regions more sparsely."
    )
    at_least: int = Field(0, ge=0, description="Least cells of a type that has so many.")
    balance: list[Name] = Field(
        default_factory=list,
        description="region or labels, coarse to fine: their totals, too, come within one cell of "
        "their share.",
    )
    slab: DepthRange | None = Field(
        None, description="Only the cells between two depths are built, at their density."
    )

    @model_validator(mode="after")
    def _consistent(self) -> PlacedNodes:
        if not self.types and not self.table:
            raise ValueError("no cell types: give table or types")
        if self.scale < 1 and self.keep is None:
            raise ValueError(f"scale is {self.scale:g} without keep: say density or volume")
        if self.balance and self.at_least:
            raise ValueError("balance and at_least exclude each other: totals could not be kept")
        _ordered("slab", self.slab)
        for name, pair in self.layers.items():
            _ordered(f"layer {name}", pair)
        regions = [*self.regions, EVERYWHERE]
        if wrong := [name for name in self.cell_models if name not in regions]:
            raise ValueError(f"cell_models names {', '.join(wrong)}; known: {', '.join(regions)}")
        if self.cell_models and self.model_type == "virtual":
            raise ValueError("virtual cells have no cell_models")
        known = {"cell_type", "region", *self.labels}
        known |= {label for entry in self.types.values() for label in entry.labels}
        named = {
            "sets": self.sets,
            "balance": self.balance,
            "node_sets": [label for rule in self.node_sets.values() for label in rule],
            "morphologies.by": [self.morphologies.by] if self.morphologies else [],
        }
        for key, names in named.items():
            if wrong := [name for name in names if name not in known]:
                text = f"{', '.join(wrong)}; known: {', '.join(sorted(known))}"
                raise ValueError(f"{key} names {text}")
        if self.morphologies and self.model_type != "biophysical":
            raise ValueError("cells with morphologies are biophysical: set model_type")
        if self.morphologies and not self.layers:
            raise ValueError("placement rules speak of layers: give layers")
        flat = [n for n, r in self.regions.items() if not isinstance(r, _Deep)]
        if self.morphologies and flat:
            raise ValueError(f"cells of region {flat[0]} have no depth to choose morphologies by")
        return self


class PointNodes(Strict):
    """Cells listed one by one with their positions in a CSV table."""

    kind: Literal["points"]
    table: RelativeFile = Field(description="CSV with columns x, y, z (um); one row per cell.")
    type_column: Name = "cell_type"
    model_type: ModelType = "point_neuron"
    model_template: Text | None = None
    labels: list[Name] = Field(default_factory=list, description="Text columns to take over.")
    properties: list[Name] = Field(default_factory=list, description="Number columns to take over.")


class ImportedNodes(Strict):
    """A population of an existing SONATA nodes file, taken over as it is."""

    kind: Literal["imported"]
    file: RelativeFile
    types: RelativeFile | None = Field(None, description="Its node types table.")
    population: Name | None = Field(None, description="Name in the file; default: the same.")
    model_type: ModelType = Field("virtual", description="Used when no types table says it.")
