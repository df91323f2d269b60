"""The kinematic chain: from joint rotations and rest positions to rigid transforms of the bones.

Inside, components stand first and bodies last (matrices [3, 3, J, N], points [3, J, N]). A product
of many 3 x 3 matrices is then 27 multiplications of long contiguous vectors; with the usual order
[N, J, 3, 3] a batched matrix product spends its time on starting tiny ones.
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

_PLAIN_GRADIENT = contextvars.ContextVar("plain_gradient", default=False)


@contextlib.contextmanager
def plain_gradient() -> Iterator[None]:
    """Graphs traced within it have TensorFlow's own gradient of the chain: right, but slower.

    For SavedModels: what a program registers for any other gradient when it loads one, it never
    gives back, and so it would keep all that it ever loaded.
    """
    token = _PLAIN_GRADIENT.set(True)
    try:
        yield
    finally:
        _PLAIN_GRADIENT.reset(token)


def tree_levels(parents: Sequence[int]) -> list[list[int]]:
    """Joints grouped by their depth in the tree; level 0 is the root (parent -1) alone.

    Raises:
        ValueError: a joint comes before its parent, or there is a second root.
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
    """Chains the joints' rotations down the tree, with one product per level.

    The gradient needs no chain: forces on the bones below a joint turn them about that joint, and
    the torques of these forces, taken about the origin, add up over the subtree.

    Args:
        rotations: float [3, 3, J, N], rotation of each joint relative to its parent. The gradient
            is right for rotations only, not for other matrices.
        bones: float [3, J, N], from each joint's parent to the joint at rest, metres; for the
            root its position.
        parents: parent of each joint, -1 for the root.

    Returns:
        Rotations [3, 3, J, N] and positions [3, J, N] of the joints in the body's frame.
    """
    parents = tuple(int(parent) for parent in parents)
    levels = tree_levels(parents)

    def chain(rotations, bones):
        world = _chain_rotations(rotations, parents, levels)
        # A bone is turned by its parent joint: `frame` is what the parent's rotation became, and
        # the identity for the root. A joint is where the turned bones on the way to it lead.
        identity = tf.eye(3, dtype=world.dtype)[:, :, tf.newaxis, tf.newaxis]
        identity = tf.broadcast_to(identity, tf.shape(world[:, :, :1]))
        frame = _of_parents(identity, world, parents)
        return world, tf.matmul(_reach(parents, world.dtype), turned(frame, bones)), frame

    # TensorFlow's own gradient would run back through all levels, and keep every level's product.
    if tf.executing_eagerly():

        @tf.custom_gradient
        def with_gradient(rotations, bones):
            outputs = world, positions, frame = chain(rotations, bones)
            return (world, positions), lambda *d: _chain_gradient(*outputs, *d, parents)

        return with_gradient(rotations, bones)
    if _PLAIN_GRADIENT.get():
        return chain(rotations, bones)[:2]
    # In a graph `tf.custom_gradient` registers a new function at each call, for good, and with it
    # the whole graph around: every model that was ever traced would stay in memory. The values
    # that one function for all graphs needs go through the operation that it is registered for.
    override = {"IdentityN": _registered_gradient(parents)}
    with tf.compat.v1.get_default_graph().gradient_override_map(override):
        return tuple(tf.identity_n([*chain(rotations, bones), rotations, bones])[:2])


@functools.cache
def _registered_gradient(parents: tuple[int, ...]) -> str:
    """The name of the registered gradient of `forward_kinematics` for this tree."""
    name = f"hmr_tf2.forward_kinematics/{','.join(map(str, parents))}"

    @tf.RegisterGradient(name)
    def gradient(op, d_world, d_positions, *like_inputs):
        if op is None:
            return [None, None, None, *_no_gradient(like_inputs[1:])]
        d_chain = _chain_gradient(*op.inputs[:3], d_world, d_positions, parents)
        return [None, None, None, *d_chain]

    return name


def _no_gradient(like):
    """For `tf.saved_model.save`, which wants a gradient that needs no operation's values."""
    refused = tf.debugging.Assert(
        False,
        ["This SavedModel has no gradient for the body's pose: save it in `plain_gradient`."],
    )
    with tf.control_dependencies([refused]):
        return [tf.identity(tensor) for tensor in like]


