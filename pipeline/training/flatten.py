"""A built circuit as plain arrays: compartments, channels, contacts. Runs in a process of its own.

Cells are built by the one builder, with a discretisation of the caller's choice; areas and resistances are
those of NEURON, so that what is trained on the arrays holds for the circuit in NEURON.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.mechanisms import load_library
from pipeline.runtime import atomic_path
from pipeline.simulation.neuron_cells import CellShelf, locate
from pipeline.sonata.layout import CHEMICAL, ELECTRICAL, CircuitPaths, edge_population_name
from pipeline.sonata.read import read_edges, read_json, read_typed_nodes, read_types
from pipeline.training.channels import reversal, tabulate, worm_channels
from pipeline.worker import serve


def flatten(job: dict) -> dict[str, float]:
    """Writes the arrays of one circuit.

    Args:
        job: root, library, nodes (population), seed, discretisation (or None), out.

    Returns:
        cells, compartments, contacts.
    """
    from neuron import h

    load_library(Path(job["library"]))
    paths, population = CircuitPaths(Path(job["root"])), job["nodes"]
    cells, nodes = _build(paths, population, job)
    arrays, index = _compartments(h, cells)
    arrays |= _channels(h, cells, arrays["soma"])
    arrays |= _contacts(paths, population, cells, index)
    arrays["names"] = np.array(nodes["name"].astype(str).tolist())
    with atomic_path(job["out"]) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)
    return {
        "cells": float(len(cells)),
        "compartments": float(len(arrays["parent"])),
        "contacts": float(len(arrays["syn_pre"]) + len(arrays["gap_a"])),
    }


def _build(paths: CircuitPaths, population: str, job: dict) -> tuple[list[Any], Any]:
    shelf = CellShelf(paths, job["seed"])
    nodes = read_typed_nodes(paths.nodes(population), paths.node_types(population), population)
    cells = []
    for node in nodes.itertuples():
        parameters = read_json(paths.emodels / node.dynamics_params, "nodes")
        if job.get("discretisation") and parameters["level"] == "full":
            parameters = parameters | {"discretisation": job["discretisation"]}
        cells.append(
            _Cell(node.Index, shelf.build(population, node.Index, str(node.morphology), parameters))
        )
    return cells, nodes


class _Cell:
    """What ``locate`` asks for."""

    def __init__(self, node_id: int, hobj: Any):
        self.node_id, self.hobj = node_id, hobj


def _compartments(h: Any, cells: list[_Cell]) -> tuple[dict[str, np.ndarray], dict[Any, int]]:
    """Numbers compartments, parents first, with the ends of sections that have children.

    Conductances are in uS, capacitances in nF; an end has neither membrane nor capacitance.
    """
    parent, axial, area, capacity, leak, rest, soma = [], [], [], [], [], [], []
    first: dict[Any, int] = {}
    ends: dict[Any, int] = {}

    def add(above: int, resistance: float, segment: Any | None) -> int:
        size = segment.area() if segment is not None else 0.0
        parent.append(above)
        axial.append(1 / resistance if above >= 0 else 0.0)
        area.append(size)
        capacity.append(segment.cm * size * 1e-5 if segment is not None else 0.0)
        leak.append(segment.g_pas * size * 1e-2 if segment is not None else 0.0)
        rest.append(segment.e_pas if segment is not None else 0.0)
        return len(parent) - 1

    for cell in cells:
        soma.append(len(parent))
        for section in cell.hobj.all:
            above = -1
            joint = section.parentseg()
            if joint is not None:
                ends_at = joint.sec
                above = ends[ends_at] if joint.x == 1 else first[ends_at]
            for number, segment in enumerate(section):
                last = add(above, segment.ri() if above >= 0 else 1.0, segment)
                first.setdefault(section, last)
                above = last
                del number
            if section.children():
                ends[section] = add(above, section(1).ri(), None)
    columns = {"parent": np.array(parent, np.int64), "soma": np.array(soma, np.int64)}
    numbers = {"axial": axial, "area": area, "capacity": capacity, "leak": leak, "rest": rest}
    return columns | {key: np.array(value) for key, value in numbers.items()}, first


def _channels(h: Any, cells: list[_Cell], soma: np.ndarray) -> dict[str, np.ndarray]:
    """Lists every channel of every soma, uS; channels elsewhere are not known here."""
    known = list(worm_channels())
    rows = []
    for index, cell in enumerate(cells):
        segment = cell.hobj.all[0](0.5)
        for number, name in enumerate(known):
            if hasattr(segment, name) and getattr(segment, name).gbar > 0:
                conductance = getattr(segment, name).gbar * segment.area() * 1e-2
                rows.append((index, number, conductance, reversal(h, segment, name)))
    used = sorted({known[row[1]] for row in rows})
    tables = tabulate(h, used)
    columns = list(zip(*rows, strict=True))
    return {
        "channel_cell": np.array(columns[0], np.int64),
        "channel_kind": np.array([known[k] for k in columns[1]]),
        "channel_g": np.array(columns[2]),
        "channel_e": np.array(columns[3]),
        **{f"table.{key}": value for key, value in tables.items()},
    }


def _contacts(
    paths: CircuitPaths, population: str, cells: list[_Cell], first: dict[Any, int]
) -> dict[str, np.ndarray]:
    """Lists contacts by compartments; a gap junction once, though its halves are two edges."""
    by_id = {cell.node_id: cell for cell in cells}

    def places(edges: Any, side: str) -> np.ndarray:
        which = "source" if side == "efferent" else "target"
        found = []
        for node, section, x in edges[
            [f"{which}_node_id", f"{side}_section_id", f"{side}_section_pos"]
        ].itertuples(index=False):
            sec, x = locate(by_id[node], int(section), float(x))
            found.append(first[sec] + min(int(x * sec.nseg), sec.nseg - 1))
        return np.array(found, np.int64)

    name = edge_population_name(population, population, CHEMICAL)
    edges = read_edges(paths.edges(name), name)
    types = read_types(paths.edge_types(name)).loc[edges["edge_type_id"]]
    chemical = {
        "syn_pre": places(edges, "efferent"),
        "syn_post": places(edges, "afferent"),
        "syn_source": edges["source_node_id"].to_numpy(np.int64),
        "syn_target": edges["target_node_id"].to_numpy(np.int64),
        "syn_weight": edges["syn_weight"].to_numpy(float),
        "syn_inhibitory": (types["synapse_sign"] == "inhibitory").to_numpy(),
    }
    kinds = read_types(paths.edge_types(name)).set_index("synapse_sign")
    for sign in ("excitatory", "inhibitory"):
        chemical[f"law_{sign}"] = kinds.loc[sign, ["g", "erev", "k", "vth", "delta"]].to_numpy(
            float
        )
    name = edge_population_name(population, population, ELECTRICAL)
    halves = read_edges(paths.edges(name), name)
    # The first half of the rows runs from the lower to the higher key; the mirrors follow.
    half = halves[halves["efferent_junction_id"] < halves["afferent_junction_id"]]
    return chemical | {
        "gap_a": places(half, "efferent"),
        "gap_b": places(half, "afferent"),
        "gap_source": half["source_node_id"].to_numpy(np.int64),
        "gap_target": half["target_node_id"].to_numpy(np.int64),
        "gap_weight": half["conductance"].to_numpy(float),
    }


if __name__ == "__main__":
    serve(sys.argv[1], flatten)
