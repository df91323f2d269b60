"""The kinematic chain: joint rotations and rest positions to rigid transforms of the bones."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def tree_levels(parents: Sequence[int]) -> list[list[int]]:
    """Joints by their depth in the tree; the root (parent -1) alone is level 0.

    Raises:
        ValueError: a joint stands before its parent, or a second root is there.
    """
    depth = [0]
    for joint, parent in enumerate(parents[1:], start=1):
        if not 0 <= parent < joint:
            raise ValueError(f"Joint {joint} has parent {parent}; expected 0 to {joint - 1}.")
        depth.append(depth[parent] + 1)
    return [[j for j, d in enumerate(depth) if d == level] for level in range(max(depth) + 1)]


def global_transforms(
    Rs: tf.Tensor, Js: tf.Tensor, parents: Sequence[int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Chains the joints' rotations down the tree, one batched product a level.

    Args:
        Rs: float [N, J, 3, 3], rotation of each joint relative to its parent.
        Js: float [N, J, 3], rest positions, metres.
        parents: parent of each joint, -1 for the root.

    Returns:
        Rotations [N, J, 3, 3] and positions [N, J, 3] of the joints in the body's frame.
    """
    levels = tree_levels(parents)
    rotations, positions = [Rs[:, :1]], [Js[:, :1]]
    for above, level in zip(levels, levels[1:], strict=False):
        parent_of_level = [parents[j] for j in level]
        rows = [above.index(p) for p in parent_of_level]
        parent_rotations = tf.gather(rotations[-1], rows, axis=1)
        bones = tf.gather(Js, level, axis=1) - tf.gather(Js, parent_of_level, axis=1)
        rotations.append(parent_rotations @ tf.gather(Rs, level, axis=1))
        positions.append(
            tf.gather(positions[-1], rows, axis=1) + tf.linalg.matvec(parent_rotations, bones)
        )
    order = np.argsort([j for level in levels for j in level])
    return (
        tf.gather(tf.concat(rotations, axis=1), order, axis=1),
        tf.gather(tf.concat(positions, axis=1), order, axis=1),
    )


def batch_global_rigid_transformation(
    Rs: tf.Tensor, Js: tf.Tensor, parent: Sequence[int], rotate_base: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """Absolute joint positions and the 4x4 transforms that linear blend skinning mixes.

    Source: akanazawa/hmr src/tf_smpl/batch_lbs.py.

    Args:
        Rs: float [N, J, 3, 3], rotations relative to the parent.
        Js: float [N, J, 3], rest positions, metres.
        parent: parent of each joint; the root's entry is not read.
        rotate_base: turn the root by pi around x first.

    Returns:
        Posed joints [N, J, 3], and [N, J, 4, 4] transforms from rest pose to posed body.
    """
    parent = [-1, *(int(p) for p in parent[1:])]
    if rotate_base:
        flip = tf.constant(np.diag([1.0, -1.0, -1.0]), Rs.dtype)
        Rs = tf.concat([Rs[:, :1] @ flip, Rs[:, 1:]], axis=1)
    rotations, positions = global_transforms(Rs, Js, parent)
    translations = positions - tf.linalg.matvec(rotations, Js)
    top = tf.concat([rotations, translations[..., tf.newaxis]], axis=-1)
    bottom = tf.broadcast_to(
        tf.constant([0.0, 0.0, 0.0, 1.0], Rs.dtype), tf.concat([tf.shape(top)[:2], [1, 4]], axis=0)
    )
    return positions, tf.concat([top, bottom], axis=-2)
