"""Checks of edge populations: ids, indices, signs and the pairing of gap junctions.

Rows are read in blocks. Sums of hashes per node stand in for sorting and joining: two sets of
(node, edge) pairs are equal exactly when their sums are, up to one chance in 2**64 a node, and
the node whose sums differ names the place to look.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from pipeline.errors import Problem
from pipeline.sonata import checks, layout
from pipeline.sonata.checks import Nodes, column, listed, place

REVERSALS = ("erev", "e_rev", "reversal", "e_reversal", "reversal_potential")
SIGN_LABELS = ("syn_type", "synapse_sign", "synapse_class", "synapse_type", "sign", "ei")
EXCITATORY_ABOVE, INHIBITORY_BELOW = -50.0, -30.0
"""mV. A reversal below the first cannot excite, one above the second cannot inhibit."""


def _mix(values: np.ndarray) -> np.ndarray:
    """Returns well-mixed 64-bit hashes (the finaliser of SplitMix64)."""
    values = np.asarray(values, np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _hash_rows(*columns: np.ndarray) -> np.ndarray:
    total = np.zeros(len(columns[0]), np.uint64)
    for values in columns:
        bits = values.astype(np.float64).view(np.uint64) if values.dtype.kind == "f" else values
        total = _mix(total ^ bits.astype(np.uint64))
    return total


def check_edges(
    root: h5py.Group,
    types_path: Path | None,
    table: pd.DataFrame | None,
    properties: Mapping[str, object],
    nodes: Mapping[str, Nodes | None],
    synapses: Path | None,
) -> list[Problem]:
    """Checks one edge population.

    Args:
        root: HDF5 group ``/edges/<population>``.
        types_path: Path of the types table, None without one.
        table: The types table, None without one.
        properties: The population's entry in the circuit config.
        nodes: All node populations by name; None for those that cannot be read.
        synapses: Folder of synapse parameter files, None without one.
    """
    source, problems = column(root, layout.SOURCE_IDS)
    if source is None:
        return problems
    n = len(source)
    target, found = column(root, layout.TARGET_IDS, length=n)
    types, more = column(root, layout.EDGE_TYPE, length=n)
    problems += found + more
    if types is not None:
        problems += checks.check_types(types, table, types_path or Path())
    problems += checks.check_groups(root, "edge", n)
    if target is None:
        return problems
    dangling = _check_ends(source, nodes) + _check_ends(target, nodes)
    problems += dangling
    if not dangling:
        problems += check_indices(root)
    for group in checks.attribute_groups(root):
        problems += checks.check_values(group)
    if table is not None:
        problems += _check_table(table, types_path)
    group = root.get(layout.GROUP)
    if not isinstance(group, h5py.Group) or any(len(c) != n for c in _numbers(group).values()):
        return problems
    if table is not None and types is not None:
        problems += check_signs(types, table, types_path, group, synapses)
    if not dangling and _is_electrical(group, properties):
        problems += check_junctions(source, target, group)
    return problems


def _numbers(group: h5py.Group) -> dict[str, h5py.Dataset]:
    return {
        name: data
        for name, data in checks.members(group).items()
        if isinstance(data, h5py.Dataset) and data.ndim == 1 and data.dtype.kind in "iuf"
    }


def _check_ends(ids: h5py.Dataset, nodes: Mapping[str, Nodes | None]) -> list[Problem]:
    """Finds ids that their node population does not have."""
    name = ids.attrs.get(layout.POPULATION_ATTRIBUTE)
    name = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    if name is None:
        return [Problem(place(ids), "has no attribute node_population", "name the population")]
    if name not in nodes:
        message = f"node_population is {name!r}; the circuit has {', '.join(sorted(nodes))}"
        return [Problem(place(ids), message, "add the population or correct the attribute")]
    population = nodes[str(name)]
    if population is None:
        return []
    unknown = [population.unknown(ids[part].astype(np.int64)) for part in checks.blocks(len(ids))]
    unknown = [part for part in unknown if len(part)]
    if not unknown:
        return []
    message = f"ids {listed(np.concatenate(unknown))} are not among the {len(population.ids)}"
    return [Problem(place(ids), f"{message} nodes of {name!r}", "edges end on missing nodes")]


def check_indices(root: h5py.Group) -> list[Problem]:
    """Checks both indices in full against the lists of ids."""
    parent = root.get("indices", root.get("indicies"))
    problems: list[Problem] = []
    for name, ids in layout.INDICES.items():
        group = parent.get(name) if isinstance(parent, h5py.Group) else None
        if not isinstance(group, h5py.Group):
            where = place(root, f"indices/{name}")
            hint = "without it every look-up reads the whole file"
            problems.append(Problem(where, "is missing", hint, "warning"))
            continue
        problems += _check_index(group, root[ids])
    return problems


def _check_index(group: h5py.Group, ids: h5py.Dataset) -> list[Problem]:
    """Checks that an index names every edge once, under the right node."""
    tables = []
    for names in (layout.INDEX_NAMES, (layout.INDEX_EDGES,)):
        data = next((group[name] for name in names if name in group), None)
        if data is None:
            return [Problem(place(group, names[0]), "is missing", "build the index anew")]
        if not isinstance(data, h5py.Dataset) or data.ndim != 2 or data.shape[1] != 2:
            return [Problem(place(data), f"has shape {getattr(data, 'shape', ())}; expected n x 2")]
        if data.dtype.kind not in "iu" or checks.exceeds_file(data):
            return [Problem(place(data), f"holds {data.shape} of {data.dtype}; expected integers")]
        tables.append(data)
    nodes, edges = tables
    hint = "build the index anew"
    ranges = nodes[:].astype(np.int64)
    owners = np.flatnonzero(ranges[:, 0] < ranges[:, 1])
    owners = owners[np.argsort(ranges[owners, 0], kind="stable")]
    low, high = ranges[owners].T
    if len(owners) and (low[0] < 0 or high.max() > len(edges)):
        return [Problem(place(nodes), f"points beyond the {len(edges)} ranges of edges", hint)]
    if np.any(low[1:] < high[:-1]):
        return [Problem(place(nodes), "gives the same ranges of edges to two nodes", hint)]
    total = 0
    for part in checks.blocks(len(edges)):
        rows = edges[part].astype(np.int64)
        if rows.min() < 0 or rows.max() > len(ids) or np.any(rows[:, 1] < rows[:, 0]):
            return [Problem(place(edges), f"points beyond the {len(ids)} edges", hint)]
        total += int((rows[:, 1] - rows[:, 0]).sum())
    if total != len(ids):
        return [Problem(place(edges), f"covers {total} edges; the file has {len(ids)}", hint)]
    wrong = _differing_nodes(ids, edges, owners, low, high, len(ranges))
    if not len(wrong):
        return []
    message = f"disagrees with {ids.name.rsplit('/', 1)[-1]} for nodes {listed(wrong)}"
    return [Problem(place(group), message, hint)]


def _differing_nodes(ids, edges, owners, low, high, size: int) -> np.ndarray:
    """Returns nodes whose edges by the index are not their edges by the id list."""
    stated, found = np.zeros((2, size), np.uint64)
    beyond = []
    for part in checks.blocks(len(ids)):
        block = ids[part].astype(np.int64)
        inside = block < size
        beyond.append(np.unique(block[~inside]))
        numbers = _mix(np.arange(part.start, part.stop, dtype=np.uint64))
        np.add.at(stated, block[inside], numbers[inside])
    for owner, edge in _indexed_edges(edges, owners, low, high):
        np.add.at(found, owner, _mix(edge))
    return np.concatenate((np.flatnonzero(stated != found), *beyond))


def _indexed_edges(edges, owners, low, high) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields (owner, edge) pairs of an index, a bounded number at a time."""
    for part in checks.blocks(len(edges)):
        rows = edges[part].astype(np.int64)
        number = np.arange(part.start, part.stop)
        slot = np.searchsorted(low, number, side="right") - 1
        owned = slot >= 0
        owned[owned] = number[owned] < high[slot[owned]]
        rows, owner = rows[owned], owners[slot[owned]]
        lengths = rows[:, 1] - rows[:, 0]
        ends = np.cumsum(lengths)
        for inner in checks.blocks(int(ends[-1]) if len(ends) else 0):
            position = np.arange(inner.start, inner.stop)
            row = np.searchsorted(ends, position, side="right")
            yield owner[row], rows[row, 0] + position - (ends[row] - lengths[row])


