"""The soft body of Zhao et al. 2024: tetrahedra, projective dynamics, fibres, surface drag.

Elasticity after Bouaziz et al. 2014 (ACM Trans Graph 33:154): each step minimises inertia plus, per
tetrahedron, distances of the deformation gradient F to a rotation (weight 2 mu V) and to unit determinant
(weight lambda V), and of F d to (1 - a) F d for a fibre d with activation a. Lengths are in the published
arbitrary unit; the body is 0.628 long, which we take for 1 mm when positions are told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import splu

from pipeline.body.interface import MUSCLES, PER_QUADRANT, BodyState
from pipeline.body.mesh import Mesh, worm_tube
from pipeline.body.soft_kernels import local_step


@dataclass(frozen=True)
class SoftParameters:
    """Constants of Zhao et al. 2024 (published code), in its units.

    Attributes:
        length, radius: Of the generated mesh; the published one is 0.628 x 0.0399.
        mass: Of the body, split equally over vertices.
        young, poisson: Elasticity.
        muscle: Stiffness of fibres, times their weight exp(-distance / reach) above ``least``.
        reach, least: See muscle.
        depth: Distance of muscle rows from the axis over the radius (assumed; the published rows
            come from a drawing that is not used here).
        step: ms. 1000 / 240.
        iterations, tolerance: Of local and global steps; mean movement of a vertex to stop.
        keep: Share of the velocity that is kept per step.
        drag, lift: Factors on both fluid forces.
    """

    length: float = 0.628
    radius: float = 0.0194
    mass: float = 10.0
    young: float = 2e5
    poisson: float = 0.4
    muscle: float = 5e5
    reach: float = 0.005
    least: float = 0.2
    depth: float = 0.7
    step: float = 1000 / 240
    iterations: int = 50
    tolerance: float = 5e-7
    keep: float = 0.9999
    drag: float = 1.0
    lift: float = 1.0


class SoftBody:
    """A solid worm in a fluid; x from head to tail, y dorsal, z left.

    Args:
        parameters: Constants.
        mesh: A mesh in that frame; default: the generated tube.
    """

    def __init__(self, parameters: SoftParameters | None = None, mesh: Mesh | None = None):
        self.parameters = p = parameters or SoftParameters()
        self.mesh = mesh = mesh or worm_tube(p.length, p.radius)
        self.x, self.v = mesh.vertices.copy(), np.zeros_like(mesh.vertices)
        self.time, self._left = 0.0, 0.0
        self.mass = p.mass / len(self.x)
        corners = mesh.vertices[mesh.tets]
        edges = np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2)
        inverse = np.linalg.inv(edges)
        # Row k of a gradient says how F changes with vertex k; F = sum of x_k g_k'.
        self.gradients = np.concatenate([-inverse.sum(1, keepdims=True), inverse], 1)
        volume = mesh.volumes()
        self.rotation_weight = volume * p.young / (1 + p.poisson)
        self.volume_weight = volume * p.young * p.poisson
        self.volume_weight /= (1 + p.poisson) * (1 - 2 * p.poisson)
        self.units, self.fibre_weight = muscle_rows(mesh, p)
        self.fibre_weight = self.fibre_weight * volume * p.muscle
        self.turns = np.tile([0.0, 0.0, 0.0, 1.0], (len(mesh.tets), 1))
        self._solve = self._factor()

    def _factor(self):
        """Factors inertia + elasticity once; one scalar system serves x, y and z."""
        h = self.parameters.step / 1000
        weight = (self.rotation_weight + self.volume_weight)[:, None, None]
        along = self.gradients[:, :, 0]  # fibres lie along the body
        blocks = weight * np.einsum("tki,tli->tkl", self.gradients, self.gradients)
        blocks += self.fibre_weight[:, None, None] * along[:, :, None] * along[:, None, :]
        tets, n = self.mesh.tets, len(self.x)
        rows, columns = np.repeat(tets, 4, 1).ravel(), np.tile(tets, (1, 4)).ravel()
        matrix = coo_matrix((blocks.ravel(), (rows, columns)), (n, n))
        return splu((matrix + diags(np.full(n, self.mass / h**2))).tocsc()).solve

    def advance(self, activation: np.ndarray, duration: float) -> None:
        """Moves on with float64 [96] activations for a duration (ms); whole steps, rest kept."""
        activation = np.clip(np.asarray(activation, float), 0.0, 1.0)
        if activation.shape != (len(MUSCLES),):
            raise ValueError(f"expected 96 muscle activations, found shape {activation.shape}")
        active = np.where(self.units >= 0, activation[self.units], 0.0)
        self._left += duration
        while self._left >= self.parameters.step - 1e-9:
            self._left -= self.parameters.step
            self._step(active)

    def _step(self, active: np.ndarray) -> None:
        p, h = self.parameters, self.parameters.step / 1000
        force = self.fluid_force()
        guess = self.x + h * self.v + h**2 * force / self.mass
        x, inertia = guess.copy(), self.mass / h**2 * guess
        for _ in range(p.iterations):
            right = local_step(
                x, self.mesh.tets, self.gradients, self.rotation_weight, self.volume_weight,
                self.fibre_weight, active, self.turns,
            )  # fmt: skip
            new = self._solve(inertia + right)
            moved = np.linalg.norm(new - x) / len(x)
            x = new
            if moved < p.tolerance:
                break
        self.v = p.keep * (x - self.x) / h
        self.x = x
        self.time += p.step

    def fluid_force(self) -> np.ndarray:
        """Returns float64 [vertices, 3], the published force of the fluid, a third per corner."""
        faces = self.mesh.surface
        corner, force = self.x[faces], np.zeros_like(self.x)
        area = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        p = self.parameters
        each = face_force(area, self.v[faces].mean(1), p.drag, p.lift) / 3
        for k in range(3):
            np.add.at(force, faces[:, k], each)
        return force

    def rings(self) -> np.ndarray:
        """Returns int64 [vertices]: number of the midline point (of 49) each vertex belongs to."""
        place = self.mesh.vertices[:, 0]
        return np.round(48 * (place - place.min()) / np.ptp(place)).astype(int)

    def state(self) -> BodyState:
        """Returns 49 midline points in um, um/ms; forces in the published unit."""
        ring, scale = self.rings(), 1000.0 / self.parameters.length
        count = np.bincount(ring, minlength=49)
        used = np.flatnonzero(count)

        def total(values: np.ndarray) -> np.ndarray:
            return np.stack([np.bincount(ring, column, 49) for column in values.T], 1)

        def mean(values: np.ndarray) -> np.ndarray:
            found = total(values)[used] / count[used, None]
            return np.stack([np.interp(np.arange(49), used, column) for column in found.T], 1)

        middle, speed = mean(self.x), mean(self.v)
        return BodyState(self.time, middle * scale, speed * scale / 1e3, total(self.fluid_force()))

    def stretch(self) -> np.ndarray:
        """Returns float64 [96]: mean relative stretch of each unit's fibres."""
        fibre = np.einsum("tki,tk->ti", self.x[self.mesh.tets], self.gradients[:, :, 0])
        used = self.units >= 0
        stretch = np.linalg.norm(fibre[used], axis=1) - 1
        count = np.bincount(self.units[used], minlength=96)
        return np.bincount(self.units[used], stretch, 96) / np.maximum(count, 1)


