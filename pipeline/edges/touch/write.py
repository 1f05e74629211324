"""Touch edges in two passes: kept touches by blocks of sources, then edges by ranges of targets.

A block holds whole presynaptic cells, so all touches of a connection are known and pruned at once;
only what stays reaches the disk. The second pass gathers ranges of targets from all blocks. A killed
run keeps its finished blocks. Neither threads nor blocks change a byte of the edges.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import h5py
import numpy as np

from pipeline.edges.touch.arrays import TOUCH
from pipeline.edges.touch.pathways import Pathways
from pipeline.edges.touch.physiology import Synapses, synapse_columns
from pipeline.edges.touch.places import layout, place_columns
from pipeline.edges.touch.pruning import KEPT, prune
from pipeline.edges.touch.scene import Scene
from pipeline.edges.touch.tallies import Tally, TargetTally, add_tallies, tally_block
from pipeline.runtime import atomic_path
from pipeline.sonata.layout import part_path
from pipeline.sonata.write import CHUNK_ROWS, EdgeWriter

_TOKEN, _TOUCHES, _TALLIES = "token", "touches", "tallies"
_ROW_BYTES = 600
"""Memory of one edge while its attributes are computed and written (measured)."""
_log = logging.getLogger(__name__)


def block_bounds(cells: int, block: int) -> np.ndarray:
    """First source of every block, and the number of cells: int64."""
    return np.append(np.arange(0, cells, block), cells).astype(np.int64)


def block_tokens(scene: Scene, pathways: Pathways, bounds: np.ndarray) -> list[str]:
    """Hashes of all that decides a block: one text per block."""
    digest = hashlib.blake2b(scene.token().encode(), digest_size=16)
    for values in (pathways.f1, pathways.mu, pathways.A):
        digest.update(np.ascontiguousarray(values).tobytes())
    whole = digest.hexdigest()
    return [f"{whole} {low} {high}" for low, high in zip(bounds[:-1], bounds[1:], strict=True)]


def write_blocks(
    scene: Scene, pathways: Pathways, path: Path, tell: Callable[[int], object] | None = None
) -> list[Path]:
    """Detects and prunes block by block; finished blocks of an earlier run are kept.

    Args:
        scene: What to work on.
        pathways: Pruning parameters.
        path: The whole edges file; blocks go beside it.
        tell: Called with the number of sources done, for progress.

    Returns:
        The blocks' files.
    """
    bounds = block_bounds(len(scene.cells), scene.config.block)
    tokens, parts = block_tokens(scene, pathways, bounds), len(bounds) - 1
    files = []
    for part, token in enumerate(tokens):
        file = part_path(path, part, parts)
        low, high = int(bounds[part]), int(bounds[part + 1])
        if _token_of(file) != token:
            _write_block(scene, pathways, file, token, low, high)
        else:
            _log.info("%s is finished; kept", file.name)
        if tell:
            tell(high - low)
        files.append(file)
    return files


def _write_block(
    scene: Scene, pathways: Pathways, file: Path, token: str, low: int, high: int
) -> None:
    start, found = perf_counter(), 0
    kept: list[np.ndarray] = [np.empty(0, TOUCH)]
    tallies: list[Tally] = []
    for ids, touches in scene.chunks(np.arange(low, high)):
        reasons = prune(touches, scene.cells, pathways, scene.key)
        first, last = int(ids[0]), int(ids[-1]) + 1
        tallies.append(tally_block(touches, reasons, scene.cells, first, last))
        kept.append(touches[reasons == KEPT])
        found += len(touches)
    joined = np.concatenate(kept)
    # Sources ascend already: a stable sort by target leaves (target, source, order).
    joined = joined[np.argsort(joined["post"], kind="stable")]
    with atomic_path(file) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs[_TOKEN] = token
        handle.create_dataset(_TOUCHES, data=joined, track_times=False)
        for name, values in add_tallies(tallies).items():
            handle.create_dataset(f"{_TALLIES}/{name}", data=values, track_times=False)
    _log.info(
        "cells %d to %d: %d touches, %d kept, %.1f s", low, high - 1, found, len(joined),
        perf_counter() - start,
    )  # fmt: skip


def _token_of(file: Path) -> str | None:
    if not file.is_file():
        return None
    try:
        with h5py.File(file, "r") as handle:
            return handle.attrs.get(_TOKEN)
    except OSError:
        return None


def read_tallies(files: list[Path]) -> Tally:
    """Joins the counts of all blocks."""
    tallies = []
    for file in files:
        with h5py.File(file, "r") as handle:
            tallies.append({name: item[()] for name, item in handle[_TALLIES].items()})
    return add_tallies(tallies)


def target_ranges(files: list[Path], cells: int, rows: int) -> np.ndarray:
    """Cuts targets into ranges of at most about ``rows`` edges: int64, first targets and the end."""
    counts = np.zeros(cells, np.int64)
    for file in files:
        with h5py.File(file, "r") as handle:
            counts += np.bincount(
                handle[_TOUCHES].fields("post")[()].astype(np.int64), minlength=cells
            )
    bounds, filled = [0], 0
    for target, count in enumerate(counts.tolist()):
        if filled and filled + count > rows:
            bounds.append(target)
            filled = 0
        filled += count
    return np.array([*bounds, cells], np.int64)


def gather(files: list[Path], bounds: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the kept touches of each target range: TOUCH, sorted by (post, pre, order)."""
    cuts = []
    for file in files:
        with h5py.File(file, "r") as handle:
            cuts.append(np.searchsorted(handle[_TOUCHES].fields("post")[()], bounds))
    for index in range(len(bounds) - 1):
        rows = [np.empty(0, TOUCH)]
        for file, cut in zip(files, cuts, strict=True):
            if cut[index] < cut[index + 1]:
                with h5py.File(file, "r") as handle:
                    rows.append(handle[_TOUCHES][cut[index] : cut[index + 1]])
        joined = np.concatenate(rows)
        # Blocks ascend by source, so a stable sort by target is all it takes.
        yield joined[np.argsort(joined["post"], kind="stable")]


