"""Which rank gets which cell: the heaviest first, each to the rank that has least to do so far.

Cells are heavy by their compartments, the mechanisms in them and the synapses onto them, all known from
the circuit's files. Results do not depend on it, as they do not on the number of ranks; time does.
"""

from __future__ import annotations

import heapq
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.cells.description import CellDescription, in_list, reduce_level
from pipeline.cells.morphology import segment_counts
from pipeline.runtime import progress, write_text
from pipeline.simulation import continuous, release_synapses
from pipeline.simulation.neuron_cells import CellShelf
from pipeline.simulation.neuron_run import population_of_cells
from pipeline.simulation.plan import Plan
from pipeline.simulation.targets import edge_ends, typed_nodes
from pipeline.sonata.layout import CELL_TEMPLATE, DYNAMICS, TARGET_IDS
from pipeline.sonata.read import BLOCK_ROWS, column, open_population, read_json

TABLE = "balance.csv"
"""Its name, in the folder of the run."""

# Work per time step, in that of a compartment without channels. Mechanism and release as measured
# (bench/balance.py: 31 ns a compartment or mechanism, 15 ns a synapse); the others assumed.
MECHANISM, RELEASE = 1.0, 0.5
CONTINUOUS, EVENT = 1.0, 0.05


def write_balance(plan: Plan, ranks: int) -> Path:
    """Deals the cells of a run to its ranks and writes who got which.

    Args:
        plan: The run; its circuit exists.
        ranks: MPI ranks.

    Returns:
        The table's path: CSV with columns node_id, work (of ``cell_work``), rank.
    """
    work = cell_work(plan, population_of_cells(plan))
    table = pd.DataFrame({"work": np.round(work, 2), "rank": deal(work, ranks)})
    path = plan.folder / TABLE
    write_text(path, table.to_csv(index_label="node_id"))
    return path


def read_share(path: Path, rank: int) -> np.ndarray:
    """Returns the cells of a rank: int64 [n], rows of their population, ascending."""
    return np.flatnonzero(pd.read_csv(path)["rank"].to_numpy() == rank)


def read_balance(path: Path, ranks: int) -> float:
    """Returns the ``spread`` of a table over the ranks it was dealt to."""
    table = pd.read_csv(path)
    return spread(table["work"].to_numpy(), table["rank"].to_numpy(), ranks)


def deal(work: np.ndarray, ranks: int) -> np.ndarray:
    """Deals cells to ranks so that the busiest has little more than the mean.

    Longest processing time first (Graham 1969, SIAM J Appl Math 17:416): at most 4/3 of the best. Equal
    cells go round in turn. The order of equals is that of cells and of ranks, so the same work is dealt alike.

    Args:
        work: float64 [cells].
        ranks: Number of ranks.

    Returns:
        int64 [cells], from 0.
    """
    dealt = np.zeros(len(work), np.int64)
    heap = [(0.0, rank) for rank in range(ranks)]
    for cell in np.argsort(-work, kind="stable"):
        held, rank = heap[0]
        dealt[cell] = rank
        heapq.heapreplace(heap, (held + float(work[cell]), rank))
    return dealt


def spread(work: np.ndarray, dealt: np.ndarray, ranks: int) -> float:
    """Returns work of the mean rank over that of the busiest, 1 at best: what the others do not wait."""
    held = np.bincount(dealt, work, minlength=ranks)
    return float(held.mean() / held.max()) if held.max() else 1.0


def cell_work(plan: Plan, population: str) -> np.ndarray:
    """Work of every cell per time step.

    Args:
        plan: The run.
        population: Node population of the cells.

    Returns:
        float64 [cells], in that of a compartment without channels.
    """
    parts = parts_of(plan, population)
    return parts.to_numpy(float) @ np.array([1.0, MECHANISM, 1.0])


def parts_of(plan: Plan, population: str) -> pd.DataFrame:
    """What every cell is made of.

    Args:
        plan: The run.
        population: Node population of the cells.

    Returns:
        Columns compartments, mechanisms (summed over compartments) and synapses (each with its work).
        A cell that another's template builds has the mean of ours, or is one compartment where there are none.
    """
    nodes = typed_nodes(plan.paths, population)
    parts = pd.DataFrame({"compartments": 1.0, "mechanisms": 0.0}, index=range(len(nodes)))
    if {"model_template", "morphology", DYNAMICS} <= set(nodes):
        _add_membranes(plan, nodes, parts)
    parts["synapses"] = _synapses(plan, population, len(nodes))
    return parts


def _add_membranes(plan: Plan, nodes: pd.DataFrame, parts: pd.DataFrame) -> None:
    ours = (nodes["model_template"] == CELL_TEMPLATE).to_numpy()
    if not ours.any():
        return
    shelf = CellShelf(plan.paths, 0)
    keys = list(zip(nodes["morphology"][ours], nodes[DYNAMICS][ours], strict=True))
    known: dict[tuple[str, str], tuple[float, float]] = {}
    for key in progress(dict.fromkeys(keys), total=len(set(keys)), label="balance", unit="cell"):
        parameters = read_json(plan.paths.emodels / str(key[1]), "nodes")
        known[key] = membrane_parts(shelf.describe(str(key[0]), parameters))
    names = ["compartments", "mechanisms"]
    parts.loc[ours, names] = [known[key] for key in keys]
    others = ~ours & (nodes.get("model_type") == "biophysical").to_numpy()
    parts.loc[others, names] = parts.loc[ours, names].mean().to_numpy()


def membrane_parts(cell: CellDescription) -> tuple[float, float]:
    """Returns a cell's number of compartments, and of the mechanisms in all of them."""
    cell = reduce_level(cell)
    counts = segment_counts(cell.morphology, cell.discretisation, cell.emodel)
    inserted = cell.emodel.mechanisms.items()
    mechanisms = [
        len({name for where, names in inserted if in_list(section, where) for name in names})
        for section in cell.morphology.sections
    ]
    return float(counts.sum()), float(np.sum(counts * np.array(mechanisms)))


def _synapses(plan: Plan, population: str, cells: int) -> np.ndarray:
    """Work of the synapses onto each cell: float64 [cells]."""
    work = np.zeros(cells)
    for name, (_, target) in edge_ends(plan.paths).items():
        if target != population:
            continue
        each = EVENT
        if continuous.is_continuous(plan.paths, name):
            each = CONTINUOUS
        elif release_synapses.is_known(plan.paths, name):
            each = RELEASE
        with open_population(plan.paths.edges(name), "edges", name) as root:
            ids = column(root, TARGET_IDS, kinds="iu")
            for low in range(0, len(ids), BLOCK_ROWS):
                block = ids[low : low + BLOCK_ROWS].astype(np.int64)
                block = block[(block >= 0) & (block < cells)]  # others end on no cell
                work += each * np.bincount(block, minlength=cells)
    return work
