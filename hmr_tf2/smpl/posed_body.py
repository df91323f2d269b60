"""A body in a pose: what the routes to its vertices and keypoints start from."""

from typing import NamedTuple

import tensorflow as tf


class PosedBody(NamedTuple):
    """N bodies of J joints and D blend shapes; components first, bodies last, metres."""

    blend: tf.Tensor  # [D, N] weights of the blend shapes: betas, then R - I of the joints
    rotations: tf.Tensor  # [3, 3, J, N] relative to the parent
    rest: tf.Tensor  # [3, J, N] joints of the shaped body at rest
    bone_rotations: tf.Tensor  # [3, 3, J, N] rest pose to posed body
    positions: tf.Tensor  # [3, J, N] posed joints

    @property
    def Rs(self) -> tf.Tensor:
        """[N, J, 3, 3] rotations relative to the parent."""
        return tf.transpose(self.rotations, [3, 2, 0, 1])

    @property
    def joints(self) -> tf.Tensor:
        """[N, J, 3] posed joints, metres."""
        return tf.transpose(self.positions, [2, 1, 0])

    def take(self, indices: tf.Tensor) -> "PosedBody":
        """The bodies of these numbers."""
        return PosedBody(*(tf.gather(part, indices, axis=-1) for part in self))
