"""A posed body, from which both vertices and keypoints are computed."""

from typing import NamedTuple

import tensorflow as tf


class PosedBody(NamedTuple):
    """N bodies with J joints and D blend shapes: components first, bodies last, in metres."""

    blend: tf.Tensor  # [D, N], weights of the blend shapes: betas, then R - I of the joints
    rotations: tf.Tensor  # [3, 3, J, N], of each joint relative to its parent
    rest: tf.Tensor  # [3, J, N], joints of the shaped body in the rest pose
    bone_rotations: tf.Tensor  # [3, 3, J, N], from the rest pose to the posed body
    positions: tf.Tensor  # [3, J, N], posed joints

    @property
    def Rs(self) -> tf.Tensor:
        """[N, J, 3, 3], rotations of the joints relative to their parents."""
        return tf.transpose(self.rotations, [3, 2, 0, 1])

    @property
    def joints(self) -> tf.Tensor:
        """[N, J, 3], posed joints in metres."""
        return tf.transpose(self.positions, [2, 1, 0])

    def take(self, indices: tf.Tensor) -> "PosedBody":
        """The bodies with these numbers."""
        return PosedBody(*(tf.gather(part, indices, axis=-1) for part in self))
