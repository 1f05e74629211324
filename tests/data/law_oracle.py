"""The laws in NumPy, written apart from their files: what kernels are compared with."""

from __future__ import annotations

import numpy as np

from pipeline.config.law import MOST
from pipeline.config.laws import LAWS
from pipeline.edges.rules.laws import Law


def _folded(angle, limit):
    return np.where(angle > limit, 180 - angle, angle)


ORACLE = {
    "gaussian": lambda d, angle, q: np.exp(-((d / q[0]) ** 2)),
    "exponential": lambda d, angle, q: np.exp(-d / q[0]),
    "linear": lambda d, angle, q: np.clip(1 - d / q[0], 0, None),
    "box": lambda d, angle, q: (q[0] <= d) & (d <= q[1]),
    "tuning": lambda d, angle, q: q[0] + q[1] * np.minimum(angle, 180 - angle),
    "tuning_bell": lambda d, angle, q: (
        q[1] + (1 - q[1]) * np.exp(-((_folded(angle, q[2]) / q[0]) ** 2))
    ),
    "logistic": lambda d, angle, q: (
        1 / (1 + np.exp(-(q[0] + q[1] * d + q[2] * _folded(angle, q[3]))))
    ),
}
"""Factor of distance (um), angle (0..180 degrees) and parameters, by law."""


def _plain(kind, d, angle, knots, q) -> np.ndarray:
    """A law nobody wrote in NumPy: its own function by the interpreter, pair by pair."""
    given = {"distance": d, "square": d**2, "angle": angle}
    columns = [given[name] for name in kind.looks if name != "knots"]
    fixed = [knots] if "knots" in kind.looks else []
    rows = zip(*columns, *q[: kind.count], strict=True)
    n = len(columns)
    return np.array([kind.value(*map(float, r[:n]), *fixed, *map(float, r[n:])) for r in rows])


def pair_probabilities(
    law: Law, cs: np.ndarray, ct: np.ndarray, offset: np.ndarray, angle: np.ndarray
) -> np.ndarray:
    """NumPy twin of ``pair_probability``.

    Args:
        law: The rule's law.
        cs: int64 [n]. Source classes; -1 gives probability 0.
        ct: int64 [n]. Target classes.
        offset: float64 [n, 3]. Target minus source, um.
        angle: float64 [n]. Difference of tuning angles, 0..180 degrees.

    Returns:
        float64 [n].
    """
    outside = (cs < 0) | (ct < 0)
    cs, ct = np.maximum(cs, 0), np.maximum(ct, 0)
    p = law.amplitude[cs, ct].copy()
    square = offset**2
    distances = (
        np.sqrt(square[:, 0] + square[:, 2]), np.abs(offset[:, 1]), np.sqrt(square.sum(axis=1)),
    )  # fmt: skip
    for f, code in enumerate(law.codes):
        kind, q, d = LAWS[code], law.params[cs, ct, f].T, distances[law.metrics[f]]
        with np.errstate(divide="ignore", invalid="ignore"):
            if kind.name in ORACLE:
                factor = ORACLE[kind.name](d, angle, q)
            elif kind.name == "profile":
                first, end = law.params[0, 0, f, :2].astype(int)
                factor = np.interp(d, *law.knots[first:end].T)
            else:
                factor = _plain(kind, d, angle, law.knots, q)
        p *= np.where(q[MOST] == 1, 1, factor)
    return np.where(outside, 0.0, np.minimum(p, 1.0))
