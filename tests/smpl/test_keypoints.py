"""Keypoints: two routes, equal to the float64 reference in values and gradients."""

import numpy as np
import pytest
import scipy.sparse as sp
import tensorflow as tf
from smpl_reference import reference_body

from hmr_tf2.smpl import SMPL, body_model, load_smpl_file
from hmr_tf2.smpl.keypoints import (
    ContractedKeypoints,
    SkinnedKeypoints,
    make_keypoints,
    moving_pairs,
)


def sparse_regressor(num_rows, num_vertices=120, num_near=4):
    """Rows that average a few vertices each."""
    rng = np.random.default_rng(num_rows)
    rows = np.zeros((num_rows, num_vertices))
    for row in rows:
        row[rng.choice(num_vertices, num_near, replace=False)] = rng.dirichlet(np.ones(num_near))
    return rows


@pytest.fixture(params=["contracted", "skinned"])
def by_route(request, small_smpl_path, monkeypatch):
    """The small body with either route, whichever it would take itself."""
    make = {
        "contracted": ContractedKeypoints,
        "skinned": lambda regressor, weights, shapes, _: SkinnedKeypoints(
            regressor, weights, shapes
        ),
    }
    monkeypatch.setattr(body_model, "make_keypoints", make[request.param])
    return SMPL(small_smpl_path)


def test_equal_the_regressed_vertices_of_a_whole_mesh(smpl_path, bodies):
    smpl = SMPL(smpl_path)
    regressor = np.asarray(load_smpl_file(smpl_path)["cocoplus_regressor"].todense())
    verts, joints, _ = smpl(*bodies, get_skin=True)
    assert isinstance(smpl._keypoints, ContractedKeypoints)
    np.testing.assert_allclose(joints, np.einsum("kv,nvc->nkc", regressor, verts), atol=5e-6)
    np.testing.assert_allclose(smpl.keypoints(*bodies), joints, atol=1e-6)
    np.testing.assert_allclose(smpl(*bodies), joints, atol=1e-6)


@pytest.mark.parametrize("num_rows", [14, 19, 25])
@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_any_regressor_equals_float64_reference(edited_smpl_file, bodies, kind, num_rows):
    rows = sparse_regressor(num_rows, num_near=4 if kind == "sparse" else 120)
    path = edited_smpl_file(cocoplus_regressor=sp.csc_matrix(rows) if kind == "sparse" else rows)
    got = SMPL(path)(*bodies)
    body = load_smpl_file(path)
    for n, (beta, theta) in enumerate(zip(*bodies, strict=True)):
        np.testing.assert_allclose(got[n], reference_body(body, beta, theta)[1], atol=2e-6)


def test_values_and_gradients_equal_float64_reference(by_route, small_smpl_path, bodies):
    body = load_smpl_file(small_smpl_path)
    pull = np.random.default_rng(2).normal(size=(5, 19, 3)).astype(np.float32)
    variables = tuple(map(tf.constant, bodies))
    with tf.GradientTape() as tape:
        tape.watch(variables)
        keypoints = by_route.keypoints(*variables)
        total = tf.reduce_sum(pull * keypoints)
    found = tape.gradient(total, variables)
    for n in range(5):
        expected, *gradients = reference_gradient(body, bodies[0][n], bodies[1][n], pull[n])
        np.testing.assert_allclose(keypoints[n], expected, atol=2e-6)
        for got, numeric in zip(found, gradients, strict=True):
            np.testing.assert_allclose(got[n], numeric, atol=2e-5 * np.abs(numeric).max())


def reference_gradient(body, beta, theta, pull, step=1e-4):
    """Keypoints, and by central differences in float64 the gradients of their sum times `pull`."""
    at = np.concatenate([beta, theta]).astype(np.float64)

    def keypoints(x):
        return reference_body(body, x[:10], x[10:])[1]

    moves = step * np.eye(at.size)
    slope = [np.sum(pull * (keypoints(at + m) - keypoints(at - m))) / (2 * step) for m in moves]
    return keypoints(at), np.array(slope[:10]), np.array(slope[10:])


@pytest.mark.parametrize("angle", [0.0, 1e-8, 1e-5, np.pi, 2 * np.pi])
def test_gradient_where_every_joint_is_singular(by_route, small_smpl_path, angle):
    body = load_smpl_file(small_smpl_path)
    rng = np.random.default_rng(3)
    axes = rng.normal(size=(24, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    theta = (angle * axes).ravel().astype(np.float32)
    beta, pull = rng.normal(size=10).astype(np.float32), rng.normal(size=(19, 3))
    variables = tf.constant(beta[np.newaxis]), tf.constant(theta[np.newaxis])
    with tf.GradientTape() as tape:
        tape.watch(variables)
        total = tf.reduce_sum(pull.astype(np.float32) * by_route.keypoints(*variables))
    _, *gradients = reference_gradient(body, beta, theta, pull)
    for got, numeric in zip(tape.gradient(total, variables), gradients, strict=True):
        np.testing.assert_allclose(got[0], numeric, atol=2e-5 * np.abs(numeric).max())


@pytest.mark.parametrize(
    "jit_compile",
    [False, pytest.param(True, marks=pytest.mark.slow)],
    ids=["function", "xla"],
)
def test_gradients_are_the_same_compiled_and_each_time(by_route, bodies, jit_compile):
    def gradients(beta, theta):
        with tf.GradientTape() as tape:
            tape.watch((beta, theta))
            total = tf.reduce_sum(tf.square(by_route.keypoints(beta, theta)))
        return tape.gradient(total, (beta, theta))

    eager = gradients(*map(tf.constant, bodies))
    compiled = tf.function(gradients, jit_compile=jit_compile)
    first = compiled(*map(tf.constant, bodies))
    for a, b in zip(first, eager, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for _ in range(20):
        for a, b in zip(compiled(*map(tf.constant, bodies)), first, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_cheaper_route_is_taken():
    rng = np.random.default_rng(4)
    shapes, rest_shapes = np.zeros((1 + 217, 120, 3)), np.zeros((11, 24, 3))
    weights = np.eye(24)[rng.integers(24, size=120)]
    few, many = sparse_regressor(19), np.ones((19, 120))
    assert isinstance(make_keypoints(few, weights, shapes, rest_shapes), ContractedKeypoints)
    # 19 * 24 pairs would be blended instead of 120 vertices.
    assert isinstance(make_keypoints(many, weights, shapes, rest_shapes), SkinnedKeypoints)


def test_a_bone_whose_weights_cancel_still_moves_its_keypoint():
    weights = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    regressor = np.array([[1.0, -1.0, 1.0]])
    np.testing.assert_array_equal(moving_pairs(regressor, weights), [[0, 0], [0, 1]])
    np.testing.assert_array_equal(moving_pairs(regressor[:, :2], weights[:2]), [[0, 0]])


def test_lsp_joints_are_the_first_fourteen(small_smpl_path, bodies):
    lsp, cocoplus = SMPL(small_smpl_path, joint_type="lsp"), SMPL(small_smpl_path)
    np.testing.assert_allclose(lsp(*bodies), cocoplus(*bodies)[:, :14], atol=1e-6)
