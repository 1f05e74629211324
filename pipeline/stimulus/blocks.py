"""Rates of many units: blocks spread over processes, each block and condition cached by content."""

from __future__ import annotations

import importlib.metadata
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.stimuli import BIN
from pipeline.errors import ConfigError, PipelineError, Problem, SimulationError
from pipeline.runtime import atomic_path, make_folder, progress, remove_leftovers, value_hash
from pipeline.stimulus.movies import Condition
from pipeline.stimulus.rates import FilterBank
from pipeline.stimulus.units import Unit
from pipeline.worker import end_with_parent

BLOCK = 512
"""Units of one block; no result depends on it."""
_FORMAT = 1


@dataclass(frozen=True)
class Block:
    """Some units of a stimulus and where the rates of each condition are kept.

    Attributes:
        start: Index of the first unit.
        units: Numbers of the units.
        files: One float32 [units, bins] file per condition.
    """

    start: int
    units: Sequence[Unit]
    files: list[Path]

    def missing(self, conditions: Sequence[Condition]) -> list[int]:
        """Returns the conditions that have no file of the right shape."""
        pairs = enumerate(zip(conditions, self.files, strict=True))
        return [i for i, (c, file) in pairs if not _fits(file, (len(self.units), c.bins))]


def make_blocks(units: Sequence[Unit], conditions: Sequence[Condition], cache: Path) -> list[Block]:
    """Cuts units into blocks and names the files of each by everything that decides its content."""
    tools = {"format": _FORMAT, "bin": BIN, "bmtk": importlib.metadata.version("bmtk")}
    movies = [value_hash({"movie": c.content(), "tools": tools}) for c in conditions]
    blocks = []
    for start in range(0, len(units), BLOCK):
        part = units[start : start + BLOCK]
        own = value_hash({"units": part})
        files = [cache / f"{value_hash([own, movie])[:32]}.npy" for movie in movies]
        blocks.append(Block(start, part, files))
    return blocks


def compute_blocks(
    blocks: Sequence[Block], conditions: Sequence[Condition], workers: int, cache: Path
) -> int:
    """Computes what the cache does not have.

    Args:
        blocks: Of ``make_blocks``.
        conditions: The movies.
        workers: Processes; results do not depend on it.
        cache: Folder of the cache.

    Returns:
        Number of pairs of unit and condition that were computed.

    Raises:
        PipelineError: If a unit cannot be built, or a process dies.
    """
    make_folder(cache, "SONATINA_CACHE")
    remove_leftovers(cache)
    jobs = [(block, block.missing(conditions)) for block in blocks]
    jobs = [(block, missing) for block, missing in jobs if missing]
    pairs = [len(block.units) * len(missing) for block, missing in jobs]
    seconds = conditions[0].bins * BIN / 1000
    with progress(total=sum(pairs) * seconds, label="LGN rates", unit=" unit s") as bar:
        for index in _run(jobs, conditions, min(workers, len(jobs))):
            bar.update(pairs[index] * seconds)
    return sum(pairs)


def _run(jobs, conditions, workers: int) -> Iterator[int]:
    """Yields the index of each job as it ends."""
    if workers <= 1:
        for index, (block, missing) in enumerate(jobs):
            _raise(_compute(block, missing, conditions))
            yield index
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool:
        futures = {
            pool.submit(_compute, block, missing, conditions): index
            for index, (block, missing) in enumerate(jobs)
        }
        try:
            for future in as_completed(futures):
                _raise(future.result())
                yield futures[future]
        except BrokenProcessPool as error:
            hint = "run it again: finished blocks are kept; give fewer --workers if memory ran out"
            raise SimulationError(Problem("stimulus", f"a worker died ({error})", hint)) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _compute(block: Block, missing: list[int], conditions: Sequence[Condition]) -> list[Problem]:
    """Writes the missing rates of a block; returns problems, which pass between processes whole."""
    try:
        bank = FilterBank(block.units, conditions[missing[0]])
        for index in missing:
            rates = bank.rates(conditions[index]).astype(np.float32)
            with atomic_path(block.files[index]) as temporary, open(temporary, "wb") as handle:
                np.save(handle, rates)
    except PipelineError as error:
        return error.problems
    return []


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise ConfigError(problems)


def _fits(path: Path, shape: tuple[int, int]) -> bool:
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return found.shape == shape and found.dtype == np.float32
