"""Rotations, cameras, normals and skinning beside TensorFlow Graphics, which others wrote."""

import numpy as np
import pytest
import tensorflow as tf
import trimesh

from hmr_tf2 import camera, crops
from hmr_tf2.smpl import batch_global_rigid_transformation, batch_rodrigues
from hmr_tf2.smpl.posed_body import PosedBody
from hmr_tf2.smpl.skinning import Skin
from hmr_tf2.standin import posing
from hmr_tf2.visualization import cameras
from hmr_tf2.visualization.renderer import vertex_normals

pytest.importorskip(
    "tensorflow_graphics",
    reason="TensorFlow Graphics is not installed; there is none for Python 3.12 and newer.",
)

from tensorflow_graphics.geometry.representation.mesh import normals  # noqa: E402
from tensorflow_graphics.geometry.transformation import (  # noqa: E402
    axis_angle,
    linear_blend_skinning,
    rotation_matrix_3d,
)
from tensorflow_graphics.rendering.camera import orthographic  # noqa: E402
from tensorflow_graphics.rendering.camera import perspective as pinhole  # noqa: E402

# HMR adds 1e-8 to each component inside the norm, which turns a rotation by up to 1.8e-8.
HMR_ANGLE_ERROR = 1e-7
FLOAT32_ROUNDING = 1e-6


@pytest.fixture
def theta(rng):
    """float64 [300, 3]: axis-angle vectors of angles from 1e-7 to 3.1, even on a log scale."""
    axis = rng.normal(size=(300, 3))
    angle = 10 ** rng.uniform(-7, np.log10(3.1), (300, 1))
    return angle * axis / np.linalg.norm(axis, axis=1, keepdims=True)


def graphics_matrices(theta):
    """float [..., 3, 3] of axis-angle vectors [..., 3], none of them zero."""
    angle = tf.norm(theta, axis=-1, keepdims=True)
    return rotation_matrix_3d.from_axis_angle(theta / angle, angle)


@pytest.mark.parametrize(
    "dtype, atol", [(np.float64, HMR_ANGLE_ERROR), (np.float32, FLOAT32_ROUNDING)]
)
def test_axis_angle_to_matrix(theta, dtype, atol):
    got = batch_rodrigues(theta.astype(dtype))
    np.testing.assert_allclose(got, graphics_matrices(theta), rtol=0, atol=atol)


def test_axis_angle_to_matrix_without_tensorflow(theta):
    got = posing.rotation_matrices(theta)
    np.testing.assert_allclose(got, graphics_matrices(theta), rtol=0, atol=HMR_ANGLE_ERROR)


def test_matrix_to_axis_angle(theta):
    axis, angle = axis_angle.from_rotation_matrix(batch_rodrigues(theta))
    np.testing.assert_allclose(axis * angle, theta, rtol=0, atol=HMR_ANGLE_ERROR)
    np.testing.assert_allclose(
        posing.axis_angle(graphics_matrices(theta).numpy()),
        axis * angle,
        rtol=0,
        atol=HMR_ANGLE_ERROR,
    )


