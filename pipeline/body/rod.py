"""The planar rod body of Boyle, Berri & Cohen 2012 (Front Comput Neurosci 6:10), after its equations.

N segments between N + 1 rigid rods (x, y, angle). Lateral springs, diagonal struts and muscles join
neighbouring rods; drag of the medium acts on both ends of each rod; inertia is neglected.

With lengths L(q), B = dL/dq, tensions T(L) and element damping d, the motion is
    (D + B' diag(d + h k / 2) B) dq/dt = -B' T,
D the drag, k = dT/dL, h the step: the implicit midpoint rule with one Newton step, linearised at the
midpoint extrapolated from the last velocity. Linearised at the step's start (backward Euler, as is
usual) the swimming frequency is 15 % off at 10 ms; so it is 0.5 % off.
The matrix is symmetric, positive definite and has five off-diagonals. Internal forces -B'(...) do no
work on rigid motions, so net force and torque vanish to rounding whatever the step.

The published motion divides the force on both ends of a rod by the drag of one end, so the body feels
half of the stated drag (``drag_share`` 0.5); its gaits are reproduced with that and not without.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, solveh_banded

from pipeline.body.interface import BodyState, side_weights, to_sides, to_units
from pipeline.errors import SimulationError

BAND = 5


@dataclass(frozen=True)
class RodParameters:
    """Constants of the rod body; defaults are the published ones.

    Attributes:
        segments: N.
        length, radius: um. Of the body; largest radius.
        passive, passive_damping: k_PE (nN/um) and D_PE (nN ms/um) of a lateral element.
        diagonal, diagonal_damping: k_DE and D_DE.
        muscle, muscle_damping: k_AE and D_AE at full activation.
        shortest: Share by which a muscle at the widest place shortens at most.
        muscle_time: ms. Low-pass between drive and activation; 0: none.
        tangential, normal: nN ms/um. Drag of the whole straight body along and across its axis.
        drag_share: Part of that drag which the body feels; 0.5 as published, 1 as stated.
    """

    segments: int = 48
    length: float = 1000.0
    radius: float = 40.0
    passive: float = 20.0
    passive_damping: float = 0.025 * 20.0 * 1e3
    diagonal: float = 350 * 20.0
    diagonal_damping: float = 0.01 * 350 * 20.0 * 1e3
    muscle: float = 20 * 20.0
    muscle_damping: float = 100 * 0.025 * 20.0 * 1e3
    shortest: float = 0.65
    muscle_time: float = 100.0
    tangential: float = 3200.0
    normal: float = 128000.0
    drag_share: float = 0.5


class RodBody:
    """A worm in the plane: x to the right, y up, head first.

    Args:
        parameters: Constants.
        head: um. Where the head starts.
        heading: Radians. Direction in which the head points.
        step: ms. Longest step of ``advance``.
    """

    def __init__(
        self,
        parameters: RodParameters = RodParameters(),  # noqa: B008 (frozen)
        head: tuple[float, float] = (0.0, 0.0),
        heading: float = np.pi,
        step: float = 10.0,
    ):
        self.parameters = parameters
        n = parameters.segments
        self.step = step
        self.time = 0.0
        self.radii = rod_radii(n, parameters.radius)
        back = np.array([-np.cos(heading), -np.sin(heading)])
        self.q = np.empty((n + 1, 3))
        self.q[:, :2] = head + np.linspace(0, parameters.length, n + 1)[:, None] * back
        # Rods point to the dorsal side, to the left of a body that faces along -x (Boyle's frame).
        self.q[:, 2] = np.arctan2(back[1], back[0]) + np.pi / 2
        self.velocity = np.zeros_like(self.q)
        self.activation = np.zeros((2, n))
        self._elements = _Elements(parameters, self.radii)
        self.side_weights = side_weights(n)

    def advance(self, activation: np.ndarray, duration: float) -> None:
        """Moves on with float64 [96] constant drives (0 to 1) for a duration (ms)."""
        self.advance_sides(to_sides(activation) @ self.side_weights.T, duration)

    def advance_sides(self, drive: np.ndarray, duration: float) -> None:
        """Moves on with a drive per side and segment (float64 [2, segments])."""
        steps = max(1, int(np.ceil(duration / self.step - 1e-9)))
        h = duration / steps
        tau = self.parameters.muscle_time
        decay = np.exp(-0.5 * h / tau) if tau else 0.0
        for _ in range(steps):
            middle = drive + (self.activation - drive) * decay
            self._move(np.clip(middle, 0.0, 1.0), h)
            self.activation = drive + (middle - drive) * decay

    def _move(self, activation: np.ndarray, h: float) -> None:
        """One step of the implicit midpoint rule, linearised at the extrapolated midpoint."""
        element = self._elements
        guess = self.q + 0.5 * h * self.velocity
        lengths, rows = element.geometry(guess)
        tension, slope, damping = element.mechanics(lengths, activation)
        tension -= 0.5 * h * slope * element.rates(rows, self.velocity)
        band = element.band(rows, damping + 0.5 * h * slope)
        add_drag(band, self.drag(guess))
        force = element.scatter(rows, -tension)
        try:
            velocity = solveh_banded(band, force.ravel(), lower=True, check_finite=False)
        except (LinAlgError, ValueError):
            raise self._torn(h) from None
        if not np.isfinite(velocity).all():
            raise self._torn(h)
        self.velocity = velocity.reshape(-1, 3)
        self.q = self.q + h * self.velocity
        self.time += h

    def _torn(self, h: float) -> SimulationError:
        return SimulationError(
            f"the body is torn at {self.time:g} ms; take a shorter step than {h:g} ms"
        )

    def drag(self, q: np.ndarray | None = None) -> np.ndarray:
        """Returns float64 [rods, 3, 3] resistance of each rod to (x, y, angle) velocity."""
        p = self.parameters
        share = p.drag_share
        angles = (self.q if q is None else q)[:, 2]
        return rod_drag(angles, self.radii, share * p.tangential, share * p.normal)

    def internal_forces(self) -> np.ndarray:
        """Returns float64 [rods, 3]: elastic, muscle and damping forces (nN) and torques (nN um)."""
        element = self._elements
        lengths, rows = element.geometry(self.q)
        activation = np.clip(self.activation, 0, 1)
        tension, _, damping = element.mechanics(lengths, activation)
        rate = element.rates(rows, self.velocity)
        return element.scatter(rows, -(tension + damping * rate))

    def energy(self) -> float:
        """Returns the elastic energy of passive springs (nN um); muscles are active and left out."""
        lengths, _ = self._elements.geometry(self.q)
        return self._elements.energy(lengths)

    def state(self) -> BodyState:
        """Returns the midline; forces are those of the medium on each rod."""
        force = -np.einsum("nij,nj->ni", self.drag(), self.velocity)[:, :2]
        return BodyState(self.time, self.q[:, :2].copy(), self.velocity[:, :2].copy(), force)

    def side_stretch(self) -> np.ndarray:
        """Returns float64 [2, segments]: (L - L0) / L0 of the dorsal and ventral wall."""
        lengths, _ = self._elements.geometry(self.q)
        rest = self._elements.rest
        n = self.parameters.segments
        return ((lengths - rest) / rest)[: 2 * n].reshape(2, n)

    def stretch(self) -> np.ndarray:
        """Returns float64 [96]: relative stretch of the wall at each muscle unit."""
        mean = self.side_weights / self.side_weights.sum(0)
        return to_units(self.side_stretch() @ mean)

    def curvature(self) -> np.ndarray:
        """Returns float64 [segments]: turning of the rods per length (1/um), dorsal bends positive."""
        spacing = self.parameters.length / self.parameters.segments
        return np.diff(self.q[:, 2]) / spacing


def rod_radii(segments: int, largest: float) -> np.ndarray:
    """Returns float64 [segments + 1]: radius (um) of each rod, an ellipse (Boyle 2012, eq. 1)."""
    half = segments / 2
    return largest * np.abs(np.sin(np.arccos((np.arange(segments + 1) - half) / (half + 0.2))))


def rod_drag(angles: np.ndarray, radii: np.ndarray, tangential: float, normal: float) -> np.ndarray:
    """Builds the resistance of rods whose two ends share the drag of the whole body.

    Each of the 2 (N + 1) ends takes an equal part. Turning a rod moves its ends along the axis.

    Returns:
        float64 [rods, 3, 3], nN ms/um and, for angles, nN ms um.
    """
    across = np.stack([np.cos(angles), np.sin(angles)], 1)
    along = np.stack([-across[:, 1], across[:, 0]], 1)
    drag = np.zeros((len(angles), 3, 3))
    drag[:, :2, :2] = normal / len(angles) * across[:, :, None] * across[:, None, :]
    drag[:, :2, :2] += tangential / len(angles) * along[:, :, None] * along[:, None, :]
    drag[:, 2, 2] = tangential / len(angles) * radii**2
    return drag


def add_drag(band: np.ndarray, drag: np.ndarray) -> None:
    """Adds 3 x 3 blocks to the diagonal of a lower band matrix, in place."""
    for row in range(3):
        for column in range(row + 1):
            band[row - column, column::3] += drag[:, row, column]


class _Elements:
    """Springs between neighbouring rods: N dorsal, N ventral, N and N diagonals."""

    def __init__(self, p: RodParameters, radii: np.ndarray):
        n = p.segments
        spacing = p.length / n
        near, far = radii[:-1], radii[1:]
        lateral = np.hypot(spacing, near - far)
        diagonal = np.hypot(spacing, near + far)
        self.n = n
        self.parameters = p
        self.rest = np.concatenate([lateral, lateral, diagonal, diagonal])
        # Side of the element's end on its front and its rear rod: +1 dorsal, -1 ventral.
        signs = np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]]).repeat(n, axis=0)
        self.first, self.second = signs[:, 0], signs[:, 1]
        self.arms = np.stack([self.first * np.tile(near, 4), self.second * np.tile(far, 4)])
        self.reach = p.shortest * (near + far) / (2 * p.radius) * lateral
        self.elastic = np.repeat([p.passive, p.diagonal], 2 * n)
        self.viscous = np.repeat([p.passive_damping, p.diagonal_damping], 2 * n)

    def geometry(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns lengths float64 [4 N] and their derivatives float64 [4 N, 6] (front, rear rod)."""
        across = np.stack([np.cos(q[:, 2]), np.sin(q[:, 2])], 1)
        front, rear = np.tile(across[:-1], (4, 1)), np.tile(across[1:], (4, 1))
        gap = np.tile(np.diff(q[:, :2], axis=0), (4, 1))
        gap += self.arms[1][:, None] * rear - self.arms[0][:, None] * front
        lengths = np.hypot(gap[:, 0], gap[:, 1])
        unit = gap / lengths[:, None]
        rows = np.empty((4 * self.n, 6))
        rows[:, :2], rows[:, 3:5] = -unit, unit
        rows[:, 2] = -self.arms[0] * (unit[:, 1] * front[:, 0] - unit[:, 0] * front[:, 1])
        rows[:, 5] = self.arms[1] * (unit[:, 1] * rear[:, 0] - unit[:, 0] * rear[:, 1])
        return lengths, rows

    def mechanics(self, lengths: np.ndarray, activation: np.ndarray):
        """Returns tension (nN), its slope (nN/um) and damping (nN ms/um) of every element.

        The published quartic stiffening, 16 (L - L0)^4 with L in metres, is below 1e-12 of the
        linear term at any length and left out.
        """
        p, n = self.parameters, self.n
        tension = self.elastic * (lengths - self.rest)
        slope, damping = self.elastic.copy(), self.viscous.copy()
        active = activation.ravel()
        wanted = self.rest[: 2 * n] - active * np.tile(self.reach, 2)
        tension[: 2 * n] += p.muscle * active * (lengths[: 2 * n] - wanted)
        slope[: 2 * n] += p.muscle * active
        damping[: 2 * n] += p.muscle_damping * active
        return tension, slope, damping

    def band(self, rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Returns B' diag(weight) B as a lower band float64 [6, 3 (N + 1)]."""
        stacked = rows.reshape(4, self.n, 6).transpose(1, 0, 2)
        weighted = stacked * weight.reshape(4, self.n).T[:, :, None]
        blocks = weighted.transpose(0, 2, 1) @ stacked
        band = np.zeros((BAND + 1, 3 * (self.n + 1)))
        for row in range(6):
            for column in range(row + 1):
                band[row - column, column : column + 3 * self.n : 3] += blocks[:, row, column]
        return band

    def scatter(self, rows: np.ndarray, tension: np.ndarray) -> np.ndarray:
        """Returns B' tension as float64 [rods, 3]."""
        ends = (rows * tension[:, None]).reshape(4, self.n, 6).sum(0)
        force = np.zeros((self.n + 1, 3))
        force[:-1] += ends[:, :3]
        force[1:] += ends[:, 3:]
        return force

    def rates(self, rows: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Returns dL/dt of every element, float64 [4 N], um/ms."""
        both = np.hstack([velocity[:-1], velocity[1:]])
        return np.einsum("ni,ni->n", rows, np.tile(both, (4, 1)))

    def energy(self, lengths: np.ndarray) -> float:
        """Returns the energy of the passive springs (nN um)."""
        return float(0.5 * (self.elastic * (lengths - self.rest) ** 2).sum())
