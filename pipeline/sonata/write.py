"""Writes nodes and edges that libsonata, SNAP and BMTK all open.

Files are written under a temporary name and renamed; they hold no timestamps and fixed HDF5
options, so that equal input gives equal bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np

from pipeline.errors import CircuitError
from pipeline.runtime import atomic_path
from pipeline.sonata import layout

CHUNK_ROWS = 1 << 16
FLUSH_CHUNKS = 16
"""Chunks that are written at once; fixed, so that bytes do not depend on the blocks appended."""


def sonata_file(path: str | Path) -> h5py.File:
    """Creates an HDF5 file with the SONATA root attributes."""
    handle = h5py.File(path, "w", track_order=False)
    handle.attrs["magic"] = np.uint32(layout.MAGIC)
    handle.attrs["version"] = np.array(layout.VERSION, np.uint32)
    return handle


def set_units(dataset: h5py.Dataset, unit: str | None) -> None:
    """Adds the ``units`` attribute when the unit is known."""
    if unit:
        dataset.attrs["units"] = unit


def _as_column(name: str, values: object) -> np.ndarray:
    """Returns values in the dtype that files use for this attribute (strings as objects)."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise CircuitError(f"column {name!r} has shape {array.shape}; expected one dimension")
    if array.dtype.kind in "OUST" or str(array.dtype) in ("category", "string", "str"):
        return np.array([str(value) for value in array], dtype=object)
    wanted = np.dtype(layout.DTYPES.get(name, array.dtype))
    if array.dtype.kind == "b":
        wanted = np.dtype("uint8")
    if wanted.kind == "u" and array.dtype.kind != "u" and array.size and array.min() < 0:
        raise CircuitError(f"column {name!r} holds {array.min()}; expected no negative number")
    return array.astype(wanted, copy=False)


def _check_lengths(where: str, n: int, columns: Mapping[str, np.ndarray]) -> None:
    wrong = {name: len(values) for name, values in columns.items() if len(values) != n}
    if wrong:
        raise CircuitError(f"{where}: columns {wrong} differ from the {n} rows of the type ids")


def write_nodes(
    path: str | Path,
    population: str,
    columns: Mapping[str, object],
    node_type_ids: Sequence[int] | np.ndarray,
    *,
    dynamics: Mapping[str, object] | None = None,
    library: Collection[str] = (),
    units: Mapping[str, str] | None = None,
) -> None:
    """Writes one node population into a file of its own.

    Text columns become plain UTF-8 strings, the one form that libsonata, SNAP and BMTK all
    return with its content. Long populations can name columns for ``library``: these are stored
    as ``@library`` enumerations, which libsonata and SNAP read as text and BMTK as codes.

    Args:
        path: File to write, usually ``CircuitPaths.nodes``.
        population: Name of the population.
        columns: Attribute name to array [n]; numbers or text.
        node_type_ids: int [n]. Row of each node in the node types table.
        dynamics: Attributes of the ``dynamics_params`` group, name to number array [n].
        library: Names of text columns to store as enumerations.
        units: Units that replace or extend those of ``layout.UNITS``.

    Raises:
        CircuitError: If lengths differ or a column cannot be stored.
    """
    types = np.asarray(node_type_ids, np.int64)
    tables = {
        "": {name: _as_column(name, values) for name, values in columns.items()},
        layout.DYNAMICS: {k: _as_column(k, v) for k, v in (dynamics or {}).items()},
    }
    for table in tables.values():
        _check_lengths(f"nodes of {population!r}", len(types), table)
    known = {**layout.UNITS, **(units or {})}
    with atomic_path(path) as temporary, sonata_file(temporary) as handle:
        root = handle.create_group(f"nodes/{population}")
        index = np.arange(len(types), dtype=np.uint64)
        root.create_dataset(layout.NODE_TYPE, data=types, track_times=False)
        root.create_dataset(layout.NODE_ID, data=index, track_times=False)
        root.create_dataset("node_group_id", data=np.zeros(len(types), "u4"), track_times=False)
        root.create_dataset("node_group_index", data=index, track_times=False)
        group = root.create_group(layout.GROUP)
        for prefix, table in tables.items():
            target = group.create_group(prefix) if prefix and table else group
            for name in sorted(table):
                enumerated = not prefix and name in library and table[name].dtype == object
                writer = _write_enumeration if enumerated else _write_column
                set_units(writer(target, name, table[name]), known.get(name))


def _write_column(group: h5py.Group, name: str, values: np.ndarray) -> h5py.Dataset:
    dtype = h5py.string_dtype() if values.dtype == object else values.dtype
    return group.create_dataset(name, data=values, dtype=dtype, track_times=False)