def write_touch_edges(
    scene: Scene, synapses: Synapses, files: list[Path], path: Path,
    tell: Callable[[int], object] | None = None,
) -> TargetTally:  # fmt: skip
    """Writes the edges file from finished blocks, in bounded memory.

    Args:
        scene: What the blocks were made from.
        synapses: Compiled synapse rules.
        files: Blocks in order of their sources.
        path: File to write.
        tell: Called with the number of edges written, for progress.

    Returns:
        Counts by target and depth.
    """
    n, lay = len(scene.cells), layout(scene.shapes, scene.cells)
    rows = max(int(scene.config.memory * 2**30 / _ROW_BYTES), 1)
    bounds = target_ranges(files, n, rows)
    total = sum(_rows_of(file) for file in files)
    chunk = int(min(CHUNK_ROWS, max(1024, 2 ** np.ceil(np.log2(max(total, 1) / 4)))))
    tally = TargetTally(scene.cells)
    with EdgeWriter(
        path, scene.population, scene.config.source, scene.config.target, n, n,
        units={"conductance": "nS", "u_hill_coefficient": "mM"}, chunk_rows=chunk,
        index_bytes=int(scene.config.memory * 2**30 / 2),
    ) as writer:  # fmt: skip
        # An empty block fixes names and dtypes, should there be no edge at all.
        writer.append(*edge_rows(scene, lay, synapses, np.empty(0, TOUCH)))
        for touches in gather(files, bounds):
            edges = edge_rows(scene, lay, synapses, touches)
            writer.append(*edges)
            tally.add(touches, edges[3]["afferent_center_y"])
            if tell:
                tell(len(touches))
    return tally


def edge_rows(scene: Scene, lay, synapses: Synapses, touches: np.ndarray) -> tuple:
    """Sources, targets, edge types and all attributes of kept touches."""
    kinds, columns = synapse_columns(synapses, touches, scene.key)
    columns |= place_columns(lay, touches)
    return touches["pre"], touches["post"], kinds, columns


def _rows_of(file: Path) -> int:
    with h5py.File(file, "r") as handle:
        return len(handle[_TOUCHES])
