"""The kinematic chain: joint rotations and rest positions to rigid transforms of the bones.

Inside, components stand first and bodies last (matrices [3, 3, J, N], points [3, J, N]), so that
a product of many small matrices is a few operations on long vectors.
"""

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


def forward_kinematics(
    rotations: tf.Tensor, bones: tf.Tensor, parents: Sequence[int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Chains the joints' rotations down the tree, one product a level.

    The gradient needs no chain: what pulls at the bones below a joint turns them about it, and
    these torques, taken about the origin, add up over the subtree.

    Args:
        rotations: float [3, 3, J, N], of each joint relative to its parent. The gradient is right
            for rotations only, not for other matrices.
        bones: float [3, J, N], from each joint's parent to the joint at rest, metres; for the
            root its position.
        parents: parent of each joint, -1 for the root.

    Returns:
        Rotations [3, 3, J, N] and positions [3, J, N] of the joints in the body's frame.
    """
    levels = tree_levels(parents)
    reach = _ancestors(parents).astype(rotations.dtype.as_numpy_dtype)

    @tf.custom_gradient
    def chain(rotations, bones):
        world = _chain_rotations(rotations, parents, levels)
        identity = tf.eye(3, dtype=world.dtype)[:, :, tf.newaxis, tf.newaxis]
        identity = tf.broadcast_to(identity, tf.shape(world[:, :, :1]))
        frame = _of_parents(identity, world, parents)
        positions = tf.matmul(reach, turned(frame, bones))

        def gradient(d_world, d_positions):
            force = tf.matmul(reach.T, d_positions)
            about_origin = _product(columns(d_world), columns(world))
            about_origin += _outer(d_positions, positions)
            torque = tf.matmul(reach.T, about_origin) - _outer(force, positions)
            in_frame = _product(rows(frame), rows(torque))
            d_rotations = _product(columns(in_frame), rows(world))
            return d_rotations, tf.reduce_sum(frame * force[:, tf.newaxis], axis=0)

        return (world, positions), gradient

    return chain(rotations, bones)


def turned(matrices: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Matrices [3, 3, ...] times points [3, ...]."""
    return tf.reduce_sum(matrices * points, axis=1)


def rows(matrices: tf.Tensor) -> list[tf.Tensor]:
    """Of [3, 3, ...]: three [3, ...]."""
    return tf.unstack(matrices, axis=0)


def columns(matrices: tf.Tensor) -> list[tf.Tensor]:
    """Of [3, 3, ...]: three [3, ...]."""
    return tf.unstack(matrices, axis=1)


def global_transforms(
    Rs: tf.Tensor, Js: tf.Tensor, parents: Sequence[int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """`forward_kinematics` with the bodies first.

    Args:
        Rs: float [N, J, 3, 3], rotation of each joint relative to its parent.
        Js: float [N, J, 3], rest positions, metres.
        parents: parent of each joint, -1 for the root.

    Returns:
        Rotations [N, J, 3, 3] and positions [N, J, 3] of the joints in the body's frame.
    """
    rest = tf.transpose(Js, [2, 1, 0])
    bones = rest - _of_parents(tf.zeros_like(rest[:, :1]), rest, parents)
    rotations, positions = forward_kinematics(tf.transpose(Rs, [2, 3, 1, 0]), bones, parents)
    return tf.transpose(rotations, [3, 2, 0, 1]), tf.transpose(positions, [2, 1, 0])


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


def _ancestors(parents):
    """[J, J], 1 where the column's joint is the row's or above it."""
    reach = np.eye(len(parents))
    for joint, parent in enumerate(parents[1:], start=1):
        reach[joint] += reach[parent]
    return reach


def _chain_rotations(rotations, parents, levels):
    world = [rotations[:, :, :1]]
    for above, level in zip(levels, levels[1:], strict=False):
        frame = tf.gather(world[-1], [above.index(parents[j]) for j in level], axis=2)
        world.append(_product(columns(frame), rows(tf.gather(rotations, level, axis=2))))
    order = np.argsort([j for level in levels for j in level])
    return tf.gather(tf.concat(world, axis=2), order, axis=2)


def _of_parents(of_root, of_joints, parents):
    """What belongs to each joint's parent, along the last axis but one; the root has none."""
    return tf.gather(tf.concat([of_root, of_joints], axis=-2), np.add(parents, 1), axis=-2)


def _outer(a, b):
    return a[:, tf.newaxis] * b


def _product(columns_of_first, rows_of_second):
    """The matrix product, as the sum of its outer products."""
    first, second, third = map(_outer, columns_of_first, rows_of_second)
    return first + second + third
