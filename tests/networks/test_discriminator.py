"""The discriminator: equal to the original on motion capture, each output of what it judges."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hmr_tf2.networks.discriminator import NUM_OUTPUTS, Discriminator_separable_rotations

FILES = ("golden_hmr_seed0.npz", "golden_hmr_seed8_2d_T2.npz")


def made():
    discriminator = Discriminator_separable_rotations()
    discriminator(tf.zeros([1, 23, 3, 3]), tf.zeros([1, 10]))
    return discriminator


@pytest.fixture(scope="module")
def discriminator(reference, tf1_variables):
    """With the reference weights, found by their TF 1 names."""
    made_one = made()
    weights = {n: reference.weight(n, s) for n, s in tf1_variables if n.startswith("D/")}
    for variable in made_one.variables:
        name = variable.name.split(":")[0].removeprefix("D/D/").removeprefix("D/")
        if name.startswith("pose_out"):
            kind = name.split("/")[-1]
            value = np.stack([weights[f"D/pose_out_j{j}/{kind}"] for j in range(23)])
        else:
            name, kind = name.rsplit("/", 1)
            value = weights[f"D/{name}/{dict(kernel='weights', bias='biases')[kind]}"]
        variable.assign(value.reshape(variable.shape))
    return made_one


@pytest.fixture
def bodies(rng):
    return rng.normal(size=(4, 23, 3, 3)).astype(np.float32), rng.normal(size=(4, 10)).astype("f4")


@pytest.mark.parametrize("file", FILES)
def test_equals_the_original_on_motion_capture(file, golden, reference, discriminator):
    arrays, meta = golden(file)
    batch = reference.batch(meta["seed"], meta["n"], num_stage=meta["num_stage"])
    rotations = reference.rodrigues(batch["mocap_pose"].reshape(-1, 24, 3))[:, 1:]
    got = discriminator(rotations.astype(np.float32), batch["mocap_shape"])
    assert got.shape[1] == NUM_OUTPUTS
    # The rows of motion capture come first, those of predictions behind them.
    expected = arrays["step0/d_out"][: len(got)]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_a_rotation_moves_the_output_of_its_joint_and_of_all_together(discriminator, bodies):
    rotations, shapes = bodies
    before = discriminator(rotations, shapes).numpy()
    for joint in (0, 11, 22):
        changed = rotations.copy()
        changed[:, joint] += 1.0
        moved = (discriminator(changed, shapes).numpy() != before).any(axis=0)
        assert np.flatnonzero(moved).tolist() == [joint, 23]


def test_the_shape_moves_the_last_output_alone(discriminator, bodies):
    rotations, shapes = bodies
    before = discriminator(rotations, shapes).numpy()
    moved = (discriminator(rotations, shapes + 1.0).numpy() != before).any(axis=0)
    assert np.flatnonzero(moved).tolist() == [24]


def test_bodies_are_judged_one_by_one(discriminator, bodies):
    together = discriminator(*bodies)
    for n in range(4):
        alone = discriminator(*(part[n : n + 1] for part in bodies))
        np.testing.assert_allclose(alone[0], together[n], rtol=1e-5, atol=1e-5)


def test_the_outputs_of_the_joints_start_as_xavier_uniform_of_32_to_1():
    """Glorot and Bengio 2010: uniform up to sqrt(6 / (inputs + outputs)); biases zero."""
    tf.random.set_seed(0)
    new = made()
    weights = new.pose_out_weights.numpy()
    limit = np.sqrt(6 / 33)
    assert 0.98 * limit < weights.max() <= limit and -limit <= weights.min() < -0.98 * limit
    # The standard deviation of a uniform distribution is its half width over sqrt(3).
    assert weights.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)
    assert not new.pose_out_biases.numpy().any()


def test_computes_in_float32_under_every_policy(bodies):
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        assert made()(*bodies).dtype == tf.float32
    finally:
        keras.mixed_precision.set_global_policy("float32")
