"""The soft body: mesh, projections, conservation, fluid force, convergence."""

import dataclasses
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.body.mesh import Mesh, read_medit, worm_tube
from pipeline.body.soft import SoftBody, SoftParameters, face_force
from pipeline.body.soft_kernels import local_step, to_unit_volume, turn_to
from pipeline.errors import CircuitError

PUBLISHED = Path(__file__).resolve().parents[3] / "shared/data/worm/body/worm_mesh_4.mesh"
DRY = SoftParameters(drag=0.0, lift=0.0, tolerance=1e-10)


def coarse(parameters: SoftParameters) -> SoftBody:
    return SoftBody(parameters, worm_tube(parameters.length, parameters.radius, 25, 8))


def test_the_tube_is_a_closed_solid_without_gaps():
    mesh = worm_tube(10.0, 1.0, rings=9, sectors=6)
    faces = Counter(tuple(sorted(f)) for t in mesh.tets for f in combinations(t, 3))
    assert set(faces.values()) == {1, 2}
    assert len(mesh.surface) == sum(count == 1 for count in faces.values())
    edges = {tuple(sorted(e)) for f in mesh.surface for e in combinations(f, 2)}
    assert len(np.unique(mesh.surface)) - len(edges) + len(mesh.surface) == 2
    assert mesh.volumes().min() > 0
    corner = mesh.vertices[mesh.surface]
    outside = np.einsum("si,si->", np.cross(corner[:, 0], corner[:, 1]), corner[:, 2]) / 6
    assert outside == pytest.approx(mesh.volumes().sum())  # normals point outwards


def test_the_default_tube_is_as_large_as_the_published_body():
    assert worm_tube(0.628, 0.0194).volumes().sum() == pytest.approx(4.9e-4, rel=0.05)


def test_a_medit_file_is_read_as_counted(tmp_path):
    (tmp_path / "bad.mesh").write_text("MeshVersionFormatted 1\n")
    with pytest.raises(CircuitError, match="no section Vertices"):
        read_medit(tmp_path / "bad.mesh")
    if not PUBLISHED.is_file():
        pytest.skip("shared/data/worm/body is not here")
    mesh = read_medit(PUBLISHED)
    assert (len(mesh.vertices), len(mesh.tets), len(mesh.surface)) == (984, 3341, 1466)
    assert mesh.volumes().min() > 0


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_projections_equal_those_by_singular_values(seed):
    f = np.eye(3) + 0.3 * np.random.default_rng(seed).normal(size=(3, 3))
    if np.linalg.det(f) < 0.2:
        return
    u, _, vt = np.linalg.svd(f)
    out, work, turn = np.empty((3, 3)), np.empty((3, 3)), np.array([0.0, 0, 0, 1])
    turn_to(f, turn, out, 200)
    np.testing.assert_allclose(out, u @ vt, atol=1e-5)
    to_unit_volume(f, out, work, 60)
    assert np.linalg.det(out) == pytest.approx(1, abs=1e-6)


def test_the_local_step_is_the_sum_over_tetrahedra():
    body = coarse(DRY)
    rng = np.random.default_rng(0)
    x = body.x + 2e-4 * rng.normal(size=body.x.shape)
    active = rng.uniform(size=len(body.mesh.tets))
    for _ in range(30):  # the quaternions start from those of the last call
        ours = local_step(x, body.mesh.tets, body.gradients, body.rotation_weight,
                          body.volume_weight, body.fibre_weight, active, body.turns)  # fmt: skip
    naive = np.zeros_like(x)
    for t, corners in enumerate(body.mesh.tets):
        f = x[corners].T @ body.gradients[t]
        assert np.linalg.det(f) > 0.1  # singular values give a rotation only then
        u, _, vt = np.linalg.svd(f)
        p, work = np.empty((3, 3)), np.empty((3, 3))
        to_unit_volume(f, p, work, 5)
        target = body.rotation_weight[t] * u @ vt + body.volume_weight[t] * p
        target[:, 0] += body.fibre_weight[t] * (1 - active[t]) * f[:, 0]
        naive[corners] += body.gradients[t] @ target.T
    np.testing.assert_allclose(ours, naive, atol=1e-5 * np.abs(naive).max())


def test_a_body_at_rest_stays_even_when_turned():
    body = coarse(SoftParameters())
    angle = 0.8
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    body.x = body.x @ turn.T
    before = body.x.copy()
    body.advance(np.zeros(96), 50.0)
    np.testing.assert_allclose(body.x, before, atol=1e-5 * body.parameters.length)


