"""The ladder: a circuit of cells with compartments at coarser levels, from the same files.

L3 is the circuit as built. L2: every cell is the LIF point of its own measurements, every connected pair
one current whose charge is its number of synapses times the mean charge of a synapse. L1: all cells are
the same point, all pairs of an edge population and sign the same weight. Formulas, and what is assumed:
docs/ladder.md. The reduced circuit is a SONATA circuit of its own, in the folder of the run.
"""

from __future__ import annotations

import json
import math
import shutil
from typing import Any

import h5py
import numpy as np
import pandas as pd

from pipeline.cells.glif import Glif
from pipeline.cells.glif_synapses import Port, nest_parameters
from pipeline.errors import Problem
from pipeline.mpi import run_ranks
from pipeline.runtime import atomic_path, file_hash, write_json, write_text
from pipeline.simulation import release_synapses, synapses
from pipeline.simulation.ladder_cells import Probe, to_point
from pipeline.simulation.plan import LevelPaths, Plan
from pipeline.simulation.targets import edge_ends, populations, typed_nodes
from pipeline.simulation.weights import EdgeReader
from pipeline.sonata.configs import write_types
from pipeline.sonata.layout import CELL_TEMPLATE, CircuitPaths
from pipeline.sonata.read import open_population, read_edges, read_json, read_types
from pipeline.sonata.write import EdgeWriter

POINT, MECHANISM = "glif_psc", "GlifPsc"
PORTS = ("excitatory", "inhibitory")
FAST = {
    "AmpaNmdaRelease": ("e", 0.0),
    "GabaABRelease": ("e_gabaa", -80.0),
}
"""Reversal potential of the fast receptor: its name and the mechanism's value, mV."""


def check_level(plan: Plan, whole: CircuitPaths) -> list[Problem]:
    """Names what keeps a circuit from being reduced, before anything is measured."""
    problems = []
    for name, virtual in populations(whole).items():
        types = read_types(whole.node_types(name))
        templates = types.get("model_template", types.iloc[:, 0]).astype(str)
        if not virtual and (templates != CELL_TEMPLATE).any():
            message = "has cells that are points already, or made elsewhere"
            hint = f"level {plan.level} is made from cells with compartments; leave level out"
            problems.append(Problem(str(whole.node_types(name)), message, hint))
    for name in edge_ends(whole):
        if not (synapses.is_known(whole, name) or release_synapses.is_known(whole, name)):
            message = f"level {plan.level} knows chemical synapses that are driven by spikes"
            hint = (
                "exp2syn, AmpaNmdaRelease, GabaABRelease; points have no graded ones, no junctions"
            )
            problems.append(Problem(str(whole.edges(name)), message, hint))
    made = read_json(whole.mechanisms, "compile").get("mechanisms", [])
    if plan.config["engine"] == "bionet" and MECHANISM not in made:
        hint = "add the set glif to mechanisms, or set engine: pointnet"
        problems.append(Problem(str(whole.mechanisms), "points need their mechanism", hint))
    return problems


def reduce_circuit(plan: Plan, whole: CircuitPaths) -> None:
    """Writes the reduced circuit of a run; ``plan.paths`` is where.

    Args:
        plan: The run, with the reduced circuit's paths.
        whole: The circuit as built.

    Raises:
        CircuitError: If a cell does not rest or fires no spike, or an edge has no sign.
    """
    paths = plan.paths
    shutil.rmtree(paths.root, ignore_errors=True)
    virtual = populations(whole)
    points: dict[str, dict[int, Glif]] = {}
    for name in (n for n in virtual if not virtual[n]):
        points[name] = _points(plan, whole, name)
    for name in virtual:
        for file in (whole.nodes(name), whole.node_types(name)):
            target = paths.network / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    edges = {name: _charges(plan, whole, name, points) for name in edge_ends(whole)}
    taus = _time_constants(edges.values())
    for name, cells in points.items():
        _write_points(paths, whole, name, cells, [Port(tau) for tau in taus])
    for name, table in edges.items():
        _write_edges(plan, whole, name, table, taus)
    paths.synapses.mkdir(parents=True, exist_ok=True)
    for port, kind in enumerate(PORTS, start=1):
        write_json(paths.synapses / f"{kind}.json", {"receptor_type": port})
    shutil.copyfile(whole.node_sets, paths.node_sets)
    _write_config(paths, whole, list(points))


