"""The rig: the body at rest that SMPL poses, told by shapes, bones and weights."""

import numpy as np
import pytest

from hmr_tf2.smpl import SMPL, load_smpl_file
from hmr_tf2.smpl.rig import load_rig


@pytest.fixture(scope="module")
def rig(small_smpl_path):
    return load_rig(str(small_smpl_path))


def test_a_shaped_rig_is_the_body_at_rest(rig, small_smpl_path, bodies):
    beta = bodies[0]
    smpl = SMPL(small_smpl_path)
    at_rest = np.zeros((len(beta), 72), np.float32)
    vertices, joints = rig.shaped(beta)
    expected, _, _ = smpl(beta, at_rest, get_skin=True)
    np.testing.assert_allclose(vertices, expected, atol=2e-6)
    np.testing.assert_allclose(joints, smpl.pose(beta, at_rest).joints, atol=2e-6)


def test_any_leading_axes_are_bodies(rig, rng):
    beta = rng.normal(size=(2, 3, 10)).astype(np.float32)
    vertices, joints = rig.shaped(beta)
    one = rig.shaped(beta[1, 2])
    np.testing.assert_allclose(vertices[1, 2], one[0], atol=1e-6)
    np.testing.assert_allclose(joints[1, 2], one[1], atol=1e-6)


def test_bones_and_faces_are_those_of_the_file(rig, small_smpl_path):
    body = load_smpl_file(small_smpl_path)
    assert rig.parents.dtype == rig.faces.dtype == np.int32
    assert rig.parents[0] == -1
    np.testing.assert_array_equal(rig.parents[1:], body["kintree_table"][0, 1:])
    np.testing.assert_array_equal(rig.faces, body["f"])
    np.testing.assert_array_equal(rig.weights, body["weights"].astype(np.float32))


def test_shape_directions_beyond_the_tenth_are_left_out(edited_smpl_file, small_smpl_path, rng):
    more = rng.normal(size=(120, 3, 16))
    more[..., :10] = load_smpl_file(small_smpl_path)["shapedirs"]
    rig, expected = load_rig(edited_smpl_file(shapedirs=more)), load_rig(small_smpl_path)
    for got, want in zip(rig, expected, strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_dense_joint_regressor_gives_the_same_joints(edited_smpl_file, small_smpl_path):
    dense = np.asarray(load_smpl_file(small_smpl_path)["J_regressor"].todense())
    rig, expected = load_rig(edited_smpl_file(J_regressor=dense)), load_rig(small_smpl_path)
    np.testing.assert_allclose(rig.joints, expected.joints, atol=1e-7)
    np.testing.assert_allclose(rig.joint_dirs, expected.joint_dirs, atol=1e-7)
