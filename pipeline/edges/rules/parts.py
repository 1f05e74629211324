"""Edge files: streamed in one go, or built in parts by several processes and joined.

A part holds the edges of a range of targets. Its token names everything that went into it, so that a
finished part is recognised after an interruption and a stale one is not.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from pipeline.config.laws import LAWS
from pipeline.edges.rules.build import Block, Builder, Network
from pipeline.errors import CircuitError
from pipeline.sonata import layout
from pipeline.sonata.configs import write_types
from pipeline.sonata.layout import PART_FILES, part_path
from pipeline.sonata.read import open_population
from pipeline.sonata.write import CHUNK_ROWS, EdgeWriter

VERSION = 2
"""Raised whenever the same rules would give other edges."""
PART_EDGES = 8_000_000
"""Edges of a part when the config names no number: a few seconds of work that a kill can cost."""
_MERGE_ROWS = 1 << 20
_TOKEN = "token"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Names:
    """Names of an edge population and its ends."""

    population: str
    source: str
    target: str


def network_token(network: Network, bounds: Sequence[int]) -> str:
    """Hashes all arrays that enter the edges, and how targets are cut: hex."""
    digest = hashlib.blake2b(f"{VERSION} {list(bounds)} {network.columns}".encode(), digest_size=16)

    def add(value: object) -> None:
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        elif isinstance(value, tuple):
            for item in value:
                add(item)
        else:
            digest.update(repr(value).encode())

    for side in (network.source, network.target):
        add(side.points)
    for rule in network.rules:
        add((rule.key, rule.kind, rule.skip_self, rule.multapses, rule.count))
        names = [LAWS[code].name for code in rule.law.codes]  # codes change with a new law
        add((rule.source.codes, rule.target.codes, str(names), tuple(rule.law[1:])))
        add((tuple(rule.synapse.draws), rule.synapse.edge_types))
        if rule.field is not None:
            add(tuple(rule.field))
        if rule.listed is not None:
            add((rule.listed.sources, rule.listed.targets))
            add(tuple(item for pair in sorted(rule.listed.values.items()) for item in pair))
    return digest.hexdigest()


def _chunk_rows(edges: float) -> int:
    """Rows per chunk from the expected number of edges, which parts and whole share."""
    return int(min(CHUNK_ROWS, max(1024, 2 ** np.ceil(np.log2(max(edges, 1) / 4)))))


def _writer(path: Path, builder: Builder, names: Names, **options) -> EdgeWriter:
    network = builder.network
    return EdgeWriter(
        path, names.population, names.source, names.target,
        len(network.source.points), len(network.target.points),
        units={"distance": "um"}, chunk_rows=_chunk_rows(builder.expected().edges),
        index_bytes=int(network.block_bytes() / 2), **options,
    )  # fmt: skip


def _append(writer: EdgeWriter, block: Block) -> None:
    writer.append(block.sources, block.targets, block.types, block.columns)


def write_whole(
    builder: Builder,
    path: str | Path,
    names: Names,
    tell: Callable[[int], object] | None = None,
    most: int | None = None,
) -> int:
    """Draws all edges and writes the edges file.

    Args:
        builder: What to draw.
        path: File to write.
        names: Its populations.
        tell: Called with the number of edges of each block, for progress.
        most: Edges per block; from the memory limit when None.

    Returns:
        Number of edges.
    """
    with _writer(Path(path), builder, names) as writer:
        _append(writer, _empty(builder.network))
        for block in builder.blocks(most=most):
            _append(writer, block)
            if tell:
                tell(len(block.sources))
    return writer.n_edges


def _empty(network: Network) -> Block:
    # Fixes names and dtypes of the columns, should there be no edge at all.
    none = np.empty(0, np.uint64)
    dtypes = {"nsyns": np.uint32}
    columns = {name: np.empty(0, dtypes.get(name, np.float32)) for name in network.columns}
    return Block(none, none, np.empty(0, np.int64), columns)


def automatic_parts(edges: float) -> int:
    """Parts of a population of about so many edges; 1 when it is soon built anyway."""
    return max(1, round(edges / PART_EDGES))


def write_part(
    builder: Builder, path: str | Path, names: Names, part: int, parts: int,
    tell: Callable[[int], object] | None = None,
) -> Path:  # fmt: skip
    """Draws one part of the targets unless its file is there already.

    Args:
        builder: What to draw.
        path: The whole edges file; the part goes beside it.
        names: Its populations.
        part: Which part, from 0.
        parts: How many there are.
        tell: See ``write_whole``.

    Returns:
        The part's file.

    Raises:
        CircuitError: If there is no such part.
    """
    if not 0 <= part < parts:
        raise CircuitError(f"part {part + 1} of {parts} does not exist")
    bounds = builder.part_bounds(parts)
    token = network_token(builder.network, bounds.tolist())
    file = part_path(path, part, parts)
    if _token_of(file, names) == token:
        _log.info("%s is finished; kept", file.name)
        if tell:
            with open_population(file, "edges", names.population) as root:
                tell(len(root[layout.EDGE_TYPE]))
        return file
    with _writer(file, builder, names, indices=False, attributes={_TOKEN: token}) as writer:
        _append(writer, _empty(builder.network))
        for block in builder.blocks(int(bounds[part]), int(bounds[part + 1])):
            _append(writer, block)
            if tell:
                tell(len(block.sources))
    return file


def _token_of(file: Path, names: Names) -> str | None:
    if not file.is_file():
        return None
    try:
        with open_population(file, "edges", names.population) as root:
            return root.attrs.get(_TOKEN)
    except CircuitError:
        return None


def merge_parts(builder: Builder, path: str | Path, names: Names, parts: int) -> int:
    """Joins all parts into the edges file; the same bytes as ``write_whole`` writes.

    Returns:
        Number of edges.

    Raises:
        CircuitError: If a part is missing or belongs to other rules or nodes.
    """
    token = network_token(builder.network, builder.part_bounds(parts).tolist())
    files = [part_path(path, part, parts) for part in range(parts)]
    stale = [file.name for file in files if _token_of(file, names) != token]
    if stale:
        raise CircuitError(f"{path}: parts {', '.join(stale)} are missing or stale; build them")
    with _writer(Path(path), builder, names) as writer:
        _append(writer, _empty(builder.network))
        for file in files:
            with open_population(file, "edges", names.population) as root:
                for low in range(0, len(root[layout.EDGE_TYPE]), _MERGE_ROWS):
                    _append(writer, _read(root, slice(low, low + _MERGE_ROWS)))
    return writer.n_edges


def _read(root: h5py.Group, rows: slice) -> Block:
    ids = (root[layout.SOURCE_IDS][rows], root[layout.TARGET_IDS][rows])
    columns = {name: item[rows] for name, item in root[layout.GROUP].items()}
    return Block(*ids, root[layout.EDGE_TYPE][rows], columns)


def write_in_parts(
    builder: Builder, path: str | Path, names: Names, parts: int,
    tell: Callable[[int], object] | None = None,
) -> int:  # fmt: skip
    """Does what ``write_whole`` does, part by part; goes on with parts finished before.

    Returns:
        Number of edges.
    """
    for part in range(parts):
        write_part(builder, path, names, part, parts, tell)
    edges = merge_parts(builder, path, names, parts)
    remove_parts(path)
    return edges


def remove_parts(path: str | Path) -> None:
    """Deletes all part files, also stale ones, which the joined file has made needless."""
    for file in Path(path).parent.glob(PART_FILES.format(stem=Path(path).stem)):
        file.unlink()


def write_edge_types(network: Network, path: str | Path) -> None:
    """Writes the edge types table of a network."""
    write_types(path, network.edge_types() or [{"edge_type_id": 0}])
