"""Rotations: axis-angle to matrices."""

import tensorflow as tf
from tensorflow_graphics.geometry.transformation import rotation_matrix_3d


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
    angle = tf.norm(theta + 1e-8, axis=-1, keepdims=True)
    return rotation_matrix_3d.from_axis_angle(theta / angle, angle)
