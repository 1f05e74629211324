"""Random numbers of stimuli: one counter per unit, so that neither subsets nor blocks change them.

The key holds seed and names, the counter the unit (Philox 4x64; Salmon et al. 2011, SC'11). NumPy
guarantees the words of its bit generators; numbers are made from words here.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream_key(seed: int, *names: str) -> np.ndarray:
    """Returns the Philox key of a purpose: uint64 [2]."""
    text = "\0".join(("stimulus", str(seed), *names))
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return np.frombuffer(digest, "<u8").astype(np.uint64)


def unit_stream(key: np.ndarray, unit: int, trial: int = 0) -> np.random.Philox:
    """Returns the stream of one unit in one trial."""
    return np.random.Philox(key=key, counter=np.array([0, 0, unit, trial], np.uint64))


def uniforms(stream: np.random.Philox, count: int) -> np.ndarray:
    """Returns the next numbers of a stream: float64 [count], uniform in (0, 1)."""
    words = stream.random_raw(count)
    return ((words >> np.uint64(12)) + 0.5) * 2.0**-52
