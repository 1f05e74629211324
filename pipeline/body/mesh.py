"""Tetrahedral meshes of a worm: a structured tube made here, or a Medit file of the user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import CircuitError, Problem


@dataclass(frozen=True)
class Mesh:
    """A solid.

    Attributes:
        vertices: float64 [n, 3]. The generated tube: x from head (0) to tail, y dorsal, z left.
        tets: int64 [m, 4], positive volume.
        surface: int64 [s, 3], normals outwards.
    """

    vertices: np.ndarray
    tets: np.ndarray
    surface: np.ndarray

    def volumes(self) -> np.ndarray:
        """Returns float64 [m]."""
        a, b, c, d = (self.vertices[self.tets[:, k]] for k in range(4))
        return np.einsum("ij,ij->i", np.cross(b - a, c - a), d - a) / 6


def worm_tube(length: float, radius: float, rings: int = 49, sectors: int = 12) -> Mesh:
    """Makes a tube of elliptic profile from rings of triangles (ours; no outside mesher).

    Each ring has a centre and ``sectors`` points; the prisms between rings are cut in three so that
    neighbours share their diagonals: each cut starts at the smallest vertex number.

    Args:
        length, radius: Any unit.
        rings, sectors: Resolution.
    """
    place = (np.arange(rings) - (rings - 1) / 2) / ((rings - 1) / 2 + 0.2)
    radii = radius * np.sqrt(1 - place**2)
    angle = 2 * np.pi * np.arange(sectors) / sectors
    x = np.linspace(0, length, rings)
    rim = radii[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    points = np.zeros((rings, sectors + 1, 3))
    points[:, :, 0] = x[:, None]
    points[:, 1:, 1:] = rim
    tets = []
    for ring in range(rings - 1):
        for s in range(sectors):
            near = [0, 1 + s, 1 + (s + 1) % sectors]
            base = ring * (sectors + 1)
            tets += _cut([base + v for v in near], [base + sectors + 1 + v for v in near])
    vertices, tets = points.reshape(-1, 3), np.array(tets)
    flip = Mesh(vertices, tets, np.empty((0, 3), int)).volumes() < 0
    tets[flip] = tets[flip][:, [1, 0, 2, 3]]
    return Mesh(vertices, tets, surface_of(tets))


def _cut(near: list[int], far: list[int]) -> list[list[int]]:
    """Cuts a prism in three tetrahedra; the diagonal of a side starts at its smallest number."""
    order = np.argsort(near)
    a, b, c = (near[i] for i in order)
    d, e, f = (far[i] for i in order)
    return [[a, b, c, f], [a, b, f, e], [a, e, f, d]]


def surface_of(tets: np.ndarray) -> np.ndarray:
    """Returns the faces that belong to one tetrahedron only, int64 [s, 3], outwards."""
    faces = np.concatenate([tets[:, f] for f in ([0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3])])
    _, first, count = np.unique(np.sort(faces, 1), axis=0, return_index=True, return_counts=True)
    return faces[np.sort(first[count == 1])]


def read_medit(path: Path) -> Mesh:
    """Reads vertices and tetrahedra of a Medit (.mesh) text file.

    Raises:
        CircuitError: If the file has no such sections, or what they hold is no solid.
    """
    words = Path(path).read_text(encoding="utf-8", errors="replace").split()
    hint = "give a Medit text file"

    def section(name: str, width: int) -> np.ndarray:
        if name not in words:
            raise CircuitError(Problem(str(path), f"no section {name}", hint))
        start = words.index(name) + 1
        count = words[start] if start < len(words) else "nothing"
        try:
            rows = np.array(words[start + 1 : start + 1 + int(count) * width], float)
        except ValueError as error:
            raise CircuitError(Problem(str(path), f"section {name}: {error}", hint)) from None
        if not rows.size or rows.size != int(count) * width or not np.isfinite(rows).all():
            message = f"section {name} announces {count} rows of {width} numbers"
            raise CircuitError(Problem(str(path), f"{message} and does not hold them", hint))
        return rows.reshape(-1, width)

    vertices = section("Vertices", 4)[:, :3]
    numbers = section("Tetrahedra", 5)[:, :4]
    outside = (numbers < 1) | (numbers > len(vertices)) | (numbers % 1 != 0)
    if outside.any():
        row = int(np.flatnonzero(outside.any(1))[0])
        message = f"tetrahedron {row + 1} names vertices {numbers[row].tolist()}"
        raise CircuitError(Problem(str(path), message, f"write numbers from 1 to {len(vertices)}"))
    tets = numbers.astype(int) - 1
    flip = Mesh(vertices, tets, np.empty((0, 3), int)).volumes() < 0
    tets[flip] = tets[flip][:, [1, 0, 2, 3]]
    return Mesh(vertices, tets, surface_of(tets))