def _check_table(table: pd.DataFrame, path: Path) -> list[Problem]:
    """Checks the numbers of the edge types table."""
    problems = []
    for name in table.columns:
        values = pd.to_numeric(table[name], errors="coerce").dropna().to_numpy(float)
        wrong = checks.check_numbers(name, values)
        if wrong:
            problems.append(Problem(f"{path}: {name}", wrong))
    return problems


def check_signs(
    types: h5py.Dataset,
    table: pd.DataFrame,
    path: Path,
    group: h5py.Group,
    synapses: Path | None,
) -> list[Problem]:
    """Compares the label of each edge type with its reversal potential and its weights.

    With a reversal the sign lives there and no weight may be negative; without one an excitatory
    type may have none either. A negative weight under no convention at all is a warning.
    """
    problems: list[Problem] = []
    negative = _negative_types(types, table, group)
    for type_id, row in table.iterrows():
        where, label, reversal = f"{path}: type {type_id}", _label(row), _reversal(row, synapses)
        if label == "exc" and reversal is not None and reversal < EXCITATORY_ABOVE:
            problems.append(Problem(where, f"is excitatory but reverses at {reversal:g} mV"))
        if label == "inh" and reversal is not None and reversal > INHIBITORY_BELOW:
            problems.append(Problem(where, f"is inhibitory but reverses at {reversal:g} mV"))
        if type_id not in negative:
            continue
        if reversal is not None:
            message = f"has negative syn_weight although it reverses at {reversal:g} mV"
            problems.append(Problem(where, message, "the reversal carries the sign"))
        elif label == "exc":
            problems.append(Problem(where, "is excitatory but has negative syn_weight"))
        elif label is None:
            hint = f"label the type by {SIGN_LABELS[0]} exc or inh, or give it a reversal"
            problems.append(Problem(where, "has negative syn_weight and no label", hint, "warning"))
    return problems


