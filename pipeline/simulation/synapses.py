"""Synapses on morphologies: places by membrane area, shared point processes, weights in uS.

Each of an edge's ``nsyns`` synapses has ``syn_weight`` (uS) and a place of its own among the sections
and distances of its edge type, as BioNet does it. Synapses of equal kinetics on one segment are linear
and share a point process that sums simultaneous events before it scales them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.cells.morphology import Morphology
from pipeline.cells.synapse_places import synapse_places
from pipeline.errors import CircuitError, MechanismError, Problem
from pipeline.simulation.plan import Plan
from pipeline.simulation.weights import SYNAPSE_GRID, EdgeReader, synapse_models
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_types

TEMPLATE = "exp2syn"
MECHANISM = "Exp2SynSum"
KINETICS = ("tau1", "tau2", "erev")
ANYWHERE = "soma+dend+apic"
Place = tuple[int, float, float, float, int, int]
"""Target node, tau1 (ms), tau2 (ms), reversal potential (mV), section id, segment."""


def is_known(paths: CircuitPaths, population: str) -> bool:
    """Whether an edge population has synapses of the template ``exp2syn``."""
    types = read_types(paths.edge_types(population))
    return bool((types.get("model_template", pd.Series(dtype=object)) == TEMPLATE).any())


@dataclass(frozen=True)
class Placed:
    """Synapses of a block of edges; those of one source, place and delay are one row.

    Attributes:
        places: Distinct places, in the order of targets, kinetics, sections and segments.
        index: int64 [n], row of ``places``.
        sources: int64 [n], source node ids.
        weights: float64 [n], uS.
        delays: float64 [n], ms.
        synapses: Number of synapses.
    """

    places: list[Place]
    index: np.ndarray
    sources: np.ndarray
    weights: np.ndarray
    delays: np.ndarray
    synapses: int


class Placer:
    """Places the synapses of one edge population on the cells of this rank.

    Args:
        plan: The run.
        population: Edge population; part of the key of the draws.
        reader: Its weights and delays.
        cells: Node id to cell, those with morphologies.
    """

    def __init__(self, plan: Plan, population: str, reader: EdgeReader, cells: dict[int, Any]):
        self._seed = int(plan.config["run"]["random_seed"])
        self._name, self._reader, self._cells = population, reader, cells
        self._file = str(plan.paths.edge_types(population))
        self._kinetics = kinetics_of(plan.paths, reader.types)
        self._where = _where(reader.types, self._file)
        labels: dict[int, str] = {}
        self._shapes: dict[str, Morphology] = {}
        for cell in cells.values():
            if id(cell.shape) not in labels:
                taken = cell.shape.name in self._shapes  # the same file with another axon rule
                label = f"{cell.shape.name}{f' ({len(labels)})' if taken else ''}"
                labels[id(cell.shape)] = label
                self._shapes[label] = cell.shape
        self._label = {node: labels[id(cell.shape)] for node, cell in cells.items()}

    def place(self, block: dict[str, np.ndarray]) -> Placed:
        """Places the synapses of a block that holds all edges of its targets.

        Raises:
            CircuitError: If an edge type lacks its kinetics, weight or delay.
            MorphologyError: If a cell has no membrane where an edge type puts its synapses.
        """
        types = block["edge_type_id"].astype(np.int64)
        self._require_kinetics(types)
        nsyns = self._reader.column(block, "nsyns", types, 1.0).astype(np.int64)
        each = {key: np.repeat(column, nsyns) for key, column in block.items()}
        each["nsyns"] = np.ones(len(each["edge_type_id"]))
        values = self._reader.values(each, SYNAPSE_GRID)
        number = _numbers(each["source_node_id"], each["target_node_id"])
        number = number if values.rows is None else number[values.rows]
        section, segment = self._draw(values, number)
        return self._merge(values, section, segment)

    def _require_kinetics(self, types: np.ndarray) -> None:
        used = self._kinetics.loc[np.unique(types)]
        known = used["model_template"] == TEMPLATE
        if not known.all():
            found = used.loc[~known, "model_template"].iloc[0]
            message = f"edge type {used.index[~known][0]} onto a morphology has template {found!r}"
            raise CircuitError(Problem(self._file, message, f"expected {TEMPLATE}"))
        numbers = used[list(KINETICS)]
        good = np.isfinite(numbers).all(axis=1) & (numbers["tau1"] > 0)
        good &= numbers["tau2"] > numbers["tau1"]
        if not good.all():
            row = numbers[~good].iloc[0]
            shown = ", ".join(f"{key} {row[key]:g}" for key in KINETICS)
            message = f"edge type {row.name} onto a morphology has {shown}"
            raise CircuitError(
                Problem(self._file, message, "expected 0 < tau1 < tau2 (ms), erev (mV)")
            )

    def _draw(self, values, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Section id and segment of every synapse: int64 [n] each."""
        section, x = np.zeros(len(number), np.int64), np.zeros(len(number))
        shapes = np.array([self._label[t] for t in values.targets.tolist()], str)
        codes = self._where["code"].loc[values.types].to_numpy()
        for code in np.unique(codes):
            rows = np.flatnonzero(codes == code)
            law = self._where[self._where["code"] == code].iloc[0]
            section[rows], x[rows] = synapse_places(
                self._seed, self._name, values.sources[rows], values.targets[rows], number[rows],
                shapes[rows], self._shapes, law["sections"], (law["low"], law["high"]),
            )  # fmt: skip
        counts = {node: [s.nseg for s in cell.all] for node, cell in self._cells.items()}
        single = np.array([len(counts[t]) == 1 for t in values.targets.tolist()], bool)
        section[single], x[single] = 0, 0.5  # a reduced cell has its soma only
        pairs = zip(values.targets.tolist(), section.tolist(), strict=True)
        nseg = np.array([counts[t][k] for t, k in pairs], np.int64)
        return section, np.minimum((x * nseg).astype(np.int64), nseg - 1)

    def _merge(self, values, section: np.ndarray, segment: np.ndarray) -> Placed:
        kinetics = self._kinetics["code"].loc[values.types].to_numpy()
        order = np.lexsort(
            (values.delays, values.sources, segment, section, kinetics, values.targets)
        )
        keys = np.stack(
            [c[order] for c in (values.targets, kinetics, section, segment, values.sources)], axis=1
        )
        delays = values.delays[order]
        new = np.ones(len(order), bool)
        new[1:] = (keys[1:] != keys[:-1]).any(axis=1) | (delays[1:] != delays[:-1])
        begin = np.flatnonzero(new)
        fresh = np.ones(len(begin), bool)
        fresh[1:] = (keys[begin[1:], :4] != keys[begin[:-1], :4]).any(axis=1)
        laws = self._kinetics.drop_duplicates("code").set_index("code")[list(KINETICS)]
        law = {
            code: tuple(map(float, row))
            for code, row in zip(laws.index, laws.to_numpy(), strict=True)
        }
        rows = keys[begin[fresh], :4].tolist()
        places = [(target, *law[code], sec, seg) for target, code, sec, seg in rows]
        # Sums of weights on the grid are exact in any order.
        weights = np.add.reduceat(values.weights[order], begin) if len(begin) else np.zeros(0)
        index = np.cumsum(fresh) - 1
        return Placed(places, index, keys[begin, 4], weights, delays[begin], len(order))


