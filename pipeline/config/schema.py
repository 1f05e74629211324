"""The one schema of a model: types, defaults, bounds and descriptions of every key.

Defaults live here and nowhere else; the JSON schema and the config reference are generated from it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.afferents import AfferentEdges
from pipeline.config.behaviour import Behaviour
from pipeline.config.damage import Damage
from pipeline.config.emodel import AxonRule
from pipeline.config.fits import Fit
from pipeline.config.generalise import Generalise
from pipeline.config.morphologies import MorphologySet
from pipeline.config.network_activity import NetworkActivity
from pipeline.config.perturb import Perturbation
from pipeline.config.perturbed import Perturb
from pipeline.config.placement import ImportedNodes, PlacedNodes, PointNodes
from pipeline.config.premotor import Premotor
from pipeline.config.psp import Psp
from pipeline.config.quantity import (
    Distance,
    Hertz,
    JsonName,
    Megohms,
    Microns,
    Microsiemens,
    Milliseconds,
    Millivolts,
    Name,
    Nanoamps,
    PerMillisecond,
    Probability,
    RelativeFile,
    Strict,
    Text,
    TimeStep,
)
from pipeline.config.recordings import Extraction
from pipeline.config.responses import Responses
from pipeline.config.rules import RuleEdges
from pipeline.config.simulation import Simulation, Sweep
from pipeline.config.stimuli import Stimulus
from pipeline.config.touch_targets import TouchTargets
from pipeline.config.touches import TouchEdges
from pipeline.config.training import Training
from pipeline.config.tuning import Tuning


class FixedLength(Strict):
    """Segments of at most a fixed length: nseg = ceil(L / length)."""

    rule: Literal["fixed_length"] = "fixed_length"
    length: Microns = Field(2.0, description="Longest segment of a neurite.")


class DLambda(Strict):
    """Segments of at most a fraction of the AC length constant (Hines & Carnevale 2001)."""

    rule: Literal["d_lambda"]
    d_lambda: float = Field(0.1, gt=0, le=1, description="Fraction of the length constant.")
    frequency: Hertz = Field(100.0, description="Frequency at which the constant is taken.")


class OddLength(Strict):
    """An odd number of segments: nseg = 1 + 2 int(L / (2 length)), as BMTK's dL."""

    rule: Literal["odd_length"]
    length: Microns = Field(20.0, description="Segments are at most about twice as long.")


Discretisation = Annotated[FixedLength | OddLength | DLambda, Field(discriminator="rule")]


class Morphologies(Strict):
    """A folder of reconstructions (SWC, ASC or H5)."""

    path: RelativeFile = Field(description="Folder; relative to the model, or absolute.")
    format: Literal["swc", "asc", "h5"] = "swc"
    coordinates: Literal["soma", "absolute"] = Field(
        "soma", description="absolute: files share one body's coordinates; soma: centred on it."
    )
    source: Text = Field("", description="Where the files come from, with version.")
    licence: Text = ""


class CurrentSteps(Strict):
    """Current clamp: one step per level into the soma."""

    kind: Literal["current_clamp"]
    cell: Name = Field(description="Morphology name.")
    emodel: Name
    levels: list[Nanoamps] = Field(min_length=1)
    delay: Milliseconds = 1000.0
    duration: Milliseconds = 5000.0
    tail: Milliseconds = 1000.0
    window: list[Milliseconds] = Field(
        default=[3500.0, 4500.0],
        min_length=2,
        max_length=2,
        description="Part of the step that is averaged, from its onset.",
    )
    dt: TimeStep = 0.5
    reference: RelativeFile | None = Field(None, description="CSV: level, value (mV), source.")


class VoltageSteps(Strict):
    """Voltage clamp: one step per level at the soma, from a holding potential."""

    kind: Literal["voltage_clamp"]
    cell: Name = Field(description="Morphology name.")
    emodel: Name
    levels: list[Millivolts] = Field(min_length=1)
    holding: Millivolts = -60.0
    series_resistance: Megohms = 0.0001
    delay: Milliseconds = 20.0
    duration: Milliseconds = 100.0
    tail: Milliseconds = 5.0
    window: list[Milliseconds] = Field(
        default=[60.0, 80.0],
        min_length=2,
        max_length=2,
        description="Part of the step that is averaged, from its onset.",
    )
    dt: TimeStep = 0.1
    reference: RelativeFile | None = Field(None, description="CSV: level, value (nA), source.")


Protocol = Annotated[CurrentSteps | VoltageSteps, Field(discriminator="kind")]


