"""The 85 numbers: parts, rotations, and NumPy views."""

import numpy as np
import tensorflow as tf
from scipy.spatial.transform import Rotation

from hmr_tf2 import theta


def test_the_parts_laid_end_to_end_are_the_whole(rng):
    values = rng.normal(size=(4, 85)).astype(np.float32)
    for whole in (values, tf.constant(values)):
        parts = theta.split_theta(whole)
        assert [part.shape[-1] for part in parts] == [3, 72, 10]
        np.testing.assert_array_equal(np.concatenate(parts, axis=-1), values)


def test_one_body_is_split_like_many(rng):
    values = rng.normal(size=85)
    np.testing.assert_array_equal(theta.split_theta(values).camera, values[:3])
    np.testing.assert_array_equal(theta.split_theta(tf.constant(values)).shape, values[75:])


def test_the_parts_of_an_array_are_views_of_it(rng):
    values = rng.normal(size=(2, 85))
    theta.split_theta(values).pose[:] = 7.0
    assert (values[:, 3:75] == 7.0).all() and (values[:, :3] != 7.0).all()


def test_rotations_are_those_of_each_axis_angle_vector(rng):
    poses = rng.normal(size=(2, 5, 72)).astype(np.float32)
    expected = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(2, 5, 24, 3, 3)
    np.testing.assert_allclose(theta.pose_to_rotations(poses), expected, atol=2e-6)


def test_rotations_that_are_there_are_kept(rng):
    outputs = {"theta": rng.normal(size=(1, 85)).astype(np.float32), "rotations": "kept"}
    assert theta.with_rotations(outputs) == outputs
