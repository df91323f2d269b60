"""The kinematic chain: equal to a joint-by-joint chain, values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2.smpl import batch_global_rigid_transformation, batch_rodrigues, plain_gradient
from hmr_tf2.smpl.kinematics import global_transforms, tree_levels

SMPL_PARENTS = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
# The last tree does not lie level by level.
TREES = [[-1], [-1, 0, 1, 2], [-1, 0, 1, 2, 0, 4, 1]]


def test_rigid_transformations_equal_a_joint_by_joint_chain():
    rng = np.random.default_rng(2)
    parents = [-1, 0, 0, 1, 3, 2]
    Rs = batch_rodrigues(rng.normal(size=(2, 6, 3)).astype(np.float32))
    Js = rng.normal(size=(2, 6, 3)).astype(np.float32)
    joints, transforms = batch_global_rigid_transformation(Rs, Js, parents)
    for n in range(2):
        world = []
        for j, parent in enumerate(parents):
            local = np.eye(4)
            local[:3, :3] = Rs[n, j]
            local[:3, 3] = Js[n, j] - (Js[n, parent] if j else 0)
            world.append(world[parent] @ local if j else local)
            np.testing.assert_allclose(joints[n, j], world[j][:3, 3], atol=1e-5)
            np.testing.assert_allclose(
                transforms[n, j].numpy() @ [*Js[n, j], 1.0], [*world[j][:3, 3], 1.0], atol=1e-5
            )


def test_rotate_base_turns_the_whole_body_upside_down():
    rng = np.random.default_rng(3)
    Rs = tf.eye(3, batch_shape=[1, 3])
    Js = rng.normal(size=(1, 3, 3)).astype(np.float32)
    upright, _ = batch_global_rigid_transformation(Rs, Js, [-1, 0, 1])
    turned, _ = batch_global_rigid_transformation(Rs, Js, [-1, 0, 1], rotate_base=True)
    np.testing.assert_allclose(
        turned - turned[:, :1], (upright - upright[:, :1]) * [1, -1, -1], atol=1e-6
    )


@pytest.mark.parametrize("parent", [-1, 1, 2])
def test_a_joint_that_does_not_come_after_its_parent_is_refused(parent):
    with pytest.raises(ValueError, match=f"Joint 1 has parent {parent}; expected 0 to 0."):
        tree_levels([-1, parent, 0])


@pytest.mark.parametrize("parents", TREES, ids=str)
@pytest.mark.parametrize("angle", [0.0, 1e-7, 1.0, np.pi])
def test_gradient_of_the_chain_equals_finite_differences(rng, parents, angle):
    theta = rng.normal(size=(len(parents), 3))
    theta *= angle / np.linalg.norm(theta, axis=-1, keepdims=True)
    pull = rng.normal(size=(len(parents), 3, 4))
    at = np.concatenate([theta.ravel(), rng.normal(size=theta.size)])

    def total(values):
        theta, rest = tf.unstack(tf.reshape(values, [-1, 2, len(parents), 3]), axis=1)
        rotations, positions = global_transforms(batch_rodrigues(theta), rest, parents)
        transforms = tf.concat([rotations, positions[..., tf.newaxis]], axis=-1)
        return tf.reduce_sum(pull * transforms, axis=[1, 2, 3])

    moves = 1e-4 * np.eye(at.size)
    numeric = (total(at + moves) - total(at - moves)) / 2e-4
    with tf.GradientTape() as tape:
        value = tf.constant(at)
        tape.watch(value)
        exact = tape.gradient(total(value), value)
    np.testing.assert_allclose(exact, numeric, atol=1e-6)


@pytest.mark.parametrize(
    "run", [lambda f: f(), lambda f: tf.function(f)()], ids=["eager", "graph"]
)
def test_gradient_by_matrix_entries_equals_a_plain_chain(rng, run):
    theta = rng.normal(size=(3, 24, 3)).astype(np.float32)
    Rs, rest = batch_rodrigues(theta), tf.constant(rng.normal(size=(3, 24, 3)), tf.float32)
    pull = rng.normal(size=(3, 24, 3, 4)).astype(np.float32)

    def plain_chain(Rs, rest, parents):
        rotations, positions = [Rs[:, 0]], [rest[:, 0]]
        for j, parent in enumerate(parents[1:], start=1):
            bone = rest[:, j] - rest[:, parent]
            positions.append(positions[parent] + tf.linalg.matvec(rotations[parent], bone))
            rotations.append(rotations[parent] @ Rs[:, j])
        return tf.stack(rotations, axis=1), tf.stack(positions, axis=1)

    def values_and_gradients(chain):
        with tf.GradientTape() as tape:
            tape.watch((Rs, rest))
            rotations, positions = chain(Rs, rest, SMPL_PARENTS)
            moved = tf.concat([rotations, positions[..., tf.newaxis]], axis=-1)
            total = tf.reduce_sum(moved * pull)
        return moved, *tape.gradient(total, (Rs, rest))

    ours = run(lambda: values_and_gradients(global_transforms))
    for got, expected in zip(ours, values_and_gradients(plain_chain), strict=True):
        np.testing.assert_allclose(got, expected, atol=5e-5)


def test_the_gradient_in_a_graph_does_not_run_back_through_the_levels():
    """It takes less than half of the operations of TensorFlow's own, which does."""

    def num_operations(differentiate):
        @tf.function(autograph=False)
        def chain(Rs, rest):
            transforms = global_transforms(Rs, rest, SMPL_PARENTS)
            return tf.gradients(transforms, (Rs, rest)) if differentiate else transforms

        function = chain.get_concrete_function(
            tf.eye(3, batch_shape=[1, 24]), tf.zeros([1, 24, 3])
        )
        return len(function.graph.get_operations())

    ours = num_operations(True) - num_operations(False)
    with plain_gradient():
        tensorflows = num_operations(True) - num_operations(False)
    assert ours < tensorflows / 2