def _points(plan: Plan, whole: CircuitPaths, population: str) -> dict[int, Glif]:
    """The point of every node."""
    nodes = typed_nodes(whole, population)
    files, shapes = nodes["dynamics_params"].astype(str), nodes["morphology"].astype(str)
    suffix = next(p.suffix for p in whole.morphologies.iterdir() if not p.name.startswith("."))
    paths = {
        s: whole.morphologies / f"{s.removesuffix(suffix)}{suffix}" for s in dict.fromkeys(shapes)
    }
    # Equal files count once, whatever their names.
    first: dict[str, str] = {}
    same = {s: first.setdefault(file_hash(path), s) for s, path in paths.items()}
    labels = files + " " + shapes.map(same)
    cells = {
        label: {
            "parameters": read_json(whole.emodels / file, "nodes"),
            "morphology": str(paths[same[shape]]),
        }
        for label, file, shape in zip(labels, files, shapes, strict=True)
    }
    run, conditions = plan.config["run"], plan.config["conditions"]
    job = {
        "library": str(plan.library or ""), "cells": cells,
        "settings": {
            "dt": plan.dt, "threshold": run["spike_threshold"],
            "v_init": conditions["v_init"], "celsius": conditions["celsius"],
        },
    }  # fmt: skip
    probes = run_ranks("pipeline.simulation.ladder_cells", job, 1)
    points = {label: to_point(Probe(**probe)) for label, probe in probes.items()}
    rows = [{"cell": label, **probes[label], **_shown(points[label])} for label in points]
    table = pd.DataFrame(rows).to_csv(index=False, float_format="%.6g")
    write_text(plan.paths.root / f"points_{population}.csv", table)
    if plan.level == "L1":
        counts = labels.value_counts()
        points = dict.fromkeys(
            points, _median([points[k] for k in counts.index], counts.to_numpy())
        )
    return {int(node): points[label] for node, label in zip(nodes.index, labels, strict=True)}


def _shown(point: Glif) -> dict[str, float]:
    return {key: getattr(point, key) for key in ("C", "g", "E_L", "threshold", "t_ref")}


def _median(points: list[Glif], counts: np.ndarray) -> Glif:
    """The point whose every number is the median over all cells."""
    names = ("C", "g", "E_L", "threshold", "V_reset", "t_ref")
    values = {
        name: float(np.median(np.repeat([getattr(p, name) for p in points], counts)))
        for name in names
    }
    return Glif(level=1, **values)


def _charges(plan: Plan, whole: CircuitPaths, name: str, points: dict) -> pd.DataFrame:
    """Connected pairs: source, target, sign, n synapses, charge (pA ms), time (ms), delay (ms).

    The charge of a synapse is that of its conductance under the driving force half way between rest and
    threshold of its target; nothing is lost along dendrites.
    """
    ends = edge_ends(whole)[name]
    reader = EdgeReader(whole, name, ends, [], plan.dt)
    known = release_synapses.is_known(whole, name)
    table = (_release if known else _exp2syn)(plan, whole, name, ends, reader)
    middle = {node: (p.E_L + p.threshold) / 2 for node, p in points[ends[1]].items()}
    force = table["reversal"] - table["target"].map(middle)
    table["charge"] = 1e3 * table["conductance"] * table["area"] * force
    table["sign"] = np.sign(table["charge"]).astype(int)
    table = table[table["sign"] != 0]
    table["weighed"] = table["charge"].abs() * table["time"]
    table["late"] = table["delay"] * table["n"]
    groups = table.groupby(["target", "source", "sign"], as_index=False)
    found = groups[["n", "charge", "weighed", "late"]].sum()
    found["delay"] = found.pop("late") / found["n"]
    if plan.level == "L1":
        found["charge"] = found.groupby("sign")["charge"].transform("mean")
    else:
        mean = found.groupby("sign")["charge"].transform("sum") / found.groupby("sign")[
            "n"
        ].transform("sum")
        found["charge"] = mean * found["n"]
    return found


def _exp2syn(plan, whole, name, ends, reader) -> pd.DataFrame:
    """Conductance (uS), area (ms), time (ms), reversal (mV), delay (ms) and n of every edge."""
    with open_population(whole.edges(name), "edges", name) as root:
        columns = [c for c in ("syn_weight", "nsyns", "delay") if c in root["0"]]
    edges = read_edges(whole.edges(name), name, columns)
    block = {key: edges[key].to_numpy() for key in edges}
    types = block["edge_type_id"].astype(np.int64)
    law = synapses.kinetics_of(whole, reader.types).loc[types]
    number = reader.column(block, "nsyns", types, 1.0)
    fast, slow = law["tau1"].to_numpy(float), law["tau2"].to_numpy(float)
    return pd.DataFrame({
        "source": block["source_node_id"].astype(np.int64),
        "target": block["target_node_id"].astype(np.int64),
        "conductance": number * reader.column(block, "syn_weight", types),
        "area": area(fast, slow), "time": fast + slow, "reversal": law["erev"].to_numpy(float),
        "delay": reader.column(block, "delay", types), "n": number,
    })  # fmt: skip