class Cells(Strict):
    """How a named morphology and a named e-model become a cell."""

    morphologies: Morphologies
    emodels: RelativeFile = Field("emodels", description="Folder of e-model YAML files.")
    discretisation: Discretisation = FixedLength()
    soma_attach: Probability = Field(0.5, description="Where on the soma neurites attach, 0 to 1.")
    axon: AxonRule = Field(
        "keep",
        description="keep: as reconstructed; none: left out; stub: two cylinders of 30 x 1 um "
        "instead (the rule of the Allen Institute's perisomatic models); stub_tapered: two of 30 um "
        "with diameters of the first axon sections (Markram et al. 2015); stub_myelin: these and "
        "1000 um in the list myelin (Reva et al. 2023).",
    )
    level: Literal["full", "passive", "single_compartment"] = Field(
        "full",
        description="full: as described; passive: channels left out; single_compartment: one "
        "section of the same membrane area.",
    )
    protocols: dict[Name, Protocol] = Field(
        default_factory=dict, description="Single-cell clamp protocols for the report."
    )


class TableNodes(Strict):
    """Cells listed one by one in a CSV table."""

    kind: Literal["table"]
    table: RelativeFile = Field(description="CSV with a header; one row per cell.")
    id_column: Name = "name"
    subset: Name = Field("all", description="all, or a 0/1 column: only rows with 1.")
    morphology_column: Name = "name"
    emodel_column: Name = "emodel"
    properties: list[Name] = Field(
        default_factory=list, description="Columns that become SONATA node attributes."
    )
    sets: list[Name] = Field(
        default_factory=list, description="0/1 columns that become named node sets."
    )


class VirtualNodes(Strict):
    """Sources without a membrane: one per cell of a node set that they feed."""

    kind: Literal["virtual"]
    feeds: Name = Field(description="Node population they feed.")
    set: Name = Field(description="Node set within that population.")


Nodes = Annotated[
    TableNodes | VirtualNodes | PlacedNodes | PointNodes | ImportedNodes,
    Field(discriminator="kind"),
]


class Constant(Strict):
    """The same number everywhere."""

    law: Literal["constant"]
    value: float


class LogUniform(Strict):
    """Uniform in the logarithm."""

    law: Literal["loguniform"]
    low: float = Field(gt=0)
    high: float = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> LogUniform:
        if self.low > self.high:
            raise ValueError(f"low ({self.low:g}) is above high ({self.high:g})")
        return self


Distribution = Annotated[Constant | LogUniform, Field(discriminator="law")]


class ContactCount(Strict):
    """Contacts of a pair from its count n: round(a tanh(b n scale)) or round(a tanh(b n) scale)."""

    a: float = Field(gt=0)
    b: float = Field(gt=0)
    scale: float = Field(1.0, gt=0)
    scale_inside: bool = Field(description="Scale inside the tanh (synapses) or outside (gaps).")
    minimum: int = Field(1, ge=0, description="Least number of contacts of a connected pair.")


class InverseGaussian(Strict):
    """Distance of a contact; SciPy's convention of mu and scale (um)."""

    mu: float = Field(gt=0)
    scale: Microns


class Receptor(Strict):
    """Graded synapse of one sign."""

    conductance: Microsiemens = Field(description="Peak conductance at weight 1.")
    reversal: Millivolts
    k: PerMillisecond = Field(description="Rate constant: tau = (1 - s_inf) / k.")
    threshold: Millivolts = -20.0
    slope: Millivolts = 5.0


class Chemical(Strict):
    """Graded chemical synapses of a contact law."""

    count: ContactCount
    distance: InverseGaussian
    weight: Distribution
    inhibitory_probability: Probability = 0.0
    excitatory: Receptor
    inhibitory: Receptor


class Electrical(Strict):
    """Gap junctions of a contact law; both halves share one conductance (uS)."""

    count: ContactCount
    distance: InverseGaussian
    conductance: Distribution


class ContactEdges(Strict):
    """Contacts placed on neurites from a connectome of pair counts (Zhao et al. 2024)."""

    kind: Literal["contacts"]
    source: Name
    target: Name
    connectome: Name = Field(description="Table <connectome_folder>/<connectome>.csv.")
    connectome_folder: RelativeFile = "tables/connectomes"
    autapses: bool = False
    spacing: Microns = Field(2.0, description="Candidate places lie at most this far apart.")
    tolerance: Distance = Field(1.0, description="Largest error of a contact's distance.")
    gap_first: Probability = Field(0.1, description="Chance to place a gap while both remain.")
    weights: RelativeFile | None = Field(
        None,
        description="CSV of weights contact by contact (pre, post, kind, contact, weight), such as "
        "'sonatina train' writes; default: drawn.",
    )
    perturb: list[Perturbation] = Field(
        default_factory=list, description="Done to the placed contacts, one after the other."
    )
    chemical: Chemical
    electrical: Electrical

    @model_validator(mode="after")
    def _one_population(self) -> ContactEdges:
        if self.perturb and self.source != self.target:
            raise ValueError("perturb needs contacts within one population")
        return self


