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
from pipeline.runtime import full_disk
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
        message = f"cannot be opened as HDF5 ({error})"
        raise CircuitError(Problem(str(path), message, "write it anew")) from None
    with handle:
        try:
            root = handle.get(kind, {})
            if population not in root:
                message = f"no population {population!r} in /{kind}; it has {sorted(root)}"
                raise CircuitError(Problem(str(path), message, "correct the name, or the file"))
            yield root[population]
        except (KeyError, OSError, RuntimeError, ValueError) as error:
            if full_disk(error) or not _of_h5py(error):
                raise
            what = " ".join(str(error.args[0] if error.args else error).split())
            raise damaged(f"{path}:/{kind}/{population}", what) from None


def _of_h5py(error: BaseException) -> bool:
    """Says whether h5py raised an error: it tells of damage inside a file by many kinds."""
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    return isinstance(error, KeyError) or "h5py" in trace.tb_frame.f_code.co_filename


def damaged(where: str, what: str) -> CircuitError:
    """The error for a file that is not what SONATA says."""
    hint = "the file is damaged or no SONATA; 'sonatina check' tells more"
    return CircuitError(Problem(where, what, hint))


def column(
    parent: h5py.Group, name: str, length: int | None = None, kinds: str = "iuf", axes: int = 1
) -> h5py.Dataset:
    """Returns a dataset after a look at its shape.

    Args:
        parent: Its group.
        name: Its name, with the names of groups between.
        length: How many rows it has; None: any number.
        kinds: NumPy kinds of number it may hold; empty: any, text too.
        axes: Number of axes.

    Raises:
        CircuitError: If it is something else.
        KeyError: If it is missing; ``open_population`` explains that.
    """
    item = parent[name]
    where = f"{parent.file.filename}:{parent.name}/{name}"
    if not isinstance(item, h5py.Dataset) or item.ndim != axes:
        raise damaged(
            where, f"is no data with {axes} axis" if axes == 1 else f"has not {axes} axes"
        )
    if kinds and item.dtype.kind not in kinds:
        raise damaged(where, f"holds {item.dtype}; expected numbers")
    if length is not None and len(item) != length:
        raise damaged(where, f"has {len(item)} rows; expected {length}")
    return item


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
    except (ValueError, RecursionError) as error:
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
        message = f"cannot be read as a types table ({' '.join(str(error).split())})"
        raise CircuitError(Problem(str(path), message, "write it anew")) from None
    keys = [key for key in (layout.NODE_TYPE, layout.EDGE_TYPE) if key in table]
    if len(keys) != 1:
        message = "expected one column node_type_id or edge_type_id"
        found = f"found {', '.join(map(str, table))[:200]}"
        raise CircuitError(Problem(f"{path}:1", message, found))
    return table.set_index(keys[0])


def _single_group(root: h5py.Group) -> h5py.Group:
    where = f"{root.file.filename}:{root.name}"
    if not isinstance(root, h5py.Group):
        raise damaged(where, "is a dataset; expected a group")
    groups = [name for name in root if isinstance(name, str) and name.isdigit()]
    if groups != [layout.GROUP] or not isinstance(root[layout.GROUP], h5py.Group):
        hint = "write the population with one group"
        raise CircuitError(Problem(where, f"groups {groups}; only '0' is read", hint))
    return root[layout.GROUP]


def _require_plain_rows(root: h5py.Group, name: str, rows: np.ndarray) -> None:
    """Makes sure that the attributes of a row stand in the same row of the group.

    Raises:
        CircuitError: If the group index says otherwise, as SONATA allows and nobody writes.
    """
    if name not in root:
        return
    found = column(root, name)
    if (len(rows) and rows[-1] >= len(found)) or not np.array_equal(_take(found, rows), rows):
        where = f"{root.file.filename}:{root.name}/{name}"
        message = "is not 0..n-1; that is not supported"
        raise CircuitError(Problem(where, message, "write the population with one group"))


