"""The best similarity: against LAPACK, at every degenerate input, by what cannot be bettered."""

import numpy as np
import pytest

from hmr_tf2.evaluation.metrics import compute_errors
from hmr_tf2.evaluation.similarity import compute_similarity_transform


def random_rotation(rng):
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else q[:, [1, 0, 2]]


def reference(source, target):
    """One skeleton, with NumPy's singular value decomposition."""
    X1, X2 = source - source.mean(0), target - target.mean(0)
    U, _, Vt = np.linalg.svd(X1.T @ X2)
    turn = np.diag([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))])
    R = Vt.T @ turn @ U.T
    return np.trace(R @ X1.T @ X2) / np.sum(X1**2) * X1 @ R.T + target.mean(0)


@pytest.mark.parametrize("flatness", [1.0, 1e-3, 1e-8])
def test_equals_lapack(rng, flatness):
    source, target = rng.normal(size=(2, 300, 14, 3)) * [1.0, 1.0, flatness]
    target[::2] = source[::2] + 0.1 * target[::2]
    target[1::4, :, 0] *= -1  # reflected
    expected = [reference(a, b) for a, b in zip(source, target, strict=True)]
    got = compute_similarity_transform(source, target)
    np.testing.assert_allclose(got, expected, atol=1e-9)


def test_a_similarity_is_removed(rng):
    points = rng.normal(size=(7, 14, 3))
    moved = np.stack(
        [rng.uniform(0.3, 3) * p @ random_rotation(rng) + rng.normal(size=3) for p in points]
    )
    np.testing.assert_allclose(compute_similarity_transform(moved, points), points, atol=1e-9)


def test_a_reflection_is_not_removed(rng):
    points = rng.normal(size=(5, 14, 3))
    _, errors_pa = compute_errors(points, points * [-1, 1, 1])
    assert (errors_pa > 0.1).all()


def test_no_rotation_nearby_does_better(rng):
    truth, found = rng.normal(size=(2, 14, 3))
    best = np.sum((compute_similarity_transform(found, truth) - truth) ** 2)
    middle = found.mean(0)
    for _ in range(200):
        scale = rng.uniform(0, 1.5)
        moved = scale * (found - middle) @ random_rotation(rng) + truth.mean(0)
        assert np.sum((moved - truth) ** 2) >= best - 1e-9


def test_any_leading_axes_are_batches(rng):
    source, target = rng.normal(size=(2, 3, 4, 14, 3))
    got = compute_similarity_transform(source, target)
    np.testing.assert_array_equal(
        got[2, 1], compute_similarity_transform(source[2, 1], target[2, 1])
    )


def test_points_in_one_place_are_only_moved(rng):
    target = rng.normal(size=(14, 3))
    for source in (np.full((14, 3), 5.0), np.zeros((14, 3))):
        moved = compute_similarity_transform(source, target)
        np.testing.assert_allclose(moved, np.broadcast_to(target.mean(0), (14, 3)))


def test_a_single_point_is_only_moved(rng):
    source, target = rng.normal(size=(2, 1, 3))
    np.testing.assert_allclose(compute_similarity_transform(source, target), target)


def test_points_shrink_to_a_target_in_one_place(rng):
    source, target = rng.normal(size=(14, 3)), np.full((14, 3), 2.0)
    np.testing.assert_allclose(compute_similarity_transform(source, target), target, atol=1e-12)


def test_a_line_is_laid_on_a_line(rng):
    along = rng.normal(size=(14, 1))
    source, target = along * rng.normal(size=3), 2 * along * rng.normal(size=3) + 1.0
    for turned in (target, target[:, ::-1]):
        moved = compute_similarity_transform(source, turned)
        np.testing.assert_allclose(moved, turned, atol=1e-9)


def test_distances_to_a_line_do_not_depend_on_the_turn_about_it(rng):
    body, line = rng.normal(size=(14, 3)), rng.normal(size=(14, 1)) * [0.0, 0.0, 1.0]
    distances = []
    for angle in (0.0, 1.0, 2.0):
        c, s = np.cos(angle), np.sin(angle)
        turned = body @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
        moved = compute_similarity_transform(turned, line)
        assert np.isfinite(moved).all()
        distances.append(np.linalg.norm(moved - line, axis=1))
    np.testing.assert_allclose(distances[1:], distances[:1] * 2, atol=1e-9)


def test_a_plane_is_turned_never_reflected(rng):
    source = rng.normal(size=(14, 3)) * [1.0, 1.0, 0.0]
    target = (source * [-1.0, 1.0, 1.0]) @ random_rotation(rng)
    # In three dimensions the mirror image of a flat figure is the figure turned over.
    np.testing.assert_allclose(compute_similarity_transform(source, target), target, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-100, 1e-6, 1e6, 1e100])
def test_the_unit_does_not_matter(rng, scale):
    source, target = rng.normal(size=(2, 14, 3))
    expected = compute_similarity_transform(source, target)
    got = compute_similarity_transform(scale * source, scale * target)
    np.testing.assert_allclose(got / scale, expected, rtol=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", [0, 1])
def test_what_is_no_number_spoils_its_own_points_only(rng, bad, which):
    pair = rng.normal(size=(2, 3, 14, 3))
    clean = compute_similarity_transform(*pair)
    pair[which, 1, 3, 2] = bad
    moved = compute_similarity_transform(*pair)
    assert np.isnan(moved[1]).all()
    np.testing.assert_array_equal(moved[[0, 2]], clean[[0, 2]])


def test_nothing_moved_is_nothing():
    assert compute_similarity_transform(np.zeros((0, 14, 3)), np.zeros((0, 14, 3))).size == 0


def test_the_input_stays_as_it_was(rng):
    source, target = rng.normal(size=(2, 2, 14, 3))
    kept = source.copy(), target.copy()
    compute_similarity_transform(source, target)
    np.testing.assert_array_equal((source, target), kept)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"\[\.\.\., K, 3\]; got \[14, 2\]"):
        compute_similarity_transform(np.zeros((14, 2)), np.zeros((14, 2)))
    with pytest.raises(ValueError, match=r"got \[2, 14, 3\] and \[14, 3\]"):
        compute_similarity_transform(np.zeros((2, 14, 3)), np.zeros((14, 3)))
