# Loads and validates the model before any rule exists; a bad config ends here with all its problems.
import json
import os
import sys
from pathlib import Path

from pipeline.config.load import load_model
from pipeline.config.rule_labels import plan_tables
from pipeline.config.stages import (
    drawn_shapes,
    has_cell_models,
    has_point_cells,
    stage_files,
    stage_slice,
)
from pipeline.circuit import edge_populations
from pipeline.errors import PipelineError
from pipeline.sonata.layout import CircuitPaths

try:
    RESOLVED = load_model(
        str(config.get("model", "worm")), config.get("variant") or None
    )
except PipelineError as error:
    sys.exit("\n".join(f"error: {problem}" for problem in error.problems))
MODEL = RESOLVED.model
PROTOCOLS = list(MODEL.cells.protocols) if MODEL.cells else []
OUT = str(config.get("out", "circuits"))
PATHS = CircuitPaths(Path(OUT) / MODEL.name / MODEL.variant)
ENVIRONMENT = "../envs/sonatina.yaml"
POPULATIONS = [
    kind for name in MODEL.edges for kind in edge_populations(RESOLVED, name)
]
WHOLE = MODEL.cells or MODEL.generalise or has_cell_models(MODEL, "biophysical")
COMPONENTS = [PATHS.morphologies, PATHS.emodels] if WHOLE else []
# Made by the stage of that name; the nodes then write no morphologies of their own.
GROWN = [PATHS.morphology_table, PATHS.morphologies] if MODEL.morphologies else []
POINT_CELLS = [PATHS.point_neurons] if has_point_cells(MODEL) else []
DRAWN, PLACED_TABLES = drawn_shapes(MODEL), ("placement", "fit")
# Jobs that share the evaluations of morphologies with e-models; each would evaluate all of its share.
LIMITED = MODEL.generalise and MODEL.generalise.at_most is not None
PARTS = MODEL.generalise.parts if MODEL.generalise and not LIMITED else 0
JUDGED = [MODEL.generalise.nodes] if MODEL.generalise else []
DAMAGED = [
    PATHS.damage(change, seed)
    for change in (MODEL.damage.changes if MODEL.damage else ())
    for seed in MODEL.damage.seeds
]
# A model may have no cells: bodies and premotor neurons need no circuit.
CIRCUIT = [PATHS.circuit_config] if MODEL.nodes else []
YAML = ancient(RESOLVED.files)
# Shell commands name the model by environment, so that the same stage reached by another path or
# another Python is still the same stage.
os.environ |= {
    "SONATINA_PYTHON": sys.executable,
    "SONATINA_MODEL": str(config.get("model", "worm")),
    "SONATINA_VARIANT": str(config.get("variant") or ""),
    "SONATINA_CIRCUITS": OUT,
}


wildcard_constraints:
    edges="|".join(MODEL.edges) or "none",
    run="|".join(MODEL.simulation) or "none",


def part(stage, name=""):
    """The slice of the config a stage depends on, as text: a change of it reruns the stage."""
    return json.dumps(stage_slice(RESOLVED, stage, name), sort_keys=True)


def stimulus_edges(name):
    """The edge populations that tell which units of a stimulus are connected."""
    stimulus = MODEL.stimuli[name]
    if stimulus.units == "all":
        return []
    fed = [key for key, edges in MODEL.edges.items() if edges.source == stimulus.nodes]
    return [kind for key in fed for kind in edge_populations(RESOLVED, key)]


def scattered(name):
    """How many jobs build the parts of one edge config; 0 when one job builds the whole."""
    parts = getattr(MODEL.edges[name], "parts", None) or 1
    return parts if parts > 1 else 0


def part_files(name):
    """The files of the parts of one edge config."""
    population = next(iter(edge_populations(RESOLVED, name)))
    parts = scattered(name)
    return [PATHS.edges_part(population, index, parts) for index in range(parts)]


def catalogue(name):
    """The morphologies stage's catalogue, which comes last, where edges lie on what it has grown."""
    grown = MODEL.edges[name].kind in ("touches", "afferents")
    return [PATHS.components / "morphologies.csv"] if grown else []


def edges_before(name):
    """The edges that one edge config takes off, or none."""
    less = getattr(MODEL.edges[name], "less", None)
    return [PATHS.edges(p) for p in edge_populations(RESOLVED, less)] if less else []


def merge_flag(name):
    """How the command joins the parts that other jobs have built."""
    return f" --merge {scattered(name)}" if scattered(name) else ""


def compiled(run):
    """The compiled mechanisms, where the engine of a run takes them."""
    return [PATHS.mechanisms] if run.engine != "pointnet" else []


def driving(behaviour):
    """What a behaviour needs of the circuit that drives it."""
    if behaviour.drive.kind != "circuit":
        return []
    return [PATHS.circuit_config, *COMPONENTS, PATHS.mechanisms]


def shown(run):
    """Spikes of the stimuli that a run takes."""
    names = [getattr(stimulus, "stimulus", None) for stimulus in run.inputs.values()]
    return [PATHS.stimulus_spikes(name) for name in names if name]


def workers(run):
    """Cores that a run takes: ranks of NEURON or threads of NEST."""
    return run.ranks if run.engine != "pointnet" else run.threads
