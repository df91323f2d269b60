"""Angles that follow a motion: they mean its rotations, and none of them jumps."""

import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr_tf2.visualization.euler import zxy_angles

# Rotations of the network are float32, and a BVH file has five digits of a degree.
SAME_DEG = 1e-5


def angles_of(turns):
    """Degrees [T, 3] of a row of rotations."""
    return np.degrees(zxy_angles(turns.as_matrix()[:, np.newaxis])[:, 0])


def meant_by(degrees):
    return Rotation.from_euler("ZXY", degrees, degrees=True)


def assert_same(turns, degrees):
    error = np.degrees((meant_by(degrees).inv() * turns).magnitude())
    assert error.max() < SAME_DEG


def nearest_of_all(plain, before):
    """All triples that mean what `plain` does, tried one by one."""
    z, x, y = plain
    found = []
    for triple in ((z, x, y), (z + 180, 180 - x, y + 180)):
        near = []
        for angle, last in zip(triple, before, strict=True):
            turned = [angle + 360 * k for k in range(-9, 10)]
            near.append([a for a in turned if abs(a - last) < 361])
        found += itertools.product(*near)
    return min(found, key=lambda triple: sum((np.array(triple) - before) ** 2))


def tumbling(rng, steps=200, pace=0.1):
    """A body that tumbles smoothly about all axes, and so comes past gimbal lock."""
    speed = np.cumsum(rng.normal(0, 0.02, (steps, 3)), axis=0)
    speed *= pace / np.linalg.norm(speed, axis=1, keepdims=True)
    turns = [Rotation.random(random_state=7)]
    for step in speed:
        turns.append(turns[-1] * Rotation.from_rotvec(step))
    return Rotation.concatenate(turns)


def test_the_first_moment_has_the_plain_triple(rng):
    turns = Rotation.from_rotvec(rng.normal(0, 2, (300, 3)))
    plain = np.degrees(zxy_angles(turns.as_matrix()[np.newaxis])[0])
    np.testing.assert_allclose(plain, turns.as_euler("ZXY", degrees=True), atol=1e-8)


def test_each_triple_is_the_nearest_of_all_that_mean_the_same(rng):
    turns = Rotation.from_rotvec(np.cumsum(rng.normal(0, 0.7, (150, 3)), axis=0))
    degrees = angles_of(turns)
    assert_same(turns, degrees)
    plain = turns.as_euler("ZXY", degrees=True)
    for t in range(1, len(plain)):
        np.testing.assert_allclose(
            degrees[t], nearest_of_all(plain[t], degrees[t - 1]), atol=1e-7, err_msg=str(t)
        )


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sense", [1, -1])
def test_a_turn_and_a_half_about_an_axis_is_one_angle_that_grows(axis, sense):
    """Order z, x, y: about x it passes gimbal lock, where all three used to flip."""
    expected = np.zeros((109, 3))
    expected[:, axis] = sense * np.arange(0, 545, 5)
    degrees = angles_of(meant_by(expected))
    np.testing.assert_allclose(degrees, expected, atol=1e-6)


@pytest.mark.parametrize("lock", [90, -90])
def test_a_turn_right_through_gimbal_lock_keeps_the_other_angles(lock):
    x = lock + np.sign(lock) * np.arange(-20, 21)
    expected = np.column_stack([np.full(41, 30.0), x, np.full(41, -70.0)])
    degrees = angles_of(meant_by(expected))
    np.testing.assert_allclose(degrees, expected, atol=1e-5)


@pytest.mark.parametrize("lock", [90, -90])
def test_a_turn_at_gimbal_lock_moves_the_angles_no_more_than_it_must(lock):
    """Only z + y counts there (z - y at -90), and each of them does half of the turn."""
    half = np.arange(0, 400, 3.0)
    sign = np.sign(lock)
    made = np.column_stack(
        [2 * half + 40, np.full(len(half), lock), np.full(len(half), sign * 10)]
    )
    start = np.array([[40.0, lock - sign * 10, sign * 10]])
    degrees = angles_of(meant_by(np.vstack([start, made])))
    assert_same(meant_by(made), degrees[1:])
    expected = np.column_stack([half + 40, made[:, 1], sign * (half + 10)])
    np.testing.assert_allclose(degrees[1:], expected, atol=1e-4)


def test_a_first_moment_at_gimbal_lock_has_no_y():
    for lock in (90, -90):
        degrees = angles_of(meant_by([[25, lock, 0], [30, lock, 0]]))
        np.testing.assert_allclose(degrees[0], [25, lock, 0], atol=1e-6)


def test_who_holds_still_at_gimbal_lock_does_not_tremble(rng):
    held = meant_by([[20, 90, 30]]).as_matrix().repeat(50, axis=0)
    noise = rng.normal(0, 1e-9, held.shape)
    degrees = np.degrees(zxy_angles((held + noise)[:, np.newaxis])[:, 0])
    assert np.ptp(degrees, axis=0).max() < 1e-4


def test_angles_of_a_tumbling_body_follow_it_without_jumps(rng):
    """Away from gimbal lock an angle changes by at most 1 / cos(x) times what the body turns."""
    pace = 0.02
    turns = tumbling(rng, steps=3000, pace=pace)
    degrees = angles_of(turns)
    assert_same(turns, degrees)
    slope = np.abs(np.cos(np.radians(degrees[:, 1])))
    slope = np.minimum(slope[1:], slope[:-1])
    steps = np.abs(np.diff(degrees, axis=0)).max(axis=1)
    is_away = slope > 0.1
    assert is_away.mean() > 0.8 and np.ptp(degrees) > 360
    assert (steps * slope)[is_away].max() < 1.5 * np.degrees(pace)
    assert steps.max() <= 181


def test_joints_and_blocks_of_time_do_not_touch_each_other(rng):
    turns = np.stack([tumbling(rng).as_matrix() for _ in range(4)], axis=1)
    turns[60:70, 2] = meant_by([[10, 90, 0]]).as_matrix()
    angles = zxy_angles(turns)
    for joint in range(4):
        np.testing.assert_array_equal(angles[:, [joint]], zxy_angles(turns[:, [joint]]))
    first = zxy_angles(turns[:65])
    np.testing.assert_array_equal(
        angles, np.concatenate([first, zxy_angles(turns[65:], first[-1])])
    )


def test_rotations_of_float32_are_as_good(rng):
    turns = tumbling(rng)
    single = zxy_angles(turns.as_matrix().astype(np.float32)[:, np.newaxis])[:, 0]
    error = np.degrees((meant_by(np.degrees(single)).inv() * turns).magnitude())
    assert error.max() < 2 * SAME_DEG
