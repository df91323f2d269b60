"""Motions: smooth, within limits, different from each other, the same for a seed."""

import numpy as np
import pytest

from hmr_tf2.standin import joint_angles, motion, posing, skeleton

KINDS = sorted(motion.KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_motion_is_smooth(kind):
    poses = motion.clip(kind, 60, np.random.default_rng(1))
    turns = posing.rotation_matrices(poses.reshape(60, 24, 3))
    step = np.swapaxes(turns[:-1], -1, -2) @ turns[1:]
    angle = np.arccos(np.clip((np.trace(step, axis1=-2, axis2=-1) - 1) / 2, -1, 1))
    assert np.rad2deg(angle).max() < 32  # degrees in a thirtieth of a second; sprinters reach 30


@pytest.mark.parametrize("kind", KINDS)
def test_axis_angles_do_not_jump(kind):
    poses = motion.clip(kind, 60, np.random.default_rng(2))
    assert np.abs(np.diff(poses, axis=0)).max() < 1.0


def test_limits_hold_for_extreme_angles():
    angles = joint_angles.Angles(np.zeros(5))
    rng = np.random.default_rng(0)
    angles.values += 10 * rng.standard_normal(angles.values.shape)
    low, high = joint_angles.limits()
    limited = angles.limited()[:, 1:]
    assert (limited >= low[1:] - 1e-9).all() and (limited <= high[1:] + 1e-9).all()


def test_limits_leave_moderate_angles_alone():
    low, high = joint_angles.limits()
    angles = joint_angles.Angles(np.zeros(1))
    angles.values[0] = (low + high) / 2 + 0.35 * (high - low)
    np.testing.assert_allclose(angles.limited(), angles.values)


@pytest.mark.parametrize("kind", KINDS)
def test_knees_and_elbows_never_bend_backwards(kind):
    poses = motion.clip(kind, 40, np.random.default_rng(3)).reshape(40, 24, 3)
    assert poses[:, skeleton.index("left_knee"), 0].min() > -0.05
    assert poses[:, skeleton.index("left_elbow"), 1].max() < 0.05
    assert poses[:, skeleton.index("right_elbow"), 1].min() > -0.05


def test_walking_swings_the_legs_against_each_other():
    poses = motion.clip("walk", 90, np.random.default_rng(4)).reshape(90, 24, 3)
    left, right = (poses[:, skeleton.index(f"{side}_hip"), 0] for side in ("left", "right"))
    assert np.corrcoef(left, right)[0, 1] < -0.8


def test_sitting_bends_hips_and_knees():
    pose = motion.clip("sit", 1, np.random.default_rng(5))[0]
    angle = np.linalg.norm(pose.reshape(24, 3), axis=1)
    assert angle[skeleton.index("left_hip")] > 1.0


def test_same_seed_same_motion_other_seed_other_motion():
    first, again, other = (motion.clip("dance", 8, np.random.default_rng(s)) for s in (6, 6, 7))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_an_unknown_motion_is_refused_by_name():
    with pytest.raises(ValueError, match="'swim'.*walk"):
        motion.clip("swim", 3, np.random.default_rng(0))
