"""Simulations: engine, inputs, gains of synapses, recordings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from pipeline.config.places import engine_names
from pipeline.config.quantity import (
    Celsius,
    Coordinate,
    Hertz,
    Millimolar,
    Milliseconds,
    Millivolts,
    Name,
    Nanoamps,
    RelativeFile,
    Strict,
    Text,
    TimeStep,
)


def _known_engine(name: str) -> str:
    if name not in (known := engine_names()):
        raise ValueError(f"no engine {name!r}; known: {', '.join(known)}")
    return name


def _name_engines(schema: dict[str, Any]) -> None:
    schema["enum"] = engine_names()


class ConstantCurrent(Strict):
    """The same current over the whole window."""

    kind: Literal["constant"]
    nodes: Name = Field(description="Node population or node set.")
    amplitude: Nanoamps
    start: Milliseconds = 0.0
    stop: Milliseconds | None = None


class StepCurrent(Strict):
    """Steps: from each time on, the given current."""

    kind: Literal["step"]
    nodes: Name = Field(description="Node population or node set.")
    times: list[Milliseconds] = Field(min_length=1)
    amplitudes: list[Nanoamps] = Field(min_length=1)

    @model_validator(mode="after")
    def _paired(self) -> StepCurrent:
        if len(self.times) != len(self.amplitudes):
            raise ValueError(f"{len(self.times)} times for {len(self.amplitudes)} amplitudes")
        if sorted(self.times) != list(self.times):
            raise ValueError("times must rise")
        return self


class NoiseCurrent(Strict):
    """Gaussian current, a new independent value per cell and interval."""

    kind: Literal["noise"]
    nodes: Name = Field(description="Node population or node set.")
    mean: Nanoamps
    sd: Nanoamps
    interval: TimeStep | None = Field(None, description="Default: the time step.")
    seed: int | None = Field(None, ge=0, description="Default: the model's seed.")


class ThresholdCurrent(Strict):
    """Percent of each cell's own threshold current, with its holding current (node attributes)."""

    kind: Literal["threshold"]
    nodes: Name = Field(description="Node population or node set.")
    percent: float = Field(
        allow_inf_nan=False, description="Of threshold_current; 100 brings a cell just to firing."
    )
    holding: bool = Field(True, description="Adds holding_current, over the whole run.")
    start: Milliseconds = Field(0.0, description="Of the percent.")
    stop: Milliseconds | None = None
    unknown: Literal["error", "none"] = Field(
        "error", description="Cells whose currents were not found: an error, or no current."
    )


class FileCurrent(Strict):
    """Currents read from a SONATA report file (nA; one element per node)."""

    kind: Literal["file"]
    nodes: Name = Field(description="Node population or node set.")
    file: RelativeFile
    population: Name | None = None


class TableCurrent(Strict):
    """Currents in straight lines between the rows of a table; the last row holds on."""

    kind: Literal["table"]
    nodes: Name = Field(description="Node population or node set.")
    table: RelativeFile = Field(description="CSV: time_ms, then one column (nA) per cell's name.")


class SpikeInput(Strict):
    """Spikes of virtual nodes, from a stimulus of the model or from a SONATA file."""

    kind: Literal["spikes"]
    nodes: Name = Field(description="Virtual node population.")
    stimulus: Name | None = Field(None, description="Key under stimuli.")
    file: RelativeFile | None = Field(None, description="SONATA spikes file.")
    population: Name | None = Field(None, description="Name in the file; default: the same.")

    @model_validator(mode="after")
    def _one_source(self) -> SpikeInput:
        if (self.stimulus is None) == (self.file is None):
            raise ValueError("give either stimulus or file")
        return self


class PoissonInput(Strict):
    """Independent Poisson spike trains of virtual nodes."""

    kind: Literal["poisson"]
    nodes: Name = Field(description="Virtual node population, or a node set of one.")
    rate: Hertz
    seed: int | None = Field(None, ge=0, description="Default: the model's seed.")


class VolleyInput(Strict):
    """One spike of each of some virtual nodes at given times, with jitter: a thalamic volley."""

    kind: Literal["volley"]
    nodes: Name = Field(description="Virtual node population.")
    times: list[Milliseconds] = Field(min_length=1, description="Of the volleys.")
    fibres: int = Field(ge=1, description="Nodes that fire, the same in every volley.")
    jitter: Milliseconds = Field(1.0, description="Sd of a normal, cut at three sd.")
    seed: int | None = Field(None, ge=0, description="Default: the model's seed.")


Input = Annotated[
    ConstantCurrent
    | StepCurrent
    | NoiseCurrent
    | ThresholdCurrent
    | FileCurrent
    | TableCurrent
    | SpikeInput
    | PoissonInput
    | VolleyInput,
    Field(discriminator="kind"),
]


class Gain(Strict):
    """Weights of some edges times a factor, when they are loaded; the circuit stays as built."""

    edges: Name = Field(description="Key under edges.")
    source: Name | None = Field(None, description="Node set of the sources; default: all.")
    target: Name | None = Field(None, description="Node set of the targets; default: all.")
    factor: float = Field(description="0 silences.")