def _write_enumeration(group: h5py.Group, name: str, values: np.ndarray) -> h5py.Dataset:
    labels, codes = np.unique(values, return_inverse=True)
    _write_column(group.require_group(layout.LIBRARY), name, labels.astype(object))
    return _write_column(group, name, codes.astype(np.uint32))


class EdgeWriter:
    """Writes one edge population block by block in bounded memory.

    Blocks come in ascending order of (target, source); rows inside a block are sorted here,
    rows of one contact keep their order. Both indices are built on a clean ``close``; leaving
    the ``with`` block by an exception leaves no file behind.

    Args:
        path: File to write, usually ``CircuitPaths.edges``.
        population: Name of the edge population.
        source_population: Node population of the sources.
        target_population: Node population of the targets.
        n_source: Number of nodes in the source population.
        n_target: Number of nodes in the target population.
        units: Units that replace or extend those of ``layout.UNITS``.
        chunk_rows: Rows per HDF5 chunk; small populations want small chunks.
        index_bytes: Memory for the runs of an index; ``index.BAND_BYTES`` when None.
        indices: False leaves out indices and group rows, for files that are only joined to others.
        attributes: HDF5 attributes of the population.

    Raises:
        CircuitError: On ids outside the populations, blocks out of order, differing columns.
    """

    def __init__(
        self,
        path: str | Path,
        population: str,
        source_population: str,
        target_population: str,
        n_source: int,
        n_target: int,
        *,
        units: Mapping[str, str] | None = None,
        chunk_rows: int = CHUNK_ROWS,
        index_bytes: int | None = None,
        indices: bool = True,
        attributes: Mapping[str, str] | None = None,
    ):
        self._stack = ExitStack()
        self._where = f"edges of {population!r}"
        self._sizes = {layout.SOURCE_IDS: n_source, layout.TARGET_IDS: n_target}
        self._units = {**layout.UNITS, **(units or {})}
        self._chunk = (max(1, min(chunk_rows, CHUNK_ROWS)),)
        self._columns: dict[str, np.dtype] | None = None
        self._last = (0, 0)
        self._index_bytes, self._indices = index_bytes, indices
        self._pending: dict[str, np.ndarray] = {}
        self._waiting = 0
        self.n_edges = 0
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(path))
            self._file = stack.enter_context(sonata_file(temporary))
            self._root = self._file.create_group(f"edges/{population}")
            self._group = self._root.create_group(layout.GROUP)
            self._root.attrs.update(attributes or {})
            names = {layout.SOURCE_IDS: source_population, layout.TARGET_IDS: target_population}
            for name, nodes in names.items():
                self._create(self._root, name, "u8").attrs[layout.POPULATION_ATTRIBUTE] = nodes
            self._create(self._root, layout.EDGE_TYPE, "i8")
            if indices:
                self._create(
                    self._root, "edge_group_index", "u8",
                    compression="gzip", compression_opts=1, shuffle=True,
                )  # fmt: skip
                # All rows lie in group 0, the fill value: chunks never written cost nothing.
                self._create(self._root, "edge_group_id", "u4")
            self._stack = stack.pop_all()

    def _create(self, group: h5py.Group, name: str, dtype, **options) -> h5py.Dataset:
        return group.create_dataset(
            name, (0,), dtype, maxshape=(None,), chunks=self._chunk, track_times=False, **options
        )

    def append(
        self,
        source_ids: np.ndarray,
        target_ids: np.ndarray,
        edge_type_ids: np.ndarray,
        columns: Mapping[str, object],
    ) -> None:
        """Adds edges behind those already written.

        Args:
            source_ids: uint64 [n].
            target_ids: uint64 [n].
            edge_type_ids: int64 [n]. Row of each edge in the edge types table.
            columns: Attribute name to number array [n]; the same names in every block.
        """
        source, target = (
            self._ids(name, ids)
            for name, ids in zip(self._sizes, (source_ids, target_ids), strict=True)
        )
        table = {name: _as_column(name, values) for name, values in columns.items()}
        rows = {layout.SOURCE_IDS: source, layout.TARGET_IDS: target, **table}
        types = np.asarray(edge_type_ids, np.int64)
        _check_lengths(self._where, len(types), rows)
        self._create_columns(table)
        if not len(types):
            return
        if not _is_sorted(source, target):
            order = np.lexsort((source, target))
            rows = {name: values[order] for name, values in rows.items()}
            types = types[order]
        source, target = rows[layout.SOURCE_IDS], rows[layout.TARGET_IDS]
        first, last = ((int(target[i]), int(source[i])) for i in (0, -1))
        if self.n_edges and first < self._last:
            raise CircuitError(
                f"{self._where}: a block starts at (target, source) {first} after {self._last}; "
                "append blocks in ascending order"
            )
        self._last = last
        self.n_edges += len(types)
        ids = (layout.SOURCE_IDS, layout.TARGET_IDS)
        paths = {n if n in ids else f"{layout.GROUP}/{n}": v for n, v in rows.items()}
        self._buffer({**paths, layout.EDGE_TYPE: types})

    def _buffer(self, rows: Mapping[str, np.ndarray]) -> None:
        """Collects rows and writes them in pieces of one size."""
        piece = FLUSH_CHUNKS * self._chunk[0]
        n = len(rows[layout.EDGE_TYPE])
        low = 0
        while low < n:
            step = min(piece - self._waiting, n - low)
            part = {name: values[low : low + step] for name, values in rows.items()}
            low += step
            if step == piece:
                self._write(part)
                continue
            for name, values in part.items():
                if name not in self._pending:
                    self._pending[name] = np.empty(piece, values.dtype)
                self._pending[name][self._waiting : self._waiting + step] = values
            self._waiting += step
            if self._waiting == piece:
                self._flush()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, 0
        if waiting:
            self._write({name: values[:waiting] for name, values in self._pending.items()})

    def _write(self, rows: Mapping[str, np.ndarray]) -> None:
        types = self._root[layout.EDGE_TYPE]
        start, stop = len(types), len(types) + len(rows[layout.EDGE_TYPE])
        if self._indices:
            index = np.arange(start, stop, dtype=np.uint64)
            rows = {**rows, "edge_group_index": index}
        for name, values in rows.items():
            dataset = self._root[name]
            dataset.resize((stop,))
            dataset[start:] = values
        if self._indices:
            self._root["edge_group_id"].resize((stop,))

    def _ids(self, name: str, ids: np.ndarray) -> np.ndarray:
        ids = np.asarray(ids)
        if ids.size and (ids.min() < 0 or ids.max() >= self._sizes[name]):
            raise CircuitError(
                f"{self._where}: {name} runs from {ids.min()} to {ids.max()}; "
                f"the population has {self._sizes[name]} nodes"
            )
        return ids.astype(np.uint64, copy=False)

    def _create_columns(self, table: Mapping[str, np.ndarray]) -> None:
        found = {name: values.dtype for name, values in table.items()}
        if self._columns is None:
            texts = [name for name, dtype in found.items() if dtype.kind == "O"]
            if texts:
                raise CircuitError(f"{self._where}: text in {texts}; it belongs to the edge types")
            for name in sorted(found):
                set_units(self._create(self._group, name, found[name]), self._units.get(name))
            self._columns = found
        elif found != self._columns:
            raise CircuitError(f"{self._where}: a block has {found}; expected {self._columns}")

    def close(self) -> None:
        """Builds both indices and puts the file in its place."""
        # Numba loads slowly and only edges need it.
        from pipeline.sonata.index import write_index

        with self._stack:
            self._flush()
            self._pending.clear()
            for index, ids in layout.INDICES.items() if self._indices else ():
                group = self._root.create_group(f"indices/{index}")
                write_index(group, self._root[ids], self._sizes[ids], band_bytes=self._index_bytes)

    def __enter__(self) -> EdgeWriter:
        return self

    def __exit__(self, *failure) -> None:
        if failure[0] is None:
            self.close()
        else:
            self._stack.__exit__(*failure)


def _is_sorted(source: np.ndarray, target: np.ndarray) -> bool:
    """Whether rows ascend by (target, source)."""
    later, same = target[1:] > target[:-1], target[1:] == target[:-1]
    return bool((later | (same & (source[1:] >= source[:-1]))).all())


def write_edges(
    path: str | Path,
    population: str,
    source_population: str,
    target_population: str,
    source_ids: np.ndarray,
    target_ids: np.ndarray,
    edge_type_ids: np.ndarray,
    columns: Mapping[str, object],
    n_source: int,
    n_target: int,
    *,
    units: Mapping[str, str] | None = None,
) -> None:
    """Writes one edge population in one go, sorted by (target, source, given order).

    The arguments are those of ``EdgeWriter`` and of ``EdgeWriter.append``; zero edges are fine.

    Raises:
        CircuitError: On ids outside the populations or columns of differing length.
    """
    rows = max(1024, len(source_ids))
    names = (population, source_population, target_population)
    with EdgeWriter(path, *names, n_source, n_target, units=units, chunk_rows=rows) as writer:
        writer.append(source_ids, target_ids, edge_type_ids, columns)
