"""Random numbers of placement: the row of a cell in the stream of its type, and nothing else.

Each (seed, population, region, type, purpose) has its own Philox 4x64 key and each cell one counter:
cell i takes the four words of counter i. So a cell's numbers do not depend on how many cells there
are, on the block that draws them, or on other types (Salmon et al. 2011, SC'11). NumPy guarantees the
words of its bit generators, and all numbers are made from words here, by quantile functions.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

WORDS = 4


@dataclass(frozen=True)
class TypeStream:
    """The random numbers of the cells of one node type.

    Attributes:
        seed: The model's seed.
        path: Population, region and type.
    """

    seed: int
    path: tuple[str, ...]

    def words(self, purpose: str, start: int, stop: int, attempt: int = 0) -> np.ndarray:
        """Returns uint64 [stop - start, 4]: the words of cells start to stop - 1.

        Args:
            purpose: What the numbers are for, such as ``"position"`` or a property's name.
            start: Index of the first cell within its type.
            stop: Index after the last cell.
            attempt: Number of the redraw.
        """
        text = "\0".join(("place", str(self.seed), *self.path, purpose))
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        key = np.frombuffer(digest, "<u8").astype(np.uint64)
        counter = np.array([start, attempt, 0, 0], np.uint64)
        generator = np.random.Philox(key=key, counter=counter)
        return generator.random_raw(WORDS * (stop - start)).reshape(-1, WORDS)

    def uniforms(self, purpose: str, start: int, stop: int, attempt: int = 0) -> np.ndarray:
        """Returns float64 [stop - start, 4], uniform in (0, 1): midpoints of 2**52 equal steps."""
        words = self.words(purpose, start, stop, attempt)
        return ((words >> np.uint64(12)) + 0.5) * 2.0**-52