def make_process(cells: dict[int, Any], place: Place) -> Any:
    """Makes the point process of one place.

    Raises:
        MechanismError: If the mechanism set ``synapses`` is not loaded.
    """
    from neuron import h

    if not hasattr(h, MECHANISM):
        hint = "add the set synapses to mechanisms"
        raise MechanismError(Problem(TEMPLATE, f"no mechanism {MECHANISM!r}", hint))
    target, tau1, tau2, reversal, section, segment = place
    sec = cells[target].all[section]
    process = getattr(h, MECHANISM)(sec((segment + 0.5) / sec.nseg))
    process.tau1, process.tau2, process.e = tau1, tau2, reversal
    return process


def _numbers(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Number of every synapse within its pair, in the order given: int64 [n]."""
    order = np.lexsort((sources, targets))
    pairs = np.stack([targets[order], sources[order]], axis=1).astype(np.int64)
    new = np.ones(len(order), bool)
    new[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    begin = np.flatnonzero(new)
    counted = np.arange(len(order)) - begin[np.cumsum(new) - 1] if len(order) else order
    numbers = np.empty(len(order), np.int64)
    numbers[order] = counted
    return numbers


def kinetics_of(paths: CircuitPaths, types: pd.DataFrame) -> pd.DataFrame:
    """Template, kinetics and their code by edge type; columns win over synapse model files."""
    models = synapse_models(paths, types)
    found = pd.DataFrame({"model_template": types.get("model_template")}, index=types.index)
    for key in KINETICS:
        own = pd.Series({k: models[k].get(key, np.nan) for k in types.index}, dtype=float)
        found[key] = types[key].astype(float).fillna(own) if key in types else own
    # Numbered by value, so that the code is the same on every rank.
    found["code"] = found.groupby(list(KINETICS), dropna=False, sort=True).ngroup()
    return found


def _where(types: pd.DataFrame, file: str) -> pd.DataFrame:
    """Section types, least and largest distance (um) and their code by edge type."""
    rows = []
    for kind in types.itertuples():
        sections, span = (getattr(kind, c, None) for c in ("target_sections", "distance_range"))
        try:
            words = json.loads(sections.replace("'", '"')) if isinstance(sections, str) else None
            low, high = json.loads(span) if isinstance(span, str) else (0.0, np.inf)
            rows.append(("+".join(words) if words else ANYWHERE, float(low), float(high)))
        except (ValueError, TypeError):
            message = (
                f"edge type {kind.Index}: target_sections {sections!r}, distance_range {span!r}"
            )
            hint = "expected such as ['dend', 'apic'] and [0, 150]"
            raise CircuitError(Problem(file, message, hint)) from None
    found = pd.DataFrame(rows, columns=["sections", "low", "high"], index=types.index)
    found["sections"] = found["sections"].str.replace("basal", "dend").str.replace("apical", "apic")
    found["code"] = found.groupby(["sections", "low", "high"], sort=True).ngroup()
    return found