def test_muscles_give_no_net_momentum_without_fluid():
    body = coarse(DRY)
    rng = np.random.default_rng(3)
    body.advance(rng.uniform(0, 0.4, 96), 100.0)
    assert np.abs(body.v).max() > 0.05
    assert np.abs(body.v.sum(0)).max() < 1e-9 * np.abs(body.v).sum()


def test_a_stretched_body_springs_back_without_gaining_energy():
    body = coarse(DRY)
    body.x[:, 0] *= 1.05
    energies = [elastic(body)]
    for _ in range(24):
        body.advance(np.zeros(96), body.parameters.step)
        energies.append(elastic(body) + 0.5 * body.mass * (body.v**2).sum())
    assert np.all(np.diff(energies) < 1e-6 * energies[0])
    assert energies[-1] < 0.9 * energies[0]  # implicit steps damp, slow waves of the body least


def elastic(body: SoftBody) -> float:
    total = 0.0
    for t, corners in enumerate(body.mesh.tets):
        f = body.x[corners].T @ body.gradients[t]
        u, _, vt = np.linalg.svd(f)
        p, work = np.empty((3, 3)), np.empty((3, 3))
        to_unit_volume(f, p, work, 5)
        total += 0.5 * body.rotation_weight[t] * ((f - u @ vt) ** 2).sum()
        total += 0.5 * body.volume_weight[t] * ((f - p) ** 2).sum()
    return total


def test_dorsal_muscles_bend_to_the_dorsal_side_and_shorten():
    body = coarse(SoftParameters())
    drive = np.zeros(96)
    drive[:24] = drive[48:72] = 0.1
    body.advance(drive, 60.0)
    middle = body.state().positions
    assert middle.shape == (49, 3)
    assert middle[24, 1] < min(middle[0, 1], middle[48, 1])
    stretch = body.stretch().reshape(4, 24)
    assert stretch[[0, 2]].mean() < stretch[[1, 3]].mean()
    with pytest.raises(ValueError, match="96"):
        body.advance(np.zeros(95), 10.0)


def test_halving_the_step_halves_the_error():
    drive = np.full(96, 0.0)
    drive[:24] = 0.05
    ends = []
    for part in (1, 2, 4, 16):
        body = coarse(dataclasses.replace(SoftParameters(), step=1000 / 240 / part, tolerance=1e-9))
        body.advance(drive, 1000 / 240 * 4)
        ends.append(body.x)
    errors = [np.abs(x - ends[-1]).max() for x in ends[:-1]]
    assert errors[1] < 0.75 * errors[0]
    assert errors[2] < 0.75 * errors[1]


def naive_face(area, v):
    size, speed = np.linalg.norm(area) / 2, np.linalg.norm(v)
    n, u = area / (2 * size), -v / speed
    cosine = -n @ u
    if cosine <= 0:
        return np.zeros(3)
    degrees = 90 - np.degrees(np.arccos(cosine))
    table = [(-90, -0.5), (-10, -1.26), (-5, 0.0), (15, 1.8), (90, 0.5)]
    for (a, c), (b, d) in zip(table, table[1:], strict=False):
        if a <= degrees <= b:
            lift = c + (d - c) * (degrees - a) / (b - a)
    lift = 0.0 if degrees > 85 else lift
    head = 0.5 * 1000 * size * speed**2
    side = -n - cosine * u
    drag = min(head * 0.5 * (1 - np.cos(2 * np.radians(degrees))), 1e3)
    return drag * u + np.clip(head * lift, -1e3, 1e3) * side / np.linalg.norm(side)


def test_the_fluid_force_is_the_published_one():
    rng = np.random.default_rng(5)
    area, velocity = 1e-3 * rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    expected = [naive_face(a, v) for a, v in zip(area, velocity, strict=True)]
    np.testing.assert_allclose(face_force(area, velocity), expected, atol=1e-12)
    drag = face_force(area, velocity, lift=0.0)
    assert np.all(np.einsum("ij,ij->i", drag, velocity) <= 0)  # drag only takes energy


def test_a_plate_that_moves_face_on_feels_half_rho_a_v_squared():
    force = face_force(np.array([[0, 0, 2.0]]), np.array([[0, 0, 0.1]]))
    np.testing.assert_allclose(force, [[0, 0, -0.5 * 1000 * 1.0 * 0.01]])


def test_a_mesh_of_one_tetrahedron_has_four_faces():
    mesh = Mesh(np.eye(4)[:, :3], np.array([[0, 1, 2, 3]]), np.empty((0, 3), int))
    assert abs(mesh.volumes()[0]) == pytest.approx(1 / 6)