def muscle_rows(mesh: Mesh, p: SoftParameters) -> tuple[np.ndarray, np.ndarray]:
    """Gives tetrahedra near the four muscle rows their unit.

    Returns:
        Unit int64 [tets] (-1: none) in the order of ``MUSCLES``, and weight float64 [tets].
    """
    centre = mesh.vertices[mesh.tets].mean(1)
    reach = np.ptp(mesh.vertices[:, 0])
    place = (centre[:, 0] - mesh.vertices[:, 0].min()) / reach
    profile = p.radius * np.sqrt(np.maximum(1 - (2 * place - 1) ** 2, 0))
    corner = p.depth * profile / np.sqrt(2)
    # DR, VR, DL, VL: y is dorsal, z is left.
    rows = [(1, -1), (-1, -1), (1, 1), (-1, 1)]
    distance = np.stack(
        [np.hypot(centre[:, 1] - y * corner, centre[:, 2] - z * corner) for y, z in rows]
    )
    weight = np.exp(-distance.min(0) / p.reach)
    piece = np.minimum((place * PER_QUADRANT).astype(int), PER_QUADRANT - 1)
    unit = distance.argmin(0) * PER_QUADRANT + piece
    near = weight > p.least
    return np.where(near, unit, -1), np.where(near, weight, 0.0)


def face_force(
    area: np.ndarray, velocity: np.ndarray, drag: float = 1.0, lift: float = 1.0
) -> np.ndarray:
    """Returns the published fluid force on triangles that move outwards (inertial, speed squared).

    Args:
        area: float64 [s, 3]. Cross product of two edges: normal times twice the area.
        velocity: float64 [s, 3].
        drag, lift: Factors.

    Returns:
        float64 [s, 3]; each part at most 1000.
    """
    size = np.linalg.norm(area, axis=1)
    speed = np.linalg.norm(velocity, axis=1)
    normal = area / np.maximum(size, 1e-300)[:, None]
    against = -velocity / np.maximum(speed, 1e-300)[:, None]
    cosine = np.einsum("ij,ij->i", -normal, against)
    outwards = (cosine > 0) & (speed > 0)
    attack = np.degrees(np.pi / 2 - np.arccos(np.clip(cosine, -1, 1)))
    pressure = np.where(outwards, 0.5 * 1000 * size / 2 * speed**2, 0.0)
    pull = np.minimum(pressure * 0.5 * (1 - np.cos(2 * np.radians(attack))), 1e3)
    curve = np.interp(attack, (-90, -10, -5, 15, 90), (-0.5, -1.26, 0, 1.8, 0.5))
    push = np.clip(np.where(attack > 85, 0.0, curve) * pressure, -1e3, 1e3)
    side = -normal - cosine[:, None] * against
    side = side / np.maximum(np.linalg.norm(side, axis=1), 1e-12)[:, None]
    return drag * pull[:, None] * against + lift * push[:, None] * side
