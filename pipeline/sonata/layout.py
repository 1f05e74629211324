"""The SONATA vocabulary of this pipeline: names, dtypes, units, and where each file goes.

Two conventions hold in every file written here. A section id is 0 for the soma and the MorphIO
section id plus one otherwise; a section position runs from 0 to 1 along its section.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import CircuitError

MAGIC = 0x0A7A
VERSION = (0, 1)
CONFIG_VERSION = 2.3

NODE_TYPE, NODE_ID = "node_type_id", "node_id"
EDGE_TYPE = "edge_type_id"
SOURCE_IDS, TARGET_IDS = "source_node_id", "target_node_id"
POPULATION_ATTRIBUTE = "node_population"
GROUP = "0"
LIBRARY = "@library"
DYNAMICS = "dynamics_params"
CELL_TEMPLATE = "sonatina:cell"
"""The ``model_template`` of cells that our one builder makes."""
# libsonata and SNAP look an index up under the first name, BMTK under the second.
INDEX_NAMES = ("node_id_to_ranges", "node_id_to_range")
INDEX_EDGES = "range_to_edge_id"
INDICES = {"source_to_target": SOURCE_IDS, "target_to_source": TARGET_IDS}

CHEMICAL, ELECTRICAL = "chemical", "electrical"
EDGE_KINDS = (CHEMICAL, ELECTRICAL)

_SIDES = ("afferent", "efferent")

UNITS: dict[str, str] = {
    **dict.fromkeys(("x", "y", "z", "radius", "spine_length"), "um"),
    **{f"{side}_{place}_{axis}": "um" for side in _SIDES for place in ("center", "surface")
       for axis in "xyz"},
    **{f"{side}_{part}_offset": "um" for side in _SIDES for part in ("section", "segment")},
    "conductance": "uS",
    **dict.fromkeys(
        ("delay", "tau1", "tau2", "decay_time", "depression_time", "facilitation_time"), "ms"
    ),
    **dict.fromkeys(("erev", "v_init", "threshold_voltage"), "mV"),
    **dict.fromkeys(("holding_current", "threshold_current"), "nA"),
}  # fmt: skip
"""Canonical unit of every attribute that has one; ``syn_weight`` is a pure factor."""

OTHER_UNITS = {"conductance": ("nS",)}
"""Units that files may use instead if they say so: those of neurodamus."""

DTYPES: dict[str, str] = {
    **{name: "float32" for name in UNITS},
    **{f"orientation_{axis}": "float32" for axis in "wxyz"},
    **{f"rotation_angle_{axis}axis": "float32" for axis in "xyz"},
    **{f"{side}_{part}_{name}": dtype for side in _SIDES for part in ("section", "segment")
       for name, dtype in (("id", "uint32"), ("type", "uint32"), ("pos", "float32"))},
    **{f"{side}_junction_id": "uint64" for side in _SIDES},
    **dict.fromkeys(("syn_weight", "u_syn"), "float32"),
    **dict.fromkeys(("syn_type_id", "n_rrp_vesicles", "nsyns"), "uint32"),
}  # fmt: skip
"""On-disk dtype of known attributes, as the schemas of SNAP ask for them."""


def edge_population_name(source: str, target: str, kind: str) -> str:
    """Returns ``<source>__<target>__<kind>``, the name of an edge population.

    Raises:
        CircuitError: If the kind is unknown or a population name contains ``__`` or ``/``.
    """
    if kind not in EDGE_KINDS:
        raise CircuitError(f"edge kind {kind!r} is not one of {', '.join(EDGE_KINDS)}")
    for name in (source, target):
        if not name or "__" in name or "/" in name:
            raise CircuitError(f"population name {name!r} may not be empty, hold '__' or '/'")
    return f"{source}__{target}__{kind}"


PART_FILES = "{stem}.part-*-of-*.h5"
"""Pattern of all parts of an edges file."""


def part_path(path: str | Path, part: int, parts: int) -> Path:
    """Returns where a part (from 0) of an edges file goes: beside it."""
    path = Path(path)
    return path.with_name(f"{path.stem}.part-{part + 1:04d}-of-{parts:04d}.h5")


@dataclass(frozen=True)
class CircuitPaths:
    """Where every file of one circuit goes; nothing else in the pipeline builds these paths.

    Attributes:
        root: Folder of the circuit, ``circuits/<model>/<variant>``.
    """

    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root))

    @property
    def network(self) -> Path:
        return self.root / "network"

    @property
    def components(self) -> Path:
        return self.root / "components"

    @property
    def morphologies(self) -> Path:
        return self.components / "morphologies"

    @property
    def morphology_table(self) -> Path:
        return self.components / "morphologies.csv"

    @property
    def emodels(self) -> Path:
        return self.components / "emodels"

    @property
    def point_neurons(self) -> Path:
        return self.components / "point_neurons"

    @property
    def fits(self) -> Path:
        return self.root / "fits"

    def fit_log(self, name: str, seed: int) -> Path:
        """Every evaluation of one search, as it came."""
        return self.fits / name / f"seed_{seed}.jsonl"

    def passive_log(self, name: str, seed: int) -> Path:
        """Evaluations of rest and input resistance that moved the starts of one search."""
        return self.fits / name / f"passive_{seed}.jsonl"

    def fit_result(self, name: str, seed: int) -> Path:
        """Best individual of one search."""
        return self.fits / name / f"seed_{seed}.json"

    def fit_emodel(self, name: str) -> Path:
        """E-model of the best search."""
        return self.fits / name / f"{name}.yaml"

    def fit_table(self, name: str, kind: str) -> Path:
        """features.csv, parameters.csv, traces.csv of the best search; history.csv of all."""
        return self.fits / name / f"{kind}.csv"

    @property
    def synapses(self) -> Path:
        return self.components / "synapses"

    @property
    def mechanisms(self) -> Path:
        return self.components / "mechanisms.json"

    @property
    def circuit_config(self) -> Path:
        return self.root / "circuit_config.json"

    @property
    def node_sets(self) -> Path:
        return self.root / "node_sets.json"

    @property
    def report_page(self) -> Path:
        return self.root / "report.html"

    @property
    def provenance(self) -> Path:
        return self.root / "provenance.json"

    def nodes(self, population: str) -> Path:
        return self.network / f"{population}.nodes.h5"

    def node_types(self, population: str) -> Path:
        return self.network / f"{population}.node_types.csv"

    def edges(self, population: str) -> Path:
        return self.network / f"{population}.edges.h5"

    def edges_part(self, population: str, part: int, parts: int) -> Path:
        return part_path(self.edges(population), part, parts)

    def edge_types(self, population: str) -> Path:
        return self.network / f"{population}.edge_types.csv"

    def simulation(self, name: str) -> Path:
        return self.root / "sim" / name

    def simulation_config(self, name: str) -> Path:
        return self.simulation(name) / "simulation_config.json"

    def spikes(self, name: str) -> Path:
        return self.simulation(name) / "spikes.h5"

    def report(self, name: str, report: str) -> Path:
        return self.simulation(name) / f"{report}.h5"

    def stimulus(self, name: str) -> Path:
        return self.root / "stimuli" / name

    def stimulus_spikes(self, name: str) -> Path:
        return self.stimulus(name) / "spikes.h5"

    def stimulus_trials(self, name: str) -> Path:
        return self.stimulus(name) / "trials.csv"

    def stimulus_rates(self, name: str) -> Path:
        return self.stimulus(name) / "rates.h5"

    def psp(self, name: str) -> Path:
        """pathways.csv, pairs.csv, traces.csv; calibration.csv and gains.csv."""
        return self.root / "psp" / f"{name}.csv"

    def behaviour(self, name: str) -> Path:
        return self.root / "behaviour" / f"{name}.h5"

    def damage(self, change: str, seed: int | str) -> Path:
        """What one change of the circuit did, with one seed."""
        return self.root / "damage" / change / f"seed_{seed}.npz"

    def training(self, name: str) -> Path:
        return self.root / "training" / name

    def tuning(self, name: str) -> Path:
        return self.root / "tuning" / name

    def targets(self, name: str) -> Path:
        return self.root / "targets" / f"{name}.csv"

    def generalise(self, name: str) -> Path:
        return self.root / "generalise" / f"{name}.csv"

    def generalise_part(self, part: int, parts: int) -> Path:
        return self.root / "generalise" / "parts" / f"{part + 1}_of_{parts}.json"

    def lfp(self, simulation: str) -> Path:
        return self.simulation(simulation) / "lfp.csv"

    def analysis(self, name: str) -> Path:
        return self.root / "analysis" / f"{name}.csv"

    def log(self, stage: str) -> Path:
        return self.root / "logs" / f"{stage}.log"

    def benchmark(self, stage: str) -> Path:
        return self.root / "benchmarks" / f"{stage}.tsv"