def _release(plan, whole, name, ends, reader) -> pd.DataFrame:
    """The same of synapses with release: the mean of a rested synapse's fast receptor."""
    release = release_synapses.ReleaseReader(
        whole, name, ends[1], reader, plan.config["conditions"]
    )
    edges = read_edges(whole.edges(name), name, release.columns)
    block = {key: edges[key].to_numpy() for key in edges} | {"edge_id": edges.index.to_numpy()}
    rows = release.parameters(block)
    laws = release_synapses.templates()
    fixed = {kind: release.fixed(kind) for kind in rows["type"].unique()}
    rise, reversal = np.empty(len(rows)), np.empty(len(rows))
    pairs = zip(rows["template"], rows["type"], strict=True)
    for row, (template, kind) in enumerate(pairs):
        rise[row] = fixed[kind].get(*laws[template].rise)
        reversal[row] = fixed[kind].get(*FAST[template])
    decay = rows["decay"].to_numpy(float)
    return pd.DataFrame({
        "source": rows["source"], "target": rows["target"],
        "conductance": rows["U"] * rows["conductance"],
        "area": area(rise, decay), "time": rise + decay, "reversal": reversal,
        "delay": rows["delay"], "n": 1.0,
    })  # fmt: skip


def area(rise: np.ndarray, decay: np.ndarray) -> np.ndarray:
    """Integral (ms) of a difference of exponentials whose peak is 1; time constants in ms."""
    peak = rise * decay / (decay - rise) * np.log(decay / rise)
    return (decay - rise) / (np.exp(-peak / decay) - np.exp(-peak / rise))


def _time_constants(tables: Any) -> list[float]:
    """Of both ports, ms: an alpha function's mean time is twice its time constant."""
    every = pd.concat(list(tables), ignore_index=True)
    taus = []
    for sign in (1, -1):
        own = every[every["sign"] == sign]
        total = own["weighed"].sum() / own["charge"].abs().sum() if len(own) else 2.0
        taus.append(float(total) / 2)
    return taus


def _write_points(paths, whole, population: str, cells: dict[int, Glif], ports: list[Port]) -> None:
    """Nodes with their attributes, but a type per point and no morphology."""
    nodes, types = typed_nodes(whole, population), read_types(whole.node_types(population))
    kinds: dict[tuple[int, Glif], int] = {}
    own = [
        kinds.setdefault((int(kind), cells[int(node)]), len(kinds))
        for node, kind in zip(nodes.index, nodes["node_type_id"], strict=True)
    ]
    gone = ("morphology", "model_type", "model_template", "dynamics_params")
    rows = []
    for (kind, point), number in kinds.items():
        file = f"{population}_{number}.json"
        write_json(paths.point_neurons / file, nest_parameters(point, "psc", ports))
        kept = {k: v for k, v in types.loc[kind].items() if k not in gone and not _missing(v)}
        model = {"model_type": "point_neuron", "model_template": f"nest:{POINT}"}
        rows.append({"node_type_id": number, **kept, **model, "dynamics_params": file})
    write_types(paths.node_types(population), rows)
    with atomic_path(paths.nodes(population)) as temporary:
        shutil.copyfile(whole.nodes(population), temporary)
        with h5py.File(temporary, "r+") as handle:
            root = handle[f"nodes/{population}"]
            root["node_type_id"][:] = own
            for group in (root["0"], root["0"].get("@library", {})):
                for name in gone:
                    if name in group:
                        del group[name]


def _missing(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _write_edges(plan: Plan, whole: CircuitPaths, name: str, table, taus: list[float]) -> None:
    """One edge per pair and sign; the weight (pA) carries its charge into an alpha function."""
    paths, ends = plan.paths, edge_ends(whole)[name]
    rows = [
        {"edge_type_id": k, "model_template": "static_synapse", "dynamics_params": f"{kind}.json"}
        for k, kind in enumerate(PORTS)
    ]
    write_types(paths.edge_types(name), rows)
    types = (table["sign"] < 0).to_numpy(np.int64)
    weight = table["charge"].to_numpy() / (math.e * np.array(taus)[types])
    columns = {"syn_weight": weight, "delay": table["delay"].to_numpy()}
    counts = [len(typed_nodes(whole, end)) for end in ends]
    with EdgeWriter(paths.edges(name), name, *ends, *counts) as writer:
        ids = (table[key].to_numpy(np.uint64) for key in ("source", "target"))
        writer.append(*ids, types, columns)


def _write_config(paths: LevelPaths, whole: CircuitPaths, cells: list[str]) -> None:
    """The circuit config, cells as points."""
    config = json.loads(whole.circuit_config.read_text(encoding="utf-8"))
    for entry in config["networks"]["nodes"]:
        for name, properties in entry["populations"].items():
            if name in cells:
                properties["type"] = "point_neuron"
    folder = "$BASE_DIR/components"
    config["components"] = {
        "point_neuron_models_dir": f"{folder}/point_neurons",
        "synaptic_models_dir": f"{folder}/synapses",
        "biophysical_neuron_models_dir": f"{folder}/point_neurons",
    }
    write_json(paths.circuit_config, config)
