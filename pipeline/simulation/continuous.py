"""Graded synapses and gap junctions in NEURON, on any number of ranks.

BMTK's BioNet knows spike-driven synapses only. Here every edge whose template is a continuous point
process gets the presynaptic voltage by ``ParallelContext`` transfer, which NEURON exchanges inside its
own time loop: no Python runs per step, and the value does not depend on who computes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.errors import CircuitError, Problem, SimulationError
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import read_edges, read_types


@dataclass(frozen=True)
class Continuous:
    """How an edge's attributes reach a continuous point process.

    Attributes:
        voltage: RANGE variable that receives the other side's voltage.
        weight: RANGE variable of the edge's own strength.
        column: Edge attribute of that strength.
        parameters: Type table column to RANGE variable.
    """

    voltage: str
    weight: str
    column: str
    parameters: dict[str, str]


def continuous_templates() -> dict[str, Continuous]:
    """Returns the point processes that take a voltage instead of spikes."""
    graded = {"g": "g", "erev": "E", "k": "k", "vth": "vth", "delta": "delta"}
    return {
        "GradedSyn": Continuous("vpre", "w", "syn_weight", graded),
        "GapHalf": Continuous("vgap", "g", "conductance", {}),
    }


def is_continuous(paths: CircuitPaths, population: str) -> bool:
    """Whether all edge types of a population are continuous point processes.

    Raises:
        SimulationError: If continuous and spike-driven types are mixed.
    """
    templates = set(read_types(paths.edge_types(population))["model_template"])
    known = templates & set(continuous_templates())
    if known and known != templates:
        raise SimulationError(
            f"edges {population!r} mix continuous ({', '.join(sorted(known))}) and other types; "
            "write them as two populations"
        )
    return bool(known)


@dataclass(frozen=True)
class Wired:
    """Live NEURON objects of the continuous edges on this rank; keep it while simulating."""

    processes: list[Any]
    sources: int


def voltages(wired: Wired) -> list[Any]:
    """References of the voltages that were handed over to this rank's processes."""
    names = {key: law.voltage for key, law in continuous_templates().items()}
    kinds = (process.hname().split("[")[0] for process in wired.processes)
    return [
        getattr(process, f"_ref_{names[kind]}")
        for process, kind in zip(wired.processes, kinds, strict=True)
    ]


def connect(
    paths: CircuitPaths,
    populations: list[str],
    cells: dict[int, Any],
    locate: Callable[[Any, int, float], tuple[Any, float]],
) -> Wired:
    """Makes the point processes of this rank's cells and the voltage transfers between ranks.

    Args:
        paths: The circuit.
        populations: Continuous edge populations; all between one node population.
        cells: Node id to cell, of the cells on this rank.
        locate: Turns (cell, section id, position) into (NEURON section, x).

    Returns:
        The live objects.
    """
    from neuron import h

    pc = h.ParallelContext()
    ends = ["efferent_section_id", "efferent_section_pos"]
    every = [read_edges(paths.edges(name), name, ends) for name in populations]
    places = _transfer_ids(pd.concat(every, ignore_index=True)) if every else pd.DataFrame()
    made = 0
    for row in places.itertuples():
        if row.source_node_id in cells:
            sec, x = locate(cells[row.source_node_id], row.efferent_section_id, row.position)
            pc.source_var(sec(x)._ref_v, int(row.Index), sec=sec)
            made += 1
    ids = {key: int(index) for index, key in zip(places.index, _keys(places), strict=True)}
    processes: list[Any] = []
    for name in populations:
        _connect_population(pc, h, paths, name, cells, locate, ids, processes)
    counts = (sum(map(len, every)), len(places))
    _require_all(pc, paths, populations, counts, (len(processes), made))
    return Wired(processes, made)


def _require_all(pc, paths, populations, expected, made) -> None:
    """Makes sure that all ranks together hold both ends of every edge."""
    found = [int(pc.allreduce(float(number), 1)) for number in made]
    for side, want, have in zip(("end", "start"), expected, found, strict=True):
        if want != have:
            files = ", ".join(str(paths.edges(name)) for name in populations)
            message = (
                f"{want - have} of {want} edges or their places {side} at nodes that do not exist"
            )
            raise CircuitError(Problem(files, message, "'sonatina check' tells which"))


def _transfer_ids(edges: pd.DataFrame) -> pd.DataFrame:
    """Numbers the distinct source places; the same on every rank, whatever cells it holds."""
    table = edges.rename(columns={"efferent_section_pos": "position"})
    columns = ["source_node_id", "efferent_section_id", "position"]
    return table[columns].drop_duplicates().sort_values(columns).reset_index(drop=True)


def _keys(places: pd.DataFrame) -> list[tuple[int, int, float]]:
    if places.empty:
        return []
    columns = ("source_node_id", "efferent_section_id", "position")
    return list(zip(*(places[c].tolist() for c in columns), strict=True))


def _connect_population(pc, h, paths, name, cells, locate, ids, processes) -> None:
    types = read_types(paths.edge_types(name))
    edges = read_edges(paths.edges(name), name, targets=sorted(cells))
    places = edges.rename(columns={"efferent_section_pos": "position"})
    for row, key in zip(edges.itertuples(), _keys(places), strict=True):
        kind = types.loc[row.edge_type_id]
        law = continuous_templates()[kind["model_template"]]
        sec, x = locate(
            cells[row.target_node_id], row.afferent_section_id, row.afferent_section_pos
        )
        process = getattr(h, kind["model_template"])(sec(x))
        for column, variable in law.parameters.items():
            setattr(process, variable, float(kind[column]))
        setattr(process, law.weight, float(getattr(row, law.column)))
        pc.target_var(process, getattr(process, f"_ref_{law.voltage}"), ids[key])
        processes.append(process)
