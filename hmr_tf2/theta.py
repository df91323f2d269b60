"""Theta, the 85 numbers that describe a body in a crop: its parts, and how it is decoded.

`theta` is `[s, tx, ty]` of the camera, 24 axis-angle vectors (the root first), and 10 betas.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hmr_tf2 import camera
from hmr_tf2.smpl import SMPL, batch_rodrigues

NUM_CAMERA = 3
NUM_POSE = 72
NUM_SHAPE = 10
NUM_THETA = NUM_CAMERA + NUM_POSE + NUM_SHAPE


class Theta(NamedTuple):
    """The parts of theta, each [..., n]."""

    camera: tf.Tensor  # [..., 3]: s, tx, ty
    pose: tf.Tensor  # [..., 72] axis-angle, radians, root first
    shape: tf.Tensor  # [..., 10] betas


def split_theta(theta: tf.Tensor | np.ndarray) -> Theta:
    """Splits [..., 85] into camera, pose and shape; the parts of a NumPy array are views of it."""
    if tf.is_tensor(theta):
        return Theta(*tf.split(theta, [NUM_CAMERA, NUM_POSE, NUM_SHAPE], axis=-1))
    return Theta(*np.split(theta, [NUM_CAMERA, NUM_CAMERA + NUM_POSE], axis=-1))


def pose_to_rotations(pose: tf.Tensor) -> tf.Tensor:
    """Rotation matrices of poses: [..., 72] axis-angle to [..., 24, 3, 3]."""
    pose = tf.convert_to_tensor(pose)
    vectors = tf.reshape(pose, tf.concat([tf.shape(pose)[:-1], [NUM_POSE // 3, 3]], axis=0))
    return batch_rodrigues(vectors)


def with_rotations(outputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Adds `rotations` [N, 24, 3, 3], of each joint relative to its parent, if they are missing.

    Args:
        outputs: what `decode_theta` returned; `theta` [N, 85] is read.
    """
    if "rotations" in outputs:
        return dict(outputs)
    return {**outputs, "rotations": pose_to_rotations(split_theta(outputs["theta"]).pose)}


def decode_theta(smpl: SMPL, theta: tf.Tensor, img_size: int) -> dict[str, tf.Tensor]:
    """The body and the camera that `theta` [N, 85] encodes.

    Returns:
        dict of float32: `verts` [N, V, 3] and `joints3d` [N, K, 3] in metres, `joints` [N, K, 2]
        in pixels of the crop, `cams` [N, 3] `[s, tx, ty]`, `theta` [N, 85].
    """
    cams, pose, shape = split_theta(tf.convert_to_tensor(theta))
    body = smpl.pose(shape, pose)
    joints3d = smpl.keypoints_of(body)
    joints = camera.batch_orth_proj_idrot(joints3d, cams)
    return {
        "verts": smpl.vertices_of(body),
        "joints": camera.crop_to_pixels(joints, img_size),
        "cams": cams,
        "joints3d": joints3d,
        "theta": theta,
    }


def theta_decoder(smpl: SMPL, img_size: int) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """`decode_theta` for one body model and crop size, compiled for any number of rows."""
    return tf.function(
        lambda theta: decode_theta(smpl, theta, img_size),
        input_signature=[tf.TensorSpec([None, NUM_THETA], tf.float32, "theta")],
        autograph=False,
    )
