"""Checks that nodes and edges share, and those of node populations.

Each check returns a list of problems and none raises for a damaged file: what has the wrong kind,
shape or dtype is reported once and then left alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from pipeline.errors import CircuitError, Problem
from pipeline.sonata import layout
from pipeline.sonata.read import read_types

BLOCK_ROWS = 1 << 20
SHOWN = 5
"""Ids listed in one message."""

HDF5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError)
"""What h5py raises for damaged structure; the last two for dtypes that make no sense."""

MAX_ROWS_PER_BYTE = 1000
"""No filter packs ids tighter than this; longer datasets are damaged headers."""

_FINITE = {"syn_weight", "delay", "conductance", "x", "y", "z"}
_NOT_NEGATIVE = {"delay", "conductance", "radius"}
_FRACTIONS = {"afferent_section_pos", "efferent_section_pos"}
_SECTION_IDS = {"afferent_section_id", "efferent_section_id"}
_KIND_NAMES = {"iu": "integers", "iuf": "numbers", "iufO": "numbers or text"}


@dataclass(frozen=True)
class Nodes:
    """What edges and node sets need to know of a node population.

    Attributes:
        name: Name of the population.
        ids: int64 [n]. Node ids.
        attributes: Names of everything a node can be selected by.
        properties: The population's entry in the circuit config.
        columns: Text attributes that name component files, name to object [n].
    """

    name: str
    ids: np.ndarray
    attributes: frozenset[str]
    properties: dict = field(default_factory=dict)
    columns: dict[str, np.ndarray] = field(default_factory=dict)

    def unknown(self, ids: np.ndarray) -> np.ndarray:
        """Returns those ids that are not in the population."""
        n = len(self.ids)
        if n and self.ids[0] == 0 and self.ids[-1] == n - 1:
            return ids[(ids < 0) | (ids >= n)]
        return ids[~np.isin(ids, self.ids)]


def place(item: h5py.Group | h5py.Dataset, name: str = "") -> str:
    """Returns ``file: /dataset/path`` for messages."""
    path = item.name.rstrip("/")
    return f"{item.file.filename}: {path}/{name}" if name else f"{item.file.filename}: {path}"


def listed(values: np.ndarray) -> str:
    """Returns the first few distinct values as text."""
    values = np.unique(values)
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return ", ".join(str(value) for value in values[:SHOWN]) + more


def blocks(n: int) -> Iterator[slice]:
    """Yields slices that cover n rows, a bounded number at a time."""
    for low in range(0, n, BLOCK_ROWS):
        yield slice(low, min(low + BLOCK_ROWS, n))


def open_h5(path: Path) -> tuple[h5py.File | None, list[Problem]]:
    """Opens an HDF5 file and checks the SONATA root attributes."""
    if "$" in str(path):
        return None, []  # the undefined variable is reported already
    if not path.is_file():
        return None, [Problem(str(path), "does not exist", "check the path in the circuit config")]
    try:
        handle = h5py.File(path, "r")
        magic = handle.attrs.get("magic")
    except HDF5_ERRORS as error:
        return None, [Problem(str(path), f"is no readable HDF5 file ({error})", "write it anew")]
    if magic is None:
        message = "has no attribute magic; SONATA asks for 0x0A7A"
        return handle, [Problem(f"{path}: /", message, level="warning")]
    if not np.array_equal(np.ravel(magic), [layout.MAGIC]):
        return handle, [Problem(f"{path}: /", f"attribute magic is {magic}; expected 0x0A7A")]
    return handle, []


def members(group: h5py.Group) -> dict[str, h5py.Group | h5py.Dataset]:
    """Returns the children whose names are text; damaged names come as bytes."""
    return {name: group[name] for name in group if isinstance(name, str)}


def exceeds_file(data: h5py.Dataset) -> bool:
    """Tells whether a dataset claims more rows than its file can hold."""
    return data.shape[0] > MAX_ROWS_PER_BYTE * os.path.getsize(data.file.filename)


def child_group(parent: h5py.Group, name: str) -> tuple[h5py.Group | None, list[Problem]]:
    """Returns a group by name, or the problem that it is missing."""
    item = parent.get(name)
    if isinstance(item, h5py.Group):
        return item, []
    found = "is missing" if item is None else "is a dataset; expected a group"
    return None, [Problem(place(parent, name), found)]


def column(
    parent: h5py.Group, name: str, kinds: str = "iu", length: int | None = None
) -> tuple[h5py.Dataset | None, list[Problem]]:
    """Returns a one-dimensional dataset of some dtype kinds, or what is wrong with it."""
    item = parent.get(name)
    where = place(parent, name)
    if item is None:
        return None, [Problem(where, "is missing", "SONATA asks for this dataset")]
    if not isinstance(item, h5py.Dataset) or item.ndim != 1:
        return None, [Problem(where, "is not one-dimensional data")]
    if item.dtype.kind not in kinds:
        return None, [Problem(where, f"holds {item.dtype}; expected {_KIND_NAMES[kinds]}")]
    if exceeds_file(item):
        return None, [Problem(where, f"claims {len(item)} rows, more than the file can hold")]
    if length is not None and len(item) != length:
        return None, [Problem(where, f"has {len(item)} rows; expected {length}")]
    return item, []


def load_types(path: Path | None) -> tuple[pd.DataFrame | None, list[Problem]]:
    """Returns the types table, None when there is none or it cannot be read."""
    if path is None or "$" in str(path):
        return None, []
    try:
        return read_types(path), []
    except CircuitError as error:
        return None, [Problem(str(path), p.message, "write it anew") for p in error.problems]


def check_types(types: h5py.Dataset, table: pd.DataFrame | None, path: Path) -> list[Problem]:
    """Finds type ids that the types table does not have or has twice."""
    if table is None:
        return []
    used = [np.unique(types[part]) for part in blocks(len(types))]
    missing = np.setdiff1d(np.concatenate([np.empty(0, "i8"), *used]), table.index)
    problems = []
    if len(missing):
        message = f"type ids {listed(missing)} are not in {path.name}"
        problems.append(Problem(place(types), message, f"add these types to {path.name}"))
    if table.index.has_duplicates:
        double = table.index[table.index.duplicated()].to_numpy()
        problems.append(Problem(str(path), f"type ids {listed(double)} appear more than once"))
    return problems


def check_groups(root: h5py.Group, prefix: str, n: int) -> list[Problem]:
    """Checks the attribute groups and the two datasets that point into them."""
    names = [name for name in members(root) if name.isdigit()]
    if not names:
        return [Problem(place(root, layout.GROUP), "is missing", "SONATA asks for one group")]
    sizes: dict[int, int | None] = {}
    problems: list[Problem] = []
    pointers = [root.get(f"{prefix}_group_{name}") for name in ("id", "index")]
    implicit = pointers == [None, None]
    for name in names:
        group, found = child_group(root, name)
        problems += found
        items = {} if group is None else members(group)
        lengths = {k: v.shape[0] for k, v in items.items() if isinstance(v, h5py.Dataset) if v.ndim}
        sizes[int(name)] = min(lengths.values(), default=None)
        expected = n if implicit or len(names) == 1 else max(lengths.values(), default=0)
        problems += [
            Problem(place(root, f"{name}/{k}"), f"has {size} rows; expected {expected}")
            for k, size in lengths.items()
            if size != expected
        ]
    if implicit or problems:
        return problems
    columns = [column(root, f"{prefix}_group_{name}", length=n) for name in ("id", "index")]
    problems = [problem for _, found in columns for problem in found]
    return problems or _check_pointers(columns[0][0], columns[1][0], sizes)


def _check_pointers(
    ids: h5py.Dataset, index: h5py.Dataset, sizes: dict[int, int | None]
) -> list[Problem]:
    """Finds rows that point to a group or a group entry that does not exist."""
    for part in blocks(len(ids)):
        group_ids, entries = ids[part], index[part]
        strange = np.setdiff1d(group_ids, list(sizes))
        if len(strange):
            return [Problem(place(ids), f"names groups {listed(strange)} that do not exist")]
        for group_id in np.unique(group_ids):
            size = sizes[int(group_id)]
            inside = entries[group_ids == group_id]
            if size is not None and (inside.max() >= size or inside.min() < 0):
                bad = inside[(inside >= size) | (inside < 0)]
                message = f"points to entries {listed(bad)}; group {group_id} has {size}"
                return [Problem(place(index), message, "indices run from 0 to size - 1")]
    return []


def check_values(group: h5py.Group) -> list[Problem]:
    """Checks units and numbers of all attributes of one group, each at most once."""
    problems: list[Problem] = []
    for name, data in members(group).items():
        if not isinstance(data, h5py.Dataset) or data.ndim != 1 or exceeds_file(data):
            continue  # wrong lengths are reported with the groups
        problems += _check_unit(name, data)
        if data.dtype.kind not in "iuf":
            if name in _FINITE | _NOT_NEGATIVE | _FRACTIONS | _SECTION_IDS:
                problems.append(Problem(place(data), f"holds {data.dtype}; expected numbers"))
            continue
        for part in blocks(len(data)):
            wrong = check_numbers(name, data[part])
            if wrong:
                problems.append(Problem(place(data), f"{wrong} (rows from {part.start})"))
                break
    return problems


def attribute_groups(root: h5py.Group) -> list[h5py.Group]:
    """Returns the numbered groups of a population."""
    items = members(root).items()
    return [item for name, item in items if name.isdigit() and isinstance(item, h5py.Group)]


def check_numbers(name: str, values: np.ndarray) -> str:
    """Returns what is wrong with the values of a known attribute, empty when nothing is."""
    values = np.asarray(values)
    if name in _FINITE | _FRACTIONS and not np.all(np.isfinite(values)):
        return f"{np.count_nonzero(~np.isfinite(values))} values are NaN or infinite"
    if name in _NOT_NEGATIVE and values.size and values.min() < 0:
        return f"runs down to {values.min()}; expected no negative value"
    if name in _FRACTIONS and values.size and (values.min() < 0 or values.max() > 1):
        return f"runs from {values.min()} to {values.max()}; expected 0 to 1"
    if name in _SECTION_IDS and values.size and values.min() < 0:
        return f"runs down to {values.min()}; section ids start at 0, the soma"
    return ""


def _check_unit(name: str, data: h5py.Dataset) -> list[Problem]:
    found, ours = data.attrs.get("units"), layout.UNITS.get(name)
    if isinstance(found, bytes):
        found = found.decode("utf-8", "replace")
    if found is None or ours is None:
        return []
    text = str(found).replace("µ", "u").replace("μ", "u").strip()
    if text in (ours, {"um": "micron"}.get(ours), *layout.OTHER_UNITS.get(name, ())):
        return []
    if text == "degree" and name in ("x", "y"):
        return []  # places in the visual field, as FilterNet reads them
    return [Problem(place(data), f"is in {text}; expected {ours}", "convert the values")]


def check_nodes(
    root: h5py.Group, types_path: Path | None, table: pd.DataFrame | None, properties: dict
) -> tuple[Nodes | None, list[Problem]]:
    """Checks one node population.

    Args:
        root: HDF5 group ``/nodes/<population>``.
        types_path: Path of the types table, None without one.
        table: The types table, None without one.
        properties: The population's entry in the circuit config.

    Returns:
        What others need to know of the population (None when it cannot be read), and problems.
    """
    types, problems = column(root, layout.NODE_TYPE)
    if types is None:
        return None, problems
    n = len(types)
    problems += check_types(types, table, types_path or Path())
    problems += check_groups(root, "node", n)
    ids = np.arange(n)
    if layout.NODE_ID in root:
        data, found = column(root, layout.NODE_ID, length=n)
        problems += found
        ids = ids if data is None else data[:].astype(np.int64)
        if len(np.unique(ids)) != n:
            problems.append(Problem(place(root, layout.NODE_ID), "has ids more than once"))
    groups = attribute_groups(root)
    for group in groups:
        problems += check_values(group)
    attributes = {name for group in groups for name in members(group) if not name.startswith("@")}
    attributes |= set() if table is None else set(table.columns)
    columns: dict[str, np.ndarray] = {}
    for name in ("morphology", "model_template", "model_type", "dynamics_params"):
        values, found = _texts(name, types, table, groups[0] if len(groups) == 1 else None)
        problems += found
        if values is not None and len(values) == n:
            columns[name] = values
    name = root.name.rsplit("/", 1)[-1]
    return Nodes(name, ids, frozenset(attributes), dict(properties), columns), problems


def _texts(
    name: str, types: h5py.Dataset, table: pd.DataFrame | None, group: h5py.Group | None
) -> tuple[np.ndarray | None, list[Problem]]:
    """Returns a text attribute per node, from the group or else from the types table."""
    data = None if group is None else group.get(name)
    if isinstance(data, h5py.Dataset):
        library = group.get(f"{layout.LIBRARY}/{name}")
        if h5py.check_string_dtype(data.dtype):
            return data.asstr(errors="replace")[:], []
        if not isinstance(library, h5py.Dataset) or not h5py.check_string_dtype(library.dtype):
            return None, [Problem(place(data), f"holds {data.dtype}; expected text or an @library")]
        labels, codes = library.asstr(errors="replace")[:], data[:].astype(np.int64)
        if codes.size and (codes.min() < 0 or codes.max() >= len(labels)):
            return None, [Problem(place(data), f"has codes beyond its @library of {len(labels)}")]
        return labels[codes], []
    if table is not None and name in table and not table.index.has_duplicates:
        return table[name].reindex(types[:]).to_numpy(dtype=object), []
    return None, []
