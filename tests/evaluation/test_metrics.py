"""Joint errors: the original's numbers, and what a similarity can and cannot remove."""

import numpy as np
import pytest

from hmr_tf2.evaluation.metrics import compute_errors, compute_similarity_transform


def random_rotation(rng):
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else q[:, [1, 0, 2]]


def test_errors_equal_the_original(golden):
    arrays, _ = golden("golden_eval_seed0.npz")
    # The file's skeletons are in metres, its errors in millimetres.
    errors, errors_pa = compute_errors(1000 * arrays["gt"], 1000 * arrays["pred"])
    np.testing.assert_allclose(errors, arrays["errors"], rtol=1e-6)
    np.testing.assert_allclose(errors_pa, arrays["errors_pa"], rtol=1e-6, atol=1e-6)


def test_a_similarity_is_removed(rng):
    points = rng.normal(size=(7, 14, 3))
    moved = np.stack([rng.uniform(0.3, 3) * p @ random_rotation(rng) + rng.normal(size=3)
                      for p in points])
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


def test_where_the_body_stands_does_not_matter(rng):
    truth, found = rng.normal(size=(2, 3, 14, 3))
    before = compute_errors(truth, found)
    after = compute_errors(truth + [1, 2, 3], found - [4, 5, 6])
    np.testing.assert_allclose(before, after, atol=1e-9)


def test_coinciding_points_are_only_moved(rng):
    truth = rng.normal(size=(1, 14, 3))
    moved = compute_similarity_transform(np.full((1, 14, 3), 5.0), truth)
    np.testing.assert_allclose(moved, np.broadcast_to(truth.mean(1, keepdims=True), moved.shape))


def test_a_skeleton_with_nan_spoils_no_other(rng):
    truth, found = rng.normal(size=(2, 4, 14, 3))
    clean = compute_errors(truth, found)
    found[2, 3, 1] = np.nan
    for got, expected in zip(compute_errors(truth, found), clean, strict=True):
        assert np.isnan(got[2])
        np.testing.assert_allclose(np.delete(got, 2), np.delete(expected, 2))


def test_no_skeletons_have_no_errors():
    assert [e.shape for e in compute_errors(np.zeros((0, 14, 3)), np.zeros((0, 14, 3)))] == [
        (0,), (0,)
    ]


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"must both be \[M, 14, 3\]; got \[2, 19, 3\]"):
        compute_errors(np.zeros((2, 19, 3)), np.zeros((2, 19, 3)))
