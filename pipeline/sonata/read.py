"""Reads nodes, edges and types tables of single-group SONATA populations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from pipeline.errors import CircuitError, Problem
from pipeline.sonata import layout

GAP_ROWS = 1 << 16
"""Rows apart up to which two selections are read in one go."""
SPAN_ROWS = 1 << 22
BLOCK_ROWS = 1 << 20
"""Edges read at once by ``edge_blocks``."""


@contextmanager
def open_population(path: str | Path, kind: str, population: str) -> Iterator[h5py.Group]:
    """Yields the HDF5 group ``/<kind>/<population>``.

    Raises:
        CircuitError: If the file is missing or no HDF5, or has no such population.
    """
    if not Path(path).is_file():
        raise not_built(path, kind)
    try:
        handle = h5py.File(path, "r")
    except OSError as error:
        raise CircuitError(f"{path}: cannot be opened as HDF5 ({error})") from None
    with handle:
        root = handle.get(kind, {})
        if population not in root:
            raise CircuitError(
                f"{path}: no population {population!r} in /{kind}; it has {sorted(root)}"
            )
        try:
            yield root[population]
        except KeyError as error:
            what = " ".join(str(error.args[0]).split())
            hint = "the file is damaged or no SONATA; 'sonatina check' tells more"
            raise CircuitError(Problem(f"{path}:/{kind}/{population}", what, hint)) from None


_WRITTEN_BY = {"nodes": "nodes", "edges": "edges", "spikes": "simulate", "report": "simulate"}


def not_built(path: str | Path, verb: str) -> CircuitError:
    """The error for a file that an earlier stage should have written."""
    hint = f"run 'sonatina {_WRITTEN_BY.get(verb, verb)}' first"
    return CircuitError(Problem(str(path), "does not exist", hint))


def read_json(path: str | Path, verb: str) -> dict:
    """Reads a JSON object that a stage has written.

    Args:
        path: The file.
        verb: The stage.

    Raises:
        CircuitError: If it is missing or no JSON object.
    """
    if not Path(path).is_file():
        raise not_built(path, verb)
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        hint = f"run 'sonatina {verb}' again"
        raise CircuitError(Problem(str(path), f"is not JSON ({error})", hint)) from None
    if not isinstance(value, dict):
        message = f"holds a {type(value).__name__}; expected a JSON object"
        raise CircuitError(Problem(str(path), message, f"run 'sonatina {verb}' again"))
    return value


def read_types(path: str | Path) -> pd.DataFrame:
    """Reads a node or edge types table.

    Returns:
        One row per type, indexed by its id; ``NULL`` and ``NONE`` are missing values.

    Raises:
        CircuitError: If the file cannot be read or has no type id column.
    """
    if not Path(path).is_file():
        raise not_built(path, "edges" if ".edge_types" in Path(path).name else "nodes")
    try:
        table = pd.read_csv(path, sep=" ", na_values=["NONE", "NULL"])
    except (OSError, ValueError) as error:
        raise CircuitError(f"{path}: cannot be read as a types table ({error})") from None
    keys = [key for key in (layout.NODE_TYPE, layout.EDGE_TYPE) if key in table]
    if len(keys) != 1:
        raise CircuitError(f"{path}: expected one column node_type_id or edge_type_id")
    return table.set_index(keys[0])


def _single_group(root: h5py.Group) -> h5py.Group:
    groups = [name for name in root if name.isdigit()]
    if groups != [layout.GROUP]:
        raise CircuitError(f"{root.file.filename}{root.name}: groups {groups}; only '0' is read")
    return root[layout.GROUP]


def _require_plain_rows(root: h5py.Group, name: str, rows: np.ndarray) -> None:
    """Makes sure that the attributes of a row stand in the same row of the group.

    Raises:
        CircuitError: If the group index says otherwise, as SONATA allows and nobody writes.
    """
    if name in root and not np.array_equal(_take(root[name], rows), rows):
        raise CircuitError(f"{root.file.filename}{root.name}/{name}: is not 0..n-1; not supported")


def _values(dataset: h5py.Dataset, library: h5py.Group | None = None) -> object:
    if h5py.check_string_dtype(dataset.dtype):
        return dataset.asstr()[:]
    name = dataset.name.rsplit("/", 1)[-1]
    if library is not None and name in library:
        return pd.Categorical.from_codes(dataset[:].astype(int), library[name].asstr()[:])
    return dataset[:]


def read_nodes(path: str | Path, population: str) -> pd.DataFrame:
    """Reads all attributes of a node population.

    Returns:
        One row per node, indexed by ``node_id``; enumerations are categories, dynamics parameters
        are columns ``@dynamics:<name>``.

    Raises:
        CircuitError: If the file has no such population or more than one group.
    """
    with open_population(path, "nodes", population) as root:
        group = _single_group(root)
        library = group.get(layout.LIBRARY)
        table = {layout.NODE_TYPE: root[layout.NODE_TYPE][:]}
        for name, item in group.items():
            if isinstance(item, h5py.Dataset):
                table[name] = _values(item, library)
        for name, item in group.get(layout.DYNAMICS, {}).items():
            table[f"@dynamics:{name}"] = _values(item)
        n = len(table[layout.NODE_TYPE])
        _require_plain_rows(root, "node_group_index", np.arange(n))
        ids = root[layout.NODE_ID][:] if layout.NODE_ID in root else np.arange(n)
    return pd.DataFrame(table, index=pd.Index(ids.astype(np.int64), name=layout.NODE_ID))


def read_typed_nodes(path: str | Path, types_path: str | Path, population: str) -> pd.DataFrame:
    """Reads nodes with the attributes of their types; those of the node itself win.

    Raises:
        CircuitError: If a file is missing or damaged.
    """
    nodes = read_nodes(path, population)
    types = read_types(types_path)
    extra = [name for name in types if name not in nodes]
    joined = types[extra].reindex(nodes[layout.NODE_TYPE].to_numpy())
    return nodes.assign(**{name: joined[name].to_numpy() for name in extra})


def edges_of_targets(root: h5py.Group, targets: Sequence[int] | np.ndarray) -> np.ndarray:
    """Returns the edges that end on some nodes, looked up by the index when there is one.

    Args:
        root: HDF5 group of the edge population.
        targets: Node ids in the target population.

    Returns:
        int64 [n]. Edge ids, ascending.
    """
    targets = np.unique(np.asarray(targets, np.int64))
    index = root.get("indices/target_to_source")
    if index is None or layout.INDEX_NAMES[0] not in index:
        return np.flatnonzero(np.isin(root[layout.TARGET_IDS][:], targets))
    ranges = index[layout.INDEX_NAMES[0]][:].astype(np.int64)
    targets = targets[(targets >= 0) & (targets < len(ranges))]
    rows = _expand(ranges[targets])
    edges = _take(index[layout.INDEX_EDGES], rows).astype(np.int64)
    return np.sort(_expand(edges.reshape(-1, 2)))


def _expand(ranges: np.ndarray) -> np.ndarray:
    """Returns all integers in half-open ranges [n, 2], range after range."""
    lengths = np.maximum(ranges[:, 1] - ranges[:, 0], 0)
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(ranges[:, 0] - ends + lengths, lengths) + np.arange(total)


def _take(dataset: h5py.Dataset, rows: np.ndarray) -> np.ndarray:
    """Returns dataset[rows] for ascending rows, reading few large slices."""
    if not len(rows):
        return dataset[:0]
    far = np.diff(rows) > GAP_ROWS
    far |= np.diff(rows // SPAN_ROWS) > 0
    spans = np.split(rows, np.flatnonzero(far) + 1)
    return np.concatenate([dataset[s[0] : s[-1] + 1][s - s[0]] for s in spans])


def read_edges(
    path: str | Path,
    population: str,
    columns: Sequence[str] | None = None,
    targets: Sequence[int] | np.ndarray | None = None,
) -> pd.DataFrame:
    """Reads edges, all or only those that end on some nodes.

    Args:
        path: The edges file.
        population: Name of the edge population.
        columns: Attributes to read; all when None.
        targets: Node ids whose incoming edges are wanted; all edges when None.

    Returns:
        One row per edge indexed by ``edge_id``, with ``source_node_id``, ``target_node_id``,
        ``edge_type_id`` and the attributes.

    Raises:
        CircuitError: If the population or a column does not exist, or there are several groups.
    """
    with open_population(path, "edges", population) as root:
        group = _single_group(root)
        known = [name for name, item in group.items() if isinstance(item, h5py.Dataset)]
        missing = sorted(set(columns or ()) - set(known))
        if missing:
            raise CircuitError(f"{path}: no columns {missing} in {population!r}; it has {known}")
        names = (layout.SOURCE_IDS, layout.TARGET_IDS, layout.EDGE_TYPE)
        datasets = {name: root[name] for name in names}
        datasets |= {name: group[name] for name in (known if columns is None else columns)}
        if targets is None:
            rows: np.ndarray = np.arange(len(root[layout.EDGE_TYPE]))
        else:
            rows = edges_of_targets(root, targets)
        _require_plain_rows(root, "edge_group_index", rows)
        table = {name: _take(dataset, rows) for name, dataset in datasets.items()}
    return pd.DataFrame(table, index=pd.Index(rows, name="edge_id"))


def edge_blocks(
    path: str | Path, population: str, columns: Sequence[str] = (), rows: int = BLOCK_ROWS
) -> Iterator[dict[str, np.ndarray]]:
    """Yields all edges in file order, a block at a time, so that memory does not grow with them.

    Args:
        path: The edges file.
        population: Name of the edge population.
        columns: Attributes to read; those that the file does not have are left out.
        rows: Edges per block.

    Yields:
        source_node_id, target_node_id, edge_type_id and the attributes; arrays of one length.

    Raises:
        CircuitError: If the population does not exist or there are several groups.
    """
    with open_population(path, "edges", population) as root:
        group = _single_group(root)
        datasets = {n: root[n] for n in (layout.SOURCE_IDS, layout.TARGET_IDS, layout.EDGE_TYPE)}
        datasets |= {name: group[name] for name in columns if name in group}
        total = len(root[layout.EDGE_TYPE])
        for low in range(0, total, rows):
            high = min(low + rows, total)
            if "edge_group_index" in root:
                _require_plain_rows(root, "edge_group_index", np.arange(low, high))
            yield {name: dataset[low:high] for name, dataset in datasets.items()}
