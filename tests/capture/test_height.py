"""People of known height: they get it, by a small change, and stay where they are drawn."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2.capture import height
from hmr_tf2.crops import CropPlace
from hmr_tf2.smpl import SMPL
from hmr_tf2.smpl.rig import load_rig
from hmr_tf2.standin.body import write_model_files
from hmr_tf2.theta import decode_theta, split_theta

IMG_SIZE = 224
HEIGHTS_M = (0.6, 1.1, 1.55, 1.83, 2.4)


@pytest.fixture(scope="module")
def body_path(tmp_path_factory):
    return write_model_files(tmp_path_factory.mktemp("body"))


@pytest.fixture(scope="module")
def rig(body_path):
    return load_rig(body_path)


@pytest.fixture(scope="module")
def smpl(body_path):
    return SMPL(body_path)


@pytest.fixture(scope="module")
def thetas():
    """float32 [9, 85]: people of all shapes in all poses; the scale of one camera is negative."""
    rng = np.random.default_rng(2)
    cam = np.column_stack([rng.uniform(0.5, 1.2, 9), rng.normal(0, 0.2, (9, 2))])
    cam[3, 0] *= -1
    pose = rng.normal(0, 0.3, (9, 72))
    pose[:, 0] += np.pi  # the camera's y points down
    rows = [cam, pose, rng.normal(0, 1, (9, 10))]
    return np.concatenate(rows, axis=1).astype(np.float32)


def measured(theta, rig):
    """Heights by the rig's own vertices, one body at a time."""
    shapes = split_theta(theta).shape.astype(np.float64)
    return np.array([np.ptp(rig.shaped(shape)[0][:, 1]) for shape in shapes])


@pytest.mark.parametrize("height_m", HEIGHTS_M)
def test_bodies_at_rest_have_the_height(rig, thetas, height_m):
    got = height.with_height(thetas, rig, height_m)
    assert got.dtype == np.float32 and got.shape == thetas.shape
    np.testing.assert_allclose(measured(got, rig), height_m, atol=2e-6)
    np.testing.assert_array_equal(split_theta(got).pose, split_theta(thetas).pose)


def test_the_height_is_that_of_the_rigs_vertices(rig, thetas):
    shapes = split_theta(thetas).shape
    np.testing.assert_allclose(height.heights(shapes, rig), measured(thetas, rig), atol=1e-6)


def test_the_change_is_small_and_along_the_gradient(rig, thetas):
    """The height in betas, by differences: no direction changes it by less of a change."""
    beta = split_theta(thetas).shape[:1].astype(np.float64)
    step = 1e-4
    moved = height.shape_with_height(beta, rig, float(height.heights(beta, rig)[0]) + step) - beta
    nudges = 1e-5 * np.eye(10)
    slope = (height.heights(beta + nudges, rig) - height.heights(beta, rig)) / 1e-5
    np.testing.assert_allclose(moved[0], step * slope / (slope @ slope), rtol=1e-3, atol=1e-9)


def test_a_body_of_that_height_is_left_as_it_is(rig, thetas):
    once = height.with_height(thetas, rig, 1.7)
    np.testing.assert_array_equal(height.with_height(once, rig, 1.7), once)


@pytest.mark.parametrize("height_m", [1.4, 1.55, 2.0])
def test_people_stay_where_they_are_drawn(smpl, rig, thetas, height_m):
    """Up to the difference of proportions between short people and tall ones."""

    def drawn(theta):
        return decode_theta(smpl, tf.constant(theta), IMG_SIZE)["joints"].numpy()

    before, got = drawn(thetas), height.with_height(thetas, rig, height_m)
    size = np.ptp(before, axis=1).max(axis=1)
    away = np.linalg.norm(drawn(got) - before, axis=-1).max(axis=1) / size
    assert away.max() < 0.07 and np.median(away) < 0.05
    with_the_old_camera = np.concatenate([thetas[:, :75], split_theta(got).shape], axis=1)
    worse = np.linalg.norm(drawn(with_the_old_camera) - before, axis=-1).max(axis=1) / size
    assert np.median(worse) > 2 * np.median(away)


@pytest.mark.parametrize("height_m", HEIGHTS_M)
def test_the_root_stays_on_its_pixel_and_its_distance_grows_with_the_height(rig, thetas, height_m):
    got = height.with_height(thetas, rig, height_m)
    place = CropPlace(np.array([0.51, 0.5]), np.array([-20.0, 31.0]), IMG_SIZE)

    def root_px_and_depth(row):
        pinhole = place.picture_camera(row[:3]).perspective((640, 480), 900.0)
        _, joints = rig.shaped(row[75:].astype(np.float64))
        root = np.array([*joints[0, :2], 0.0])
        return pinhole.project(root), pinhole.translation[2]

    factors = height_m / measured(thetas, rig)
    for row, new, factor in zip(thetas, got, factors, strict=True):
        (pixel, depth), (new_pixel, new_depth) = map(root_px_and_depth, (row, new))
        np.testing.assert_allclose(new_pixel, pixel, atol=1e-3)
        assert new_depth == pytest.approx(factor * depth, rel=1e-5)


def test_any_leading_axes_are_bodies(rig, thetas):
    got = height.with_height(thetas, rig, 1.6)
    np.testing.assert_array_equal(height.with_height(thetas[4], rig, 1.6), got[4])
    square = thetas.reshape(3, 3, 85)
    np.testing.assert_array_equal(height.with_height(square, rig, 1.6), got.reshape(3, 3, 85))
    assert height.with_height(thetas[:0], rig, 1.6).shape == (0, 85)


def test_more_bodies_than_are_shaped_at_once_are_shaped_alike(rig, thetas):
    many = height.with_height(np.tile(thetas, (60, 1)), rig, 1.6)
    np.testing.assert_allclose(many[-9:], height.with_height(thetas, rig, 1.6), atol=1e-6)


def test_the_input_is_not_changed(rig, thetas):
    theta = thetas.astype(np.float64)
    before = theta.copy()
    height.with_height(theta, rig, 1.6)
    height.shape_with_height(theta[:, 75:], rig, 1.6)
    np.testing.assert_array_equal(theta, before)


def test_a_height_that_no_shape_has_is_refused_by_its_flag(rig, small_smpl_path, thetas):
    flat = rig._replace(vertex_dirs=np.zeros_like(rig.vertex_dirs))
    with pytest.raises(ValueError, match=r"^--height_m=1\.5: .*the one seen, of 1\.73 m"):
        height.with_height(thetas, flat, 1.5)
    # The small body's shapes are random, and none of them is less than 1.56 m tall.
    with pytest.raises(ValueError, match=r"^--height_m=1: "):
        height.with_height(thetas, load_rig(str(small_smpl_path)), 1.0)


def test_a_shape_that_is_not_finite_is_refused(rig, thetas):
    bad = thetas.copy()
    bad[2, 80] = np.nan
    with pytest.raises(ValueError, match="--height_m"):
        height.with_height(bad, rig, 1.5)
