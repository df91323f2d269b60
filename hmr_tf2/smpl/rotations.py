"""Rotations: axis-angle to matrices."""

import math

import tensorflow as tf


def batch_rodrigues(theta: tf.Tensor) -> tf.Tensor:
    """Axis-angle vectors to rotation matrices.

    KEEP: 1e-8 is added to each component inside the norm, and the axis is `theta / angle`, so it
    is slightly shorter than 1 near zero (akanazawa/hmr src/tf_smpl/batch_lbs.py). It keeps the
    gradient finite at the zero rotation.

    Args:
        theta: float [..., 3], radians.

    Returns:
        float [..., 3, 3].
    """
    theta = tf.convert_to_tensor(theta)
    Rs = rotation_planes(tf.transpose(tf.reshape(theta, [-1, 3])))
    Rs = tf.transpose(tf.reshape(Rs, [9, -1]))
    return tf.reshape(Rs, tf.concat([tf.shape(theta), [3]], axis=0))


def rotation_planes(theta: tf.Tensor) -> tf.Tensor:
    """As `batch_rodrigues`, components first: float [3, ...] to [3, 3, ...]."""
    squared_angle = tf.reduce_sum(tf.square(theta + 1e-8), axis=0)
    # All components may be -1e-8, where the original divides by zero.
    angle = tf.sqrt(tf.maximum(squared_angle, 1e-30))
    # With both times sqrt(2), 1 - cos(angle) is sine ** 2, exact at small angles too.
    sine, cosine = (math.sqrt(2.0) * f(0.5 * angle) for f in (tf.sin, tf.cos))
    axis = theta * (sine / angle)
    x, y, z = tf.unstack(cosine * axis)
    diagonal = 1.0 - sine * sine
    turn = tf.stack([diagonal, -z, y, z, diagonal, -x, -y, x, diagonal])
    outer = axis[:, tf.newaxis] * axis
    return outer + tf.reshape(turn, tf.shape(outer))