Edges = Annotated[
    ContactEdges | RuleEdges | TouchEdges | AfferentEdges, Field(discriminator="kind")
]


class Correlation(Strict):
    """Pearson correlation of soma voltages beside a published matrix."""

    simulation: Name
    record: Name = "soma"
    reference: RelativeFile = Field(description="CSV: a, b, r; one row per unordered pair.")
    skip: Milliseconds = Field(0.0, description="Time left out at the start.")


class Analysis(Strict):
    """What is computed from circuit and simulations."""

    correlation: Correlation | None = None
    responses: Responses | None = None
    touches: TouchTargets | None = None
    network: NetworkActivity | None = None


class Report(Strict):
    """How the report looks; changes here rebuild nothing but the report."""

    title: Text = ""
    colours: Literal["viridis", "magma", "cividis"] = "viridis"
    traces: int = Field(12, ge=1, le=200, description="Voltage traces shown.")
    dpi: int = Field(110, ge=50, le=400)
    fits: list[Name] = Field(
        default=[], description="Fits that are run for the report; it shows what came of them."
    )


class Model(Strict):
    """A model: from channels and morphologies to published values."""

    schema_version: Literal[1] = Field(alias="schema", description="Version of this format.")
    name: Name = Field(description="Folder of the outputs below circuits/.")
    variant: Name = Field("default", description="Set by a variant file; not by hand.")
    default_variant: Name | None = Field(None, description="Variant used when none is named.")
    title: Text = ""
    description: Text = ""
    cite: list[Text] = Field(default_factory=list)
    licence: Text = ""
    limits: list[Text] = Field(default_factory=list, description="What the model is not fit for.")
    seed: int = Field(1, ge=0, lt=2**63)
    mechanisms: list[RelativeFile] = Field(
        default_factory=list,
        description="Sets below mechanisms/, or folders of the model. Its own folder mechanisms is one.",
    )
    compiler: Literal["exact", "fast"] = Field("exact", description="Flags for the mechanisms.")
    cells: Cells | None = Field(None, description="Needed by nodes of kind table.")
    morphologies: MorphologySet | None = Field(
        None, description="Exemplars by m-type, for placed cells and touch detection."
    )
    nodes: dict[Name, Nodes] = Field(
        default_factory=dict, description="Needed without behaviours and premotor."
    )
    edges: dict[Name, Edges] = Field(default_factory=dict)
    synapse_models: dict[JsonName, dict[Name, float]] = Field(
        default_factory=dict,
        description="Parameters of synapses by the file name that edge types give as "
        "dynamics_params, such as the receptor_type of a port.",
    )
    stimuli: dict[Name, Stimulus] = Field(default_factory=dict)
    simulation: dict[Name, Simulation] = Field(default_factory=dict)
    sweeps: dict[Name, Sweep] = Field(
        default_factory=dict, description="Grids of runs, each a job of its own."
    )
    perturb: Perturb | None = Field(
        None, description="The circuit is made from that of another variant."
    )
    psp: Psp | None = Field(None, description="Paired recordings in silico.")
    tuning: dict[Name, Tuning] = Field(default_factory=dict)
    generalise: Generalise | None = Field(
        None, description="Judges every allowed morphology with every e-model."
    )
    fits: dict[Name, Fit] = Field(
        default_factory=dict, description="E-models to be searched for, by name."
    )
    extract: dict[Name, Extraction] = Field(
        default_factory=dict, description="Targets of e-types from recorded sweeps."
    )
    behaviours: dict[Name, Behaviour] = Field(
        default_factory=dict, description="Runs of a body in an environment."
    )
    training: dict[Name, Training] = Field(
        default_factory=dict, description="Weights and readouts that 'sonatina train' fits."
    )
    damage: Damage | None = Field(None, description="Changes of the circuit, one by one.")
    premotor: Premotor | None = Field(None, description="Cubic premotor neurons, fitted.")
    analysis: Analysis = Analysis()
    report: Report = Report()
    reference: RelativeFile | None = Field(None, description="Published values with tolerance.")

    @model_validator(mode="after")
    def _something(self) -> Model:
        if not (self.nodes or self.behaviours or self.premotor or self.fits or self.extract):
            raise ValueError("no nodes, behaviours, premotor, fits or extract: nothing to build")
        return self
