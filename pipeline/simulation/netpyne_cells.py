"""Cells as NetPyNE describes them: rules of sections, made from our builder's cells, and back."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from pipeline.cells.description import in_list, reduce_level
from pipeline.cells.morphology import Morphology, Section
from pipeline.cells.noise import NoiseKey, key_channels
from pipeline.config.emodel import EModel
from pipeline.simulation.neuron_cells import CellShelf
from pipeline.simulation.plan import Plan
from pipeline.simulation.targets import typed_nodes
from pipeline.sonata.read import read_json

TAG = "node_id"


@dataclass(frozen=True)
class Rules:
    """What NetPyNE needs to make the cells of a population.

    Attributes:
        cells: NetPyNE's cellParams by label.
        populations: Its popParams; cells carry their node id as a tag.
        shapes: Morphology by label.
        channels: Names of mechanisms by label.
        gids: int64 [nodes]. NetPyNE numbers the cells of its populations one after the other.
    """

    cells: dict[str, dict[str, Any]]
    populations: dict[str, dict[str, Any]]
    shapes: dict[str, Morphology]
    channels: dict[str, list[str]]
    gids: np.ndarray


@dataclass(frozen=True)
class MadeCell:
    """One of NetPyNE's cells as the other modules want to see cells.

    Attributes:
        node_id: Its node.
        hobj: Sections by section id (``all``), ``soma`` and ``shape``.
        made: NetPyNE's object.
        labels: NetPyNE's names of the sections, in the order of ``all``.
    """

    node_id: int
    hobj: Any
    made: Any
    labels: list[str]


def make_rules(plan: Plan, population: str) -> Rules:
    """Describes all cells of a population; every kind of cell is built once, read and dropped.

    Args:
        plan: The run; NEURON has its mechanisms.
        population: Node population, cells with morphologies.
    """
    nodes = typed_nodes(plan.paths, population)
    shelf = CellShelf(plan.paths, int(plan.config["run"]["random_seed"]))
    files = nodes["dynamics_params"].astype(str)
    known = {file: read_json(plan.paths.emodels / file, "nodes") for file in files.unique()}
    rules = Rules({}, {}, {}, {}, np.zeros(len(nodes), np.int64))
    labels: dict[tuple[str, str], str] = {}
    for node, file, shape in zip(nodes.index, files, nodes["morphology"].astype(str), strict=True):
        key = (file, shape)
        if key not in labels:
            labels[key] = f"{file.removesuffix('.json')}_{shape}"
            _add_rule(rules, labels[key], shelf, (population, int(node), shape, known[file]))
        kind = str(
            nodes.loc[node].get("pop_name", f"{population}_{nodes.loc[node, 'node_type_id']}")
        )
        entry = rules.populations.setdefault(kind, {"cellType": labels[key], "cellsList": []})
        place = {axis: float(nodes.loc[node].get(axis, 0.0)) for axis in "xyz"}
        entry["cellsList"].append({"cellType": labels[key], TAG: int(node)} | place)
    order = [cell[TAG] for entry in rules.populations.values() for cell in entry["cellsList"]]
    rules.gids[order] = np.arange(len(order))
    gc.collect()  # sections and their cell hold each other
    return rules


def _add_rule(rules: Rules, label: str, shelf: CellShelf, node: tuple) -> None:
    built = shelf.build(*node)
    described = reduce_level(shelf.describe(*node[2:]))
    emodel, shapes = described.emodel, described.morphology.sections
    names = section_labels(built)
    sections = {}
    ends = _parents(built, names)
    for name, section, shape, parent in zip(names, built.all, shapes, ends, strict=True):
        points = [
            [getattr(section, f"{axis}3d")(k) for axis in ("x", "y", "z", "diam")]
            for k in range(section.n3d())
        ]
        sections[name] = {
            "geom": {"nseg": section.nseg, "Ra": section.Ra, "cm": section.cm, "pt3d": points},
            "topol": parent,
            "mechs": _mechanisms(section, emodel),
            "ions": _reversals(section, shape, emodel),
        }
    rules.cells[label] = {"secs": sections}
    rules.shapes[label] = built.shape
    rules.channels[label] = [m for entries in emodel.mechanisms.values() for m in entries]


def section_labels(cell: Any) -> list[str]:
    """Returns NetPyNE's names of a cell's sections by section id: soma, dend_0, ..."""
    names = {}
    for kind in ("soma", "axon", "dend", "apic", "myelin"):
        sections = getattr(cell, kind)
        names |= {sec: kind if kind == "soma" else f"{kind}_{k}" for k, sec in enumerate(sections)}
    return [names[section] for section in cell.all]


def _parents(cell: Any, names: list[str]) -> list[dict[str, Any]]:
    found = []
    for section in cell.all:
        parent = section.parentseg()
        where = {} if parent is None else {
            "parentSec": names[cell.all.index(parent.sec)], "parentX": parent.x, "childX": 0.0,
        }  # fmt: skip
        found.append(where)
    return found


def _mechanisms(section: Any, emodel: EModel) -> dict[str, dict[str, list[float]]]:
    """Values of all parameters an e-model sets, segment by segment."""
    wanted = {"pas": {"g", "e"}}
    for mechanisms in emodel.mechanisms.values():
        for mechanism, parameters in mechanisms.items():
            if section.has_membrane(mechanism):
                wanted.setdefault(mechanism, set()).update(parameters)
    return {
        mechanism: {
            name: [getattr(segment, f"{name}_{mechanism}") for segment in section]
            for name in sorted(names)
        }
        for mechanism, names in wanted.items()
    }


def _reversals(section: Any, shape: Section, emodel: EModel) -> dict[str, dict[str, float]]:
    found = {}
    for where, reversal in (emodel.reversal or {}).items():
        for name, value in reversal if in_list(shape, where) else ():
            if value is not None and hasattr(section(0.5), name):
                found[name[1:]] = {"e": value}
    return found


def wrap_cells(sim: Any, rules: Rules, key: tuple[int, str]) -> dict[int, MadeCell]:
    """Returns NetPyNE's cells of this rank by gid, their random channels keyed.

    Args:
        sim: NetPyNE's ``sim``.
        rules: What they were made from.
        key: Seed and node population of the streams.
    """
    found = {}
    for cell in sim.net.cells:
        label, node = cell.tags["cellType"], int(cell.tags[TAG])
        names = list(rules.cells[label]["secs"])
        sections = [cell.secs[name]["hObj"] for name in names]
        key_channels(sections, rules.channels[label], NoiseKey(*key, node))
        hobj = SimpleNamespace(all=sections, soma=sections[:1], shape=rules.shapes[label])
        found[int(cell.gid)] = MadeCell(node, hobj, cell, names)
    return found
