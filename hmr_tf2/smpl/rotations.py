"""Rotations: from axis-angle vectors to matrices."""

import math

import tensorflow as tf


def batch_rodrigues(theta: tf.Tensor) -> tf.Tensor:
    """Converts axis-angle vectors to rotation matrices (Rodrigues' formula).

    KEEP: 1e-8 is added to each component inside the norm, and the axis is `theta / angle`, so that
    it is slightly shorter than 1 near zero (akanazawa/hmr src/tf_smpl/batch_lbs.py). This keeps
    the gradient finite at the zero rotation.

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
    """`batch_rodrigues` with the components first: float [3, ...] to [3, 3, ...]."""
    squared_angle = tf.reduce_sum(tf.square(theta + 1e-8), axis=0)
    # If all components are -1e-8 the sum is 0, and the original divides by zero.
    angle = tf.sqrt(tf.maximum(squared_angle, 1e-30))
    # By the half angle h: 1 - cos(a) = 2 sin(h)^2 and sin(a) = 2 sin(h) cos(h). `sine` and
    # `cosine` hold sqrt(2) sin(h) and sqrt(2) cos(h), so their products are just these. Computed
    # directly, 1 - cos(a) would lose all digits at small angles.
    sine, cosine = (math.sqrt(2.0) * f(0.5 * angle) for f in (tf.sin, tf.cos))
    # The axis times `sine`, so that both terms below are products with it.
    axis = theta * (sine / angle)
    x, y, z = tf.unstack(cosine * axis)
    diagonal = 1.0 - sine * sine
    turn = tf.stack([diagonal, -z, y, z, diagonal, -x, -y, x, diagonal])
    outer = axis[:, tf.newaxis] * axis
    return outer + tf.reshape(turn, tf.shape(outer))
