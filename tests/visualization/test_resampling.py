"""Motions in even steps: where the moments were, the shortest way between them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from hmr_tf2.visualization.motion import Motion, check_finite, resampled

FPS = 30.0


def motion_at(times, rng, joints=24):
    times = np.asarray(times, np.float64)
    turns = Rotation.from_rotvec(rng.normal(0, 1, (len(times) * joints, 3))).as_matrix()
    return Motion(
        times,
        turns.reshape(len(times), joints, 3, 3),
        rng.normal(size=(len(times), 3)),
        rng.normal(size=(joints, 3)),
        rng.normal(size=(9, 3)),
    )


def uneven(rng, num=40):
    return 0.4 + np.sort(rng.uniform(0, 2, num))


def test_it_is_the_spherical_interpolation_of_every_joint(rng):
    motion = motion_at(uneven(rng), rng)
    got = resampled(motion, FPS)
    for joint in range(24):
        slerp = Slerp(motion.times, Rotation.from_matrix(motion.rotations[:, joint]))
        expected = slerp(got.times.clip(None, motion.times[-1])).as_matrix()
        np.testing.assert_allclose(got.rotations[:, joint], expected, atol=1e-9)
    for axis in range(3):
        expected = np.interp(got.times, motion.times, motion.root[:, axis])
        np.testing.assert_allclose(got.root[:, axis], expected, atol=1e-12)
    assert got.joints is motion.joints and got.vertices is motion.vertices


def test_steps_are_even_from_the_first_time_to_the_last(rng):
    motion = motion_at(uneven(rng), rng)
    times = resampled(motion, FPS).times
    assert times[0] == motion.times[0]
    np.testing.assert_allclose(np.diff(times), 1 / FPS, rtol=1e-9)
    assert times[-1] - 1e-3 <= motion.times[-1] < times[-1] + 1 / FPS


@pytest.mark.parametrize("start", [0.0, 17.3])
@pytest.mark.parametrize("fps", [30000 / 1001, 25.0, 240.0])
def test_what_has_these_steps_already_is_returned_as_it_is(rng, fps, start):
    motion = motion_at(start + np.arange(50) / fps, rng)
    assert resampled(motion, fps) is motion
    # A header's 29.97 for 30000 / 1001.
    assert resampled(motion, round(fps, 5)) is motion


def test_frames_that_a_video_left_out_are_filled_in(rng):
    """Two seconds of all frames, and then every sixth, as screen recorders and phones write."""
    whole = motion_at(np.arange(115) / FPS, rng)
    kept = [k for k in range(115) if k < 60 or k % 6 == 0]
    got = resampled(
        whole._replace(
            times=whole.times[kept], rotations=whole.rotations[kept], root=whole.root[kept]
        ),
        FPS,
    )
    np.testing.assert_allclose(got.times, whole.times, atol=1e-12)
    np.testing.assert_allclose(got.rotations[kept], whole.rotations[kept], atol=1e-7)
    np.testing.assert_allclose(got.root[kept], whole.root[kept], atol=1e-9)


@pytest.mark.parametrize("fps", [24000 / 1001, 30.0, 60.0, 120.0, 240.0])
def test_time_stamps_rounded_to_milliseconds_cost_no_frame(rng, fps):
    for count in (2, 3, 31, 100, 200):
        motion = motion_at(np.round(np.arange(count) / fps, 3), rng, joints=1)
        assert len(resampled(motion, fps).times) == count


def test_one_moment_is_one_frame(rng):
    motion = motion_at([3.5], rng)
    assert resampled(motion, FPS) is motion


def test_moments_with_the_same_time_do_no_harm(rng):
    for times in ([0, 0.5, 0.5, 1], [0, 0, 1], [0, 1, 1], [2, 2]):
        motion = motion_at(times, rng)
        got = resampled(motion, 4.0)
        assert np.isfinite(got.rotations).all() and np.isfinite(got.root).all()
        np.testing.assert_allclose(got.rotations[-1], motion.rotations[-1], atol=1e-7)
        np.testing.assert_allclose(got.root[-1], motion.root[-1], atol=1e-9)


def test_rotations_stay_rotations_past_the_end_of_a_block(rng):
    motion = motion_at(np.sort(rng.uniform(0, 1, 300)), rng, joints=2)
    got = resampled(motion, 9001.0)
    product = got.rotations @ got.rotations.swapaxes(-1, -2)
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-9)
    slerp = Slerp(motion.times, Rotation.from_matrix(motion.rotations[:, 1]))
    expected = slerp(got.times.clip(None, motion.times[-1])).as_matrix()
    np.testing.assert_allclose(got.rotations[:, 1], expected, atol=1e-9)


@pytest.mark.parametrize("part", ["times", "rotations", "root", "joints", "vertices"])
def test_a_number_that_is_not_finite_is_named_with_the_file(rng, part):
    motion = motion_at([0, 1], rng)
    check_finite(motion, "a.bvh")
    getattr(motion, part).flat[-1] = np.nan
    with pytest.raises(
        ValueError, match=r"^a\.bvh: the motion has numbers that are not finite\.$"
    ):
        check_finite(motion, "a.bvh")
