"""How many touches to expect, before anything is detected."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.edges.touch.arrays import AXON, SOMA, Cells, Shapes, TouchRules
from pipeline.edges.touch.geometry import to_world
from pipeline.kernels import kernel

VOXEL = 50.0
"""um. Densities change little within it; a finer grid would correlate an axon with its own cell."""


class Expected(NamedTuple):
    """An estimate for all presynaptic cells.

    Attributes:
        approaches: Places where an axon passes a dendrite within reach.
        targets: Segments that the index would hold.
        axon_segments: Segments to be searched for.
    """

    approaches: float
    targets: int
    axon_segments: int


def expected_touches(shapes: Shapes, cells: Cells, rules: TouchRules) -> Expected:
    """Estimates touches from densities of length in voxels.

    Straight fibres of isotropic directions come nearer than R in (pi/2) R La Ld / V places (La, Ld:
    their lengths in the volume V). R is the mean sum of radii and spine length, weighted by length.
    Somata, touch rules, the soma filter and several boutons along one fibre are left out; the full
    column of bench/touch.py has 6.0e8 approaches, and about 7.2e8 touches by a sample of 200 axons.
    """
    sizes = np.diff(shapes.first)[cells.morphology]
    low, high = cells.position.min(axis=0) - 2000.0, cells.position.max(axis=0) + 2000.0
    counts = np.ceil((high - low) / VOXEL).astype(np.int64)
    lengths = np.zeros((2, int(counts.prod())), np.float32)
    sums = _accumulate(
        shapes.first, shapes.start, shapes.end, shapes.radius, shapes.kind, shapes.length,
        cells.morphology, cells.position, cells.rotation, cells.mtype, rules.spine_length,
        low, counts, lengths,
    )  # fmt: skip
    reach = sum(total / max(length, 1e-9) for total, length in sums)
    product = float(np.dot(lengths[0].astype(np.float64), lengths[1].astype(np.float64)))
    axon = np.bincount(
        np.repeat(np.arange(len(shapes.names)), np.diff(shapes.first)), weights=shapes.kind == AXON,
        minlength=len(shapes.names),
    )[cells.morphology].sum()  # fmt: skip
    return Expected(np.pi / 2 * reach * product / VOXEL**3, int(sizes.sum() - axon), int(axon))


@kernel()
def _accumulate(
    first, start, end, radius, kind, length, morphology, position, rotation, mtype, spine,
    low, counts, lengths,
):  # fmt: skip
    """Adds lengths of axons (row 0) and dendrites (row 1); sums reach times length, and length."""
    sums = np.zeros((2, 2))
    for cell in range(len(morphology)):
        extra = spine[mtype[cell]]
        for k in range(first[morphology[cell]], first[morphology[cell] + 1]):
            if kind[k] == SOMA:
                continue
            a, b = start[k], end[k]
            x, y, z = to_world(
                rotation[cell], position[cell],
                (a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2,
            )  # fmt: skip
            ix, iy, iz = (
                np.int64((x - low[0]) / VOXEL), np.int64((y - low[1]) / VOXEL),
                np.int64((z - low[2]) / VOXEL),
            )  # fmt: skip
            side = 0 if kind[k] == AXON else 1
            sums[side, 0] += length[k] * (radius[k] + (extra if side else 0.0))
            sums[side, 1] += length[k]
            if 0 <= ix < counts[0] and 0 <= iy < counts[1] and 0 <= iz < counts[2]:
                lengths[side, (ix * counts[1] + iy) * counts[2] + iz] += length[k]
    return sums
