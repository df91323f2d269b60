"""Errors of joints and keypoints: the original's numbers, worked examples, damaged input."""

import numpy as np
import pytest

from hmr_tf2.evaluation import metrics
from hmr_tf2.evaluation.metrics import compute_errors, joint_errors


def test_errors_equal_the_original(golden):
    arrays, _ = golden("golden_eval_seed0.npz")
    # The file's skeletons are in metres, its errors in millimetres.
    errors, errors_pa = compute_errors(1000 * arrays["gt"], 1000 * arrays["pred"])
    np.testing.assert_allclose(errors, arrays["errors"], rtol=1e-6)
    np.testing.assert_allclose(errors_pa, arrays["errors_pa"], rtol=1e-6, atol=1e-6)


def test_errors_are_the_means_over_the_joints(rng):
    truth, found = rng.normal(size=(2, 6, 14, 3))
    errors, errors_pa = joint_errors(truth, found)
    assert errors.shape == errors_pa.shape == (6, 14)
    np.testing.assert_allclose(compute_errors(truth, found), (errors.mean(1), errors_pa.mean(1)))


def test_one_joint_that_is_off_has_all_the_error():
    truth = np.zeros((1, 14, 3))
    found = truth.copy()
    found[0, 13] = [0.0, 3.0, 4.0]
    errors, _ = joint_errors(truth, found)
    np.testing.assert_allclose(errors[0], [0.0] * 13 + [5.0])


def test_where_the_body_stands_does_not_matter(rng):
    truth, found = rng.normal(size=(2, 3, 14, 3))
    before = compute_errors(truth, found)
    after = compute_errors(truth + [1, 2, 3], found - [4, 5, 6])
    np.testing.assert_allclose(before, after, atol=1e-9)


def test_the_hips_are_what_is_aligned(rng):
    truth = rng.normal(size=(1, 14, 3))
    found = truth.copy()
    found[0, 2:4] += [[30.0, 0.0, 0.0], [-30.0, 0.0, 0.0]]  # their mid-point stays
    errors, _ = joint_errors(truth, found)
    np.testing.assert_allclose(errors[0, [0, 2, 3]], [0.0, 30.0, 30.0], atol=1e-12)


def test_a_skeleton_with_nan_spoils_no_other(rng):
    truth, found = rng.normal(size=(2, 4, 14, 3))
    clean = compute_errors(truth, found)
    found[2, 3, 1] = np.nan
    for got, expected in zip(compute_errors(truth, found), clean, strict=True):
        assert np.isnan(got[2])
        np.testing.assert_allclose(np.delete(got, 2), np.delete(expected, 2))
    assert np.isnan(joint_errors(truth, found)[0][2]).all()


def test_arrays_of_any_layout_and_type_are_accepted(rng):
    truth, found = rng.normal(size=(2, 5, 14, 3)).astype(np.float32)
    expected = compute_errors(truth.astype(np.float64), found.astype(np.float64))
    np.testing.assert_array_equal(compute_errors(truth, found), expected)
    np.testing.assert_array_equal(
        compute_errors(np.asfortranarray(truth), np.asfortranarray(found)), expected
    )


def test_no_skeletons_have_no_errors():
    assert [e.shape for e in compute_errors(np.zeros((0, 14, 3)), np.zeros((0, 14, 3)))] == [
        (0,),
        (0,),
    ]


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"must both be \[M, 14, 3\]; got \[2, 19, 3\]"):
        compute_errors(np.zeros((2, 19, 3)), np.zeros((2, 19, 3)))


def test_pck_counts_what_is_below_the_threshold():
    errors = np.array([[0.0, 149.9], [150.0, 1000.0]])
    assert metrics.percentage_of_correct(errors, 150.0) == 50.0
    assert metrics.percentage_of_correct(errors, 0.0) == 0.0


def test_pck_leaves_out_what_is_not_known():
    assert metrics.percentage_of_correct(np.array([np.nan, 1.0, 9.0]), 2.0) == 50.0
    assert np.isnan(metrics.percentage_of_correct(np.array([np.nan]), 2.0))
    assert np.isnan(metrics.percentage_of_correct(np.zeros((0, 14)), 2.0))


def test_auc_is_the_mean_of_pck_over_0_to_150_mm_in_steps_of_5(rng):
    errors = rng.uniform(0, 200, (50, 14))
    slow = np.mean([100.0 * np.mean(errors < 5 * k) for k in range(31)])
    assert metrics.area_under_pck(errors) == pytest.approx(slow)
    assert metrics.area_under_pck(np.zeros((1, 14))) == pytest.approx(100 * 30 / 31)
    assert metrics.area_under_pck(np.full((1, 14), 150.0)) == 0.0


def test_keypoint_errors_are_distances_of_the_visible():
    keypoints = np.array([[[10.0, 10.0, 1.0], [0.0, 0.0, 0.0]], [[1.0, 2.0, 2.0], [5, 5, 1]]])
    found = np.array([[[13.0, 14.0], [9.0, 9.0]], [[1.0, 2.0], [5.0, 6.0]]])
    np.testing.assert_array_equal(
        metrics.keypoint_errors(keypoints, found), [[5.0, np.nan], [0.0, 1.0]]
    )


def test_keypoints_that_only_one_side_has_are_left_out(rng):
    keypoints, found = np.ones((2, 19, 3)), np.ones((2, 14, 2))
    assert metrics.keypoint_errors(keypoints, found).shape == (2, 14)


def test_reference_lengths_of_pck_need_both_ends():
    keypoints = np.zeros((3, 14, 3))
    keypoints[..., 2] = 1.0
    keypoints[:, 9, :2] = [3.0, 4.0]  # left shoulder
    keypoints[:, 13, :2] = [0.0, 7.0]  # head top
    keypoints[1, 2, 2] = keypoints[1, 12, 2] = 0.0  # right hip and neck out of sight
    np.testing.assert_array_equal(metrics.torso_lengths(keypoints), [5.0, np.nan, 5.0])
    np.testing.assert_array_equal(metrics.head_lengths(keypoints), [7.0, np.nan, 7.0])


def test_visibility_alone_says_whether_a_keypoint_counts(rng):
    """Not where it is: points left of and above the crop count, hidden ones within do not."""
    keypoints = rng.uniform(10, 20, (1, 14, 3))
    keypoints[0, :7] *= -1
    keypoints[..., 2] = [1, 0] * 7
    errors = metrics.keypoint_errors(keypoints, keypoints[..., :2] + [3.0, 4.0])
    np.testing.assert_allclose(errors, [[5.0, np.nan] * 7])
    for ends, lengths in (((9, 2), metrics.torso_lengths), ((12, 13), metrics.head_lengths)):
        for hidden in (*ends, None):
            keypoints[..., 2] = 0.0
            keypoints[0, [k for k in ends if k != hidden], 2] = 1.0
            expected = np.linalg.norm(keypoints[0, ends[0], :2] - keypoints[0, ends[1], :2])
            np.testing.assert_allclose(lengths(keypoints), [np.nan if hidden else expected])


def test_more_skeletons_than_a_block_have_the_errors_of_each(rng):
    truth, found = rng.normal(size=(2, 70, 14, 3))
    together = joint_errors(truth, found)
    for k in (0, 31, 32, 63, 64, 69):
        for errors, alone in zip(
            together, joint_errors(truth[k : k + 1], found[k : k + 1]), strict=True
        ):
            np.testing.assert_allclose(errors[k], alone[0], rtol=1e-12)
