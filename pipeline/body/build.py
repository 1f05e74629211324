"""From the config of a body to a body at its start."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.body.interface import Body, BodyState
from pipeline.body.media import medium_drag
from pipeline.body.mesh import read_medit
from pipeline.body.rod import RodBody, RodParameters
from pipeline.body.soft import SoftBody
from pipeline.config.behaviour import Behaviour


def build_body(config: Behaviour, mesh: Path | None = None) -> Body:
    """Returns the body of a behaviour at its start.

    Args:
        config: The behaviour.
        mesh: Medit file of a soft body; None: the generated tube.
    """
    if config.body.kind == "rod":
        return build_rod(config)
    body = SoftBody(mesh=read_medit(mesh) if mesh else None)
    return PlacedSoft(body, tuple(config.head), np.deg2rad(config.heading), config.body.length)


def build_rod(config: Behaviour) -> RodBody:
    """Returns the rod body of a behaviour at its start."""
    rod = config.body
    along, across = medium_drag(config.environment.medium)
    scale = rod.length / 1000.0  # the published drag is that of a body of 1 mm
    parameters = RodParameters(
        segments=rod.segments,
        length=rod.length,
        radius=rod.radius,
        muscle_time=rod.muscle_time,
        tangential=along * scale,
        normal=across * scale,
        drag_share=rod.drag_share,
    )
    return RodBody(parameters, tuple(config.head), np.deg2rad(config.heading), rod.step)


class PlacedSoft:
    """A soft body seen from above, in the plane in which it bends dorso-ventrally.

    Args:
        body: Its own frame has x from head to tail and y dorsal.
        head: um. Where the head starts.
        heading: Radians. Direction in which the head points.
        length: um that the body is taken for.
    """

    def __init__(self, body: SoftBody, head: tuple[float, float], heading: float, length: float):
        self.body, self._head, self._scale = body, np.array(head), length / 1000.0
        cosine, sine = -np.cos(heading), -np.sin(heading)
        # The rod's dorsal side lies to the left of its axis from head to tail.
        self._turn = np.array([[cosine, -sine], [sine, cosine]])
        self._origin = body.state().positions[0, :2].copy()

    def advance(self, activation: np.ndarray, duration: float) -> None:
        """See ``Body``."""
        self.body.advance(activation, duration)

    def state(self) -> BodyState:
        """Returns the midline in the plane; ``time`` is that of the last whole step."""
        state = self.body.state()
        place = (state.positions[:, :2] - self._origin) * self._scale
        return BodyState(
            state.time,
            place @ self._turn.T + self._head,
            state.velocities[:, :2] * self._scale @ self._turn.T,
            state.forces[:, :2] @ self._turn.T,
        )

    def stretch(self) -> np.ndarray:
        """See ``Body``."""
        return self.body.stretch()

    def curvature(self) -> np.ndarray:
        """Returns float64 [48]: turning of the midline per length (1/um); the last stands twice."""
        line = self.state().positions
        piece = np.diff(line, axis=0)
        angle = np.unwrap(np.arctan2(piece[:, 1], piece[:, 0]))
        length = np.linalg.norm(piece, axis=1)
        bend = np.diff(angle) / (0.5 * (length[1:] + length[:-1]))
        return np.append(bend, bend[-1])
