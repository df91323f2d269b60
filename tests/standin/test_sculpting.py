"""The tools that model the body: tetrahedra, remeshing, solids."""

import numpy as np
import pytest

from hmr_tf2.standin import implicit, polygonise, remesh


def half_ball(points):
    return np.linalg.norm(points, axis=1) - 0.5


@pytest.fixture(scope="module")
def ball():
    grid = polygonise.sample(half_ball, (0, -0.6, -0.6), (0.6, 0.6, 0.6), 0.1)
    return polygonise.triangulate(*grid)


def euler(vertices, faces):
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    return len(vertices) - len(np.unique(edges, axis=0)) + len(faces)


def signed_volume(vertices, faces):
    a, b, c = vertices[faces].transpose(1, 0, 2)
    return (a * np.cross(b, c)).sum() / 6


def test_half_a_ball_becomes_a_disc_near_the_surface(ball):
    vertices, faces = ball
    assert euler(vertices, faces) == 1
    assert np.abs(half_ball(vertices)).max() < 0.02


def test_mirrored_halves_make_a_closed_ball(ball):
    vertices, faces, permutation = remesh.mirror(*ball)
    assert euler(vertices, faces) == 2
    assert abs(signed_volume(vertices, faces) / (np.pi / 6) - 1) < 0.05
    np.testing.assert_array_equal(vertices[permutation] * [-1, 1, 1], vertices)


def test_remeshing_reaches_the_exact_count_and_keeps_the_shape(ball):
    def edge_length(points):
        return np.full(len(points), 0.12)

    def project(points):
        seam = points[:, 0] == 0
        points = implicit.project(half_ball, points)
        points[seam, 0] = 0
        return points

    vertices, faces = remesh.remesh(*ball, edge_length, project, rounds=3)
    full = 2 * len(vertices) - (vertices[:, 0] == 0).sum()
    wanted = full - 21
    vertices, faces = remesh.to_count(vertices, faces, edge_length, wanted)
    vertices, faces, _ = remesh.mirror(vertices, faces)
    assert len(vertices) == wanted and len(faces) == 2 * wanted - 4
    assert euler(vertices, faces) == 2
    assert abs(signed_volume(vertices, faces) / (np.pi / 6) - 1) < 0.06


def test_melted_solids_contain_both_and_the_seam():
    left = implicit.round_cone((0, 0, 0), (0, 0.1, 0), 0.1, 0.1, blend=0.05)
    right = implicit.ellipsoid((0.19, 0, 0), (0.1, 0.1, 0.1), blend=0.05)
    distance = implicit.melt([left, right])
    inside = distance(np.array([[0, 0, 0], [0.19, 0, 0], [0.095, 0.03, 0]]))
    assert (inside < 0).all()
    apart = np.minimum(
        left.distance(np.array([[0.095, 0.05, 0]])), right.distance(np.array([[0.095, 0.05, 0]]))
    )
    assert distance(np.array([[0.095, 0.05, 0]])) < apart