def _values(group: h5py.Group, name: str, length: int, library: h5py.Group | None = None) -> object:
    dataset = column(group, name, length, kinds="")
    if h5py.check_string_dtype(dataset.dtype):
        return dataset.asstr(errors="replace")[:]
    if library is not None and name in library:
        labels = column(library, name, kinds="").asstr(errors="replace")[:]
        codes = column(group, name, length, kinds="iu")[:].astype(np.int64)
        if codes.size and not (0 <= codes.min() and codes.max() < len(labels)):
            where = f"{group.file.filename}:{dataset.name}"
            raise damaged(where, f"has codes beyond its @library of {len(labels)}")
        return pd.Categorical.from_codes(codes, labels)
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
        table = {layout.NODE_TYPE: column(root, layout.NODE_TYPE, kinds="iu")[:]}
        n = len(table[layout.NODE_TYPE])
        for name, item in group.items():
            if isinstance(item, h5py.Dataset):
                table[name] = _values(group, name, n, library)
        dynamics = group.get(layout.DYNAMICS, {})
        for name in dynamics:
            table[f"@dynamics:{name}"] = _values(dynamics, name, n)
        _require_plain_rows(root, "node_group_index", np.arange(n))
        ids = np.arange(n)
        if layout.NODE_ID in root:
            ids = column(root, layout.NODE_ID, n, "iu")[:]
    return pd.DataFrame(table, index=pd.Index(ids.astype(np.int64), name=layout.NODE_ID))


def read_typed_nodes(path: str | Path, types_path: str | Path, population: str) -> pd.DataFrame:
    """Reads nodes with the attributes of their types; those of the node itself win.

    Raises:
        CircuitError: If a file is missing or damaged.
    """
    nodes = read_nodes(path, population)
    types = read_types(types_path)
    if types.index.has_duplicates:
        double = types.index[types.index.duplicated()][0]
        raise CircuitError(Problem(str(types_path), f"type id {double} stands twice", "remove one"))
    used = nodes[layout.NODE_TYPE].unique()
    if len(missing := [key for key in used if key not in types.index]):
        message = f"no node type {missing[0]}, which {population!r} uses"
        raise CircuitError(Problem(str(types_path), message, "add it, or build the nodes again"))
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
    total = len(column(root, layout.TARGET_IDS, kinds="iu"))
    index = root.get("indices/target_to_source")
    if not isinstance(index, h5py.Group) or layout.INDEX_NAMES[0] not in index:
        return np.flatnonzero(np.isin(root[layout.TARGET_IDS][:], targets))
    names = (layout.INDEX_NAMES[0], layout.INDEX_EDGES)
    ranges, spans = (column(index, name, kinds="iu", axes=2) for name in names)
    here = ranges[:].astype(np.int64)
    targets = targets[(targets >= 0) & (targets < len(here))]
    rows = _expand(_within(here[targets], ranges, len(spans)))
    edges = _within(_take(spans, rows).astype(np.int64), spans, total)
    return np.sort(_expand(edges))


def _within(pairs: np.ndarray, dataset: h5py.Dataset, limit: int) -> np.ndarray:
    """Returns half-open ranges [n, 2] if none of them leads beyond ``limit``."""
    where = f"{dataset.file.filename}:{dataset.name}"
    if pairs.shape[1:] != (2,):
        raise damaged(where, f"has shape {list(dataset.shape)}; expected [rows, 2]")
    if pairs.size and not (pairs.min() >= 0 and pairs.max() <= limit):
        raise damaged(where, f"leads beyond the {limit} rows there are")
    return pairs


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
            message = f"no columns {missing} in {population!r}; it has {known}"
            raise CircuitError(Problem(str(path), message, "build the edges again"))
        names = (layout.SOURCE_IDS, layout.TARGET_IDS, layout.EDGE_TYPE)
        total = len(column(root, layout.EDGE_TYPE, kinds="iu"))
        datasets = {name: column(root, name, total, "iu") for name in names}
        wanted = known if columns is None else columns
        datasets |= {name: column(group, name, total, kinds="") for name in wanted}
        rows = np.arange(total) if targets is None else edges_of_targets(root, targets)
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
        total = len(column(root, layout.EDGE_TYPE, kinds="iu"))
        names = (layout.SOURCE_IDS, layout.TARGET_IDS, layout.EDGE_TYPE)
        datasets = {name: column(root, name, total, "iu") for name in names}
        datasets |= {n: column(group, n, total, kinds="") for n in columns if n in group}
        for low in range(0, total, rows):
            high = min(low + rows, total)
            if "edge_group_index" in root:
                _require_plain_rows(root, "edge_group_index", np.arange(low, high))
            yield {name: dataset[low:high] for name, dataset in datasets.items()}
