"""Turns uniform numbers into property values by quantile functions, one number per value."""

from __future__ import annotations

import math

import numpy as np
import scipy  # its parts load when they are used

from pipeline.config.draws import (
    ChoiceDraw,
    FixedDraw,
    LognormalDraw,
    NormalDraw,
    TriangularDraw,
    UniformDraw,
)


def quantile(draw: object, u: np.ndarray) -> np.ndarray:
    """Draws from a law.

    Args:
        draw: One of the laws of ``config.draws`` with numbers only; None gives NaN.
        u: float64 [n], uniform in (0, 1).

    Returns:
        float64 [n], or object [n] for a choice among words.

    Raises:
        TypeError: If the law is not known.
    """
    match draw:
        case None:
            return np.full(len(u), math.nan)
        case FixedDraw():
            return np.full(len(u), draw.value)
        case UniformDraw():
            return draw.low + u * (draw.high - draw.low)
        case NormalDraw():
            return _normal(draw, u)
        case LognormalDraw():
            return draw.median * np.exp(draw.sigma * scipy.special.ndtri(u))
        case TriangularDraw():
            return _triangular(draw.low, draw.mode, draw.high, u)
        case ChoiceDraw():
            return _choice(draw, u)
    raise TypeError(f"no quantile function for {type(draw).__name__}")


def _normal(draw: NormalDraw, u: np.ndarray) -> np.ndarray:
    if draw.sd == 0:
        return np.full(len(u), draw.mean)
    low = 0.0 if draw.low is None else scipy.special.ndtr((draw.low - draw.mean) / draw.sd)
    high = 1.0 if draw.high is None else scipy.special.ndtr((draw.high - draw.mean) / draw.sd)
    values = draw.mean + draw.sd * scipy.special.ndtri(low + u * (high - low))
    return np.clip(values, draw.low, draw.high) if low or high < 1 else values


def _triangular(low: float, mode: float, high: float, u: np.ndarray) -> np.ndarray:
    if high == low:
        return np.full(len(u), low)
    split = (mode - low) / (high - low)
    rising = low + np.sqrt(u * (high - low) * (mode - low))
    falling = high - np.sqrt((1 - u) * (high - low) * (high - mode))
    return np.where(u < split, rising, falling)


def _choice(draw: ChoiceDraw, u: np.ndarray) -> np.ndarray:
    weights = np.array(draw.weights or [1.0] * len(draw.values))
    edges = np.cumsum(weights)
    chosen = np.searchsorted(edges, u * edges[-1], side="right")
    dtype = object if isinstance(draw.values[0], str) else np.float64
    # The last value with a weight takes what rounding puts beyond the end.
    last = np.flatnonzero(weights)[-1]
    return np.array(draw.values, dtype)[np.minimum(chosen, last)]
