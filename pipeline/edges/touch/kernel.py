"""The geometry of one axon segment against one target segment: where, and how near.

Definition. A point on the axis of an axon segment *touches* a target segment when its distance to
the target's axis is at most r_pre + reach, with reach = r_post + spine length of the target's
m-type (a float32 sum): the surfaces are no farther apart than the spine length. That set is the
intersection of a line with a capsule, hence one interval, and is found in closed form: the hull of
its intersections with the two end spheres and the cylinder between them. It is decided in float64
from float32 coordinates; against exact arithmetic only cases within 1e-6 um of the threshold may
fall either way (lengths up to 1 mm).

``sift`` goes before it: a float32 test, 16 segments at a time, that lets through everything the
definition accepts and little else. It compares the distance of the infinite axon line, and the
extent along it, both with a margin above the rounding error.
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.kernels import kernel

LANES = 16
"""``sift`` is fastest on multiples of this; arrays it scans are readable so far past their end."""

_PARALLEL = 1e-20
"""Squared sine of the angle below which two axes count as parallel; over 1 mm that is 1e-7 um."""


@kernel(error_model="numpy", fastmath={"contract", "nsz"})
def sift(segments, low, high, axon, flags, at):
    """Flags target segments that may touch an axon segment; never misses one.

    Args:
        segments: float32 [7, n], rows x, y, z of the start, of the end, and the reach, um.
        low, high: Columns to test.
        axon: Eight float32: start, unit direction, length, radius plus margin.
        flags: uint8, from ``at`` on is set to 1 where the segment may touch, else 0.
        at: Place of the first flag.
    """
    ax, ay, az, dx, dy, dz, length, wide = axon
    zero, one, tiny = np.float32(0), np.float32(1), np.float32(1e-12)
    begin, shift = np.uint64(low), np.uint64(at)
    for i in range(
        begin, np.uint64(high)
    ):  # unsigned: no test for negative indices, so it vectorises
        px, py, pz = segments[0, i] - ax, segments[1, i] - ay, segments[2, i] - az
        qx, qy, qz = segments[3, i] - ax, segments[4, i] - ay, segments[5, i] - az
        p, q = px * dx + py * dy + pz * dz, qx * dx + qy * dy + qz * dz
        px, py, pz = px - p * dx, py - p * dy, pz - p * dz
        ex, ey, ez = qx - q * dx - px, qy - q * dy - py, qz - q * dz - pz
        t = -(px * ex + py * ey + pz * ez) / (ex * ex + ey * ey + ez * ez + tiny)
        t = min(max(t, zero), one)
        cx, cy, cz = px + t * ex, py + t * ey, pz + t * ez
        r = segments[6, i] + wide
        near = cx * cx + cy * cy + cz * cz <= r * r
        flags[i - begin + shift] = near & (min(p, q) <= length + r) & (max(p, q) >= -r)


@kernel(inline="always")
def sphere_interval(px, py, pz, dx, dy, dz, square):
    """Where the line s d comes within sqrt(square) of a point: low, high; inf, -inf if nowhere."""
    b = px * dx + py * dy + pz * dz
    cx, cy, cz = px - b * dx, py - b * dy, pz - b * dz
    h = square - (cx * cx + cy * cy + cz * cz)
    root = math.sqrt(max(h, 0.0))
    return (b - root if h >= 0.0 else np.inf), (b + root if h >= 0.0 else -np.inf)


@kernel(inline="always")
def cylinder_interval(px, py, pz, ex, ey, ez, dx, dy, dz, square):
    """Where the line s d runs inside the open-ended cylinder from p to p + e, as above."""
    size = math.sqrt(ex * ex + ey * ey + ez * ez)
    inverse = 1.0 / size if size > 0.0 else 0.0
    ex, ey, ez = ex * inverse, ey * inverse, ez * inverse
    m, w = dx * ex + dy * ey + dz * ez, px * ex + py * ey + pz * ez
    ux, uy, uz = dx - m * ex, dy - m * ey, dz - m * ez
    vx, vy, vz = px - w * ex, py - w * ey, pz - w * ez
    a = ux * ux + uy * uy + uz * uz
    parallel = a < _PARALLEL
    a = 1.0 if parallel else a
    s = 0.0 if parallel else (ux * vx + uy * vy + uz * vz) / a
    cx, cy, cz = vx - s * ux, vy - s * uy, vz - s * uz
    h = square - (cx * cx + cy * cy + cz * cz)
    root = np.inf if parallel else math.sqrt(max(h, 0.0) / a)
    level = m == 0.0
    divisor = 1.0 if level else m
    s1, s2 = w / divisor, (w + size) / divisor
    between = (w <= 0.0) & (w + size >= 0.0)
    low = (-np.inf if between else np.inf) if level else min(s1, s2)
    high = (np.inf if between else -np.inf) if level else max(s1, s2)
    low, high = max(low, s - root), min(high, s + root)
    inside = (h >= 0.0) & (low <= high) & (size > 0.0)
    return (low if inside else np.inf), (high if inside else -np.inf)


@kernel(inline="always")
def overlap(px, py, pz, qx, qy, qz, dx, dy, dz, length, reach):
    """Interval of an axon segment's axis that touches a target segment.

    Args:
        px, py, pz, qx, qy, qz: Ends of the target segment as seen from the axon segment's start.
        dx, dy, dz: Unit direction of the axon segment; zero if it has no length.
        length: Length of the axon segment, um.
        reach: r_pre + r_post + spine length, um.

    Returns:
        Low and high in 0..length; low > high if there is none.
    """
    square = reach * reach
    low1, high1 = sphere_interval(px, py, pz, dx, dy, dz, square)
    low2, high2 = sphere_interval(qx, qy, qz, dx, dy, dz, square)
    low3, high3 = cylinder_interval(
        px, py, pz, qx - px, qy - py, qz - pz, dx, dy, dz, square
    )  # fmt: skip
    low, high = min(low1, low2, low3), max(high1, high2, high3)
    return max(low, 0.0), min(high, length)


@kernel(error_model="numpy")
def overlaps(segments, hits, n, x, y, z, dx, dy, dz, length, radius, bounds):
    """``overlap`` of one axon segment with many target segments; compiles to vector code.

    Args:
        segments: float32 [7, .], as for ``sift``.
        hits: uint64 [n or more], columns of ``segments``.
        n: Number of hits.
        x, y, z: Start of the axon segment, um.
        dx, dy, dz, length: As for ``overlap``.
        radius: r_pre, um.
        bounds: float64 [2, n or more], is set to low and high.
    """
    for k in range(np.uint64(n)):
        i = hits[k]
        low, high = overlap(
            segments[0, i] - x, segments[1, i] - y, segments[2, i] - z,
            segments[3, i] - x, segments[4, i] - y, segments[5, i] - z,
            dx, dy, dz, length, radius + segments[6, i],
        )  # fmt: skip
        bounds[0, k], bounds[1, k] = low, high


@kernel()
def nearest_on(px, py, pz, qx, qy, qz, x, y, z):
    """Distance of a point to a segment, and how far along the segment its nearest point is, um.

    Beyond an end the end itself counts, so that neighbours that share it tie exactly.
    """
    ex, ey, ez = qx - px, qy - py, qz - pz
    vx, vy, vz = x - px, y - py, z - pz
    size = math.sqrt(ex * ex + ey * ey + ez * ez)
    along = (vx * ex + vy * ey + vz * ez) / size if size > 0.0 else 0.0
    if along <= 0.0:
        along = 0.0
    elif along >= size:
        along, vx, vy, vz = size, x - qx, y - qy, z - qz
    else:
        t = along / size
        vx, vy, vz = vx - t * ex, vy - t * ey, vz - t * ez
    return math.sqrt(vx * vx + vy * vy + vz * vz), along
