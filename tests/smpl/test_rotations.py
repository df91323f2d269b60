"""Rotations: equal to float64, with the right gradient where the angle is singular."""

import numpy as np
import pytest
import tensorflow as tf
from smpl_reference import reference_rodrigues

from hmr_tf2.smpl import batch_rodrigues

ANGLES = [0.0, 1e-8, 1e-6, 1e-4, 1e-2, 1.0, np.pi - 1e-4, np.pi, np.pi + 1e-4, 2 * np.pi]


def test_KEEP_rodrigues_adds_1e_8_inside_the_norm():
    theta = np.float32([[0.0, 0.0, 0.0], [3e-8, 0.0, 0.0], [1e-4, 2e-4, 0.0], [0.3, -2.0, 1.0]])
    expected = np.stack([reference_rodrigues(t) for t in theta.astype(np.float64)])
    np.testing.assert_allclose(batch_rodrigues(theta), expected, atol=2e-7)
    # At zero the axis is 0/1e-8, not 0/0.
    np.testing.assert_allclose(batch_rodrigues(tf.zeros([1, 3]))[0], np.eye(3), atol=1e-7)


@pytest.mark.parametrize("shape", [(3,), (0, 3), (5, 3), (2, 0, 3), (2, 4, 3)])
def test_any_leading_dimensions(rng, shape):
    theta = rng.normal(0, 2, shape)
    expected = [reference_rodrigues(t) for t in theta.reshape(-1, 3)]
    got = batch_rodrigues(theta)
    assert got.dtype == tf.float64
    np.testing.assert_allclose(got, np.reshape(expected, (*shape, 3)), atol=1e-12)


def test_large_angles_still_give_rotations(rng):
    Rs = batch_rodrigues(rng.normal(0, 20, (100, 3)).astype(np.float32)).numpy()
    np.testing.assert_allclose(Rs @ Rs.swapaxes(1, 2), np.tile(np.eye(3), (100, 1, 1)), atol=2e-6)
    np.testing.assert_allclose(np.linalg.det(Rs), 1.0, atol=2e-6)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, -1, 0), (0.6, 0, 0.8), (1, 2, -2)], ids=str)
@pytest.mark.parametrize("angle", ANGLES)
def test_float32_gradient_equals_finite_differences_in_float64(axis, angle):
    theta = (angle * np.array(axis) / np.linalg.norm(axis)).astype(np.float32)
    with tf.GradientTape() as tape:
        value = tf.constant(theta)
        tape.watch(value)
        Rs = batch_rodrigues(value)
    step = 1e-4
    numeric = np.stack(
        [
            (reference_rodrigues(theta + move) - reference_rodrigues(theta - move)) / (2 * step)
            for move in step * np.eye(3)
        ],
        axis=-1,
    )
    np.testing.assert_allclose(tape.jacobian(Rs, value), numeric, atol=2e-6)


def test_the_original_division_by_zero_is_finite():
    theta = tf.fill([1, 3], -1e-8)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        Rs = batch_rodrigues(theta)
    np.testing.assert_allclose(Rs[0], np.eye(3), atol=1e-7)
    assert np.isfinite(tape.jacobian(Rs, theta)).all()