def _chain_gradient(world, positions, frame, d_world, d_positions, parents):
    """What comes in for `world` and `positions`, taken back to rotations and bones.

    With W = `world`, F = `frame`, p = `positions`: a change dR_j of joint j moves all k in its
    subtree, and as R_j and F_j are rotations (their inverse is their transpose),
        dW_k = F_j dR_j W_j' W_k   and   dp_k = F_j dR_j W_j' (p_k - p_j).
    Hence the gradient for R_j is F_j' T_j W_j, with the sum over the subtree
        T_j = sum_k (gW_k W_k' + gp_k (p_k - p_j)'),
    where gW and gp are the gradients that come in.
    """
    reach = _reach(parents, world.dtype)
    # The force on each subtree; p_k is the sum of F_j bone_j over j on the way to k.
    force = tf.matmul(reach.T, d_positions)
    # All of T_j but p_j is independent of j, so the sums over all subtrees are one product with
    # `reach`. The antisymmetric part of T_j is the torque about joint j. Changes that keep R_j a
    # rotation feel nothing else, but the rest is kept, so that the gradient is that of the plain
    # chain.
    about_origin = _product(columns(d_world), columns(world))
    about_origin += _outer(d_positions, positions)
    torque = tf.matmul(reach.T, about_origin) - _outer(force, positions)
    in_frame = _product(rows(frame), rows(torque))
    d_rotations = _product(columns(in_frame), rows(world))
    return d_rotations, tf.reduce_sum(frame * force[:, tf.newaxis], axis=0)


def _reach(parents: tuple[int, ...], dtype: tf.DType) -> np.ndarray:
    """Sums over ancestors, and with the transpose over subtrees, as one product [J, J].

    Its zeros cost less than a step per level of the tree would.
    """
    return _ancestors(parents).astype(dtype.as_numpy_dtype)


def turned(matrices: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Matrices [3, 3, ...] times points [3, ...]."""
    return tf.reduce_sum(matrices * points, axis=1)


def rows(matrices: tf.Tensor) -> list[tf.Tensor]:
    """The rows of matrices [3, 3, ...]: three tensors [3, ...]."""
    return tf.unstack(matrices, axis=0)


def columns(matrices: tf.Tensor) -> list[tf.Tensor]:
    """The columns of matrices [3, 3, ...]: three tensors [3, ...]."""
    return tf.unstack(matrices, axis=1)


def global_transforms(
    Rs: tf.Tensor, Js: tf.Tensor, parents: Sequence[int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """`forward_kinematics` for tensors with the bodies first.

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
    """Posed joint positions, and the 4x4 transforms that linear blend skinning mixes.

    Source: akanazawa/hmr src/tf_smpl/batch_lbs.py.

    Args:
        Rs: float [N, J, 3, 3], rotations relative to the parent.
        Js: float [N, J, 3], rest positions, metres.
        parent: parent of each joint; the root's entry is ignored.
        rotate_base: whether to turn the root by pi around x first.

    Returns:
        Posed joints [N, J, 3], and [N, J, 4, 4] transforms from rest pose to posed body.
    """
    parent = [-1, *(int(p) for p in parent[1:])]
    if rotate_base:
        flip = tf.constant(np.diag([1.0, -1.0, -1.0]), Rs.dtype)
        Rs = tf.concat([Rs[:, :1] @ flip, Rs[:, 1:]], axis=1)
    rotations, positions = global_transforms(Rs, Js, parent)
    # Vertices are in the rest pose, not relative to a joint: R (x - J) + p = R x + (p - R J).
    translations = positions - tf.linalg.matvec(rotations, Js)
    top = tf.concat([rotations, translations[..., tf.newaxis]], axis=-1)
    bottom = tf.broadcast_to(
        tf.constant([0.0, 0.0, 0.0, 1.0], Rs.dtype), tf.concat([tf.shape(top)[:2], [1, 4]], axis=0)
    )
    return positions, tf.concat([top, bottom], axis=-2)


def _ancestors(parents):
    """[J, J], 1 where the column's joint is the row's own or one of its ancestors."""
    # Parents come before their children (`tree_levels` checks it), so each row is final in time.
    reach = np.eye(len(parents))
    for joint, parent in enumerate(parents[1:], start=1):
        reach[joint] += reach[parent]
    return reach


def _chain_rotations(rotations, parents, levels):
    # One product per level of the tree below the root (8 for SMPL) instead of one per joint (23):
    # the joints of a level do not depend on each other. At the end their own order is restored.
    world = [rotations[:, :, :1]]
    for above, level in zip(levels, levels[1:], strict=False):
        frame = tf.gather(world[-1], [above.index(parents[j]) for j in level], axis=2)
        world.append(_product(columns(frame), rows(tf.gather(rotations, level, axis=2))))
    order = np.argsort([j for level in levels for j in level])
    return tf.gather(tf.concat(world, axis=2), order, axis=2)


def _of_parents(of_root, of_joints, parents):
    """Gathers each joint's parent's entry along the last axis but one; the root gets `of_root`."""
    # `of_root` is entry 0, so that parent -1 finds it at -1 + 1.
    return tf.gather(tf.concat([of_root, of_joints], axis=-2), np.add(parents, 1), axis=-2)


def _outer(a, b):
    return a[:, tf.newaxis] * b


def _product(columns_of_first, rows_of_second):
    """The matrix product as a sum of outer products; given rows for columns, it transposes."""
    first, second, third = map(_outer, columns_of_first, rows_of_second)
    return first + second + third