class Record(Strict):
    """One SONATA frame report."""

    variable: Literal["v"] = "v"
    nodes: Name = Field(description="Node population or node set.")
    sections: Literal["soma", "all"] | list[Annotated[int, Field(ge=0)]] = Field(
        "soma", description="soma, all, or a list of section ids; every segment of each."
    )
    every: TimeStep | None = Field(None, description="Default: every time step.")
    precision: Literal["single", "double"] = "single"


class Lfp(Strict):
    """Extracellular potential at electrodes on a line along y, by line sources (LFPykit)."""

    nodes: Name = Field(description="Node population or node set whose currents count.")
    x: Coordinate = Field(0.0, description="Of the line.")
    z: Coordinate = Field(0.0, description="Of the line.")
    y: list[Coordinate] = Field(min_length=1, description="Electrodes; below the pia: negative.")
    conductivity: float = Field(
        0.3, gt=0, allow_inf_nan=False, description="S/m, the same everywhere."
    )
    every: TimeStep = Field(0.5, description="A multiple of the time step.")


class Sweep(Strict):
    """Copies of a run that differ in one or two values, made before anything else looks."""

    simulation: Name = Field(description="Key under simulation: the run that is copied.")
    set: dict[Text, bool | float | str] = Field(
        default_factory=dict,
        description="Dotted path within the run to a value that all copies get.",
    )
    axes: dict[Text, list[float | str]] = Field(
        min_length=1,
        max_length=2,
        description="Dotted path within the run to its values, such as calcium or "
        "inputs.tonic.percent. Runs are called <sweep>-<i>-<j>, counted from 1.",
    )


class Simulation(Strict):
    """One run of the circuit."""

    engine: Annotated[str, AfterValidator(_known_engine)] = Field(
        "bionet",
        json_schema_extra=_name_engines,
        description="bionet: NEURON; neurodamus: NEURON, for cells with morphologies and synapses "
        "with release; netpyne: NEURON, cells with morphologies, for NetPyNE's analyses; pointnet: NEST, "
        "for circuits of point cells.",
    )
    level: Literal["L1", "L2", "L3"] = Field(
        "L3",
        description="L3: the circuit as built. L2, L1: from the same files, cells as LIF points; pairs "
        "weighted by their number of synapses (L2) or alike (L1); see docs/ladder.md.",
    )
    coreneuron: bool = Field(
        False, description="CoreNEURON advances the time, for bionet and neurodamus."
    )
    cell_permute: int = Field(
        0,
        ge=0,
        le=1,
        description="Order of compartments in CoreNEURON's memory: 0 as in NEURON, 1 interleaved.",
    )
    dt: TimeStep = 0.025
    duration: TimeStep = 1000.0
    v_init: Millivolts = -65.0
    celsius: Celsius = 34.0
    ranks: int = Field(2, ge=1, le=100_000, description="MPI ranks; results do not depend on it.")
    threads: int = Field(2, ge=1, le=1024, description="Of NEST; results do not depend on it.")
    spike_threshold: Millivolts = -20.0
    calcium: Millimolar | None = Field(
        None, description="Extracellular, for release of vesicles; default: 2 mM, as in slices."
    )
    minis: float = Field(
        1.0, ge=0, allow_inf_nan=False, description="Factor of all rates of miniature release."
    )
    release: Literal["stochastic", "mean"] = Field(
        "stochastic", description="mean: synapses with release deliver its expectation."
    )
    spike_times: Literal["grid", "precise"] = Field(
        "grid",
        description="Of GLIF cells. grid: at the ends of time steps, as NEST has them. precise: where "
        "the voltage meets the threshold; bionet with synaptic currents only.",
    )
    seed: int | None = Field(
        None, ge=0, description="Of release, minis and inputs; default: the model's."
    )
    save_every: TimeStep | None = Field(
        None,
        description="Of the model between two saves, from which a run that was cut goes on; bionet.",
    )
    inputs: dict[Name, Input] = Field(default_factory=dict)
    rate_limit: Hertz | None = Field(
        None, description="A mean rate of all cells above it ends the run as runaway."
    )
    gains: list[Gain] = Field(
        default_factory=list, description="Factors of weights; where several fit they multiply."
    )
    gain_tables: list[RelativeFile] = Field(
        default_factory=list, description="CSV with columns edges, source, target, factor."
    )
    record: dict[Name, Record] = Field(default_factory=dict)
    lfp: Lfp | None = Field(
        None, description="Electrodes; bionet and neurodamus without CoreNEURON, extra `lfp`."
    )

    @model_validator(mode="after")
    def _neuron_only(self) -> Simulation:
        if self.coreneuron and self.engine not in ("bionet", "neurodamus"):
            what = "pointnet is NEST" if self.engine == "pointnet" else "netpyne runs on NEURON"
            raise ValueError(f"{what}; coreneuron needs engine bionet or neurodamus")
        if self.save_every and self.engine != "bionet":
            raise ValueError("save_every: only bionet saves its runs")
        if self.cell_permute and not self.coreneuron:
            raise ValueError("cell_permute is CoreNEURON's; set coreneuron: true")
        if self.lfp and (self.coreneuron or self.engine not in ("bionet", "neurodamus")):
            raise ValueError("lfp needs membrane currents: bionet or neurodamus without coreneuron")
        return self
