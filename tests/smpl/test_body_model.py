"""The body: equal to a slow float64 reference by both routes, in every execution mode."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from smpl_reference import reference_body

from hmr_tf2.smpl import SMPL, load_smpl_file, plain_gradient


@pytest.fixture(scope="module")
def small(small_smpl_path):
    return SMPL(small_smpl_path)


@pytest.fixture(scope="module")
def expected(small_smpl_path, bodies):
    body = load_smpl_file(small_smpl_path)
    return [
        np.stack(x)
        for x in zip(
            *(reference_body(body, b, t) for b, t in zip(*bodies, strict=True)), strict=True
        )
    ]


@pytest.mark.parametrize("mode", ["eager", "function", "xla"])
def test_equals_float64_reference(small, bodies, expected, mode):
    def call(beta, theta):
        return small(beta, theta, get_skin=True)

    if mode != "eager":
        call = tf.function(call, jit_compile=mode == "xla")
    verts, joints, Rs = call(*map(tf.constant, bodies))
    np.testing.assert_allclose(verts, expected[0], atol=2e-6)
    np.testing.assert_allclose(joints, expected[1], atol=2e-6)
    assert Rs.shape == (5, 24, 3, 3)


def test_posed_joints_equal_float64_reference(small, bodies, expected):
    np.testing.assert_allclose(small.pose(*bodies).joints, expected[2], atol=2e-6)


def test_whole_mesh_equals_float64_reference(smpl_path, bodies):
    verts, joints, _ = SMPL(smpl_path)(*bodies, get_skin=True)
    expected = reference_body(load_smpl_file(smpl_path), bodies[0][0], bodies[1][0])
    np.testing.assert_allclose(verts[0], expected[0], atol=2e-6)
    np.testing.assert_allclose(joints[0], expected[1], atol=2e-6)


def test_any_number_of_bones_a_vertex(edited_smpl_file, bodies):
    rng = np.random.default_rng(5)
    weights = rng.random((120, 24))
    path = edited_smpl_file(weights=weights / weights.sum(axis=1, keepdims=True))
    expected = reference_body(load_smpl_file(path), bodies[0][0], bodies[1][0])
    np.testing.assert_allclose(SMPL(path)(*bodies, get_skin=True)[0][0], expected[0], atol=2e-6)


@pytest.mark.parametrize("batch", [0, 1, 3])
def test_any_batch_size(small, batch):
    verts, joints, Rs = small(tf.zeros([batch, 10]), tf.zeros([batch, 72]), get_skin=True)
    assert (verts.shape, joints.shape, Rs.shape) == (
        (batch, 120, 3),
        (batch, 19, 3),
        (batch, 24, 3, 3),
    )


def test_gradient_of_no_bodies_is_empty(small):
    beta, theta = tf.zeros([0, 10]), tf.zeros([0, 72])
    with tf.GradientTape() as tape:
        tape.watch((beta, theta))
        verts, joints, _ = small(beta, theta, get_skin=True)
        total = tf.reduce_sum(verts) + tf.reduce_sum(joints)
    assert [g.shape for g in tape.gradient(total, (beta, theta))] == [(0, 10), (0, 72)]


def test_a_body_that_is_not_finite_leaves_the_others_alone(small, bodies, expected):
    beta, theta = map(np.copy, bodies)
    theta[2, 5], beta[3, 0] = np.nan, np.inf
    verts, joints, _ = small(beta, theta, get_skin=True)
    others = [0, 1, 4]
    np.testing.assert_allclose(verts.numpy()[others], expected[0][others], atol=2e-6)
    np.testing.assert_allclose(joints.numpy()[others], expected[1][others], atol=2e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_stays_float32_in_half_precision(small_smpl_path, bodies, expected, policy):
    keras.mixed_precision.set_global_policy(policy)
    try:
        small = SMPL(small_smpl_path)
        verts, joints, _ = small(*bodies, get_skin=True)
        of_half = small(*(tf.cast(x, policy.removeprefix("mixed_")) for x in bodies))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    np.testing.assert_allclose(verts, expected[0], atol=2e-6)
    np.testing.assert_allclose(joints, expected[1], atol=2e-6)
    assert of_half.dtype == tf.float32


def test_taken_bodies_are_those_of_the_numbers(small, bodies, expected):
    body = small.pose(*bodies).take([3, 0])
    np.testing.assert_allclose(small.vertices_of(body), expected[0][[3, 0]], atol=2e-6)
    np.testing.assert_allclose(body.joints, expected[2][[3, 0]], atol=2e-6)


def test_faces_index_the_vertices(small):
    assert small.faces.shape[1] == 3 and small.faces.max() < small.v_template.shape[0]


def test_unknown_joint_type_is_refused(small_smpl_path):
    with pytest.raises(ValueError, match="cocoplus, lsp; got 'h36m'"):
        SMPL(small_smpl_path, joint_type="h36m")


def test_survives_a_saved_model(small, bodies, tmp_path):
    module = tf.Module()
    module.smpl = small
    module.serve = tf.function(
        lambda beta, theta: small(beta, theta, get_skin=True)[:2],
        input_signature=[tf.TensorSpec([None, n]) for n in (10, 72)],
    )
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for got, want in zip(loaded.serve(*bodies), small(*bodies, get_skin=True), strict=False):
        np.testing.assert_allclose(got, want, atol=1e-6)


def saved_keypoints(small, folder):
    module = tf.Module()
    module.smpl = small
    module.serve = tf.function(
        small.keypoints, input_signature=[tf.TensorSpec([None, n]) for n in (10, 72)]
    )
    tf.saved_model.save(module, str(folder))
    return str(folder)


def pose_gradient(keypoints, bodies):
    beta, theta = map(tf.constant, bodies)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        loss = tf.reduce_sum(tf.square(keypoints(beta, theta)))
    return tape.gradient(loss, theta)


def test_a_saved_model_refuses_to_be_differentiated_rather_than_answer_wrongly(
    small, bodies, tmp_path
):
    loaded = tf.saved_model.load(saved_keypoints(small, tmp_path))
    with pytest.raises(tf.errors.InvalidArgumentError, match="save it in `plain_gradient`"):
        pose_gradient(loaded.serve, bodies)


def test_a_saved_model_with_the_plain_gradient_gives_that_of_the_model(small, bodies, tmp_path):
    with plain_gradient():
        folder = saved_keypoints(small, tmp_path)
    loaded = tf.saved_model.load(folder)
    got = pose_gradient(loaded.serve, bodies)
    expected = pose_gradient(small.keypoints, bodies)
    np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


def test_a_saved_model_with_the_plain_gradient_is_given_back(small, tmp_path):
    with plain_gradient():
        folder = saved_keypoints(small, tmp_path)
    loaded = tf.saved_model.load(folder)
    graph = weakref.ref(loaded.serve.concrete_functions[0].graph)
    del loaded
    gc.collect()
    assert graph() is None


def test_a_function_that_is_gone_leaves_nothing_behind(small, bodies):
    """A gradient that is registered for good must not hold the graph it was traced in."""

    def traced():
        @tf.function
        def loss_gradient(beta, theta):
            with tf.GradientTape() as tape:
                tape.watch(theta)
                loss = tf.reduce_sum(small.keypoints(beta, theta))
            return tape.gradient(loss, theta)

        concrete = loss_gradient.get_concrete_function(*map(tf.constant, bodies))
        return weakref.ref(concrete.graph)

    graph = traced()
    gc.collect()
    assert graph() is None