def gradients(function, pull, *inputs):
    """The gradients of `sum(pull * function(*inputs))` by each of the inputs."""
    inputs = [tf.constant(value) for value in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = function(*inputs)
    return tape.gradient(value, inputs, output_gradients=tf.constant(pull))


def test_gradient_of_axis_angle_to_matrix(theta, rng):
    pull = rng.normal(size=(len(theta), 3, 3))
    (got,) = gradients(batch_rodrigues, pull, theta)
    (expected,) = gradients(graphics_matrices, pull, theta)
    # Each of the nine entries is off by so much and pulled by about 1.
    np.testing.assert_allclose(got, expected, rtol=0, atol=9 * HMR_ANGLE_ERROR)


def graphics_weak_perspective(points, cam):
    """float [N, K, 2] of points [N, K, 3] and cameras `[s, tx, ty]` [N, 3]."""
    scale, shift = cam[:, np.newaxis, :1], tf.pad(cam[:, np.newaxis, 1:], [[0, 0], [0, 0], [0, 1]])
    return scale * orthographic.project(points + shift)


@pytest.fixture
def cams(rng):
    """float32 [5, 3]: `[s, tx, ty]`."""
    return rng.uniform([0.3, -1, -1], [2, 1, 1], (5, 3)).astype(np.float32)


def test_weak_perspective_of_the_model(rng, cams):
    points = rng.normal(0, 0.6, (5, 19, 3)).astype(np.float32)
    got = camera.batch_orth_proj_idrot(points, cams)
    expected = graphics_weak_perspective(points, cams)
    np.testing.assert_allclose(got, expected, rtol=0, atol=FLOAT32_ROUNDING)


def test_gradients_of_weak_perspective(rng, cams):
    points = rng.normal(0, 0.6, (5, 19, 3)).astype(np.float32)
    pull = rng.normal(size=(5, 19, 2)).astype(np.float32)
    got = gradients(camera.batch_orth_proj_idrot, pull, points, cams)
    expected = gradients(graphics_weak_perspective, pull, points, cams)
    for a, b in zip(got, expected, strict=True):
        # Sums of 19 terms of about 1, in another order.
        np.testing.assert_allclose(a, b, rtol=0, atol=20 * FLOAT32_ROUNDING)


def test_weak_perspective_of_the_renderer(rng, cams):
    points = rng.normal(0, 0.6, (19, 3))
    for scale, tx, ty in cams.astype(np.float64):
        pixels, _ = cameras.weak_perspective(scale, (tx, ty), 224).project(points)
        seen = scale * orthographic.project(points + [tx, ty, 0])
        np.testing.assert_allclose(pixels, 112 * (1 + seen), rtol=1e-12, atol=1e-9)


def test_pinhole_of_the_renderer(rng, theta):
    for vector in theta[:10]:
        rotation, translation = (
            graphics_matrices(vector).numpy(),
            rng.normal(0, 0.2, 3) + [0, 0, 4],
        )
        focal, middle = rng.uniform(400, 900, 2), rng.uniform(100, 500, 2)
        points = rng.normal(0, 0.5, (19, 3))
        view = cameras.perspective(focal, middle, translation, rotation)
        local = rotation_matrix_3d.rotate(points, rotation) + translation
        pixels, depth = view.project(points)
        expected = pinhole.project(local, focal, middle)
        np.testing.assert_allclose(pixels, expected, rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(depth, local[:, 2], rtol=1e-12, atol=1e-9)


def test_pinhole_of_a_picture(rng):
    focal, middle = rng.uniform(400, 900, 2), rng.uniform(100, 500, 2)
    translation = rng.normal(0, 0.2, 3) + [0, 0, 4]
    points = rng.normal(0, 0.5, (19, 3))
    view = crops.PinholeCamera(focal, middle, translation)
    expected = pinhole.project(points + translation, focal, middle)
    np.testing.assert_allclose(view.project(points), expected, rtol=1e-12, atol=1e-9)


def test_vertex_normals(rng):
    ball = trimesh.creation.icosphere(subdivisions=2)
    vertices = ball.vertices + rng.normal(0, 0.05, ball.vertices.shape)
    # What is counter-clockwise to us, seen from outside, they call clockwise.
    expected = normals.vertex_normals(vertices, ball.faces.astype(np.int32), clockwise=True)
    np.testing.assert_allclose(vertex_normals(vertices, ball.faces), expected, rtol=0, atol=1e-12)


def test_linear_blend_skinning(rng):
    parents = [-1, 0, 1, 1]
    rotations = graphics_matrices(rng.normal(size=(2, 4, 3)))
    rest = rng.normal(size=(2, 4, 3))
    joints, transforms = batch_global_rigid_transformation(rotations, tf.constant(rest), parents)
    points, weights = rng.normal(size=(50, 3)), rng.dirichlet(np.ones(4), 50)
    expected = linear_blend_skinning.blend(
        points, weights, transforms[..., :3, :3], transforms[..., :3, 3]
    )

    def bodies_last(array):
        return tf.transpose(tf.cast(array, tf.float32))

    body = PosedBody(
        blend=tf.zeros([1, 2]),
        rotations=tf.transpose(tf.cast(rotations, tf.float32), [2, 3, 1, 0]),
        rest=bodies_last(rest),
        bone_rotations=tf.transpose(tf.cast(transforms[..., :3, :3], tf.float32), [2, 3, 1, 0]),
        positions=bodies_last(joints),
    )
    got = Skin(np.stack([points, np.zeros_like(points)]), weights)(body)
    # Coordinates of up to 8 through about ten float32 sums.
    np.testing.assert_allclose(got, expected, rtol=0, atol=10 * FLOAT32_ROUNDING)
