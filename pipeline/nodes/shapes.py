"""Where cells may lie: each shape turns uniform numbers into positions, uniform in its volume.

Axis y points up, the pia lies at y = 0, so depth d is y = -d. Lengths in um unless said otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Column:
    """Upright solid between two depths; base of cylinder, box and hexagon.

    Attributes:
        top: Depth of the upper face, um.
        bottom: Depth of the lower face, um.
        centre: x and z of the axis, um.
    """

    top: float
    bottom: float
    centre: tuple[float, float]

    def area(self) -> float:
        """Returns the cross-section, um2."""
        raise NotImplementedError

    def size(self) -> float:
        """Returns the volume, um3."""
        return self.area() * (self.bottom - self.top)

    def flat(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns x and z, float64 [n], from uniforms [n, 4]; words 0, 1 and 3 are free."""
        raise NotImplementedError

    def shrunk(self, factor: float) -> Column:
        """Returns the same form with its cross-section smaller by a factor."""
        raise NotImplementedError

    def positions(self, u: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Returns float64 [n, 3] from uniforms [n, 4]; the index of the cells does not matter."""
        x, z = self.flat(u)
        y = -(self.top + u[:, 2] * (self.bottom - self.top))
        return np.column_stack((x + self.centre[0], y, z + self.centre[1]))


@dataclass(frozen=True)
class CylinderShape(Column):
    """Annulus about the axis; r_min 0 makes it a cylinder."""

    r_min: float
    r_max: float

    def area(self) -> float:
        return math.pi * (self.r_max**2 - self.r_min**2)

    def flat(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # r as published: sqrt(U (R2^2 - R1^2) + R1^2), phi uniform (Billeh et al. 2020).
        r = np.sqrt(u[:, 0] * (self.r_max**2 - self.r_min**2) + self.r_min**2)
        phi = 2 * np.pi * u[:, 1]
        return r * np.cos(phi), r * np.sin(phi)

    def shrunk(self, factor: float) -> CylinderShape:
        side = math.sqrt(factor)
        return replace(self, r_min=self.r_min * side, r_max=self.r_max * side)


@dataclass(frozen=True)
class BoxShape(Column):
    """Box with sides along the axes."""

    width: float
    length: float

    def area(self) -> float:
        return self.width * self.length

    def flat(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (u[:, 0] - 0.5) * self.width, (u[:, 1] - 0.5) * self.length

    def shrunk(self, factor: float) -> BoxShape:
        side = math.sqrt(factor)
        return replace(self, width=self.width * side, length=self.length * side)


@dataclass(frozen=True)
class HexagonShape(Column):
    """Regular hexagon with two corners on the x axis."""

    side: float

    def area(self) -> float:
        return 1.5 * math.sqrt(3.0) * self.side**2

    def flat(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Three rhombs tile a hexagon: pick one, then a point of it; no rejection needed.
        third = np.minimum((u[:, 3] * 3).astype(np.int64), 2)
        angle = 2 * np.pi / 3 * np.stack((third, third + 1))
        x, z = (f(angle[0]) * u[:, 0] + f(angle[1]) * u[:, 1] for f in (np.cos, np.sin))
        return self.side * x, self.side * z

    def shrunk(self, factor: float) -> HexagonShape:
        return replace(self, side=self.side * math.sqrt(factor))


@dataclass(frozen=True)
class VoxelShape:
    """Voxels with their densities.

    Attributes:
        corners: float64 [n, 3]. Lowest corner of each voxel with cells, um.
        step: float64 [3]. Sides of a voxel, um; negative where an axis runs backwards.
        weights: float64 [n]. Density of each voxel, cells per mm3 or any unit.
    """

    corners: np.ndarray
    step: np.ndarray
    weights: np.ndarray

    def cells(self) -> float:
        """Returns the number of cells when densities are cells per mm3."""
        return float(self.weights.sum() * abs(self.step.prod()) * 1e-9)

    def size(self) -> float:
        """Returns the volume of the voxels that may hold cells, um3."""
        return float(len(self.weights) * abs(self.step.prod()))

    def positions(self, u: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Returns float64 [n, 3] from uniforms [n, 4]: a voxel by density, then a point of it."""
        edges = np.cumsum(self.weights)
        voxel = np.searchsorted(edges, u[:, 3] * edges[-1], side="right")
        return self.corners[np.minimum(voxel, len(edges) - 1)] + u[:, :3] * self.step


@dataclass(frozen=True)
class TileShape:
    """Tiles of the visual field, degrees; the same number of cells in each, tile by tile.

    Attributes:
        columns: Tiles along x.
        rows: Tiles along y.
        step: Width and height of a tile, degrees.
        total: Cells of the type in all tiles.
    """

    columns: int
    rows: int
    step: tuple[float, float]
    total: int

    def size(self) -> float:
        """Returns the area, square degrees."""
        return self.columns * self.rows * self.step[0] * self.step[1]

    def positions(self, u: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Returns float64 [n, 2], degrees: uniform inside the tile of each cell.

        Cells fill tiles in order, column by column; when their number is no multiple of the tiles
        (scaled down) they are spread over the tiles as evenly as can be.
        """
        tiles = self.columns * self.rows
        tile = index * tiles // max(self.total, 1)
        corner = np.column_stack((tile // self.rows, tile % self.rows))
        return (corner + u[:, :2]) * np.array(self.step)
