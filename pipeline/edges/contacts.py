"""Contacts on neurites from counts per pair: where two cells touch, drawn by distance.

The algorithm of Zhao et al. 2024 (Nat Comput Sci 4:978): each contact draws a distance from an inverse
Gaussian and takes the free pair of places whose distance is nearest to it. Two deviations, both for
determinism and physics: random streams belong to the pair, not to the loop; and a gap junction is
placed once per unordered pair, so that both halves share place and conductance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.config.schema import Constant, ContactCount, InverseGaussian, LogUniform
from pipeline.runtime import rng_for

CHEMICAL, GAP = 0, 1


@dataclass(frozen=True)
class Placement:
    """Contacts of one ordered pair.

    Attributes:
        kind: int8 [n], 0 chemical, 1 gap junction.
        pre: int32 [n], place on the source cell.
        post: int32 [n], place on the target cell.
        distance: float64 [n], um, between the two places.
    """

    kind: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    distance: np.ndarray


def contact_count(count: np.ndarray, law: ContactCount) -> np.ndarray:
    """Contacts per pair from the connectome's counts: int64 [n]; zero stays zero."""
    count = np.asarray(count, np.float64)
    if law.scale_inside:
        raw = law.a * np.tanh(law.b * count * law.scale)
    else:
        raw = law.a * np.tanh(law.b * count) * law.scale
    return np.where(count > 0, np.maximum(law.minimum, np.round(raw)), 0).astype(np.int64)


def draw_distances(law: InverseGaussian, rng: np.random.Generator, n: int) -> np.ndarray:
    """Inverse-Gaussian distances: float64 [n], um (SciPy's invgauss(mu, scale=scale))."""
    return law.scale * rng.wald(law.mu, 1.0, n)


def place_pair(
    distances: np.ndarray,
    wanted: np.ndarray,
    kinds: np.ndarray,
    tolerance: float,
) -> Placement:
    """Assigns wanted distances to places, one contact per row and column.

    Args:
        distances: float64 [pre places, post places], um.
        wanted: float64 [n], um; in the order of placing.
        kinds: int8 [n].
        tolerance: Largest accepted |distance - wanted|, um; others are dropped.

    Returns:
        The accepted contacts in the order of placing.
    """
    free = distances.copy()
    rows, columns, kept = [], [], []
    for index, want in enumerate(wanted):
        flat = int(np.argmin(np.abs(free - want)))
        row, column = divmod(flat, free.shape[1])
        if not abs(free[row, column] - want) <= tolerance:
            continue
        rows.append(row)
        columns.append(column)
        kept.append(index)
        free[row, :] = np.inf
        free[:, column] = np.inf
    pre, post = np.array(rows, np.int32), np.array(columns, np.int32)
    return Placement(np.asarray(kinds, np.int8)[kept], pre, post, distances[pre, post])


def order_of_kinds(n_chemical: int, n_gap: int, gap_first: float, draws: np.ndarray) -> np.ndarray:
    """Order in which chemical contacts and gaps are placed: int8 [n_chemical + n_gap].

    While both remain a gap comes next with probability ``gap_first``.

    Args:
        n_chemical: Contacts to place.
        n_gap: Gap junctions to place.
        gap_first: Probability.
        draws: float64 [n_chemical + n_gap], uniform in [0, 1).
    """
    order = np.empty(n_chemical + n_gap, np.int8)
    for index, draw in enumerate(draws):
        gap = n_gap > 0 and (n_chemical == 0 or draw < gap_first)
        order[index] = GAP if gap else CHEMICAL
        n_gap -= gap
        n_chemical -= not gap
    return order


def draw_values(law: Constant | LogUniform, rng: np.random.Generator, n: int) -> np.ndarray:
    """Draws n values from a distribution of the config: float64 [n]."""
    if isinstance(law, Constant):
        return np.full(n, law.value)
    return np.exp(rng.uniform(np.log(law.low), np.log(law.high), n))


def pair_streams(seed: int, pre: int, post: int) -> dict[str, np.random.Generator]:
    """Independent streams of one ordered pair, keyed by stable cell keys."""
    return {
        name: rng_for(seed, f"contacts/{name}", pre, post)
        for name in ("order", "distance", "gap", "weight", "sign", "conductance")
    }
