"""Counter-based random numbers: each draw is a pure function of seed, rule, pair and purpose.

Philox-4x32-10 of Salmon et al. 2011 (SC'11, "Parallel random numbers: as easy as 1, 2, 3"). The
key holds seed and rule, the counter (source, target, purpose, index); nothing depends on the order
in which pairs are visited, so threads, blocks and parts cannot change an edge.
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.kernels import kernel
from pipeline.philox import HALF as _HALF
from pipeline.philox import M0 as _M0
from pipeline.philox import M1 as _M1
from pipeline.philox import MASK as _MASK
from pipeline.philox import SCALE as _SCALE
from pipeline.philox import W0 as _W0
from pipeline.philox import W1 as _W1

ACCEPT, STREAM, OUTWARD, NSYNS, WEIGHT, DELAY = 1, 2, 3, 4, 5, 6
"""Purposes: the third counter word."""


@kernel(inline="always")
def _round(c0, c1, c2, c3, k0, k1):
    p0, p1 = _M0 * c0, _M1 * c2
    return (p1 >> _HALF) ^ c1 ^ k0, p1 & _MASK, (p0 >> _HALF) ^ c3 ^ k1, p0 & _MASK


@kernel()
def philox(k0, k1, c0, c1, c2, c3):
    """Philox-4x32-10: uint64 words below 2**32 in, four such words out."""
    for _ in range(10):
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
    return c0, c1, c2, c3


@kernel()
def uniforms(key, a, b, purpose, index):
    """Two independent uniforms in [0, 1) with 53 bits, for counter (a, b, purpose, index).

    Args:
        key: uint64 [2].
        a: Usually the source id, below 2**32.
        b: Usually the target id, below 2**32.
        purpose: One of the purposes above.
        index: Number of the draw, or of the repeated edge of a pair.
    """
    w0, w1, w2, w3 = philox(
        key[0], key[1], np.uint64(a), np.uint64(b), np.uint64(purpose), np.uint64(index)
    )
    first = ((w0 << _HALF) | w1) >> np.uint64(11)
    second = ((w2 << _HALF) | w3) >> np.uint64(11)
    return first * _SCALE, second * _SCALE


@kernel()
def exponential(key, b, purpose, index):
    """A unit exponential of the stream that belongs to node ``b``."""
    u, v = uniforms(key, index >> 33, b, purpose, (index >> 1) & 0xFFFFFFFF)
    return -math.log1p(-(v if index & 1 else u))


@kernel()
def normal(key, a, b, purpose, index):
    """A standard normal (Box and Muller 1958)."""
    u, v = uniforms(key, a, b, purpose, index)
    return math.sqrt(-2.0 * math.log1p(-u)) * math.cos(2.0 * math.pi * v)
