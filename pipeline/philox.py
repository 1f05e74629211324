"""Counter-based uniform numbers in NumPy: a pure function of seed, name, pair and purpose.

Philox-4x32-10 of Salmon et al. 2011 (SC'11, "Parallel random numbers: as easy as 1, 2, 3"). The
compiled twin for single edges is ``edges.rules.random``.
"""

from __future__ import annotations

import hashlib

import numpy as np

M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
MASK, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
SCALE = 1.0 / 9007199254740992.0


def rule_key(seed: int, name: str) -> np.ndarray:
    """Returns the Philox key of one rule: uint64 [2], each word below 2**32.

    The name, not its place in the list, enters, so that adding a rule leaves the others alone.
    """
    digest = hashlib.blake2b(f"rule/{seed}/{name}".encode(), digest_size=8).digest()
    return np.frombuffer(digest, "<u4").astype(np.uint64)


def uniforms_array(
    key: np.ndarray, a: np.ndarray, b: np.ndarray, purpose: int, index: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Two independent uniforms in [0, 1) with 53 bits for each counter (a, b, purpose, index).

    Args:
        key: uint64 [2], from ``rule_key``.
        a: uint64, below 2**32; usually source ids.
        b: uint64, below 2**32; usually target ids.
        purpose: What the numbers are for.
        index: Number of the draw; may be an array.
    """
    a, b = np.broadcast_arrays(np.asarray(a, np.uint64), np.asarray(b, np.uint64))
    c0, c1 = a.copy(), b.copy()
    c2, c3 = np.full_like(c0, purpose), np.full_like(c0, index)
    k0, k1 = key
    for _ in range(10):
        p0, p1 = M0 * c0, M1 * c2
        c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1 & MASK, (p0 >> HALF) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + W0) & MASK, (k1 + W1) & MASK
    shift = np.uint64(11)
    return (
        (((c0 << HALF) | c1) >> shift) * SCALE,
        (((c2 << HALF) | c3) >> shift) * SCALE,
    )
