"""Linear blend skinning: from a posed body to the vertices of its mesh (Loper et al. 2015).

A vertex is x' = sum_j w_j (B_j x + t_j): the transforms of the bones are mixed first, and the
mixture is applied to the vertex x of the shaped body at rest.
"""

import numpy as np
import tensorflow as tf

from hmr_tf2.smpl.kinematics import columns, turned
from hmr_tf2.smpl.posed_body import PosedBody

# Each vertex has a mixed transform of 12 numbers, four times its own size. In blocks of so many
# vertices they stay in the processor's cache for some hundred bodies, and in a large batch they
# take less memory than the vertices.
BLOCK_VERTICES = 1024


def frozen(array: np.ndarray, name: str) -> tf.Variable:
    """A float32 constant that is saved only once, however many functions use it."""
    # A `tf.constant` would be copied into every graph of a SavedModel, megabytes each.
    return tf.Variable(array, trainable=False, dtype=tf.float32, name=name)


class BlendedPoints(tf.Module):
    """P points that blend shapes move.

    Args:
        shapes: [1 + D, P, 3], metres: the points, and what one unit of each blend shape adds.
    """

    def __init__(self, shapes: np.ndarray, name: str):
        super().__init__(name=name)
        # The template is added rather than made a row of the product with weight 1: a GPU may
        # multiply in TF32, whose 10 bits would round a metre by half a millimetre. The blend
        # shapes, which are multiplied, move points by centimetres only.
        self.template = frozen(shapes[0].T[:, :, np.newaxis], "template")
        self.directions = frozen(shapes[1:].T.reshape(-1, len(shapes) - 1), "directions")

    def __call__(self, blend: tf.Tensor) -> tf.Tensor:
        """Maps weights [D, N] of the blend shapes to points [3, P, N]."""
        moved = tf.reshape(self.directions @ blend, [3, self.template.shape[1], -1])
        return moved + self.template


class Skin(tf.Module):
    """Vertices that follow the bones.

    Args:
        shapes: [1 + D, V, 3], metres, see `BlendedPoints`.
        weights: [V, J], share of each bone in a vertex; any number of bones may move a vertex.
    """

    def __init__(self, shapes: np.ndarray, weights: np.ndarray):
        super().__init__(name="skin")
        starts = range(0, len(weights), BLOCK_VERTICES)
        self._blocks = [
            _Block(
                shapes[:, start : start + BLOCK_VERTICES], weights[start : start + BLOCK_VERTICES]
            )
            for start in starts
        ]

    def __call__(self, body: PosedBody) -> tf.Tensor:
        """Float32 [N, V, 3], metres."""
        # B (x - a) + p = B x + (p - B a): a bone turns about its joint, vertices are about 0.
        translations = body.positions - turned(body.bone_rotations, body.rest)
        # Bones first, then all else in one long row, so that mixing is a plain matrix product.
        transforms = [
            tf.reshape(tf.transpose(column, [1, 0, 2]), [translations.shape[1], -1])
            for column in (*columns(body.bone_rotations), translations)
        ]
        vertices = []
        for block in self._blocks:
            # A block waits for the last but one. TensorFlow would otherwise start all blocks at
            # once and hold all their mixed transforms; two at a time keep the cores busy.
            with tf.control_dependencies(vertices[-2:-1]):
                vertices.append(block(body.blend, transforms))
        return tf.concat(vertices, axis=1)


class _Block(tf.Module):
    """Some of the vertices, and the bones that move any of them."""

    def __init__(self, shapes, weights):
        super().__init__(name="block")
        # Neighbours in the list of vertices are neighbours on the body: few bones move a block.
        self._bones = np.flatnonzero(weights.any(axis=0)).tolist()
        self._weights = frozen(weights[:, self._bones], "weights")
        self._rest = BlendedPoints(shapes, "rest")

    def __call__(self, blend, transforms):
        """Maps `blend` [D, N], and [J, 3 * N] for each column of the transforms, to [N, V, 3]."""
        # Column by column, so that none need be cut out of a tensor of all four, a copy.
        by_x, by_y, by_z, moved = map(self._mixed, transforms)
        x, y, z = (points[:, tf.newaxis] for points in tf.unstack(self._rest(blend)))
        return tf.transpose(by_x * x + by_y * y + by_z * z + moved, [2, 0, 1])

    def _mixed(self, column):
        """Mixes a column of the bones' transforms, [J, 3 * N], for the vertices: [V, 3, N]."""
        mixed = self._weights @ tf.gather(column, self._bones)
        return tf.reshape(mixed, [mixed.shape[0], 3, -1])
