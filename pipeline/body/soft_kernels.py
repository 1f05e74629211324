"""Compiled inner loop of the soft body: projections of every tetrahedron and their right sides."""

from __future__ import annotations

import numpy as np

from pipeline.kernels import kernel


@kernel()
def cofactor(m, out):
    """Writes the cofactor matrix of a 3 x 3 matrix, the gradient of its determinant."""
    for i in range(3):
        a, b = (i + 1) % 3, (i + 2) % 3
        for j in range(3):
            c, d = (j + 1) % 3, (j + 2) % 3
            out[i, j] = m[a, c] * m[b, d] - m[a, d] * m[b, c]


@kernel()
def to_matrix(q, out):
    """Writes the rotation of a unit quaternion (x, y, z, w)."""
    x, y, z, w = q
    out[0, 0], out[0, 1], out[0, 2] = (
        1 - 2 * (y * y + z * z),
        2 * (x * y - z * w),
        2 * (x * z + y * w),
    )
    out[1, 0], out[1, 1], out[1, 2] = (
        2 * (x * y + z * w),
        1 - 2 * (x * x + z * z),
        2 * (y * z - x * w),
    )
    out[2, 0], out[2, 1], out[2, 2] = (
        2 * (x * z - y * w),
        2 * (y * z + x * w),
        1 - 2 * (x * x + y * y),
    )


@kernel()
def turn_to(f, q, out, steps):
    """Moves a quaternion to the rotation nearest to ``f`` (Mueller et al. 2016, MIG'16)."""
    for _ in range(steps):
        to_matrix(q, out)
        wx = wy = wz = scale = 0.0
        for j in range(3):
            r0, r1, r2 = out[0, j], out[1, j], out[2, j]
            wx += r1 * f[2, j] - r2 * f[1, j]
            wy += r2 * f[0, j] - r0 * f[2, j]
            wz += r0 * f[1, j] - r1 * f[0, j]
            scale += r0 * f[0, j] + r1 * f[1, j] + r2 * f[2, j]
        scale = 1.0 / (abs(scale) + 1e-9)
        wx, wy, wz = wx * scale, wy * scale, wz * scale
        angle = np.sqrt(wx * wx + wy * wy + wz * wz)
        if angle < 1e-10:
            break
        s, c = np.sin(angle / 2) / angle, np.cos(angle / 2)
        ax, ay, az = wx * s, wy * s, wz * s
        x, y, z, w = q[0], q[1], q[2], q[3]
        q[0] = c * x + ax * w + ay * z - az * y
        q[1] = c * y + ay * w + az * x - ax * z
        q[2] = c * z + az * w + ax * y - ay * x
        q[3] = c * w - ax * x - ay * y - az * z
        size = np.sqrt(q[0] ** 2 + q[1] ** 2 + q[2] ** 2 + q[3] ** 2)
        for k in range(4):
            q[k] /= size
    to_matrix(q, out)


@kernel()
def to_unit_volume(f, out, work, steps):
    """Writes the matrix with determinant 1 nearest to ``f`` (Newton steps, Bouaziz et al. 2014)."""
    out[:] = f
    for _ in range(steps):
        cofactor(out, work)
        determinant = out[0, 0] * work[0, 0] + out[0, 1] * work[0, 1] + out[0, 2] * work[0, 2]
        along, square = 0.0, 1e-12
        for i in range(3):
            for j in range(3):
                along += work[i, j] * (out[i, j] - f[i, j])
                square += work[i, j] ** 2
        factor = (along - (determinant - 1.0)) / square
        for i in range(3):
            for j in range(3):
                out[i, j] = f[i, j] + factor * work[i, j]


@kernel()
def local_step(x, tets, gradients, rotation, volume, fibre, active, turns):
    """Projects every tetrahedron and sums the right sides.

    Args:
        x: float64 [vertices, 3].
        tets, gradients: int64 [m, 4] and float64 [m, 4, 3].
        rotation, volume, fibre: float64 [m]. Weights.
        active: float64 [m]. Activation of each fibre (along the rest x axis).
        turns: float64 [m, 4]. Rotations of the last call, updated.

    Returns:
        float64 [vertices, 3].
    """
    right = np.zeros_like(x)
    f, r, p, work = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    for t in range(len(tets)):
        f[:] = 0.0
        for k in range(4):
            for i in range(3):
                for j in range(3):
                    f[i, j] += x[tets[t, k], i] * gradients[t, k, j]
        turn_to(f, turns[t], r, 10)
        to_unit_volume(f, p, work, 5)
        for i in range(3):
            for j in range(3):
                work[i, j] = rotation[t] * r[i, j] + volume[t] * p[i, j]
            work[i, 0] += fibre[t] * (1.0 - active[t]) * f[i, 0]
        for k in range(4):
            for i in range(3):
                for j in range(3):
                    right[tets[t, k], i] += work[i, j] * gradients[t, k, j]
    return right