def _negative_types(types: h5py.Dataset, table: pd.DataFrame, group: h5py.Group) -> set[int]:
    weights = _numbers(group).get("syn_weight")
    if weights is None:
        values = pd.to_numeric(table.get("syn_weight", pd.Series(dtype=float)), errors="coerce")
        return set(values.index[values < 0])
    found: set[int] = set()
    for part in checks.blocks(len(weights)):
        found.update(np.unique(types[part][weights[part] < 0]).tolist())
    return found


def _label(row: pd.Series) -> str | None:
    for name in SIGN_LABELS:
        text = str(row.get(name, "")).strip().lower()
        if text == "e" or text.startswith("exc"):
            return "exc"
        if text == "i" or text.startswith("inh"):
            return "inh"
    return None


def _reversal(row: pd.Series, synapses: Path | None) -> float | None:
    """Returns the reversal potential of a type, from the table or its parameter file, mV."""
    if row.get("model_template") == "static_synapse":
        return None  # NEST: the weight goes to a port of the cell, which alone may have a reversal
    values = {name: row.get(name) for name in REVERSALS}
    file = row.get(layout.DYNAMICS)
    if synapses is not None and isinstance(file, str) and (synapses / file).is_file():
        try:
            content = json.loads((synapses / file).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            content = None  # unreadable component files are reported with the components
        if isinstance(content, dict):
            values = {name: content.get(name, value) for name, value in values.items()}
    numbers = (pd.to_numeric(value, errors="coerce") for value in values.values()
               if isinstance(value, (int, float, str, np.number)))  # fmt: skip
    return next((float(number) for number in numbers if np.isfinite(number)), None)


def _is_electrical(group: h5py.Group, properties: Mapping[str, object]) -> bool:
    kind = str(properties.get("type", ""))
    return kind.startswith(layout.ELECTRICAL) or "efferent_junction_id" in group


def check_junctions(source: h5py.Dataset, target: h5py.Dataset, group: h5py.Group) -> list[Problem]:
    """Checks that each gap junction is there twice, once from each side, with equal properties."""
    data = _numbers(group)
    names = ("efferent_junction_id", "afferent_junction_id")
    missing = [name for name in names if name not in data]
    if missing:
        message = f"is missing; electrical edges pair up by {' and '.join(names)}"
        return [Problem(place(group, name), message) for name in missing]
    populations = [ids.attrs.get(layout.POPULATION_ATTRIBUTE) for ids in (source, target)]
    if populations[0] != populations[1]:
        return []  # the other half may be in another edge population
    lone = _unmirrored(source, target, [tuple(data[name] for name in names)])
    hint = "write each junction twice, source and target exchanged"
    if len(lone):
        message = f"junctions at nodes {listed(lone)} have no mirrored row"
        return [Problem(place(group, names[0]), message, hint)]
    pairs = [tuple(data[name] for name in names)]
    pairs += [(data["conductance"],) * 2] if "conductance" in data else []
    for part in ("section_id", "section_pos"):
        sides = tuple(f"{side}_{part}" for side in ("efferent", "afferent"))
        pairs += [tuple(data[side] for side in sides)] if set(sides) <= set(data) else []
    unequal = _unmirrored(source, target, pairs)
    if len(unequal):
        message = f"the two rows of junctions at nodes {listed(unequal)} differ in conductance"
        return [Problem(place(group), f"{message} or section", hint)]
    return []


def _unmirrored(source, target, pairs: list[tuple]) -> np.ndarray:
    """Returns nodes at which rows, with sides exchanged, are not the same set of rows.

    Args:
        source: int [n].
        target: int [n].
        pairs: Columns as (on the efferent side, on the afferent side).
    """
    size = 1 + max(
        (int(ids[part].max()) for ids in (source, target) for part in checks.blocks(len(ids))),
        default=-1,
    )
    forward, mirrored = np.zeros((2, size), np.uint64)
    for part in checks.blocks(len(source)):
        here, there = source[part].astype(np.int64), target[part].astype(np.int64)
        near, far = ([pair[i][part] for pair in pairs] for i in (0, 1))
        np.add.at(forward, here, _hash_rows(here, there, *near, *far))
        np.add.at(mirrored, there, _hash_rows(there, here, *far, *near))
    return np.flatnonzero(forward != mirrored)
