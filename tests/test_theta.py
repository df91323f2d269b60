"""Theta: its parts, and the body it decodes to, equal to the original's inference."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2 import theta
from hmr_tf2.smpl import SMPL

ROW = np.arange(85, dtype=np.float32)


@pytest.mark.parametrize("shape", [(85,), (2, 85), (3, 2, 85)])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_camera_stands_first_then_the_pose_then_the_shape(shape, as_tensor):
    values = np.broadcast_to(ROW, shape)
    parts = theta.split_theta(tf.constant(values) if as_tensor else values)
    for part, expected in zip(parts, (ROW[:3], ROW[3:75], ROW[75:]), strict=True):
        np.testing.assert_array_equal(
            part, np.broadcast_to(expected, (*shape[:-1], len(expected)))
        )
    assert theta.NUM_THETA == 85
    assert parts.camera.shape[-1] == theta.NUM_CAMERA and parts.shape.shape[-1] == 10


def test_the_parts_of_an_array_are_views_of_it():
    values = ROW.copy()
    theta.split_theta(values).shape[...] = -1.0
    np.testing.assert_array_equal(values, [*range(75)] + 10 * [-1])


@pytest.mark.parametrize("leading", [(), (4,), (0,), (2, 3)])
def test_a_pose_is_24_rotations_root_first(leading, rng, reference):
    pose = rng.normal(size=(*leading, 72))
    got = theta.pose_to_rotations(pose)
    assert got.shape == (*leading, 24, 3, 3)
    expected = reference.rodrigues(pose.reshape(*leading, 24, 3))
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_decodes_to_what_the_original_inferred(golden, smpl_path):
    arrays, _ = golden("golden_infer_seed0.npz")
    got = theta.decode_theta(SMPL(smpl_path), tf.constant(arrays["theta"]), 224)
    assert set(got) == {"verts", "joints", "cams", "joints3d", "theta"}
    np.testing.assert_array_equal(got["theta"], arrays["theta"])
    np.testing.assert_array_equal(got["cams"], arrays["theta"][:, :3])
    np.testing.assert_allclose(got["verts"][:, ::50], arrays["verts"], atol=1e-5)
    np.testing.assert_allclose(got["joints3d"], arrays["joints3d"], atol=1e-5)
    np.testing.assert_allclose(got["joints"], arrays["joints"], atol=2e-3)


def test_a_smaller_crop_has_its_keypoints_at_the_same_place(small_smpl_path, rng):
    smpl = SMPL(small_smpl_path)
    values = rng.normal(0, 0.3, (2, 85)).astype(np.float32)
    large, small = (theta.decode_theta(smpl, values, size)["joints"] for size in (224, 56))
    np.testing.assert_allclose(large, 4 * small, rtol=1e-5)


def test_rotations_are_added_where_they_lack_and_kept_where_they_stand(rng, reference):
    values = rng.normal(size=(2, 85)).astype(np.float32)
    before = {"theta": tf.constant(values), "cams": tf.constant(values[:, :3])}
    added = theta.with_rotations(before)
    assert set(added) == {*before, "rotations"} and "rotations" not in before
    expected = reference.rodrigues(values[:, 3:75].reshape(2, 24, 3))
    np.testing.assert_allclose(added["rotations"], expected, atol=1e-6)
    kept = theta.with_rotations({**before, "rotations": "as they were"})
    assert kept["rotations"] == "as they were"
